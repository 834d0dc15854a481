//! The rates of applications.
//!
//! On a file the bucket of an application is in memory. On a shared database it is a row, from which each node leases a
//! second's worth at a time: all nodes together get no more than the rate. What a node has leased and not used it may use
//! later.
//! Neighbours: [`super::Applications`] charges them; [`app_rates`] stores the rows.

use crate::clock::unix_now_millis;
use crate::lock::lock;
use landbridge_tenant_store::tables::app_rates::{self, StoredRate};
use landbridge_tenant_store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Parts of a sign-in in which a row counts. A bucket fills by one part a millisecond for each sign-in of its rate.
const PARTS: i64 = 60_000;
/// How far the time of a row may be ahead of this machine's clock, in milliseconds. Clocks of nodes differ by at most 2 s.
/// A row that is further ahead was written by a clock that was wrong, and fills from now on.
const MOST_AHEAD: i64 = 60_000;

/// A token bucket for each application. It holds the sign-ins of one minute and fills evenly.
#[derive(Debug)]
pub struct Rates {
    /// The database, if other nodes may serve it.
    shared: Option<Arc<Store>>,
    buckets: Mutex<HashMap<Uuid, Bucket>>,
    leases: Mutex<HashMap<Uuid, Arc<Mutex<Lease>>>>,
}

/// What this node has of a row.
#[derive(Debug, Default)]
struct Lease {
    /// Sign-ins that were leased and not used.
    left: u32,
    /// Until then the row is empty.
    refused_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    /// The rates over this database.
    pub fn new(store: &Arc<Store>) -> Self {
        let shared = store.is_shared().then(|| store.clone());
        Self { shared, buckets: Mutex::default(), leases: Mutex::default() }
    }

    /// Charges one sign-in. The inner error is the time until the next one is allowed. Blocks.
    pub fn charge(
        &self,
        app: Uuid,
        per_minute: u32,
        now: Instant,
    ) -> Result<Result<(), Duration>, StoreError> {
        match &self.shared {
            None => Ok(self.charge_own(app, per_minute, now)),
            Some(store) => self.charge_shared(store, app, per_minute, (now, unix_now_millis())),
        }
    }

