//! The wall clock of the running tenant, and its stop signal.
//! Rules and storage never read a clock: their callers pass the time as an argument.

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

/// Returns when the stop signal is set, or when its sender is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
