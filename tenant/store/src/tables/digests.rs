//! The table `digests`: sealed digests. A row that was moved, copied or edited does not open, because the seal is
//! bound to table, objectGUID and column.
//! Neighbours: the ingest stores and erases digests; the sign-in opens them.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_crypto::seal::{CellAddress, SealKeys};
use landbridge_wire::upload::Stamp;
use uuid::Uuid;

/// The first version of the schema in which digests are found by the number of their object.
const NUMBERED_SINCE: i64 = 5;

/// A sealed digest, read from the database.
pub struct StoredDigest {
    /// The stamp of the password: when and where it was set.
    pub stamp: Stamp,
    /// When the digest was stored: seconds since 1970.
    pub set_at: i64,
    sealed: Vec<u8>,
}

/// The seal does not open, or its content is not a digest: the key is missing, or another program wrote to the
/// database. The operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored digest cannot be opened: a seal key is missing, or the database was tampered with")]
pub struct Unreadable;

impl StoredDigest {
    /// Opens the seal. `object` is the account that the caller looked up. It is not read from the row, so that a row
    /// that was moved to another account does not open.
    pub fn open(&self, keys: &SealKeys, object: Uuid) -> Result<SaltedDigest, Unreadable> {
        let text = keys.open(&place(&object), &self.sealed).map_err(|_| Unreadable)?;
        std::str::from_utf8(&text).ok().and_then(|text| SaltedDigest::parse(text).ok()).ok_or(Unreadable)
    }
}

impl std::fmt::Debug for StoredDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredDigest")
            .field("stamp", &self.stamp)
            .field("set_at", &self.set_at)
            .finish_non_exhaustive()
    }
}

/// The account's digest, if it has one.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<StoredDigest>, StoreError> {
    let row = reading
        .prepare_cached("SELECT stamp, sealed, set_at FROM digests WHERE number = (SELECT number FROM objects WHERE object = ?1)")?
        .query_row([object.as_bytes()], |row| {
            Ok((row.get::<Vec<u8>>(0)?, row.get::<Vec<u8>>(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((stamp, sealed, set_at)) = row else { return Ok(None) };
    Ok(Some(StoredDigest { stamp: stamps::from_bytes(&stamp)?, set_at, sealed }))
}

/// Any digest of the domain, with its account. None: the domain has no digest.
pub fn any_of(reading: &Reading<'_>, domain: i64) -> Result<Option<(Uuid, StoredDigest)>, StoreError> {
    let object = reading
        .prepare_cached(
            "SELECT a.object FROM objects a JOIN digests d ON d.number = a.number
             WHERE a.domain = ?1 AND a.kind = 'account' AND a.presence = 'present' LIMIT 1",
        )?
        .query_row([domain], |row| stamps::guid(row, 0))
        .optional()?;
    let Some(object) = object else { return Ok(None) };
    Ok(find(reading, object)?.map(|held| (object, held)))
}

/// Number of digests of the domain.
pub fn count(reading: &Reading<'_>, domain: i64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM objects a JOIN digests d ON d.number = a.number WHERE a.domain = ?1";
    Ok(reading.prepare_cached(sql)?.query_row([domain], |row| row.get(0))?)
}

/// Number of digests, and number of those that these keys do not open. `version`: of the schema, for a copy that no
/// upgrade has reached.
pub fn unreadable(reading: &Reading<'_>, keys: &SealKeys, version: i64) -> Result<(u64, u64), StoreError> {
    let mut statement = reading.prepare_cached(if version < NUMBERED_SINCE {
        "SELECT object, stamp, sealed, set_at FROM digests"
    } else {
        "SELECT o.object, d.stamp, d.sealed, d.set_at FROM digests d JOIN objects o ON o.number = d.number"
    })?;
    let mut rows = statement.query(())?;
    let (mut all, mut closed) = (0, 0);
    while let Some(row) = &rows.next()? {
        let (object, stamp) = (stamps::guid(row, 0)?, row.get::<Vec<u8>>(1)?);
        let held =
            StoredDigest { stamp: stamps::from_bytes(&stamp)?, sealed: row.get(2)?, set_at: row.get(3)? };
        all += 1;
        closed += u64::from(held.open(keys, object).is_err());
    }
    Ok((all, closed))
}

/// Number of the domain's present accounts whose digest has fewer iterations. Opens each digest, so it is for requests
/// of an administrator only. One that does not open is not counted.
pub fn with_fewer_iterations(
    reading: &Reading<'_>,
    keys: &SealKeys,
    domain: i64,
    iterations: u32,
) -> Result<u64, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT a.object, d.stamp, d.sealed, d.set_at FROM objects a JOIN digests d ON d.number = a.number
         WHERE a.domain = ?1 AND a.kind = 'account' AND a.presence = 'present'",
    )?;
    let mut rows = statement.query([domain])?;
    let mut fewer = 0;
    while let Some(row) = &rows.next()? {
        let (object, stamp) = (stamps::guid(row, 0)?, row.get::<Vec<u8>>(1)?);
        let held =
            StoredDigest { stamp: stamps::from_bytes(&stamp)?, sealed: row.get(2)?, set_at: row.get(3)? };
        fewer += u64::from(held.open(keys, object).is_ok_and(|digest| digest.iterations() < iterations));
    }
    Ok(fewer)
}

/// Seals and stores the digest of an account that is stored; replaces the one before. `now` is in seconds since 1970.
pub fn put(
    writing: &Writing<'_>,
    keys: &SealKeys,
    object: Uuid,
    stamp: &Stamp,
    digest: &SaltedDigest,
    now: i64,
) -> Result<(), StoreError> {
    let sealed = keys.seal(&place(&object), digest.to_text().as_bytes()).map_err(StoreError::Seal)?;
    writing
        .prepare_cached(
            "INSERT INTO digests (number, stamp, sealed, set_at)
             SELECT number, ?2, ?3, ?4 FROM objects WHERE object = ?1
             ON CONFLICT (number) DO UPDATE SET stamp = excluded.stamp, sealed = excluded.sealed, set_at = excluded.set_at",
        )?
        .send((object.as_bytes(), stamps::to_bytes(stamp), sealed, now))?;
    Ok(())
}

/// Erases an account's digest and stamp. False: there was none.
pub fn erase(writing: &Writing<'_>, object: Uuid) -> Result<bool, StoreError> {
    let sql = "DELETE FROM digests WHERE number = (SELECT number FROM objects WHERE object = ?1)";
    Ok(writing.prepare_cached(sql)?.execute([object.as_bytes()])? > 0)
}

fn place(object: &Uuid) -> CellAddress<'_> {
    CellAddress { table: "digests", row: object.as_bytes(), column: "sealed" }
}
