//! The table `tenant`: whose database it is. It has one row.
//! Neighbours: [`crate::Store`] reads it when the database is opened; [`crate::transfer`] takes it along.

use crate::engine::{OptionalRow as _, Row};
use crate::{Reading, StoreError, stamps};
use uuid::Uuid;

/// Who this database belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant's id; stands in every certificate it issues.
    pub id: Uuid,
    /// Made at `init` and at each restore. An agent that sees another generation compares in full.
    pub generation: Uuid,
}

/// The tenant that the database belongs to.
pub(crate) fn find(reading: &Reading<'_>) -> Result<Tenant, StoreError> {
    let read = |row: &Row<'_>| Ok(Tenant { id: stamps::guid(row, 0)?, generation: stamps::guid(row, 1)? });
    let sql = "SELECT id, generation FROM tenant";
    reading.query_row(sql, (), read).optional()?.ok_or(StoreError::Foreign { what: "tenant's id" })
}
