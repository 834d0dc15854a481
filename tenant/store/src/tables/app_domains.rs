//! The table `app_domains`: the domains whose people an application may sign in, unless it may sign in those of every
//! domain. Neighbours: [`super::apps`] says which of both.

use super::changes;
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::AppDomain;
use uuid::Uuid;

/// The domains of an application, by their names.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Vec<AppDomain>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT a.domain, d.dns_name FROM app_domains a JOIN domains d ON d.id = a.domain
         WHERE a.app = ?1 ORDER BY d.dns_name",
    )?;
    let rows = statement.query_map([app.as_bytes().as_slice()], |row| {
        Ok(AppDomain { row: row.get(0)?, dns_name: row.get(1)? })
    })?;
    rows.collect::<Result<_, _>>()
}

/// Replaces the domains of an application.
pub fn set(writing: &Writing<'_>, app: Uuid, domains: &[i64]) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("DELETE FROM app_domains WHERE app = ?1", [app.as_bytes().as_slice()])?;
    let mut insert = writing
        .prepare_cached("INSERT INTO app_domains (app, domain) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for domain in domains {
        insert.send((app.as_bytes(), domain))?;
    }
    Ok(())
}
