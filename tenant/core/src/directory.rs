//! Reads the directory for a person: accounts, groups, and names that more than one account holds.
//! Neighbours: [`crate::ingest`] writes it; [`crate::administration`] returns it to administrators.

pub mod describe;
pub mod groups;
pub mod image;
pub mod named;

use crate::lock::lock;
pub use describe::Description;
use groups::{GroupDescribed, GroupRow};
use image::{Changes, Image};
pub use landbridge_tenant_rules::model::{LdapAccess, LdapMemberOf, LdapTree, LdapView};
use landbridge_tenant_store::tables::attributes;
use landbridge_tenant_store::tables::changed_objects::PHOTO;
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::described::DescribedName;
pub use landbridge_wire::upload::Kind;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The handle on the directory. It reads on a separate database connection, so a long answer delays no sign-in.
#[derive(Debug, Clone)]
pub struct Directory {
    store: Arc<Store>,
    memory: Arc<InMemory>,
}

/// The directory in memory, once a door has needed it.
#[derive(Debug)]
struct InMemory {
    image: RwLock<Option<Image>>,
    /// The number of the last change that the image has; below 0: there is none.
    last_change: AtomicI64,
    /// One reads from the database at a time.
    following: Mutex<()>,
}

impl Directory {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        let memory = InMemory {
            image: RwLock::default(),
            last_change: AtomicI64::new(-1),
            following: Mutex::default(),
        };
        Self { store, memory: Arc::new(memory) }
    }

    /// Whether the directory in memory has all that was committed. If not, [`Self::follow`] is due.
    pub fn is_current(&self) -> bool {
        self.memory.last_change.load(Ordering::Acquire) >= self.store.last_change()
    }

    /// Loads the directory into memory, or reads what has changed since. Blocks: at first for seconds.
    pub fn follow(&self) -> Result<(), StoreError> {
        let _alone = lock(&self.memory.following);
        if self.is_current() {
            return Ok(());
        }
        // 1. What has changed, step by step. Searches wait while a step is applied, and not while it is read.
        let held = || self.memory.image.write().unwrap_or_else(PoisonError::into_inner);
        let mut place = self.image(Image::place);
        while let Some(after) = place {
            let read = Changes::read(&self.store, after)?;
            let is_last = read.is_last();
            let mut held = held();
            let Some(image) = held.as_mut() else { break };
            if !image.apply(read) {
                break;
            }
            if is_last {
                self.memory.last_change.store(image.last_change(), Ordering::Release);
                return Ok(());
            }
            place = Some(image.place());
        }
        // 2. All of it, if there is no other way. Searches find the state of before meanwhile.
        let image = Image::load(&self.store)?;
        let last_change = image.last_change();
        *held() = Some(image);
        self.memory.last_change.store(last_change, Ordering::Release);
        Ok(())
    }

    /// Reads the directory in memory. Not for long: changes wait meanwhile. None: it was never loaded.
    pub fn image<T>(&self, read: impl FnOnce(&Image) -> T) -> Option<T> {
        self.memory.image.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    /// The photo of an object, which the directory in memory does not hold; none: it has none, or the database fails.
    pub fn photo(&self, object: uuid::Uuid) -> Option<Vec<u8>> {
        let name = DescribedName::named(PHOTO)?;
        self.store.look(|reading| attributes::octets(reading, object, name)).ok().flatten()
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
