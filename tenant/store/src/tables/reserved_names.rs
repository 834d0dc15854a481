//! The table `reserved_names`: sign-in names of accounts that are not carried, as keyed hashes. A domain's rows hold
//! once a full compare has brought all of them.
//! Neighbours: the ingest writes; [`super::names`] decides by them whether a name signs anybody in.

use super::{attributes, suffixes};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::names::suffix_of;
use landbridge_wire::reserved::{NameHash, ReservedAttribute};
use landbridge_wire::upload::{ReservedName, Stamp};
use uuid::Uuid;

/// An account that is not carried and has a name that a carried account has too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The name, folded.
    pub name: String,
    /// The account that is carried.
    pub holder: Uuid,
    /// The account that is not.
    pub reserved: Uuid,
    /// The DNS name of the domain of the account that is not carried.
    pub domain: String,
}

/// Applies the names of one attribute if its stamp is greater than the stored one, or, with `replace`, if this full
/// compare has not named it yet. `newest`: the greatest stamp that is known of the attribute besides. Returns the
/// hashes that the account did not have before; none: nothing changed.
pub fn apply(
    writing: &Writing<'_>,
    domain: i64,
    name: &ReservedName,
    newest: Option<Stamp>,
    full_compare: Option<Uuid>,
    replace: bool,
) -> Result<Option<Vec<NameHash>>, StoreError> {
    let ReservedName { object, attribute, stamp, hashes } = name;
    let key = (domain, object.as_bytes(), attribute.as_str());
    // 1. What is stored: the rows of an attribute have one stamp and one cycle.
    let mut select = writing.prepare_cached(
        "SELECT hash, stamp, cycle FROM reserved_names WHERE domain = ?1 AND object = ?2 AND attribute = ?3",
    )?;
    let rows = select.query_map(key, |row| {
        Ok((row.get::<Vec<u8>>(0)?, row.get::<Vec<u8>>(1)?, stamps::guid_or_none(row, 2)?))
    })?;
    let held: Vec<_> = rows.collect::<Result<_, _>>()?;
    let (stored, cycle) = match held.first() {
        Some((_, stamp, cycle)) => (Some(stamps::from_bytes(stamp)?), *cycle),
        None => (None, None),
    };
    // 2. Whether it gives way. A full compare has named it all the same.
    let named_first = full_compare.is_some() && cycle != full_compare;
    let mark = || {
        let sql = "UPDATE reserved_names SET cycle = ?4 WHERE domain = ?1 AND object = ?2 AND attribute = ?3";
        let cycle = full_compare.or(cycle).map(|cycle| *cycle.as_bytes());
        writing.prepare_cached(sql)?.execute((key.0, key.1, key.2, cycle))
    };
    if stored.max(newest).is_some_and(|known| known >= *stamp) && !(named_first && replace) {
        mark()?;
        return Ok(None);
    }
    // 3. The same names again: only the cycle is new.
    let mut wanted: Vec<&[u8]> = hashes.as_slice().iter().map(|hash| hash.as_bytes().as_slice()).collect();
    if wanted.is_empty() {
        // An attribute without names has a row with an empty hash, for its stamp.
        wanted.push(&[]);
    }
    let is_held = |hash: &[u8]| held.iter().any(|(held, _, _)| held == hash);
    let new = hashes.as_slice().iter().filter(|hash| !is_held(hash.as_bytes())).copied().collect();
    let cycle = full_compare.map(|cycle| *cycle.as_bytes());
    if stored == Some(*stamp) && wanted.len() == held.len() && wanted.iter().all(|hash| is_held(hash)) {
        mark()?;
        return Ok(None);
    }
    // 4. Other names, or the same ones written again: replace the rows.
    writing
        .prepare_cached("DELETE FROM reserved_names WHERE domain = ?1 AND object = ?2 AND attribute = ?3")?
        .send(key)?;
    let mut insert = writing.prepare_cached(
        "INSERT INTO reserved_names (domain, object, attribute, hash, stamp, cycle) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    for hash in wanted {
        insert.send((key.0, key.1, key.2, hash, stamps::to_bytes(stamp), cycle))?;
    }
    Ok(Some(new))
}

/// Deletes the names of an account: it is carried now, or was deleted.
pub fn forget(writing: &Writing<'_>, domain: i64, object: Uuid) -> Result<(), StoreError> {
    writing
        .prepare_cached("DELETE FROM reserved_names WHERE domain = ?1 AND object = ?2")?
        .send((domain, object.as_bytes()))?;
    Ok(())
}

/// Deletes the names of the domain that this full compare has not named.
pub fn drop_unnamed(writing: &Writing<'_>, domain: i64, cycle: Uuid) -> Result<(), StoreError> {
    writing
        .prepare_cached("DELETE FROM reserved_names WHERE domain = ?1 AND (cycle IS NULL OR cycle <> ?2)")?
        .send((domain, cycle.as_bytes()))?;
    Ok(())
}

/// Deletes all names of the domain.
pub fn drop_all(writing: &Writing<'_>, domain: i64) -> Result<(), StoreError> {
    writing.send("DELETE FROM reserved_names WHERE domain = ?1", [domain])?;
    Ok(())
}

/// Sets since when the names of the domain hold, in seconds since 1970; none: not all have arrived.
pub fn set_since(writing: &Writing<'_>, domain: i64, since: Option<i64>) -> Result<(), StoreError> {
    writing.send("UPDATE domains SET reserved_since = ?2 WHERE id = ?1", (domain, since))?;
    Ok(())
}

