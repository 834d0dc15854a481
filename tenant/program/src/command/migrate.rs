//! Moves the tenant's database from the file in the data directory to a PostgreSQL server, or back. The tenant is stopped
//! meanwhile. Every table is counted and summed on both sides.
//! Neighbours: [`landbridge_tenant_store::transfer`] copies the rows; `serve` reads the result.

use super::Migrate;
use super::backup::actor;
use super::new_directory::cannot_create;
use super::progress;
use crate::config::Config;
use crate::error::TenantError;
use crate::serve::lock;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::tables::{audit, tenant};
use landbridge_tenant_store::transfer::Transferred;
use landbridge_tenant_store::{ServerAddress, StoreError, Writing, transfer};
use std::path::{Path, PathBuf};

/// What the file is called after its tenant has moved to a server.
const MOVED: &str = "tenant.db.moved";

/// Moves the tenant to the server of the configuration, or with `--to-file` from it. Returns a text with what was moved.
pub fn migrate(config_file: &Path, flags: &Migrate) -> Result<String, TenantError> {
    let config = Config::load(config_file)?;
    let server = config.server_address()?.ok_or_else(|| {
        let what = "it has no section [database], so there is no server to move from or to";
        TenantError::file(config_file, what, "write the section, with the url of an empty database")
    })?;
    // A tenant that serves would go on with what it holds open.
    let _lock = lock(&config)?;
    let file = config.database_file();
    let note = |writing: &Writing<'_>, to: &str| -> Result<(), StoreError> {
        tenant::renew_generation(writing)?;
        audit::append(writing, unix_now(), &actor(), "database-moved", to, "")
    };
    if flags.to_file { to_file(&server, &file, note) } else { to_server(&file, &server, note) }
}

fn to_server(
    file: &Path,
    server: &ServerAddress,
    note: impl Fn(&Writing<'_>, &str) -> Result<(), StoreError>,
) -> Result<String, TenantError> {
    let done =
        transfer::to_server(file, server, progress::of_rows(), |writing| note(writing, server.name()))?;
    // 1. The file is no tenant's database any more: two of one tenant would drift apart.
    let kept = file.with_file_name(MOVED);
    std::fs::rename(file, &kept).map_err(|e| {
        let todo = "move it away by hand: the tenant is on the server now";
        TenantError::file(file, format_args!("cannot be renamed: {e}"), todo)
    })?;
    let logs: Vec<PathBuf> = ["-wal", "-shm"].iter().map(|end| with_end(file, end)).collect();
    logs.iter().for_each(|log| drop(std::fs::remove_file(log)));
    // 2. What was done, and what is left to do.
    Ok(format!(
        "The tenant is on {}: {}\n\
         \n\
         Every table has the rows of the file. Each phs compares in full at its next cycle.\n\
         \x20 the file    {}; it holds sealed digests: delete it when you no longer need it\n\
         \x20 the server  keeps deleted rows until VACUUM, in its WAL and on its replicas: see docs/tenant/erasure.md\n\
         \n\
         Next: landbridge-tenant serve\n",
        server.name(),
        counted(&done),
        kept.display(),
    ))
}

fn to_file(
    server: &ServerAddress,
    file: &Path,
    note: impl Fn(&Writing<'_>, &str) -> Result<(), StoreError>,
) -> Result<String, TenantError> {
    if file.symlink_metadata().is_ok() {
        let todo = "it is never overwritten: move it away first";
        return Err(TenantError::file(file, "there is a database already", todo));
    }
    // 1. A file of another name, which gets its name when all of it is proved.
    let draft = with_end(file, ".moving");
    if let Err(e) = std::fs::remove_file(&draft)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(cannot_create(&draft, &e));
    }
    let place = file.display().to_string();
    let done =
        transfer::to_file(server, &draft, unix_now(), progress::of_rows(), |writing| note(writing, &place))?;
    std::fs::rename(&draft, file).map_err(|e| cannot_create(file, &e))?;
    // 2. The server has no tenant any more.
    transfer::retire(server)?;
    Ok(format!(
        "The tenant is in {}: {}\n\
         \n\
         Every table has the rows of the server. Each phs compares in full at its next cycle.\n\
         \x20 the server  still holds the rows: drop its schema `landbridge` when you no longer need them\n\
         \n\
         Next: take the section [database] out of the configuration; landbridge-tenant serve\n",
        file.display(),
        counted(&done),
    ))
}

fn counted(done: &[Transferred]) -> String {
    let rows: u64 = done.iter().map(|table| table.rows).sum();
    format!("{rows} rows in {} tables", done.len())
}

/// The path with an end added to its name.
fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}
