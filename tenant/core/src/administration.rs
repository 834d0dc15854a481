//! Administration: what can be requested, and what is done. Every change and its audit entry are one transaction.
//! Neighbours: the operator's door carries requests and answers over the local socket.

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

    /// Does what an administrator requested. `uid` is who it was, `now` is in seconds since 1970. Blocks.
    pub fn act(&self, uid: u32, request: request::Ask, now: i64) -> request::Answer {
        act::act(&self.0, uid, request, now)
    }

    /// Sets the accounts that agents are tried with, as the database has them.
    pub fn set_canaries(&self) -> Result<(), StoreError> {
        self.0.set_canaries()
    }
}
