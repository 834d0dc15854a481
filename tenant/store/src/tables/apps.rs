//! The table `apps`: applications that may request sign-ins, with their limits.
//! Neighbours: `app_domains`, `app_groups`, `app_networks` and `app_secrets` have what an application has several of;
//! `applications` in the tenant's core checks credentials and counts rates.

use super::{app_domains, app_networks, changes};
use crate::engine::{OptionalRow as _, Row, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::Application;
use uuid::Uuid;

const SELECT: &str =
    "SELECT id, name, every_domain, everybody, rate_per_minute, created_at, revoked_at FROM apps";

/// Stores a new application. Its id, name, assignment, rate and time of creation are stored, and whether it may sign in
/// people of every domain. False: another application has the name.
pub fn insert(writing: &Writing<'_>, app: &Application) -> Result<bool, StoreError> {
    changes::note_settings(writing)?;
    let Application { id, name, domains, everybody, rate_per_minute, created_at, .. } = app;
    let stored = writing.execute(
        "INSERT INTO apps (id, name, every_domain, everybody, rate_per_minute, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
        params![id.as_bytes(), name, domains.is_none(), everybody, rate_per_minute, created_at],
    )?;
    Ok(stored == 1)
}

/// The application with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<Application>, StoreError> {
    reading.ask_ahead(&[
        &|| row(reading, id).map(drop),
        &|| app_domains::of(reading, id).map(drop),
        &|| app_networks::of(reading, id).map(drop),
    ])?;
    row(reading, id)?.map(|found| complete(reading, found)).transpose()
}

fn row(reading: &Reading<'_>, id: Uuid) -> Result<Option<(Application, bool)>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    select.query_row([id.as_bytes().as_slice()], app).optional()
}

/// The application with this name.
pub fn named(reading: &Reading<'_>, name: &str) -> Result<Option<Application>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} WHERE name = ?1"))?;
    let found = select.query_row([name], app).optional()?;
    found.map(|found| complete(reading, found)).transpose()
}

/// All applications, by name.
pub fn list(reading: &Reading<'_>, limit: u32) -> Result<Vec<Application>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} ORDER BY name LIMIT ?1"))?;
    let apps = select.query_map([limit], app)?.collect::<Result<Vec<_>, _>>()?;
    apps.into_iter().map(|found| complete(reading, found)).collect()
}

/// Whether everybody of its domains is assigned to an application; none: there is no such application, or it is revoked.
pub fn serves_everybody(reading: &Reading<'_>, id: Uuid) -> Result<Option<bool>, StoreError> {
    let mut select =
        reading.prepare_cached("SELECT everybody FROM apps WHERE id = ?1 AND revoked_at IS NULL")?;
    select.query_row([id.as_bytes().as_slice()], |row| row.get(0)).optional()
}

/// Sets whether everybody of its domains is assigned to an application.
pub fn set_everybody(writing: &Writing<'_>, id: Uuid, everybody: bool) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("UPDATE apps SET everybody = ?2 WHERE id = ?1", params![id.as_bytes(), everybody])?;
    Ok(())
}

/// Sets whether an application may sign in people of every domain, or of those alone that `app_domains` lists.
pub fn set_every_domain(writing: &Writing<'_>, id: Uuid, every: bool) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("UPDATE apps SET every_domain = ?2 WHERE id = ?1", params![id.as_bytes(), every])?;
    Ok(())
}

/// Sets the rate of an application, in sign-ins a minute.
pub fn set_rate(writing: &Writing<'_>, id: Uuid, rate_per_minute: u32) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    let sql = "UPDATE apps SET rate_per_minute = ?2 WHERE id = ?1";
    writing.send(sql, params![id.as_bytes(), rate_per_minute])?;
    Ok(())
}

/// Revokes an application for good. False: it was revoked before.
pub fn revoke(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<bool, StoreError> {
    changes::note_settings(writing)?;
    let changed = writing.execute(
        "UPDATE apps SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id.as_bytes(), now],
    )?;
    Ok(changed == 1)
}

/// Takes a domain that is removed from all applications. One that may sign in its people alone is revoked, or it would
/// serve nobody under a name that looks alive.
pub(super) fn remove_domain(writing: &Writing<'_>, domain: i64, now: i64) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send(
        "UPDATE apps SET revoked_at = coalesce(revoked_at, ?2) WHERE every_domain = 0
         AND id IN (SELECT app FROM app_domains WHERE domain = ?1)
         AND NOT EXISTS (SELECT 1 FROM app_domains o WHERE o.app = apps.id AND o.domain <> ?1)",
        (domain, now),
    )?;
    Ok(())
}

/// An application without what is in other tables, and whether it may sign in people of every domain.
fn app(row: &Row<'_>) -> Result<(Application, bool), StoreError> {
    let app = Application {
        id: Uuid::from_bytes(row.get(0)?),
        name: row.get(1)?,
        domains: None,
        everybody: row.get(3)?,
        networks: Vec::new(),
        rate_per_minute: row.get(4)?,
        created_at: row.get(5)?,
        revoked_at: row.get(6)?,
    };
    Ok((app, row.get(2)?))
}

fn complete(reading: &Reading<'_>, (app, every): (Application, bool)) -> Result<Application, StoreError> {
    let domains = if every { None } else { Some(app_domains::of(reading, app.id)?) };
    let networks = app_networks::of(reading, app.id)?;
    Ok(Application { domains, networks, ..app })
}
