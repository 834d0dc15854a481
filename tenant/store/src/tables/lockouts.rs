//! The table `lockouts`: the counters of the smart lockout, for each account and known source, and for each account
//! over all unknown sources. They survive a restart. An account has at most [`KNOWN_SOURCES`] rows of known sources
//! and one more, and names that no account has have [`UNKNOWN_NAMES`] in all, so the size of the table is bounded by the
//! directory.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes the counters; the sign-in reads and writes them.

use crate::engine::{OptionalRow as _, Row, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::lockout::{KNOWN_SOURCES, Tries};
use landbridge_tenant_rules::sign_in::Subject;
use uuid::Uuid;

/// Limit on the rows of names that no account has. The oldest are deleted, and no row of an account is.
pub const UNKNOWN_NAMES: i64 = 10_000;

/// The source of the row over all unknown sources. No known source is empty.
pub const UNKNOWN_SOURCES: &str = "";

/// The source of the row of a place, as this caller states it. Neither part has a comma.
pub fn of_known(place: &str, caller: &str) -> String {
    format!("{place}, {caller}")
}

fn from_row(row: &Row<'_>) -> Result<Tries, StoreError> {
    Ok(Tries {
        failures: row.get(0)?,
        first_at: row.get(1)?,
        last_at: row.get(2)?,
        locked_until: row.get(3)?,
        locks: row.get(4)?,
    })
}

/// The columns in the order of [`from_row`].
const COLUMNS: &str = "failures, first_at, last_at, locked_until, locks";

/// The counter of an account and a source, if there is one.
pub fn find(reading: &Reading<'_>, object: Uuid, source: &str) -> Result<Option<Tries>, StoreError> {
    let mut statement = reading
        .prepare_cached(&format!("SELECT {COLUMNS} FROM lockouts WHERE object = ?1 AND source = ?2"))?;
    statement.query_row((object.as_bytes(), source), from_row).optional()
}

/// All counters of an account, with their sources.
pub fn of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<(String, Tries)>, StoreError> {
    let mut statement = reading.prepare_cached(&format!(
        "SELECT {COLUMNS}, source FROM lockouts WHERE object = ?1 ORDER BY source"
    ))?;
    let rows = statement.query_map([object.as_bytes()], |row| Ok((row.get(5)?, from_row(row)?)))?;
    rows.collect::<Result<_, _>>()
}

/// Replaces a counter that was read as `before` (none: there was none) with `after`, and deletes the account's oldest
/// counters over the limit. [`StoreError::Conflict`]: another writer has changed it since.
pub fn replace(
    writing: &Writing<'_>,
    subject: Subject,
    source: &str,
    before: Option<&Tries>,
    after: &Tries,
) -> Result<(), StoreError> {
    let object = subject.id();
    let changed = match before {
        None => writing
            .prepare_cached(
                "INSERT INTO lockouts (object, source, failures, first_at, last_at, locked_until, locks, unknown_name)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            )?
            .execute((
                object.as_bytes(),
                source,
                after.failures,
                after.first_at,
                after.last_at,
                after.locked_until,
                after.locks,
                subject.account().is_none(),
            ))?,
        Some(before) => writing
            .prepare_cached(
                "UPDATE lockouts SET failures = ?3, first_at = ?4, last_at = ?5, locked_until = ?6, locks = ?7
                 WHERE object = ?1 AND source = ?2 AND failures = ?8 AND first_at = ?9 AND last_at = ?10
                     AND locked_until = ?11 AND locks = ?12",
            )?
            .execute(params![
                object.as_bytes(),
                source,
                after.failures,
                after.first_at,
                after.last_at,
                after.locked_until,
                after.locks,
                before.failures,
                before.first_at,
                before.last_at,
                before.locked_until,
                before.locks,
            ])?,
    };
    if changed != 1 {
        return Err(StoreError::Conflict);
    }
    if before.is_none() {
        writing
            .prepare_cached(
                "DELETE FROM lockouts WHERE object = ?1 AND source IN (
                     SELECT source FROM lockouts WHERE object = ?1 AND source <> ?2
                     ORDER BY source = ?3 DESC, last_at DESC LIMIT 1000 OFFSET ?4)",
            )?
            .send((object.as_bytes(), UNKNOWN_SOURCES, source, KNOWN_SOURCES))?;
    }
    Ok(())
}

/// Deletes a counter that was read as `before`. [`StoreError::Conflict`]: another writer has changed it since.
pub fn remove(writing: &Writing<'_>, object: Uuid, source: &str, before: &Tries) -> Result<(), StoreError> {
    let changed = writing
        .prepare_cached(
            "DELETE FROM lockouts WHERE object = ?1 AND source = ?2 AND failures = ?3 AND first_at = ?4 AND last_at = ?5
                 AND locked_until = ?6 AND locks = ?7",
        )?
        .execute((
            object.as_bytes(),
            source,
            before.failures,
            before.first_at,
            before.last_at,
            before.locked_until,
            before.locks,
        ))?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Deletes the counters whose last failure and lock are before `before` (seconds since 1970). Returns their number.
pub fn prune(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM lockouts WHERE last_at < ?1 AND locked_until < ?1", [before])
}

/// Deletes the oldest counters of names that no account has, over [`UNKNOWN_NAMES`]. Returns their number.
pub fn prune_unknown_names(writing: &Writing<'_>) -> Result<usize, StoreError> {
    // They are counted first, which an index does: sorting them is for when there are too many.
    let count = "SELECT count(*) FROM lockouts WHERE unknown_name = 1";
    if writing.query_row(count, (), |row| row.get::<i64>(0))? <= UNKNOWN_NAMES {
        return Ok(0);
    }
    writing.execute(
        "DELETE FROM lockouts WHERE unknown_name = 1 AND object IN (
             SELECT object FROM lockouts WHERE unknown_name = 1
             ORDER BY last_at DESC, object DESC LIMIT 100000 OFFSET ?1)",
        [UNKNOWN_NAMES],
    )
}
