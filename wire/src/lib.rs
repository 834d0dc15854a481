//! The messages between agents and tenant: once, versioned, bounded.
//!
//! Every message travels as one [`frame`]. Every text, list and blob in it has a limit that is checked
//! while it is read, before memory is given to it. A frame of another version is recognised by its head, before its
//! payload is read.
//!
//! Absent on purpose: sockets, clocks, storage, and any way to name an NT hash.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `version.rs`: the version that this build speaks
//! - `bounded.rs`: texts, lists and blobs whose bound is checked while they are read
//! - `printable.rs`: text from elsewhere, made safe for a terminal
//! - `frame.rs`: one message as bytes; errors never repeat the payload
//! - `nodes.rs`: the URLs of a tenant's nodes
//! - `enroll.rs`: tokens, enrolment, renewal
//! - `distinguished_name.rs`: distinguished names as people type them, in all their spellings
//! - `names.rs`: the forms of a sign-in name, and how names are compared
//! - `reserved.rs`: sign-in names of accounts that are not carried, as keyed hashes
//! - `described.rs`: the table of attributes that describe an object and decide nothing
//! - `upload.rs`: hello, offer, upload, receipt
//! - `directory_verdict.rs`: a domain controller's answer to a bind
//! - `change.rs`: a change of password sent to an agent, and its outcome
//! - `signin.rs`: a sign-in sent to an agent, its verdict, and the messages that keep the connection open
//! - `process_proof.rs`: the HTTP header by which a connection belongs to one process of an agent
//! - `wiped_text.rs`: a text that leaves no copy in memory, for passwords in JSON
//! - `privileged.rs`: the groups and accounts that count as privileged, one list for all programs
//! - `problem.rs`: how the tenant refuses a request, and who must act

// Peers' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

pub mod bounded;
pub mod change;
pub mod described;
mod directory_verdict;
pub mod distinguished_name;
pub mod enroll;
pub mod frame;
pub mod names;
pub mod nodes;
pub mod printable;
pub mod privileged;
pub mod problem;
pub mod process_proof;
pub mod reserved;
pub mod signin;
pub mod upload;
pub mod version;
pub mod wiped_text;
