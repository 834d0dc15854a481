//! The table `known_sources`: where an account was let in from, as keyed hashes. An account has at most
//! [`KNOWN_SOURCES`] rows, so the size of the table is bounded by the directory.
//! Neighbours: [`landbridge_tenant_rules::lockout`] says how long a source is known; the sign-in reads and notes it.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use landbridge_crypto::seal::SealKeys;
use landbridge_tenant_rules::lockout::{KNOWN_SOURCES, Source};
use uuid::Uuid;

/// The hashes of a source of an account, as this caller states it: one under each seal key, that of the sealing key
/// first. Empty: the caller states no source.
pub fn hashes(keys: &SealKeys, object: Uuid, caller: &str, source: &Source) -> Vec<[u8; 32]> {
    match source.place() {
        Some(place) => keys.hashes("known source", &[object.as_bytes(), caller.as_bytes(), place.as_bytes()]),
        None => Vec::new(),
    }
}

/// When the account was last let in from the source with these hashes, in seconds since 1970; none: never, or it is
/// forgotten.
pub fn seen_at(reading: &Reading<'_>, object: Uuid, hashes: &[[u8; 32]]) -> Result<Option<i64>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT seen_at FROM known_sources WHERE object = ?1 AND hash = ?2")?;
    let mut newest = None;
    for hash in hashes {
        let seen_at: Option<i64> =
            statement.query_row((object.as_bytes(), hash), |row| row.get(0)).optional()?;
        newest = newest.max(seen_at);
    }
    Ok(newest)
}

/// Notes that the account was let in from the source with these hashes, at `now` in seconds since 1970. After one that `is_new`
/// the account's oldest sources over the limit are forgotten.
pub fn note(
    writing: &Writing<'_>,
    object: Uuid,
    (hashes, is_new): (&[[u8; 32]], bool),
    now: i64,
) -> Result<(), StoreError> {
    let Some((hash, under_older_keys)) = hashes.split_first() else { return Ok(()) };
    // 1. Under the sealing key. Another node may have noted a later success.
    writing
        .prepare_cached(
            "INSERT INTO known_sources (object, hash, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT (object, hash)
             DO UPDATE SET seen_at = excluded.seen_at WHERE known_sources.seen_at < excluded.seen_at",
        )?
        .send((object.as_bytes(), hash, now))?;
    // 2. The same source under older keys needs no place any more.
    for hash in under_older_keys {
        writing
            .prepare_cached("DELETE FROM known_sources WHERE object = ?1 AND hash = ?2")?
            .send((object.as_bytes(), hash))?;
    }
    // 3. The limit. The source that was just noted stays, also after the clock was set back.
    if !is_new {
        return Ok(());
    }
    writing
        .prepare_cached(
            "DELETE FROM known_sources WHERE object = ?1 AND hash IN (
                 SELECT hash FROM known_sources WHERE object = ?1
                 ORDER BY hash = ?2 DESC, seen_at DESC LIMIT 1000 OFFSET ?3)",
        )?
        .send((object.as_bytes(), hash, KNOWN_SOURCES))?;
    Ok(())
}

/// Number of sources of the account from which it was let in after `since` (seconds since 1970).
pub fn count(reading: &Reading<'_>, object: Uuid, since: i64) -> Result<i64, StoreError> {
    let count = "SELECT count(*) FROM known_sources WHERE object = ?1 AND seen_at > ?2";
    Ok(reading.query_row(count, (object.as_bytes(), since), |row| row.get(0))?)
}

/// Forgets the sources whose last success was before `before` (seconds since 1970). Returns their number.
pub fn prune(writing: &Writing<'_>, before: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM known_sources WHERE seen_at < ?1", [before])
}
