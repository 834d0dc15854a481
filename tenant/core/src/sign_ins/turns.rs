//! One sign-in of an account at a time, while agents are asked: many at once get no more tries than the lockout
//! allows. Waits without a thread, for a bounded time, in a bounded line.
//! Beside it: [`super::gate`], which does the like for derivations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// So many wait for one account, the one whose turn it is included.
const LINE: usize = 16;
/// So many accounts at a time.
const ACCOUNTS: usize = 4096;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Uuid, (Arc<Semaphore>, usize)>>);

/// An account's turn, or a place in the line for it; given up when dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    account: Uuid,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// The account's turn; none: the line is full, or was too slow.
    pub(super) async fn take(self: &Arc<Self>, account: Uuid) -> Option<Turn> {
        let (line, mut turn) = self.place(account)?;
        let permit = tokio::time::timeout(PATIENCE, line.acquire_owned()).await.ok()?.ok()?;
        turn._permit = Some(permit);
        Some(turn)
    }

    /// The account's turn, if nobody else has it or waits for it.
    pub(super) fn take_at_once(self: &Arc<Self>, account: Uuid) -> Option<Turn> {
        let (line, mut turn) = self.place(account)?;
        turn._permit = Some(line.try_acquire_owned().ok()?);
        Some(turn)
    }

    fn place(self: &Arc<Self>, account: Uuid) -> Option<(Arc<Semaphore>, Turn)> {
        let mut held = self.held();
        if held.len() >= ACCOUNTS && !held.contains_key(&account) {
            return None;
        }
        let (line, waiting) = held.entry(account).or_insert_with(|| (Arc::new(Semaphore::new(1)), 0));
        if *waiting >= LINE {
            return None;
        }
        *waiting += 1;
        Some((line.clone(), Turn { turns: self.clone(), account, _permit: None }))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, (Arc<Semaphore>, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.held().is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut held = self.turns.held();
        if let Some((_, waiting)) = held.get_mut(&self.account) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                held.remove(&self.account);
            }
        }
    }
}
