//! The counters of the smart lockout: per account and source, and per account over all sources. They survive a
//! restart. At most [`SOURCES_PER_ACCOUNT`] rows an account and one over all, so that the table is bounded by the directory.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes them, `signin` reads and writes them.

use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::lockout::Tries;
use rusqlite::{OptionalExtension as _, Row};
use uuid::Uuid;

/// How many sources are told apart for one account; beyond, the oldest is forgotten (the row over all sources
/// still counts it).
pub const SOURCES_PER_ACCOUNT: i64 = 64;

/// The name of the row over all sources. No source is empty.
pub const ALL_SOURCES: &str = "";

/// The name of the row that counts what AD may have counted ([`landbridge_tenant_rules::lockout::AdBudget`]). No source has a line end.
pub const DIRECTORY: &str = "\n";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Tries> {
    Ok(Tries {
        failures: row.get(0)?,
        first_at: row.get(1)?,
        last_at: row.get(2)?,
        locked_until: row.get(3)?,
        locks: row.get(4)?,
    })
}

const COLUMNS: &str = "failures, first_at, last_at, locked_until, locks";

/// The counter, if there is one.
pub fn find(reading: &Reading<'_>, object: Uuid, source: &str) -> Result<Option<Tries>, StoreError> {
    let mut statement = reading
        .prepare_cached(&format!("SELECT {COLUMNS} FROM lockouts WHERE object = ?1 AND source = ?2"))?;
    Ok(statement.query_row((object.as_bytes(), source), from_row).optional()?)
}

/// All counters of an account, with their source ([`ALL_SOURCES`] for the one over all).
pub fn of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<(String, Tries)>, StoreError> {
    let mut statement = reading.prepare_cached(&format!(
        "SELECT {COLUMNS}, source FROM lockouts WHERE object = ?1 ORDER BY source"
    ))?;
    let rows = statement.query_map([object.as_bytes()], |row| Ok((row.get(5)?, from_row(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a counter, and forgets the account's oldest one over the bound.
pub fn put(transaction: &Writing<'_>, object: Uuid, source: &str, tries: &Tries) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO lockouts (object, source, failures, first_at, last_at, locked_until, locks)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (object, source) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at,
                 last_at = excluded.last_at, locked_until = excluded.locked_until, locks = excluded.locks",
        )?
        .execute((
            object.as_bytes(),
            source,
            tries.failures,
            tries.first_at,
            tries.last_at,
            tries.locked_until,
            tries.locks,
        ))?;
    transaction
        .prepare_cached(
            "DELETE FROM lockouts WHERE object = ?1 AND source IN (
                 SELECT source FROM lockouts WHERE object = ?1 AND source NOT IN (?2, char(10))
                 ORDER BY source = ?3 DESC, last_at DESC LIMIT -1 OFFSET ?4)",
        )?
        .execute((object.as_bytes(), ALL_SOURCES, source, SOURCES_PER_ACCOUNT))?;
    Ok(())
}

/// Forgets a counter.
pub fn clear(transaction: &Writing<'_>, object: Uuid, source: &str) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM lockouts WHERE object = ?1 AND source = ?2")?
        .execute((object.as_bytes(), source))?;
    Ok(())
}

/// Forgets what failed last before `before` and is not locked after it. Says how many. Seconds since 1970.
pub fn prune(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    let delete = "DELETE FROM lockouts WHERE last_at < ?1 AND locked_until < ?1 AND source <> ?2";
    Ok(writing.execute(delete, (before, DIRECTORY))?)
}

/// Forgets what was added to AD's counts before `before`. Seconds since 1970.
pub fn prune_directory(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    let delete = "DELETE FROM lockouts WHERE last_at < ?1 AND source = ?2";
    Ok(writing.execute(delete, (before, DIRECTORY))?)
}
