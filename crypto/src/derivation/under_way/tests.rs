//! Every kernel that this processor has against RustCrypto's `pbkdf2`, for every number of derivations, whatever their
//! iterations, and however they come and go.

#![allow(clippy::print_stdout)]

use super::*;
use proptest::prelude::*;
use sha2::Sha256;
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

/// Derives all of them, as many at once as there is room for, in steps of `most`; gives them in their order.
fn derive(kernel: Kernel, all: &[(usize, u32)], most: u32) -> Vec<[u8; 32]> {
    let mut under_way = UnderWay::on(kernel);
    let mut derived = vec![None; all.len()];
    let mut next = 0;
    while next < all.len() || under_way.len() > 0 {
        while let Some((n, iterations)) = all.get(next).filter(|_| under_way.has_room()) {
            under_way.enter(&Midstates::new(&key(*n)), &salt(*n), *iterations, next);
            next += 1;
        }
        under_way.advance(most, |owner, secret| derived[owner] = Some(secret.lend(|bytes| *bytes)));
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
}

#[test]
fn what_the_compiler_makes_lanes_of_is_right_without_its_instructions_too() {
    // The source of the lanes, compiled for any processor.
    for count in 1..=MOST {
        let mut slots: Vec<Slot> = (0..count).map(|_| Slot::default()).collect();
        for (n, slot) in slots.iter_mut().enumerate() {
            Midstates::new(&key(n)).begin(&salt(n), 1, slot);
        }
        super::super::portable::iterate::<MOST>(&mut slots, 99);
        for (n, slot) in slots.iter().enumerate() {
            let mut derived = [0; 32];
            write(&slot.sum, &mut derived);
            assert_eq!(derived, right(&key(n), &salt(n), 100), "{n} of {count}");
        }
    }
}

#[test]
fn there_is_room_for_as_many_as_it_takes_and_for_no_more() {
    for kernel in Kernel::all() {
        let mut under_way = UnderWay::on(kernel);
        let mut entered = 0;
        while under_way.has_room() {
            under_way.enter(&Midstates::new(&key(entered)), &salt(entered), 10, entered);
            entered += 1;
        }
        under_way.enter(&Midstates::new(&key(0)), &salt(0), 10, 4711);
        let mut done = Vec::new();
        under_way.advance(u32::MAX, |owner, _| done.push(owner));
        done.sort_unstable();
        assert_eq!(done, (0..kernel.width()).collect::<Vec<_>>());
        under_way.advance(u32::MAX, |owner, _| done.push(owner));
        assert_eq!((done.len(), under_way.len()), (kernel.width(), 0), "nothing is under way");
    }
}

#[test]
fn a_place_that_is_left_holds_nothing() {
    let mut under_way = UnderWay::new();
    under_way.enter(&Midstates::new(&key(1)), &salt(1), 5, ());
    assert!(under_way.slots[0].inner != [0; 8]);
    under_way.advance(u32::MAX, |(), _| {});
    assert!(under_way.slots.iter().all(|slot| slot.inner == [0; 8] && slot.outer == [0; 8]));
    assert!(under_way.slots.iter().all(|slot| slot.last == [0; 8] && slot.sum == [0; 8]));
}

/// The guard of what the lanes are for: a ratio in one run, with room for a machine that is shared.
#[test]
fn many_at_once_are_faster_than_one_after_the_other() {
    let kernel = Kernel::of_this_processor();
    let count = kernel.width();
    let all: Vec<_> = (0..count).map(|n| (n, 2_000)).collect();
    let one = Kernel::all().last().unwrap();
    let took = |kernel| {
        let began = Instant::now();
        derive(kernel, &all, u32::MAX);
        began.elapsed()
    };
    // In turn, and the best of each: what others do on the machine only ever adds time.
    let (mut many, mut single) = (Duration::MAX, Duration::MAX);
    for _ in 0..15 {
        many = many.min(took(kernel));
        single = single.min(took(one));
    }
    let ratio = single.as_secs_f64() / many.as_secs_f64();
    println!("{}: {ratio:.2} times one after the other", kernel.name());
    let least = match kernel.width() {
        16 => 2.0,
        2 => 1.3,
        // Where vectors are half as wide as they look, lanes are no faster than a processor's own way.
        _ => 0.0,
    };
    assert!(ratio >= least, "{}: {ratio:.2}", kernel.name());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_comes_and_goes_between_others_is_derived_right(
        all in proptest::collection::vec((0_usize..1000, 1_u32..200), 0..60),
        most in 1_u32..80,
    ) {
        for kernel in Kernel::all() {
            for ((n, iterations), derived) in all.iter().zip(derive(kernel, &all, most)) {
                prop_assert_eq!(derived, right(&key(*n), &salt(*n), *iterations));
            }
        }
    }
}
