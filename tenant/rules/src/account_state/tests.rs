//! The table of account states, a test a row.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// Friday 2027-01-15 08:00:00 UTC.
const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
const AGE: i64 = -42 * DAY * TICKS_A_SECOND;

fn at(unix: i64) -> i64 {
    filetime(unix).unwrap()
}

fn usable() -> Account<'static> {
    Account {
        user_account_control: Some(0x200),
        account_expires: Some(i64::MAX),
        pwd_last_set: Some(at(NOW - DAY)),
        max_pwd_age: Some(AGE),
        lockout_time: Some(0),
        lockout_duration: Some(-1800 * TICKS_A_SECOND),
        logon_hours: None,
        protected_user: false,
        password_is_empty: false,
    }
}

fn flags(uac: i64) -> Account<'static> {
    Account { user_account_control: Some(uac), ..usable() }
}

#[track_caller]
fn is(account: Account<'_>, expected: State) {
    assert_eq!(state(&account, NOW), expected, "{account:?}");
}

#[test]
fn an_ordinary_account_is_usable() {
    is(usable(), State::Usable);
    is(Account { lockout_time: None, account_expires: None, ..usable() }, State::Usable);
}

#[test]
fn a_disabled_account_is_refused_and_not_told() {
    is(flags(0x202), State::Disabled);
    assert_eq!(State::Disabled.disclosable(), None);
}

#[test]
fn an_account_without_user_account_control_is_unknown() {
    is(Account { user_account_control: None, ..usable() }, State::Unknown(Odd::NoUserAccountControl));
}

#[test]
fn computers_trusts_and_several_types_at_once_are_unknown() {
    for uac in [0, 0x100, 0x800, 0x1000, 0x2000, 0x300, 0x1200, 0x2200] {
        is(flags(uac), State::Unknown(Odd::AccountType));
    }
}

#[test]
fn flags_that_no_document_names_are_unknown() {
    for bit in [0x4, 0x400, 0x4000, 0x8000, 0x1000_0000, 0x4000_0000, 0x8000_0000, 1 << 40] {
        is(flags(0x200 | bit), State::Unknown(Odd::UnknownFlags));
    }
    is(flags(i64::from(i32::MIN) | 0x200), State::Unknown(Odd::UnknownFlags));
}

#[test]
fn harmless_flags_change_nothing() {
    for bit in [
        0x1, 0x8, 0x20, 0x40, 0x80, 0x2_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000, 0x100_0000,
        0x800_0000,
    ] {
        is(flags(0x200 | bit), State::Usable);
    }
}

#[test]
fn a_lock_holds_for_its_duration_and_not_a_second_longer() {
    let locked = |ago| Account { lockout_time: Some(at(NOW - ago)), ..usable() };
    is(locked(0), State::Locked);
    is(locked(1799), State::Locked);
    is(locked(1800), State::Usable);
    is(locked(-600), State::Locked);
}

#[test]
fn a_lock_without_an_end_holds_until_an_administrator_unlocks() {
    for duration in [0, i64::MIN] {
        let account = Account { lockout_time: Some(1), lockout_duration: Some(duration), ..usable() };
        is(account, State::Locked);
    }
}

#[test]
fn a_lock_past_the_end_of_time_holds() {
    let account = Account { lockout_time: Some(i64::MAX), lockout_duration: Some(i64::MIN + 1), ..usable() };
    is(account, State::Locked);
}

#[test]
fn a_lock_whose_duration_is_missing_or_odd_is_unknown() {
    let locked = Account { lockout_time: Some(at(NOW)), ..usable() };
    is(Account { lockout_duration: None, ..locked }, State::Unknown(Odd::NoLockoutDuration));
    is(Account { lockout_duration: Some(1), ..locked }, State::Unknown(Odd::LockoutDuration));
    is(Account { lockout_time: Some(-1), ..usable() }, State::Unknown(Odd::LockoutTime));
}

#[test]
fn without_a_lock_its_duration_does_not_matter() {
    is(Account { lockout_duration: None, ..usable() }, State::Usable);
}

#[test]
fn where_a_smart_card_is_required_a_password_is_refused_and_nothing_told() {
    is(flags(0x4_0200), State::SmartcardRequired);
    assert_eq!(State::SmartcardRequired.disclosable(), None);
}

#[test]
fn protected_users_are_refused() {
    is(Account { protected_user: true, ..usable() }, State::ProtectedUser);
    assert_eq!(State::ProtectedUser.disclosable(), None);
}

