//! Every kernel that this processor has against RustCrypto's `pbkdf2`: for every number of derivations, for any
//! numbers of iterations, and for derivations that begin and end while others run.

#![allow(clippy::print_stdout)]

use super::super::plain;
use super::*;
use proptest::prelude::*;
use sha2::Sha256;
use std::slice;
use std::time::{Duration, Instant};

fn right(key: &[u8; 64], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut derived = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(key, salt, iterations, &mut derived);
    derived
}

/// Another key and salt for each number.
fn key(n: usize) -> [u8; 64] {
    std::array::from_fn(|i| (n * 31 + i * 7) as u8)
}

fn salt(n: usize) -> Vec<u8> {
    (0..8 + n % 25).map(|i| (n * 17 + i) as u8).collect()
}

/// Derives all of them in steps of `limit`, as many at once as there is room for. The results are in the order of
/// `all`.
fn derive(kernel: Kernel, all: &[(usize, u32)], limit: u32) -> Vec<[u8; 32]> {
    let mut batch = Batch::on(kernel);
    let mut derived = vec![None; all.len()];
    let mut next = 0;
    while next < all.len() || batch.len() > 0 {
        while let Some((n, iterations)) = all.get(next).filter(|_| batch.has_room()) {
            batch.add(&Midstates::new(&key(*n)), &salt(*n), *iterations, next);
            next += 1;
        }
        batch.advance(limit, |owner, secret| derived[owner] = Some(secret.lend(|bytes| *bytes)));
    }
    derived.into_iter().map(Option::unwrap).collect()
}

#[test]
fn every_kernel_derives_what_rustcrypto_does_for_every_number_at_once() {
    for kernel in Kernel::all() {
        for count in 0..=2 * kernel.width() + 1 {
            for iterations in [1, 2, 3, 64] {
                let all: Vec<_> = (0..count).map(|n| (n, iterations)).collect();
                for (n, derived) in derive(kernel, &all, u32::MAX).into_iter().enumerate() {
                    assert_eq!(
                        derived,
                        right(&key(n), &salt(n), iterations),
                        "{}, {n} of {count}",
                        kernel.name()
                    );
                }
            }
        }
        println!("{}: up to {} at once", kernel.name(), 2 * kernel.width() + 1);
    }
    println!("not on this processor: {:?}", Kernel::missing().collect::<Vec<_>>());
}

#[test]
fn the_text_of_the_lanes_is_right_on_a_processor_without_vectors_too() {
    for n in 0..16 {
        let mut slot = Slot::default();
        Midstates::new(&key(n)).begin(&salt(n), 1, &mut slot);
        plain::iterate(slice::from_mut(&mut slot), 99);
        let mut derived = [0; 32];
        write(&slot.sum, &mut derived);
        assert_eq!(derived, right(&key(n), &salt(n), 100), "{n}");
    }
}

#[test]
fn there_is_room_for_as_many_as_it_takes_and_for_no_more() {
    for kernel in Kernel::all() {
        let mut batch = Batch::on(kernel);
        let mut entered = 0;
        while batch.has_room() {
            batch.add(&Midstates::new(&key(entered)), &salt(entered), 10, entered);
            entered += 1;
        }
        batch.add(&Midstates::new(&key(0)), &salt(0), 10, 4711);
        let mut done = Vec::new();
        batch.advance(u32::MAX, |owner, _| done.push(owner));
        done.sort_unstable();
        assert_eq!(done, (0..kernel.width()).collect::<Vec<_>>());
        batch.advance(u32::MAX, |owner, _| done.push(owner));
        assert_eq!((done.len(), batch.len()), (kernel.width(), 0), "nothing is under way");
    }
}

#[test]
fn a_place_that_is_left_holds_nothing() {
    let mut batch = Batch::new();
    batch.add(&Midstates::new(&key(1)), &salt(1), 5, ());
    assert!(batch.slots[0].inner != [0; 8]);
    batch.advance(u32::MAX, |(), _| {});
    assert!(batch.slots.iter().all(|slot| slot.inner == [0; 8] && slot.outer == [0; 8]));
    assert!(batch.slots.iter().all(|slot| slot.last == [0; 8] && slot.sum == [0; 8]));
}

