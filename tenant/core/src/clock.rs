//! The wall clock of the running tenant, and its stop signal.
//! Rules and storage never read a clock: their callers pass the time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
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

    /// Notes a measurement, in milliseconds.
    pub(crate) fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::Release);
    }
}

/// Returns when the stop signal is set, or when its sender is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
