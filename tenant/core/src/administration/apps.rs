//! Creates, changes, lists and revokes applications, and makes and removes their secrets.
//! Before it: [`super::act`]. Neighbours: [`super::app_settings`] reads what an administrator sets;
//! [`crate::applications`] checks credentials.

use crate::administration::app_settings::{self, Settings};
use crate::administration::domain::Actor;
use crate::administration::group_settings;
use crate::administration::oidc_settings;
use crate::administration::request::{
    AdminResponse, AppRow, AppSettings, Confidential, MAX_ROWS, SecretRow, refusal,
};
use crate::applications::Credential;
use landbridge_tenant_rules::model::{AppGroup, AppSecret, Application};
use landbridge_tenant_store::tables::{app_domains, app_groups, app_ldap, app_networks, app_secrets, apps};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use uuid::Uuid;

/// Limit on the days until a secret ends.
const MAX_DAYS: u32 = 3_650;

type Outcome = Result<AdminResponse, StoreError>;

impl Actor<'_> {
    /// Creates an application with a first secret.
    pub(super) fn create_app(&self, writing: &Writing<'_>, wanted: &AppSettings) -> Outcome {
        let settings = match app_settings::read(writing, wanted)? {
            Ok(settings) => settings,
            Err(refused) => return Ok(refused),
        };
        let Some(id) = self.insert_app(writing, &settings)? else {
            return Ok(refusal(
                "an application has or had this name",
                "choose another --name, or make a secret with `landbridge-tenant apps secret add`",
            ));
        };
        self.new_secret(writing, id, 1, None)
    }

    /// Stores a new application without a secret. None: another one has the name.
    pub(super) fn insert_app(
        &self,
        writing: &Writing<'_>,
        settings: &Settings,
    ) -> Result<Option<Uuid>, StoreError> {
        let Settings { name, domains, groups, networks, rate, ldap, oidc } = settings;
        let app = Application {
            id: Uuid::new_v4(),
            name: name.clone(),
            domains: domains.clone(),
            everybody: groups.is_none(),
            networks: networks.clone(),
            rate_per_minute: *rate,
            created_at: self.now,
            revoked_at: None,
        };
        if !apps::insert(writing, &app)? {
            return Ok(None);
        }
        app_domains::set(writing, app.id, &app.domain_rows().unwrap_or_default())?;
        app_networks::set(writing, app.id, networks)?;
        for group in groups.iter().flatten() {
            app_groups::add(writing, app.id, group)?;
        }
        app_ldap::set(writing, app.id, ldap.as_ref())?;
        oidc_settings::store(writing, app.id, oidc.as_ref())?;
        self.audit(writing, "app-created", name, &settings.to_string())?;
        Ok(Some(app.id))
    }

    /// Makes a secret and returns the credential that holds it.
    fn new_secret(&self, writing: &Writing<'_>, app: Uuid, number: u8, ends_at: Option<i64>) -> Outcome {
        let credential = Credential::generate(app);
        let hash = credential.hash();
        let secret = AppSecret { number, hash, created_at: self.now, ends_at, used_at: None };
        if !app_secrets::add(writing, app, &secret)? {
            return Err(StoreError::Conflict);
        }
        Ok(AdminResponse::Credential(Confidential::new(credential.to_text().as_str().to_owned())))
    }

    /// Makes a further secret, which ends after so many days; none: it does not end.
    pub(super) fn add_secret(&self, writing: &Writing<'_>, name: &str, days: Option<u32>) -> Outcome {
        let app = match active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            return Ok(refusal(&format!("a secret ends after 1 to {MAX_DAYS} days"), "choose other --days"));
        }
        let taken = app_secrets::of(writing, app.id)?;
        let free = (1..=app_secrets::MOST).find(|number| taken.iter().all(|one| one.number != *number));
        let Some(number) = free else {
            return Ok(refusal(
                "the application has two secrets",
                "`landbridge-tenant apps show NAME` says when each was used; take one away with `apps secret remove`",
            ));
        };
        let ends_at = days.map(|days| self.now.saturating_add(i64::from(days) * 86_400));
        let life = days.map_or_else(|| "without an end".to_owned(), |days| format!("for {days} days"));
        self.audit(writing, "app-secret-added", name, &format!("number {number}, {life}"))?;
        self.new_secret(writing, app.id, number, ends_at)
    }

    /// Removes a secret. The application may be left without any.
    pub(super) fn remove_secret(&self, writing: &Writing<'_>, name: &str, number: u8) -> Outcome {
        let app = match active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        if !app_secrets::remove(writing, app.id, number)? {
            let what = format!("the application has no secret {number}");
            return Ok(refusal(&what, "see `landbridge-tenant apps show NAME`"));
        }
        self.audit(writing, "app-secret-removed", name, &format!("number {number}"))?;
        let left = app_secrets::of(writing, app.id)?.len();
        Ok(AdminResponse::Done(format!(
            "secret {number} of {name} does not work any more; {left} left{}",
            if left == 0 { ": the application signs nobody in until `apps secret add`" } else { "" }
        )))
    }

    /// Ends all secrets of an application, and makes a new one.
    pub(super) fn rotate_app(&self, writing: &Writing<'_>, name: &str) -> Outcome {
        let app = match active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        app_secrets::clear(writing, app.id)?;
        self.audit(writing, "app-rotated", name, "")?;
        self.new_secret(writing, app.id, 1, None)
    }

    /// Assigns everybody, or the members of groups, to an application, or ends the assignment of groups.
    pub(super) fn assign_app(
        &self,
        writing: &Writing<'_>,
        name: &str,
        everybody: bool,
        (added, removed): (&[String], &[String]),
    ) -> Outcome {
        // 1. What is named.
        let app = match active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        if everybody {
            app_groups::clear(writing, app.id)?;
            apps::set_everybody(writing, app.id, true)?;
            self.audit(writing, "app-assigned", name, "everybody")?;
            return Ok(AdminResponse::Done(format!("everybody of its domains is assigned to {name}")));
        }
        let served = app.domain_rows();
        let before = app_groups::of(writing, app.id)?;
        // 2. Groups that go. One that was deleted in AD is known by its objectGUID or by its name of then.
        let mut gone = Vec::new();
        for wanted in removed {
            let found = group_settings::groups_named(writing, served.as_deref(), wanted)?;
            let is_meant = |one: &&AppGroup| match found.as_slice() {
                [] => one.group.to_string() == wanted.to_lowercase() || one.name == *wanted,
                found => found.iter().any(|meant| meant.group == one.group),
            };
            let Some(group) = before.iter().find(is_meant) else {
                let what = format!("the group {wanted} is not assigned");
                return Ok(refusal(&what, "see `landbridge-tenant apps show NAME`"));
            };
            gone.push(group);
        }
        // 3. Groups that come. Nothing is written before all is known to be right.
        let mut new = Vec::new();
        for wanted in added {
            match group_settings::one_group(writing, served.as_deref(), wanted)? {
                Ok(group) => new.push(group),
                Err(refused) => return Ok(refused),
            }
        }
        if before.len() + new.len() > app_groups::MOST + gone.len() {
            let what = format!("at most {} groups are assigned to an application", app_groups::MOST);
            return Ok(refusal(&what, "assign a group that contains them"));
        }
        let mut changes = Vec::new();
        for group in gone {
            app_groups::remove(writing, app.id, group.group)?;
            changes.push(format!("without {} ({})", group.name, group.group));
        }
        for group in &new {
            app_groups::add(writing, app.id, group)?;
            changes.push(format!("with {} ({})", group.name, group.group));
        }
        // 4. From now on the groups decide.
        apps::set_everybody(writing, app.id, false)?;
        self.audit(writing, "app-assigned", name, &changes.join(", "))?;
        let groups = app_groups::of(writing, app.id)?;
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let names =
            if names.is_empty() { "nobody".to_owned() } else { format!("members of {}", names.join(", ")) };
        Ok(AdminResponse::Done(format!("assigned to {name}: {names}")))
    }

    /// Adds and removes networks that an application may send from.
    pub(super) fn app_networks(
        &self,
        writing: &Writing<'_>,
        name: &str,
        added: &[String],
        removed: &[String],
    ) -> Outcome {
        let app = match active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        let (added, removed) = match (app_settings::networks(added), app_settings::networks(removed)) {
            (Ok(added), Ok(removed)) => (added, removed),
            (Err(refused), _) | (_, Err(refused)) => return Ok(refused),
        };
        if let Some(missing) = removed.iter().find(|network| !app.networks.contains(network)) {
            let what = format!("{missing} is no network of the application");
            return Ok(refusal(&what, "see `landbridge-tenant apps show NAME`"));
        }
        let mut networks: Vec<_> = app.networks.into_iter().chain(added).collect();
        networks.retain(|network| !removed.contains(network));
        if networks.len() > app_networks::MOST {
            let what = format!("an application has at most {} networks", app_networks::MOST);
            return Ok(refusal(&what, "name a network that contains them"));
        }
        app_networks::set(writing, app.id, &networks)?;
        let text = app_settings::networks_text(&networks);
        self.audit(writing, "app-networks", name, &text)?;
        Ok(AdminResponse::Done(format!("{name} may send from {text}")))
    }

    /// Revokes an application for good.
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
    let rows = apps::list(reading, MAX_ROWS)?.into_iter().map(|app| row(reading, app));
    Ok(AdminResponse::Apps(rows.collect::<Result<_, _>>()?))
}

