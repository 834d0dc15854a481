//! The table `signin_names`: names that accounts sign in with, in lower case, derived from attributes. Only present
//! accounts have names. Each has its keyed hash, by which [`super::reserved_names`] finds it.
//! Neighbours: the ingest writes; the sign-in and the directory look names up.

use super::reserved_names::{self, Conflict};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_wire::reserved::NameKey;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Replaces the names of an account that is stored. `before`: the names that are stored now. `key`: the key of their hashes.
pub fn set(
    writing: &Writing<'_>,
    key: &NameKey,
    object: Uuid,
    before: &[String],
    names: &[String],
) -> Result<(), StoreError> {
    let mut drop = writing.prepare_cached(
        "DELETE FROM signin_names WHERE name = ?2 AND number = (SELECT number FROM objects WHERE object = ?1)",
    )?;
    for name in before.iter().filter(|name| !names.contains(name)) {
        drop.send((object.as_bytes(), name))?;
    }
    let mut add = writing.prepare_cached(
        "INSERT INTO signin_names (name, number, hash) SELECT ?2, number, ?3 FROM objects WHERE object = ?1",
    )?;
    for name in names.iter().filter(|name| !before.contains(name)) {
        add.send((object.as_bytes(), name, key.hash(name).as_bytes()))?;
    }
    Ok(())
}

/// The names of an account, sorted.
pub fn of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<String>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT name FROM signin_names WHERE number = (SELECT number FROM objects WHERE object = ?1) ORDER BY name",
    )?;
    let rows = statement.query_map([object.as_bytes()], |row| row.get(0))?;
    rows.collect::<Result<_, _>>()
}

/// The accounts with this sign-in name, at most two: more make no difference. `folded` is the result of
/// [`landbridge_tenant_rules::names::folded`].
pub fn holders(reading: &Reading<'_>, folded: &str) -> Result<Vec<Uuid>, StoreError> {
    all_holders(reading, folded, 2)
}

/// The accounts with this sign-in name, at most `limit`.
pub fn all_holders(reading: &Reading<'_>, folded: &str, limit: u32) -> Result<Vec<Uuid>, StoreError> {
    let holders = with_domains(reading, folded, limit)?;
    Ok(holders.into_iter().map(|(object, _)| object).collect())
}

/// The same, each with its domain.
fn with_domains(reading: &Reading<'_>, folded: &str, limit: u32) -> Result<Vec<(Uuid, i64)>, StoreError> {
    // In the order of the index: a server without statistics takes the limit for a reason to read all names otherwise.
    let mut statement = reading.prepare_cached(
        "SELECT o.object, o.domain FROM signin_names n JOIN objects o ON o.number = n.number
         WHERE n.name = ?1 ORDER BY n.number LIMIT ?2",
    )?;
    let rows = statement.query_map((folded, limit), |row| Ok((stamps::guid(row, 0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>()
}

/// Limit on conflicts with reserved names that are counted and listed: an administrator has to resolve the first ones
/// anyway.
const MAX_CONFLICTS: u32 = 10_000;

/// Number of names that more than one account holds, carried or not.
pub fn count_ambiguous(reading: &Reading<'_>) -> Result<i64, StoreError> {
    let count =
        "SELECT count(*) FROM (SELECT 1 FROM signin_names GROUP BY name HAVING count(*) > 1) AS several";
    let mut several: i64 = reading.prepare_cached(count)?.query_row((), |row| row.get(0))?;
    let mut conflicts = reserved_names::all(reading, MAX_CONFLICTS)?;
    conflicts.dedup_by(|one, other| one.name == other.name);
    for conflict in conflicts {
        several += i64::from(holders(reading, &conflict.name)?.len() == 1);
    }
    Ok(several)
}

/// A name that more than one account holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ambiguous {
    /// Number of carried accounts that hold it.
    pub carried: i64,
    /// Accounts that are not carried and hold it.
    pub reserved: Vec<Conflict>,
}

/// The names that more than one account holds, carried or not, sorted; at most about `limit`.
pub fn ambiguous(reading: &Reading<'_>, limit: u32) -> Result<BTreeMap<String, Ambiguous>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT name, count(*) FROM signin_names GROUP BY name HAVING count(*) > 1 ORDER BY name LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        Ok((row.get(0)?, Ambiguous { carried: row.get(1)?, reserved: Vec::new() }))
    })?;
    let mut names: BTreeMap<String, Ambiguous> = rows.collect::<Result<_, _>>()?;
    for conflict in reserved_names::all(reading, limit.min(MAX_CONFLICTS))? {
        let name =
            names.entry(conflict.name.clone()).or_insert(Ambiguous { carried: 1, reserved: Vec::new() });
        name.reserved.push(conflict);
    }
    Ok(names)
}

/// The account with this sign-in name, as a person typed it.
pub fn whose(reading: &Reading<'_>, name: &str) -> Result<Whose, StoreError> {
    whose_with_domain(reading, name).map(|(whose, _)| whose)
}

/// The same, and the domain of the account.
pub(crate) fn whose_with_domain(
    reading: &Reading<'_>,
    name: &str,
) -> Result<(Whose, Option<i64>), StoreError> {
    let Some(folded) = folded(name) else { return Ok((Whose::Nobody, None)) };
    reading.ask_ahead(&[&|| with_domains(reading, &folded, 2).map(drop), &|| {
        reserved_names::is_reserved(reading, &folded).map(drop)
    }])?;
    Ok(match with_domains(reading, &folded, 2)?.as_slice() {
        [] => (Whose::Nobody, None),
        [_] if reserved_names::is_reserved(reading, &folded)? => (Whose::Ambiguous, None),
        [(object, domain)] => (Whose::One(*object), Some(*domain)),
        _ => (Whose::Ambiguous, None),
    })
}
