//! Hashes, digests and seals: bytes in, bytes out.
//!
//! The password road runs through it once: a DC's sealed attribute goes in at [`drs_secret`], comes out
//! as an [`nt_hash`], and leaves as a [`salted_digest`], many of them at once by [`lanes`]. [`seal`] is for what the tenant keeps,
//! [`bearer`] for the secrets that it hands out, [`envelope`] for a password on its way to an agent.
//!
//! What is absent: sockets, files, clocks, logs, serialisation; any way to read an NT hash.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod bearer;
mod derivation;
pub mod drs_secret;
pub mod envelope;
mod hex;
pub mod lanes;
pub mod nt_hash;
pub mod salted_digest;
pub mod seal;
pub mod secret;
