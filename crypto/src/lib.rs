//! Hashes, digests and seals: bytes in, bytes out.
//!
//! The password road runs through it once: a DC's sealed attribute goes in at [`drs_secret`], comes out as an
//! [`nt_hash`], and leaves as a [`salted_digest`], many of them at once by [`lanes`]. [`seal`] is for what the tenant
//! keeps, [`bearer`] for the secrets that it hands out, [`envelope`] for a password on its way to an agent.
//!
//! What is absent: sockets, files, clocks, logs, serialisation; any way to read an NT hash.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `secret.rs`: secret bytes and passwords: lent to a closure, never returned
//! - `hex.rs`: hexadecimal digits of secrets, computed without a table
//! - `drs_secret.rs`: removes the two layers of encryption that a DC puts around a password attribute
//! - `nt_hash.rs`: the NT hash, and the one form in which the derivation accepts it
//! - `derivation.rs`: one PBKDF2-HMAC-SHA256 derivation on HMAC midstates
//! - `derivation/constants.rs`: the constants of SHA-256
//! - `derivation/slot.rs`: a derivation under way
//! - `derivation/batch.rs`: several derivations side by side
//! - `derivation/plain.rs`: vectors of one word, for every processor
//! - `derivation/rounds.rs`: the iterations of many derivations, written once for all vectors
//! - `derivation/avx2.rs`: eight lanes of AVX2
//! - `derivation/avx512.rs`: sixteen lanes of AVX-512
//! - `derivation/processor.rs`: which instructions the processor has, and the calls into code compiled for them
//! - `derivation/streams.rs`: the iterations on the SHA extensions, two derivations at a time
//! - `salted_digest.rs`: the digest: derive, print, parse, verify a password
//! - `lanes.rs`: many digests side by side: derived or verified
//! - `envelope.rs`: HPKE around a password on its way to one agent, and the key that authenticates the agent's
//!   verdict
//! - `envelope/bundle.rs`: the same around a tenant's keys, on their way to a new node
//! - `envelope/change.rs`: the same around two passwords, for a change of password
//! - `seal.rs`: encryption at rest, bound to table, row and column
//! - `sha_256.rs`: SHA-256 of what is no secret
//! - `keyed_hash.rs`: HMAC-SHA-256 under a key of the caller
//! - `fingerprint.rs`: the fingerprint of a public key, for people to compare
//! - `signature.rs`: keys that sign tokens
//! - `bearer.rs`: one-time tokens and application credentials, stored as hashes

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod bearer;
mod derivation;
pub mod drs_secret;
pub mod envelope;
pub mod fingerprint;
pub mod hex;
pub mod keyed_hash;
pub mod lanes;
pub mod nt_hash;
pub mod salted_digest;
pub mod seal;
pub mod secret;
pub mod sha_256;
pub mod signature;
