//! A directory that is written beside its destination and renamed there when it is complete, or never. After a killed
//! program a hidden directory of mode 0700 remains; the next command that writes beside the same destination removes
//! it.
//! Neighbours: `init` and `restore` write a data directory with this, `backup` writes the directory of a backup.

use crate::config::Config;
use crate::error::TenantError;
use landbridge_host::key_file;
use landbridge_host::key_file::KeySource;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The name of a directory that is not complete: this prefix and a random number.
const STAGING: &str = ".landbridge-tenant.";

/// A directory of mode 0700 that is being written, and the files outside it that belong to it. When this is dropped
/// before [`NewDirectory::finish`], all of them are removed.
#[derive(Debug)]
pub struct NewDirectory {
    /// The destination as it is configured.
    named: PathBuf,
    /// The destination without symbolic links.
    destination: PathBuf,
    /// Where the directory is written.
    staging: PathBuf,
    /// Files outside it, removed unless it is finished.
    files: Vec<PathBuf>,
    /// Locked until this is dropped: [`remove_abandoned`] leaves a locked directory alone.
    _lock: File,
}

impl NewDirectory {
    /// Begins a directory whose destination must not exist.
    pub fn begin_at(destination: &Path) -> Result<Self, TenantError> {
        if destination.symlink_metadata().is_ok() {
            let todo = "it is never overwritten: name one that does not exist";
            return Err(TenantError::file(destination, "it exists already", todo));
        }
        Self::begin_beside(destination)
    }

    /// Begins the data directory of a tenant. Its destination must be absent or an empty directory.
    pub fn begin_data_directory(config: &Config) -> Result<Self, TenantError> {
        let data = &config.data_directory;
        let occupied = match std::fs::read_dir(data) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(cannot_create(data, &e)),
        };
        if occupied {
            let what = "there is something in the data directory already";
            let (what, todo) = if is_served(data) {
                (
                    format!("{what}, and a tenant serves from it"),
                    "stop that tenant and move its data elsewhere",
                )
            } else {
                (what.to_owned(), "serve it, or move it elsewhere")
            };
            let todo = format!("it is never overwritten: {todo}, or configure another data_directory");
            return Err(TenantError::file(data, what, todo));
        }
        let parent = data.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|e| cannot_create(parent, &e))?;
        let directory = Self::begin_beside(data)?;
        for folder in ["secrets", "tls"] {
            create_private_directory(&directory.staging.join(folder))?;
        }
        Ok(directory)
    }

    fn begin_beside(named: &Path) -> Result<Self, TenantError> {
        // A symbolic link cannot be replaced by a directory, and with DynamicUser= systemd makes the data directory
        // one.
        let destination = named.canonicalize().unwrap_or_else(|_| named.to_owned());
        let parent = destination.parent().unwrap_or(Path::new("/"));
        let device = |path: &Path| path.metadata().map(|about| about.dev()).ok();
        if destination.exists() && device(&destination) != device(parent) {
            let todo = "name a directory below it that does not exist";
            return Err(TenantError::file(named, "a file system is mounted here", todo));
        }
        remove_abandoned(parent);
        let staging = parent.join(format!("{STAGING}{}", Uuid::new_v4()));
        DirBuilder::new().mode(0o700).create(&staging).map_err(|e| cannot_create(named, &e))?;
        let lock = File::open(&staging).map_err(|e| cannot_create(named, &e))?;
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Self { named: named.to_owned(), destination, staging, files: Vec::new(), _lock: lock })
    }

    /// Where the directory is written until it is finished.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Removes this file too, which is outside the directory, unless the directory is finished.
    pub fn remove_on_failure(&mut self, file: &Path) {
        self.files.push(file.to_owned());
    }

    /// Writes a key to its configured path, which may be inside the data directory or outside it.
    pub fn write_key(&mut self, source: &KeySource, text: &str) -> Result<(), TenantError> {
        let path = match source {
            KeySource::File(path) => path,
            KeySource::Credential(name) => {
                let todo = "configure key files for `init`, and convert them to credentials afterwards";
                let name = format!("credential:{name}");
                return Err(TenantError::file(
                    Path::new(&name),
                    "init cannot write a systemd credential",
                    todo,
                ));
            }
        };
        match path.strip_prefix(&self.named) {
            Ok(below) => {
                let path = self.staging.join(below);
                if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                    create_private_directory(folder)?;
                }
                Ok(key_file::create(&path, text.as_bytes())?)
            }
            Err(_) => {
                key_file::create(path, text.as_bytes())?;
                self.remove_on_failure(path);
                Ok(())
            }
        }
    }

    /// Waits until everything is on the disk, then renames the directory to its destination.
    pub fn finish(mut self) -> Result<(), TenantError> {
        sync_directories(&self.staging).map_err(|e| cannot_create(&self.destination, &e))?;
        // The kernel replaces an empty directory and refuses to replace anything else.
        std::fs::rename(&self.staging, &self.destination)
            .map_err(|e| cannot_create(&self.destination, &e))?;
        self.files.clear();
        self.staging = PathBuf::new();
        if let Some(parent) = self.destination.parent() {
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
        }
        Ok(())
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        if !self.staging.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.staging);
        }
    }
}

/// Removes the directories of programs that were killed. They may hold keys.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(STAGING);
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let lock = File::open(entry.path());
        if lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether `serve` holds this data directory.
fn is_served(data: &Path) -> bool {
    let lock = File::open(data.join("serve.lock"));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
}

/// Flushes a directory and those below it. The contents of their files are flushed when the files are written.
fn sync_directories(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}

fn create_private_directory(path: &Path) -> Result<(), TenantError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| cannot_create(path, &e))
}

pub(super) fn cannot_create(path: &Path, error: &std::io::Error) -> TenantError {
    TenantError::file(
        path,
        format_args!("cannot be created: {error}"),
        "run this as a user who may write there, in a directory that exists",
    )
}
