//! What can be wrong with the database, and who must act. No text here repeats a stored value.
//! Neighbours: every module of `store` returns this; `ingest` turns it into a [`landbridge_wire::problem::Problem`].

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file, its disk or its directory. The operator acts, see [`Trouble`].
    #[error("{}: {trouble}", path.display())]
    File {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        trouble: Trouble,
    },
    /// A row holds what this build would never write: somebody else wrote to the database. The operator acts.
    #[error("the database holds a {what} that this program cannot have written: restore it from a backup")]
    Foreign {
        /// What was being read.
        what: &'static str,
    },
    /// A digest could not be sealed. The operator acts: the system gives no randomness, or there is no key.
    #[error("a digest cannot be sealed: {0}")]
    Seal(landbridge_crypto::seal::SealError),
    /// Another writer changed a row between its reading and the statement that relied on it. [`crate::Store::write`] runs the
    /// transaction again; this error comes out only when it kept happening.
    #[error("the database is busy: other writers kept changing the same rows")]
    Conflict,
    /// The program asked the database for something impossible. The developers act.
    #[error("defect in the tenant: {0}")]
    Defect(String),
}

/// What is wrong with the database's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is none.
    #[error("there is no database here: make one with `landbridge-tenant init`")]
    Missing,
    /// There is one already, and `init` overwrites nothing.
    #[error("there is a database here already; it was left as it is")]
    AlreadyThere,
    /// Others may read it.
    #[error("mode {mode:04o} lets others read it: run `chmod 600` on it")]
    Loose {
        /// Its permission bits.
        mode: u32,
    },
    /// A newer build has written it.
    #[error(
        "it has schema version {found}, this build knows {known}: use the newer build, or restore the backup from before its upgrade"
    )]
    Newer {
        /// The version in the file.
        found: i64,
        /// The version of this build.
        known: i64,
    },
    /// It is no database, or another program's.
    #[error("this is not a database of landbridge-tenant: check the path in the configuration")]
    NotOurs,
    /// Its pages contradict each other.
    #[error("the database is damaged: restore it from a backup; every phs then compares in full by itself")]
    Corrupt,
    /// No room left.
    #[error("the disk is full: free some space; nothing that was acknowledged is lost")]
    Full,
    /// It may not be written.
    #[error(
        "it cannot be written: check its owner, its mode and that its file system is not mounted read-only"
    )]
    ReadOnly,
    /// It may not be opened.
    #[error("it cannot be opened: check the owner and mode of the file and of its directory")]
    Unopenable,
    /// The disk failed.
    #[error("the disk failed ({0}): check the kernel's log")]
    Io(String),
    /// Somebody reads an earlier state of it.
    #[error(
        "an earlier state of it is being read, by a backup say: what was erased leaves its files afterwards"
    )]
    BeingRead,
    /// Another process keeps it locked.
    #[error("another process keeps it locked: run one tenant on one database")]
    Busy,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The administrator of the tenant.
    Operator,
    /// Nobody: trying again may help.
    Nobody,
    /// The developers.
    Us,
}

impl StoreError {
    /// Who must act.
    pub fn who(&self) -> Who {
        match self {
            Self::File { trouble: Trouble::Busy | Trouble::BeingRead, .. } | Self::Conflict => Who::Nobody,
            Self::File { .. } | Self::Foreign { .. } | Self::Seal(_) => Who::Operator,
            Self::Defect(_) => Who::Us,
        }
    }

    /// What is wrong with the file, if it is the file.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::File { trouble, .. } => Some(trouble),
            Self::Foreign { .. } | Self::Seal(_) | Self::Conflict | Self::Defect(_) => None,
        }
    }

    /// Names the file, where the place that noticed could not.
    #[must_use]
    pub fn at(self, database: &Path) -> Self {
        match self {
            Self::File { path, trouble } if path.as_os_str().is_empty() => {
                Self::File { path: database.to_owned(), trouble }
            }
            other @ (Self::File { .. }
            | Self::Foreign { .. }
            | Self::Seal(_)
            | Self::Conflict
            | Self::Defect(_)) => other,
        }
    }

    pub(crate) fn file(path: &Path, trouble: Trouble) -> Self {
        Self::File { path: path.to_owned(), trouble }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = error.kind();
        let trouble = if kind == ErrorKind::StorageFull || kind == ErrorKind::QuotaExceeded {
            Trouble::Full
        } else if kind == ErrorKind::NotFound {
            Trouble::Missing
        } else if kind == ErrorKind::AlreadyExists {
            Trouble::AlreadyThere
        } else if kind == ErrorKind::ReadOnlyFilesystem {
            Trouble::ReadOnly
        } else if kind == ErrorKind::PermissionDenied {
            Trouble::Unopenable
        } else {
            Trouble::Io(kind.to_string())
        };
        Self::file(path, trouble)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let trouble = if code == Some(ErrorCode::DiskFull) {
            Trouble::Full
        } else if code == Some(ErrorCode::NotADatabase) {
            Trouble::NotOurs
        } else if code == Some(ErrorCode::DatabaseCorrupt) {
            Trouble::Corrupt
        } else if code == Some(ErrorCode::ReadOnly) || code == Some(ErrorCode::PermissionDenied) {
            Trouble::ReadOnly
        } else if code == Some(ErrorCode::CannotOpen) {
            Trouble::Unopenable
        } else if code == Some(ErrorCode::SystemIoFailure) {
            let extended = error.sqlite_error().map(|e| e.extended_code).unwrap_or_default();
            // The index of the log lies in a file of its own; where that finds no room SQLite does not say so.
            if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
                Trouble::Full
            } else {
                Trouble::Io(format!("SQLite code {extended}"))
            }
        } else if code == Some(ErrorCode::DatabaseBusy) || code == Some(ErrorCode::DatabaseLocked) {
            Trouble::Busy
        } else {
            return Self::Defect(describe(&error));
        };
        Self::File { path: PathBuf::new(), trouble }
    }
}

/// rusqlite's texts for conversions can repeat a value: only its statements and codes are shown.
fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(code) => format!("SQLite code {}", code.extended_code),
        None => "a row or statement has another shape than the code expects".to_owned(),
    }
}
