//! The table `password_changes`: passwords that were changed by way of the tenant. Until the digest of the new password
//! arrives, it tells which digests are of a password before the change: an upload under way does not bring one back.
//! Neighbours: the change of a password notes it; the ingest compares.

use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::account_state::TICKS_A_SECOND;
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
    let sql =
        "INSERT INTO password_changes (object, stamp, set_at, wanted, changed_at) VALUES (?1, ?2, ?3, 0, ?4)
               ON CONFLICT (object) DO UPDATE SET stamp = COALESCE(excluded.stamp, password_changes.stamp),
                   set_at = COALESCE(excluded.set_at, password_changes.set_at), wanted = 0,
                   changed_at = excluded.changed_at";
    let (stamp, set_at) = (dropped.map(stamps::to_bytes), password_set.map(seconds));
    writing.execute(sql, params![object.as_bytes(), stamp, set_at, now])?;
    Ok(())
}

/// Notes that the digest was dropped, and that it is not known whether the password was changed: the one that holds is
/// wanted.
pub fn want(writing: &Writing<'_>, object: Uuid, now: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO password_changes (object, wanted, changed_at) VALUES (?1, 1, ?2)
               ON CONFLICT (object) DO UPDATE SET wanted = 1, changed_at = excluded.changed_at";
    writing.execute(sql, params![object.as_bytes(), now])?;
    Ok(())
}

/// Accounts of the domain whose digest is wanted, those that wait longest first.
pub fn wanted(reading: &Reading<'_>, domain: i64, limit: usize) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT p.object FROM password_changes p JOIN objects o ON o.object = p.object
               WHERE p.wanted = 1 AND o.domain = ?1 ORDER BY p.changed_at, p.object LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = reading.prepare_cached(sql)?;
    let objects = select.query_map(params![domain, limit], |row| stamps::guid(row, 0))?;
    Ok(objects.collect::<Result<_, _>>()?)
}

/// Changes before `before` after which a digest was dropped and none has arrived: the digest that holds is wanted again,
/// whichever it is. Returns the accounts. Times are in seconds since 1970.
pub fn doubt(writing: &Writing<'_>, before: i64, now: i64) -> Result<Vec<Uuid>, StoreError> {
    let sql = "UPDATE password_changes SET stamp = NULL, set_at = NULL, wanted = 1, changed_at = ?2
               WHERE wanted = 0 AND stamp IS NOT NULL AND changed_at < ?1 RETURNING object";
    let mut update = writing.prepare_cached(sql)?;
    let objects = update.query_map([before, now], |row| stamps::guid(row, 0))?;
    Ok(objects.collect::<Result<_, _>>()?)
}

/// Forgets the wishes that no phs has fulfilled since `before`, in seconds since 1970: it does not carry these passwords.
pub fn forget_wanted(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    let sql = "UPDATE password_changes SET wanted = 0 WHERE wanted = 1 AND changed_at < ?1";
    Ok(writing.execute(sql, [before])?)
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
    filetime / TICKS_A_SECOND
}
