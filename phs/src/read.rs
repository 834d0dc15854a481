//! Reads the directory: which domain controller, over which connection, and whether it has something new.
//! Sockets to domain controllers are opened here and nowhere else in phs.

pub mod described;
pub mod discover;
pub mod distrust;
pub mod ldap;
pub mod pull;
pub mod root_dse;
pub mod schema;
pub mod session;
pub mod watch;
