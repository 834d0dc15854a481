//! The last file that sees an NT hash: opened and consumed into a salted digest in one step, on all cores, on
//! threads of its own.
//! Before it on the road: `qualify`. After it: `send`.

use crate::qualify::Sealed;
use crate::stop::Stop;
use landbridge_crypto::drs_secret::DrsSecretError;
use landbridge_crypto::lanes;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_drsr::drs::change::Stamp;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// A password that is wanted.
#[derive(Debug)]
pub struct Work {
    /// objectGUID.
    pub object: Uuid,
    /// The RID that the inner layer goes by.
    pub rid: u32,
    /// The password.
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

/// Derives all of them, in no order. Ends early, with what there is, when a stop is wished for. `each` is told
/// of every derivation.
pub fn rehash(work: Vec<Work>, profile: Profile, stop: &Stop, each: &(dyn Fn() + Sync)) -> Vec<Derived> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // A thread costs about as much as three cheap derivations.
    let worth = match profile {
        Profile::Strong => 1,
        Profile::Entra => 3,
    };
    let threads = cores.min(work.len().div_ceil(worth)).max(1);
    let capacity = work.len();
    // No thread takes more side by side than would leave another one without.
    let share = capacity.div_ceil(threads);
    let queue = Mutex::new(work.into_iter());
    let derive = || {
        let (mut derived, mut unopened) = (Vec::new(), Vec::new());
        let next = |under_way: usize| {
            while under_way < share && !stop.is_raised() {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Work { object, rid, sealed } = next?;
                let stamp = sealed.hash.stamp;
                match sealed.hash.open(&sealed.keys, rid) {
                    Ok(hash) => return Some((hash, (object, stamp))),
                    Err(why) => unopened.push(Derived { object, stamp, digest: Err(why) }),
                }
                each();
            }
            None
        };
        lanes::derive(profile, next, |(object, stamp), digest| {
            derived.push(Derived { object, stamp, digest: Ok(digest) });
            each();
        });
        derived.append(&mut unopened);
        derived
    };
    let mut all = Vec::with_capacity(capacity);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(derive)).collect();
        all.extend(derive());
        for other in others {
            // A thread that panicked derived nothing; its accounts are missing and the caller sees that.
            all.extend(other.join().unwrap_or_default());
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_crypto::drs_secret::SessionKeys;
    use landbridge_drsr::drs::change::SealedNtHash;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn unopenable(count: u128) -> Vec<Work> {
        let stamp = Stamp { version: 1, time: 1, invocation_id: Uuid::nil() };
        let sealed =
            || Sealed { hash: SealedNtHash::sealed(stamp, vec![7; 36]), keys: Arc::new(SessionKeys::new()) };
        (0..count).map(|n| Work { object: Uuid::from_u128(n), rid: 1105, sealed: sealed() }).collect()
    }

    #[test]
    fn every_password_is_answered_for_once() {
        let told = AtomicU32::new(0);
        let derived = rehash(unopenable(50), Profile::Entra, &Stop::new(), &|| {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let mut objects: Vec<_> = derived.iter().map(|d| d.object.as_u128()).collect();
        objects.sort_unstable();
        assert_eq!(objects, (0..50).collect::<Vec<_>>());
        assert_eq!(told.into_inner(), 50);
        assert!(derived.iter().all(|d| d.digest.is_err()), "nothing opens without a session key");
    }

    #[test]
    fn a_wish_to_stop_ends_it() {
        let stop = Stop::new();
        stop.raise();
        assert!(rehash(unopenable(5), Profile::Strong, &stop, &|| {}).is_empty());
    }
}
