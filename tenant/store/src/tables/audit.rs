//! The table `audit`: actor, action and subject of each entry. It has no secrets, and no text that an unknown person
//! typed.
//! Neighbours: each function that changes something appends its entry in the same transaction.

use crate::engine::{Row, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::AuditEntry;
use landbridge_wire::printable::is_harmful;
use uuid::Uuid;

/// Limit on the bytes of each part of an entry, so that an entry stays one readable line.
const MAX_PART: usize = 512;

/// Appends an entry. What a terminal would obey becomes a space, so that an entry is one line in every output.
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
        .send(params![now, plain(actor), plain(action), plain(subject), plain(detail)])?;
    Ok(())
}

/// The newest entries, newest first.
pub fn newest(reading: &Reading<'_>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut select = reading
        .prepare_cached("SELECT at, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT ?1")?;
    let entries = select.query_map([limit], read)?;
    entries.collect::<Result<_, _>>()
}

/// The newest sign-ins of an account, newest first: by password, right or wrong, and by a session.
pub fn sign_ins_of(reading: &Reading<'_>, object: Uuid, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut select = reading.prepare_cached(
        "SELECT at, actor, action, subject, detail FROM audit WHERE subject = ?1
             AND action IN ('signin-accepted', 'signin-refused', 'signin-by-session') ORDER BY id DESC LIMIT ?2",
    )?;
    let entries = select.query_map(params![object.to_string(), limit], read)?;
    entries.collect::<Result<_, _>>()
}

fn read(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        at: row.get(0)?,
        actor: row.get(1)?,
        action: row.get(2)?,
        subject: row.get(3)?,
        detail: row.get(4)?,
    })
}

/// Whether one of the newest 1,000 entries is this action of this actor, and younger than `since` (seconds since 1970).
pub fn has_lately(reading: &Reading<'_>, action: &str, actor: &str, since: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM (SELECT at, actor, action FROM audit ORDER BY id DESC LIMIT 1000) AS newest
               WHERE action = ?1 AND actor = ?2 AND at > ?3)";
    Ok(reading.prepare_cached(sql)?.query_row((action, actor, since), |row| row.get(0))?)
}

/// Limit on entries that one transaction deletes. Other writers wait for less than a second then.
const DELETED_AT_ONCE: u32 = 10_000;

/// Deletes the oldest entries from before `before` (seconds since 1970), and returns their number. The caller repeats
/// this until it returns 0.
pub fn forget(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    let oldest = "DELETE FROM audit WHERE at < ?1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT ?2)";
    writing.execute(oldest, params![before, DELETED_AT_ONCE])
}

/// The text on one line, cut at [`MAX_PART`].
fn plain(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect();
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
        assert_eq!(plain("a\nb\u{1b}[31m\u{202e}c"), "a b [31m c");
        assert_eq!(plain(&"é".repeat(400)).len(), MAX_PART);
    }
}
