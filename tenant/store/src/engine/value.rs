//! Values of columns that are read without knowing their type.

use super::column::{Column, FromColumn};
use super::parameter::{Parameter, Parameters, ToParameter};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "raw"), expect(unreachable_pub))]
pub enum Value {
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

impl Parameters for &[Value] {
    fn each(&self, each: &mut dyn FnMut(Parameter<'_>)) {
        self.iter().for_each(|one| each(one.to_parameter()));
    }
}
