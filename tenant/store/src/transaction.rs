//! What a caller of the store holds: one snapshot to read, or one transaction to write.
//! Transactions have names and are counted by them.
//! Both are opaque: the SQL under them is written in this crate's tables and nowhere else.
//! Neighbours: [`super::Store`] makes them; the tables run their statements on them.

use crate::StoreError;
#[cfg(feature = "raw")]
use crate::engine::Value as RawValue;
use crate::engine::{Connection, NoRow, Parameters, Question, Row, Statement};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One snapshot of the database. Every read through it sees the same state.
pub struct Reading<'a>(Connection<'a>);

/// One transaction that may write. It can read as well, and sees what it has written.
pub struct Writing<'a> {
    reading: Reading<'a>,
    /// The number of its change of the directory or of an application.
    change: Cell<Option<i64>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(connection: Connection<'a>) -> Self {
        Self(connection)
    }

    /// Calls `each` with every row that a statement without parameters returns. Memory holds few of them at a time.
    pub(crate) fn walk(
        &self,
        sql: &str,
        each: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.0.walk(sql, each)
    }

    /// Sends what these questions ask first to a server, all at once, so that their answers need one round trip. Each is to
    /// be asked again, and finds its answer then, unless something was written in between. A file is not asked.
    pub fn ask_ahead(&self, questions: &[Question<'_>]) -> Result<(), StoreError> {
        self.0.ask_ahead(questions)
    }

    /// The same for one question about each of several things. Of many things it is one statement.
    pub fn ask_of_each_ahead<T>(
        &self,
        of: &[T],
        question: impl Fn(&T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        of.iter().try_for_each(|one| self.ask_ahead(&[&|| question(one)]))
    }

    /// A statement that is kept for the next call.
    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<Statement<'a>, StoreError> {
        self.0.prepare_cached(sql)
    }

    pub(crate) fn query_row<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, NoRow> {
        self.prepare_cached(sql)?.query_row(parameters, read)
    }
}

impl<'a> Writing<'a> {
    /// The caller has begun a transaction on this connection.
    pub(crate) fn of(connection: Connection<'a>) -> Self {
        Self { reading: Reading::of(connection), change: Cell::new(None) }
    }

    /// The number of its change; none: it has changed nothing that has one.
    pub(crate) fn change(&self) -> Option<i64> {
        self.change.get()
    }

    /// Sets the number, of which other processes are notified.
    pub(crate) fn set_change(&self, number: i64) -> Result<(), StoreError> {
        self.change.set(Some(number));
        self.reading.0.notify()
    }

    /// Runs commands that have no parameters, with `;` between them.
    pub(crate) fn run_commands(&self, sql: &str) -> Result<(), StoreError> {
        self.reading.0.run_commands(sql)
    }

    /// Changes several things. What is sent for one of them must not depend on what is sent for another one, and must not
    /// write the same rows: on a server, statements that several of them send become one, with the values of all.
    pub fn change_each<T>(
        &self,
        things: impl IntoIterator<Item = T>,
        change: impl FnMut(T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.reading.0.change_each(things, change)
    }

    /// Runs a statement, which is kept for the next call; returns the number of rows that it changed.
    pub(crate) fn execute(&self, sql: &str, parameters: impl Parameters) -> Result<usize, StoreError> {
        self.prepare_cached(sql)?.execute(parameters)
    }

    /// The same where that number is not needed: a server is not waited for. An error may be returned by a later statement
    /// of the transaction, or by its commit.
    pub(crate) fn send(&self, sql: &str, parameters: impl Parameters) -> Result<(), StoreError> {
        self.prepare_cached(sql)?.send(parameters)
    }
}

impl<'a> Deref for Writing<'a> {
    type Target = Reading<'a>;

    fn deref(&self) -> &Reading<'a> {
        &self.reading
    }
}

