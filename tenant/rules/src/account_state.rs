//! Whether AD would let an account in now, computed from the attributes that replicate. Pure: the time is an argument.
//!
//! AD's own computed attributes do not replicate, and a lock or an expiry ends without any change in AD. So the state
//! is computed at each sign-in and never stored. A value that is missing or not understood gives [`State::Unknown`],
//! and an account in that state is refused. The checks run in a DC's order (disabled, locked, account expired,
//! password). A lasting refusal comes before one that the person can end.
//! Neighbours: the crate `store` reads the attributes; the sign-in sends to an application only what
//! [`State::disclosable`] allows.

use crate::model::Attributes;
use crate::model::Policy;

/// The facts about an account that its state is computed from. FILETIMEs count 100 ns since 1601.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// userAccountControl (MS-ADTS 2.2.16).
    pub user_account_control: Option<i64>,
    /// accountExpires: FILETIME; none, 0 and `i64::MAX` mean never.
    pub account_expires: Option<i64>,
    /// pwdLastSet: FILETIME; 0 means must change.
    pub pwd_last_set: Option<i64>,
    /// maxPwdAge: a negative interval; 0 and `i64::MIN` mean never.
    pub max_pwd_age: Option<i64>,
    /// lockoutTime: FILETIME; none and 0 mean not locked.
    pub lockout_time: Option<i64>,
    /// lockoutDuration: a negative interval; 0 and `i64::MIN` mean until an administrator unlocks.
    pub lockout_duration: Option<i64>,
    /// logonHours: 21 bytes, a bit an hour, lowest bit first, from Sunday 00:00 UTC; none means always.
    pub logon_hours: Option<&'a [u8]>,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// The password of this sign-in is the empty one.
    pub password_is_empty: bool,
}

impl<'a> Account<'a> {
    /// The facts from an account's attributes, for a password that is not empty. `policy` is the password policy that
    /// applies to the account ([`crate::policies`]).
    pub fn known(attributes: &'a Attributes, policy: &Policy, protected_user: bool) -> Self {
        Self {
            user_account_control: attributes.user_account_control,
            account_expires: attributes.account_expires,
            pwd_last_set: attributes.pwd_last_set,
            max_pwd_age: policy.max_pwd_age,
            lockout_time: attributes.lockout_time,
            lockout_duration: policy.lockout_duration,
            logon_hours: attributes.logon_hours.as_deref(),
            protected_user,
            password_is_empty: false,
        }
    }
}

/// Whether an account may sign in, and the reason if not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The account may sign in.
    Usable,
    /// Disabled by an administrator.
    Disabled,
    /// Locked by AD.
    Locked,
    /// The account signs in by smart card only.
    SmartcardRequired,
    /// Member of Protected Users: AD accepts its password by Kerberos only.
    ProtectedUser,
    /// The empty password. AD may accept it from an account with PASSWD_NOTREQD; the tenant never does.
    PasswordNotRequiredEmpty,
    /// The account has expired.
    AccountExpired,
    /// The password must be changed first.
    MustChange,
    /// The password is older than the domain allows.
    PasswordExpired,
    /// The account's logon hours exclude this hour.
    OutsideLogonHours,
    /// A fact about the account is missing or not understood. The operator should look at the account.
    Unknown(Odd),
}

/// The fact about an account that is missing or not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// No userAccountControl has arrived.
    NoUserAccountControl,
    /// The account type is not that of an ordinary user, or there are several types.
    AccountType,
    /// userAccountControl has bits that no document names.
    UnknownFlags,
    /// No pwdLastSet has arrived.
    NoPwdLastSet,
    /// pwdLastSet is not a time.
    PwdLastSet,
    /// No maxPwdAge has arrived from the domain or password settings object that applies, or it is unclear which
    /// applies.
    NoMaxPwdAge,
    /// maxPwdAge is not an interval.
    MaxPwdAge,
    /// accountExpires is not a time.
    AccountExpires,
    /// lockoutTime is not a time.
    LockoutTime,
    /// No lockoutDuration has arrived, or it is unclear which policy applies.
    NoLockoutDuration,
    /// lockoutDuration is not an interval.
    LockoutDuration,
    /// logonHours is not 21 bytes.
    LogonHours,
    /// The clock of this machine is before 1601 or after 30828.
    Clock,
}

