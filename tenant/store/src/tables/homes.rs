//! The table `homes`: the domain that an objectGUID belongs to for ever, of objects that were erased. While an object is
//! stored, its row in `objects` says it. An objectGUID of an account that was erased is never given to another domain,
//! unless an administrator moves it.
//! Neighbours: the ingest refuses objects of another home; [`super::objects`] keeps the home of an object that is erased;
//! the administration moves homes.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// The row of the domain that the object belongs to; none: no domain has uploaded it yet.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<i64>, StoreError> {
    let mut select = reading.prepare_cached(
        "SELECT domain FROM objects WHERE object = ?1 UNION ALL SELECT domain FROM homes WHERE object = ?1 LIMIT 1",
    )?;
    select.query_row([object.as_bytes()], |row| row.get(0)).optional()
}

/// Keeps the home of an object whose row is about to be deleted.
pub(crate) fn keep(writing: &Writing<'_>, object: Uuid) -> Result<(), StoreError> {
    let insert = "INSERT INTO homes (object, domain) SELECT object, domain FROM objects WHERE object = ?1
                  ON CONFLICT (object) DO NOTHING";
    writing.prepare_cached(insert)?.send([object.as_bytes()])?;
    Ok(())
}

/// Gives an object that is not stored from one domain to another. False: it is not of the first one.
pub fn change(writing: &Writing<'_>, object: Uuid, from: i64, to: i64) -> Result<bool, StoreError> {
    let update = "UPDATE homes SET domain = ?3 WHERE object = ?1 AND domain = ?2";
    Ok(writing.execute(update, (object.as_bytes(), from, to))? > 0)
}
