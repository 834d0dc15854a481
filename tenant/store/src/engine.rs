//! What the tables need of a database, without its name: statements with parameters, rows and columns.
//!
//! One SQL text is for every engine. Parameters are `?1`, `?2`; an integer is 64 bits wide, and a truth value is 0 or 1.
//! Neighbours: [`sqlite`] runs the statements; every table is written on this.

pub(crate) mod column;
pub(crate) mod parameter;
pub(crate) mod sqlite;

use crate::StoreError;
pub(crate) use column::{Column, FromColumn};
pub(crate) use parameter::{Parameters, params};

/// A connection on which a transaction or a snapshot is open.
#[derive(Clone, Copy)]
pub(crate) enum Connection<'a> {
    /// SQLite.
    Sqlite(&'a rusqlite::Connection),
}

/// A statement. It can be run more than once.
pub(crate) enum Statement<'a> {
    /// SQLite, kept for the next call.
    Sqlite(rusqlite::CachedStatement<'a>),
}

/// The rows that a statement returns, one after the other.
pub(crate) enum Rows<'s> {
    /// SQLite.
    Sqlite(rusqlite::Rows<'s>),
}

/// A row.
#[derive(Clone, Copy)]
pub(crate) enum Row<'r> {
    /// SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
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
        }
    }
}

impl Statement<'_> {
    /// Runs it. Returns the number of rows that it changed.
    pub(crate) fn execute(&mut self, parameters: impl Parameters) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(statement) => sqlite::execute(statement, &parameters),
        }
    }

    /// The rows that it returns.
    pub(crate) fn query(&mut self, parameters: impl Parameters) -> Result<Rows<'_>, StoreError> {
        match self {
            Self::Sqlite(statement) => Ok(Rows::Sqlite(sqlite::query(statement, &parameters)?)),
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

    fn column(&self, column: usize) -> Result<Column<'_>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::column(row, column),
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
