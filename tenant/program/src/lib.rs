//! The program `landbridge-tenant`: configuration, keys, wiring, chores, command line.
//!
//! # Files
//!
//! - `main.rs`: the program: a command line in, an exit status out
//! - `lib.rs`: this list
//! - `command.rs`: the command line
//! - `command/run.rs`: runs a command
//! - `command/init.rs`: creates a tenant, completely or not at all
//! - `command/new_directory.rs`: a directory that appears complete, or not at all
//! - `command/backup.rs`: copies the database, the CA's certificate and, apart from them, the keys into directories
//! - `command/migrate.rs`: moves the database to a PostgreSQL server, or back
//! - `command/progress.rs`: how far a copy of rows is, when it takes long
//! - `command/nodes.rs`: the machines that serve the tenant together: listed, added, joined, removed
//! - `command/restore.rs`: creates the data directory from a backup, after checking it, with a new generation
//! - `command/apps.rs`: the requests of `apps`, and its table and file
//! - `command/issuer.rs`: the commands for sessions and signing keys
//! - `command/listing.rs`: the flag that all lists have
//! - `command/ask.rs`: the commands that send a request to the running tenant
//! - `command/card.rs`: one account or one group for people
//! - `command/table.rs`: lists for people
//! - `command/log.rs`: the log on standard error
//! - `config.rs`: the configuration file, read and checked
//! - `keys.rs`: the tenant's keys, checked against each other and against the database
//! - `error.rs`: errors, what to do about them, and exit statuses
//! - `node.rs`: which node of the tenant the data directory is
//! - `serve.rs`: starts, runs and stops the tenant
//! - `server_certificate.rs`: the server certificate for agents
//! - `chores.rs`: the hourly tasks of a running tenant

pub mod chores;
pub mod command;
pub mod config;
pub mod error;
pub mod keys;
pub mod node;
pub mod serve;
pub mod server_certificate;
