//! Hashes, digests and seals: bytes in, bytes out.

pub mod salted_digest;
