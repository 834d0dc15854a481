//! The table `ad_budget`: the bad passwords of each account that may have reached AD, and those of questions to agents
//! that are under way.
//! Neighbours: [`landbridge_tenant_rules::lockout::AdBudget`] computes them; the sign-in reads and writes them.

use super::lockouts::UNKNOWN_NAMES;
use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::lockout::Spent;
use landbridge_tenant_rules::sign_in::Subject;
use uuid::Uuid;

/// The charges of an account, or of a name that no account has, if there are any.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<Spent>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT known, unknown, last_at, held_known, held_unknown, asked_until FROM ad_budget WHERE object = ?1",
    )?;
    let spent = statement.query_row([object.as_bytes()], |row| {
        Ok(Spent {
            known: row.get(0)?,
            unknown: row.get(1)?,
            last_at: row.get(2)?,
            held_known: row.get(3)?,
            held_unknown: row.get(4)?,
            asked_until: row.get(5)?,
        })
    });
    spent.optional()
}

/// Replaces the charges that were read as `before` (none: there were none) with `after` (none: there are none).
/// [`StoreError::Conflict`]: another writer has changed them since.
pub fn replace(
    writing: &Writing<'_>,
    subject: Subject,
    before: Option<&Spent>,
    after: Option<&Spent>,
) -> Result<(), StoreError> {
    let object = subject.id();
    let object = object.as_bytes();
    let changed = match (before, after) {
        (None, None) => return Ok(()),
        (None, Some(after)) => writing
            .prepare_cached(
                "INSERT INTO ad_budget
                     (object, known, unknown, last_at, held_known, held_unknown, asked_until, unknown_name)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            )?
            .execute((
                object,
                after.known,
                after.unknown,
                after.last_at,
                after.held_known,
                after.held_unknown,
                after.asked_until,
                subject.account().is_none(),
            ))?,
        (Some(before), None) => writing
            .prepare_cached(
                "DELETE FROM ad_budget WHERE object = ?1 AND known = ?2 AND unknown = ?3 AND last_at = ?4
                     AND held_known = ?5 AND held_unknown = ?6 AND asked_until = ?7",
            )?
            .execute((
                object,
                before.known,
                before.unknown,
                before.last_at,
                before.held_known,
                before.held_unknown,
                before.asked_until,
            ))?,
        (Some(before), Some(after)) => writing
            .prepare_cached(
                "UPDATE ad_budget SET known = ?2, unknown = ?3, last_at = ?4, held_known = ?5, held_unknown = ?6,
                     asked_until = ?7
                 WHERE object = ?1 AND known = ?8 AND unknown = ?9 AND last_at = ?10 AND held_known = ?11
                     AND held_unknown = ?12 AND asked_until = ?13",
            )?
            .execute(params![
                object,
                after.known,
                after.unknown,
                after.last_at,
                after.held_known,
                after.held_unknown,
                after.asked_until,
                before.known,
                before.unknown,
                before.last_at,
                before.held_known,
                before.held_unknown,
                before.asked_until,
            ])?,
    };
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Deletes the charges whose last one is before `before` (seconds since 1970). Returns their number.
pub fn prune(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM ad_budget WHERE last_at < ?1 AND asked_until < ?1", [before])
}

/// Deletes the oldest charges of names that no account has, over [`UNKNOWN_NAMES`]. Returns their number.
pub fn prune_unknown_names(writing: &Writing<'_>) -> Result<usize, StoreError> {
    let count = "SELECT count(*) FROM ad_budget WHERE unknown_name = 1";
    if writing.query_row(count, (), |row| row.get::<i64>(0))? <= UNKNOWN_NAMES {
        return Ok(0);
    }
    writing.execute(
        "DELETE FROM ad_budget WHERE unknown_name = 1 AND object IN (
             SELECT object FROM ad_budget WHERE unknown_name = 1
             ORDER BY last_at DESC, object DESC LIMIT 100000 OFFSET ?1)",
        [UNKNOWN_NAMES],
    )
}
