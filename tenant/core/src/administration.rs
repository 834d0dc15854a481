//! The requests of administrators. Every change and its audit entry are one transaction.
//! Before it: the operator's door, which reads requests from the administration socket. After it: the store.

mod act;
mod domain;
mod group_policy;
mod group_policy_lines;
mod parts;
mod people;
pub mod request;
mod trial;

pub(crate) use parts::Inner;

use landbridge_tenant_store::StoreError;
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

    /// Carries out one request. `uid` is the user id of the requesting process, `now` is in seconds since 1970. Blocks.
    pub fn act(&self, uid: u32, request: request::AdminRequest, now: i64) -> request::AdminResponse {
        act::act(&self.0, uid, request, now)
    }

    /// Sends the canaries that the database lists to the relay, for every domain. Blocks.
    pub fn set_canaries(&self) -> Result<(), StoreError> {
        self.0.set_canaries()
    }
}
