//! MS-DRSR replication client as a machine: it returns bytes to send, accepts bytes received, and returns pages.
//! It opens no socket, reads no clock and knows no async runtime.
//!
//! `rpc` knows nothing of DRS, `drs` nothing of PDUs; `replica` joins them. Before it on the road: the DC.
//! After it: `phs::read::pull`, which owns the sockets.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `error.rs`: what goes wrong between drsr and a DC, and who must act
//! - `rpc.rs`: the half that knows DCE/RPC and nothing of DRS
//! - `rpc/machine.rs`: the protocol as an async function without an executor, suspended while the caller does the
//!   IO
//! - `rpc/ndr.rs`: NDR reader that checks every count against the bytes present, and NDR writer
//! - `rpc/pdu.rs`: the PDUs, every length checked
//! - `rpc/epm.rs`: the endpoint mapper: the port of the replication interface
//! - `rpc/security.rs`: both sides prove themselves by Kerberos; then requests are sealed and answers opened
//! - `rpc/association.rs`: bind, authenticate, call; call id, context, flags, fragment order and bounds
//! - `rpc/association/server.rs`: a server in memory, for tests only: valid PDUs, and PDUs that must be refused
//! - `drs.rs`: the half that knows DRS and nothing of PDUs
//! - `drs/bind.rs`: DRSBind and the capabilities of both sides
//! - `drs/cursor.rs`: the DC's cookie, byte for byte, and the up-to-dateness vector
//! - `drs/attribute.rs`: the attributes that are requested, their OIDs and types
//! - `drs/further.rs`: attributes that are requested beside the usual ones, and their ids in the forest's schema
//! - `drs/name.rs`: resolves an account's name to an object (DRSCrackNames)
//! - `drs/request.rs`: GetNCChanges V8: pages and single objects
//! - `drs/dsname.rs`: DSNAME
//! - `drs/sid.rs`: security identifiers
//! - `drs/prefix_table.rs`: attids to OIDs through the reply's own table
//! - `drs/reply.rs`: decodes GetNCChanges V6 and V9; every other version is named and refused
//! - `drs/made.rs`: writes such replies, for tests only: what Samba does not send
//! - `drs/page.rs`: attids become attributes, bytes become values; an unreadable attribute that describes is left out,
//!   an object that cannot be read is quarantined
//! - `drs/change.rs`: the content of a page: changes, links, a sealed NT hash
//! - `drs/refusal.rs`: a DC's error codes, and who must act
//! - `replica.rs`: one session with one DC, from the port to the pages: the machine that a caller drives

// Peers' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

pub mod drs;
pub mod error;
pub mod replica;
pub mod rpc;

#[cfg(test)]
#[path = "../captures/record.rs"]
mod capture;

pub use error::Error;
pub use landbridge_kerberos::Responsible;
