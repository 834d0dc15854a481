//! The wall clock of the running tenant, and its stop signal.
//! Rules and storage never read a clock: their callers pass the time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The time in seconds since 1970.
pub fn unix_now() -> i64 {
    unix_now_millis() / 1000
}

/// The time in milliseconds since 1970. No other function of the tenant reads the wall clock.
pub(crate) fn unix_now_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// The clock of this node may differ by this from that of the database, in milliseconds.
pub const MOST_DIFFERENCE: i64 = 2_000;

/// The clock of this node less that of the database, as it was measured last.
#[derive(Debug, Default)]
pub(crate) struct ClockDifference(AtomicI64);

impl ClockDifference {
    /// In milliseconds.
    pub(crate) fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether times of this node are right enough for others.
    pub(crate) fn is_right(&self) -> bool {
        self.milliseconds().abs() <= MOST_DIFFERENCE
    }

    /// This moment in milliseconds since 1970, by the clock of the database.
    pub(crate) fn in_database_time(&self, moment: Instant) -> i64 {
        let ago = i64::try_from(moment.elapsed().as_millis()).unwrap_or(i64::MAX);
        unix_now_millis().saturating_sub(self.milliseconds()).saturating_sub(ago)
    }

    /// The moment of a time of the database, which is in milliseconds since 1970. None: it is too early for an [`Instant`].
    /// A time that is still to come counts as now.
    pub(crate) fn moment(&self, database_time: i64) -> Option<Instant> {
        let now = Instant::now();
        let ago = self.in_database_time(now).saturating_sub(database_time);
        now.checked_sub(Duration::from_millis(u64::try_from(ago).unwrap_or(0)))
    }

    /// Notes a measurement, in milliseconds.
    pub(crate) fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::Release);
    }
}

/// Returns when the stop signal is set, or when its sender is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_by_the_clock_of_the_database_on_a_node_with_another_clock() {
        let (first, second) = (ClockDifference::default(), ClockDifference::default());
        first.set(1_500);
        second.set(-1_500);
        for ago in [0, 1, 900, 60_000].map(Duration::from_millis) {
            let began = Instant::now();
            let Some(moment) = began.checked_sub(ago) else { continue };
            let read = second.moment(first.in_database_time(moment) + 3_000);
            let apart = read.map(|read| read.max(moment).duration_since(read.min(moment)));
            let most = began.elapsed() + Duration::from_millis(2);
            assert!(apart.is_some_and(|apart| apart <= most), "{ago:?}: {apart:?}");
        }
        assert!(first.moment(i64::MAX).is_some_and(|moment| moment <= Instant::now()));
    }
}
