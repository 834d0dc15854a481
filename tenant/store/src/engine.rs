//! What the tables need of a database, without its name: statements with parameters, rows and columns.
//!
//! One SQL text is for every engine. Parameters are `?1`, `?2`; an integer is 64 bits wide, and a truth value is 0 or 1.
//! Neighbours: [`sqlite`] and [`postgres`] run the statements; every table is written on this.

pub(crate) mod column;
pub(crate) mod parameter;
pub(crate) mod postgres;
mod question;
pub(crate) mod sqlite;
mod value;

use crate::StoreError;
pub(crate) use column::{Column, FromColumn};
pub(crate) use parameter::{Parameters, params};
pub use question::Question;
#[cfg(feature = "raw")]
pub use value::Value;
#[cfg(not(feature = "raw"))]
pub(crate) use value::Value;

/// A connection on which a transaction or a snapshot is open.
#[derive(Clone, Copy)]
pub(crate) enum Connection<'a> {
    /// SQLite.
    Sqlite(&'a rusqlite::Connection),
    /// PostgreSQL.
    Postgres(&'a postgres::Session),
}

/// A statement. It can be run more than once.
pub(crate) enum Statement<'a> {
    /// SQLite, kept for the next call.
    Sqlite(rusqlite::CachedStatement<'a>),
    /// PostgreSQL.
    Postgres(&'a postgres::Session, postgres::Prepared),
}

/// The rows that a statement returns, one after the other.
pub(crate) enum Rows<'s> {
    /// SQLite.
    Sqlite(rusqlite::Rows<'s>),
    /// PostgreSQL: the rows that are left, and the present one.
    Postgres(std::vec::IntoIter<tokio_postgres::Row>, Option<tokio_postgres::Row>),
}

/// A row.
#[derive(Clone, Copy)]
pub(crate) enum Row<'r> {
    /// SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

/// Why there is not one row.
pub(crate) enum NoRow {
    /// There is none.
    Absent,
    /// The statement failed.
    Failed(StoreError),
}

impl From<StoreError> for NoRow {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<NoRow> for StoreError {
    fn from(none: NoRow) -> Self {
        match none {
            NoRow::Absent => Self::Defect("a row is missing that is always there".to_owned()),
            NoRow::Failed(error) => error,
        }
    }
}

/// One row or none.
pub(crate) trait OptionalRow<T> {
    /// The row; none: there is none.
    fn optional(self) -> Result<Option<T>, StoreError>;
}

impl<T> OptionalRow<T> for Result<T, NoRow> {
    fn optional(self) -> Result<Option<T>, StoreError> {
        match self {
            Ok(row) => Ok(Some(row)),
            Err(NoRow::Absent) => Ok(None),
            Err(NoRow::Failed(error)) => Err(error),
        }
    }
}

impl<'a> Connection<'a> {
    /// A statement that is kept for the next call.
    pub(crate) fn prepare_cached(self, sql: &str) -> Result<Statement<'a>, StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(Statement::Sqlite(connection.prepare_cached(sql)?)),
            Self::Postgres(session) => Ok(Statement::Postgres(session, session.prepared(sql)?)),
        }
    }

    /// Calls `each` with every row that a statement without parameters returns. Memory holds few of them at a time.
    pub(crate) fn walk(
        self,
        sql: &str,
        mut each: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => {
                let mut statement = self.prepare_cached(sql)?;
                let mut rows = statement.query(())?;
                while let Some(row) = rows.next()? {
                    each(&row)?;
                }
                Ok(())
            }
            Self::Postgres(session) => {
                let cursor = session.open_cursor(sql)?;
                loop {
                    let rows = session.fetch(&cursor)?;
                    if rows.is_empty() {
                        return session.close_cursor(&cursor);
                    }
                    rows.iter().try_for_each(|row| each(&Row::Postgres(row)))?;
                }
            }
        }
    }

    /// Sends what these questions ask first to a server, all at once, so that their answers need one round trip. Each is to
    /// be asked again, and finds its answer then, unless something was written in between. One that is not asked again has
    /// cost the server a statement. Of a file nothing is asked.
    pub(crate) fn ask_ahead(self, questions: &[Question<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.ask_ahead(questions),
        }
    }

    /// Changes several things, of which none depends on what is changed of another one: see [`crate::Writing::change_each`].
    pub(crate) fn change_each<T>(
        self,
        things: impl IntoIterator<Item = T>,
        change: impl FnMut(T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => things.into_iter().try_for_each(change),
            Self::Postgres(session) => session.change_each(things, change),
        }
    }

    /// Runs commands that have no parameters, with `;` between them.
    pub(crate) fn run_commands(self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => session.run_commands(sql),
        }
    }
}

