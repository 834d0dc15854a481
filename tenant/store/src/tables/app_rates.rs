//! The table `app_rates`: what applications have left of their rates, where several nodes serve them. An application has
//! one row.
//! Neighbours: `applications` in the tenant's core computes it.

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// What an application has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRate {
    /// In parts of a sign-in.
    pub remaining: i64,
    /// Since when it fills, in milliseconds since 1970.
    pub filled_at: i64,
}

/// What this application has left; none: nothing was stored.
pub fn find(reading: &Reading<'_>, app: Uuid) -> Result<Option<StoredRate>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT remaining, filled_at FROM app_rates WHERE app = ?1")?;
    let rate = statement
        .query_row([app.as_bytes()], |row| Ok(StoredRate { remaining: row.get(0)?, filled_at: row.get(1)? }));
    rate.optional()
}

/// Replaces what was read as `before` (none: there was nothing). [`StoreError::Conflict`]: another writer has changed it
/// since.
pub fn replace(
    writing: &Writing<'_>,
    app: Uuid,
    before: Option<&StoredRate>,
    after: &StoredRate,
) -> Result<(), StoreError> {
    let changed = match before {
        None => writing
            .prepare_cached(
                "INSERT INTO app_rates (app, remaining, filled_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute((app.as_bytes(), after.remaining, after.filled_at))?,
        Some(before) => writing
            .prepare_cached(
                "UPDATE app_rates SET remaining = ?2, filled_at = ?3
                 WHERE app = ?1 AND remaining = ?4 AND filled_at = ?5",
            )?
            .execute((
                app.as_bytes(),
                after.remaining,
                after.filled_at,
                before.remaining,
                before.filled_at,
            ))?,
    };
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Deletes what an application had left.
pub fn remove(writing: &Writing<'_>, app: Uuid) -> Result<(), StoreError> {
    writing.send("DELETE FROM app_rates WHERE app = ?1", [app])
}
