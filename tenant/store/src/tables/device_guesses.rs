//! The table `device_guesses`: wrong codes that were typed at the page for devices, by where they came from (RFC 8628 5.1).
//! A count starts again when its time is over. The limit in all also limits the rows.
//! Neighbours: [`super::device_requests`] has the codes.

use crate::{Reading, StoreError, Writing};
use rusqlite::{OptionalExtension as _, params};

/// Wrong codes from one source after which it waits.
pub const MOST_OF_SOURCE: u32 = 20;
/// Wrong codes in all after which every source waits.
pub const MOST: u32 = 200;
/// Seconds from the first wrong code until counting starts again.
pub const COUNTED: i64 = 600;
/// What the sum is stored under. No address is written so.
const ALL: &str = "all";

/// Whether a source has to wait.
pub fn is_full(reading: &Reading<'_>, source: &str, now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT wrong FROM device_guesses WHERE source = ?1 AND ends_at > ?2";
    let mut statement = reading.prepare_cached(sql)?;
    let mut wrong = |source: &str| -> Result<u32, StoreError> {
        Ok(statement.query_row(params![source, now], |row| row.get(0)).optional()?.unwrap_or(0))
    };
    Ok(wrong(source)? >= MOST_OF_SOURCE || wrong(ALL)? >= MOST)
}

/// Counts a wrong code.
pub fn count(writing: &Writing<'_>, source: &str, now: i64) -> Result<(), StoreError> {
    sweep(writing, now)?;
    for source in [source, ALL] {
        writing.execute(
            "INSERT INTO device_guesses (source, wrong, ends_at) VALUES (?1, 1, ?2) ON CONFLICT (source)
             DO UPDATE SET wrong = device_guesses.wrong + 1",
            params![source, now.saturating_add(COUNTED)],
        )?;
    }
    Ok(())
}

/// Deletes counts whose time is over.
pub fn sweep(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    Ok(writing.execute("DELETE FROM device_guesses WHERE ends_at <= ?1", [now])?)
}
