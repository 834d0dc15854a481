//! What phs stores between cycles: where the last one ended, and for every object what an incremental reply leaves out.
//! One SQLite file, `state.db`, without a secret in it.
//!
//! A page's rows are committed after its receipt; the cursor is committed together with the last page's.
//! Not here: what the rows mean (`qualify`), and when a cursor may be stored (`watermark`).

mod census;
mod flaws;
mod holders;
mod links;
mod objects;
mod scope;
mod sending;
mod sweep;
pub mod watermark;

pub use census::Census;
pub use flaws::{Flaw, FlawCounts, Named};
pub use holders::HeldBack;
pub use links::LinkTarget;
pub use objects::{Kind, Object, Sent};
pub use scope::{ADMINISTRATOR, Bounds, KRBTGT, MACHINES, PROTECTED_USERS, Position};
pub use sweep::Leaving;

use self::watermark::Saved;
use landbridge_agent::key::{self, FileError};
use rusqlite::backup::StepResult;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The schema that this build writes.
const SCHEMA_VERSION: i64 = 4;
/// What version 3 lacked.
const TREE: &str = "ALTER TABLE objects ADD COLUMN rdn_type TEXT; ALTER TABLE objects ADD COLUMN named BLOB;";
const SCHEMA: &str = include_str!("mirror/schema.sql");
/// The database's name under the state directory.
pub const FILE: &str = "state.db";
const LOCK: &str = "lock";
const CACHE_KIB: i64 = 256;
/// Limit on waiting for the daemon's commit while the state is copied.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the state database cannot be used; the operator of this machine must act.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Directory(#[from] FileError),
    /// Another phs runs on this state.
    #[error(
        "{}: another landbridge-phs is at work on this state directory. If it is the daemon, it runs a cycle by itself when \
         something changes; to run `once`, stop it first", path.display()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("{}: the disk is full; nothing was lost: make room and run again", path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The file or its file system is read-only, or not readable.
    #[error("{}: cannot be opened for writing: check its owner, its mode and its file system", path.display())]
    Denied {
        /// The database.
        path: PathBuf,
    },
    /// The file is no sound database.
    #[error(
        "{}: the state database is damaged: check the disk, then move the file away; the next run compares in full \
         and nothing is lost", path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{}: has schema version {found}, this program knows {SCHEMA_VERSION}: run the newer program", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite failed in another way.
    #[error("{}: {why}", path.display())]
    Failed {
        /// The database.
        path: PathBuf,
        /// SQLite's word.
        why: String,
    },
}

