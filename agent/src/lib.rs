//! What both agents share on their way to the tenant: key files, TLS, enrolment, renewal, back-off, logging, status;
//! and how they find domain controllers by DNS.
//!
//! Absent on purpose: connections to domain controllers, passwords, digests, and trust in any certificate authority but
//! the tenant's own.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `error.rs`: what goes wrong between an agent and its tenant, and who must act
//! - `log.rs`: what both agents log; libraries are silent below info at every level
//! - `config.rs`: how a configuration file is read, and the settings that both agents have
//! - `key.rs`: files that hold secrets: mode 0600, or refused
//! - `token.rs`: where a one-time token is read from
//! - `pin.rs`: SHA-256 of a certificate, to recognise it
//! - `tls.rs`: TLS that trusts the tenant's CA alone, pinned at enrolment
//! - `process_key.rs`: the key of one process, in memory alone, and the proof that a connection is its own
//! - `connect.rs`: connections to hosts of several addresses, for everything that connects
//! - `proxy.rs`: an HTTP proxy on the way to the tenant
//! - `dial.rs`: TCP, directly or through a proxy, then TLS with the tenant
//! - `http.rs`: one request, one bounded response, on a connection that is kept
//! - `identity.rs`: names, certificate, roots and key on disk, replaced as a whole
//! - `nodes.rs`: the URLs of the tenant's nodes, learned and stored beside the identity
//! - `node_choice.rs`: the node that a process sends its requests to
//! - `node_client.rs`: requests to the node in use
//! - `failover.rs`: when a failed request is sent again, and to which node (pure)
//! - `enroll.rs`: from a one-time token to an identity: all of it, or nothing
//! - `renew.rs`: when to renew (pure), and the renewal itself
//! - `status.rs`: the status file of a running daemon
//! - `discover.rs`: the domain controllers that DNS names
//! - `backoff.rs`: the delay before the next attempt (pure)

pub mod backoff;
pub mod config;
pub mod connect;
pub mod dial;
pub mod discover;
pub mod enroll;
pub mod error;
pub mod failover;
pub mod http;
pub mod identity;
pub mod key;
pub mod log;
pub mod node_choice;
pub mod node_client;
pub mod nodes;
pub mod pin;
pub mod process_key;
pub mod proxy;
pub mod renew;
pub mod status;
pub mod tls;
pub mod token;

pub use error::AgentError;
pub use identity::Identity;
pub use node_choice::NodeChoice;
pub use node_client::NodeClient;
pub use process_key::ProcessKey;
