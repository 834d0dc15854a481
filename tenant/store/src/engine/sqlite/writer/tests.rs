//! Batches on a real database, and the commits counted in its write-ahead log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

struct Database {
    writer: Writer,
    reading: Mutex<Connection>,
    log: PathBuf,
    _directory: TempDir,
}

/// Bytes of the header of a write-ahead log, of a frame's header, and of a page (SQLite's file format, 4.1).
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4096;

impl Database {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("database");
        let open = || {
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
            connection.pragma_update(None, "foreign_keys", true).unwrap();
            connection
        };
        let writing = open();
        writing
            .execute_batch(
                "CREATE TABLE rows (number INTEGER PRIMARY KEY, of INTEGER REFERENCES rows DEFERRABLE INITIALLY DEFERRED);
                 PRAGMA wal_checkpoint(TRUNCATE);",
            )
            .unwrap();
        let log = directory.path().join("database-wal");
        Self { writer: Writer::new(writing), reading: Mutex::new(open()), log, _directory: directory }
    }

    fn insert(&self, number: usize) -> Result<Option<()>, StoreError> {
        self.writer.in_batch(|connection| Ok(insert(connection, number, None)?))
    }

    /// The rows, as another connection sees them.
    fn rows(&self) -> Vec<i64> {
        let reading = self.reading.lock().unwrap();
        let mut statement = reading.prepare("SELECT number FROM rows ORDER BY number").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Number of commits in the write-ahead log: frames that state the size of the database.
    fn commits(&self) -> usize {
        let log = fs::read(&self.log).unwrap();
        let frames = log[LOG_HEADER.min(log.len())..].chunks_exact(FRAME_HEADER + PAGE);
        frames.filter(|frame| frame[4..8] != [0; 4]).count()
    }

    /// Runs `member` in `count` threads. All of them wait for the connection before the first one gets it.
    fn at_once<T: Send>(&self, count: usize, member: impl Fn(usize) -> T + Sync) -> Vec<T> {
        thread::scope(|scope| {
            let held = self.writer.locked();
            let member = &member;
            let threads: Vec<_> = (0..count).map(|nth| scope.spawn(move || member(nth))).collect();
            while self.writer.waiting.load(Ordering::SeqCst) < count {
                thread::yield_now();
            }
            drop(held);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }
}

fn insert(connection: &Connection, number: usize, of: Option<usize>) -> rusqlite::Result<()> {
    let [number, of] = [Some(number), of].map(|number| number.map(|number| i64::try_from(number).unwrap()));
    connection.execute("INSERT INTO rows VALUES (?1, ?2)", (number, of)).map(drop)
}

#[test]
fn short_transactions_that_wait_at_the_same_time_share_a_commit() {
    let database = Database::new();
    let outcomes = database.at_once(16, |nth| database.insert(nth));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Some(())))));
    assert_eq!(database.rows().len(), 16);
    assert_eq!(database.commits(), 1);
    // A transaction with none behind it is committed at once.
    database.insert(16).unwrap().unwrap();
    assert_eq!(database.commits(), 2);
}

#[test]
fn a_batch_has_a_limit() {
    let database = Database::new();
    let outcomes = database.at_once(MOST + 1, |nth| database.insert(nth));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Some(())))));
    assert_eq!(database.rows().len(), MOST + 1);
    assert_eq!(database.commits(), 2);
}

#[test]
fn nothing_of_a_batch_can_be_read_before_it_is_committed() {
    let database = Database::new();
    let seen = database.at_once(4, |nth| {
        let member = |connection: &Connection| {
            insert(connection, nth, None)?;
            Ok(database.rows().len())
        };
        database.writer.in_batch(member).unwrap().unwrap()
    });
    assert_eq!(seen, [0; 4]);
    assert_eq!(database.rows().len(), 4);
}

#[test]
fn a_member_that_fails_is_undone_alone() {
    let database = Database::new();
    let outcomes = database.at_once(8, |nth| {
        database.writer.in_batch(|connection| {
            insert(connection, nth, None)?;
            if nth == 3 { Err(StoreError::Conflict) } else { Ok(()) }
        })
    });
    assert!(matches!(outcomes[3], Err(StoreError::Conflict)));
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Some(())))).count(), 7);
    assert_eq!(database.rows(), [0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(database.commits(), 1);
}

#[test]
fn a_commit_that_fails_undoes_the_batch_and_alone_each_member_has_its_own_outcome() {
    let database = Database::new();
    // A reference that leads nowhere is found by the commit.
    let of = |nth: usize| (nth == 2).then_some(99);
    let outcomes = database.at_once(4, |nth| {
        database.writer.in_batch(|connection| Ok(insert(connection, nth, of(nth))?)).unwrap()
    });
    assert_eq!(outcomes, [None; 4]);
    assert!(database.rows().is_empty());
    let alone: Vec<bool> = (0..4)
        .map(|nth| database.writer.alone(|connection| Ok(insert(connection, nth, of(nth))?)).is_ok())
        .collect();
    assert_eq!(alone, [true, true, false, true]);
    assert_eq!(database.rows(), [0, 1, 3]);
}

#[test]
fn a_panic_undoes_the_batch_and_the_connection_goes_on() {
    let database = Database::new();
    let outcomes = database.at_once(8, |nth| {
        let member = |connection: &Connection| {
            insert(connection, nth, None)?;
            assert_ne!(nth, 3, "the panic of this test");
            Ok(())
        };
        catch_unwind(AssertUnwindSafe(|| database.writer.in_batch(member).unwrap())).ok()
    });
    assert_eq!(outcomes[3], None, "the panic came out");
    let committed: Vec<i64> = outcomes
        .iter()
        .zip(0..)
        .filter_map(|(outcome, nth)| (*outcome == Some(Some(()))).then_some(nth))
        .collect();
    assert_eq!(
        database.rows(),
        committed,
        "those before the panic were undone, those after it were committed"
    );
    database.insert(100).unwrap().unwrap();
}

#[test]
fn a_batch_that_is_open_is_committed_before_another_transaction_begins() {
    let database = Database::new();
    // One that never comes keeps the batch open.
    database.writer.waiting.fetch_add(1, Ordering::SeqCst);
    thread::scope(|scope| {
        let member = scope.spawn(|| database.insert(0));
        while database.writer.locked().batch.is_none() {
            thread::yield_now();
        }
        assert!(database.rows().is_empty());
        let count = |connection: &Connection| {
            Ok(connection.query_row("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(database.writer.alone(count).unwrap(), 1);
        member.join().unwrap().unwrap().unwrap();
    });
    assert_eq!(database.rows(), [0]);
}