#[test]
fn an_empty_password_is_refused_with_and_without_passwd_notreqd() {
    is(Account { password_is_empty: true, ..flags(0x220) }, State::PasswordNotRequiredEmpty);
    is(Account { password_is_empty: true, ..usable() }, State::PasswordNotRequiredEmpty);
    is(flags(0x220), State::Usable);
}

#[test]
fn an_account_expires_on_its_second_and_that_is_told() {
    is(Account { account_expires: Some(at(NOW)), ..usable() }, State::AccountExpired);
    is(Account { account_expires: Some(at(NOW + 1)), ..usable() }, State::Usable);
    is(Account { account_expires: Some(1), ..usable() }, State::AccountExpired);
    assert_eq!(State::AccountExpired.disclosable(), Some(Disclosable::AccountExpired));
}

#[test]
fn zero_the_greatest_number_and_nothing_mean_that_an_account_never_expires() {
    for never in [None, Some(0), Some(i64::MAX)] {
        is(Account { account_expires: never, ..usable() }, State::Usable);
    }
}

#[test]
fn an_expiry_before_1601_is_unknown() {
    is(Account { account_expires: Some(-1), ..usable() }, State::Unknown(Odd::AccountExpires));
}

#[test]
fn who_must_change_the_password_is_told_so() {
    is(Account { pwd_last_set: Some(0), ..usable() }, State::MustChange);
    assert_eq!(State::MustChange.disclosable(), Some(Disclosable::MustChangePassword));
}

#[test]
fn a_password_that_never_expires_need_not_be_changed_either() {
    is(Account { pwd_last_set: Some(0), ..flags(0x1_0200) }, State::Usable);
    is(Account { pwd_last_set: Some(1), ..flags(0x1_0200) }, State::Usable);
    is(Account { max_pwd_age: None, ..flags(0x1_0200) }, State::Usable);
}

#[test]
fn a_password_expires_on_its_second_and_that_is_told() {
    let set = |ago| Account { pwd_last_set: Some(at(NOW - ago)), ..usable() };
    is(set(42 * DAY - 1), State::Usable);
    is(set(42 * DAY), State::PasswordExpired);
    is(set(-DAY), State::Usable);
    assert_eq!(State::PasswordExpired.disclosable(), Some(Disclosable::PasswordExpired));
}

#[test]
fn a_domain_may_let_passwords_live_for_ever() {
    for never in [0, i64::MIN] {
        is(Account { pwd_last_set: Some(1), max_pwd_age: Some(never), ..usable() }, State::Usable);
    }
}

#[test]
fn the_flag_password_expired_is_honoured() {
    is(flags(0x80_0200), State::PasswordExpired);
    is(Account { pwd_last_set: Some(0), ..flags(0x80_0200) }, State::MustChange);
}

#[test]
fn a_missing_or_odd_password_time_is_unknown() {
    is(Account { pwd_last_set: None, ..usable() }, State::Unknown(Odd::NoPwdLastSet));
    is(Account { pwd_last_set: None, ..flags(0x1_0200) }, State::Unknown(Odd::NoPwdLastSet));
    is(Account { pwd_last_set: Some(-1), ..usable() }, State::Unknown(Odd::PwdLastSet));
    is(Account { pwd_last_set: Some(i64::MIN), ..usable() }, State::Unknown(Odd::PwdLastSet));
}

#[test]
fn a_domain_policy_that_has_not_arrived_is_unknown() {
    is(Account { max_pwd_age: None, ..usable() }, State::Unknown(Odd::NoMaxPwdAge));
    is(Account { max_pwd_age: Some(1), ..usable() }, State::Unknown(Odd::MaxPwdAge));
}

#[test]
fn the_greatest_numbers_overflow_nothing() {
    is(Account { pwd_last_set: Some(i64::MAX), max_pwd_age: Some(i64::MIN + 1), ..usable() }, State::Usable);
    for now in [i64::MIN, i64::MAX, -EPOCH_SECONDS, -EPOCH_SECONDS - 1] {
        assert_eq!(state(&usable(), now), State::Unknown(Odd::Clock), "{now}");
    }
}

#[test]
fn the_end_of_a_password_is_the_second_from_which_it_is_refused() {
    let account = usable();
    let ends = password_expires_at(&account).unwrap();
    assert_eq!(ends, NOW + 41 * DAY);
    assert_eq!(state(&account, ends - 1), State::Usable);
    assert_eq!(state(&account, ends), State::PasswordExpired);
    // One that has expired has an end as well, in the past.
    let old = Account { pwd_last_set: Some(at(NOW - 43 * DAY)), ..usable() };
    assert_eq!(password_expires_at(&old), Some(NOW - DAY));
}

