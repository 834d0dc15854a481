//! The LDAP door: the protocol (RFC 4510 and what follows), without IO.
//!
//! Bytes of a client go in, requests come out; answers go in, bytes come out. Nothing here opens a socket, reads a clock
//! or knows an entry: entries are behind [`filter::Entry`]. Whatever a client sends is bounded before memory is given to
//! it, and a password exists once, in a type that is wiped.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `framing.rs`: how many bytes a message has, and its elements within bounds
//! - `message.rs`: requests, decoded
//! - `controls.rs`: the controls of requests and answers
//! - `response.rs`: answers, encoded
//! - `schema.rs`: attributes by name, and which of them a search returns
//! - `schema/rules.rs`: syntaxes and matching rules
//! - `schema/attribute_type.rs`: one attribute type: a row of the table
//! - `schema/attributes.rs`: the table of attribute types
//! - `schema/classes.rs`: the object classes of each view
//! - `subschema.rs`: the subschema entry's values, generated from the tables
//! - `matching.rs`: values compared by their rules
//! - `filter.rs`: filters, and what is true of an entry
//! - `cookie.rs`: the cookie of paged results
//! - `root_dse.rs`: the root DSE
//! - `unix_ids.rs`: uidNumber and gidNumber from a SID, as SSSD computes them

// Clients' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

pub mod controls;
pub mod cookie;
pub mod filter;
pub mod framing;
pub mod matching;
pub mod message;
pub mod response;
pub mod root_dse;
pub mod schema;
pub mod subschema;
pub mod unix_ids;
