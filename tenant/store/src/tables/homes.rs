//! The table `homes`: the domain that an objectGUID belongs to for ever. A row outlives its object: an objectGUID of an
//! account that was erased is never given to another domain, unless an administrator moves it.
//! Neighbours: the ingest claims a home for each new object and refuses objects of another home; the administration
//! moves homes.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// The row of the domain that the object belongs to; none: no domain has uploaded it yet.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<i64>, StoreError> {
    let mut select = reading.prepare_cached("SELECT domain FROM homes WHERE object = ?1")?;
    select.query_row([object.as_bytes()], |row| row.get(0)).optional()
}

/// Gives an object that has no home to a domain.
pub fn claim(writing: &Writing<'_>, object: Uuid, domain: i64) -> Result<(), StoreError> {
    let insert = "INSERT INTO homes (object, domain) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    writing.prepare_cached(insert)?.execute((object.as_bytes(), domain))?;
    Ok(())
}

/// Gives an object from one domain to another. False: it is not of the first one.
pub fn change(writing: &Writing<'_>, object: Uuid, from: i64, to: i64) -> Result<bool, StoreError> {
    let update = "UPDATE homes SET domain = ?3 WHERE object = ?1 AND domain = ?2";
    Ok(writing.execute(update, (object.as_bytes(), from, to))? > 0)
}
