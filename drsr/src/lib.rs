//! MS-DRSR replication client as a machine: it asks for bytes to be sent and received, and tells what came.
//! It opens no socket, reads no clock and knows no async runtime. (`sspi` inside reads the time for the
//! Kerberos authenticators it makes; nothing here depends on it.)
//!
//! `rpc` knows nothing of DRS, `drs` nothing of PDUs; `replica` joins them. Before it on the road: the DC.
//! After it: `phs::pull`, which owns the sockets.

// Peers' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

pub mod drs;
pub mod error;
pub mod replica;
pub mod rpc;

#[cfg(test)]
#[path = "../captures/record.rs"]
mod capture;

pub use error::{Error, Who};