/// The state database.
pub struct Mirror {
    database: Connection,
    path: PathBuf,
    /// Something changed since places and groups were last looked up.
    unresolved: Cell<bool>,
    /// Held for as long as this process may write.
    _lock: Option<OwnedFd>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Mirror {
    /// Opens the state under a directory, or begins an empty one; no other phs may be at work on it.
    pub fn open(state_directory: &Path) -> Result<Self, StateError> {
        key::private_directory(state_directory)?;
        let lock = lock(&state_directory.join(LOCK))?;
        let path = state_directory.join(FILE);
        // Made by us before SQLite does, so that its mode does not depend on the umask.
        match key::write_secret(&path, &[]) {
            Ok(()) => {}
            Err(FileError::Io { why, .. }) if why.kind() == std::io::ErrorKind::AlreadyExists => {
                key::check_secret(&path)?;
            }
            Err(FileError::Io { why, .. }) if why.kind() == std::io::ErrorKind::StorageFull => {
                return Err(StateError::DiskFull { path });
            }
            Err(other) => return Err(other.into()),
        }
        let database = Connection::open(&path).map_err(|e| failure(&path, &e))?;
        Self::prepare(database, path, Some(lock))
    }

    /// A copy to try things on: a temporary database that vanishes with this process. The state itself
    /// is only read.
    pub fn scratch(state_directory: &Path) -> Result<Self, StateError> {
        let path = state_directory.join(FILE);
        let wrong = |e: rusqlite::Error| failure(&path, &e);
        let mut database = Connection::open("").map_err(wrong)?;
        if path.try_exists().map_err(|why| FileError::Io { path: path.clone(), what: "look at", why })? {
            key::check_secret(&path)?;
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let state = Connection::open_with_flags(&path, flags).map_err(wrong)?;
            let backup = rusqlite::backup::Backup::new(&state, &mut database).map_err(wrong)?;
            // In one step: a copy in several steps starts again with each commit of the daemon. It waits for a commit.
            let until = Instant::now() + PATIENCE;
            while backup.step(-1).map_err(wrong)? != StepResult::Done {
                if Instant::now() > until {
                    return Err(StateError::Failed {
                        path,
                        why: "it is being written all the time".to_owned(),
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Self::prepare(database, path, None)
    }

    fn prepare(database: Connection, path: PathBuf, lock: Option<OwnedFd>) -> Result<Self, StateError> {
        let mirror = Self { database, path, unresolved: Cell::new(true), _lock: lock };
        mirror.checked(|database| {
            // A rollback journal is there only while a transaction is: a state.db that is moved away after a
            // crash leaves no log behind that would be read into the next one.
            database.pragma_update(None, "journal_mode", "DELETE")?;
            database.pragma_update(None, "synchronous", "FULL")?;
            // Small, so that memory does not follow the size of the directory.
            database.pragma_update(None, "cache_size", -CACHE_KIB)?;
            database.pragma_update(Some("temp"), "cache_size", -CACHE_KIB)?;
            database.pragma_update(None, "temp_store", "FILE")?;
            database.set_prepared_statement_cache_capacity(64);
            Ok(())
        })?;
        let version: i64 =
            mirror.checked(|database| database.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
        match version {
            0 => mirror.checked(|database| {
                database.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                ))
            })?,
            SCHEMA_VERSION => {}
            // It knew neither names nor the stamps of links. Nothing in it is lost to us: all is compared.
            1 => {
                mirror.checked(|database| {
                    database.execute_batch(&format!(
                        "BEGIN IMMEDIATE; DROP TABLE watermark; DROP TABLE objects; DROP TABLE edges; \
                         DROP TABLE quarantine; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                    ))
                })?;
                tracing::info!("the state database was of version 1: the next cycle compares all");
            }
            // It did not know the names of domain controllers, nor who can read or set every password, nor who may log
            // on to some computers only, nor when links end. What was sent stays known; a full compare brings them.
            2 => {
                mirror.checked(|database| {
                    database.execute_batch(&format!(
                        "BEGIN IMMEDIATE; ALTER TABLE objects ADD COLUMN host TEXT; \
                         ALTER TABLE objects ADD COLUMN kdc_number INTEGER NOT NULL DEFAULT 0; \
                         ALTER TABLE objects ADD COLUMN critical INTEGER NOT NULL DEFAULT 0; \
                         ALTER TABLE objects ADD COLUMN workstations INTEGER NOT NULL DEFAULT 0; \
                         ALTER TABLE links ADD COLUMN until INTEGER; \
                         CREATE INDEX links_by_end ON links(until) WHERE until IS NOT NULL; \
                         CREATE TABLE holders (sid TEXT PRIMARY KEY, rights TEXT NOT NULL) STRICT, WITHOUT ROWID; \
                         CREATE INDEX objects_without_hash ON objects(guid) WHERE kind = 'person' AND sent = 'present' \
                             AND carries AND password IS NULL AND NOT deleted AND uac & 2 = 0; \
                         DROP TABLE quarantine; CREATE TABLE flaws (guid BLOB NOT NULL, attribute TEXT NOT NULL, \
                             dn TEXT NOT NULL, sam TEXT, upn TEXT, why TEXT NOT NULL, quarantine INTEGER NOT NULL, \
                             since INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (guid, attribute)) \
                             STRICT, WITHOUT ROWID; \
                         {TREE} DELETE FROM watermark; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                    ))
                })?;
                tracing::info!("the state database was of version 2: the next cycle compares all");
            }
            // It did not know where containers are in the tree. The next cycle carries that, so it compares all.
            3 => mirror.checked(|database| {
                database.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TREE} DELETE FROM watermark; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                ))
            })?,
            found => return Err(StateError::Newer { path: mirror.path, found }),
        }
        let sound: String =
            mirror.checked(|database| database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        if sound != "ok" {
            return Err(StateError::Corrupt { path: mirror.path });
        }
        mirror.prepare_positions()?;
        Ok(mirror)
    }

    /// Where the last complete cycle ended.
    pub fn saved(&self) -> Result<Option<Saved>, StateError> {
        self.checked(|database| {
            let row = database.query_row("SELECT cursor, generation FROM watermark", [], |row| {
                Ok(Saved { cursor: row.get(0)?, generation: Uuid::from_bytes(row.get(1)?) })
            });
            row.optional()
        })
    }

    /// Begins a page. What follows is not there until [`Mirror::commit`].
    pub fn begin(&self) -> Result<(), StateError> {
        self.checked(|database| database.execute_batch("BEGIN IMMEDIATE"))
    }

    /// Ends a page whose receipt has come.
    pub fn commit(&self) -> Result<(), StateError> {
        self.checked(|database| database.execute_batch("COMMIT"))
    }

    /// Gives a page up; without a page it does nothing.
    pub fn rollback(&self) -> Result<(), StateError> {
        if self.database.is_autocommit() {
            return Ok(());
        }
        self.unresolved.set(true);
        self.checked(|database| database.execute_batch("ROLLBACK"))
    }

    /// Stores where the cycle ended; inside the last page.
    pub fn save(&self, saved: &Saved) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "INSERT OR REPLACE INTO watermark (only_row, cursor, generation) VALUES (1, ?1, ?2)";
            database.execute(sql, params![saved.cursor, saved.generation.as_bytes()]).map(|_| ())
        })
    }

    /// Begins a full compare: without a cursor, so that one that is killed begins again, and without
    /// links, which are all sent again.
    pub fn forget_position(&self) -> Result<(), StateError> {
        self.checked(|database| {
            database.execute_batch("BEGIN IMMEDIATE; DELETE FROM watermark; DELETE FROM links; COMMIT;")
        })?;
        self.unresolved.set(true);
        Ok(())
    }

    /// Ends a full compare: forgets what it did not see, but what is in quarantine.
    pub fn forget_unseen(&self, cycle: Uuid) -> Result<(), StateError> {
        self.checked(|database| {
            let sql =
                "DELETE FROM objects WHERE cycle IS NOT ?1 AND guid NOT IN (SELECT guid FROM flaws WHERE quarantine)";
            database.execute(sql, [cycle.as_bytes()]).map(|_| ())
        })?;
        self.unresolved.set(true);
        Ok(())
    }

    /// What was last worked by, under this name.
    pub fn fact(&self, name: &str) -> Result<Option<String>, StateError> {
        self.checked(|database| {
            let mut query = database.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
            query.query_row([name], |row| row.get(0)).optional()
        })
    }

    /// Remembers what was worked by.
    pub fn set_fact(&self, name: &str, value: &str) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)";
            database.prepare_cached(sql)?.execute([name, value]).map(|_| ())
        })
    }

