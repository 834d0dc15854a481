//! Statements on SQLite.

pub(crate) mod database;
pub(crate) mod file;
pub(crate) mod readers;
pub(crate) mod writer;

use super::Column;
use super::parameter::{Parameter, Parameters};
use crate::StoreError;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Rows, Statement};

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
            Self::TooLarge => return Err(rusqlite::Error::ToSqlConversionFailure("too large".into())),
        }))
    }
}

/// Gives the statement its parameters.
fn bind(statement: &mut Statement<'_>, parameters: &impl Parameters) -> rusqlite::Result<()> {
    let (mut count, mut outcome) = (0, Ok(()));
    parameters.each(&mut |value| {
        count += 1;
        if outcome.is_ok() {
            outcome = statement.raw_bind_parameter(count, value);
        }
    });
    outcome?;
    let wanted = statement.parameter_count();
    if count == wanted { Ok(()) } else { Err(rusqlite::Error::InvalidParameterCount(count, wanted)) }
}

/// Runs a statement. Returns the number of rows that it changed.
pub(super) fn execute(
    statement: &mut Statement<'_>,
    parameters: &impl Parameters,
) -> Result<usize, StoreError> {
    bind(statement, parameters)?;
    Ok(statement.raw_execute()?)
}

/// The rows that a statement returns.
pub(super) fn query<'s>(
    statement: &'s mut Statement<'_>,
    parameters: &impl Parameters,
) -> Result<Rows<'s>, StoreError> {
    bind(statement, parameters)?;
    Ok(statement.raw_query())
}

/// The value of a column.
pub(super) fn column<'r>(row: &'r Row<'_>, column: usize) -> Result<Column<'r>, StoreError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Column::Null,
        ValueRef::Integer(number) => Column::Integer(number),
        ValueRef::Text(text) => {
            Column::Text(std::str::from_utf8(text).map_err(|_| StoreError::Foreign { what: "text" })?)
        }
        ValueRef::Blob(octets) => Column::Octets(octets),
        ValueRef::Real(_) => return Err(StoreError::Foreign { what: "number" }),
    })
}
