//! One sign-in of an account at a time while agents are asked, so that many at once get no more tries than the
//! lockout allows. A sign-in waits without a thread, for a bounded time, in a bounded queue.
//! Neighbours: [`super::queue`] does the same for derivations.

use crate::lock::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Limit on the sign-ins of one account that wait, the one that has the turn included.
const WAITING: usize = 16;
/// Limit on the accounts with a turn at the same time.
const ACCOUNTS: usize = 4096;
/// The longest wait. An agent answers within 10 s; more sign-ins of one account than fit into 5 s are a flood.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Uuid, (Arc<Semaphore>, usize)>>);

/// An account's turn, or a place in the queue for it. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    account: Uuid,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// The account's turn; none: the queue is full, or the wait was too long.
    pub(super) async fn acquire(self: &Arc<Self>, account: Uuid) -> Option<Turn> {
        let (queue, mut turn) = self.wait_place(account)?;
        let permit = tokio::time::timeout(PATIENCE, queue.acquire_owned()).await.ok()?.ok()?;
        turn._permit = Some(permit);
        Some(turn)
    }

    /// The account's turn, if it is free at once.
    pub(super) fn try_acquire(self: &Arc<Self>, account: Uuid) -> Option<Turn> {
        let (queue, mut turn) = self.wait_place(account)?;
        turn._permit = Some(queue.try_acquire_owned().ok()?);
        Some(turn)
    }

    fn wait_place(self: &Arc<Self>, account: Uuid) -> Option<(Arc<Semaphore>, Turn)> {
        let mut held = self.lock();
        if held.len() >= ACCOUNTS && !held.contains_key(&account) {
            return None;
        }
        let (queue, waiting) = held.entry(account).or_insert_with(|| (Arc::new(Semaphore::new(1)), 0));
        if *waiting >= WAITING {
            return None;
        }
        *waiting += 1;
        Some((queue.clone(), Turn { turns: self.clone(), account, _permit: None }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (Arc<Semaphore>, usize)>> {
        lock(&self.0)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut held = self.turns.lock();
        if let Some((_, waiting)) = held.get_mut(&self.account) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                held.remove(&self.account);
            }
        }
    }
}
