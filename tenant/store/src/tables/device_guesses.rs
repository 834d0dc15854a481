//! The table `device_guesses`: wrong codes that were typed at the page for devices, by account and address (RFC 8628 5.1).
//! A count starts again when its time is over. The limit in all also limits the rows.
//! Neighbours: [`super::device_requests`] has the codes.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};

/// Wrong codes of one account after which it waits.
pub const MOST_OF_ACCOUNT: u32 = 10;
/// Wrong codes from one address after which it waits. A building may have one address.
pub const MOST_OF_ADDRESS: u32 = 200;
/// Wrong codes in all after which everybody waits.
pub const MOST: u32 = 2000;
/// Seconds from the first wrong code until counting starts again.
pub const COUNTED: i64 = 600;
/// What the sum is stored under. Neither an account nor an address is written so.
const ALL: &str = "all";

/// Whether one of these sources has reached its limit, or all together have.
pub fn is_full(reading: &Reading<'_>, sources: [(&str, u32); 2], now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT wrong FROM device_guesses WHERE source = ?1 AND ends_at > ?2";
    let mut statement = reading.prepare_cached(sql)?;
    for (source, most) in sources.into_iter().chain([(ALL, MOST)]) {
        let wrong = statement.query_row(params![source, now], |row| row.get::<u32>(0)).optional()?;
        if wrong.is_some_and(|wrong| wrong >= most) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts a wrong code. Returns the count of the first source.
pub fn count(writing: &Writing<'_>, sources: [(&str, u32); 2], now: i64) -> Result<u32, StoreError> {
    sweep(writing, now)?;
    let mut first = None;
    for (source, _) in sources.into_iter().chain([(ALL, MOST)]) {
        let sql =
            "INSERT INTO device_guesses (source, wrong, ends_at) VALUES (?1, 1, ?2) ON CONFLICT (source)
                   DO UPDATE SET wrong = device_guesses.wrong + 1 RETURNING wrong";
        let mut insert = writing.prepare_cached(sql)?;
        let wrong = insert.query_row(params![source, now.saturating_add(COUNTED)], |row| row.get(0))?;
        first.get_or_insert(wrong);
    }
    Ok(first.unwrap_or(0))
}

/// Deletes counts whose time is over.
pub fn sweep(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM device_guesses WHERE ends_at <= ?1", [now])
}