    fn checked<R>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StateError> {
        run(&self.database).map_err(|error| failure(&self.path, &error))
    }
}

fn lock(path: &Path) -> Result<OwnedFd, StateError> {
    let failed =
        |why: rustix::io::Errno| FileError::Io { path: path.to_owned(), what: "lock", why: why.into() };
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Busy { path: path.to_owned() }),
        Err(why) => Err(failed(why).into()),
    }
}

fn failure(path: &Path, error: &rusqlite::Error) -> StateError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StateError::DiskFull { path },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StateError::Denied { path }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StateError::Corrupt { path },
        _ => StateError::Failed { path, why: error.to_string() },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn directory() -> tempfile::TempDir {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        tempfile::Builder::new().permissions(mode).tempdir().unwrap()
    }

    fn saved(cursor: &[u8]) -> Saved {
        Saved { cursor: cursor.to_vec(), generation: Uuid::from_u128(1) }
    }

    #[test]
    fn a_crash_before_the_commit_leaves_the_page_before() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.begin().unwrap();
        mirror.put(&Object::unknown(Uuid::from_u128(7))).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        mirror.commit().unwrap();
        mirror.begin().unwrap();
        mirror.put(&Object::unknown(Uuid::from_u128(8))).unwrap();
        mirror.save(&saved(b"5")).unwrap();
        drop(mirror);
        let mirror = Mirror::open(directory.path()).unwrap();
        assert_eq!(mirror.saved().unwrap(), Some(saved(b"4")));
        assert!(mirror.object(Uuid::from_u128(7)).unwrap().is_some());
        assert!(mirror.object(Uuid::from_u128(8)).unwrap().is_none());
    }

    #[test]
    fn a_page_that_is_given_up_leaves_nothing() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.rollback().unwrap();
        mirror.begin().unwrap();
        mirror.save(&saved(b"4")).unwrap();
        mirror.rollback().unwrap();
        assert_eq!(mirror.saved().unwrap(), None);
    }

    #[test]
    fn the_file_is_its_owners_alone_and_a_looser_one_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = directory();
        drop(Mirror::open(directory.path()).unwrap());
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Mirror::open(directory.path()), Err(StateError::Directory(_))));
    }

    #[test]
    fn a_second_phs_is_refused_while_the_first_runs() {
        let directory = directory();
        let first = Mirror::open(directory.path()).unwrap();
        assert!(matches!(Mirror::open(directory.path()), Err(StateError::Busy { .. })));
        drop(first);
        Mirror::open(directory.path()).unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.database.pragma_update(None, "user_version", 5).unwrap();
        drop(mirror);
        assert!(matches!(Mirror::open(directory.path()), Err(StateError::Newer { found: 5, .. })));
        assert!(matches!(Mirror::scratch(directory.path()), Err(StateError::Newer { found: 5, .. })));
    }

    #[test]
    fn a_state_without_places_of_containers_keeps_what_was_sent_and_compares_all() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let object = Object { sent: Some(Sent::Present), ..Object::unknown(Uuid::from_u128(7)) };
        mirror.put(&object).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        mirror.database.execute_batch(&format!("{WITHOUT_TREE} PRAGMA user_version = 3")).unwrap();
        drop(mirror);
        let mirror = Mirror::open(directory.path()).unwrap();
        assert_eq!(mirror.object(object.guid).unwrap(), Some(object));
        assert_eq!(mirror.saved().unwrap(), None);
    }

    /// Turns the database into one of version 3.
    const WITHOUT_TREE: &str =
        "ALTER TABLE objects DROP COLUMN rdn_type; ALTER TABLE objects DROP COLUMN named;";

    #[test]
    fn a_state_without_names_of_controllers_keeps_what_was_sent_and_compares_all() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let object = Object { sent: Some(Sent::Present), ..Object::unknown(Uuid::from_u128(7)) };
        mirror.put(&object).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        mirror.database.execute_batch(WITHOUT_TREE).unwrap();
        mirror
            .database
            .execute_batch(
                "ALTER TABLE objects DROP COLUMN host; ALTER TABLE objects DROP COLUMN kdc_number; \
                 ALTER TABLE objects DROP COLUMN critical; ALTER TABLE objects DROP COLUMN workstations; DROP TABLE holders; \
                 DROP INDEX links_by_end; ALTER TABLE links DROP COLUMN until; DROP INDEX objects_without_hash; DROP TABLE flaws; \
                 CREATE TABLE quarantine (guid BLOB PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
                 PRAGMA user_version = 2",
            )
            .unwrap();
        drop(mirror);
        let mirror = Mirror::open(directory.path()).unwrap();
        assert_eq!(mirror.object(object.guid).unwrap(), Some(object));
        assert_eq!(mirror.count_flaws().unwrap(), FlawCounts::default());
        assert_eq!(mirror.count_without_hash().unwrap(), 0);
        assert_eq!((mirror.saved().unwrap(), mirror.controllers().unwrap()), (None, Vec::new()));
    }

    #[test]
    fn a_damaged_file_is_refused_with_the_way_out() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        drop(mirror);
        let path = directory.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes.get_mut(4096..end).unwrap().fill(0x5a);
        std::fs::write(&path, &bytes).unwrap();
        let error = Mirror::open(directory.path()).unwrap_err();
        assert!(matches!(error, StateError::Corrupt { .. }) && error.to_string().contains("move"), "{error}");
        std::fs::write(&path, b"this is no database, and long enough to be looked at").unwrap();
        assert!(matches!(Mirror::open(directory.path()), Err(StateError::Corrupt { .. })));
    }

    #[test]
    fn a_full_disk_is_named_and_loses_nothing() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        let pages: i64 = mirror.database.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        mirror.database.pragma_update(None, "max_page_count", pages).unwrap();
        mirror.begin().unwrap();
        let fill = (0u128..10_000).try_for_each(|n| mirror.put(&Object::unknown(Uuid::from_u128(n))));
        assert!(matches!(fill, Err(StateError::DiskFull { .. })), "{fill:?}");
        mirror.rollback().unwrap();
        assert_eq!(mirror.saved().unwrap(), Some(saved(b"4")));
    }

    #[test]
    fn a_scratch_copy_writes_nothing_back() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.save(&saved(b"4")).unwrap();
        drop(mirror);
        let before = std::fs::read(directory.path().join(FILE)).unwrap();
        let scratch = Mirror::scratch(directory.path()).unwrap();
        assert_eq!(scratch.saved().unwrap(), Some(saved(b"4")));
        scratch.forget_position().unwrap();
        scratch.put(&Object::unknown(Uuid::from_u128(1))).unwrap();
        drop(scratch);
        assert_eq!(std::fs::read(directory.path().join(FILE)).unwrap(), before);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "state.db and lock");
    }

    #[test]
    fn a_full_compare_forgets_what_it_did_not_see_but_the_quarantined() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let cycle = Uuid::from_u128(99);
        for n in 1..4 {
            let seen = (n == 1).then_some(cycle);
            mirror.put(&Object { cycle: seen, ..Object::unknown(Uuid::from_u128(n)) }).unwrap();
        }
        mirror.quarantine(Uuid::from_u128(2), Named::default(), "", "odd", 5).unwrap();
        mirror.forget_unseen(cycle).unwrap();
        let there: Vec<_> = (1..4).map(|n| mirror.object(Uuid::from_u128(n)).unwrap().is_some()).collect();
        assert_eq!(there, [true, true, false]);
    }
}
