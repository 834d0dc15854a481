//! Creates a data directory from a backup. Everything is checked before the directory appears, and after a failure
//! nothing remains.
//!
//! The database gets a new generation, so every phs compares in full at its next cycle and uploads what the backup
//! lacks. Changes that no phs knows (revocations, credentials, enrolments after the backup) are lost, and the printed
//! text says so.
//! Neighbours: [`super::backup`] writes what this reads, `serve` reads what this writes.

use super::Restore;
use super::backup::{CA_KEY, DATABASE, ROOT, SUMS, absolute, actor, copy_and_sum, described, seal_key};
use super::new_directory::{NewDirectory, cannot_create};
use super::progress;
use crate::config::Config;
use crate::error::TenantError;
use crate::keys;
use landbridge_host::clock_text::utc;
use landbridge_host::key_file::{KeySource, own_uid};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::backup::Contents;
use landbridge_tenant_store::{SCHEMA_VERSION, Store, StoreError, Trouble};
use landbridge_tenant_store::{backup, transfer};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Restores a backup. Returns a text with what is restored and what is lost.
pub fn restore(config_file: &Path, flags: &Restore) -> Result<String, TenantError> {
    let config = Config::load(config_file)?;
    let now = unix_now();
    let from = absolute(&flags.directory)?;
    let (ca_key, seal_keys) = match &flags.keys {
        Some(keys) => keys_of_backup(&config, &absolute(keys)?)?,
        None => configured_keys(&config)?,
    };

    // 1. Copy the files, and check them against their sums and against the keys.
    let mut directory = NewDirectory::begin_data_directory(&config)?;
    let (database, root) =
        (directory.path().join("tenant.db"), directory.path().join("tls").join("root.pem"));
    let sums = std::fs::read_to_string(from.join(SUMS)).map_err(|e| unreadable(&from.join(SUMS), &e))?;
    copy_checked(&from, DATABASE, &sums, &database, 0o600)?;
    copy_checked(&from, ROOT, &sums, &root, 0o644)?;
    let damaged = |e| unfit(&from.join(DATABASE), &e);
    let contents = backup::read_through(&database).map_err(damaged)?;
    keys::authority(contents.tenant, (&ca_key, own_uid()), &root, now)?;
    let opening = keys::seal_keys(&seal_keys, own_uid())?;
    keys::prove(&opening, &seal_keys, &database)?;

    // 2. Open the database, which upgrades an older schema, and start a new generation.
    let store = Store::open(&database, opening).map_err(damaged)?;
    store.write("restore", |writing| backup::put_back(writing, &actor(), now)).map_err(damaged)?;
    store.checkpoint().map_err(damaged)?;
    drop(store);
    // 3. A database on a server gets all rows of the file, which is not needed after that.
    if let Some(server) = config.server_address()? {
        transfer::to_server(&database, &server, progress::of_rows(), |_| Ok(()))?;
        std::fs::remove_file(&database).map_err(|e| cannot_create(&database, &e))?;
    }
    // 4. Write the keys, and rename the directory to its destination.
    if flags.keys.is_some() {
        directory.write_key(&config.ca_key, &ca_key.read()?)?;
        for (to, from) in config.seal_keys.iter().zip(&seal_keys) {
            directory.write_key(to, &from.read()?)?;
        }
    }
    directory.finish()?;
    Ok(report(&config, &from, &contents))
}

/// The keys at their configured paths. None may be inside the data directory, which does not exist yet.
fn configured_keys(config: &Config) -> Result<(KeySource, Vec<KeySource>), TenantError> {
    for key in std::iter::once(&config.ca_key).chain(&config.seal_keys) {
        if let KeySource::File(path) = key
            && path.starts_with(&config.data_directory)
        {
            let what = "this key belongs into the data directory, which does not exist yet";
            return Err(key
                .unusable(&what, "give --keys with the directory that `backup --keys` created")
                .into());
        }
    }
    Ok((config.ca_key.clone(), config.seal_keys.clone()))
}

