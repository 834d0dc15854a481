//! Upgrades of the tables on a server while nodes of an older version serve. A step has two parts: what it adds, which older
//! programs do not mind, and what it takes away, which they need. A new program adds when it opens the database; it takes away
//! when no node of an older version is left.
//!
//! `schema_version` says which version the tables have, and the oldest version whose programs can use them. Each node notes
//! its version in its row, under a lock that the taking away excludes.
//! Neighbours: [`super::database`] runs these; [`crate::upgrade`] has the steps of files.

use crate::engine::OptionalRow as _;
use crate::schema::SCHEMA_VERSION;
use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// What an upgrade begins with. While it waits for a table, others wait behind it, so it does not wait for long.
pub(super) const LOCKED: &str =
    "SET LOCAL lock_timeout = '500ms'; LOCK TABLE schema_version IN EXCLUSIVE MODE";
/// The same for a node that notes its version: several can at once.
pub(super) const NOTING: &str = "SET LOCAL lock_timeout = '500ms'; LOCK TABLE schema_version IN SHARE MODE";

/// A step from the version before.
#[derive(Debug)]
pub(super) struct Step {
    /// The version that it leads to.
    pub(super) to: i64,
    /// Statements that add tables, indexes, and columns that have a default or may be NULL.
    pub(super) add: &'static str,
    /// Statements that take away what only older programs use.
    pub(super) take_away: &'static str,
}

/// What a program knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The version that it reads and writes.
    pub(super) version: i64,
    /// The steps to it. PostgreSQL came with version 5, so the first would lead to 6.
    pub(super) steps: &'static [Step],
}

/// What this program knows.
pub(super) const KNOWN: Known = Known { version: SCHEMA_VERSION, steps: &[] };

/// The versions of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    /// The version that they have.
    pub(super) tables: i64,
    /// The oldest version whose programs can use them.
    pub(super) oldest: i64,
}

/// The versions; none: there are no tables, or a transfer into them has not ended.
pub(super) fn versions(reading: &Reading<'_>) -> Result<Option<Versions>, StoreError> {
    if !has_tables(reading)? {
        return Ok(None);
    }
    let sql = "SELECT version, oldest FROM schema_version WHERE version IS NOT NULL";
    let read = |tables, oldest| Versions { tables, oldest };
    reading.prepare_cached(sql)?.query_row((), |row| Ok(read(row.get(0)?, row.get(1)?))).optional()
}

/// Whether there are tables, of a tenant or of a transfer.
pub(super) fn has_tables(reading: &Reading<'_>) -> Result<bool, StoreError> {
    let there = "SELECT count(*) FROM information_schema.tables
                 WHERE table_schema = 'landbridge' AND table_name = 'schema_version'";
    let count: i64 = reading.query_row(there, (), |row| row.get(0))?;
    Ok(count > 0)
}

/// Makes the tables those of a tenant of this version.
pub(super) fn set(writing: &Writing<'_>, version: i64) -> Result<(), StoreError> {
    let sql =
        "UPDATE schema_version SET version = ?1, oldest = ?1, source_tenant = NULL, source_generation = NULL";
    writing.execute(sql, [version]).map(drop)
}

/// Adds what the program needs. False: another program has done it meanwhile. The caller holds [`LOCKED`].
pub(super) fn add(writing: &Writing<'_>, known: Known) -> Result<bool, StoreError> {
    let before = versions(writing)?.filter(|before| before.tables < known.version);
    let Some(before) = before else { return Ok(false) };
    for step in known.steps.iter().filter(|step| step.to > before.tables) {
        writing.run_commands(step.add)?;
    }
    writing.execute("UPDATE schema_version SET version = ?1", [known.version])?;
    Ok(true)
}

/// The oldest version whose programs can use the tables, if something is left that only older programs than this one use and
/// no node of an older version is.
pub(super) fn to_take_away_from(reading: &Reading<'_>, known: Known) -> Result<Option<i64>, StoreError> {
    // A newer program than this one does its own.
    let is_due = |versions: &Versions| versions.oldest < known.version && versions.tables == known.version;
    let Some(Versions { oldest, .. }) = versions(reading)?.filter(is_due) else { return Ok(None) };
    let sql = "SELECT count(*) FROM nodes WHERE schema < ?1";
    let older = reading.query_row(sql, [known.version], |row| row.get::<i64>(0))?;
    Ok((older == 0).then_some(oldest))
}

/// Takes away what only older programs use. False: a node of an older version is left, or there is nothing. The caller holds
/// [`LOCKED`].
pub(super) fn take_away(writing: &Writing<'_>, known: Known) -> Result<bool, StoreError> {
    let Some(oldest) = to_take_away_from(writing, known)? else { return Ok(false) };
    for step in known.steps.iter().filter(|step| step.to > oldest) {
        writing.run_commands(step.take_away)?;
    }
    writing.execute("UPDATE schema_version SET oldest = ?1", [known.version])?;
    Ok(true)
}

/// Notes that a node uses the tables by this version, unless they are not for it any more: returns the versions. The caller
/// holds [`NOTING`].
pub(super) fn note(writing: &Writing<'_>, node: Uuid, known: Known) -> Result<Option<Versions>, StoreError> {
    let versions = versions(writing)?;
    if versions.is_some_and(|versions| versions.oldest <= known.version) {
        // Nothing is written again: a server whose replica is gone acknowledges no write, and a node starts there too.
        let sql = "UPDATE nodes SET schema = ?2 WHERE id = ?1 AND (schema IS NULL OR schema <> ?2)";
        writing.execute(sql, crate::engine::params![node.as_bytes(), known.version])?;
    }
    Ok(versions)
}

#[cfg(test)]
mod tests;
