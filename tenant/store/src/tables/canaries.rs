//! Accounts that nobody uses, named by the administrator: agents are tried with wrong passwords for them.

use crate::{Reading, StoreError, Writing, stamps};
use rusqlite::params;
use uuid::Uuid;

/// The most that one domain has.
pub const MOST: usize = 64;

/// Those of a domain.
pub fn of(reading: &Reading<'_>, domain: i64) -> Result<Vec<Uuid>, StoreError> {
    let mut select =
        reading.prepare_cached("SELECT object FROM canaries WHERE domain = ?1 ORDER BY object")?;
    let objects = select.query_map([domain], |row| stamps::guid(row, 0))?;
    Ok(objects.collect::<Result<_, _>>()?)
}

/// Whether this account is one.
pub fn is_one(reading: &Reading<'_>, object: Uuid) -> Result<bool, StoreError> {
    let mut select = reading.prepare_cached("SELECT count(*) FROM canaries WHERE object = ?1")?;
    Ok(select.query_row([object.as_bytes()], |row| row.get::<_, i64>(0))? > 0)
}

/// Names one; false: it was named before.
pub fn add(writing: &Writing<'_>, domain: i64, object: Uuid, now: i64) -> Result<bool, StoreError> {
    let insert = "INSERT INTO canaries (object, domain, added_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    Ok(writing.execute(insert, params![object.as_bytes(), domain, now])? > 0)
}

/// It is none any more; false: it was none.
pub fn remove(writing: &Writing<'_>, object: Uuid) -> Result<bool, StoreError> {
    Ok(writing.execute("DELETE FROM canaries WHERE object = ?1", [object.as_bytes()])? > 0)
}
