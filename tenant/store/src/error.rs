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
    /// The server, its disk or the connection to it has a fault. The operator acts; [`ServerTrouble`] says what to do.
    #[error("{server}: {trouble}")]
    Server {
        /// The server and its database, without any secret.
        server: String,
        /// The fault.
        trouble: ServerTrouble,
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
    /// After a transfer a table has other rows than its source. The operator acts.
    #[error("the table {table} was not copied whole: its rows differ from those of the source")]
    Differs {
        /// The table.
        table: String,
    },
    /// Another writer changed a row between its reading and the statement that relied on it. [`crate::Store::write`]
    /// runs the transaction again; this error comes out only when it kept happening.
    #[error("the database is busy: other writers kept changing the same rows")]
    Conflict,
    /// A statement is wrong, which is a defect of this program. The developers act.
    #[error("defect in the tenant: {0}")]
    Defect(String),
}

/// A fault of a PostgreSQL server, or of the connection to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerTrouble {
    /// The address is no address of a database.
    #[error("{0}")]
    Address(String),
    /// No connection was made in time.
    #[error("no connection to it could be made ({0}): check that it runs, and that this machine may connect")]
    Unreachable(String),
    /// The certificate does not prove the name.
    #[error(
        "its certificate is not trusted ({0}): check `roots`, and that the certificate names the host of `url`"
    )]
    Certificate(String),
    /// The connection ended, or the server did not answer in time. Nothing was committed.
    #[error(
        "the connection was lost, or it did not answer in time: check that it runs; nothing that was acknowledged is lost"
    )]
    Lost,
    /// The connection ended while a transaction was committed.
    #[error("the connection was lost during a commit: it is not known whether the last change was made")]
    Unknown,
    /// All connections that this process may have are in use.
    #[error("all connections are in use: check what the server waits for, or raise `connections`")]
    Busy,
    /// A statement took longer than it may.
    #[error("a statement took too long and was ended: check the load of the server and its locks")]
    Slow,
    /// The server does not accept role and password.
    #[error(
        "it does not let the role in: check the user of `url`, `password_file` and the server's pg_hba.conf"
    )]
    Refused,
    /// The database does not exist.
    #[error("there is no such database: create it with `createdb`, owned by the role of `url`")]
    NoDatabase,
    /// The role lacks a right.
    #[error("the role lacks a right: it must own the database's schema `landbridge`")]
    Forbidden,
    /// The role may do too much.
    #[error(
        "the role is a superuser, and a tenant needs none: make a role without rights of its own that owns the database"
    )]
    Superuser,
    /// The server is older than what is supported.
    #[error("PostgreSQL {0} is too old: 13 or newer is needed")]
    TooOld(i64),
    /// There is a tenant in the database already.
    #[error("there is a tenant in this database already; it was left as it is")]
    AlreadyThere,
    /// Another process serves as the same node.
    #[error(
        "another process serves as this node: stop it; a further node has a data directory of its own (`landbridge-tenant nodes add`)"
    )]
    Served,
    /// The database has a part of another tenant, or of an older state of this one.
    #[error("it has a part of another transfer: drop its schema `landbridge`, or name an empty database")]
    OtherTransfer,
    /// There is no tenant in the database.
    #[error(
        "there is no tenant in this database: make one with `landbridge-tenant init`, or move one with `landbridge-tenant migrate`"
    )]
    Missing,
    /// A newer build has written the tables.
    #[error(
        "it has schema version {found}, this build knows {known}: use the newer build, or restore the backup from before its upgrade"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The version of this build.
        known: i64,
    },
    /// The server takes no changes: it is a replica, or it is configured read-only.
    #[error("it is read-only: name the primary in `url`, or all servers of the cluster with a comma between")]
    ReadOnly,
    /// The disk of the server is full.
    #[error("its disk is full: free some space there; nothing that was acknowledged is lost")]
    Full,
    /// The server has no memory or connections left.
    #[error("it has no connections or memory left: raise its limits, or lower `connections`")]
    Overloaded,
    /// The server reports an internal error.
    #[error("it reports an internal error ({0}): check its log")]
    Damaged(String),
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
            Self::Server { .. }
            | Self::Foreign { .. }
            | Self::Differs { .. }
            | Self::Seal(_)
            | Self::Conflict
            | Self::Defect(_) => None,
        }
    }

    /// Whether the transaction may run again: another one won, or the connection was lost before it was committed.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Self::Conflict | Self::Server { trouble: ServerTrouble::Lost, .. } => true,
            Self::Server { .. }
            | Self::File { .. }
            | Self::Foreign { .. }
            | Self::Differs { .. }
            | Self::Seal(_)
            | Self::Defect(_) => false,
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
            | Self::Server { .. }
            | Self::Foreign { .. }
            | Self::Differs { .. }
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
