//! Where the database is, and its reads and transactions on either engine.
//! Neighbours: [`crate::Store`] counts and repeats them; `engine/sqlite/database.rs` and `engine/postgres/database.rs` run them.

use crate::StoreError;
use crate::engine::Connection;
use crate::engine::postgres::address::ServerAddress;
use crate::engine::postgres::database::ServerDatabase;
use crate::engine::sqlite::database::FileDatabase;
use crate::engine::sqlite::file;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// In a file of SQLite.
    File(PathBuf),
    /// On a PostgreSQL server.
    Server(Box<ServerAddress>),
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

/// An open database.
pub(crate) enum Database {
    /// A file of SQLite.
    File(Box<FileDatabase>),
    /// A database of a PostgreSQL server.
    Server(Box<ServerDatabase>),
}

impl Database {
    /// Creates the database. `now` is in seconds since 1970.
    pub(crate) fn create(at: &Location, tenant: Uuid, now: i64) -> Result<(), StoreError> {
        match at {
            Location::File(path) => file::create(path, tenant, now),
            Location::Server(address) => ServerDatabase::create(address, tenant, now),
        }
    }

    /// Opens it, and upgrades it if an older build has written it.
    pub(crate) fn open(at: Location) -> Result<Self, StoreError> {
        Ok(match at {
            Location::File(path) => Self::File(Box::new(FileDatabase::open(&path)?)),
            Location::Server(address) => Self::Server(Box::new(ServerDatabase::open(*address)?)),
        })
    }

    /// Runs `ask` on one snapshot.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.read(ask).map_err(|e| e.at(file.path())),
            Self::Server(server) => server.read(ask),
        }
    }

    /// The same for what may read much.
    pub(crate) fn look<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.look(ask).map_err(|e| e.at(file.path())),
            Self::Server(server) => server.look(ask),
        }
    }

    /// Runs `change` in one transaction, alone among those that are not short, and commits it.
    pub(crate) fn write<T>(
        &self,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.write(change).map_err(|e| e.at(file.path())),
            Self::Server(server) => server.write(change),
        }
    }

    /// Runs `change`, which reads and writes a few rows, in one transaction, and commits it.
    pub(crate) fn write_short<T>(
        &self,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.write_short(change).map_err(|e| e.at(file.path())),
            Self::Server(server) => server.write_short(change),
        }
    }

    /// Holds a database on a server for this node. A file is held by the lock of its directory.
    pub(crate) fn hold(&self, node: Uuid) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Server(server) => server.hold(node),
        }
    }

    /// Takes away what only programs of an older version use, when no node of one is left. Returns whether it did. A file is
    /// used by one program, which upgrades it when it opens it.
    pub(crate) fn finish_upgrade(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(_) => Ok(false),
            Self::Server(server) => server.finish_upgrade(),
        }
    }

    /// Gives up what [`Self::hold`] holds.
    pub(crate) fn release(&self) {
        if let Self::Server(server) = self {
            server.release();
        }
    }

    /// Whether this process does the chores of all nodes.
    pub(crate) fn does_chores(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(_) => Ok(true),
            Self::Server(server) => server.does_chores(),
        }
    }

    /// Waits until another process has changed something, for at most this long.
    pub(crate) fn wait_for_notice(&self, limit: Duration) {
        match self {
            Self::File(_) => std::thread::sleep(limit),
            Self::Server(server) => server.wait_for_notice(limit),
        }
    }

    /// The clock of this machine less that of the server, in milliseconds. A file has none.
    pub(crate) fn clock_difference(&self) -> Result<i64, StoreError> {
        match self {
            Self::File(_) => Ok(0),
            Self::Server(server) => server.clock_difference(),
        }
    }

    /// How often results of a server were waited for.
    #[cfg(feature = "raw")]
    pub(crate) fn round_trips(&self) -> u64 {
        match self {
            Self::File(_) => 0,
            Self::Server(server) => server.round_trips(),
        }
    }

    /// Takes the write-ahead log of a file into it.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        match self {
            Self::File(file) => file.checkpoint().map_err(|e| e.at(file.path())),
            Self::Server(_) => Ok(()),
        }
    }

    /// Whether the log of a file has something still that was erased.
    pub(crate) fn needs_checkpoint(&self) -> bool {
        match self {
            Self::File(file) => file.needs_checkpoint(),
            Self::Server(_) => false,
        }
    }

    /// The file; none: it is on a server.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            Self::Server(_) => None,
        }
    }

    /// The file or the server, as logs name it.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
            Self::Server(server) => server.name().to_owned(),
        }
    }
}
