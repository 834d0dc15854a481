//! The cloud end of Landbridge.

pub mod accept;
pub mod admin;
pub mod admit;
pub mod apps;
pub mod attend;
pub mod audit;
pub mod authority;
pub mod clock;
pub mod command;
pub mod config;
pub mod decide;
pub mod directory;
pub mod enroll;
pub mod error;
pub mod ingest;
pub mod key_file;
pub mod keys;
pub mod observe;
pub mod peer;
pub mod routes;
pub mod serve;
pub mod signin;
pub mod store;
pub mod tally;

#[cfg(test)]
mod fixture;
