//! What a caller of the store holds: one snapshot to read, or one transaction to write.
//! Both are opaque: the SQL under them is written in this crate's tables and nowhere else.
//! Neighbours: [`super::Store`] makes them; the tables run their statements on them.

use rusqlite::{CachedStatement, Connection, Params, Row, Transaction};
use std::ops::Deref;

/// One snapshot of the database. Every read through it sees the same state.
pub struct Reading<'a>(&'a Connection);

/// One transaction that may write. It can read as well, and sees what it has written.
pub struct Writing<'a> {
    transaction: &'a Transaction<'a>,
    reading: Reading<'a>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(connection: &'a Connection) -> Self {
        Self(connection)
    }

    /// A statement that is kept for the next call.
    pub(crate) fn prepare_cached(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.0.prepare_cached(sql)
    }

    /// A statement that is used once: for a person's question.
    pub(crate) fn prepare(&self, sql: &str) -> rusqlite::Result<rusqlite::Statement<'a>> {
        self.0.prepare(sql)
    }

    pub(crate) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.0.query_row(sql, params, row)
    }
}

impl<'a> Writing<'a> {
    pub(crate) fn of(transaction: &'a Transaction<'a>) -> Self {
        Self { transaction, reading: Reading::of(transaction) }
    }

    /// Runs a statement that is used seldom; returns the number of rows that it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.transaction.execute(sql, params)
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
    pub fn raw(&self) -> &'a Connection {
        self.0
    }
}