/// The same on the connection of SQLite.
#[cfg(feature = "raw")]
impl<'a> Reading<'a> {
    /// All rows that a statement returns.
    pub fn raw_rows(&self, sql: &str, parameters: &[RawValue]) -> Result<Vec<Vec<RawValue>>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row.all()?);
        }
        Ok(all)
    }

    /// The connection itself, of SQLite.
    pub fn raw(&self) -> &'a rusqlite::Connection {
        match self.0 {
            Connection::Sqlite(connection) => connection,
            Connection::Postgres(_) => panic!("this test is of SQLite"),
        }
    }
}

/// Statements for tests that do to a database what this program never does.
#[cfg(feature = "raw")]
impl Writing<'_> {
    /// Runs a statement. Returns the number of rows that it changed.
    pub fn raw_execute(&self, sql: &str, parameters: &[RawValue]) -> Result<usize, StoreError> {
        self.execute(sql, parameters)
    }

    /// Runs statements without parameters, with `;` between them.
    pub fn raw_commands(&self, sql: &str) -> Result<(), StoreError> {
        self.run_commands(sql)
    }
}

/// A transaction runs at most this often before its conflict is reported. Conflicts need two writers at the same row,
/// so two runs suffice nearly always; but all nodes may write at a row that all sign-ins of an account need.
const RUNS: u32 = 10;

/// Waits before a transaction runs again: from a millisecond to 64, shortened by up to a half, so that two that lost to each
/// other do not meet again.
fn wait_before_run(repeated: u32) {
    let longest = Duration::from_millis(1 << repeated.min(6));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    std::thread::sleep(longest.mul_f64(0.5 + f64::from(now.subsec_nanos() % 1000) / 2000.0));
}

/// What became of the transactions of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionCounts {
    /// Committed.
    pub committed: u64,
    /// Undone, with an error.
    pub failed: u64,
    /// Run again after a conflict with another writer.
    pub repeated: u64,
}

/// The counts of all transactions, by name.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Mutex<BTreeMap<&'static str, TransactionCounts>>);

impl Transactions {
    /// Runs a transaction, and runs it again after a conflict.
    pub(crate) fn run<T>(
        &self,
        name: &'static str,
        mut attempt: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut repeated = 0;
        let outcome = loop {
            match attempt() {
                Err(error) if error.is_repeatable() && repeated + 1 < RUNS => {
                    wait_before_run(repeated);
                    repeated += 1;
                }
                outcome => break outcome,
            }
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry(name).or_default();
        counts.repeated += u64::from(repeated);
        match &outcome {
            Ok(_) => counts.committed += 1,
            Err(_) => counts.failed += 1,
        }
        outcome
    }

    pub(crate) fn snapshot(&self) -> Vec<(&'static str, TransactionCounts)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, counts)| (*name, *counts)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_transaction_that_met_another_writer_runs_again_and_is_counted_once() {
        let (all, runs) = (Transactions::default(), Cell::new(0));
        let twice = || {
            runs.set(runs.get() + 1);
            if runs.get() < 3 { Err(StoreError::Conflict) } else { Ok(runs.get()) }
        };
        assert_eq!(all.run("one", twice).unwrap(), 3);
        let counts = TransactionCounts { committed: 1, failed: 0, repeated: 2 };
        assert_eq!(all.snapshot(), [("one", counts)]);
    }

    #[test]
    fn a_conflict_without_end_is_reported() {
        let (all, runs) = (Transactions::default(), Cell::new(0));
        let never = || -> Result<(), StoreError> {
            runs.set(runs.get() + 1);
            Err(StoreError::Conflict)
        };
        assert!(matches!(all.run("one", never), Err(StoreError::Conflict)));
        assert_eq!(runs.get(), RUNS);
        assert_eq!(
            all.snapshot(),
            [("one", TransactionCounts { committed: 0, failed: 1, repeated: u64::from(RUNS) - 1 })]
        );
    }
}
