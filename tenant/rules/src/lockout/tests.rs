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
        tries = Some(rules.failed(tries, NOW + i64::from(n)));
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
fn after_a_lock_the_next_wrong_password_locks_twice_as_long_up_to_half_an_hour() {
    let rules = rules();
    let mut tries = after(&rules, 10);
    let mut lasted = Vec::new();
    for _ in 0..8 {
        let at = tries.locked_until;
        tries = rules.failed(Some(tries), at);
        lasted.push(tries.locked_until - at);
    }
    assert_eq!(lasted, [120, 240, 480, 960, 1920, 1920, 1920, 1920], "a lock of half an hour forgives one");
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
    let next = rules.failed(Some(tries), i64::MAX);
    assert_eq!(next.locks, 1, "with a first lock of the longest duration");
    assert_eq!(next.locked_until, i64::MAX);
    let _ = rules.locked(Some(&next), i64::MIN);
    assert_eq!(Rules::new(1, 1).failed(Some(tries), 0).locks, 12, "after 2¹² seconds a lock is an hour long");
}

#[test]
fn each_quiet_time_lowers_the_number_of_locks_by_one_and_not_all_at_once() {
    let rules = rules();
    let tries = Tries { locks: 5, ..after(&rules, 10) };
    for (quiet, left) in [(0, 5), (1_799, 5), (1_800, 4), (3_599, 4), (3_600, 3), (7_200, 1), (9_000, 0)] {
        let lasts = |locks| {
            let next = rules.failed(Some(Tries { locks, failures: 0, ..tries }), tries.last_at);
            next.locked_until - tries.last_at
        };
        let next = rules.failed(Some(tries), tries.last_at + quiet);
        if left > 0 {
            assert_eq!(next.locked_until - tries.last_at - quiet, lasts(left), "{quiet} s");
            assert_eq!(next.locks, left + 1);
        } else {
            assert_eq!((next.locks, next.failures), (0, 1), "the whole threshold again");
        }
    }
}

#[test]
fn failures_without_a_lock_are_forgotten_after_four_quiet_times() {
    let rules = rules();
    let tries = after(&rules, 9);
    assert!(rules.locked(Some(&rules.failed(Some(tries), tries.last_at + 7_199)), tries.last_at + 7_199));
    assert_eq!(rules.failed(Some(tries), tries.last_at + 7_200).failures, 1);
}

#[test]
fn one_wrong_password_an_hour_after_fifty_keeps_a_source_out_for_hours_and_not_for_ever() {
    let rules = rules();
    let mut tries = None;
    let mut now = NOW;
    for _ in 0..50 {
        let tried = rules.failed(tries, now);
        now = tried.locked_until.max(now + 1);
        tries = Some(tried);
    }
    let mut locked = 0;
    for _ in 0..200 {
        let tried = rules.failed(tries, now);
        locked += i64::from(rules.locked(Some(&tried), now)) * (tried.locked_until - now);
        tries = Some(tried);
        now += 3_600;
    }
    assert!(locked < 6 * 3_600, "{locked} s of 200 hours");
}

#[test]
fn a_guesser_without_pause_gets_some_fifty_tries_a_day() {
    let rules = rules();
    let (mut tries, mut now, mut tried) = (None, NOW, 0);
    while now < NOW + 86_400 {
        if rules.locked(tries.as_ref(), now) {
            now = tries.map_or(now, |tries: Tries| tries.locked_until);
            continue;
        }
        tries = Some(rules.failed(tries, now));
        tried += 1;
        now += 1;
    }
    assert!((40..70).contains(&tried), "{tried}");
}

#[test]
fn what_has_decayed_to_nothing_can_be_deleted() {
    for seconds in [1, 60, 3_600, 100_000] {
        let rules = Rules::new(10, seconds);
        let mut tries = after(&rules, 10);
        for _ in 0..40 {
            tries = rules.failed(Some(tries), tries.locked_until);
        }
        let later = tries.last_at.max(tries.locked_until) + rules.memory();
        let next = rules.failed(Some(tries), later);
        assert_eq!((next.failures, next.locks), (1, 0), "{seconds}");
    }
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

#[test]
fn a_refusal_by_ad_is_not_forgotten_when_the_digest_refuses_the_same_password() {
    let mut memory = Remembered::new().unwrap();
    let (anna, wrong) = (Uuid::from_u128(1), Password::new("wrong".to_owned()));
    let asked = RefusedAt { at: 1_000, password_set: Some(7) };
    for refused in [asked, RefusedAt { at: 1_010, password_set: None }] {
        let mark = memory.mark(anna, &wrong);
        memory.note_wrong(anna, mark, refused);
    }
    let mark = memory.mark(anna, &wrong);
    assert!(memory.refused_before(anna, &mark, RefusedAt { at: 1_020, password_set: Some(7) }));
    assert!(!memory.refused_before(anna, &mark, RefusedAt { at: 1_020, password_set: Some(8) }));
}
