//! The rates of applications.
//! Neighbours: [`super::Applications`] charges them.

use crate::lock::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A token bucket for each application. It holds the sign-ins of one minute and fills evenly.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<Uuid, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    /// Charges one sign-in. The error is the time until the next one is allowed.
    pub fn charge(&self, app: Uuid, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let full = f64::from(per_minute.max(1));
        let per_second = full / 60.0;
        let mut buckets = lock(&self.0);
        let bucket = buckets.entry(app).or_insert(Bucket { left: full, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        *bucket = Bucket { left: (bucket.left + passed * per_second).min(full), at: now };
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - bucket.left) / per_second))
        }
    }

    /// Removes the bucket of an application that was revoked.
    pub fn forget(&self, app: Uuid) {
        lock(&self.0).remove(&app);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bucket_gives_a_minutes_worth_and_then_as_fast_as_it_fills() {
        let (rates, app, start) = (Rates::default(), Uuid::from_u128(1), Instant::now());
        for _ in 0..60 {
            rates.charge(app, 60, start).unwrap();
        }
        let wait = rates.charge(app, 60, start).unwrap_err();
        assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(990), "{wait:?}");
        rates.charge(app, 60, start + Duration::from_millis(1001)).unwrap();
        assert!(rates.charge(app, 60, start + Duration::from_millis(1002)).is_err());
        rates.charge(Uuid::from_u128(2), 60, start).unwrap();
    }
}
