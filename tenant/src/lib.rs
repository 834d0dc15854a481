//! The cloud end of Landbridge.

pub mod account_state;
pub mod directory;
pub mod ingest;
pub mod lockout;
pub mod signin;
pub mod store;
pub mod tally;
