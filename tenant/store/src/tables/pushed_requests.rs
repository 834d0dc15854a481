//! The table `pushed_requests`: authorization requests that clients have pushed, each until a browser brings its name. A
//! request may carry an ID token as a hint, so it is sealed.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};
use landbridge_crypto::seal::{CellAddress, SealKeys};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Limit on the requests of an application that wait. With 16 KiB each they are 16 MiB.
pub const MOST: u32 = 1000;

fn place(hash: &[u8; 32]) -> CellAddress<'_> {
    CellAddress { table: "pushed_requests", row: hash, column: "sealed" }
}

/// A request before it is stored: sealed once, however often the transaction runs.
pub fn seal(keys: &SealKeys, hash: &[u8; 32], query: &str) -> Result<Vec<u8>, StoreError> {
    keys.seal(&place(hash), query.as_bytes()).map_err(|_| StoreError::Foreign { what: "seal key" })
}

/// Stores a request, and deletes those of the application that have ended at `now`. False: too many of them wait.
pub fn insert(
    writing: &Writing<'_>,
    (hash, app): (&[u8; 32], Uuid),
    sealed: &[u8],
    ends_at: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let ended = "DELETE FROM pushed_requests WHERE app = ?1 AND ends_at <= ?2";
    writing.send(ended, params![app.as_bytes(), now])?;
    if waiting(writing, app)? >= MOST {
        return Ok(false);
    }
    writing.send(
        "INSERT INTO pushed_requests (hash, app, sealed, ends_at) VALUES (?1, ?2, ?3, ?4)",
        params![hash, app.as_bytes(), sealed, ends_at],
    )?;
    Ok(true)
}

fn waiting(reading: &Reading<'_>, app: Uuid) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM pushed_requests WHERE app = ?1";
    Ok(reading.prepare_cached(sql)?.query_row([app.as_bytes().as_slice()], |row| row.get(0))?)
}

/// Whether there is a request of this application that has not ended.
pub fn waits(reading: &Reading<'_>, (hash, app): (&[u8; 32], Uuid), now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM pushed_requests WHERE hash = ?1 AND app = ?2 AND ends_at > ?3";
    let mut select = reading.prepare_cached(sql)?;
    let count: i64 = select.query_row(params![hash, app.as_bytes(), now], |row| row.get(0))?;
    Ok(count > 0)
}

/// Returns a request of this application that has not ended, and deletes it.
pub fn redeem(
    writing: &Writing<'_>,
    keys: &SealKeys,
    (hash, app): (&[u8; 32], Uuid),
    now: i64,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let sql = "DELETE FROM pushed_requests WHERE hash = ?1 AND app = ?2 AND ends_at > ?3 RETURNING sealed";
    let mut statement = writing.prepare_cached(sql)?;
    let sealed: Option<Vec<u8>> =
        statement.query_row(params![hash, app.as_bytes(), now], |row| row.get(0)).optional()?;
    // One that does not open is none: its seal key is gone, or another program wrote it.
    Ok(sealed.and_then(|sealed| keys.open(&place(hash), &sealed).ok()))
}

/// Deletes what has ended.
pub fn sweep(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM pushed_requests WHERE ends_at <= ?1", [now])
}