#[test]
fn a_password_without_an_end_or_with_one_that_is_not_known_has_none() {
    for account in [
        flags(0x1_0200),
        flags(0x80_0200),
        Account { user_account_control: None, ..usable() },
        Account { pwd_last_set: Some(0), ..usable() },
        Account { pwd_last_set: None, ..usable() },
        Account { pwd_last_set: Some(-1), ..usable() },
        Account { max_pwd_age: None, ..usable() },
        Account { max_pwd_age: Some(0), ..usable() },
        Account { max_pwd_age: Some(i64::MIN), ..usable() },
        Account { max_pwd_age: Some(1), ..usable() },
        Account { max_pwd_age: Some(i64::MIN + 1), ..usable() },
    ] {
        assert_eq!(password_expires_at(&account), None, "{account:?}");
    }
}

#[test]
fn only_the_hours_whose_bit_is_set_let_in() {
    // Friday 08:00 UTC: hour 5 * 24 + 8 = 128 of the week, the lowest bit of byte 16.
    let mut only_now = [0_u8; 21];
    only_now[16] = 0x01;
    let hours = |hours| Account { logon_hours: Some(hours), ..usable() };
    is(hours(&only_now), State::Usable);
    assert_eq!(state(&hours(&only_now), NOW - 1), State::OutsideLogonHours);
    assert_eq!(state(&hours(&only_now), NOW + HOUR - 1), State::Usable);
    assert_eq!(state(&hours(&only_now), NOW + HOUR), State::OutsideLogonHours);
    assert_eq!(
        state(&Account { pwd_last_set: Some(at(NOW)), ..hours(&only_now) }, NOW + 7 * DAY),
        State::Usable
    );
    is(hours(&[0; 21]), State::OutsideLogonHours);
    is(hours(&[0xff; 21]), State::Usable);
    assert_eq!(State::OutsideLogonHours.disclosable(), None);
}

#[test]
fn the_week_begins_on_sunday_at_midnight() {
    let mut first_hour = [0_u8; 21];
    first_hour[0] = 0x01;
    let sunday = NOW - 8 * HOUR - 5 * DAY;
    let account = Account { logon_hours: Some(&first_hour), pwd_last_set: Some(at(sunday)), ..usable() };
    assert_eq!(state(&account, sunday), State::Usable);
    assert_eq!(state(&account, sunday - 1), State::OutsideLogonHours);
}

#[test]
fn logon_hours_of_another_length_are_unknown() {
    for odd in [&[0xff_u8; 20][..], &[0xff; 22], &[]] {
        is(Account { logon_hours: Some(odd), ..usable() }, State::Unknown(Odd::LogonHours));
    }
}

#[test]
fn of_several_reasons_the_one_that_a_dc_finds_first_counts() {
    let worst = Account {
        user_account_control: Some(0x202 | 0x4_0000),
        account_expires: Some(1),
        pwd_last_set: Some(0),
        lockout_time: Some(at(NOW)),
        logon_hours: Some(&[0; 21]),
        protected_user: true,
        ..usable()
    };
    is(worst, State::Disabled);
    let worst = Account { user_account_control: Some(0x200 | 0x4_0000), ..worst };
    is(worst, State::Locked);
    let worst = Account { lockout_time: Some(0), ..worst };
    is(worst, State::SmartcardRequired);
    let worst = Account { user_account_control: Some(0x200), ..worst };
    is(worst, State::ProtectedUser);
    let worst = Account { protected_user: false, ..worst };
    is(worst, State::AccountExpired);
    let worst = Account { account_expires: None, ..worst };
    is(worst, State::MustChange);
    let worst = Account { pwd_last_set: Some(1), ..worst };
    is(worst, State::PasswordExpired);
    let worst = Account { pwd_last_set: Some(at(NOW)), ..worst };
    is(worst, State::OutsideLogonHours);
}

#[test]
fn filetime_counts_from_1601() {
    assert_eq!(filetime(0), Some(116_444_736_000_000_000));
    assert_eq!(filetime(-EPOCH_SECONDS), None);
    assert_eq!(filetime(i64::MAX), None);
    assert_eq!(unix_seconds(116_444_736_000_000_000 + TICKS_A_SECOND - 1), 0);
    assert_eq!(unix_seconds(filetime(NOW).unwrap()), NOW);
}
