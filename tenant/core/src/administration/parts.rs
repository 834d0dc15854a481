//! What administration works on: the parts of the tenant that an administrator may change or read.
//! Neighbours: every file of this folder acts on it.

use crate::agents::Parts;
use crate::applications::Rates;
use crate::directory::Directory;
use crate::numbers::Numbers;
use crate::provider::Provider;
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
    pub(crate) provider: Provider,
    pub(crate) numbers: Arc<Numbers>,
    /// The URL that agents connect to. Every token contains it.
    pub(crate) url: String,
}

impl Inner {
    /// Gives the relay the canaries of each domain, from the database.
    pub(crate) fn set_canaries(&self) -> Result<(), StoreError> {
        for domain in self.store.read(domains::all)? {
            let accounts = self.store.read(|reading| canaries::principals(reading, &domain))?;
            self.agents.relay.set_canaries(domain.id, accounts);
        }
        Ok(())
    }
}
