//! The table `signin_names`: names that accounts sign in with, in lower case, derived from attributes. Only present
//! accounts have names.
//! Neighbours: the ingest writes; the sign-in and the directory look names up.

use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::names::{Whose, folded};
use uuid::Uuid;

/// Replaces the names of an account. `before`: the names that are stored now.
pub fn set(
    writing: &Writing<'_>,
    object: Uuid,
    before: &[String],
    names: &[String],
) -> Result<(), StoreError> {
    let mut drop = writing.prepare_cached("DELETE FROM signin_names WHERE name = ?1 AND object = ?2")?;
    for name in before.iter().filter(|name| !names.contains(name)) {
        drop.execute((name, object.as_bytes()))?;
    }
    let mut add = writing
        .prepare_cached("INSERT INTO signin_names (name, object) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for name in names.iter().filter(|name| !before.contains(name)) {
        add.execute((name, object.as_bytes()))?;
    }
    Ok(())
}

/// The names of an account, sorted.
pub fn of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<String>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT name FROM signin_names WHERE object = ?1 ORDER BY name")?;
    let rows = statement.query_map([object.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The accounts with this sign-in name, at most two: more make no difference. `folded` is the result of
/// [`landbridge_tenant_rules::names::folded`].
pub fn holders(reading: &Reading<'_>, folded: &str) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached("SELECT object FROM signin_names WHERE name = ?1 LIMIT 2")?;
    let rows = statement.query_map([folded], |row| stamps::guid(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The accounts with this sign-in name, at most `limit`, for an administrator.
pub fn all_holders(reading: &Reading<'_>, folded: &str, limit: u32) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached("SELECT object FROM signin_names WHERE name = ?1 LIMIT ?2")?;
    let rows = statement.query_map((folded, limit), |row| stamps::guid(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Number of names that more than one account holds.
pub fn count_ambiguous(reading: &Reading<'_>) -> Result<i64, StoreError> {
    let count = "SELECT count(*) FROM (SELECT 1 FROM signin_names GROUP BY name HAVING count(*) > 1)";
    Ok(reading.prepare_cached(count)?.query_row([], |row| row.get(0))?)
}

/// The names that more than one account holds, sorted, at most `limit`, each with the number of its accounts.
pub fn ambiguous(reading: &Reading<'_>, limit: u32) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT name, count(*) FROM signin_names GROUP BY name HAVING count(*) > 1 ORDER BY name LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The account with this sign-in name, as a person typed it.
pub fn whose(reading: &Reading<'_>, name: &str) -> Result<Whose, StoreError> {
    let Some(folded) = folded(name) else { return Ok(Whose::Nobody) };
    Ok(match holders(reading, &folded)?.as_slice() {
        [] => Whose::Nobody,
        [one] => Whose::One(*one),
        _ => Whose::Ambiguous,
    })
}
