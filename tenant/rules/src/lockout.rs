//! The smart lockout: how many wrong passwords, from where, until the tenant stops listening for a while.
//! Pure: the clock and the counters are arguments. What is absent: the database ([`crate::store::lockouts`]), and
//! any way to learn a password from what is remembered.
//! Before it on the road: `directory`. After it: `signin`, which asks before it derives anything.

mod budget;
mod remembered;

pub use budget::{AdBudget, MEMORY as BUDGET_MEMORY};
pub use remembered::{RefusedAt, Remembered};

use std::net::{IpAddr, Ipv6Addr};

/// One counter. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Wrong passwords since the last lock or success; the same one again does not count.
    pub failures: u32,
    /// The first of them.
    pub first_at: i64,
    /// The last of them.
    pub last_at: i64,
    /// Nobody is listened to before this.
    pub locked_until: i64,
    /// How many locks in a row.
    pub locks: u32,
}

/// How strict the lockout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Wrong passwords from one source until the account is locked for that source.
    pub threshold: u32,
    /// Wrong passwords from all sources together until it is locked for all.
    pub threshold_all_sources: u32,
    /// How long the first lock lasts, in seconds; each further one lasts twice as long.
    pub seconds: i64,
    /// No lock lasts longer, in seconds.
    pub most_seconds: i64,
}

impl Rules {
    /// Rules by the two figures of the configuration. From all sources together five times as many tries are
    /// heard as from one, so that a stranger cannot lock a person out as cheaply as himself.
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

    /// Whether nobody is listened to at `now`. A lock never counts as longer than the longest one, so that a
    /// clock that was set back locks nobody out for years.
    pub fn locked(&self, tries: Option<&Tries>, now: i64) -> bool {
        tries.is_some_and(|t| now < t.locked_until && t.locked_until.saturating_sub(now) <= self.most_seconds)
    }

    /// Counts a wrong password. After a lock, the next one locks again at once, and for twice as long; a quiet
    /// time as long as two longest locks forgets everything.
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

    /// After how many quiet seconds a counter is forgotten.
    pub fn memory(&self) -> i64 {
        self.most_seconds.saturating_mul(2)
    }
}

/// What was proved right from one source is taken off the counter over all: others' wrong tries stay.
/// None: nothing is left to remember.
pub fn forgiven(all: Tries, own: &Tries) -> Option<Tries> {
    let left = Tries { failures: all.failures.saturating_sub(own.failures), ..all };
    if left.failures == 0 && left.locks == 0 { None } else { Some(left) }
}

/// The source as it is counted: an IPv4 address; of an IPv6 address the /64, because a household holds all of
/// it; anything else as it is, in lower case and cut at 64 bytes. Never empty.
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
