//! The fingerprint of a public key, which two people compare, or which names a process. Not for secrets.

use crate::hex::lower;
use aws_lc_rs::digest::{SHA256, digest};

/// Bytes of the hash in a fingerprint: 128 bits, so that no search finds another key with the same fingerprint, and few
/// enough to be read aloud.
const LENGTH: usize = 16;

/// The fingerprint of a public key in DER (SubjectPublicKeyInfo, RFC 5280): the first 16 bytes of its SHA-256, as eight
/// groups of four lower-case digits.
pub fn of_public_key(spki: &[u8]) -> String {
    start_of_hash(spki).chunks(2).map(lower).collect::<Vec<_>>().join(" ")
}

/// The first 16 bytes of the SHA-256 of a public key.
pub fn start_of_hash(key: &[u8]) -> [u8; LENGTH] {
    digest(&SHA256, key).as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`, FIPS 180-2 appendix B.1.
    #[test]
    fn a_fingerprint_is_the_beginning_of_the_sha_256_in_groups() {
        assert_eq!(of_public_key(b"abc"), "ba78 16bf 8f01 cfea 4141 40de 5dae 2223");
    }
}
