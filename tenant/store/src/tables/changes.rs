//! The numbers of changes: the column `change` of the table `objects`, and two columns of the table `tenant`.
//!
//! All that one transaction changes has one number. Numbers rise, and none is below the microseconds since 1970 at which
//! it was given, so a database from a backup goes on above the numbers that were given after the backup was made. Clients
//! that poll search for greater numbers; the directory in memory reads what has a greater one.
//! Neighbours: everything that writes objects, attributes, links or applications notes it here;
//! [`super::changed_objects`] reads what has changed.

use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

/// The last numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChanges {
    /// Of any change.
    pub any: i64,
    /// Of the last change that no object holds: objects were taken away or to another domain, or links came before their
    /// object. What was read before must be read again.
    pub forgetting: i64,
}

/// The last numbers.
pub fn last(reading: &Reading<'_>) -> Result<LastChanges, StoreError> {
    let mut select = reading.prepare_cached("SELECT changed, forgotten FROM tenant")?;
    Ok(select.query_row((), |row| Ok(LastChanges { any: row.get(0)?, forgetting: row.get(1)? }))?)
}

/// Gives an object the number of this transaction. `now` is in seconds since 1970. One that is not stored, such as a group
/// whose links arrived before it, has nothing to hold the number: then everything must be read again.
pub fn note_object(writing: &Writing<'_>, object: Uuid, now: i64) -> Result<(), StoreError> {
    let number = number(writing, now)?;
    // 1. A row that has the number is not written again.
    let mut update =
        writing.prepare_cached("UPDATE objects SET change = ?2 WHERE object = ?1 AND change <> ?2")?;
    if update.execute((object.as_bytes(), number))? > 0 {
        return Ok(());
    }
    // 2. It has the number, or it is not stored.
    let mut select = writing.prepare_cached("SELECT count(*) FROM objects WHERE object = ?1")?;
    let stored: i64 = select.query_row([object.as_bytes()], |row| row.get(0))?;
    if stored > 0 { Ok(()) } else { note_forgetting(writing) }
}

/// The same for an object that is stored.
pub fn note_stored(writing: &Writing<'_>, object: Uuid, now: i64) -> Result<(), StoreError> {
    let number = number(writing, now)?;
    let sql = "UPDATE objects SET change = ?2 WHERE object = ?1 AND change <> ?2";
    writing.send(sql, (object.as_bytes(), number))
}

/// Notes that an application, or the list of domains, was changed.
pub fn note_settings(writing: &Writing<'_>) -> Result<(), StoreError> {
    number(writing, 0).map(drop)
}

/// Notes that objects lost their rows or their domain.
pub fn note_forgetting(writing: &Writing<'_>) -> Result<(), StoreError> {
    let number = number(writing, 0)?;
    writing.prepare_cached("UPDATE tenant SET forgotten = ?1")?.send([number])?;
    Ok(())
}

/// The number of this transaction, which is the greatest from now on.
pub(super) fn number(writing: &Writing<'_>, now: i64) -> Result<i64, StoreError> {
    if let Some(given) = writing.change() {
        return Ok(given);
    }
    let least = now.saturating_mul(MICROS);
    let sql =
        "UPDATE tenant SET changed = CASE WHEN changed >= ?1 THEN changed + 1 ELSE ?1 END RETURNING changed";
    let number = writing.prepare_cached(sql)?.query_row([least], |row| row.get(0))?;
    writing.set_change(number)?;
    Ok(number)
}
