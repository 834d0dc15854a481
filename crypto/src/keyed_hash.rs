//! A keyed hash: HMAC-SHA-256 (RFC 2104). Who has the key can test a guess; who has not learns nothing from a hash.
//! Neighbour: [`crate::seal`] makes keyed hashes under the seal keys, which stay at the tenant.

use crate::secret::Secret;
use aws_lc_rs::hmac;

/// The keyed hash of a message.
pub fn keyed_hash(key: &Secret<32>, message: &[u8]) -> [u8; 32] {
    let tag = key.lend(|key| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message));
    let mut hash = [0; 32];
    hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's `hmac`.
    #[test]
    fn a_keyed_hash_is_what_another_implementation_computes() {
        let key = Secret::new([0xab; 32]);
        let text = crate::hex::lower(&keyed_hash(&key, b"corp\\ada"));
        assert_eq!(text, "2f195c5b78bcc834e66d57620481446a32cd6717ff561a7c06a1f232c9a93574");
    }
}
