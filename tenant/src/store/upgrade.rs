//! Brings a database of an older version to the present one, step by step, in one transaction.
//! Neighbours: [`super::file`] calls this before anything else is written. There is no way back: `docs/tenant.md`
//! says to copy the file first.

use super::{SCHEMA_VERSION, StoreError};
use rusqlite::Connection;

/// What a version lacked that the next one has; the first is from version 1 to 2.
const STEPS: [&str; 1] = [
    // 2: sign-in policy, approval of agents, canaries, the certificate before.
    "ALTER TABLE domains ADD COLUMN signin_policy TEXT NOT NULL DEFAULT 'phs';
     ALTER TABLE domains ADD COLUMN approve_agents INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE agents ADD COLUMN serial_before BLOB;
     CREATE TABLE canaries (
         object      BLOB PRIMARY KEY,
         domain      INTEGER NOT NULL REFERENCES domains(id),
         added_at    INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;",
];

/// The oldest version that can be upgraded.
pub(super) const OLDEST: i64 = 1;

/// Takes every step from `found` on. `found` is between [`OLDEST`] and the present version.
pub(super) fn upgrade(connection: &mut Connection, found: i64) -> Result<(), StoreError> {
    if found >= SCHEMA_VERSION {
        return Ok(());
    }
    let done = usize::try_from(found.saturating_sub(OLDEST)).unwrap_or_default();
    let transaction = connection.transaction()?;
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    tracing::info!(from = found, to = SCHEMA_VERSION, "the database was upgraded");
    Ok(())
}
