//! The table `password_changes`: passwords that were changed by way of the tenant. Until the digest of the new password
//! arrives, it tells which digests are of a password before the change: an upload under way does not bring one back.
//! Neighbours: the change of a password notes it; the ingest compares.

use crate::{Reading, StoreError, Writing, stamps};
use landbridge_wire::upload::Stamp;
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

/// Notes a change. `dropped` is the stamp of the digest of before, `password_set` the new pwdLastSet as a FILETIME; `now`
/// is in seconds since 1970.
pub fn note(
    writing: &Writing<'_>,
    object: Uuid,
    dropped: Option<&Stamp>,
    password_set: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    // A second change comes before the digest of the first one: there is nothing to drop, and the first stamp holds.
    let sql = "INSERT INTO password_changes (object, stamp, set_at, changed_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (object) DO UPDATE SET stamp = COALESCE(excluded.stamp, password_changes.stamp),
                   set_at = COALESCE(excluded.set_at, password_changes.set_at), changed_at = excluded.changed_at";
    let (stamp, set_at) = (dropped.map(stamps::to_bytes), password_set.map(seconds));
    writing.execute(sql, params![object.as_bytes(), stamp, set_at, now])?;
    Ok(())
}

/// Whether a digest with this stamp may be of the password after the last change, or of a later one.
pub fn allows(reading: &Reading<'_>, object: Uuid, stamp: &Stamp) -> Result<bool, StoreError> {
    let row = reading
        .prepare_cached("SELECT stamp, set_at FROM password_changes WHERE object = ?1")?
        .query_row([object.as_bytes()], |row| {
            Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    let Some((dropped, set_at)) = row else { return Ok(true) };
    let dropped = dropped.map(|bytes| stamps::from_bytes(&bytes)).transpose()?;
    let written = i64::try_from(stamp.time).unwrap_or(i64::MAX);
    Ok(dropped.is_none_or(|dropped| dropped < *stamp) && set_at.is_none_or(|set_at| set_at <= written))
}

/// The digest of the new password has arrived.
pub fn forget(writing: &Writing<'_>, object: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM password_changes WHERE object = ?1";
    writing.prepare_cached(sql)?.execute([object.as_bytes()])?;
    Ok(())
}

/// A FILETIME in seconds since 1601.
fn seconds(filetime: i64) -> i64 {
    filetime / 10_000_000
}