/// The part of an account's state that an application may receive, and only after the right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disclosable {
    /// The password must be changed first.
    MustChangePassword,
    /// The password is older than the domain allows.
    PasswordExpired,
    /// The account has expired.
    AccountExpired,
}

/// Flags of userAccountControl (MS-ADTS 2.2.16).
mod uf {
    pub(super) const ACCOUNTDISABLE: i64 = 0x2;
    pub(super) const NORMAL_ACCOUNT: i64 = 0x200;
    pub(super) const DONT_EXPIRE_PASSWD: i64 = 0x1_0000;
    pub(super) const SMARTCARD_REQUIRED: i64 = 0x4_0000;
    pub(super) const PASSWORD_EXPIRED: i64 = 0x80_0000;
    /// The account types: temporary duplicate, normal, interdomain trust, workstation trust, server trust.
    pub(super) const TYPES: i64 = 0x100 | NORMAL_ACCOUNT | 0x800 | 0x1000 | 0x2000;
    /// Every flag that MS-ADTS names. Another flag makes the account [`super::Odd::UnknownFlags`]: its meaning is
    /// unknown.
    pub(super) const NAMED: i64 = 0x0001 /* script */
        | ACCOUNTDISABLE
        | 0x0008 /* home directory required */
        | 0x0010 /* lockout */
        | 0x0020 /* password not required */
        | 0x0040 /* password can't change */
        | 0x0080 /* encrypted text password allowed */
        | TYPES
        | DONT_EXPIRE_PASSWD
        | 0x2_0000 /* MNS logon account */
        | SMARTCARD_REQUIRED
        | 0x8_0000 /* trusted for delegation */
        | 0x10_0000 /* not delegated */
        | 0x20_0000 /* use DES key only */
        | 0x40_0000 /* don't require preauth */
        | PASSWORD_EXPIRED
        | 0x100_0000 /* trusted to authenticate for delegation */
        | 0x200_0000 /* no auth data required */
        | 0x400_0000 /* partial secrets account */
        | 0x800_0000 /* use AES keys */;
}

/// Seconds from 1601, where FILETIME begins, to 1970.
pub const EPOCH_SECONDS: i64 = 11_644_473_600;
/// FILETIME units of 100 ns in a second.
pub const TICKS_A_SECOND: i64 = 10_000_000;
/// The FILETIME that AD writes for "never".
const NEVER: i64 = i64::MAX;
/// Hours in a week: the bits of logonHours.
const HOURS_A_WEEK: i64 = 168;
/// Hours from a Sunday, where logonHours begins, to the start of 1970, which was a Thursday.
const HOURS_FROM_SUNDAY_TO_EPOCH: i64 = 4 * 24;

/// The state of the account at `now` (seconds since 1970).
pub fn state(account: &Account<'_>, now: i64) -> State {
    match check_account(account, now) {
        Ok(()) => State::Usable,
        Err(state) => state,
    }
}

/// Why no password of the account signs in on any road, by what has replicated: it is disabled, needs a smart card, is
/// in Protected Users, or has expired. None: it depends on the password. A missing or odd fact gives none, since a
/// domain controller decides better.
pub fn veto(account: &Account<'_>, now: i64) -> Option<State> {
    let has = |flag| account.user_account_control.is_some_and(|flags| flags & flag != 0);
    if has(uf::ACCOUNTDISABLE) {
        return Some(State::Disabled);
    }
    if has(uf::SMARTCARD_REQUIRED) {
        return Some(State::SmartcardRequired);
    }
    if account.protected_user {
        return Some(State::ProtectedUser);
    }
    let expired =
        filetime(now).is_some_and(|now| account_expired(account, now) == Err(State::AccountExpired));
    expired.then_some(State::AccountExpired)
}

