//! Reads the configured keys of the tenant, and checks them against each other and against the database.
//! Neighbours: [`crate::serve`], [`crate::command::backup`] and [`crate::command::restore`] call it;
//! [`landbridge_host::key_file`] reads the files.

use crate::error::TenantError;
use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_host::clock_text::utc;
use landbridge_host::key_file::KeySource;
use landbridge_tenant_core::agents::authority::Authority;
use landbridge_tenant_store::backup;
use std::path::Path;
use uuid::Uuid;

/// Reads the keys that digests are sealed with. The first one seals new digests; each may open stored ones. A file
/// may be owned by the user of the process or by the user with the id `owner`.
pub fn seal_keys(sources: &[KeySource], owner: u32) -> Result<SealKeys, TenantError> {
    let mut keys: Vec<SealKey> = Vec::new();
    for source in sources {
        let key = SealKey::parse(&source.read_of(owner)?)
            .map_err(|e| source.unusable(&e, "configure the seal key that `init` created"))?;
        if keys.iter().any(|other| other.id() == key.id()) {
            let what = format!("two seal keys have the number {}", key.id());
            return Err(source.unusable(&what, "name each key once in seal_keys").into());
        }
        keys.push(key);
    }
    Ok(SealKeys::new(keys))
}

/// Reads the CA's key, whose file may be owned by the user with the id `owner`, and the root certificate from the file
/// `root`. `now` is in seconds since 1970.
pub fn authority(
    tenant: Uuid,
    (key, owner): (&KeySource, u32),
    root: &Path,
    now: i64,
) -> Result<Authority, TenantError> {
    let text = key.read_of(owner)?;
    let certificate = std::fs::read_to_string(root).map_err(|e| {
        let todo = "restore it from a backup: agents recognise this tenant by it";
        TenantError::file(root, format_args!("cannot read the root certificate: {e}"), todo)
    })?;
    let authority = Authority::load(tenant, &text, &certificate).map_err(|e| {
        key.unusable(&e, "configure the CA key that `init` created together with the root certificate")
    })?;
    let (begins, ends) = authority.life();
    if now < begins || now > ends {
        let what = format!(
            "the root certificate is valid from {} to {}, and the clock of this machine is at {}",
            utc(begins),
            utc(ends),
            utc(now)
        );
        return Err(TenantError::file(root, what, "set the clock; if it is right, create a new tenant"));
    }
    Ok(authority)
}

/// Refuses seal keys that do not open every digest in this copy of the database.
pub fn prove(keys: &SealKeys, sources: &[KeySource], copy: &Path) -> Result<(), TenantError> {
    match backup::unreadable(copy, keys)? {
        (_, 0) => Ok(()),
        (all, closed) => {
            let what = format!("{closed} of {all} digests of the database do not open with the seal keys");
            let todo = "give every seal key that this database was written with, in seal_keys or with --keys";
            let source = sources.first().ok_or_else(|| TenantError::Defect("no seal key".to_owned()))?;
            Err(source.unusable(&what, todo).into())
        }
    }
}
