//! The only file of phs that sees an NT hash. It is opened and consumed into a salted digest in one step, on all cores
//! or on half of them.
//! The threads last as long as the cycle and go from one portion to the next without waiting; meanwhile the portion
//! before is sent.
//! Before it on the road: `qualify`. After it: `send`.

use crate::error::PhsError;
use crate::progress::Witness;
use crate::qualify::Sealed;
use crate::stop::Stop;
use landbridge_crypto::drs_secret::DrsSecretError;
use landbridge_crypto::lanes;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_drsr::drs::change::Stamp;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;
use uuid::Uuid;

/// A password that the tenant lacks.
#[derive(Debug)]
pub struct Work {
    /// objectGUID.
    pub object: Uuid,
    /// The account's RID, which is part of the inner layer's key.
    pub rid: u32,
    /// The sealed password.
    pub sealed: Sealed,
}

/// A digest, or why there is none.
#[derive(Debug)]
pub struct Derived {
    /// objectGUID.
    pub object: Uuid,
    /// When and where the password was set.
    pub stamp: Stamp,
    /// The digest; an error sends the object to quarantine.
    pub digest: Result<SaltedDigest, DrsSecretError>,
}

/// Interval at which the request to stop, and the end of a thread, are checked while waiting.
const LISTEN: Duration = Duration::from_millis(100);

/// Derives portions one after the other. The caller limits how many wait. The threads end when this is dropped.
pub struct Derivers<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    /// Limit on the threads.
    cores: usize,
    shared: Arc<Shared<'env>>,
    /// The only sending end of the queue: once it is dropped, the threads find the queue closed and end.
    work: Option<Sender<(usize, Work)>>,
    done: Sender<Done>,
    all_done: Receiver<Done>,
    threads: Vec<ScopedJoinHandle<'scope, ()>>,
    /// For each portion that was not returned yet: its size, and what is done of it.
    portions: VecDeque<(usize, Vec<Derived>)>,
    /// Portions returned so far: the number of the first in `portions`.
    returned: usize,
}

/// The number of a portion, and one result of it.
type Done = (usize, Derived);

struct Shared<'env> {
    profile: Profile,
    stop: &'env Stop,
    witness: &'env dyn Witness,
    queue: Mutex<Receiver<(usize, Work)>>,
    /// Passwords that wait or are being derived.
    left: AtomicUsize,
    /// What is left is not needed: threads stop.
    over: AtomicBool,
}

impl std::fmt::Debug for Derivers<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Derivers").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl<'scope, 'env> Derivers<'scope, 'env> {
    /// Starts without threads; they are started with the work, on all cores or, with `half`, on half of them. `witness`
    /// is called for every derivation.
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        profile: Profile,
        half: bool,
        stop: &'env Stop,
        witness: &'env dyn Witness,
    ) -> Self {
        let (work, queue) = channel();
        let (done, all_done) = channel();
        let shared = Shared {
            profile,
            stop,
            witness,
            queue: Mutex::new(queue),
            left: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        };
        let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            scope,
            cores: if half { all.div_ceil(2) } else { all },
            shared: Arc::new(shared),
            work: Some(work),
            done,
            all_done,
            threads: Vec::new(),
            portions: VecDeque::new(),
            returned: 0,
        }
    }

    /// Begins a portion; earlier ones may still be under way.
    pub fn begin(&mut self, portion: Vec<Work>) -> Result<(), PhsError> {
        let number = self.returned + self.portions.len();
        self.portions.push_back((portion.len(), Vec::with_capacity(portion.len())));
        let left = self.shared.left.fetch_add(portion.len(), Ordering::Relaxed) + portion.len();
        for work in portion {
            let given = self.work.as_ref().is_some_and(|queue| queue.send((number, work)).is_ok());
            if !given {
                return Err(PhsError::Defect("the queue of derivations is closed"));
            }
        }
        let cores = self.cores;
        while self.threads.len() < cores.min(left.div_ceil(worth(self.shared.profile))) {
            let (shared, done) = (self.shared.clone(), self.done.clone());
            let thread = std::thread::Builder::new().name("derive".to_owned());
            let spawned = thread.spawn_scoped(self.scope, move || shared.derive(cores, &done));
            self.threads
                .push(spawned.map_err(|_| PhsError::Defect("the system gives no thread to derive with"))?);
        }
        Ok(())
    }

    /// Waits for the oldest portion that was begun. Returns all of it, in no particular order; an error if `stop` is
    /// raised.
    pub fn finish(&mut self) -> Result<Vec<Derived>, PhsError> {
        while let Some((due, derived)) = self.portions.front() {
            if derived.len() == *due {
                break;
            }
            match self.all_done.recv_timeout(LISTEN) {
                Ok((number, one)) => {
                    if let Some((_, derived)) = self.portions.get_mut(number.saturating_sub(self.returned)) {
                        derived.push(one);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    if self.shared.stop.is_raised() {
                        return Err(PhsError::Interrupted);
                    }
                    if self.threads.iter().any(ScopedJoinHandle::is_finished) {
                        return Err(PhsError::Defect("a deriving thread ended early"));
                    }
                }
            }
        }
        self.returned += 1;
        Ok(self.portions.pop_front().map(|(_, derived)| derived).unwrap_or_default())
    }
}