/// Runs the checks in a DC's order; the error is the first state that refuses.
fn check_account(account: &Account<'_>, now: i64) -> Result<(), State> {
    // 1. The flags: an account that is not an ordinary user, or is disabled, needs no other fact.
    let now_ticks = filetime(now).ok_or(State::Unknown(Odd::Clock))?;
    let flags = account.user_account_control.ok_or(State::Unknown(Odd::NoUserAccountControl))?;
    let has = |flag| flags & flag != 0;
    // userAccountControl is a signed 32-bit number in AD. Sign extension sets bits that no document names.
    if flags & !uf::NAMED != 0 {
        return Err(State::Unknown(Odd::UnknownFlags));
    }
    if flags & uf::TYPES != uf::NORMAL_ACCOUNT {
        return Err(State::Unknown(Odd::AccountType));
    }
    if has(uf::ACCOUNTDISABLE) {
        return Err(State::Disabled);
    }
    // 2. Refusals that only an administrator or time ends.
    locked(account, now_ticks)?;
    if has(uf::SMARTCARD_REQUIRED) {
        return Err(State::SmartcardRequired);
    }
    if account.protected_user {
        return Err(State::ProtectedUser);
    }
    if account.password_is_empty {
        return Err(State::PasswordNotRequiredEmpty);
    }
    // 3. Expiry and logon hours. The person can end some of these refusals.
    account_expired(account, now_ticks)?;
    password_expired(account, flags, now_ticks)?;
    outside_hours(account, now)
}

fn locked(account: &Account<'_>, now: i64) -> Result<(), State> {
    let since = account.lockout_time.unwrap_or(0);
    if since == 0 {
        return Ok(());
    }
    if since < 0 {
        return Err(State::Unknown(Odd::LockoutTime));
    }
    let duration = account.lockout_duration.ok_or(State::Unknown(Odd::NoLockoutDuration))?;
    if duration > 0 {
        return Err(State::Unknown(Odd::LockoutDuration));
    }
    if duration == 0 || duration == i64::MIN {
        return Err(State::Locked);
    }
    // `duration` is negative, so the subtraction adds. A sum that overflows is a lock without an end.
    let until = since.checked_sub(duration).unwrap_or(NEVER);
    if now < until { Err(State::Locked) } else { Ok(()) }
}

fn account_expired(account: &Account<'_>, now: i64) -> Result<(), State> {
    match account.account_expires {
        None | Some(0 | NEVER) => Ok(()),
        Some(at) if at < 0 => Err(State::Unknown(Odd::AccountExpires)),
        Some(at) if now >= at => Err(State::AccountExpired),
        Some(_) => Ok(()),
    }
}

/// The password's age, as MS-ADTS 3.1.1.4.5.26 (msDS-UserPasswordExpiryTimeComputed) has it: DONT_EXPIRE_PASSWD is
/// looked at before pwdLastSet.
fn password_expired(account: &Account<'_>, flags: i64, now: i64) -> Result<(), State> {
    match password_ends(account, flags)? {
        Some(until) if now >= until => Err(State::PasswordExpired),
        Some(_) | None => Ok(()),
    }
}

/// When the password expires: FILETIME. None: never. The error is the state of one that must be changed or has been
/// marked as expired, whatever its age.
fn password_ends(account: &Account<'_>, flags: i64) -> Result<Option<i64>, State> {
    let set = account.pwd_last_set.ok_or(State::Unknown(Odd::NoPwdLastSet))?;
    if set < 0 {
        return Err(State::Unknown(Odd::PwdLastSet));
    }
    let never = flags & uf::DONT_EXPIRE_PASSWD != 0;
    if set == 0 && !never {
        return Err(State::MustChange);
    }
    if flags & uf::PASSWORD_EXPIRED != 0 {
        return Err(State::PasswordExpired);
    }
    if never {
        return Ok(None);
    }
    let age = account.max_pwd_age.ok_or(State::Unknown(Odd::NoMaxPwdAge))?;
    if age > 0 {
        return Err(State::Unknown(Odd::MaxPwdAge));
    }
    if age == 0 || age == i64::MIN {
        return Ok(None);
    }
    Ok(Some(set.checked_sub(age).unwrap_or(NEVER)))
}

