//! The numbers of objects, by which their data is found.
//! Neighbours: [`super::attributes`], [`super::digests`] and [`super::names`] write rows under it.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError};
use uuid::Uuid;

/// The number of an object whose row the caller knows to be there.
pub(crate) fn of(reading: &Reading<'_>, object: Uuid) -> Result<i64, StoreError> {
    reading
        .prepare_cached("SELECT number FROM objects WHERE object = ?1")?
        .query_row([object.as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::Defect("data of an object that has no row".to_owned()))
}
