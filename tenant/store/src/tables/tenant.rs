//! The table `tenant`: whose database it is. It has one row.
//! Neighbours: [`crate::Store`] reads it when the database is opened; [`crate::transfer`] takes it along.

use crate::engine::{OptionalRow as _, Row};
use crate::{Reading, StoreError, Writing, stamps};
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

/// Writes the row of a new tenant, with its first generation. `now` is in seconds since 1970.
pub(crate) fn insert(writing: &Writing<'_>, tenant: Uuid, now: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO tenant (only_row, id, generation, created_at) VALUES (1, ?1, ?2, ?3)";
    writing.send(sql, (tenant, Uuid::new_v4(), now))
}

/// Gives the tenant a new generation, so that each phs compares in full.
pub fn renew_generation(writing: &Writing<'_>) -> Result<(), StoreError> {
    writing.send("UPDATE tenant SET generation = ?1", [Uuid::new_v4()])
}
