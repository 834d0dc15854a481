//! The errors of the program and of its commands: what went wrong, what to do, and the exit status.
//! Neighbours: [`landbridge_tenant_store::StoreError`] and [`CallError`] become one of these.

use landbridge_door_operator::call::CallError;
use landbridge_host::FileError;
use landbridge_tenant_store::{StoreError, Trouble};
use std::path::{Path, PathBuf};

/// What went wrong, in words for the administrator at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// A value in the configuration file is wrong. The operator must correct it.
    #[error("{}{}: {what}", file.display(), AtLine(*line))]
    Configuration {
        /// The file.
        file: PathBuf,
        /// The line, from 1, when the error has one.
        line: Option<usize>,
        /// What is wrong with it.
        what: String,
    },
    /// A flag or an environment variable has a wrong value.
    #[error("{0}")]
    Usage(String),
    /// A local file or directory cannot be used. The operator must correct it.
    #[error("{0}")]
    File(#[from] FileError),
    /// The program cannot listen on an address.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address or socket path.
        address: String,
        /// The error of the system.
        why: String,
    },
    /// The tenant refused the request.
    #[error("{what}")]
    Refused {
        /// Why.
        what: String,
        /// What to do about it.
        todo: String,
    },
    /// No tenant answers on the administration socket.
    #[error("the tenant is not running: {why}")]
    NotRunning {
        /// The error of the system.
        why: String,
    },
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The running tenant reports that its database cannot be used.
    #[error("the tenant's database fails: {0}")]
    RemoteStore(String),
    /// A sign-in was refused: not an error of the program.
    #[error("sign-in refused")]
    SignInRefused,
    /// The program has a defect.
    #[error("defect: {0}")]
    Defect(String),
}

/// Prints `, line N`, or nothing without a line.
struct AtLine(Option<usize>);

impl std::fmt::Display for AtLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

impl TenantError {
    /// A local file that cannot be used, and what to do about it.
    pub fn file(path: &Path, what: impl std::fmt::Display, todo: impl Into<String>) -> Self {
        Self::File(FileError::new(path, what, todo))
    }

    /// The documented exit status.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Defect(_) => 1,
            Self::Usage(_) => 2,
            Self::Configuration { .. } | Self::File(_) | Self::Listen { .. } => 3,
            Self::Refused { .. } => 4,
            Self::NotRunning { .. } => 5,
            Self::Store(_) | Self::RemoteStore(_) => 8,
            Self::SignInRefused => 10,
        }
    }

    /// What the administrator can do; none: the error text is enough.
    pub fn todo(&self) -> Option<String> {
        match self {
            Self::Configuration { file, .. } => Some(format!("edit {} and try again", file.display())),
            Self::File(error) => error.todo(),
            Self::Refused { todo, .. } => (!todo.is_empty()).then(|| todo.clone()),
            Self::Listen { .. } => {
                Some("stop the program that uses the address, or configure another address".to_owned())
            }
            Self::NotRunning { .. } => {
                Some("start `landbridge-tenant serve`, or give its configuration with --config".to_owned())
            }
            Self::Store(error) => Some(of_store(error).to_owned()),
            Self::RemoteStore(_) => Some("the tenant's log has the reason, and what to do".to_owned()),
            Self::Defect(_) => Some("report this with the command that you ran".to_owned()),
            Self::Usage(_) => {
                Some("see `landbridge-tenant --help`, or `--help` behind the command".to_owned())
            }
            Self::SignInRefused => None,
        }
    }
}

/// What the administrator can do about the database.
fn of_store(error: &StoreError) -> &'static str {
    let Some(trouble) = error.trouble() else {
        return match error {
            StoreError::Defect(_) => "report this with the command that you ran",
            StoreError::Differs { .. } => "stop what writes to either database, and run the command again",
            StoreError::Conflict => "try again in a few seconds",
            StoreError::Server { .. } => "check the section [database] of the configuration, and the server",
            StoreError::Seal(_) => {
                "name the tenant's seal keys in seal_keys, and see that this machine gives random numbers"
            }
            StoreError::Foreign { .. } | StoreError::File { .. } => {
                "restore a backup with `landbridge-tenant restore`"
            }
        };
    };
    match trouble {
        Trouble::Missing => {
            "check data_directory in the configuration; `landbridge-tenant init` makes a new tenant, `landbridge-tenant \
             restore` brings one back"
        }
        Trouble::AlreadyThere => "serve it, or configure another data_directory",
        Trouble::Loose { .. } => "run `chmod 600` on it, and find out who could read it",
        Trouble::Newer { .. } => {
            "use the program of the newer version, or restore the backup from before its upgrade"
        }
        Trouble::NotOurs => "check data_directory in the configuration",
        Trouble::Corrupt => {
            "restore a backup with `landbridge-tenant restore`; every phs then compares in full by itself"
        }
        Trouble::Full => "make room on the disk of the data directory",
        Trouble::ReadOnly | Trouble::Unopenable => {
            "check owner and mode of the data directory and its files, and that its file system can be written"
        }
        Trouble::Io(_) => "look into the kernel's log: the disk may be dying",
        Trouble::BeingRead => "wait for the end of the backup, and try again",
        Trouble::Busy => "run one tenant on one database: stop the other process",
    }
}

impl From<CallError> for TenantError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotRunning { why } => Self::NotRunning { why },
            CallError::NotAllowed { socket } => Self::file(
                &socket,
                "you may not use the administration socket",
                "run this as root or as the user that the tenant runs as",
            ),
            CallError::Refused { what, todo } => Self::Refused { what, todo },
            CallError::StorageFailed(what) => Self::RemoteStore(what),
            CallError::Defect(what) => Self::Defect(what),
        }
    }
}
