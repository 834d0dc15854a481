//! How many bad passwords the outside may add to AD's own count of an account, so that guessing from outside never
//! locks anybody out of the company. Pure.
//!
//! AD locks an account at `lockoutThreshold` bad passwords, and forgets them when `lockOutObservationWindow` has
//! passed since the last one. So what was added is remembered until a whole window, and a minute for the clocks, has
//! passed since the last of it. Less than half of the threshold is used: the rest is for the people inside.
//! What it does not know: what was tried inside (badPwdCount does not replicate).

use super::Tries;
use crate::model::Policy;

/// For clocks that differ.
const MARGIN: i64 = 60;
/// AD's own default, when a domain says nothing of its window.
const USUAL_WINDOW: i64 = 30 * 60;
/// The longest window that AD takes, 99,999 minutes; also what "never" is taken for.
const LONGEST_WINDOW: i64 = 99_999 * 60;

/// What a lockout policy leaves to the outside: a domain's, or that of a password settings object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdBudget {
    /// It locks nobody.
    Unbounded,
    /// So many bad passwords, until so many seconds have passed since the last one.
    Bounded {
        /// How many.
        most: u32,
        /// Seconds.
        window: i64,
    },
    /// Not one.
    None {
        /// lockoutThreshold.
        threshold: i64,
    },
    /// The policy is not known: no phs has told it yet, or which one holds cannot be told.
    Unknown,
}

impl AdBudget {
    /// What this policy leaves.
    pub fn of(policy: &Policy) -> Self {
        let Some(threshold) = policy.lockout_threshold else { return Self::Unknown };
        if threshold == 0 {
            return Self::Unbounded;
        }
        let most = u32::try_from(threshold.saturating_sub(1) / 2).unwrap_or(0);
        if most == 0 {
            return Self::None { threshold };
        }
        // Negative counts of 100 ns; i64::MIN is "never".
        let window = match policy.lockout_observation_window {
            Some(interval) if interval < 0 => interval.unsigned_abs() / 10_000_000,
            Some(_) | None => USUAL_WINDOW.unsigned_abs(),
        };
        let window = i64::try_from(window).unwrap_or(LONGEST_WINDOW).clamp(MARGIN, LONGEST_WINDOW);
        Self::Bounded { most, window: window.saturating_add(MARGIN) }
    }

    /// Whether one more may be added at `now`.
    pub fn allows(self, spent: Option<&Tries>, now: i64) -> bool {
        match self {
            Self::Unbounded => true,
            Self::Bounded { most, window } => counted(spent, window, now) < most,
            Self::None { .. } | Self::Unknown => false,
        }
    }

    /// Notes so many more. None: there is nothing to note.
    pub fn charge(self, spent: Option<&Tries>, more: u32, now: i64) -> Option<Tries> {
        let Self::Bounded { window, .. } = self else { return None };
        if more == 0 {
            return None;
        }
        let before = counted(spent, window, now);
        // A clock that was set back must not make the past forgotten sooner.
        let last = spent.map_or(now, |spent| spent.last_at.max(now));
        Some(Tries {
            failures: before.saturating_add(more),
            first_at: now,
            last_at: last,
            ..Tries::default()
        })
    }
}

/// What still counts.
fn counted(spent: Option<&Tries>, window: i64, now: i64) -> u32 {
    spent.filter(|spent| now.saturating_sub(spent.last_at) < window).map_or(0, |spent| spent.failures)
}

/// No counter of a budget is needed for longer, in seconds.
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
    fn what_was_added_counts_until_a_window_has_passed_since_the_last_of_it() {
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
    fn odd_windows_are_taken_for_long_ones() {
        for interval in [i64::MIN, i64::MIN + 1] {
            let odd = Policy { lockout_observation_window: Some(interval), ..policy(10, 1) };
            assert_eq!(AdBudget::of(&odd), AdBudget::Bounded { most: 4, window: LONGEST_WINDOW + MARGIN });
        }
        let none = Policy { lockout_observation_window: None, ..policy(10, 1) };
        assert_eq!(AdBudget::of(&none), AdBudget::Bounded { most: 4, window: USUAL_WINDOW + MARGIN });
    }
}
