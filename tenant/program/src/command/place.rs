//! Directories in the making, beside their place: put there whole, or not at all. One whose program was killed lies there,
//! hidden and for its owner alone, until the next one is made in the same place and takes it away.
//! Neighbours: `init` and `restore` make a data directory with this, `backup` what a restore is made from.

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

/// What directories in the making are called, before a number.
const STAGING: &str = ".landbridge-tenant.";

/// A directory that is being made (0700), and files elsewhere that go with it. Dropped before [`Making::finish`], it
/// leaves nothing behind.
#[derive(Debug)]
pub struct Making {
    /// As it is configured.
    named: PathBuf,
    /// The same without links.
    place: PathBuf,
    staging: PathBuf,
    files: Vec<PathBuf>,
    /// Held while it is being made.
    _lock: File,
}

impl Making {
    /// Begins a directory where there must be nothing yet.
    pub fn directory(place: &Path) -> Result<Self, TenantError> {
        if place.symlink_metadata().is_ok() {
            let todo = "it is never overwritten: name one that is not there yet";
            return Err(TenantError::file(place, "there is something of that name already", todo));
        }
        Self::begin(place)
    }

    /// Begins the data directory of a tenant, where there is none yet or an empty one.
    pub fn data_directory(config: &Config) -> Result<Self, TenantError> {
        let data = &config.data_directory;
        let occupied = match std::fs::read_dir(data) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(cannot(data, &e)),
        };
        if occupied {
            let what = "there is something in the data directory already";
            let (what, todo) = if is_served(data) {
                (format!("{what}, and a tenant serves from it"), "stop that tenant and move its data away")
            } else {
                (what.to_owned(), "serve it, or move it away")
            };
            let todo = format!("it is never overwritten: {todo}, or configure another data_directory");
            return Err(TenantError::file(data, what, todo));
        }
        let parent = data.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|e| cannot(parent, &e))?;
        let making = Self::begin(data)?;
        for folder in ["secrets", "tls"] {
            closed_directory(&making.staging.join(folder))?;
        }
        Ok(making)
    }

    fn begin(named: &Path) -> Result<Self, TenantError> {
        // Nothing is renamed over a link: systemd's DynamicUser makes one of the data directory.
        let place = named.canonicalize().unwrap_or_else(|_| named.to_owned());
        let parent = place.parent().unwrap_or(Path::new("/"));
        let device = |path: &Path| path.metadata().map(|about| about.dev()).ok();
        if place.exists() && device(&place) != device(parent) {
            let todo = "name a directory below it, which is not there yet";
            return Err(TenantError::file(named, "a file system is mounted here", todo));
        }
        take_away_what_was_left(parent);
        let staging = parent.join(format!("{STAGING}{}", Uuid::new_v4()));
        DirBuilder::new().mode(0o700).create(&staging).map_err(|e| cannot(named, &e))?;
        let lock = File::open(&staging).map_err(|e| cannot(named, &e))?;
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Self { named: named.to_owned(), place, staging, files: Vec::new(), _lock: lock })
    }

    /// Where it is being made.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// A file elsewhere that was made along with it.
    pub fn with(&mut self, file: &Path) {
        self.files.push(file.to_owned());
    }

    /// Writes a key where it is configured: below the data directory that is being made, or elsewhere.
    pub fn write_key(&mut self, source: &KeySource, text: &str) -> Result<(), TenantError> {
        let path = match source {
            KeySource::File(path) => path,
            KeySource::Credential(name) => {
                let todo = "configure key files for `init`, and make credentials of them afterwards";
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
                    closed_directory(folder)?;
                }
                Ok(key_file::create(&path, text.as_bytes())?)
            }
            Err(_) => {
                key_file::create(path, text.as_bytes())?;
                self.with(path);
                Ok(())
            }
        }
    }

    /// Puts it in its place, and waits for the disk.
    pub fn finish(mut self) -> Result<(), TenantError> {
        settle(&self.staging).map_err(|e| cannot(&self.place, &e))?;
        // Over nothing, or over an empty directory; the kernel refuses everything else.
        std::fs::rename(&self.staging, &self.place).map_err(|e| cannot(&self.place, &e))?;
        self.files.clear();
        self.staging = PathBuf::new();
        if let Some(parent) = self.place.parent() {
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
        }
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        if !self.staging.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.staging);
        }
    }
}

/// What killed programs left in the making, secrets among it.
fn take_away_what_was_left(parent: &Path) {
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

/// What is in the directories is on the disk already; now their names are too.
fn settle(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            settle(&entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}

fn closed_directory(path: &Path) -> Result<(), TenantError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| cannot(path, &e))
}

pub(super) fn cannot(path: &Path, error: &std::io::Error) -> TenantError {
    TenantError::file(
        path,
        format_args!("cannot be made: {error}"),
        "run this as a user who may write there, in a directory that is there",
    )
}
