//! The program `landbridge-tenant`: configuration, keys, wiring, chores, command line.
//!
//! # Files
//!
//! - `main.rs`: the program: a command line in, an exit status out
//! - `lib.rs`: this list
//! - `command.rs`: the command line
//! - `command/init.rs`: makes a tenant, all of it or nothing
//! - `command/place.rs`: directories in the making, put in their place whole or not at all
//! - `command/backup.rs`: copies the database, the CA's certificate and, apart from them, the keys into directories
//! - `command/restore.rs`: makes the data directory from a backup; proved first, with a new generation
//! - `command/ask.rs`: the commands that ask the running tenant
//! - `command/card.rs`: one account or one group for people
//! - `command/table.rs`: lists for people
//! - `command/log.rs`: the log on standard error
//! - `config.rs`: the configuration, checked whole
//! - `keys.rs`: the tenant's keys, checked against one another and against what they opened
//! - `error.rs`: what stops the program, who must act, the exit status
//! - `serve.rs`: puts the running tenant together and takes it apart
//! - `server_certificate.rs`: the certificate that agents see
//! - `chores.rs`: what a running tenant does once an hour

pub mod chores;
pub mod command;
pub mod config;
pub mod error;
pub mod keys;
pub mod serve;
pub mod server_certificate;
