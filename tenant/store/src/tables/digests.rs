//! The digests, sealed. A row that somebody moved, copied or edited does not open: the seal is bound to table,
//! objectGUID and column.
//! Neighbours: `ingest` stores and erases, `signin` opens.

use crate::{Reading, StoreError, Writing, stamps};
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_crypto::seal::{CellAddress, SealKeys};
use landbridge_wire::upload::Stamp;
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

/// A digest as it lies in the database.
pub struct Held {
    /// When and where the password was set.
    pub stamp: Stamp,
    /// When it came here: seconds since 1970.
    pub set_at: i64,
    sealed: Vec<u8>,
}

/// The seal does not open or what is in it is no digest: the key is missing, or somebody wrote to the database.
/// The operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored digest cannot be opened: a seal key is missing, or the database was tampered with")]
pub struct Unreadable;

impl Held {
    /// Opens the seal. `object` is whom the digest is for, as the caller knows it: not as the row says.
    pub fn open(&self, keys: &SealKeys, object: Uuid) -> Result<SaltedDigest, Unreadable> {
        let text = keys.open(&place(&object), &self.sealed).map_err(|_| Unreadable)?;
        std::str::from_utf8(&text).ok().and_then(|text| SaltedDigest::parse(text).ok()).ok_or(Unreadable)
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("stamp", &self.stamp)
            .field("set_at", &self.set_at)
            .finish_non_exhaustive()
    }
}

/// The account's digest, if it has one.
pub fn find(connection: &Reading<'_>, object: Uuid) -> Result<Option<Held>, StoreError> {
    let row = connection
        .prepare_cached("SELECT stamp, sealed, set_at FROM digests WHERE object = ?1")?
        .query_row([object.as_bytes()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((stamp, sealed, set_at)) = row else { return Ok(None) };
    Ok(Some(Held { stamp: stamps::from_bytes(&stamp)?, set_at, sealed }))
}

/// A digest of the domain, whichever is found first; with whom it is for.
pub fn any_of(connection: &Reading<'_>, domain: i64) -> Result<Option<(Uuid, Held)>, StoreError> {
    let object = connection
        .prepare_cached(
            "SELECT d.object FROM objects a JOIN digests d ON d.object = a.object
             WHERE a.domain = ?1 AND a.kind = 'account' AND a.presence = 'present' LIMIT 1",
        )?
        .query_row([domain], |row| stamps::guid(row, 0))
        .optional()?;
    let Some(object) = object else { return Ok(None) };
    Ok(find(connection, object)?.map(|held| (object, held)))
}

/// How many digests there are, and how many of them these keys do not open.
pub fn unreadable(connection: &Reading<'_>, keys: &SealKeys) -> Result<(u64, u64), StoreError> {
    let mut statement = connection.prepare("SELECT object, stamp, sealed, set_at FROM digests")?;
    let mut rows = statement.query([])?;
    let (mut all, mut closed) = (0, 0);
    while let Some(row) = rows.next()? {
        let (object, stamp) = (stamps::guid(row, 0)?, row.get::<_, Vec<u8>>(1)?);
        let held = Held { stamp: stamps::from_bytes(&stamp)?, sealed: row.get(2)?, set_at: row.get(3)? };
        all += 1;
        closed += u64::from(held.open(keys, object).is_err());
    }
    Ok((all, closed))
}

/// Seals and stores; replaces what was there. `now` is in seconds since 1970.
pub fn put(
    transaction: &Writing<'_>,
    keys: &SealKeys,
    object: Uuid,
    stamp: &Stamp,
    digest: &SaltedDigest,
    now: i64,
) -> Result<(), StoreError> {
    let sealed = keys.seal(&place(&object), digest.to_text().as_bytes()).map_err(StoreError::Seal)?;
    transaction
        .prepare_cached(
            "INSERT INTO digests (object, stamp, sealed, set_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (object) DO UPDATE SET stamp = excluded.stamp, sealed = excluded.sealed, set_at = excluded.set_at",
        )?
        .execute((object.as_bytes(), stamps::to_bytes(stamp), sealed, now))?;
    Ok(())
}

/// Erases digest and stamp. Says whether there was one.
pub fn erase(transaction: &Writing<'_>, object: Uuid) -> Result<bool, StoreError> {
    Ok(transaction.prepare_cached("DELETE FROM digests WHERE object = ?1")?.execute([object.as_bytes()])? > 0)
}

fn place(object: &Uuid) -> CellAddress<'_> {
    CellAddress { table: "digests", row: object.as_bytes(), column: "sealed" }
}
