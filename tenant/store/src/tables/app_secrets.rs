//! The table `app_secrets`: the hashes of the secrets that applications prove themselves with. An application has at most
//! two, so that one can be replaced while the other is in use.
//! Neighbours: `applications` in the tenant's core makes and checks them.

use super::changes;
use crate::engine::params;
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::AppSecret;
use uuid::Uuid;

/// Limit on the secrets of an application.
pub const MOST: u8 = 2;

/// The secrets of an application, by number.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Vec<AppSecret>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT number, hash, created_at, ends_at, used_at FROM app_secrets WHERE app = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map([app.as_bytes().as_slice()], |row| {
        Ok(AppSecret {
            number: row.get(0)?,
            hash: row.get(1)?,
            created_at: row.get(2)?,
            ends_at: row.get(3)?,
            used_at: row.get(4)?,
        })
    })?;
    rows.collect::<Result<_, _>>()
}

/// Stores a secret. False: the application has one of this number.
pub fn add(writing: &Writing<'_>, app: Uuid, secret: &AppSecret) -> Result<bool, StoreError> {
    changes::note_settings(writing)?;
    let AppSecret { number, hash, created_at, ends_at, used_at: _ } = secret;
    let stored = writing.execute(
        "INSERT INTO app_secrets (app, number, hash, created_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![app.as_bytes(), number, hash, created_at, ends_at],
    )?;
    Ok(stored == 1)
}

/// Removes a secret. False: the application has none of this number.
pub fn remove(writing: &Writing<'_>, app: Uuid, number: u8) -> Result<bool, StoreError> {
    changes::note_settings(writing)?;
    let sql = "DELETE FROM app_secrets WHERE app = ?1 AND number = ?2";
    Ok(writing.execute(sql, params![app.as_bytes(), number])? == 1)
}

/// Removes all secrets of an application.
pub fn clear(writing: &Writing<'_>, app: Uuid) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("DELETE FROM app_secrets WHERE app = ?1", [app.as_bytes().as_slice()])?;
    Ok(())
}

/// Notes a day on which a secret was used, as its first second in UTC.
pub fn note_use(writing: &Writing<'_>, app: Uuid, number: u8, day: i64) -> Result<(), StoreError> {
    writing.send(
        "UPDATE app_secrets SET used_at = ?3 WHERE app = ?1 AND number = ?2 AND coalesce(used_at, 0) < ?3",
        params![app.as_bytes(), number, day],
    )?;
    Ok(())
}
