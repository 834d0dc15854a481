//! The table `app_groups`: the groups whose members are assigned to an application.
//! Neighbours: [`super::apps`] says whether everybody is; [`super::members`] finds the groups of an account.

use super::{apps, changes, members};
use crate::engine::params;
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{AppGroup, Domain};
use uuid::Uuid;

/// Limit on the groups of an application. Each of its sign-ins looks for one of them among the account's groups.
pub const MOST: usize = 256;

/// The groups of an application, by domain and name.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Vec<AppGroup>, StoreError> {
    listed(reading, "app_groups", app)
}

/// The groups of an application in a table of such groups, by domain and name.
pub(super) fn listed(reading: &Reading<'_>, table: &str, app: Uuid) -> Result<Vec<AppGroup>, StoreError> {
    let mut statement = reading.prepare_cached(&format!(
        "SELECT g.domain, d.dns_name, g.object, g.name FROM {table} g JOIN domains d ON d.id = g.domain
         WHERE g.app = ?1 ORDER BY d.dns_name, g.name, g.object"
    ))?;
    let rows = statement.query_map([app.as_bytes().as_slice()], |row| {
        let (domain, domain_name, name) = (row.get(0)?, row.get(1)?, row.get(3)?);
        Ok(AppGroup { domain, domain_name, group: stamps::guid(row, 2)?, name })
    })?;
    rows.collect::<Result<_, _>>()
}

/// Assigns the members of a group. Nothing happens if they are.
pub fn add(writing: &Writing<'_>, app: Uuid, group: &AppGroup) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    let AppGroup { domain, group, name, .. } = group;
    writing.send(
        "INSERT INTO app_groups (app, domain, object, name) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![app.as_bytes(), domain, group.as_bytes(), name],
    )?;
    Ok(())
}

/// Ends the assignment of a group's members. False: it was not assigned.
pub fn remove(writing: &Writing<'_>, app: Uuid, group: Uuid) -> Result<bool, StoreError> {
    changes::note_settings(writing)?;
    let sql = "DELETE FROM app_groups WHERE app = ?1 AND object = ?2";
    Ok(writing.execute(sql, params![app.as_bytes(), group.as_bytes()])? > 0)
}

/// Ends the assignment of all groups.
pub fn clear(writing: &Writing<'_>, app: Uuid) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("DELETE FROM app_groups WHERE app = ?1", [app.as_bytes().as_slice()])?;
    Ok(())
}

/// The group of the application through which an account is assigned: one of those that it is in, directly, through
/// other groups, or as its primary group. None: it is in none of them, or in more groups than are looked at
/// ([`members::MOST_GROUPS`]).
pub fn of_account(
    reading: &Reading<'_>,
    app: Uuid,
    domain: &Domain,
    object: Uuid,
    primary_group: Option<i64>,
) -> Result<Option<AppGroup>, StoreError> {
    let mut assigned = of(reading, app)?;
    assigned.retain(|group| group.domain == domain.id);
    if assigned.is_empty() {
        return Ok(None);
    }
    let held = members::groups_of(reading, domain, object, primary_group, members::Which::All)?;
    let held = held.unwrap_or_default();
    Ok(assigned.into_iter().find(|group| held.contains(&group.group)))
}

/// Sends what [`is_assigned`] asks of an application ahead.
pub(crate) fn ask_ahead(reading: &Reading<'_>, app: Uuid) -> Result<(), StoreError> {
    reading.ask_ahead(&[&|| apps::serves_everybody(reading, app).map(drop), &|| of(reading, app).map(drop)])
}

/// Whether an account is assigned to an application: everybody of its domains is, or a group of the account is. One that
/// is revoked has nobody.
pub fn is_assigned(
    reading: &Reading<'_>,
    app: Uuid,
    domain: &Domain,
    object: Uuid,
    primary_group: Option<i64>,
) -> Result<bool, StoreError> {
    Ok(match apps::serves_everybody(reading, app)? {
        None => false,
        Some(true) => true,
        Some(false) => of_account(reading, app, domain, object, primary_group)?.is_some(),
    })
}