/// One application.
pub(super) fn show(reading: &Reading<'_>, name: &str) -> Outcome {
    match apps::named(reading, name)? {
        Some(app) => Ok(AdminResponse::App(Box::new(row(reading, app)?))),
        None => Ok(no_app()),
    }
}

fn row(reading: &Reading<'_>, app: Application) -> Result<AppRow, StoreError> {
    let secrets = app_secrets::of(reading, app.id)?.into_iter().map(|secret| {
        let AppSecret { number, created_at, ends_at, used_at, hash: _ } = secret;
        SecretRow { number, created_at, ends_at, used_at }
    });
    let AppSettings { name, domains, networks, rate, groups, ldap, oidc } = app_settings::of(reading, &app)?;
    let Application { id, created_at, revoked_at, .. } = app;
    let secrets = secrets.collect();
    Ok(AppRow { id, name, domains, groups, networks, rate, ldap, oidc, secrets, created_at, revoked_at })
}

/// The application with this name, unless it is revoked.
pub(super) fn active(
    reading: &Reading<'_>,
    name: &str,
) -> Result<Result<Application, AdminResponse>, StoreError> {
    Ok(match apps::named(reading, name)? {
        None => Err(no_app()),
        Some(app) if app.revoked_at.is_some() => Err(refusal(
            "the application is revoked, and a revocation is permanent",
            "create another one with `landbridge-tenant apps create`",
        )),
        Some(app) => Ok(app),
    })
}

fn no_app() -> AdminResponse {
    refusal("there is no such application", "see `landbridge-tenant apps list`")
}
