//! Values of columns that may be of any kind.

use super::column::{Column, FromColumn};
use super::parameter::{Parameter, ToParameter};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

impl FromColumn for Value {
    fn from_column(column: Column<'_>) -> Option<Self> {
        Some(match column {
            Column::Null => Self::Null,
            Column::Integer(number) => Self::Integer(number),
            Column::Text(text) => Self::Text(text.to_owned()),
            Column::Octets(octets) => Self::Octets(octets.to_owned()),
        })
    }
}

impl ToParameter for Value {
    fn to_parameter(&self) -> Parameter<'_> {
        match self {
            Self::Null => Parameter::Null,
            Self::Integer(number) => Parameter::Integer(*number),
            Self::Text(text) => Parameter::Text(text),
            Self::Octets(octets) => Parameter::Octets(octets),
        }
    }
}
