//! The requests of administrators. Every change and its audit entry are one transaction.
//! Before it: the operator's door, which reads requests from the administration socket. After it: the store.

mod act;
mod app_explained;
mod app_ldap;
mod app_oidc;
mod app_settings;
mod apps;
mod client_keys;
mod domain;
mod group_policy;
mod group_policy_lines;
mod group_settings;
mod move_objects;
mod oidc_settings;
pub mod operator;
mod parts;
mod people;
mod remove_domain;
pub mod request;
mod signing_keys;
mod suffixes;
mod trial;
mod web_sessions;

pub(crate) use parts::Inner;

use crate::events::{Event, Origin};
use landbridge_tenant_store::StoreError;
use operator::Operator;
use std::sync::Arc;

/// The handle for administrators.
#[derive(Clone)]
pub struct Administration(Arc<Inner>);

impl std::fmt::Debug for Administration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Administration").finish_non_exhaustive()
    }
}

impl Administration {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Carries out one request. `now` is in seconds since 1970. Blocks.
    pub fn act(
        &self,
        operator: &Operator,
        request: request::AdminRequest,
        now: i64,
    ) -> request::AdminResponse {
        act::act(&self.0, operator, request, now)
    }

    /// Writes into the audit log that a user who may not administer the tenant sent a request.
    pub fn note_refused(&self, operator: &Operator, now: i64) {
        let origin = Origin::Operator(&operator.to_string());
        self.0.agents.events.note(Event::SocketRefused, origin, "", "", now);
    }

    /// Writes into the audit log how many events the limits of past hours left out. `now` is in seconds since 1970.
    pub fn close_event_hours(&self, now: i64) {
        self.0.agents.events.close_hours(now);
    }

    /// Sends the canaries that the database lists to the relay, for every domain. Blocks.
    pub fn set_canaries(&self) -> Result<(), StoreError> {
        self.0.set_canaries()
    }
}