impl Connection<'_> {
    /// Notifies other processes that serve from the database, once the transaction is committed. A file has none.
    pub(crate) fn notify(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.notify(),
        }
    }
}

impl Statement<'_> {
    /// Runs it. Returns the number of rows that it changed.
    pub(crate) fn execute(&mut self, parameters: impl Parameters) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(statement) => sqlite::execute(statement, &parameters),
            Self::Postgres(session, statement) => session.execute(statement, &parameters),
        }
    }

    /// Runs it, where the number of rows that it changes is not needed. An error may be returned by a later statement of
    /// the transaction, or by its commit.
    pub(crate) fn send(&mut self, parameters: impl Parameters) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(statement) => sqlite::execute(statement, &parameters).map(drop),
            Self::Postgres(session, statement) => session.send_statement(statement, &parameters),
        }
    }

    /// The rows that it returns.
    pub(crate) fn query(&mut self, parameters: impl Parameters) -> Result<Rows<'_>, StoreError> {
        match self {
            Self::Sqlite(statement) => Ok(Rows::Sqlite(sqlite::query(statement, &parameters)?)),
            Self::Postgres(session, statement) => {
                Ok(Rows::Postgres(session.query(statement, &parameters)?.into_iter(), None))
            }
        }
    }

    /// What `read` makes of each row.
    pub(crate) fn query_map<T, F: FnMut(&Row<'_>) -> Result<T, StoreError>>(
        &mut self,
        parameters: impl Parameters,
        read: F,
    ) -> Result<Mapped<'_, F>, StoreError> {
        Ok(Mapped { rows: self.query(parameters)?, read })
    }

    /// What `read` makes of the first row.
    pub(crate) fn query_row<T>(
        &mut self,
        parameters: impl Parameters,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, NoRow> {
        let mut rows = self.query(parameters)?;
        let row = rows.next()?.ok_or(NoRow::Absent)?;
        Ok(read(&row)?)
    }
}

impl Rows<'_> {
    /// The next row; none: there is no further one.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, StoreError> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres(left, present) => {
                *present = left.next();
                Ok(present.as_ref().map(Row::Postgres))
            }
        }
    }
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub(crate) fn get<T: FromColumn>(&self, column: usize) -> Result<T, StoreError> {
        T::from_column(self.column(column)?).ok_or_else(odd)
    }

    /// The text of a column.
    pub(crate) fn text(&self, column: usize) -> Result<&str, StoreError> {
        if let Column::Text(text) = self.column(column)? { Ok(text) } else { Err(odd()) }
    }

    /// The values of all columns.
    pub(crate) fn all(&self) -> Result<Vec<Value>, StoreError> {
        let count = match self {
            Self::Sqlite(row) => row.as_ref().column_count(),
            Self::Postgres(row) => row.len(),
        };
        (0..count).map(|column| self.get(column)).collect()
    }

    fn column(&self, column: usize) -> Result<Column<'_>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::column(row, column),
            Self::Postgres(row) => postgres::column(row, column),
        }
    }
}

/// A column is not what the code expects. The value may be anything, so it is not repeated.
fn odd() -> StoreError {
    StoreError::Defect("a row or statement has another shape than the code expects".to_owned())
}

/// Rows, each made into something.
pub(crate) struct Mapped<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl<T, F: FnMut(&Row<'_>) -> Result<T, StoreError>> Iterator for Mapped<'_, F> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next() {
            Ok(Some(row)) => Some((self.read)(&row)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
