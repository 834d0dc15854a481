//! A copy of the database while it is in use, and what a copy becomes when it is put back.
//! Neighbours: `command::backup` and `command::restore` call this; [`super::file`] knows whose a file is.

use super::tables::{audit, digests};
use super::{Reading, StoreError, Trouble, Writing, file};
use landbridge_crypto::seal::SealKeys;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use uuid::Uuid;

/// The entry of the audit log that every copy holds, and the original does not.
const COPIED: &str = "backup-made";

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The tenant's id.
    pub tenant: Uuid,
    /// Its schema's version.
    pub version: i64,
    /// When it was copied, in seconds since 1970; none: not by [`copy`].
    pub made_at: Option<i64>,
    /// Its domains, by their DNS names.
    pub domains: Vec<String>,
    /// How many digests it has.
    pub digests: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// Copies the database into a new file (0600), one state of it, while it is served or not, and reads the copy
/// through. The original is not written to, and nobody waits: readers and the writer go on. What was erased is in no
/// page of the copy. Its audit log says who made it.
pub fn copy(from: &Path, to: &Path, actor: &str, now: i64) -> Result<Contents, StoreError> {
    std::fs::metadata(from).map_err(|e| StoreError::io(from, &e))?;
    let name = to.to_str().ok_or_else(|| StoreError::file(to, Trouble::Unopenable))?;
    let draft = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    draft.map_err(|e| StoreError::io(to, &e))?;
    let original = file::connect(from).map_err(|e| e.at(from))?;
    file::version(&original, from).map_err(|e| e.at(from))?;
    original.execute("VACUUM INTO ?1", [name]).map_err(|e| {
        // SQLite does not say which of the two failed; a full disk is the copy's.
        let failed = StoreError::from(e);
        let full = failed.trouble() == Some(&Trouble::Full);
        failed.at(if full { to } else { from })
    })?;
    let note = || {
        let mut copy = file::connect(to)?;
        let tx = copy.transaction()?;
        audit::append(&Writing::of(&tx), now, actor, COPIED, "", "")?;
        Ok(tx.commit()?)
    };
    note().map_err(|e: StoreError| e.at(to))?;
    File::open(to).and_then(|copy| copy.sync_all()).map_err(|e| StoreError::io(to, &e))?;
    read_through(to)
}

/// Reads a copy from its first page to its last, and changes nothing.
pub fn read_through(copy: &Path) -> Result<Contents, StoreError> {
    let size = std::fs::metadata(copy).map_err(|e| StoreError::io(copy, &e))?.len();
    let read = || {
        let connection = open(copy)?;
        let version = file::version(&connection, copy)?;
        let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StoreError::file(copy, Trouble::Corrupt));
        }
        let made_at = "SELECT at FROM audit WHERE action = ?1 ORDER BY id DESC LIMIT 1";
        let mut domains = connection.prepare("SELECT dns_name FROM domains ORDER BY dns_name")?;
        let domains = domains.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Contents {
            tenant: file::tenant(&connection)?.id,
            version,
            made_at: connection.query_row(made_at, [COPIED], |row| row.get(0)).optional()?,
            domains,
            digests: connection.query_row("SELECT count(*) FROM digests", [], |row| row.get(0))?,
            size,
        })
    };
    read().map_err(|e: StoreError| e.at(copy))
}

/// How many digests a copy has, and how many of them these keys do not open.
pub fn unreadable(copy: &Path, keys: &SealKeys) -> Result<(u64, u64), StoreError> {
    open(copy)
        .and_then(|connection| digests::unreadable(&Reading::of(&connection), keys))
        .map_err(|e| e.at(copy))
}

fn open(copy: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// A copy is put back: a new generation, so that every phs compares in full, and until it has, its domain does not count
/// as synchronised; and the one-time tokens of its day are spent, for some of them were.
pub fn put_back(writing: &Writing<'_>, actor: &str, now: i64) -> Result<(), StoreError> {
    writing.execute("UPDATE tenant SET generation = ?1", [Uuid::new_v4().as_bytes()])?;
    writing.execute("UPDATE domains SET acknowledged_before = coalesce(acknowledged, acknowledged_before), acknowledged = NULL", [])?;
    writing.execute("UPDATE tokens SET spent_at = ?1 WHERE spent_at IS NULL", [now])?;
    audit::append(writing, now, actor, "backup-restored", "", "")
}
