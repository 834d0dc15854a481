//! One sign-in of an account at a time while agents are asked, so that many at once get no more tries than the
//! lockout and AD's budget allow. A sign-in waits without a thread, for a bounded time, in a bounded queue. Known and
//! unknown sources have places of their own in it, so that a flood from outside leaves the owner a place.
//! Neighbours: [`super::queue`] does the same for derivations.

use super::leavers::Leavers;
use crate::lock::lock;
use landbridge_tenant_rules::lockout::Standing;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Limit on the sign-ins of one account that wait, from known sources and from unknown ones each. The one that has the
/// turn is included.
const WAITING: usize = 16;
/// Limit on the accounts with a turn at the same time.
const ACCOUNTS: usize = 4096;
/// The longest wait. An agent answers within 10 s; more sign-ins of one account than fit into 5 s are a flood.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Accounts>);

#[derive(Debug, Default)]
struct Accounts {
    /// Those that have a turn or wait for one.
    queues: HashMap<Uuid, AccountQueue>,
    /// Those whose turns have ended.
    leavers: Leavers<Uuid>,
}

/// The queue of one account.
#[derive(Debug)]
struct AccountQueue {
    turn: Arc<Semaphore>,
    known: usize,
    unknown: usize,
}

impl AccountQueue {
    fn waiting(&mut self, standing: Standing) -> &mut usize {
        match standing {
            Standing::Known => &mut self.known,
            Standing::Unknown => &mut self.unknown,
        }
    }
}

/// An account's turn, or a place in the queue for it. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    account: Uuid,
    standing: Standing,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// The account's turn; none: the queue is full, or the wait was too long.
    pub(super) async fn acquire(self: &Arc<Self>, account: Uuid, standing: Standing) -> Option<Turn> {
        let (queue, mut turn) = self.wait_place(account, standing)?;
        let permit = tokio::time::timeout(PATIENCE, queue.acquire_owned()).await.ok()?.ok()?;
        turn._permit = Some(permit);
        Some(turn)
    }

    /// The account's turn, if it is free at once. True: what the sign-in began to read at `read` is as good as if it were
    /// read now, since none of its account had the turn in between.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        account: Uuid,
        standing: Standing,
        read: Instant,
    ) -> Option<(Turn, bool)> {
        let (queue, mut turn) = self.wait_place(account, standing)?;
        turn._permit = Some(queue.try_acquire_owned().ok()?);
        let is_fresh = !self.lock().leavers.may_have_left(&account, read);
        Some((turn, is_fresh))
    }

    fn wait_place(self: &Arc<Self>, account: Uuid, standing: Standing) -> Option<(Arc<Semaphore>, Turn)> {
        let held = &mut self.lock().queues;
        if held.len() >= ACCOUNTS && !held.contains_key(&account) {
            return None;
        }
        let empty = || AccountQueue { turn: Arc::new(Semaphore::new(1)), known: 0, unknown: 0 };
        let queue = held.entry(account).or_insert_with(empty);
        if *queue.waiting(standing) >= WAITING {
            return None;
        }
        *queue.waiting(standing) += 1;
        Some((queue.turn.clone(), Turn { turns: self.clone(), account, standing, _permit: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.0)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().queues.is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut accounts = self.turns.lock();
        if self._permit.is_some() {
            accounts.leavers.note(self.account);
        }
        let held = &mut accounts.queues;
        if let Some(queue) = held.get_mut(&self.account) {
            let waiting = queue.waiting(self.standing);
            *waiting = waiting.saturating_sub(1);
            if queue.known == 0 && queue.unknown == 0 {
                held.remove(&self.account);
            }
        }
    }
}
