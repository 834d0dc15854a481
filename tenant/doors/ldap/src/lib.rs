//! The LDAP door: programs that can ask an LDAP server sign people in, and find people and groups.
//!
//! The protocol (RFC 4510 and what follows) is without IO: bytes of a client go in, requests come out; answers go in, bytes
//! come out; entries are behind [`filter::Entry`]. Whatever a client sends is bounded before memory is given to it, and a
//! password exists once, in a type that is wiped. The files from `door.rs` on serve connections with it.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `framing.rs`: how many bytes a message has, and its elements within bounds
//! - `message.rs`: requests, decoded
//! - `controls.rs`: the controls of requests and answers
//! - `password_modify.rs`: the value of a request to change a password
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
//! - `door.rs`: the door, with the handles that it holds
//! - `connection.rs`: reads requests until the connection ends
//! - `worker.rs`: answers the requests of a connection in their order
//! - `public.rs`: answers what everybody may ask: the root DSE and the subschema
//! - `bind.rs`: who is signed in on a connection
//! - `change_password.rs`: people change their own passwords
//! - `search.rs`: searches and comparisons
//! - `order.rs`: the order that a client wants
//! - `candidates.rs`: the entries that can fulfil a filter, by what is indexed
//! - `tree.rs`: the entries and their names
//! - `entry.rs`: the attributes of an entry

// Clients' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

mod bind;
mod candidates;
mod change_password;
pub mod connection;
pub mod controls;
pub mod cookie;
pub mod door;
mod entry;
pub mod filter;
pub mod framing;
pub mod matching;
pub mod message;
mod order;
pub mod password_modify;
mod public;
pub mod response;
pub mod root_dse;
pub mod schema;
mod search;
pub mod subschema;
mod tree;
pub mod unix_ids;
mod worker;
