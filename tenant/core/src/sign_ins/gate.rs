//! Lets as many sign-ins verify at once as the processor takes side by side, and one at a time for one account. The rest
//! waits in a bounded line for a bounded time, and goes in the order in which it came.
//! Neighbours: [`super::Signin::decide`] stands in it; [`super::verifiers`] has the threads.

use std::collections::{BTreeMap, HashMap};
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
    /// The number that the next one to wait gets.
    next: u64,
    /// Whose turn each number is.
    waiting: BTreeMap<u64, Uuid>,
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
        let number = line.next;
        line.next += 1;
        if !line.may_go(number, account, self.room) {
            let ahead = line.accounts.get(&account).map_or(0, |(_, waiting)| *waiting);
            if line.waiting.len() >= self.queue || ahead >= WAITING_PER_ACCOUNT {
                return Entry::Full;
            }
            line.waiting.insert(number, account);
            line.accounts.entry(account).or_default().1 += 1;
            let until = Instant::now() + self.patience;
            let mut patient = true;
            while patient && !line.may_go(number, account, self.room) {
                let left = until.saturating_duration_since(Instant::now());
                let (woken, _) = self.moved.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner);
                line = woken;
                patient = !until.saturating_duration_since(Instant::now()).is_zero();
            }
            let goes = line.may_go(number, account, self.room);
            line.waiting.remove(&number);
            if let Some((_, waiting)) = line.accounts.get_mut(&account) {
                *waiting = waiting.saturating_sub(1);
            }
            if !goes {
                line.tidy(account);
                // Whoever stood behind may be the first now.
                self.moved.notify_all();
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
        line.running == 0 && line.waiting.is_empty() && line.accounts.is_empty()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }
}

impl Line {
    /// There is room, none of the account runs, and nobody who came before could go instead.
    fn may_go(&self, number: u64, account: Uuid, room: usize) -> bool {
        let runs = |account: &Uuid| self.accounts.get(account).is_some_and(|(runs, _)| *runs);
        let mut before = self.waiting.range(..number);
        self.running < room && !runs(&account) && before.all(|(_, other)| runs(other))
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

#[cfg(test)]
mod tests {
    use crate::sign_ins::gate::*;
    use std::sync::mpsc::channel;

    #[test]
    fn whoever_came_first_goes_first_and_an_account_that_runs_holds_up_nobody_else() {
        let gate = Gate::new(1, 16, Duration::from_secs(60));
        let account = |n| Uuid::from_u128(n);
        let Entry::Go(first) = gate.enter(account(0)) else { panic!("the gate is empty") };
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            for n in [1, 2, 0, 3] {
                let (gate, tell, before) = (&gate, tell.clone(), gate.waiting());
                scope.spawn(move || {
                    let Entry::Go(turn) = gate.enter(account(n)) else { panic!("{n} was turned away") };
                    let _ = tell.send(n);
                    drop(turn);
                });
                while gate.waiting() == before {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2, 0, 3]);
        assert!(gate.is_idle());
    }
}
