//! Holds back removals that look like a mistake: an OU that was moved, a filter that was mistyped. It counts accounts
//! that leave the scope, now and in the last day. Deletions, disables and promotions are never held back. Pure:
//! `mirror::sweep` counts, `cycle` calls this and acts.

use crate::mirror::Leaving;
use serde::Deserialize;

/// Accounts that left within this time count as leaving, in seconds: a day, so that many small removals add up.
pub const MEMORY: i64 = 86_400;
/// This number of accounts may always leave: in a small domain each of them is a large share.
const ALWAYS: u64 = 10;

/// `[removals]`: how many accounts may leave the scope within a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Limit as a number of accounts,
    pub most: u32,
    /// and as a share of the accounts at the tenant, in percent. Both hold.
    pub percent: u8,
}

impl Default for Guard {
    fn default() -> Self {
        Self { most: 500, percent: 5 }
    }
}

impl Guard {
    /// Whether the accounts that leave are held back. `confirmed`: the number that an administrator has confirmed.
    pub fn holds(&self, leaving: &Leaving, confirmed: Option<u64>) -> bool {
        if leaving.pending == 0 || confirmed.is_some_and(|confirmed| leaving.pending <= confirmed) {
            return false;
        }
        let leave = leaving.pending.saturating_add(leaving.recent);
        let all = leaving.present.saturating_add(leaving.recent);
        let share = leave.saturating_mul(100) > all.saturating_mul(self.percent.into());
        leave > self.most.into() || (leave > ALWAYS && share)
    }

    /// How many accounts a full compare that found `found` accounts may remove at the tenant although the mirror does
    /// not know them. The same limits apply.
    pub fn most_forgotten(&self, found: u64, confirmed: Option<u64>) -> u64 {
        let percent = u64::from(self.percent);
        let share = (found.saturating_mul(percent)).checked_div(100_u64.saturating_sub(percent));
        let most = share.unwrap_or(u64::MAX).max(ALWAYS).min(self.most.into());
        most.max(confirmed.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pending: u64, recent: u64, present: u64) -> bool {
        Guard::default().holds(&Leaving { pending, recent, present }, None)
    }

    #[test]
    fn the_bound_is_a_count_and_a_share_and_what_left_lately_counts() {
        assert!(!held(500, 0, 20_000));
        assert!(held(501, 0, 20_000), "the count");
        assert!(!held(50, 0, 1_000));
        assert!(held(51, 0, 1_000), "the share");
        assert!(held(1, 500, 19_500), "one by one");
        assert!(!held(0, 9_000, 1_000), "nobody leaves now");
        assert!(!held(10, 0, 12), "a small domain");
        assert!(held(11, 0, 12));
    }

    #[test]
    fn whom_nobody_remembers_is_held_by_the_same_bounds() {
        let guard = Guard::default();
        for found in [0, 12, 190, 1_000, 9_500, 20_000] {
            let most = guard.most_forgotten(found, None);
            assert!(!held(most, 0, found + most), "{most} of {found}");
            assert!(held(most + 1, 0, found + most + 1), "{most} of {found}");
        }
        assert_eq!(guard.most_forgotten(0, Some(612)), 612);
        assert_eq!(Guard { most: 0, percent: 100 }.most_forgotten(1_000, None), 0);
    }

    #[test]
    fn a_confirmation_covers_as_many_as_were_looked_at() {
        let leaving = Leaving { pending: 600, recent: 0, present: 1_000 };
        assert!(!Guard::default().holds(&leaving, Some(600)));
        assert!(Guard::default().holds(&leaving, Some(599)), "one more left meanwhile");
    }
}
