//! Administration: what can be requested, and what is done. Every change and its audit entry are one transaction.
//! Neighbours: the operator's door carries requests and answers over the local socket.

mod act;
mod domain;
mod group_policy;
mod people;
pub mod request;
mod trial;

use crate::agents::Parts;
use crate::applications::Rates;
use crate::directory::Directory;
use crate::numbers::Numbers;
use crate::sign_ins::SignIns;
use landbridge_tenant_store::tables::{canaries, domains};
use landbridge_tenant_store::{Store, StoreError};
use std::sync::Arc;

/// The handle for administrators.
#[derive(Clone)]
pub struct Administration(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) agents: Arc<Parts>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) directory: Directory,
    pub(crate) sign_ins: SignIns,
    pub(crate) numbers: Arc<Numbers>,
    /// How agents reach the tenant: a part of every token.
    pub(crate) url: String,
}

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
    pub fn act(&self, uid: u32, request: request::AdminRequest, now: i64) -> request::AdminResponse {
        act::act(&self.0, uid, request, now)
    }

    /// Sets the accounts that agents are tried with, as the database has them.
    pub fn set_canaries(&self) -> Result<(), StoreError> {
        self.0.set_canaries()
    }
}

impl Inner {
    pub(crate) fn set_canaries(&self) -> Result<(), StoreError> {
        for domain in self.store.read(domains::all)? {
            let objects = self.store.read(|reading| canaries::of(reading, domain.id))?;
            self.agents.relay.set_canaries(domain.id, objects);
        }
        Ok(())
    }
}
