//! The smart lockout: after how many wrong passwords, and from which source, the tenant refuses an account for a while.
//! A known source of an account has a counter of its own, which other sources do not touch. All unknown sources of an
//! account share one counter. Pure: the time and the counters are arguments. What is kept about wrong passwords does
//! not reveal them.
//! Neighbours: the crate `store` keeps the counters (`tables::lockouts`); the sign-in checks the lock before it derives
//! anything.

mod budget;
mod remembered;
mod source;

pub use budget::{AdBudget, MEMORY as BUDGET_MEMORY, Spent};
pub use remembered::{RefusedAt, Remembered};
pub use source::{KNOWN_SECONDS, KNOWN_SOURCES, NotASource, Source, Standing, must_be_noted};

/// The counter of wrong passwords of one account: from one known source, or from all unknown sources together. Times
/// are in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Wrong passwords since the last lock. A repeat of the same password does not count.
    pub failures: u32,
    /// When the first of them was tried.
    pub first_at: i64,
    /// When the last of them was tried.
    pub last_at: i64,
    /// The end of the lock. Every sign-in before it is refused.
    pub locked_until: i64,
    /// Locks in a row, less those that have decayed by `last_at`.
    pub locks: u32,
}

/// Quiet times after which failures without a lock are forgotten: twice the longest lock. A guesser who stays under the
/// threshold then gets less than one who is locked out again and again.
const QUIET_TIMES: u32 = 4;

/// The threshold and the durations of the lockout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Wrong passwords until a lock: from one known source, or from all unknown sources together.
    pub threshold: u32,
    /// Duration of the first lock, in seconds. Each further lock in a row lasts twice as long.
    pub seconds: i64,
    /// Limit on the duration of a lock, in seconds.
    pub most_seconds: i64,
}

impl Rules {
    /// Rules from the two values of the configuration. The longest lock is an hour, or the first lock if that is
    /// longer.
    pub fn new(threshold: u32, seconds: u32) -> Self {
        let seconds = i64::from(seconds.max(1));
        Self { threshold: threshold.max(1), seconds, most_seconds: seconds.max(3600) }
    }

    /// Whether the counter is locked at `now`. A lock that would last longer than the limit does not count, so that a
    /// clock that was set back does not lock accounts for years.
    pub fn locked(&self, tries: Option<&Tries>, now: i64) -> bool {
        tries.is_some_and(|t| now < t.locked_until && t.locked_until.saturating_sub(now) <= self.most_seconds)
    }

    /// Counts a wrong password and returns the new counter. After a lock, the next wrong password locks again
    /// immediately, for twice as long, until quiet times have lowered the number of locks to zero.
    pub fn failed(&self, before: Option<Tries>, now: i64) -> Tries {
        let mut tries =
            before.map_or(Tries { first_at: now, ..Tries::default() }, |before| self.decayed(before, now));
        tries.failures = tries.failures.saturating_add(1);
        // A clock that was set back must not make a quiet time longer.
        tries.last_at = tries.last_at.max(now);
        if tries.failures >= self.threshold || tries.locks > 0 {
            let lasts = self.seconds.saturating_mul(1_i64 << tries.locks.min(32)).min(self.most_seconds);
            tries.locked_until = now.saturating_add(lasts);
            tries.locks = tries.locks.saturating_add(1).min(self.most_locks());
            tries.failures = 0;
        }
        tries
    }

    /// The counter after the time without a wrong password since its last one. Each quiet time lowers the number of
    /// locks by one, and [`QUIET_TIMES`] of them end the failures. A lock is quiet as well, because nothing is counted while it lasts.
    /// So a wrong password now and then does not keep a source out for ever.
    fn decayed(&self, tries: Tries, now: i64) -> Tries {
        let quiet = now.saturating_sub(tries.last_at).max(0) / self.quiet_seconds();
        let times = u32::try_from(quiet).unwrap_or(u32::MAX);
        let failures = if times < QUIET_TIMES { tries.failures } else { 0 };
        Tries { failures, locks: tries.locks.saturating_sub(times), ..tries }
    }

    /// Length of a quiet time, in seconds: half of the longest lock.
    fn quiet_seconds(&self) -> i64 {
        (self.most_seconds / 2).max(1)
    }

    /// Limit on the number of locks in a row that a counter remembers: those after which a lock has its longest
    /// duration. More would only take longer to decay.
    fn most_locks(&self) -> u32 {
        let longest = |locks: &u32| self.seconds.saturating_mul(1_i64 << locks.min(&32)) >= self.most_seconds;
        (1..32).find(longest).unwrap_or(32)
    }

    /// Seconds after the last wrong password and lock after which a counter can be deleted: it has decayed to nothing.
    pub fn memory(&self) -> i64 {
        self.quiet_seconds().saturating_mul(i64::from(self.most_locks().max(QUIET_TIMES)))
    }
}

#[cfg(test)]
mod tests;
