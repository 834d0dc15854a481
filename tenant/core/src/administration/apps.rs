//! Creates, lists, rotates and revokes applications.
//! Before it: [`super::act`]. Neighbours: [`crate::applications`] checks their credentials.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::request::{AdminResponse, AppRow, Confidential, MAX_ROWS, refusal};
use crate::applications::{Credential, MAX_RATE, is_valid_name};
use landbridge_tenant_rules::model::{Application, Domain};
use landbridge_tenant_store::tables::{apps, domains};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use uuid::Uuid;

type Outcome = Result<AdminResponse, StoreError>;

impl Actor<'_> {
    pub(super) fn create_app(
        &self,
        writing: &Writing<'_>,
        name: &str,
        domain: Option<&str>,
        rate: u32,
    ) -> Outcome {
        if !is_valid_name(name) {
            return Ok(refusal(
                "a name is 1 to 64 letters, digits, `-`, `_` and `.`",
                "choose another --name",
            ));
        }
        if !(1..=MAX_RATE).contains(&rate) {
            return Ok(refusal(
                &format!("a rate is 1 to {MAX_RATE} sign-ins a minute"),
                "choose another --rate",
            ));
        }
        let domain: Option<Domain> = match domain {
            None => None,
            Some(domain) => match domains::by_name(writing, domain)? {
                None => return Ok(no_domain()),
                found @ Some(_) => found,
            },
        };
        let id = Uuid::new_v4();
        let credential = Credential::generate(id);
        let row = domain.as_ref().map(|domain| domain.id);
        if !apps::insert(writing, id, name, &credential.hash(), row, rate, self.now)? {
            return Ok(refusal(
                "an application has or had this name",
                "choose another --name, or print a new credential with `landbridge-tenant apps rotate`",
            ));
        }
        let limit = domain.map_or_else(|| "every domain".to_owned(), |domain| domain.dns_name);
        self.audit(writing, "app-created", name, &format!("{limit}, {rate} a minute"))?;
        Ok(AdminResponse::Credential(Confidential::new(credential.to_text().as_str().to_owned())))
    }

    pub(super) fn rotate_app(&self, writing: &Writing<'_>, name: &str) -> Outcome {
        let Some(app) = apps::named(writing, name)? else { return Ok(no_app()) };
        if app.revoked_at.is_some() {
            return Ok(refusal(
                "the application is revoked, and a revocation is permanent",
                "create another one with `landbridge-tenant apps create`",
            ));
        }
        let credential = Credential::generate(app.id);
        if !apps::rotate(writing, app.id, &credential.hash(), self.now)? {
            return Err(StoreError::Conflict);
        }
        self.audit(writing, "app-rotated", name, "")?;
        Ok(AdminResponse::Credential(Confidential::new(credential.to_text().as_str().to_owned())))
    }

    pub(super) fn revoke_app(&self, writing: &Writing<'_>, name: &str) -> Outcome {
        let Some(app) = apps::named(writing, name)? else { return Ok(no_app()) };
        if app.revoked_at.is_some() {
            return Ok(AdminResponse::Done(format!("application {name} is revoked already")));
        }
        if !apps::revoke(writing, app.id, self.now)? {
            return Err(StoreError::Conflict);
        }
        self.audit(writing, "app-revoked", name, "")?;
        self.tenant.rates.forget(app.id);
        Ok(AdminResponse::Done(format!("application {name} revoked")))
    }
}

/// All applications.
pub(super) fn list(reading: &Reading<'_>) -> Outcome {
    let row = |app: Application| AppRow {
        id: app.id,
        name: app.name,
        domain: app.domain_name,
        rate: app.rate_per_minute,
        created_at: app.created_at,
        rotated_at: app.rotated_at,
        revoked_at: app.revoked_at,
    };
    Ok(AdminResponse::Apps(apps::list(reading, MAX_ROWS)?.into_iter().map(row).collect()))
}

fn no_app() -> AdminResponse {
    refusal("there is no such application", "see `landbridge-tenant apps list`")
}