    fn charge_own(&self, app: Uuid, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let full = f64::from(per_minute.max(1));
        let per_second = full / 60.0;
        let mut buckets = lock(&self.buckets);
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

    /// The same with a row. `now` is also in milliseconds since 1970.
    fn charge_shared(
        &self,
        store: &Store,
        app: Uuid,
        per_minute: u32,
        (now, millis): (Instant, i64),
    ) -> Result<Result<(), Duration>, StoreError> {
        // 1. What is leased. Sign-ins of the application wait here for each other's lease.
        let lease = lock(&self.leases).entry(app).or_default().clone();
        let mut lease = lock(&lease);
        if lease.left == 0 {
            if let Some(wait) = lease.refused_until.and_then(|until| until.checked_duration_since(now))
                && !wait.is_zero()
            {
                return Ok(Err(wait));
            }
            // 2. A second's worth of the row.
            let leased = store.write_short("rate-lease", |writing| {
                let before = app_rates::find(writing, app)?;
                let (leased, after) = leased(before, per_minute, millis);
                if let Some(after) = after {
                    app_rates::replace(writing, app, before.as_ref(), &after)?;
                }
                Ok(leased)
            })?;
            match leased {
                Ok(number) => lease.left = number,
                Err(wait) => {
                    lease.refused_until = Some(now + wait);
                    return Ok(Err(wait));
                }
            }
        }
        // 3. One of it.
        lease.left -= 1;
        Ok(Ok(()))
    }

    /// Removes the bucket of an application that was revoked. Blocks.
    pub fn forget(&self, app: Uuid) {
        lock(&self.buckets).remove(&app);
        lock(&self.leases).remove(&app);
        if let Some(store) = &self.shared
            && let Err(error) = store.write_short("rate-forget", |writing| app_rates::remove(writing, app))
        {
            // The row is small, and nothing reads it any more.
            tracing::warn!(%error, "the rate of a revoked application could not be deleted");
        }
    }
}

/// Leases at most a second's worth of a row. Returns the number of sign-ins and the row after that; or the time until there
/// is one. `now` is in milliseconds since 1970.
fn leased(
    before: Option<StoredRate>,
    per_minute: u32,
    now: i64,
) -> (Result<u32, Duration>, Option<StoredRate>) {
    let fills = i64::from(per_minute.max(1));
    let full = fills.saturating_mul(PARTS);
    // 1. What it has now. A clock that goes back fills nothing.
    let before = before.unwrap_or(StoredRate { remaining: full, filled_at: now });
    let passed = now.saturating_sub(before.filled_at);
    let filled_at = if passed < -MOST_AHEAD { now } else { before.filled_at.max(now) };
    let more = fills.saturating_mul(passed.max(0));
    let has = before.remaining.saturating_add(more).min(full);
    // 2. A part of it.
    let whole = u32::try_from(has / PARTS).unwrap_or(0);
    let number = whole.min((per_minute / 60).max(1));
    if number == 0 {
        let missing = u64::try_from((PARTS - has).max(0)).unwrap_or(0);
        return (Err(Duration::from_millis(missing.div_ceil(fills.unsigned_abs()))), None);
    }
    let remaining = has - i64::from(number) * PARTS;
    (Ok(number), Some(StoredRate { remaining, filled_at }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use landbridge_tenant_fixture::{Tenant, keys, postgres};

    #[test]
    fn a_bucket_gives_a_minutes_worth_and_then_as_fast_as_it_fills() {
        let (rates, app, start) = (Rates::new(&Tenant::new().store), Uuid::from_u128(1), Instant::now());
        for _ in 0..60 {
            rates.charge_own(app, 60, start).unwrap();
        }
        let wait = rates.charge_own(app, 60, start).unwrap_err();
        assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(990), "{wait:?}");
        rates.charge_own(app, 60, start + Duration::from_millis(1001)).unwrap();
        assert!(rates.charge_own(app, 60, start + Duration::from_millis(1002)).is_err());
        rates.charge_own(Uuid::from_u128(2), 60, start).unwrap();
    }

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn a_row_is_leased_by_the_second_and_fills_evenly() {
        let stored = |remaining, filled_at| Some(StoredRate { remaining, filled_at });
        let lease = |row, now| leased(row, 600, now);
        assert_eq!(lease(None, NOW), (Ok(10), stored(590 * PARTS, NOW)));
        assert_eq!(lease(stored(3 * PARTS + 5, NOW), NOW), (Ok(3), stored(5, NOW)), "what there is");
        assert_eq!(lease(stored(0, NOW), NOW + 250), (Ok(2), stored(PARTS / 2, NOW + 250)));
        assert_eq!(lease(stored(0, NOW), NOW + 40), (Err(Duration::from_millis(60)), None));
        assert_eq!(lease(stored(0, NOW), NOW + 10_000_000), (Ok(10), stored(590 * PARTS, NOW + 10_000_000)));
        // A rate that was lowered holds at once; the slowest leases one.
        assert_eq!(leased(stored(590 * PARTS, NOW), 1, NOW), (Ok(1), stored(0, NOW)));
        assert_eq!(leased(stored(0, NOW), 1, NOW), (Err(Duration::from_secs(60)), None));
        // A clock that goes back fills nothing. A row from far ahead fills from now on.
        assert_eq!(lease(stored(PARTS, NOW), NOW - 2_000), (Ok(1), stored(0, NOW)));
        assert_eq!(lease(stored(PARTS, NOW), NOW - 100_000), (Ok(1), stored(0, NOW - 100_000)));
    }

    #[test]
    fn two_nodes_together_get_no_more_than_the_rate() {
        if !postgres::is_chosen() {
            return;
        }
        let tenant = Tenant::new();
        let other = Arc::new(Store::open(tenant.location.clone(), keys()).unwrap());
        let (stores, app, start) = ([tenant.store.clone(), other], Uuid::from_u128(1), Instant::now());
        let nodes = stores.each_ref().map(Rates::new);
        let allowed = |at: Duration| -> usize {
            let moment = (start + at, NOW + i64::try_from(at.as_millis()).unwrap());
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|n| {
                        let (rates, store) = (&nodes[n % 2], &stores[n % 2]);
                        let charge = move || rates.charge_shared(store, app, 1_200, moment).unwrap();
                        scope.spawn(move || (0..1_000).filter(|_| charge().is_ok()).count())
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            })
        };
        assert_eq!(allowed(Duration::ZERO), 1_200, "a minute's worth");
        assert_eq!(allowed(Duration::from_secs(1)), 20);
        assert_eq!(allowed(Duration::from_millis(1_049)), 0);
        assert_eq!(allowed(Duration::from_secs(3_600)), 1_200);
        // An application that was revoked leaves nothing.
        nodes[0].forget(app);
        assert_eq!(stores[1].read(|reading| app_rates::find(reading, app)).unwrap(), None);
    }
}
