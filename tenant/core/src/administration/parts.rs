//! What administration works on: the parts of the tenant that an administrator may change or read.
//! Neighbours: every file of this folder acts on it.

use crate::agents::Parts;
use crate::applications::Rates;
use crate::directory::Directory;
use crate::numbers::Numbers;
use crate::sign_ins::SignIns;
use landbridge_tenant_store::tables::{canaries, domains};
use landbridge_tenant_store::{Store, StoreError};
use std::sync::Arc;

/// The parts.
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

impl Inner {
    /// Gives the relay the accounts that agents are tried with, as the database has them.
    pub(crate) fn set_canaries(&self) -> Result<(), StoreError> {
        for domain in self.store.read(domains::all)? {
            let objects = self.store.read(|reading| canaries::of(reading, domain.id))?;
            self.agents.relay.canaries(domain.id, objects);
        }
        Ok(())
    }
}