/// The keys that `backup --keys` wrote into this directory. The number of seal keys must be the configured one.
fn keys_of_backup(config: &Config, keys: &Path) -> Result<(KeySource, Vec<KeySource>), TenantError> {
    let credential = |key: &&KeySource| matches!(key, KeySource::Credential(_));
    if let Some(key) = std::iter::once(&config.ca_key).chain(&config.seal_keys).find(credential) {
        let what = "the configuration names a systemd credential here, which restore cannot write";
        let todo = "copy the keys to where LoadCredential= finds them, then restore without --keys and with \
                    CREDENTIALS_DIRECTORY set to that directory";
        return Err(key.unusable(&what, todo).into());
    }
    let configured = config.seal_keys.len();
    let there = (1..).take_while(|place| keys.join(seal_key(*place)).exists()).count();
    if there != configured {
        let what = format!("the directory holds {there} seal keys, and the configuration names {configured}");
        let todo =
            "name the directory that `backup --keys` created, and configure as many seal_keys as it holds";
        return Err(TenantError::file(keys, what, todo));
    }
    let seal_keys = (1..=there).map(|place| KeySource::File(keys.join(seal_key(place)))).collect();
    Ok((KeySource::File(keys.join(CA_KEY)), seal_keys))
}

/// Copies a file of the backup into the new directory, and compares it with its sum.
fn copy_checked(backup: &Path, name: &str, sums: &str, to: &Path, mode: u32) -> Result<(), TenantError> {
    let from = backup.join(name);
    let mut source = File::open(&from).map_err(|e| unreadable(&from, &e))?;
    let mut options = OpenOptions::new();
    let mut copy =
        options.write(true).create_new(true).mode(mode).open(to).map_err(|e| cannot_create(to, &e))?;
    let sum = copy_and_sum(&mut source, &mut copy).map_err(|e| unreadable(&from, &e))?;
    copy.sync_all().map_err(|e| cannot_create(to, &e))?;
    if sums.lines().any(|line| line.split_once("  ") == Some((&sum, name))) {
        Ok(())
    } else {
        let what = format!("this backup is damaged: the file does not match its sum in {SUMS}");
        Err(TenantError::file(&from, what, OTHER))
    }
}

/// The advice for a backup that cannot be used.
const OTHER: &str = "use another backup; nothing was restored";

fn unreadable(path: &Path, error: &std::io::Error) -> TenantError {
    let todo = "name a directory that `landbridge-tenant backup` created, run this as a user who may read it, and check \
                that the disk of the data directory has space";
    TenantError::file(path, format_args!("cannot be copied: {error}"), todo)
}

/// The error for a backup whose database cannot be used.
fn unfit(backup: &Path, error: &StoreError) -> TenantError {
    match error.trouble() {
        Some(Trouble::Corrupt) => TenantError::file(backup, "this backup is damaged", OTHER),
        Some(Trouble::NotOurs) => {
            TenantError::file(backup, "this is not a complete database of landbridge-tenant", OTHER)
        }
        Some(trouble @ Trouble::Newer { .. }) => {
            let todo = "restore it with the version of the program that created it, or with a newer one";
            TenantError::file(backup, trouble, todo)
        }
        Some(
            trouble @ (Trouble::Missing
            | Trouble::AlreadyThere
            | Trouble::Loose { .. }
            | Trouble::Full
            | Trouble::ReadOnly
            | Trouble::Unopenable
            | Trouble::Io(_)
            | Trouble::BeingRead
            | Trouble::Busy),
        ) => TenantError::file(backup, trouble, "nothing was restored: correct this and try again"),
        None => TenantError::file(backup, error, OTHER),
    }
}

fn report(config: &Config, from: &Path, contents: &Contents) -> String {
    let upgraded = if contents.version < SCHEMA_VERSION {
        format!(", upgraded to {SCHEMA_VERSION}")
    } else {
        String::new()
    };
    format!(
        "The tenant is restored from {from} of {made}.\n\
         \x20 {contents}{upgraded}; all digests open\n\
         \x20 data directory: {data}\n\
         \n\
         Changes after the backup are lost:\n\
         \x20 people      every phs compares in full at its next cycle and uploads what is missing. Until then the passwords and\n\
         \x20             states of the backup apply: an account that was disabled or deleted since can sign in.\n\
         \x20 agents      revoked or quarantined since: they are accepted again, so revoke them now. Enrolled since: enrol them again.\n\
         \x20 apps        revoked or rotated since: the old credentials work again, so revoke or rotate them now.\n\
         \x20 settings    domains, policies, canaries, lockouts and the audit log are those of the backup.\n\
         \n\
         Next: landbridge-tenant serve; agents list; apps list; domains list\n",
        from = from.display(),
        made = utc(contents.made_at),
        contents = described(contents),
        data = config.data_directory.display(),
    )
}

#[cfg(test)]
mod tests;
