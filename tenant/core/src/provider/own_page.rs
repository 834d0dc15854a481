//! What a person's own page shows: assigned applications, open sessions, and the last sign-ins.

use super::{OpenSession, Provider};
use landbridge_tenant_rules::model::{Attributes, AuditEntry};
use landbridge_tenant_store::facts;
use landbridge_tenant_store::tables::web_sessions::{MOST, WebSession};
use landbridge_tenant_store::tables::{app_groups, app_oidc, apps, attributes, audit, domains, objects};
use landbridge_tenant_store::{Reading, StoreError};

/// The sign-ins that the page shows.
pub const SIGN_INS: u32 = 20;
/// Limit on the applications that the page shows.
const MOST_APPLICATIONS: usize = 100;

/// The content of the page.
#[derive(Debug, Clone)]
pub struct OwnPage {
    /// displayName, or else the name with which the person signs in.
    pub person: String,
    /// userPrincipalName or sAMAccountName.
    pub name: String,
    /// The applications that are assigned to the person, by name.
    pub applications: Vec<AssignedApplication>,
    /// The sessions, the last used first.
    pub sessions: Vec<OpenSession>,
    /// The last sign-ins, the newest first.
    pub sign_ins: Vec<RecentSignIn>,
}

/// An application that is assigned to a person.
#[derive(Debug, Clone)]
pub struct AssignedApplication {
    /// Its name.
    pub name: String,
    /// Where people return to it with a code: the first of its redirect URIs.
    pub redirect_uri: Option<String>,
}

/// A sign-in of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentSignIn {
    /// Seconds since 1970.
    pub at: i64,
    /// The address or named place.
    pub from: String,
    /// The application; none: the person's own page, or an administrator's trial.
    pub application: Option<String>,
    /// The name of its outcome in the audit log: `accepted`, `wrong-password`.
    pub outcome: String,
}

impl RecentSignIn {
    /// Reads what [`crate::sign_ins`] and [`super::Provider::grant`] write: `OUTCOME…, from PLACE, by way of …`.
    fn of(entry: AuditEntry) -> Self {
        let outcome = entry.detail.split([' ', ',']).next().unwrap_or_default().to_owned();
        let from = entry.detail.split_once(", from ").map(|(_, from)| from).unwrap_or_default();
        let from = from.split([',', ' ']).next().unwrap_or_default().to_owned();
        let application = entry.actor.strip_prefix("app ").map(str::to_owned);
        Self { at: entry.at, from, application, outcome }
    }
}

impl Provider {
    /// What the own page of the person with this session shows; none: the account is gone. Blocks.
    pub fn own_page(&self, session: &WebSession, now: i64) -> Result<Option<OwnPage>, StoreError> {
        self.store.read(|reading| {
            let object = session.object;
            let Some(account) = objects::find(reading, object)? else { return Ok(None) };
            let known = attributes::of(reading, object)?;
            let name = known.user_principal_name.or(known.sam_account_name).unwrap_or_default();
            let sign_ins = audit::sign_ins_of(reading, object, SIGN_INS)?;
            Ok(Some(OwnPage {
                person: known.display_name.filter(|name| !name.is_empty()).unwrap_or_else(|| name.clone()),
                applications: assigned(reading, (object, account.domain), known.primary_group_id)?,
                sessions: self.open_sessions(reading, Some(object), MOST, now)?,
                sign_ins: sign_ins.into_iter().map(RecentSignIn::of).collect(),
                name,
            }))
        })
    }
}

impl Provider {
    /// A name with which the person of a session can sign in: userPrincipalName, or else sAMAccountName and the domain.
    /// None: the account is gone, or has no name. Blocks.
    pub fn sign_in_name(&self, session: &WebSession) -> Result<Option<String>, StoreError> {
        let known = self.store.read(|reading| facts::known_account(reading, session.object, None))?;
        Ok(known.and_then(|known| {
            let with_domain = |sam: String| format!("{sam}@{}", known.domain.dns_name);
            let Attributes { user_principal_name, sam_account_name, .. } = known.attributes;
            user_principal_name.or_else(|| sam_account_name.map(with_domain))
        }))
    }
}

/// The applications that sign people in by OpenID Connect and are assigned to this account of this domain.
fn assigned(
    reading: &Reading<'_>,
    (object, domain): (uuid::Uuid, i64),
    primary_group: Option<i64>,
) -> Result<Vec<AssignedApplication>, StoreError> {
    let Some(domain) = domains::by_id(reading, domain)? else { return Ok(Vec::new()) };
    let mut assigned = Vec::new();
    for app in apps::list(reading, u32::MAX)? {
        let serves = app.domain_rows().is_none_or(|rows| rows.contains(&domain.id));
        if app.revoked_at.is_some() || !serves || assigned.len() == MOST_APPLICATIONS {
            continue;
        }
        let Some(client) = app_oidc::of(reading, app.id)? else { continue };
        if app_groups::is_assigned(reading, app.id, &domain, object, primary_group)? {
            let redirect_uri = client.redirect_uris.first().map(|uri| uri.as_str().to_owned());
            assigned.push(AssignedApplication { name: app.name, redirect_uri });
        }
    }
    assigned.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_audit_log_are_read() {
        for (actor, detail, application, from, outcome) in [
            ("app wiki", "accepted, from 10.1.2.3, by way of 10.1.2.3", Some("wiki"), "10.1.2.3", "accepted"),
            (
                "app wiki",
                "accepted, from 10.1.2.3 (known browser), by way of 10.1.2.3",
                Some("wiki"),
                "10.1.2.3",
                "accepted",
            ),
            ("own page", "wrong-password, by agent, from 2001:db8::1", None, "2001:db8::1", "wrong-password"),
            ("app wiki", "accepted by session x, from 10.1.2.3", Some("wiki"), "10.1.2.3", "accepted"),
            (
                "app mail",
                "accepted, from name:kiosk, by way of 10.9.9.9",
                Some("mail"),
                "name:kiosk",
                "accepted",
            ),
            ("app mail", "unknown-code 0x5, from an unstated source", Some("mail"), "an", "unknown-code"),
        ] {
            let entry = AuditEntry {
                at: 7,
                actor: actor.to_owned(),
                action: String::new(),
                subject: String::new(),
                detail: detail.to_owned(),
            };
            let read = RecentSignIn::of(entry);
            assert_eq!(
                (read.application.as_deref(), read.from.as_str(), read.outcome.as_str()),
                (application, from, outcome),
                "{detail}"
            );
        }
    }
}
