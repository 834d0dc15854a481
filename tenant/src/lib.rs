//! The cloud end of Landbridge.

pub mod account_state;
pub mod authority;
pub mod config;
pub mod directory;
pub mod error;
pub mod ingest;
pub mod key_file;
pub mod lockout;
pub mod peer;
pub mod signin;
pub mod store;
pub mod tally;
