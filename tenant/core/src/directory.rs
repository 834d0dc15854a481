//! Reads the directory for a person: accounts, groups, and names that more than one account holds.
//! Neighbours: [`crate::ingest`] writes it; [`crate::administration`] returns it to administrators.

pub mod describe;
pub mod groups;
pub mod named;

pub use describe::Description;
use groups::{GroupDescribed, GroupRow};
use landbridge_tenant_store::{Store, StoreError};
use std::sync::Arc;

/// The handle on the directory. It reads on a separate database connection, so a long answer delays no sign-in.
#[derive(Debug, Clone)]
pub struct Directory {
    store: Arc<Store>,
}

impl Directory {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The accounts with that name and their state at `now`, in seconds since 1970.
    pub fn describe(&self, name: &str, now: i64) -> Result<Description, StoreError> {
        describe::describe(&self.store, name, now)
    }

    /// The present groups of every domain, at most `limit`.
    pub fn groups(&self, limit: u32) -> Result<Vec<GroupRow>, StoreError> {
        self.store.look(|reading| groups::list(reading, limit))
    }

    /// The groups with that name and their members.
    pub fn group(&self, name: &str) -> Result<Vec<GroupDescribed>, StoreError> {
        self.store.look(|reading| groups::describe(reading, name))
    }
}

#[cfg(test)]
mod tests;
