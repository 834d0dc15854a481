//! The errors of the database, and who must act after each. No text here repeats a stored value.
//! Neighbours: every module of this crate returns them; the agents' door answers with a
//! [`landbridge_wire::problem::Problem`] instead.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// The reason why the database did not carry out a request.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file, its disk or its directory has a fault. The operator acts; [`Trouble`] says what to do.
    #[error("{}: {trouble}", path.display())]
    File {
        /// The database.
        path: PathBuf,
        /// The fault.
        trouble: Trouble,
    },
    /// A row holds a value that this program never writes: another program wrote to the database. The operator acts.
    #[error("the database holds a {what} that this program cannot have written: restore it from a backup")]
    Foreign {
        /// The kind of value.
        what: &'static str,
    },
    /// A digest could not be sealed. The operator acts: the system gives no randomness, or there is no key.
    #[error("a digest cannot be sealed: {0}")]
    Seal(landbridge_crypto::seal::SealError),
    /// Another writer changed a row between its reading and the statement that relied on it. [`crate::Store::write`]
    /// runs the transaction again; this error comes out only when it kept happening.
    #[error("the database is busy: other writers kept changing the same rows")]
    Conflict,
    /// A statement is wrong, which is a defect of this program. The developers act.
    #[error("defect in the tenant: {0}")]
    Defect(String),
}

/// A fault of the database's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The file does not exist.
    #[error("there is no database here: make one with `landbridge-tenant init`")]
    Missing,
    /// A file exists already, and `init` does not overwrite it.
    #[error("there is a database here already; it was left as it is")]
    AlreadyThere,
    /// Other users may read the file.
    #[error("mode {mode:04o} lets others read it: run `chmod 600` on it")]
    Loose {
        /// Its permission bits.
        mode: u32,
    },
    /// A newer build has written the file.
    #[error(
        "it has schema version {found}, this build knows {known}: use the newer build, or restore the backup from before its upgrade"
    )]
    Newer {
        /// The version in the file.
        found: i64,
        /// The version of this build.
        known: i64,
    },
    /// The file is not a database, or belongs to another program.
    #[error("this is not a database of landbridge-tenant: check the path in the configuration")]
    NotOurs,
    /// The pages of the file contradict each other.
    #[error("the database is damaged: restore it from a backup; every phs then compares in full by itself")]
    Corrupt,
    /// The disk is full.
    #[error("the disk is full: free some space; nothing that was acknowledged is lost")]
    Full,
    /// The file cannot be written.
    #[error(
        "it cannot be written: check its owner, its mode and that its file system is not mounted read-only"
    )]
    ReadOnly,
    /// The file cannot be opened.
    #[error("it cannot be opened: check the owner and mode of the file and of its directory")]
    Unopenable,
    /// The disk reports an error.
    #[error("the disk failed ({0}): check the kernel's log")]
    Io(String),
    /// A reader has an earlier state of the database open.
    #[error(
        "an earlier state of it is being read, by a backup say: what was erased leaves its files afterwards"
    )]
    BeingRead,
    /// Another process keeps the database locked.
    #[error("another process keeps it locked: run one tenant on one database")]
    Busy,
}

impl StoreError {
    /// The fault of the file, if the file is the reason.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::File { trouble, .. } => Some(trouble),
            Self::Foreign { .. } | Self::Seal(_) | Self::Conflict | Self::Defect(_) => None,
        }
    }

    /// Adds the path to an error that was found where the path was unknown.
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
            // The index of the write-ahead log is a file of its own. SQLite has another code when the disk is full
            // for it.
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

/// The text of a defect. It has codes only, because the library's texts for failed conversions can repeat a value.
fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(code) => format!("SQLite code {}", code.extended_code),
        None => "a row or statement has another shape than the code expects".to_owned(),
    }
}
