//! Notices of ended sessions for the applications that have a URI for them (OpenID Connect Back-Channel Logout 1.0).
//!
//! The transaction that ends a session writes its notices. They are claimed for a while, sent, and deleted when the
//! application has confirmed or [`LIFE`] seconds are over; so a process that stops loses none.
//! Neighbours: the OpenID Connect door sends them.

use super::{Client, Provider};
use crate::issuer::NotSigned;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::audit;
pub use landbridge_tenant_store::tables::logout_notices::LIFE;
use landbridge_tenant_store::tables::logout_notices::{self, LogoutNotice};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// `typ` of a logout token.
pub const LOGOUT_TOKEN: &str = "logout+jwt";
/// The event that a logout token states.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Seconds for which a logout token is good.
const TOKEN_LIFE: i64 = 120;
/// Seconds for which a notice that is being sent is not claimed again. Sending takes less.
const CLAIM: i64 = 30;
/// Greatest number of seconds between two tries.
const LONGEST_WAIT: i64 = 120;
/// Limit on the notices that a sweep gives up in one transaction.
const GIVEN_UP: u32 = 1000;

/// A notice that is to be sent now.
#[derive(Debug, Clone)]
pub struct DueNotice {
    pub(super) notice: LogoutNotice,
    client: Arc<Client>,
}

impl DueNotice {
    /// The application.
    pub fn app(&self) -> Uuid {
        self.client.app.id
    }

    /// Where it is sent to; none: the application has taken its URI back.
    pub fn uri(&self) -> Option<&url::Url> {
        self.client.oidc.back_channel.as_ref().map(|uri| uri.url())
    }
}

impl Provider {
    /// Claims notices that are due: `room` of them at most, and of each application as many as `free` says. Blocks.
    pub fn due_notices(
        &self,
        room: usize,
        free: impl Fn(Uuid) -> usize,
        now: i64,
    ) -> Result<Vec<DueNotice>, StoreError> {
        let clients = self.store.read(|reading| {
            let mut clients = Vec::new();
            for app in logout_notices::clients_due(reading, now)? {
                if clients.len() < room && free(app) > 0 {
                    clients.extend(self.clients.with_id(reading, app)?);
                }
            }
            Ok::<_, StoreError>(clients)
        })?;
        let mut due = Vec::new();
        for client in clients {
            let (app, until) = (client.app.id, now.saturating_add(CLAIM));
            let most = free(app).min(room.saturating_sub(due.len()));
            if most == 0 {
                continue;
            }
            let claimed = self.store.write_short("logout-notices-claim", |writing| {
                logout_notices::claim(writing, app, most, (now, until))
            })?;
            due.extend(claimed.into_iter().map(|notice| DueNotice { notice, client: client.clone() }));
        }
        Ok(due)
    }

    /// The logout token of a notice, from this issuer (OpenID Connect Back-Channel Logout 1.0, 2.4).
    pub fn logout_token(&self, due: &DueNotice, issuer: &str, now: i64) -> Result<String, NotSigned> {
        let DueNotice { notice, client } = due;
        let claims = json!({
            "iss": issuer,
            "aud": client.app.name,
            "sub": self.subject(client, notice.object),
            "sid": self.session_name(client, notice.session),
            "iat": now,
            "exp": now.saturating_add(TOKEN_LIFE),
            "jti": Uuid::new_v4(),
            "events": { EVENT: {} },
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        self.issuer.sign(client.oidc.algorithm, LOGOUT_TOKEN, &claims)
    }

    /// Writes down how sending ended: the status of a confirmation, or why there is none. Blocks.
    pub fn note_sending(
        &self,
        due: &DueNotice,
        sent: &Result<u16, String>,
        now: i64,
    ) -> Result<(), StoreError> {
        let DueNotice { notice, client } = due;
        let next_at = now.saturating_add(wait_after(notice.tries));
        let is_over = next_at >= notice.made_at.saturating_add(LIFE);
        let (count, app) = (notice.tries, &client.app.name);
        self.store.write_short("logout-notice-sent", |writing| match sent {
            Ok(status) => {
                let detail = format!("app {app} confirmed with {status}, try {count}");
                conclude(writing, notice, "logout-notified", &detail, now)
            }
            Err(why) if is_over => {
                let detail = format!("app {app} did not confirm, try {count} was the last one: {why}");
                conclude(writing, notice, "logout-not-notified", &detail, now)
            }
            Err(why) => {
                let detail = format!("app {app} did not confirm, try {count}: {why}");
                note(writing, notice, "logout-not-confirmed", &detail, now)?;
                logout_notices::try_again(writing, notice, next_at)
            }
        })?;
        // Counted when it is written down.
        let outcome = match sent {
            Ok(_) => "delivered",
            Err(_) if is_over => "given-up",
            Err(_) => "failed",
        };
        self.issuer
            .numbers()
            .metrics
            .logout_notices
            .get_or_create(&vec![("outcome", outcome.to_owned())])
            .inc();
        Ok(())
    }

    /// Gives up the notices whose time is over: their application was revoked or has taken its URI back, or no process
    /// that sends them ran.
    pub(super) fn give_up_notices(&self, now: i64) -> Result<(), StoreError> {
        loop {
            let given_up = self.store.write("logout-notices-expire", |writing| {
                let before = now.saturating_sub(LIFE);
                let expired = logout_notices::expire(writing, before, GIVEN_UP)?;
                for notice in &expired {
                    let detail =
                        format!("app {}: not sent within {LIFE} s, {} tries", notice.app, notice.tries);
                    note(writing, notice, "logout-not-notified", &detail, now)?;
                }
                Ok(expired.len())
            })?;
            if given_up == 0 {
                return Ok(());
            }
        }
    }
}

/// Seconds between a try and the next one.
fn wait_after(tries: u32) -> i64 {
    1_i64.checked_shl(tries.min(16)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// Deletes a notice and writes its end into the audit log, unless another process has done so.
fn conclude(
    writing: &Writing<'_>,
    notice: &LogoutNotice,
    action: &str,
    detail: &str,
    now: i64,
) -> Result<(), StoreError> {
    if logout_notices::delete(writing, notice)? { note(writing, notice, action, detail, now) } else { Ok(()) }
}

fn note(
    writing: &Writing<'_>,
    notice: &LogoutNotice,
    action: &str,
    detail: &str,
    now: i64,
) -> Result<(), StoreError> {
    let detail = format!("session {}: {detail}", notice.session);
    audit::append(writing, now, "tenant", action, &notice.object.to_string(), &detail)
}