impl Drop for Derivers<'_, '_> {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.work = None;
        for thread in self.threads.drain(..) {
            // `finish` reports a thread that panicked.
            let _ = thread.join();
        }
    }
}

impl Shared<'_> {
    /// The work of one thread: derivations side by side on its lanes, until the queue is closed.
    fn derive(&self, threads: usize, done: &Sender<Done>) {
        let answer = |number, derived| {
            self.left.fetch_sub(1, Ordering::Relaxed);
            self.witness.derived();
            // The receiver may be gone when a cycle is given up.
            let _ = done.send((number, derived));
        };
        let next = |under_way: usize| loop {
            // A thread takes at most its share, so that no other thread is left without work.
            let share = self.left.load(Ordering::Relaxed).div_ceil(threads);
            if self.is_over() || (under_way > 0 && under_way >= share) {
                return None;
            }
            let (number, Work { object, rid, sealed }) = self.next_work(under_way == 0)?;
            let stamp = sealed.hash.stamp;
            match sealed.hash.open(&sealed.keys, rid) {
                Ok(hash) => return Some((hash, (number, object, stamp))),
                Err(why) => answer(number, Derived { object, stamp, digest: Err(why) }),
            }
        };
        lanes::derive(self.profile, next, |(number, object, stamp), digest| {
            answer(number, Derived { object, stamp, digest: Ok(digest) });
        });
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.stop.is_raised()
    }

    /// The next password in the queue. A thread that waits holds the queue's lock; one that does not wait gets none
    /// then.
    fn next_work(&self, wait: bool) -> Option<(usize, Work)> {
        if wait {
            return self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        }
        match self.queue.try_lock() {
            Ok(queue) => queue.try_recv().ok(),
            Err(TryLockError::Poisoned(queue)) => queue.into_inner().try_recv().ok(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// How many derivations cost about as much as starting a thread.
fn worth(profile: Profile) -> usize {
    match profile {
        Profile::Strong => 1,
        Profile::Entra => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::progress::Silent;
    use landbridge_crypto::drs_secret::SessionKeys;
    use landbridge_drsr::drs::change::SealedNtHash;
    use std::sync::atomic::AtomicU32;

    struct Counting(AtomicU32);

    impl Witness for Counting {
        fn total(&self, _: u64) {}
        fn read(&self, _: u64) {}
        fn derived(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn sent(&self, _: u64) {}
    }

    fn unopenable(objects: std::ops::Range<u128>) -> Vec<Work> {
        let stamp = Stamp { version: 1, time: 1, invocation_id: Uuid::nil() };
        let sealed =
            || Sealed { hash: SealedNtHash::sealed(stamp, vec![7; 36]), keys: Arc::new(SessionKeys::new()) };
        objects.map(|n| Work { object: Uuid::from_u128(n), rid: 1105, sealed: sealed() }).collect()
    }

    #[test]
    fn every_password_is_answered_for_once_and_with_its_own_portion() {
        let (stop, witness) = (Stop::new(), Counting(AtomicU32::new(0)));
        let portions = [0..50, 50..50, 50..51, 51..400];
        std::thread::scope(|scope| {
            let mut derivers = Derivers::new(scope, Profile::Entra, true, &stop, &witness);
            for two in portions.chunks(2) {
                for portion in two {
                    derivers.begin(unopenable(portion.clone())).unwrap();
                }
                for portion in two {
                    let derived = derivers.finish().unwrap();
                    assert!(derived.iter().all(|d| d.digest.is_err()), "nothing opens without a session key");
                    let mut objects: Vec<_> = derived.iter().map(|d| d.object.as_u128()).collect();
                    objects.sort_unstable();
                    assert_eq!(objects, portion.clone().collect::<Vec<_>>());
                }
            }
        });
        assert_eq!(witness.0.into_inner(), 400);
    }

    #[test]
    fn a_raised_stop_ends_it() {
        let stop = Stop::new();
        stop.raise();
        std::thread::scope(|scope| {
            let mut derivers = Derivers::new(scope, Profile::Strong, false, &stop, &Silent);
            derivers.begin(unopenable(0..5)).unwrap();
            assert!(matches!(derivers.finish(), Err(PhsError::Interrupted)));
        });
    }

    #[test]
    fn dropping_it_does_not_wait_for_what_is_left() {
        let stop = Stop::new();
        std::thread::scope(|scope| {
            let mut derivers = Derivers::new(scope, Profile::Strong, false, &stop, &Silent);
            derivers.begin(unopenable(0..100_000)).unwrap();
        });
    }
}
