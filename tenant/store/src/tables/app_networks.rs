//! The table `app_networks`: the networks that requests of an application may come from. An application without a row
//! may send from everywhere.

use super::changes;
use crate::engine::params;
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::Network;
use uuid::Uuid;

/// Limit on the networks of an application.
pub const MOST: usize = 64;

/// The networks of an application.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Vec<Network>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT network FROM app_networks WHERE app = ?1 ORDER BY network")?;
    let rows = statement.query_map([app.as_bytes().as_slice()], |row| row.get::<String>(0))?;
    rows.map(|row| Network::parse(&row?).map_err(|_| StoreError::Foreign { what: "network" })).collect()
}

/// Replaces the networks of an application.
pub fn set(writing: &Writing<'_>, app: Uuid, networks: &[Network]) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    writing.send("DELETE FROM app_networks WHERE app = ?1", [app.as_bytes().as_slice()])?;
    let sql = "INSERT INTO app_networks (app, network) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut insert = writing.prepare_cached(sql)?;
    for network in networks {
        insert.send(params![app.as_bytes(), network.to_string()])?;
    }
    Ok(())
}
