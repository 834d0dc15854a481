//! The table `refused_objects`: objects that a domain uploaded although they belong to another domain. An administrator
//! reads it to see what moved in the forest, or what a phs tries.
//! Neighbours: the ingest notes; the administration lists, and forgets what it has moved.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// Limit on the refused objects of one domain: as many as one list shows. The ones that were refused longest ago leave.
pub const MOST: u32 = 10_000;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// An object that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedObject {
    /// objectGUID.
    pub object: Uuid,
    /// When it was first refused: seconds since 1970.
    pub first_at: i64,
    /// When it was last refused: seconds since 1970.
    pub last_at: i64,
}

/// Notes that the domain uploaded this object at `now`. True: it has not done so before on this day of UTC.
pub fn note(writing: &Writing<'_>, domain: i64, object: Uuid, now: i64) -> Result<bool, StoreError> {
    let key = (domain, object.as_bytes());
    let last: Option<i64> = writing
        .prepare_cached("SELECT last_at FROM refused_objects WHERE domain = ?1 AND object = ?2")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    writing
        .prepare_cached(
            "INSERT INTO refused_objects (domain, object, first_at, last_at) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (domain, object) DO UPDATE SET last_at = excluded.last_at",
        )?
        .send((key.0, key.1, now))?;
    Ok(last.is_none_or(|last| last.div_euclid(DAY) != now.div_euclid(DAY)))
}

/// Deletes what is above [`MOST`], the oldest first.
pub fn prune(writing: &Writing<'_>, domain: i64) -> Result<(), StoreError> {
    let surplus = count(writing, domain, i64::MIN)?.saturating_sub(MOST.into());
    if surplus > 0 {
        let oldest = "DELETE FROM refused_objects WHERE domain = ?1 AND object IN
             (SELECT object FROM refused_objects WHERE domain = ?1 ORDER BY last_at, object LIMIT ?2)";
        writing.send(oldest, (domain, surplus))?;
    }
    Ok(())
}

/// Number of objects of the domain that were refused at `since` (seconds since 1970) or later.
pub fn count(reading: &Reading<'_>, domain: i64, since: i64) -> Result<i64, StoreError> {
    let count = "SELECT count(*) FROM refused_objects WHERE domain = ?1 AND last_at >= ?2";
    Ok(reading.prepare_cached(count)?.query_row((domain, since), |row| row.get(0))?)
}

/// The refused objects of the domain that belong to the domain `home`, those that were refused last first. There are
/// at most [`MOST`].
pub fn of(reading: &Reading<'_>, domain: i64, home: i64) -> Result<Vec<RefusedObject>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT r.object, r.first_at, r.last_at FROM refused_objects r
         WHERE r.domain = ?1 AND coalesce((SELECT o.domain FROM objects o WHERE o.object = r.object),
                                          (SELECT h.domain FROM homes h WHERE h.object = r.object)) = ?2
         ORDER BY r.last_at DESC, r.object",
    )?;
    let rows = statement.query_map((domain, home), |row| {
        Ok(RefusedObject { object: stamps::guid(row, 0)?, first_at: row.get(1)?, last_at: row.get(2)? })
    })?;
    rows.collect::<Result<_, _>>()
}

/// Deletes the note about an object. False: there was none.
pub fn forget(writing: &Writing<'_>, domain: i64, object: Uuid) -> Result<bool, StoreError> {
    let delete = "DELETE FROM refused_objects WHERE domain = ?1 AND object = ?2";
    Ok(writing.execute(delete, (domain, object.as_bytes()))? > 0)
}
