//! Secrets that somebody carries and shows: one-time tokens and application credentials. Random, so one
//! SHA-256 is enough to store them by; a database that is stolen lets nobody in.
//! Neighbours: the tenant makes and checks them; `wire::enroll` carries a token's.

use crate::secret::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 32 random bytes that open a door for whoever shows them.
///
/// Wiped on drop. Absent on purpose: `Clone`, `Copy`, `Display`, `==`; `Debug` shows nothing.
///
/// ```
/// use landbridge_crypto::bearer::{self, BearerSecret};
/// let secret = BearerSecret::generate();
/// let shown = BearerSecret::parse(&secret.to_text()).expect("its own text");
/// assert!(bearer::same(&secret.hash(), &shown.hash()));
/// ```
/// ```compile_fail,E0277
/// use landbridge_crypto::bearer::BearerSecret;
/// println!("{}", BearerSecret::generate());
/// ```
/// ```compile_fail,E0369
/// use landbridge_crypto::bearer::BearerSecret;
/// let _ = BearerSecret::generate() == BearerSecret::generate();
/// ```
pub struct BearerSecret(Secret<32>);

/// The characters of its text: base64url of 32 bytes without padding.
const TEXT: usize = 43;

impl BearerSecret {
    /// A new one.
    pub fn generate() -> Self {
        Self(Secret::random())
    }

    /// 43 characters of base64url, for the one who is to carry it.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT));
        self.0.lend(|bytes| URL_SAFE_NO_PAD.encode_string(bytes, &mut text));
        text
    }

    /// Reads what [`Self::to_text`] writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT {
            return None;
        }
        let mut read = None;
        let secret = Secret::written(|to| read = URL_SAFE_NO_PAD.decode_slice(text, to).ok());
        (read == Some(32)).then_some(Self(secret))
    }

    /// What is stored in its place: SHA-256 of its bytes.
    pub fn hash(&self) -> [u8; 32] {
        self.0.lend(|bytes| {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
            hash
        })
    }
}

impl fmt::Debug for BearerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerSecret(..)")
    }
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_comes_back_and_no_two_are_the_same() {
        let (a, b) = (BearerSecret::generate(), BearerSecret::generate());
        assert_eq!(a.to_text().len(), TEXT);
        assert!(same(&a.hash(), &BearerSecret::parse(&a.to_text()).unwrap().hash()));
        assert!(!same(&a.hash(), &b.hash()));
        assert_eq!(format!("{a:?}"), "BearerSecret(..)");
    }

    #[test]
    fn only_the_one_text_of_a_secret_is_read() {
        let zeros = "A".repeat(TEXT);
        assert!(BearerSecret::parse(&zeros).is_some());
        // The last character carries four bits of the secret; its two others must be zero.
        for wrong in [
            "A".repeat(42),
            "A".repeat(44),
            zeros.replace('A', "+"),
            format!("{}B", "A".repeat(42)),
            format!("{}=", "A".repeat(42)),
            format!(" {}", "A".repeat(42)),
            "é".repeat(21) + "A",
        ] {
            assert!(BearerSecret::parse(&wrong).is_none(), "{wrong:?} was read");
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_the_bytes() {
        let zeros = BearerSecret::parse(&"A".repeat(TEXT)).unwrap();
        let hash: String = zeros.hash().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    }
}
