//! The door: the handles that it holds.
//! Neighbours: [`super::connection`] serves each connection, `bind` signs in, `change_password` changes passwords, `search` searches.

use super::cookie::Cookies;
use super::response::{Operation, ResultCode};
use landbridge_tenant_core::applications::Applications;
use landbridge_tenant_core::directory::Directory;
use landbridge_tenant_core::passwords::Passwords;
use landbridge_tenant_core::sign_ins::SignIns;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// The settings of the door.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Limit on the entries of one answer, or of one page.
    pub entries: usize,
    /// Time after which a connection on which somebody is signed in is closed, if nothing is requested on it.
    pub idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { entries: 10_000, idle: Duration::from_secs(900) }
    }
}

/// Large searches of one application that run at a time. Each holds up to some 40 MiB.
const LARGE_SEARCHES: usize = 4;

/// The door.
#[derive(Debug)]
pub struct LdapDoor {
    pub(crate) sign_ins: SignIns,
    pub(crate) passwords: Passwords,
    pub(crate) applications: Applications,
    pub(crate) directory: Directory,
    pub(crate) settings: Settings,
    pub(crate) cookies: Cookies,
    /// One request at a time reads what has changed. The others wait here, and hold no thread: sign-ins need those.
    following: Mutex<()>,
    /// The places of large searches, by application.
    large: std::sync::Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    connections: AtomicU64,
}

/// The directory cannot be read from the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotRead;

impl LdapDoor {
    /// Creates the door. `key` authenticates its paging cookies.
    pub fn new(
        (sign_ins, passwords): (SignIns, Passwords),
        applications: Applications,
        directory: Directory,
        key: &[u8; 32],
        settings: Settings,
    ) -> Self {
        let cookies = Cookies::new(key);
        let (following, large, connections) =
            (Mutex::new(()), std::sync::Mutex::default(), AtomicU64::new(0));
        Self {
            sign_ins,
            passwords,
            applications,
            directory,
            settings,
            cookies,
            following,
            large,
            connections,
        }
    }

    /// Counts a request and its result.
    pub(crate) fn count(&self, operation: Operation, code: ResultCode) {
        self.applications.count_ldap(&format!("{operation:?}"), &format!("{code:?}"));
    }

    /// A number that no other connection has.
    pub(crate) fn number_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for a place for a large search of an application. It is free again when the permit is dropped.
    pub(crate) async fn large_search(&self, application: Uuid) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            large.entry(application).or_insert_with(|| Arc::new(Semaphore::new(LARGE_SEARCHES))).clone()
        };
        // The semaphore is never closed.
        places.acquire_owned().await.ok()
    }

    /// Brings the directory in memory to the state of the database.
    pub(crate) async fn follow(&self) -> Result<(), NotRead> {
        if self.directory.is_current() {
            return Ok(());
        }
        let _alone = self.following.lock().await;
        if self.directory.is_current() {
            return Ok(());
        }
        let directory = self.directory.clone();
        match tokio::task::spawn_blocking(move || directory.follow()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the directory cannot be read for LDAP");
                Err(NotRead)
            }
            Err(_) => Err(NotRead),
        }
    }
}
