//! Lists and ends the sessions of people at the pages.
//! Before it: [`super::act`]. Neighbours: [`crate::provider`] knows which have not ended.

use crate::administration::domain::Actor;
use crate::administration::parts::Inner;
use crate::administration::people::one_account;
use crate::administration::request::{AdminResponse, MAX_ROWS, SessionRow, refusal};
use crate::provider::{self, Ending, end_all_of};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{attributes, web_sessions};
use uuid::Uuid;

/// The sessions of an account, or of all accounts, that have not ended; the last used first.
pub(super) fn list(tenant: &Inner, user: Option<&str>, now: i64) -> Result<AdminResponse, StoreError> {
    tenant.store.look(|reading| {
        let object = match user.map(|name| one_account(reading, name)).transpose()? {
            Some(Ok(account)) => Some(account.object),
            Some(Err(refused)) => return Ok(refused),
            None => None,
        };
        let mut rows = Vec::new();
        for open in tenant.provider.open_sessions(reading, object, MAX_ROWS, now)? {
            let session = open.session;
            let known = attributes::of(reading, session.object)?;
            rows.push(SessionRow {
                id: session.id,
                object: session.object,
                name: known.user_principal_name.or(known.sam_account_name),
                device: session.device,
                address: session.address,
                made_at: session.made_at,
                seen_at: session.seen_at,
                ends_at: session.ends_at,
                applications: open.applications,
            });
        }
        Ok(AdminResponse::Sessions(rows))
    })
}

/// Ends one session.
pub(super) fn end_one(actor: &Actor<'_>, session: Uuid) -> Result<AdminResponse, StoreError> {
    actor.tenant.store.write("session-end", |writing| {
        let Some(found) = web_sessions::named(writing, session)? else {
            return Ok(refusal("there is no such session", "see `landbridge-tenant sessions list`"));
        };
        provider::end_one(writing, &found, (&actor.name, Ending::Administrator), actor.now)?;
        Ok(AdminResponse::Done(format!("session {session} has ended, with all that was granted in it")))
    })
}

/// Ends all sessions of an account.
pub(super) fn end_of(actor: &Actor<'_>, user: &str) -> Result<AdminResponse, StoreError> {
    actor.tenant.store.write("sessions-end", |writing| {
        let object = match one_account(writing, user)? {
            Ok(account) => account.object,
            Err(refused) => return Ok(refused),
        };
        let by = (actor.name.as_str(), Ending::Administrator);
        let ended = end_all_of(writing, (object, None), by, actor.now)?;
        Ok(AdminResponse::Done(format!("{object}: {ended} sessions have ended")))
    })
}

/// Ends all sessions of all accounts. Without `consent` to their number nothing is done and the number is returned.
pub(super) fn end_all(actor: &Actor<'_>, consent: Option<u64>) -> Result<AdminResponse, StoreError> {
    actor.tenant.store.write("sessions-end", |writing| {
        let held = web_sessions::count(writing)?;
        if consent.is_none_or(|consent| consent < held) {
            let what = format!(
                "{held} sessions will end, with all refresh tokens: everybody types the password again."
            );
            return Ok(AdminResponse::Confirm { what, accounts: held });
        }
        let ended = web_sessions::end_all(writing, actor.now)?;
        actor.audit(writing, "sessions-ended", "all accounts", &format!("{ended} sessions"))?;
        Ok(AdminResponse::Done(format!("{ended} sessions have ended")))
    })
}
