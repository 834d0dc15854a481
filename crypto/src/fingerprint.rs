//! The fingerprint of a public key, which two people compare. Not for secrets.

use crate::hex::lower;
use aws_lc_rs::digest::{SHA256, digest};

/// Bytes of the hash that are shown: 128 bits, so that no search finds another key with the same fingerprint, and few
/// enough to be read aloud.
const SHOWN: usize = 16;

/// The fingerprint of a public key in DER (SubjectPublicKeyInfo, RFC 5280): the first 16 bytes of its SHA-256, as eight
/// groups of four lower-case digits.
pub fn of_public_key(spki: &[u8]) -> String {
    let hash = digest(&SHA256, spki);
    let shown = hash.as_ref().get(..SHOWN).unwrap_or_default();
    shown.chunks(2).map(lower).collect::<Vec<_>>().join(" ")
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
