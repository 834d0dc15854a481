//! Copies a tenant into a directory that a restore is made from: the database, the CA's certificate and the
//! configuration; the keys into another directory, when asked for.
//!
//! The program copies the file itself, beside the tenant that serves it: a tenant in a sandbox could write nowhere
//! else, and one that does not start any more could not be asked. The keys never lie beside the database, because
//! whoever has both can try passwords on every digest; and they change so seldom that one copy of them does for all
//! backups. Neighbours: `store::backup` copies, `restore` is the way back.

use super::Backup;
use super::new_directory::{NewDirectory, cannot_create};
use super::table::plain;
use crate::config::Config;
use crate::error::TenantError;
use crate::keys;
use aws_lc_rs::digest::{Context, SHA256};
use landbridge_crypto::hex::lower;
use landbridge_host::key_file;
use landbridge_host::key_file::own_uid;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::backup;
use landbridge_tenant_store::backup::Contents;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The database in a backup.
pub(super) const DATABASE: &str = "tenant.db";
/// The CA's certificate in a backup.
pub(super) const ROOT: &str = "root.pem";
/// The configuration in a backup.
const CONFIGURATION: &str = "tenant.toml";
/// The SHA-256 of each of them, as `sha256sum --check` reads it: SQLite does not notice a changed letter in a name.
pub(super) const SUMS: &str = "SHA256SUMS";
/// The CA's key among the keys.
pub(super) const CA_KEY: &str = "ca.key";

/// The name of a seal key among the keys: by its place in the configuration, from 1.
pub(super) fn seal_key(place: usize) -> String {
    format!("seal-{place}.key")
}

/// Who runs this, for the audit log.
pub(super) fn actor() -> String {
    format!("uid {}", own_uid())
}

/// Does it, and gives the text that says what was written and what to keep apart.
pub fn backup(config_file: &Path, flags: &Backup) -> Result<String, TenantError> {
    let config = Config::load(config_file)?;
    let now = unix_now();
    let to = absolute(&flags.directory)?;
    let keys = flags.keys.as_deref().map(absolute).transpose()?;
    if keys.as_ref().is_some_and(|keys| keys.starts_with(&to) || to.starts_with(keys)) {
        let what = "--keys lies with the directory of the database: keep them apart".to_owned();
        return Err(TenantError::Usage(what));
    }
    let directory = NewDirectory::begin_at(&to)?;
    let new_keys = keys.as_deref().map(NewDirectory::begin_at).transpose()?;
    let contents = backup::copy(&config.database(), &directory.path().join(DATABASE), &actor(), now)?;
    let mut sizes = vec![(DATABASE, contents.size)];
    for (from, name) in [(config.root_certificate().as_path(), ROOT), (config_file, CONFIGURATION)] {
        let bytes = std::fs::read(from).map_err(|e| {
            TenantError::file(from, format_args!("cannot be read: {e}"), "run this as a user who may")
        })?;
        key_file::create(&directory.path().join(name), &bytes)?;
        sizes.push((name, u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
    }
    key_file::create(&directory.path().join(SUMS), sums(directory.path(), &sizes)?.as_bytes())?;
    if let Some(new_keys) = &new_keys {
        copy_keys(&config, &contents, &directory.path().join(DATABASE), new_keys.path(), now)?;
    }
    // The keys first: a backup that is there has its keys.
    if let Some(new_keys) = new_keys {
        new_keys.finish()?;
    }
    directory.finish()?;
    Ok(said(&to, keys.as_deref(), &contents, &sizes))
}

/// Writes the keys, once they are proved to be those of this database and this certificate.
fn copy_keys(
    config: &Config,
    contents: &Contents,
    copy: &Path,
    to: &Path,
    now: i64,
) -> Result<(), TenantError> {
    let owner = std::fs::metadata(config.database()).map_or(own_uid(), |database| database.uid());
    keys::authority(contents.tenant, (&config.ca_key, owner), &config.root_certificate(), now)?;
    keys::prove(&keys::seal_keys(&config.seal_keys, owner)?, &config.seal_keys, copy)?;
    key_file::create(&to.join(CA_KEY), config.ca_key.read_of(owner)?.as_bytes())?;
    for (source, place) in config.seal_keys.iter().zip(1..) {
        key_file::create(&to.join(seal_key(place)), source.read_of(owner)?.as_bytes())?;
    }
    Ok(())
}

fn sums(folder: &Path, files: &[(&str, u64)]) -> Result<String, TenantError> {
    let mut text = String::new();
    for (name, _) in files {
        let path = folder.join(name);
        let sum = File::open(&path).and_then(|mut file| copy_and_sum(&mut file, &mut std::io::sink()));
        text.push_str(&format!("{}  {name}\n", sum.map_err(|e| cannot_create(&path, &e))?));
    }
    Ok(text)
}

/// Copies to the end, and gives the SHA-256 of what was copied in lower hex.
pub(super) fn copy_and_sum(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<String> {
    let mut sum = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(lower(sum.finish().as_ref())),
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        sum.update(read);
        to.write_all(read)?;
    }
}

/// So many bytes at a time.
const PIECE: usize = 64 * 1024;

/// The path that a person named, from the root.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, TenantError> {
    std::path::absolute(path).map_err(|e| cannot_create(path, &e))
}

fn said(to: &Path, keys: Option<&Path>, contents: &Contents, sizes: &[(&str, u64)]) -> String {
    let mut text = format!("The backup is made and was read through: {}\n", to.display());
    for (name, size) in sizes {
        let what = match *name {
            DATABASE => described(contents),
            ROOT => "the CA's certificate".to_owned(),
            _ => "the configuration, as it is now".to_owned(),
        };
        text.push_str(&format!("  {name:<12} {:>9}  {what}\n", readable(*size)));
    }
    match keys {
        Some(keys) => text.push_str(&format!(
            "The keys are copied: {keys}\n\n\
             Keep {keys} apart from every copy of the database: whoever has both can try passwords on every\n\
             digest, and whoever has the CA's key can make himself an agent. The keys do not change: this copy of them\n\
             does for all backups, until you change them.\n",
            keys = keys.display()
        )),
        None => text.push_str(
            "\nIt holds no key, and cannot be restored without them: the CA's key and every seal key. Copy them once with\n\
             --keys DIRECTORY, and keep that apart from every copy of the database: whoever has both can try passwords on\n\
             every digest.\n",
        ),
    }
    text
}

/// A copy of the database in a few words.
pub(super) fn described(contents: &Contents) -> String {
    let domains = match contents.domains.as_slice() {
        [] => "no domain".to_owned(),
        [one] => plain(one),
        [first, rest @ ..] => format!("{} and {} more domains", plain(first), rest.len()),
    };
    let Contents { digests, version, .. } = contents;
    format!("database: {domains}, digests: {digests} (sealed), schema version {version}")
}

fn readable(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}
