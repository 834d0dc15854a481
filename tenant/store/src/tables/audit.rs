//! The audit log: who did what to whom. No secrets, and nothing that a stranger typed.
//! Not here: what is worth an entry; whoever acts appends it in the same transaction.

use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::AuditEntry;
use rusqlite::params;

/// The most bytes of any part of an entry.
const MAX_PART: usize = 512;

/// Appends an entry. Control characters become spaces, so that an entry is a line wherever it is shown.
pub fn append(
    writing: &Writing<'_>,
    now: i64,
    actor: &str,
    action: &str,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    writing
        .prepare_cached("INSERT INTO audit (at, actor, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![now, plain(actor), plain(action), plain(subject), plain(detail)])?;
    Ok(())
}

/// The newest entries, newest first.
pub fn newest(reading: &Reading<'_>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut select = reading
        .prepare_cached("SELECT at, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT ?1")?;
    let entries = select.query_map([limit], |row| {
        Ok(AuditEntry {
            at: row.get(0)?,
            actor: row.get(1)?,
            action: row.get(2)?,
            subject: row.get(3)?,
            detail: row.get(4)?,
        })
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

/// Whether one of the newest 1,000 entries is this action of this actor, and younger than `since` (seconds since 1970).
pub fn has_lately(reading: &Reading<'_>, action: &str, actor: &str, since: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM (SELECT at, actor, action FROM audit ORDER BY id DESC LIMIT 1000) AS newest
               WHERE action = ?1 AND actor = ?2 AND at > ?3)";
    Ok(reading.prepare_cached(sql)?.query_row((action, actor, since), |row| row.get(0))?)
}

/// At most so many entries are forgotten in one transaction, so that nobody waits long for the writer.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

/// Forgets the oldest entries, if they are from before then; says how many. Call it again until it says 0.
pub fn forget(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    let oldest = "DELETE FROM audit WHERE at < ?1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT ?2)";
    Ok(writing.execute(oldest, params![before, FORGOTTEN_AT_ONCE])?)
}

fn plain(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = text.len().min(MAX_PART);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_entry_is_one_bounded_line() {
        assert_eq!(plain("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(plain(&"é".repeat(400)).len(), MAX_PART);
    }
}
