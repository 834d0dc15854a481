//! Many digests side by side on one thread: as many at once as the processor is fastest with, each done when it is done.
//! Whoever has more than one to derive or to verify comes here; one alone costs the same here as at
//! [`crate::salted_digest`].
//! Neighbours: `derivation` computes. Before it: `phs::rehash` and the tenant's sign-ins, which give it threads.

use crate::derivation::under_way::UnderWay;
use crate::derivation::{Kernel, Midstates};
#[doc(hidden)]
pub use crate::derivation::{REPEATED, Workload};
use crate::nt_hash::NtHash;
use crate::salted_digest::{Profile, SaltedDigest};
use crate::secret::{Password, Secret};
use std::sync::Arc;

/// After so many iterations it is looked whether another one comes: a millisecond or two.
const STEP: u32 = 4_000;

/// How many run at once on one thread.
pub fn width() -> usize {
    Kernel::of_this_processor().width()
}

/// What they run on, for reports: instructions and number.
pub fn kernel() -> &'static str {
    Kernel::of_this_processor().name()
}

/// Which instructions limit them, for the benchmark's model of the processor's limit. Empty where none are known.
#[doc(hidden)]
pub fn workload() -> &'static [Workload] {
    Kernel::of_this_processor().workload()
}

/// Derives digests with fresh random salts; the NT hashes are gone afterwards. `next` is asked for one more while there
/// is room, and told how many are under way; `done` gets each as soon as it is there, in no order. Ends when `next`
/// has none and none is under way.
pub fn derive<T>(
    profile: Profile,
    mut next: impl FnMut(usize) -> Option<(NtHash, T)>,
    mut done: impl FnMut(T, SaltedDigest),
) {
    let iterations = profile.iterations();
    let begin = |under_way: usize| {
        let (hash, owner) = next(under_way)?;
        let salt = SaltedDigest::random_salt(profile);
        let key = Midstates::new(&hash.to_digits());
        Some(Begun { key, salt: salt.clone(), iterations, owner: (owner, salt) })
    };
    run(begin, |(owner, salt), hash| done(owner, SaltedDigest::of(salt, iterations, hash)));
}

/// Verifies passwords, each against its digest, as [`SaltedDigest::verify`] does; `next` and `done` as with [`derive()`]. Where
/// nothing is under way `next` may wait.
pub fn verify<T>(
    mut next: impl FnMut(usize) -> Option<(Arc<SaltedDigest>, Password, T)>,
    mut done: impl FnMut(T, bool),
) {
    let begin = |under_way: usize| {
        let (digest, password, owner) = next(under_way)?;
        let key = Midstates::new(&NtHash::of_password(&password).to_digits());
        let (salt, iterations) = (digest.salt().to_vec(), digest.iterations());
        Some(Begun { key, salt, iterations, owner: (owner, digest) })
    };
    run(begin, |(owner, digest), tried| done(owner, digest.has(&tried)));
}

struct Begun<T> {
    key: Midstates,
    salt: Vec<u8>,
    iterations: u32,
    owner: T,
}

fn run<T>(mut next: impl FnMut(usize) -> Option<Begun<T>>, mut done: impl FnMut(T, Secret<32>)) {
    let mut under_way = UnderWay::new();
    loop {
        while under_way.has_room() {
            let Some(Begun { key, salt, iterations, owner }) = next(under_way.len()) else { break };
            under_way.enter(&key, &salt, iterations, owner);
        }
        if under_way.len() == 0 {
            return;
        }
        under_way.advance(STEP, &mut done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(n: usize) -> Password {
        Password::new(format!("Pa$$w0rd {n}"))
    }

    #[test]
    fn each_digest_is_of_its_own_password_and_has_a_salt_of_its_own() {
        for count in [0, 1, 2, 3, 40] {
            let mut all = (0..count).map(|n| (NtHash::of_password(&password(n)), n));
            let mut digests = Vec::new();
            derive(Profile::Entra, |_| all.next(), |n, digest| digests.push((n, digest)));
            digests.sort_by_key(|(n, _)| *n);
            assert_eq!(digests.len(), count);
            for (n, digest) in &digests {
                assert!(digest.verify(&password(*n)) && !digest.verify(&password(n + 1)));
                assert!(digests.iter().all(|(other, with)| other == n || with.salt() != digest.salt()));
            }
        }
    }

    #[test]
    fn a_password_fits_its_digest_and_no_other_whatever_runs_beside_it() {
        let digest = |n| Arc::new(SaltedDigest::derive(NtHash::of_password(&password(n)), Profile::Entra));
        let digests: Vec<_> = (0..20).map(digest).collect();
        // Each with the right password, and with its neighbour's.
        let tries: Vec<_> = (0..20).flat_map(|n| [(n, n), (n, n + 1)]).collect();
        let mut waiting = tries.iter();
        let mut answers = 0;
        verify(
            |_| waiting.next().map(|(of, with)| (digests[*of].clone(), password(*with), (*of, *with))),
            |(of, with), fits| {
                assert_eq!(fits, of == with);
                answers += 1;
            },
        );
        assert_eq!(answers, tries.len());
    }

    #[test]
    fn one_of_many_iterations_does_not_hold_up_those_of_few() {
        let cheap = Arc::new(SaltedDigest::decoy(Profile::Entra));
        let dear = Arc::new(SaltedDigest::decoy(Profile::Strong));
        let mut waiting = [("dear", dear), ("first", cheap.clone()), ("second", cheap)].into_iter();
        let mut order = Vec::new();
        verify(
            |_| waiting.next().map(|(name, digest)| (digest, password(1), name)),
            |name, _| order.push(name),
        );
        if width() > 1 {
            assert_eq!((order.len(), order.last()), (3, Some(&"dear")), "{order:?}");
        }
    }
}
