//! The tenant's edge over real sockets: TLS, enrolment, admission, applications, administration, bounds.
//! Not here: what an upload does (`ingest`) and whom a sign-in lets in (`signin`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

mod administration;
mod admission;
mod applications;
mod assignment;
mod balancers;
mod bounds;
mod command_line;
mod directory;
mod enrolment;
mod events;
mod harness;
mod ldap;
mod nodes;
mod oidc;
mod other_domains;
mod own_certificate;
mod process;
mod removal;
mod websocket;
