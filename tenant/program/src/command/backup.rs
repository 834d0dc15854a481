//! Copies a tenant into a directory that `restore` reads: the database, the CA's certificate and the configuration.
//! Copies the keys into another directory on request.
//!
//! The program copies the file itself, beside the running tenant: a tenant in a sandbox could not write elsewhere,
//! and a tenant that does not start could not copy anything. The keys are never written beside the database, because
//! with both a thief can try passwords on every digest. Keys change rarely, so one copy of them serves all backups.
//! Neighbours: [`landbridge_tenant_store::backup`] copies the database, [`super::restore`] reads the result.

use super::Backup;
use super::new_directory::{NewDirectory, cannot_create};
use super::progress;
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
use landbridge_wire::printable::one_line;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// File name of the database in a backup.
pub(super) const DATABASE: &str = "tenant.db";
/// File name of the CA's certificate in a backup.
pub(super) const ROOT: &str = "root.pem";
/// File name of the configuration in a backup.
const CONFIGURATION: &str = "tenant.toml";
/// File name of the SHA-256 sums of these files, in the format of `sha256sum --check`. SQLite does not detect every
/// changed byte.
pub(super) const SUMS: &str = "SHA256SUMS";
/// File name of the CA's key among the keys.
pub(super) const CA_KEY: &str = "ca.key";

/// File name of a seal key among the keys: its position in the configuration, from 1.
pub(super) fn seal_key(position: usize) -> String {
    format!("seal-{position}.key")
}

/// The user that runs the command, for the audit log.
pub(super) fn actor() -> String {
    format!("uid {}", own_uid())
}

/// Makes a backup. Returns a text with the files and what to keep apart.
pub fn backup(config_file: &Path, flags: &Backup) -> Result<String, TenantError> {
    let config = Config::load(config_file)?;
    let now = unix_now();
    let to = absolute(&flags.directory)?;
    let keys = flags.keys.as_deref().map(absolute).transpose()?;
    if keys.as_ref().is_some_and(|keys| keys.starts_with(&to) || to.starts_with(keys)) {
        let what = "--keys is inside the directory of the backup, or the other way round: keep them apart"
            .to_owned();
        return Err(TenantError::Usage(what));
    }
    // 1. Copy the database, the certificate and the configuration, and write their sums.
    let directory = NewDirectory::begin_at(&to)?;
    let new_keys = keys.as_deref().map(NewDirectory::begin_at).transpose()?;
    let to = directory.path().join(DATABASE);
    let contents = backup::copy(&config.location()?, &to, &actor(), now, progress::of_rows())?;
    let mut sizes = vec![(DATABASE, contents.size)];
    for (from, name) in [(config.root_certificate().as_path(), ROOT), (config_file, CONFIGURATION)] {
        let bytes = std::fs::read(from).map_err(|e| {
            TenantError::file(from, format_args!("cannot be read: {e}"), "run this as a user who may read it")
        })?;
        key_file::create(&directory.path().join(name), &bytes)?;
        sizes.push((name, u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
    }
    key_file::create(&directory.path().join(SUMS), sums(directory.path(), &sizes)?.as_bytes())?;
    // 2. Copy the keys.
    if let Some(new_keys) = &new_keys {
        copy_keys(&config, &contents, &directory.path().join(DATABASE), new_keys.path(), now)?;
    }
    // 3. Rename both directories to their destinations, the keys first: a backup that exists has its keys.
    if let Some(new_keys) = new_keys {
        new_keys.finish()?;
    }
    directory.finish()?;
    Ok(report(&to, keys.as_deref(), &contents, &sizes))
}

/// Writes the keys, after checking that they belong to this database and this certificate.
fn copy_keys(
    config: &Config,
    contents: &Contents,
    copy: &Path,
    to: &Path,
    now: i64,
) -> Result<(), TenantError> {
    // Of a database on a server the data directory has the owner.
    let owned =
        if config.database.is_some() { config.data_directory.clone() } else { config.database_file() };
    let owner = std::fs::metadata(owned).map_or(own_uid(), |owned| owned.uid());
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

/// Copies to the end. Returns the SHA-256 of the copied bytes in lower-case hex.
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

/// Bytes that are copied at a time.
const PIECE: usize = 64 * 1024;

/// The absolute form of a path of the command line.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, TenantError> {
    std::path::absolute(path).map_err(|e| cannot_create(path, &e))
}

fn report(to: &Path, keys: Option<&Path>, contents: &Contents, sizes: &[(&str, u64)]) -> String {
    let mut text = format!("The backup is complete and checked: {}\n", to.display());
    for (name, size) in sizes {
        let what = match *name {
            DATABASE => described(contents),
            ROOT => "the CA's certificate".to_owned(),
            _ => "the present configuration".to_owned(),
        };
        text.push_str(&format!("  {name:<12} {:>9}  {what}\n", readable(*size)));
    }
    match keys {
        Some(keys) => text.push_str(&format!(
            "The keys are copied: {keys}\n\n\
             Keep {keys} apart from every copy of the database. Anyone who has both can try passwords on every\n\
             digest, and anyone who has the CA's key can create an agent. The keys change only when you change them, so\n\
             this copy serves all backups until then.\n",
            keys = keys.display()
        )),
        None => text.push_str(
            "\nThe backup contains no keys. A restore needs the CA's key and every seal key. Copy them once with\n\
             --keys DIRECTORY, and keep that directory apart from every copy of the database: anyone who has both can try\n\
             passwords on every digest.\n",
        ),
    }
    text
}

/// A copy of the database in one line.
pub(super) fn described(contents: &Contents) -> String {
    let domains = match contents.domains.as_slice() {
        [] => "no domain".to_owned(),
        [one] => one_line(one),
        [first, rest @ ..] => format!("{} and {} more domains", one_line(first), rest.len()),
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
