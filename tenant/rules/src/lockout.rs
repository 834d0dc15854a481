//! The smart lockout: after how many wrong passwords, and from which source, the tenant refuses an account for a while.
//! Pure: the time and the counters are arguments. What is kept about wrong passwords does not reveal them.
//! Neighbours: the crate `store` keeps the counters (`tables::lockouts`); the sign-in checks the lock before it derives
//! anything.

mod budget;
mod remembered;

pub use budget::{AdBudget, MEMORY as BUDGET_MEMORY};
pub use remembered::{RefusedAt, Remembered};

use std::net::{IpAddr, Ipv6Addr};

/// The counter of wrong passwords of one account from one source. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Wrong passwords since the last lock or success. A repeat of the same password does not count.
    pub failures: u32,
    /// When the first of them was tried.
    pub first_at: i64,
    /// When the last of them was tried.
    pub last_at: i64,
    /// The end of the lock. Every sign-in before it is refused.
    pub locked_until: i64,
    /// Locks in a row.
    pub locks: u32,
}

/// The thresholds and durations of the lockout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Wrong passwords from one source until the account is locked for that source.
    pub threshold: u32,
    /// Wrong passwords from all sources together until the account is locked for all.
    pub threshold_all_sources: u32,
    /// Duration of the first lock, in seconds. Each further lock lasts twice as long.
    pub seconds: i64,
    /// Limit on the duration of a lock, in seconds.
    pub most_seconds: i64,
}

impl Rules {
    /// Rules from the two values of the configuration. The threshold over all sources is five times that of one
    /// source, so a guesser at one source is locked out before the person is locked out everywhere.
    pub fn new(threshold: u32, seconds: u32) -> Self {
        let threshold = threshold.max(1);
        let seconds = i64::from(seconds.max(1));
        Self {
            threshold,
            threshold_all_sources: threshold.saturating_mul(5),
            seconds,
            most_seconds: seconds.max(3600),
        }
    }

    /// Whether the account is locked at `now`. A lock that would last longer than the limit does not count, so that a
    /// clock that was set back does not lock accounts for years.
    pub fn locked(&self, tries: Option<&Tries>, now: i64) -> bool {
        tries.is_some_and(|t| now < t.locked_until && t.locked_until.saturating_sub(now) <= self.most_seconds)
    }

    /// Counts a wrong password and returns the new counter. After a lock, the next wrong password locks again
    /// immediately, for twice as long. A quiet time of [`Self::memory`] resets the counter.
    pub fn failed(&self, before: Option<Tries>, threshold: u32, now: i64) -> Tries {
        let before = before.filter(|t| now.saturating_sub(t.last_at.max(t.locked_until)) < self.memory());
        let mut tries = before.unwrap_or(Tries { first_at: now, ..Tries::default() });
        tries.failures = tries.failures.saturating_add(1);
        tries.last_at = now;
        if tries.failures >= threshold || tries.locks > 0 {
            let doublings = tries.locks.min(32);
            let lasts = self.seconds.saturating_mul(1_i64 << doublings).min(self.most_seconds);
            tries.locked_until = now.saturating_add(lasts);
            tries.locks = tries.locks.saturating_add(1);
            tries.failures = 0;
        }
        tries
    }

    /// Quiet seconds after which a counter is deleted: twice the longest lock.
    pub fn memory(&self) -> i64 {
        self.most_seconds.saturating_mul(2)
    }
}

/// The counter over all sources after a success from one source: the failures of that source no longer count, those of
/// other sources stay. None: the counter is empty and can be deleted.
pub fn forgiven(all: Tries, own: &Tries) -> Option<Tries> {
    let left = Tries { failures: all.failures.saturating_sub(own.failures), ..all };
    if left.failures == 0 && left.locks == 0 { None } else { Some(left) }
}

/// The source under which a sign-in is counted. An IPv4 address counts whole. An IPv6 address counts by its /64,
/// because a household has all of it. Other text counts in lower case, cut at 64 bytes. The result is never empty.
pub fn source(text: &str) -> String {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(|a| a.to_canonical());
    match address {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
        Err(_) if text.is_empty() => "unknown".to_owned(),
        Err(_) => {
            let mut cut = String::new();
            for c in text.chars().flat_map(char::to_lowercase) {
                if cut.len() + c.len_utf8() > 64 {
                    break;
                }
                cut.push(if c.is_control() { ' ' } else { c });
            }
            cut
        }
    }
}

#[cfg(test)]
mod tests;
