//! The table `spent`: what a client may use once, and has used. A row goes when what it stands for has ended by itself.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// Notes a use, and deletes what has ended at `now`. False: it was used before.
pub fn redeem(
    writing: &Writing<'_>,
    (app, hash): (Uuid, &[u8; 32]),
    ends_at: i64,
    now: i64,
) -> Result<bool, StoreError> {
    sweep(writing, now)?;
    let sql = "INSERT INTO spent (app, hash, ends_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    Ok(writing.execute(sql, params![app.as_bytes(), hash, ends_at])? > 0)
}

/// Whether it was used.
pub fn is_spent(reading: &Reading<'_>, app: Uuid, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let mut statement = reading.prepare_cached("SELECT 1 FROM spent WHERE app = ?1 AND hash = ?2")?;
    let found: Option<i64> =
        statement.query_row(params![app.as_bytes(), hash], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// Deletes what has ended.
pub fn sweep(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM spent WHERE ends_at <= ?1", [now])
}