/// Whether an account that is not carried also has this name, which one carried account has. Another domain counts only if it
/// declares the suffix of the name, as for names of carried accounts: no domain keeps another one's people out.
pub fn is_reserved(reading: &Reading<'_>, name: &str) -> Result<bool, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT DISTINCT r.domain, r.domain = o.domain FROM signin_names n
         JOIN objects o ON o.number = n.number
         JOIN reserved_names r ON r.hash = n.hash AND r.object <> o.object
         JOIN domains d ON d.id = r.domain
         WHERE n.name = ?1 AND d.reserved_since IS NOT NULL",
    )?;
    let rows = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let domains: Vec<(i64, bool)> = rows.collect::<Result<_, _>>()?;
    for (domain, same) in domains {
        if same || may_have(reading, domain, name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether accounts of the domain may have this name: it declares the suffix.
fn may_have(reading: &Reading<'_>, domain: i64, name: &str) -> Result<bool, StoreError> {
    let Some(suffix) = suffix_of(name) else { return Ok(false) };
    Ok(suffixes::holders(reading, suffix)?.iter().any(|(id, _)| *id == domain))
}

/// All conflicts of names that hold, sorted; at most `limit`.
pub fn all(reading: &Reading<'_>, limit: u32) -> Result<Vec<Conflict>, StoreError> {
    conflicts(reading, &by_reserved(ALL_RESERVED), [limit])
}

/// The conflicts that the reserved names of this domain cause, also while they do not hold yet; at most `limit`.
pub fn of_domain(reading: &Reading<'_>, domain: i64, limit: u32) -> Result<Vec<Conflict>, StoreError> {
    conflicts(reading, &by_reserved("f.domain = ?1 LIMIT ?2"), (domain, limit))
}

/// The conflicts of this carried account that hold; at most `limit`.
pub fn of_holder(reading: &Reading<'_>, object: Uuid, limit: u32) -> Result<Vec<Conflict>, StoreError> {
    conflicts(reading, &by_holder("d.reserved_since IS NOT NULL LIMIT ?2"), (object.as_bytes(), limit))
}

/// Whether the reserved names of any domain hold.
pub fn any_hold(reading: &Reading<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM domains WHERE reserved_since IS NOT NULL)";
    Ok(reading.query_row(sql, (), |row| row.get(0))?)
}

/// The conflicts of this account of the domain, which is not carried, that hold; at most `limit`.
pub fn of_reserved(
    reading: &Reading<'_>,
    domain: i64,
    object: Uuid,
    limit: u32,
) -> Result<Vec<Conflict>, StoreError> {
    let condition = "f.domain = ?1 AND f.object = ?2 AND d.reserved_since IS NOT NULL LIMIT ?3";
    conflicts(reading, &by_reserved(condition), (domain, object.as_bytes(), limit))
}

/// The columns that [`conflicts`] reads.
const COLUMNS: &str = "DISTINCT n.name, o.object, r.object, d.dns_name, r.domain, r.domain = o.domain";

/// All reserved names that hold. By their domains, so that these names are read and not all names of carried accounts.
pub(super) const ALL_RESERVED: &str =
    "f.domain IN (SELECT id FROM domains WHERE reserved_since IS NOT NULL) LIMIT ?1";

/// Selects conflicts by the holder ?1: by its names, and by the reserved names with the hash of one of them.
pub(super) fn by_holder(condition: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM objects o
         JOIN signin_names n ON n.number = o.number
         JOIN reserved_names r ON r.hash = n.hash AND r.object <> o.object
         JOIN domains d ON d.id = r.domain
         WHERE o.object = ?1 AND {condition}"
    )
}

/// Selects conflicts by reserved names `f`. Those with an @ find the holder by their hash, and then every name that both
/// have is a conflict. A sAMAccountName yields names of both forms, so accounts that have any name in common have one with
/// an @.
pub(super) fn by_reserved(condition: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM reserved_names f
         JOIN signin_names h ON h.hash = f.hash AND h.name LIKE '%@%'
         JOIN objects o ON o.number = h.number AND o.object <> f.object
         JOIN signin_names n ON n.number = o.number
         JOIN reserved_names r ON r.hash = n.hash AND r.domain = f.domain AND r.object = f.object
         JOIN domains d ON d.id = r.domain
         WHERE {condition}"
    )
}

fn conflicts(
    reading: &Reading<'_>,
    sql: &str,
    parameters: impl crate::engine::Parameters,
) -> Result<Vec<Conflict>, StoreError> {
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| {
        let conflict = Conflict {
            name: row.get(0)?,
            holder: stamps::guid(row, 1)?,
            reserved: stamps::guid(row, 2)?,
            domain: row.get(3)?,
        };
        Ok((conflict, row.get(4)?, row.get(5)?))
    })?;
    let all: Vec<(Conflict, i64, bool)> = rows.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (conflict, domain, same) in all {
        // As in `is_reserved`.
        if same || may_have(reading, domain, &conflict.name)? {
            found.push(conflict);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The attributes of an object that yield names, with their stamps and values.
pub fn named_by(
    reading: &Reading<'_>,
    object: Uuid,
) -> Result<Vec<(ReservedAttribute, Stamp, Option<String>)>, StoreError> {
    let texts = attributes::texts(reading, object, ReservedAttribute::ALL.map(ReservedAttribute::as_str))?;
    let found = ReservedAttribute::ALL.into_iter().zip(texts);
    Ok(found.filter_map(|(attribute, text)| text.map(|(stamp, text)| (attribute, stamp, text))).collect())
}
