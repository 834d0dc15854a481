//! The database's file: creates it, and opens it after checking its mode, program, version and integrity.
//! Neighbours: [`crate::Store`] opens the database by this, [`crate::backup`] its copies.

use crate::error::{StoreError, Trouble};
use crate::schema::{SCHEMA, SCHEMA_VERSION};
use crate::tables::tenant;
use crate::transaction::Writing;
use crate::{engine, upgrade};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Marks a file as a tenant's database: `LBTN` in the head of the file (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4c42_544e;
/// How long a statement waits for a lock of another process, such as a backup, before it fails as [`Trouble::Busy`].
/// A lock that lasts longer is a second tenant.
pub(crate) const BUSY: Duration = Duration::from_secs(10);
/// Mode of the file: its owner alone may read it.
const MODE: u32 = 0o600;
/// KiB of page cache of the writing connection. Objects arrive in no order, so each touches another page, and SQLite's
/// default of 2 MiB would read most of them again. Some commits search the whole cache, so a larger one makes these slow.
const WRITING_KIB: i64 = 8 << 10;
/// Pages of the write-ahead log before a checkpoint: 16,000 of 4 KiB are 64 MiB. A page that is written often until
/// then is written to the file once.
const LOG_PAGES: i64 = 16_000;

/// Creates the database under another name and links it to `path` when it is complete, so that a file at `path` is
/// always a complete database.
pub(crate) fn create(path: &Path, tenant: Uuid, now: i64) -> Result<(), StoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::file(path, Trouble::AlreadyThere));
    }
    let draft = draft_of(path);
    // A draft is left by an earlier `init` that was killed. It was never in use as a database.
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::io(&draft, &error)),
    }
    let built = build(&draft, tenant, now)
        // A hard link, unlike a rename, does not replace a file that another process has put there since.
        .and_then(|()| fs::hard_link(&draft, path).map_err(|e| StoreError::io(path, &e)))
        .and_then(|()| fsync_directory(path));
    let removed = fs::remove_file(&draft).map_err(|e| StoreError::io(&draft, &e));
    built.and(removed)
}

/// Fills a new file with the schema and the tenant's row.
fn build(draft: &Path, id: Uuid, now: i64) -> Result<(), StoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(draft)
        .map_err(|e| StoreError::io(draft, &e))?;
    let fill = || {
        let mut connection = connect(draft)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        tenant::insert(&Writing::of(engine::Connection::Sqlite(&transaction)), id, now)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
        connection.close().map_err(|(_, error)| StoreError::from(error))
    };
    fill().map_err(|e: StoreError| e.at(draft))
}

/// Opens the database: a connection that writes, one that reads, and others that read.
pub(crate) fn open(
    path: &Path,
    more: usize,
) -> Result<(Connection, Connection, Vec<Connection>), StoreError> {
    let about = fs::metadata(path).map_err(|e| StoreError::io(path, &e))?;
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::file(path, Trouble::Loose { mode }));
    }
    let all = || {
        let mut writing = connect(path)?;
        let found = check(&writing, path)?;
        upgrade::upgrade(&mut writing, found)?;
        ready(&writing)?;
        writing.pragma_update(None, "cache_size", -WRITING_KIB)?;
        writing.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        let reading = || {
            let reading = connect(path)?;
            ready(&reading)?;
            reading.pragma_update(None, "query_only", true)?;
            Ok::<_, StoreError>(reading)
        };
        let more = (0..more).map(|_| reading()).collect::<Result<_, _>>()?;
        Ok((writing, reading()?, more))
    };
    all().map_err(|e: StoreError| e.at(path))
}

/// Opens a connection and sets what every connection needs.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // The directory may be a symbolic link (systemd's DynamicUser makes it one), the file may not. SQLite's option
    // refuses both, so the directory is resolved first.
    let directory = directory_of(path).canonicalize().map_err(|e| StoreError::io(path, &e))?;
    let connection =
        Connection::open_with_flags(directory.join(path.file_name().unwrap_or_default()), flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(256);
    // The plan of a statement does not depend on its parameters. Otherwise SQLite prepares some statements at every
    // use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Checks program, version and integrity, and returns the version. Nothing is written to the file before this.
fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = version(connection, path)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::file(path, Trouble::Corrupt));
    }
    Ok(found)
}

/// The schema version, if the file is a tenant's database and this build knows the version.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id")? != APPLICATION_ID {
        return Err(StoreError::file(path, Trouble::NotOurs));
    }
    let found = number("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::file(path, Trouble::Newer { found, known: SCHEMA_VERSION }));
    }
    if found < upgrade::OLDEST {
        return Err(StoreError::file(path, Trouble::NotOurs));
    }
    Ok(found)
}

/// Sets what the connections of a running tenant need.
fn ready(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Each commit is on the disk before its receipt is sent.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A deleted digest is overwritten with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    // Another program may have written to the database: its schema must not run functions.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".draft");
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn fsync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path);
    fs::File::open(directory).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(directory, &e))
}
