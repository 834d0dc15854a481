//! The table `spent`: what a client may use once, and has used. A row is of no use when what it stands for has ended by
//! itself; the sweep deletes it later. A use deletes none: on a server, two at once would meet at the rows that have ended.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// Notes the use of what has this name: a hash or an id. False: it was used before.
pub fn redeem(writing: &Writing<'_>, (app, name): (Uuid, &[u8]), ends_at: i64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO spent (app, hash, ends_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    Ok(writing.execute(sql, params![app.as_bytes(), name, ends_at])? > 0)
}

/// Whether it was used.
pub fn is_spent(reading: &Reading<'_>, app: Uuid, name: &[u8]) -> Result<bool, StoreError> {
    let mut statement = reading.prepare_cached("SELECT 1 FROM spent WHERE app = ?1 AND hash = ?2")?;
    let found: Option<i64> =
        statement.query_row(params![app.as_bytes(), name], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// What has ended, at most `limit`, each by its client and its name. Reads the whole table: an index by the end would be
/// written at each use.
pub fn ended(reading: &Reading<'_>, now: i64, limit: usize) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
    let mut select = reading.prepare_cached("SELECT app, hash FROM spent WHERE ends_at <= ?1 LIMIT ?2")?;
    let rows = select.query_map(params![now, limit], |row| Ok((stamps::guid(row, 0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>()
}

/// Deletes these, if they have ended.
pub fn sweep(writing: &Writing<'_>, ended: &[(Uuid, Vec<u8>)], now: i64) -> Result<(), StoreError> {
    for (app, name) in ended {
        let sql = "DELETE FROM spent WHERE app = ?1 AND hash = ?2 AND ends_at <= ?3";
        writing.send(sql, params![app.as_bytes(), name, now])?;
    }
    Ok(())
}
