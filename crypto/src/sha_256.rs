//! SHA-256 of what is no secret, or has enough chance in it that it cannot be guessed. Passwords have `salted_digest`.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of some bytes (FIPS 180-4).
pub fn sha_256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2 appendix B.1.
    #[test]
    fn the_hash_of_abc_is_the_one_of_the_standard() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(crate::hex::lower(&sha_256(b"abc")), expected);
    }
}
