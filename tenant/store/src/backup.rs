//! Backups: copies the database while it is in use, checks a copy, and prepares a copy for use as the database.
//! Neighbours: the program's commands `backup` and `restore` call this; `file` checks that a file is a tenant's
//! database.

use super::engine::sqlite::file;
use super::tables::{audit, digests, nodes, tenant, web_sessions};
use super::{Location, Reading, StoreError, Trouble, Writing, engine, transfer};
use crate::transfer::Transferred;
use landbridge_crypto::seal::SealKeys;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use uuid::Uuid;

/// The action of the audit entry that every copy contains and the original does not.
const COPIED: &str = "backup-made";

/// The contents of a copy, as the commands print them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The tenant's id.
    pub tenant: Uuid,
    /// The version of its schema.
    pub version: i64,
    /// When it was made, in seconds since 1970. None: [`copy`] did not make it.
    pub made_at: Option<i64>,
    /// The DNS names of its domains, sorted.
    pub domains: Vec<String>,
    /// Number of its digests.
    pub digests: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// Copies one state of the database into a new file of SQLite (mode 0600) and reads the copy through. The tenant may run:
/// the original is not written to, and its readers and writers continue. Erased data is in no page of the copy. The audit
/// log of the copy names the actor. `each` is called with the rows that a server has given so far.
pub fn copy(
    from: &Location,
    to: &Path,
    actor: &str,
    now: i64,
    each: impl FnMut(&Transferred),
) -> Result<Contents, StoreError> {
    // 1. One state of the database, in a file.
    match from {
        Location::File(from) => vacuum_into(from, to)?,
        Location::Server(from) => drop(transfer::to_file(from, to, now, each, |_| Ok(()))?),
    }
    // 2. The copy names its maker, is on the disk, and can be read.
    let note = || {
        let mut copy = file::connect(to)?;
        let tx = copy.transaction()?;
        audit::append(&Writing::of(engine::Connection::Sqlite(&tx)), now, actor, COPIED, "", "")?;
        Ok(tx.commit()?)
    };
    note().map_err(|e: StoreError| e.at(to))?;
    File::open(to).and_then(|copy| copy.sync_all()).map_err(|e| StoreError::io(to, &e))?;
    read_through(to)
}

/// Copies one state of a file into a new file.
fn vacuum_into(from: &Path, to: &Path) -> Result<(), StoreError> {
    // 1. An empty file with the right mode, at a path where no file was.
    std::fs::metadata(from).map_err(|e| StoreError::io(from, &e))?;
    let name = to.to_str().ok_or_else(|| StoreError::file(to, Trouble::Unopenable))?;
    let draft = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    draft.map_err(|e| StoreError::io(to, &e))?;
    // 2. SQLite copies the state into it.
    let original = file::connect(from).map_err(|e| e.at(from))?;
    file::version(&original, from).map_err(|e| e.at(from))?;
    original.execute("VACUUM INTO ?1", [name]).map_err(|e| {
        // SQLite does not name the file that failed. A full disk is that of the copy.
        let failed = StoreError::from(e);
        let full = failed.trouble() == Some(&Trouble::Full);
        failed.at(if full { to } else { from })
    })?;
    Ok(())
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
            tenant: tenant::find(&Reading::of(engine::Connection::Sqlite(&connection)))?.id,
            version,
            made_at: connection.query_row(made_at, [COPIED], |row| row.get(0)).optional()?,
            domains,
            digests: connection.query_row("SELECT count(*) FROM digests", [], |row| row.get(0))?,
            size,
        })
    };
    read().map_err(|e: StoreError| e.at(copy))
}

/// Number of digests in a copy, and number of those that these keys do not open.
pub fn unreadable(copy: &Path, keys: &SealKeys) -> Result<(u64, u64), StoreError> {
    open(copy)
        .and_then(|connection| {
            let version = file::version(&connection, copy)?;
            let reading = Reading::of(engine::Connection::Sqlite(&connection));
            digests::unreadable(&reading, keys, version)
        })
        .map_err(|e| e.at(copy))
}

/// Opens a copy for reading only.
fn open(copy: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Prepares a copy for use as the database. A new generation makes every phs compare in full; until then its domain
/// does not count as synchronised. All unused one-time tokens are marked as redeemed, because some of them may have
/// been redeemed after the copy was made. Sessions of people and what was granted in them end for the same reason. Nodes are
/// added again: the process that serves from the copy is the first one.
pub fn put_back(writing: &Writing<'_>, actor: &str, now: i64) -> Result<(), StoreError> {
    tenant::renew_generation(writing)?;
    writing.send("UPDATE domains SET acknowledged_before = coalesce(acknowledged, acknowledged_before), acknowledged = NULL", ())?;
    writing.send("UPDATE tokens SET spent_at = ?1 WHERE spent_at IS NULL", [now])?;
    writing.send("DELETE FROM device_requests", ())?;
    nodes::remove_all(writing)?;
    web_sessions::end_all(writing, now)?;
    audit::append(writing, now, actor, "backup-restored", "", "")
}
