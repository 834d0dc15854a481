//! Tests of the smart lockout.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use landbridge_crypto::secret::Password;
use uuid::Uuid;

const NOW: i64 = 1_800_000_000;

fn rules() -> Rules {
    Rules::new(10, 60)
}

fn after(rules: &Rules, failures: u32) -> Tries {
    let mut tries = None;
    for n in 0..failures {
        tries = Some(rules.failed(tries, rules.threshold, NOW + i64::from(n)));
    }
    tries.unwrap()
}

const REFUSED: RefusedAt = RefusedAt { at: 1_000, password_set: None };

#[test]
fn nine_wrong_passwords_do_not_lock_and_the_tenth_does() {
    let rules = rules();
    assert!(!rules.locked(None, NOW));
    assert!(!rules.locked(Some(&after(&rules, 9)), NOW + 9));
    let tenth = after(&rules, 10);
    assert!(rules.locked(Some(&tenth), NOW + 10));
    assert_eq!(tenth.locked_until, NOW + 9 + 60);
}

#[test]
fn a_lock_ends_by_itself_on_its_second() {
    let rules = rules();
    let tries = after(&rules, 10);
    assert!(rules.locked(Some(&tries), tries.locked_until - 1));
    assert!(!rules.locked(Some(&tries), tries.locked_until));
}

#[test]
fn after_a_lock_the_next_wrong_password_locks_twice_as_long_up_to_the_bound() {
    let rules = rules();
    let mut tries = after(&rules, 10);
    let mut lasted = Vec::new();
    for _ in 0..10 {
        let at = tries.locked_until;
        tries = rules.failed(Some(tries), rules.threshold, at);
        lasted.push(tries.locked_until - at);
    }
    assert_eq!(lasted, [120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600]);
}

#[test]
fn a_million_locks_in_a_row_overflow_nothing() {
    let rules = Rules::new(u32::MAX, u32::MAX);
    let tries = Tries {
        failures: u32::MAX,
        first_at: i64::MAX,
        last_at: i64::MAX,
        locked_until: i64::MAX,
        locks: u32::MAX,
    };
    let next = rules.failed(Some(tries), rules.threshold, i64::MAX);
    assert_eq!(next.locks, u32::MAX);
    assert_eq!(next.locked_until, i64::MAX);
    let _ = rules.locked(Some(&next), i64::MIN);
}

#[test]
fn a_quiet_time_forgets_tries_and_locks() {
    let rules = rules();
    let tries = after(&rules, 10);
    let later = tries.locked_until + rules.memory();
    assert_eq!(rules.failed(Some(tries), rules.threshold, later).failures, 1);
    assert_eq!(rules.failed(Some(tries), rules.threshold, later).locks, 0);
    assert_eq!(rules.failed(Some(tries), rules.threshold, later - 1).locks, 2);
}

#[test]
fn a_clock_set_back_locks_no_account_for_years() {
    let rules = rules();
    let tries = after(&rules, 10);
    assert!(!rules.locked(Some(&tries), NOW - 365 * 86_400));
}

#[test]
fn a_threshold_of_nothing_is_one() {
    let rules = Rules::new(0, 0);
    assert!(rules.locked(Some(&after(&rules, 1)), NOW));
}

#[test]
fn a_success_takes_its_own_failures_off_the_count_over_all_and_leaves_the_others() {
    let own = Tries { failures: 3, ..Tries::default() };
    let all = Tries { failures: 20, ..Tries::default() };
    assert_eq!(forgiven(all, &own).unwrap().failures, 17);
    assert_eq!(forgiven(Tries { failures: 3, ..Tries::default() }, &own), None);
}

#[test]
fn sources_of_one_household_are_one_and_odd_ones_are_bounded() {
    assert_eq!(source("203.0.113.7"), "203.0.113.7");
    assert_eq!(source("::ffff:203.0.113.7"), "203.0.113.7");
    assert_eq!(source("2001:db8:1:2:3:4:5:6"), source("2001:db8:1:2::1"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source(" "), "unknown");
    assert_eq!(source("Kiosk\n1"), "kiosk 1");
    assert!(source(&"ä".repeat(1000)).len() <= 64);
}

#[test]
fn the_same_wrong_password_is_noticed_and_another_ones_is_not_mistaken_for_it() {
    let mut memory = Remembered::new().unwrap();
    let (anna, bert) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let summer = Password::new("Summer2026".to_owned());
    let winter = Password::new("Winter2026".to_owned());
    let note = |memory: &mut Remembered, who, what| {
        let mark = memory.mark(who, what);
        memory.note_wrong(who, mark, REFUSED)
    };
    assert!(!note(&mut memory, anna, &summer));
    assert!(note(&mut memory, anna, &summer));
    assert!(!note(&mut memory, anna, &winter));
    assert!(!note(&mut memory, bert, &summer));
}

#[test]
fn what_is_remembered_is_bounded_in_accounts_and_in_passwords() {
    let mut memory = Remembered::new().unwrap();
    let wrong = Password::new("wrong".to_owned());
    for n in 0..10_050_u128 {
        let mark = memory.mark(Uuid::from_u128(n), &wrong);
        memory.note_wrong(Uuid::from_u128(n), mark, REFUSED);
    }
    assert_eq!(memory.len(), 10_000);
    let one = Uuid::from_u128(10_049);
    for n in 0..8 {
        let mark = memory.mark(one, &Password::new(format!("other {n}")));
        assert!(!memory.note_wrong(one, mark, REFUSED));
    }
    let mark = memory.mark(one, &wrong);
    assert!(!memory.note_wrong(one, mark, REFUSED), "the oldest of nine is forgotten");
}
