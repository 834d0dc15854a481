//! Kerberos 5 as a client (RFC 4120), for Active Directory: AES alone, TCP alone, one realm. Bytes in and bytes out: no
//! socket, no clock and no log in here. The time and the randomness are arguments, so a recorded exchange can be
//! replayed byte by byte.
//!
//! What a caller does, in order: `as_exchange` gets a ticket-granting ticket with a password or a keytab; `tgs_exchange`
//! gets a ticket for a service; `initiator` shows it to the service, which proves itself; `wrap` seals and opens what is
//! said then. `sasl` does what these two do, in the form that LDAP has. `password_change` begins with an AS exchange of
//! its own.
//!
//! RC4 and DES are in no exchange, whatever is offered: a type of key that [`enctype::Enctype`] does not have cannot be
//! used. What a KDC sends before its reply is opened is not authenticated, so the work that it can cause is bounded
//! ([`limits`]).
//!
//! An acceptor (a service ticket opened with a keytab, the signatures of its PAC, a cache against replays) has its place
//! beside `initiator`, and is not built.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `limits.rs`: bounds on what the other end may ask for or send
//! - `responsible.rs`: who must act after a failure
//! - `error.rs`: what goes wrong
//! - `refusal.rs`: a KRB-ERROR in words
//! - `asn1.rs`: the messages as types
//! - `random.rs`: where nonces, confounders and subkeys come from
//! - `enctype.rs`: the encryption types
//! - `key.rs`: keys, derived keys, the key of a password
//! - `cipher.rs`: seals, opens and signs with a key
//! - `keytab.rs`: keytab files, read and never written
//! - `principal.rs`: names of accounts and services
//! - `client.rs`: an account, and what it proves itself with
//! - `kdc.rs`: what both exchanges with a KDC share: the request's body, the ticket, the checks on a reply
//! - `as_exchange.rs`: a password or keytab becomes a ticket
//! - `tgs_exchange.rs`: a ticket becomes a ticket for a service
//! - `initiator.rs`: a ticket becomes an authenticated connection
//! - `wrap.rs`: seals and opens the fragments of such a connection
//! - `sasl.rs`: the same for LDAP: SASL's mechanism GSSAPI, with whole messages
//! - `password_change.rs`: the change of a password with the old one
//! - `memory.rs`: a KDC and a service in memory, for tests only: honest, or with one lie
//! - `memory/sasl.rs`: the same service behind SASL
//! - `realm.rs`: the honest ones at a time that is given, for servers of tests

// Peers' numbers are converted where it can be seen to fit, or refused.
#![warn(clippy::as_conversions)]

pub mod as_exchange;
mod asn1;
mod cipher;
pub mod client;
pub mod enctype;
pub mod error;
pub mod initiator;
pub mod kdc;
pub mod key;
pub mod keytab;
pub mod limits;
#[cfg(any(test, feature = "other-side-for-tests"))]
pub mod memory;
pub mod password_change;
pub mod principal;
pub mod random;
#[cfg(any(test, feature = "other-side-for-tests"))]
pub mod realm;
pub mod refusal;
mod responsible;
pub mod sasl;
pub mod tgs_exchange;
pub mod wrap;

pub use error::Error;
pub use responsible::Responsible;