/// The shortest time of each of the two, in turns: other programs on the machine only ever add time.
fn shortest(one: &mut dyn FnMut(), other: &mut dyn FnMut()) -> (Duration, Duration) {
    let took = |run: &mut dyn FnMut()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    (0..25).fold((Duration::MAX, Duration::MAX), |(least, other_least), _| {
        (least.min(took(one)), other_least.min(took(other)))
    })
}

/// The speed of the first as a multiple of the speed of the second. Both advance `count` slots by the same iterations.
fn speed(count: usize, one: impl Fn(&mut [Slot]), other: impl Fn(&mut [Slot])) -> f64 {
    let begun = || {
        let mut slots: Vec<Slot> = (0..count).map(|_| Slot::default()).collect();
        slots.iter_mut().enumerate().for_each(|(n, slot)| Midstates::new(&key(n)).begin(&salt(n), 1, slot));
        slots
    };
    let (mut slots, mut others) = (begun(), begun());
    let (took, other_took) = shortest(&mut || one(&mut slots), &mut || other(&mut others));
    assert!(slots.iter().zip(&others).all(|(slot, other)| slot.sum == other.sum), "both derive the same");
    other_took.as_secs_f64() / took.as_secs_f64()
}

/// The guard of what the lanes are for, in every profile that it is built in: ratios in one run, with room for a
/// machine that is shared. A processor without SHA instructions computes one derivation in plain words, so the lanes
/// of AVX2, which are for such a processor, are compared with these.
#[test]
fn many_at_once_are_faster_than_one_after_the_other() {
    let one = Kernel::all().last().unwrap();
    for kernel in Kernel::all() {
        let many = |slots: &mut [Slot]| kernel.iterate(slots, 1_000);
        let single = |slots: &mut [Slot]| one.iterate(slots, 1_000);
        let plain = |slots: &mut [Slot]| slots.chunks_mut(1).for_each(|slot| plain::iterate(slot, 1_000));
        let (ratio, least) = match kernel.width() {
            16 => (speed(16, many, single), 2.0),
            8 => (speed(8, many, plain), 2.0),
            2 => (speed(2, many, single), 1.3),
            _ => continue,
        };
        println!("{}: {ratio:.2} times one after the other", kernel.name());
        assert!(ratio >= least, "{}: {ratio:.2}", kernel.name());
    }
    println!("not on this processor: {:?}", Kernel::missing().collect::<Vec<_>>());
}

/// A group takes as long however full it is, so few derivations run elsewhere.
#[test]
fn many_at_once_are_no_slower_than_one_after_the_other_whatever_their_number() {
    let (kernel, one) = (Kernel::of_this_processor(), Kernel::all().last().unwrap());
    for count in 1..=kernel.width() {
        let ratio = speed(count, |slots| kernel.iterate(slots, 1_000), |slots| one.iterate(slots, 1_000));
        println!("{}, {count} of them: {ratio:.2} times one after the other", kernel.name());
        assert!(ratio >= 0.85, "{}, {count} of them: {ratio:.2}", kernel.name());
    }
}

#[test]
fn many_at_once_run_on_the_fastest_kernel_that_there_is() {
    let kernel = Kernel::of_this_processor();
    for other in Kernel::all().filter(|other| *other != kernel) {
        let ratio = speed(16, |slots| kernel.iterate(slots, 1_000), |slots| other.iterate(slots, 1_000));
        println!("{}: {ratio:.2} times {}", kernel.name(), other.name());
        assert!(ratio >= 0.85, "{} and {}: {ratio:.2}", kernel.name(), other.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_derivation_that_begins_and_ends_between_others_is_right(
        all in proptest::collection::vec((0_usize..1000, 1_u32..200), 0..60),
        limit in 1_u32..80,
    ) {
        for kernel in Kernel::all() {
            for ((n, iterations), derived) in all.iter().zip(derive(kernel, &all, limit)) {
                prop_assert_eq!(derived, right(&key(*n), &salt(*n), *iterations));
            }
        }
    }
}