/// When the account's password expires, or has expired by its age: in seconds since 1970. None: it never expires, must be
/// changed whatever its age, or a fact is missing or not understood.
pub fn password_expires_at(account: &Account<'_>) -> Option<i64> {
    let ends = password_ends(account, account.user_account_control?).ok()??;
    if ends == NEVER { None } else { Some(unix_seconds(ends)) }
}

/// The hour of the week against logonHours (MS-SAMR 2.2.6.5).
fn outside_hours(account: &Account<'_>, now: i64) -> Result<(), State> {
    let Some(hours) = account.logon_hours else { return Ok(()) };
    let hours = <&[u8; 21]>::try_from(hours).map_err(|_| State::Unknown(Odd::LogonHours))?;
    let hour = now.div_euclid(3600).saturating_add(HOURS_FROM_SUNDAY_TO_EPOCH).rem_euclid(HOURS_A_WEEK);
    let byte = usize::try_from(hour / 8).ok().and_then(|index| hours.get(index));
    let allowed = byte.is_some_and(|byte| byte & (1_u8 << (hour % 8)) != 0);
    if allowed { Ok(()) } else { Err(State::OutsideLogonHours) }
}

/// A FILETIME as seconds since 1970.
pub fn unix_seconds(filetime: i64) -> i64 {
    filetime / TICKS_A_SECOND - EPOCH_SECONDS
}

/// Seconds since 1970 as FILETIME. None: FILETIME cannot hold this time.
pub fn filetime(unix: i64) -> Option<i64> {
    unix.checked_add(EPOCH_SECONDS)?.checked_mul(TICKS_A_SECOND).filter(|ticks| *ticks > 0)
}

impl State {
    /// The part of the state that an application may receive after the right password. None: the answer is the one to a
    /// wrong password.
    pub fn disclosable(self) -> Option<Disclosable> {
        match self {
            Self::MustChange => Some(Disclosable::MustChangePassword),
            Self::PasswordExpired => Some(Disclosable::PasswordExpired),
            Self::AccountExpired => Some(Disclosable::AccountExpired),
            Self::Usable
            | Self::Disabled
            | Self::Locked
            | Self::SmartcardRequired
            | Self::ProtectedUser
            | Self::PasswordNotRequiredEmpty
            | Self::OutsideLogonHours
            | Self::Unknown(_) => None,
        }
    }

    /// The text in the audit log and in `users show`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::SmartcardRequired => "smartcard-required",
            Self::ProtectedUser => "protected-user",
            Self::PasswordNotRequiredEmpty => "empty-password",
            Self::AccountExpired => "account-expired",
            Self::MustChange => "must-change-password",
            Self::PasswordExpired => "password-expired",
            Self::OutsideLogonHours => "outside-logon-hours",
            Self::Unknown(odd) => odd.as_str(),
        }
    }
}

impl Odd {
    /// The text in the audit log and in `users show`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoUserAccountControl => "unknown: no userAccountControl",
            Self::AccountType => "unknown: not an ordinary user by its userAccountControl",
            Self::UnknownFlags => "unknown: userAccountControl has unknown flags",
            Self::NoPwdLastSet => "unknown: no pwdLastSet",
            Self::PwdLastSet => "unknown: pwdLastSet is no time",
            Self::NoMaxPwdAge => "unknown: no maxPwdAge has arrived, or whose holds cannot be told",
            Self::MaxPwdAge => "unknown: maxPwdAge is no interval",
            Self::AccountExpires => "unknown: accountExpires is no time",
            Self::LockoutTime => "unknown: lockoutTime is no time",
            Self::NoLockoutDuration => {
                "unknown: no lockoutDuration has arrived, or whose holds cannot be told"
            }
            Self::LockoutDuration => "unknown: lockoutDuration is no interval",
            Self::LogonHours => "unknown: logonHours is not 21 bytes",
            Self::Clock => "unknown: this machine's clock is far off",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Disclosable {
    /// The text in an answer to `POST /v1/signin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MustChangePassword => "must-change-password",
            Self::PasswordExpired => "password-expired",
            Self::AccountExpired => "account-expired",
        }
    }
}

impl std::fmt::Display for Disclosable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
