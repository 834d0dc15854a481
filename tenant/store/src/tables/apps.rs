//! The table `apps`: applications that may request sign-ins, with the hash of each secret and its limits.
//! Neighbours: `applications` in the tenant's core makes and checks credentials and counts their rates.

use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::Application;
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

/// Reads an application. A subquery instead of an outer join: with the join SQLite would prepare the statement again
/// at every call, and every sign-in makes one.
const SELECT: &str = "SELECT a.id, a.name, a.hash, a.domain, (SELECT dns_name FROM domains WHERE id = a.domain), \
                      a.rate_per_minute, a.created_at, a.rotated_at, a.revoked_at FROM apps a";

/// Stores a new application. False: another application has the name.
pub fn insert(
    writing: &Writing<'_>,
    id: Uuid,
    name: &str,
    hash: &[u8; 32],
    domain: Option<i64>,
    rate_per_minute: u32,
    now: i64,
) -> Result<bool, StoreError> {
    let stored = writing.execute(
        "INSERT INTO apps (id, name, hash, domain, rate_per_minute, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (name) DO NOTHING",
        params![id.as_bytes(), name, hash, domain, rate_per_minute, now],
    )?;
    Ok(stored == 1)
}

/// The application with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<Application>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} WHERE a.id = ?1"))?;
    Ok(select.query_row([id.as_bytes().as_slice()], app).optional()?)
}

/// The application with this name.
pub fn named(reading: &Reading<'_>, name: &str) -> Result<Option<Application>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} WHERE a.name = ?1"))?;
    Ok(select.query_row([name], app).optional()?)
}

/// All applications, by name.
pub fn list(reading: &Reading<'_>, limit: u32) -> Result<Vec<Application>, StoreError> {
    let mut select = reading.prepare(&format!("{SELECT} ORDER BY a.name LIMIT ?1"))?;
    let apps = select.query_map([limit], app)?;
    Ok(apps.collect::<Result<_, _>>()?)
}

/// Replaces an application's secret. False: it was revoked.
pub fn rotate(writing: &Writing<'_>, id: Uuid, hash: &[u8; 32], now: i64) -> Result<bool, StoreError> {
    let changed = writing.execute(
        "UPDATE apps SET hash = ?2, rotated_at = ?3 WHERE id = ?1 AND revoked_at IS NULL",
        params![id.as_bytes(), hash, now],
    )?;
    Ok(changed == 1)
}

/// Revokes an application for good. False: it was revoked before.
pub fn revoke(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<bool, StoreError> {
    let changed = writing.execute(
        "UPDATE apps SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id.as_bytes(), now],
    )?;
    Ok(changed == 1)
}

fn app(row: &Row<'_>) -> rusqlite::Result<Application> {
    Ok(Application {
        id: Uuid::from_bytes(row.get(0)?),
        name: row.get(1)?,
        hash: row.get(2)?,
        domain: row.get(3)?,
        domain_name: row.get(4)?,
        rate_per_minute: row.get(5)?,
        created_at: row.get(6)?,
        rotated_at: row.get(7)?,
        revoked_at: row.get(8)?,
    })
}
