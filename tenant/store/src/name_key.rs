//! The key under which names are hashed: made at the first opening, and kept sealed in the table `tenant`. It stays the
//! same when seal keys change, so that stored hashes stay good.
//! Neighbours: [`super::Store`] opens it; [`super::tables::names`] and [`super::tables::reserved_names`] store hashes.

use crate::{Reading, StoreError, Writing};
use landbridge_crypto::seal::{CellAddress, SealError, SealKeys};
use landbridge_wire::reserved::NameKey;

/// Where the key is sealed. There is one row.
const CELL: CellAddress<'static> = CellAddress { table: "tenant", row: b"", column: "name_key" };
/// Names that are hashed at a time.
const PORTION: usize = 1000;

/// The stored key; none: [`make`] has to make one, or to seal it again.
pub(super) fn open(reading: &Reading<'_>, keys: &SealKeys) -> Result<Option<NameKey>, StoreError> {
    let sealed = sealed(reading)?.filter(|sealed| keys.is_current(sealed));
    let opened = sealed.and_then(|sealed| keys.open(&CELL, &sealed).ok());
    Ok(opened.and_then(|key| NameKey::from_bytes(&key)))
}

fn sealed(reading: &Reading<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(reading.query_row("SELECT name_key FROM tenant", (), |row| row.get(0))?)
}

/// The key, where what is stored does not do. If there is none yet, or the seal keys do not open it, makes one: then reserved names are unknown
/// until the next full compare of each domain, which phs makes because it receives another key. Without a seal key the
/// key lasts as long as the process.
pub(super) fn make(writing: &Writing<'_>, keys: &SealKeys) -> Result<NameKey, StoreError> {
    let sealed = sealed(writing)?;
    let opened = sealed.as_deref().map(|sealed| keys.open(&CELL, sealed));
    // 1. The stored key. It is sealed again if another seal key comes first now.
    if let Some(Ok(key)) = &opened
        && let Some(key) = NameKey::from_bytes(key)
    {
        if sealed.is_some_and(|sealed| !keys.is_current(&sealed)) {
            put(writing, keys, &key)?;
        }
        return Ok(key);
    }
    // 2. A new one, and the hash of each stored name under it.
    if opened.is_some() {
        tracing::error!(
            "no seal key opens the key of names: reserved names hold again after the next full compare of each phs"
        );
    }
    let key = NameKey::random();
    match put(writing, keys, &key) {
        Err(StoreError::Seal(SealError::NoKey)) => return Ok(key),
        other => other?,
    }
    writing.run_commands("DELETE FROM reserved_names; UPDATE domains SET reserved_since = NULL;")?;
    hash_names(writing, &key)?;
    Ok(key)
}

fn put(writing: &Writing<'_>, keys: &SealKeys, key: &NameKey) -> Result<(), StoreError> {
    let sealed = key.lend(|key| keys.seal(&CELL, key)).map_err(StoreError::Seal)?;
    writing.execute("UPDATE tenant SET name_key = ?1", [sealed])?;
    Ok(())
}

/// Stores the hash of each sign-in name, in the order of the names.
fn hash_names(writing: &Writing<'_>, key: &NameKey) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let names: Vec<String> = writing
            .prepare_cached("SELECT DISTINCT name FROM signin_names WHERE name > ?1 ORDER BY name LIMIT ?2")?
            .query_map((&after, i64::try_from(PORTION).unwrap_or(i64::MAX)), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for name in &names {
            writing
                .prepare_cached("UPDATE signin_names SET hash = ?2 WHERE name = ?1")?
                .execute((name, key.hash(name).as_bytes()))?;
        }
        match names.into_iter().next_back() {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
