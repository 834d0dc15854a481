//! The table `blocks`: accounts that an administrator blocked. A row belongs to the objectGUID, so neither an upload
//! nor a full compare changes it, and it outlives the erasure of the object.
//! Neighbours: the administration adds and removes; [`crate::facts`] reads it for each sign-in.

use crate::engine::{OptionalRow as _, params};
use crate::tables::changes;
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// Limit on blocked accounts: as many as one list shows. Who has to keep more people out sets the policy `refuse`.
pub const MOST: usize = 10_000;

/// When the account was blocked, in seconds since 1970; none: it is not blocked.
pub fn since(reading: &Reading<'_>, object: Uuid) -> Result<Option<i64>, StoreError> {
    let mut select = reading.prepare_cached("SELECT blocked_at FROM blocks WHERE object = ?1")?;
    select.query_row([object.as_bytes()], |row| row.get(0)).optional()
}

/// A blocked account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// objectGUID.
    pub object: Uuid,
    /// The row of the domain that the account was in when it was blocked.
    pub domain: i64,
    /// Seconds since 1970.
    pub blocked_at: i64,
}

/// All blocked accounts, the newest first. There are at most [`MOST`].
pub fn all(reading: &Reading<'_>) -> Result<Vec<Block>, StoreError> {
    let mut select = reading
        .prepare_cached("SELECT object, domain, blocked_at FROM blocks ORDER BY blocked_at DESC, object")?;
    let blocks = select.query_map((), |row| {
        Ok(Block { object: stamps::guid(row, 0)?, domain: row.get(1)?, blocked_at: row.get(2)? })
    })?;
    blocks.collect::<Result<_, _>>()
}

/// Number of blocked accounts.
pub fn count(reading: &Reading<'_>) -> Result<usize, StoreError> {
    let count = reading.query_row("SELECT count(*) FROM blocks", (), |row| row.get::<i64>(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Blocks an account. False: it was blocked before.
pub fn add(writing: &Writing<'_>, domain: i64, object: Uuid, now: i64) -> Result<bool, StoreError> {
    let insert = "INSERT INTO blocks (object, domain, blocked_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let added = writing.execute(insert, params![object.as_bytes(), domain, now])? > 0;
    if added {
        changes::note_object(writing, object, now)?;
    }
    Ok(added)
}

/// Ends the block of an account. False: it was not blocked.
pub fn remove(writing: &Writing<'_>, object: Uuid, now: i64) -> Result<bool, StoreError> {
    let removed = writing.execute("DELETE FROM blocks WHERE object = ?1", [object.as_bytes()])? > 0;
    if removed {
        changes::note_object(writing, object, now)?;
    }
    Ok(removed)
}
