//! Digests derived or verified side by side on one thread, as many at once as the processor's fastest kernel runs. Each
//! result is passed on as soon as it is there. One digest alone costs the same as in [`crate::salted_digest`].
//! Neighbours: `derivation` computes. `phs::rehash` and the tenant's sign-ins call this from threads of their own.

use crate::derivation::batch::Batch;
use crate::derivation::{Kernel, Midstates};
#[doc(hidden)]
pub use crate::derivation::{REPEATED, Workload};
use crate::nt_hash::NtHash;
use crate::salted_digest::{Profile, SaltedDigest};
use crate::secret::{Password, Secret};
use std::sync::Arc;

/// Iterations after which [`derive()`] and [`verify`] look for finished and for new digests. This takes a millisecond
/// or two: little beside the 600,000 iterations of `strong`, and what a sign-in waits at most before it joins those
/// that run.
const STEP: u32 = 4_000;

/// Number of digests that run at once on one thread.
pub fn width() -> usize {
    Kernel::of_this_processor().width()
}

/// The instructions that they run on and the number of digests at once, for reports.
pub fn kernel() -> &'static str {
    Kernel::of_this_processor().name()
}

/// The instructions that limit their speed, for the benchmark's model of the processor's limit. Empty where none are
/// known.
#[doc(hidden)]
pub fn workload() -> &'static [Workload] {
    Kernel::of_this_processor().workload()
}

/// Derives digests with fresh random salts, and wipes the NT hashes. While there is room it calls `next`, with the
/// number of digests that run, for one more; `done` receives each digest when it is derived, in any order. Returns
/// when `next` returns none and no digest runs.
pub fn derive<T>(
    profile: Profile,
    mut next: impl FnMut(usize) -> Option<(NtHash, T)>,
    mut done: impl FnMut(T, SaltedDigest),
) {
    let iterations = profile.iterations();
    let begin = |running: usize| {
        let (hash, owner) = next(running)?;
        let salt = SaltedDigest::random_salt(profile);
        let key = Midstates::new(&hash.to_digits());
        Some(Task { key, salt: salt.clone(), iterations, owner: (owner, salt) })
    };
    run(begin, |(owner, salt), hash| done(owner, SaltedDigest::of(salt, iterations, hash)));
}

/// Verifies passwords, each against its digest, as [`SaltedDigest::verify`] does. It calls `next` and `done` as
/// [`derive()`] does. `next` may block if it is called with 0.
pub fn verify<T>(
    mut next: impl FnMut(usize) -> Option<(Arc<SaltedDigest>, Password, T)>,
    mut done: impl FnMut(T, bool),
) {
    let begin = |running: usize| {
        let (digest, password, owner) = next(running)?;
        let key = Midstates::new(&NtHash::of_password(&password).to_digits());
        let (salt, iterations) = (digest.salt().to_vec(), digest.iterations());
        Some(Task { key, salt, iterations, owner: (owner, digest) })
    };
    run(begin, |(owner, digest), derived| done(owner, digest.has(&derived)));
}

/// A digest to derive, and what its result belongs to.
struct Task<T> {
    key: Midstates,
    salt: Vec<u8>,
    iterations: u32,
    owner: T,
}

fn run<T>(mut next: impl FnMut(usize) -> Option<Task<T>>, mut done: impl FnMut(T, Secret<32>)) {
    let mut batch = Batch::new();
    loop {
        while batch.has_room() {
            let Some(Task { key, salt, iterations, owner }) = next(batch.len()) else { break };
            batch.add(&key, &salt, iterations, owner);
        }
        if batch.len() == 0 {
            return;
        }
        batch.advance(STEP, &mut done);
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
