//! The directory as people ask for it: accounts, groups, and names that more than one account holds.
//! Neighbours: [`crate::ingest`] fills it; [`crate::administration`] shows it.

pub mod describe;
pub mod groups;
pub mod named;

pub use describe::Description;
use groups::{GroupDescribed, GroupRow};
use landbridge_tenant_store::{Store, StoreError};
use std::sync::Arc;

/// The handle on the directory: it reads, on a connection of its own, so that no sign-in waits for a person's question.
#[derive(Debug, Clone)]
pub struct Directory {
    store: Arc<Store>,
}

impl Directory {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// What is known about a name, at `now` in seconds since 1970.
    pub fn describe(&self, name: &str, now: i64) -> Result<Description, StoreError> {
        describe::describe(&self.store, name, now)
    }

    /// The groups of every domain, at most `limit`.
    pub fn groups(&self, limit: u32) -> Result<Vec<GroupRow>, StoreError> {
        self.store.look(|reading| groups::list(reading, limit))
    }

    /// What is known of the groups with that name.
    pub fn group(&self, name: &str) -> Result<Vec<GroupDescribed>, StoreError> {
        self.store.look(|reading| groups::describe(reading, name))
    }
}

#[cfg(test)]
mod tests;
