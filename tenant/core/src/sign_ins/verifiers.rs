//! Verifies passwords on threads of its own, one for each core. Each thread computes as many derivations side by side
//! as the processor is fastest with. A job that arrives while others are computed joins them within a few
//! milliseconds; no job waits for others to arrive.
//! Neighbours: [`super::queue`] bounds the jobs; [`landbridge_crypto::lanes`] computes.

use super::attempt::Unready;
use crate::lock::lock;
use landbridge_crypto::lanes;
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_crypto::secret::Password;
use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tracing::error;

pub(super) struct Verifiers {
    work: Arc<Work>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Work {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// First come, first served. The queue before it bounds its length.
    waiting: VecDeque<Job>,
    /// Number of threads without a job.
    idle: usize,
    over: bool,
}

struct Job {
    digest: Arc<SaltedDigest>,
    password: Password,
    answer: SyncSender<bool>,
}

impl Verifiers {
    pub(super) fn new(threads: usize) -> Result<Self, Unready> {
        let mut verifiers = Self { work: Arc::default(), threads: Vec::new() };
        for _ in 0..threads.max(1) {
            let work = verifiers.work.clone();
            let thread = std::thread::Builder::new().name("verify".to_owned()).spawn(move || work.run());
            verifiers.threads.push(thread.map_err(|_| Unready::NoThreads)?);
        }
        Ok(verifiers)
    }

    /// Whether it is the password. Waits for the answer.
    pub(super) fn fits(&self, digest: Arc<SaltedDigest>, password: &Password) -> bool {
        let password = password.lend(|text| Password::new(text.to_owned()));
        let (answer, answered) = sync_channel(1);
        self.work.state().waiting.push_back(Job { digest, password, answer });
        self.work.moved.notify_one();
        answered.recv().unwrap_or_else(|_| {
            error!("a thread that verifies passwords has failed: nobody signs in by it");
            false
        })
    }
}

impl Drop for Verifiers {
    fn drop(&mut self) {
        self.work.state().over = true;
        self.work.moved.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&self) {
        while !self.state().over {
            lanes::verify(
                |under_way| self.next(under_way),
                |answer: SyncSender<bool>, fits| {
                    let _ = answer.send(fits);
                },
            );
        }
    }

    /// The next job. A thread that computes already does not wait, and leaves the job to an idle thread.
    fn next(&self, under_way: usize) -> Option<(Arc<SaltedDigest>, Password, SyncSender<bool>)> {
        let mut state = self.state();
        loop {
            if state.over || (under_way > 0 && state.idle > 0) {
                return None;
            }
            if let Some(Job { digest, password, answer }) = state.waiting.pop_front() {
                return Some((digest, password, answer));
            }
            if under_way > 0 {
                return None;
            }
            state.idle += 1;
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::sign_ins::verifiers::*;
    use landbridge_tenant_fixture::{digest, password};

    #[test]
    fn each_is_answered_for_its_own_password_however_many_ask_at_once() {
        let verifiers = Verifiers::new(2).unwrap();
        let digests: Vec<_> = (0..24).map(|n| Arc::new(digest(&n.to_string()))).collect();
        std::thread::scope(|scope| {
            for (n, digest) in digests.iter().enumerate() {
                for with in [n, n + 1] {
                    let verifiers = &verifiers;
                    scope.spawn(move || {
                        assert_eq!(verifiers.fits(digest.clone(), &password(&with.to_string())), n == with);
                    });
                }
            }
        });
        assert!(verifiers.work.state().waiting.is_empty());
    }

    #[test]
    fn they_end_when_nobody_needs_them_and_leave_nobody_without_an_answer() {
        let verifiers = Verifiers::new(1).unwrap();
        assert!(verifiers.fits(Arc::new(digest("one")), &password("one")));
        let work = verifiers.work.clone();
        drop(verifiers);
        assert!(work.state().over);
        assert_eq!(Arc::strong_count(&work), 1, "a thread goes on");
    }
}
