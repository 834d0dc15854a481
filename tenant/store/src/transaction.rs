//! What a caller of the store holds: one snapshot to read, or one transaction to write.
//! Transactions have names and are counted by them.
//! Both are opaque: the SQL under them is written in this crate's tables and nowhere else.
//! Neighbours: [`super::Store`] makes them; the tables run their statements on them.

use crate::StoreError;
use crate::engine::{Connection, NoRow, Parameters, Row, Statement};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

/// One snapshot of the database. Every read through it sees the same state.
pub struct Reading<'a>(Connection<'a>);

/// One transaction that may write. It can read as well, and sees what it has written.
pub struct Writing<'a> {
    reading: Reading<'a>,
    /// The number of its change of the directory or of an application.
    change: Cell<Option<i64>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(connection: &'a rusqlite::Connection) -> Self {
        Self(Connection::Sqlite(connection))
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
    pub(crate) fn of(connection: &'a rusqlite::Connection) -> Self {
        Self { reading: Reading::of(connection), change: Cell::new(None) }
    }

    /// The number of its change; none: it has changed nothing that has one.
    pub(crate) fn change(&self) -> Option<i64> {
        self.change.get()
    }

    pub(crate) fn set_change(&self, number: i64) {
        self.change.set(Some(number));
    }

    /// Runs a statement, which is kept for the next call; returns the number of rows that it changed.
    pub(crate) fn execute(&self, sql: &str, parameters: impl Parameters) -> Result<usize, StoreError> {
        self.prepare_cached(sql)?.execute(parameters)
    }
}

impl<'a> Deref for Writing<'a> {
    type Target = Reading<'a>;

    fn deref(&self) -> &Reading<'a> {
        &self.reading
    }
}

/// The raw connection, for tests that do to a database what this program never does.
#[cfg(feature = "raw")]
impl<'a> Reading<'a> {
    /// The connection itself.
    pub fn raw(&self) -> &'a rusqlite::Connection {
        let Connection::Sqlite(connection) = self.0;
        connection
    }
}

/// A transaction runs at most this often before its conflict is reported. Conflicts need two writers at the same row,
/// so two runs suffice nearly always.
const RUNS: u32 = 5;

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
                Err(StoreError::Conflict) if repeated + 1 < RUNS => repeated += 1,
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
        assert_eq!(all.snapshot(), [("one", TransactionCounts { committed: 0, failed: 1, repeated: 4 })]);
    }
}
