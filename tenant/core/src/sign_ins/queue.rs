//! The queue for derivations. As many sign-ins verify at once as the processor computes side by side, and one at a
//! time for one account from known sources, and one from unknown ones: each has counters of its own. The rest waits in a bounded queue for a bounded time, first come, first served.
//! Neighbours: [`super::pass`] waits in it; [`super::verifiers`] has the threads.

use super::leavers::Leavers;
use crate::lock::lock;
use landbridge_tenant_rules::lockout::Standing;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many sign-ins of one account wait, from sources of one standing. A flood for one account leaves the queue to the
/// others, and one from unknown sources leaves the owner a place.
const WAITING_PER_ACCOUNT: usize = 16;

/// Whose sign-ins wait for each other: an account's, from sources of one standing.
pub(super) type Waiter = (Uuid, Standing);

pub(super) struct Queue {
    running_limit: usize,
    waiting_limit: usize,
    patience: Duration,
    state: Mutex<Waiting>,
    moved: Condvar,
}

#[derive(Default)]
struct Waiting {
    running: usize,
    /// The number of the next sign-in.
    next: u64,
    /// The account of each number that waits.
    waiting: BTreeMap<u64, Waiter>,
    /// Of each account that runs or waits: whether one runs, and how many wait.
    accounts: HashMap<Waiter, (bool, usize)>,
    /// Those that ran and have ended.
    leavers: Leavers<Waiter>,
}

/// The result of waiting.
pub(super) enum Entry<'a> {
    /// The sign-in may verify until this is dropped. True: what it has read is as good as if it were read now, since it did
    /// not wait, and none of its account ran in between.
    Go(QueuePlace<'a>, bool),
    /// The queue is full, or the wait was too long.
    Full,
}

pub(super) struct QueuePlace<'a> {
    queue: &'a Queue,
    account: Waiter,
}

impl Queue {
    pub(super) fn new(running_limit: usize, waiting_limit: usize, patience: Duration) -> Self {
        Self {
            running_limit: running_limit.max(1),
            waiting_limit,
            patience,
            state: Mutex::new(Waiting::default()),
            moved: Condvar::new(),
        }
    }

    /// Waits for a place. `read`: when the sign-in began to read its facts.
    pub(super) fn enter(&self, account: Waiter, read: Instant) -> Entry<'_> {
        let mut state = self.waiting_state();
        let number = state.next;
        state.next += 1;
        let waits = !state.may_go(number, account, self.running_limit);
        if waits {
            let ahead = state.accounts.get(&account).map_or(0, |(_, waiting)| *waiting);
            if state.waiting.len() >= self.waiting_limit || ahead >= WAITING_PER_ACCOUNT {
                return Entry::Full;
            }
            state.waiting.insert(number, account);
            state.accounts.entry(account).or_default().1 += 1;
            let until = Instant::now() + self.patience;
            let mut patient = true;
            while patient && !state.may_go(number, account, self.running_limit) {
                let left = until.saturating_duration_since(Instant::now());
                let (woken, _) = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                patient = !until.saturating_duration_since(Instant::now()).is_zero();
            }
            let goes = state.may_go(number, account, self.running_limit);
            state.waiting.remove(&number);
            if let Some((_, waiting)) = state.accounts.get_mut(&account) {
                *waiting = waiting.saturating_sub(1);
            }
            if !goes {
                state.tidy(account);
                // The next one may be the first now.
                self.moved.notify_all();
                return Entry::Full;
            }
        }
        state.running += 1;
        state.accounts.entry(account).or_default().0 = true;
        let is_fresh = !waits && !state.leavers.may_have_left(&account, read);
        Entry::Go(QueuePlace { queue: self, account }, is_fresh)
    }

    fn waiting_state(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.state)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let state = self.waiting_state();
        state.running == 0 && state.waiting.is_empty() && state.accounts.is_empty()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting_state().waiting.len()
    }
}

impl Waiting {
    /// Whether this number may run: the limit allows one more, none of its account runs, and none with a smaller
    /// number could run instead.
    fn may_go(&self, number: u64, account: Waiter, room: usize) -> bool {
        let runs = |account: &Waiter| self.accounts.get(account).is_some_and(|(runs, _)| *runs);
        let mut before = self.waiting.range(..number);
        self.running < room && !runs(&account) && before.all(|(_, other)| runs(other))
    }

    fn tidy(&mut self, account: Waiter) {
        if self.accounts.get(&account) == Some(&(false, 0)) {
            self.accounts.remove(&account);
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.waiting_state();
        state.running = state.running.saturating_sub(1);
        if let Some((runs, _)) = state.accounts.get_mut(&self.account) {
            *runs = false;
        }
        state.tidy(self.account);
        state.leavers.note(self.account);
        drop(state);
        self.queue.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use crate::sign_ins::queue::*;
    use std::sync::mpsc::channel;

    #[test]
    fn whoever_came_first_goes_first_and_an_account_that_runs_holds_up_nobody_else() {
        let queue = Queue::new(1, 16, Duration::from_secs(60));
        let account = |n| (Uuid::from_u128(n), Standing::Unknown);
        let Entry::Go(first, true) = queue.enter(account(0), Instant::now()) else {
            panic!("the queue is empty")
        };
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            for n in [1, 2, 0, 3] {
                let (queue, tell, before) = (&queue, tell.clone(), queue.waiting());
                scope.spawn(move || {
                    let Entry::Go(turn, false) = queue.enter(account(n), Instant::now()) else {
                        panic!("{n} was turned away, or did not wait")
                    };
                    let _ = tell.send(n);
                    drop(turn);
                });
                while queue.waiting() == before {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2, 0, 3]);
        assert!(queue.is_idle());
    }

    #[test]
    fn what_was_read_is_kept_if_none_of_the_account_ran_since() {
        let queue = Queue::new(2, 16, Duration::from_secs(60));
        let account = |n| (Uuid::from_u128(n), Standing::Unknown);
        let enter = |n, read| {
            let Entry::Go(place, is_fresh) = queue.enter(account(n), read) else {
                panic!("{n} was turned away")
            };
            drop(place);
            is_fresh
        };
        let read = Instant::now();
        assert!(enter(1, read));
        assert!(!enter(1, read), "it ran since");
        assert!(enter(2, read));
        std::thread::sleep(Duration::from_millis(1));
        assert!(enter(1, Instant::now()));
    }
}
