//! The table `ad_budget`: the bad passwords of each account that may have reached AD.
//! Neighbours: [`landbridge_tenant_rules::lockout::AdBudget`] computes them; the sign-in reads and writes them.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::lockout::Spent;
use uuid::Uuid;

/// The charges of an account, if there are any.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<Spent>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT known, unknown, last_at FROM ad_budget WHERE object = ?1")?;
    let spent = statement.query_row([object.as_bytes()], |row| {
        Ok(Spent { known: row.get(0)?, unknown: row.get(1)?, last_at: row.get(2)? })
    });
    spent.optional()
}

/// Replaces the charges that were read as `before` (none: there were none) with `after` (none: there are none).
/// [`StoreError::Conflict`]: another writer has changed them since.
pub fn replace(
    writing: &Writing<'_>,
    object: Uuid,
    before: Option<&Spent>,
    after: Option<&Spent>,
) -> Result<(), StoreError> {
    let object = object.as_bytes();
    let changed = match (before, after) {
        (None, None) => return Ok(()),
        (None, Some(after)) => writing
            .prepare_cached(
                "INSERT INTO ad_budget (object, known, unknown, last_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute((object, after.known, after.unknown, after.last_at))?,
        (Some(before), None) => writing
            .prepare_cached(
                "DELETE FROM ad_budget WHERE object = ?1 AND known = ?2 AND unknown = ?3 AND last_at = ?4",
            )?
            .execute((object, before.known, before.unknown, before.last_at))?,
        (Some(before), Some(after)) => writing
            .prepare_cached(
                "UPDATE ad_budget SET known = ?2, unknown = ?3, last_at = ?4
                 WHERE object = ?1 AND known = ?5 AND unknown = ?6 AND last_at = ?7",
            )?
            .execute((
                object,
                after.known,
                after.unknown,
                after.last_at,
                before.known,
                before.unknown,
                before.last_at,
            ))?,
    };
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Deletes the charges whose last one is before `before` (seconds since 1970). Returns their number.
pub fn prune(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM ad_budget WHERE last_at < ?1", [before])
}
