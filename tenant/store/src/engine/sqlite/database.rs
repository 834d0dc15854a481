//! A database in a file: one connection that writes, some that read for sign-ins, and one for what reads much.
//! Neighbours: [`crate::Store`] reads and writes by this; [`crate::erase`] rewrites its tables.

use super::file;
use super::readers::Readers;
use super::writer::{Idle, Writer};
use crate::StoreError;
use crate::engine::Connection;
use crate::error::Trouble;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long taking in the log waits for those who read an earlier state.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(1);

/// The open file.
pub(crate) struct FileDatabase {
    path: PathBuf,
    writer: Writer,
    reading: Readers,
    looking: Mutex<rusqlite::Connection>,
    /// Something was erased that the write-ahead log has still.
    uncheckpointed: AtomicBool,
}

impl FileDatabase {
    /// Opens the file, and upgrades it if an older build has written it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let (writing, looking, reading) = file::open(path, Readers::count())?;
        Ok(Self {
            path: path.to_owned(),
            writer: Writer::new(writing),
            reading: Readers::new(reading.into_iter()),
            looking: Mutex::new(looking),
            uncheckpointed: AtomicBool::new(false),
        })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `ask` on one snapshot, which should be short: the connections are few.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        snapshot(&self.reading.lend().connection, ask)
    }

    /// The same for what may read much: no sign-in waits for it.
    pub(crate) fn look<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        snapshot(&self.looking, ask)
    }

    /// Runs `change` in one transaction and commits it.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.writer.alone(|connection| change(Connection::Sqlite(connection)))
    }

    /// The same in a batch of short transactions, which share one commit.
    pub(crate) fn write_short<T>(
        &self,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.writer.in_batch(|connection| change(Connection::Sqlite(connection)))? {
            Some(done) => Ok(done),
            None => self.write(change),
        }
    }

    /// The connection that writes, for work that is no transaction of the tables.
    pub(crate) fn idle(&self) -> Idle<'_> {
        self.writer.connection()
    }

    /// Takes the write-ahead log into the file. Fails as [`Trouble::BeingRead`] while an earlier state is being read.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let connection = self.writer.connection();
        // Writers wait meanwhile, and a backup takes long.
        connection.busy_timeout(CHECKPOINT_WAIT)?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(file::BUSY)?;
        if busy? {
            return Err(StoreError::file(&self.path, Trouble::BeingRead));
        }
        self.uncheckpointed.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Whether the log has something still that was erased.
    pub(crate) fn needs_checkpoint(&self) -> bool {
        self.uncheckpointed.load(Ordering::SeqCst)
    }

    /// Notes that the log has something that was erased.
    pub(crate) fn note_erased(&self) {
        self.uncheckpointed.store(true, Ordering::SeqCst);
    }
}

fn snapshot<T>(
    on: &Mutex<rusqlite::Connection>,
    ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let connection = held(on);
    let snapshot = Snapshot::of(&connection)?;
    ask(Connection::Sqlite(snapshot.0))
}

/// One state of the database, until it is dropped. Like [`rusqlite::Transaction`], but with statements that are kept:
/// a sign-in reads several times, and reads little.
struct Snapshot<'a>(&'a rusqlite::Connection);

impl<'a> Snapshot<'a> {
    fn of(connection: &'a rusqlite::Connection) -> Result<Self, StoreError> {
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written. If this fails, so does the next BEGIN, and says so.
        let _ = self.0.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
    }
}

/// A closure that panicked left no half transaction behind (dropping one rolls it back), so the connection
/// goes on being used.
fn held(connection: &Mutex<rusqlite::Connection>) -> MutexGuard<'_, rusqlite::Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
