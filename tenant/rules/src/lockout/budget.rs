//! The budget of bad passwords: how many the tenant may add to AD's own count of an account, so that guesses from
//! outside never lock a person out of the company. Pure.
//!
//! AD locks an account at `lockoutThreshold` bad passwords, and resets its count when `lockOutObservationWindow` has
//! passed since the last one. So a charge counts until a whole window, plus a minute for clocks that differ, has
//! passed since the last one. The budget is less than half of the threshold; the rest is for mistakes inside the
//! company. Limit of this rule: bad passwords that were tried inside are unknown, because badPwdCount does not
//! replicate.

use super::Tries;
use crate::model::Policy;

/// Seconds added to AD's window, because the clocks of DC and tenant differ.
const MARGIN: i64 = 60;
/// Window in seconds for a domain without `lockOutObservationWindow`: AD's own default.
const USUAL_WINDOW: i64 = 30 * 60;
/// The longest window in seconds: AD accepts at most 99,999 minutes. "Never" counts as this.
const LONGEST_WINDOW: i64 = 99_999 * 60;

/// The budget that a lockout policy leaves, of a domain or of a password settings object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdBudget {
    /// The policy never locks an account.
    Unbounded,
    /// A limit on bad passwords. They count until `window` has passed since the last one.
    Bounded {
        /// Limit on bad passwords.
        most: u32,
        /// Seconds since the last bad password after which none counts.
        window: i64,
    },
    /// No bad password is allowed: half of the threshold is less than one.
    None {
        /// lockoutThreshold of the policy.
        threshold: i64,
    },
    /// The policy has not arrived from a phs yet, or it is unclear which policy applies.
    Unknown,
}

impl AdBudget {
    /// The budget under this policy.
    pub fn of(policy: &Policy) -> Self {
        let Some(threshold) = policy.lockout_threshold else { return Self::Unknown };
        if threshold == 0 {
            return Self::Unbounded;
        }
        let most = u32::try_from(threshold.saturating_sub(1) / 2).unwrap_or(0);
        if most == 0 {
            return Self::None { threshold };
        }
        // Intervals are negative counts of 100 ns; i64::MIN is "never".
        let window = match policy.lockout_observation_window {
            Some(interval) if interval < 0 => interval.unsigned_abs() / 10_000_000,
            Some(_) | None => USUAL_WINDOW.unsigned_abs(),
        };
        let window = i64::try_from(window).unwrap_or(LONGEST_WINDOW).clamp(MARGIN, LONGEST_WINDOW);
        Self::Bounded { most, window: window.saturating_add(MARGIN) }
    }

    /// Whether the budget allows one more bad password at `now`. `spent` is the account's counter.
    pub fn allows(self, spent: Option<&Tries>, now: i64) -> bool {
        match self {
            Self::Unbounded => true,
            Self::Bounded { most, window } => counted(spent, window, now) < most,
            Self::None { .. } | Self::Unknown => false,
        }
    }

    /// Charges `more` bad passwords and returns the account's new counter. None: the counter does not change.
    pub fn charge(self, spent: Option<&Tries>, more: u32, now: i64) -> Option<Tries> {
        let Self::Bounded { window, .. } = self else { return None };
        if more == 0 {
            return None;
        }
        let before = counted(spent, window, now);
        // A clock that was set back must not end a charge earlier.
        let last = spent.map_or(now, |spent| spent.last_at.max(now));
        Some(Tries {
            failures: before.saturating_add(more),
            first_at: now,
            last_at: last,
            ..Tries::default()
        })
    }
}

/// The charges that still count at `now`.
fn counted(spent: Option<&Tries>, window: i64, now: i64) -> u32 {
    spent.filter(|spent| now.saturating_sub(spent.last_at) < window).map_or(0, |spent| spent.failures)
}

/// Seconds after which a counter of the budget can be deleted: no window is longer.
pub const MEMORY: i64 = LONGEST_WINDOW + MARGIN;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(threshold: i64, minutes: i64) -> Policy {
        Policy {
            lockout_threshold: Some(threshold),
            lockout_observation_window: Some(-minutes * 600_000_000),
            ..Policy::default()
        }
    }

    #[test]
    fn less_than_half_of_the_threshold_is_used() {
        for (threshold, most) in [(3, 1), (4, 1), (5, 2), (10, 4), (50, 24), (999, 499)] {
            assert_eq!(
                AdBudget::of(&policy(threshold, 30)),
                AdBudget::Bounded { most, window: 31 * 60 },
                "{threshold}"
            );
        }
        assert_eq!(AdBudget::of(&policy(0, 30)), AdBudget::Unbounded);
        for threshold in [1, 2] {
            assert_eq!(AdBudget::of(&policy(threshold, 30)), AdBudget::None { threshold });
        }
        assert_eq!(AdBudget::of(&Policy::default()), AdBudget::Unknown);
        assert!(!AdBudget::Unknown.allows(None, 0));
    }

    #[test]
    fn a_charge_counts_until_a_window_has_passed_since_the_last_one() {
        let budget = AdBudget::of(&policy(5, 10));
        let first = budget.charge(None, 1, 1_000);
        assert!(budget.allows(first.as_ref(), 1_001));
        let second = budget.charge(first.as_ref(), 1, 1_500);
        assert!(!budget.allows(second.as_ref(), 1_500 + 659));
        assert!(budget.allows(second.as_ref(), 1_500 + 660));
        // A clock that is set back opens nothing.
        assert!(!budget.allows(second.as_ref(), 0));
        let late = budget.charge(second.as_ref(), 1, 1_500 + 660);
        assert_eq!(late.map(|spent| spent.failures), Some(1));
    }

    #[test]
    fn odd_windows_count_as_long_ones() {
        for interval in [i64::MIN, i64::MIN + 1] {
            let odd = Policy { lockout_observation_window: Some(interval), ..policy(10, 1) };
            assert_eq!(AdBudget::of(&odd), AdBudget::Bounded { most: 4, window: LONGEST_WINDOW + MARGIN });
        }
        let none = Policy { lockout_observation_window: None, ..policy(10, 1) };
        assert_eq!(AdBudget::of(&none), AdBudget::Bounded { most: 4, window: USUAL_WINDOW + MARGIN });
    }
}
