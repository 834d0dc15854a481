//! Lets as many derivations run at once as there are cores, and one at a time for one account. The rest waits in a
//! bounded line for a bounded time.
//! What it does not do: order the line. Neighbours: [`super::Signin::decide`] stands in it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many sign-ins of one account wait; a flood for one account leaves the line to the others.
const WAITING_PER_ACCOUNT: usize = 16;

pub(super) struct Gate {
    room: usize,
    queue: usize,
    patience: Duration,
    state: Mutex<Line>,
    moved: Condvar,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: usize,
    /// Of each account that runs or waits: whether it runs, and how many wait.
    accounts: HashMap<Uuid, (bool, usize)>,
}

/// Whether one may go.
pub(super) enum Entry<'a> {
    /// Until this is dropped.
    Go(Turn<'a>),
    /// Line or patience at an end.
    Full,
}

pub(super) struct Turn<'a> {
    gate: &'a Gate,
    account: Uuid,
}

impl Gate {
    pub(super) fn new(room: usize, queue: usize, patience: Duration) -> Self {
        Self { room: room.max(1), queue, patience, state: Mutex::new(Line::default()), moved: Condvar::new() }
    }

    pub(super) fn enter(&self, account: Uuid) -> Entry<'_> {
        let mut line = self.line();
        if !line.may_go(account, self.room) {
            let ahead = line.accounts.get(&account).map_or(0, |(_, waiting)| *waiting);
            if line.waiting >= self.queue || ahead >= WAITING_PER_ACCOUNT {
                return Entry::Full;
            }
            line.waiting += 1;
            line.accounts.entry(account).or_default().1 += 1;
            let until = Instant::now() + self.patience;
            let mut patient = true;
            while patient && !line.may_go(account, self.room) {
                let left = until.saturating_duration_since(Instant::now());
                let (woken, _) = self.moved.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner);
                line = woken;
                patient = !until.saturating_duration_since(Instant::now()).is_zero();
            }
            line.waiting = line.waiting.saturating_sub(1);
            if let Some((_, waiting)) = line.accounts.get_mut(&account) {
                *waiting = waiting.saturating_sub(1);
            }
            if !line.may_go(account, self.room) {
                line.tidy(account);
                return Entry::Full;
            }
        }
        line.running += 1;
        line.accounts.entry(account).or_default().0 = true;
        Entry::Go(Turn { gate: self, account })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let line = self.line();
        line.running == 0 && line.waiting == 0 && line.accounts.is_empty()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.line().waiting
    }
}

impl Line {
    fn may_go(&self, account: Uuid, room: usize) -> bool {
        self.running < room && !self.accounts.get(&account).is_some_and(|(runs, _)| *runs)
    }

    fn tidy(&mut self, account: Uuid) {
        if self.accounts.get(&account) == Some(&(false, 0)) {
            self.accounts.remove(&account);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.gate.line();
        line.running = line.running.saturating_sub(1);
        if let Some((runs, _)) = line.accounts.get_mut(&self.account) {
            *runs = false;
        }
        line.tidy(self.account);
        drop(line);
        self.gate.moved.notify_all();
    }
}
