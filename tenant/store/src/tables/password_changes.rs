//! The table `password_changes`: passwords that were changed by way of the tenant. Until the digest of the new password
//! arrives, it tells which digests are of a password before the change: an upload under way does not bring one back.
//! Neighbours: the change of a password notes it; the ingest compares.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::account_state::TICKS_A_SECOND;
use landbridge_wire::upload::Stamp;
use uuid::Uuid;

/// Seconds for which a change holds that an agent has reported and of which phs has brought nothing. Replication between
/// sites may take hours, and until then the domain controller of phs has the password of before. After a day the agent is
/// not believed any more.
pub const BELIEVED: i64 = 86_400;

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
    let sql = "INSERT INTO password_changes (object, stamp, set_at, expected, doubted, wanted_at, changed_at)
               VALUES (?1, ?2, ?3, ?4, 0, NULL, ?5)
               ON CONFLICT (object) DO UPDATE SET stamp = COALESCE(excluded.stamp, password_changes.stamp),
                   set_at = COALESCE(excluded.set_at, password_changes.set_at),
                   expected = CASE WHEN excluded.expected = 1 THEN 1 ELSE password_changes.expected END,
                   doubted = 0, wanted_at = NULL, changed_at = excluded.changed_at";
    let (stamp, set_at) = (dropped.map(stamps::to_bytes), password_set.map(seconds));
    writing.send(sql, params![object.as_bytes(), stamp, set_at, dropped.is_some(), now])?;
    Ok(())
}

/// Notes that the digest was dropped, and that it is not known whether the password was changed: the one that holds is
/// wanted.
pub fn want(writing: &Writing<'_>, object: Uuid, now: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO password_changes (object, expected, doubted, wanted_at, changed_at) VALUES (?1, 1, 0, ?2, ?2)
               ON CONFLICT (object) DO UPDATE SET expected = 1, wanted_at = excluded.wanted_at,
                   changed_at = excluded.changed_at";
    writing.send(sql, params![object.as_bytes(), now])?;
    Ok(())
}

/// Accounts of the domain whose digest is wanted, those that wait longest first.
pub fn wanted(reading: &Reading<'_>, domain: i64, limit: usize) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT p.object FROM password_changes p JOIN objects o ON o.object = p.object
               WHERE p.wanted_at IS NOT NULL AND o.domain = ?1 ORDER BY p.wanted_at, p.object LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = reading.prepare_cached(sql)?;
    let objects = select.query_map(params![domain, limit], |row| stamps::guid(row, 0))?;
    objects.collect::<Result<_, _>>()
}

/// Doubts the changes from before `before` of which phs should have brought a digest and has brought none. Returns the
/// accounts, each once for a change. Times are in seconds since 1970.
pub fn doubt(writing: &Writing<'_>, before: i64) -> Result<Vec<Uuid>, StoreError> {
    let sql = "UPDATE password_changes SET doubted = 1
               WHERE expected = 1 AND doubted = 0 AND wanted_at IS NULL AND changed_at < ?1 RETURNING object";
    let mut update = writing.prepare_cached(sql)?;
    let objects = update.query_map([before], |row| stamps::guid(row, 0))?;
    objects.collect::<Result<_, _>>()
}

/// Believes the changes no longer that are doubted and older than [`BELIEVED`]: the digest that holds is wanted, whichever
/// it is. Returns the accounts.
pub fn disbelieve(writing: &Writing<'_>, now: i64) -> Result<Vec<Uuid>, StoreError> {
    let sql = "UPDATE password_changes SET stamp = NULL, set_at = NULL, wanted_at = ?2
               WHERE doubted = 1 AND expected = 1 AND wanted_at IS NULL AND changed_at < ?1 RETURNING object";
    let mut update = writing.prepare_cached(sql)?;
    let objects = update.query_map([now.saturating_sub(BELIEVED), now], |row| stamps::guid(row, 0))?;
    objects.collect::<Result<_, _>>()
}

/// A full compare of the domain has ended: forgets the wishes from before `before`, in seconds since 1970, that it has not
/// fulfilled. This phs does not carry these passwords.
pub fn forget_wanted(writing: &Writing<'_>, domain: i64, before: i64) -> Result<usize, StoreError> {
    let sql = "UPDATE password_changes SET wanted_at = NULL, expected = 0 WHERE wanted_at < ?2
               AND object IN (SELECT object FROM objects WHERE domain = ?1)";
    writing.execute(sql, [domain, before])
}

/// A change of an account's password of which no digest has arrived.
pub struct Change {
    /// The stamp of the digest of before; none: there was none.
    dropped: Option<Stamp>,
    /// The new pwdLastSet, in seconds since 1601; none: it is not known.
    set_at: Option<i64>,
    /// When it was made, in seconds since 1970.
    changed_at: i64,
}

impl Change {
    /// Whether it keeps a digest with this stamp out, which is of a password from before it. Only if it was made at `since`
    /// or later, in seconds since 1970.
    pub fn keeps_out(&self, stamp: &Stamp, since: i64) -> bool {
        let written = i64::try_from(stamp.time).unwrap_or(i64::MAX);
        let is_before = self.dropped.is_some_and(|dropped| *stamp <= dropped)
            || self.set_at.is_some_and(|set_at| written < set_at);
        self.changed_at >= since && is_before
    }
}

/// The change of an account's password; none: there is none, or its digest has arrived.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<Change>, StoreError> {
    let row = reading
        .prepare_cached("SELECT stamp, set_at, changed_at FROM password_changes WHERE object = ?1")?
        .query_row([object.as_bytes()], |row| Ok((row.get::<Option<Vec<u8>>>(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((dropped, set_at, changed_at)) = row else { return Ok(None) };
    let dropped = dropped.map(|bytes| stamps::from_bytes(&bytes)).transpose()?;
    Ok(Some(Change { dropped, set_at, changed_at }))
}

/// The digest of the new password has arrived.
pub fn forget(writing: &Writing<'_>, object: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM password_changes WHERE object = ?1";
    writing.prepare_cached(sql)?.send([object.as_bytes()])?;
    Ok(())
}

/// A FILETIME in seconds since 1601.
fn seconds(filetime: i64) -> i64 {
    filetime / TICKS_A_SECOND
}
