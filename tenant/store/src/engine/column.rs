//! Values that statements return, and what is read from them.

use uuid::Uuid;

/// The value of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column<'r> {
    /// NULL.
    Null,
    /// An integer. A truth value is 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'r str),
    /// Octets.
    Octets(&'r [u8]),
}

/// What can be read from a column.
pub(crate) trait FromColumn: Sized {
    /// None: the value is of another kind, or outside the range.
    fn from_column(column: Column<'_>) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl FromColumn for $integer {
            fn from_column(column: Column<'_>) -> Option<Self> {
                if let Column::Integer(number) = column { Self::try_from(number).ok() } else { None }
            }
        })*
    };
}

integers!(i64, i32, u64, u32, u16, u8, usize);

impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Integer(number) = column { Some(number != 0) } else { None }
    }
}

impl FromColumn for String {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Text(text) = column { Some(text.to_owned()) } else { None }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Octets(octets) = column { Some(octets.to_owned()) } else { None }
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Octets(octets) = column { octets.try_into().ok() } else { None }
    }
}

impl FromColumn for Uuid {
    fn from_column(column: Column<'_>) -> Option<Self> {
        <[u8; 16]>::from_column(column).map(Self::from_bytes)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Null = column { Some(None) } else { T::from_column(column).map(Some) }
    }
}
