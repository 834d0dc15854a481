//! The NT hash, and the one form in which the derivation takes it.
//! Before it on the road: [`crate::drs_secret`]. After it: [`crate::salted_digest`], which consumes it.

use crate::hex;
use crate::secret::{Password, Secret};
use md4::{Digest, Md4};
use std::fmt;
use zeroize::Zeroizing;

/// The MD4 of a password in UTF-16LE (MS-NLMP 3.3.1, NTOWFv1): as good as the password itself.
///
/// Wiped on drop; copies in registers or on the stack are not. Nothing outside this crate reads it: it can
/// only be made and be consumed by [`crate::salted_digest::SaltedDigest::derive`].
///
/// ```
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// assert_eq!(format!("{hash:?}"), "NtHash(..)");
/// drop(hash);
/// ```
///
/// Absent on purpose: `Clone`,
/// ```compile_fail,E0277
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// let _ = NtHash::clone(&hash);
/// ```
/// `Copy`,
/// ```compile_fail,E0382
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// let moved = hash;
/// drop(hash);
/// ```
/// `Display`,
/// ```compile_fail,E0277
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// println!("{hash}");
/// ```
/// `==`,
/// ```compile_fail,E0369
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// let _ = hash == NtHash::of_password(&Password::new("made up".to_owned()));
/// ```
/// and a way to its bytes.
/// ```compile_fail,E0599
/// use landbridge_crypto::{nt_hash::NtHash, secret::Password};
/// let hash = NtHash::of_password(&Password::new("made up".to_owned()));
/// hash.lend(|bytes| bytes.to_vec());
/// ```
pub struct NtHash(Secret<16>);

impl NtHash {
    /// Hashes a password. On the road only the verification of a [`crate::salted_digest`] does; it is open
    /// to tests, which have no DC.
    pub fn of_password(password: &Password) -> Self {
        let mut hasher = Md4::new();
        password.lend(|text| {
            // A code unit never takes more bytes than its UTF-8: the buffer never moves.
            let mut units = Zeroizing::new(Vec::with_capacity(text.len() * 2));
            units.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            hasher.update(&units);
        });
        Self(Secret::written(|to| hasher.finalize_into(to.into())))
    }

    pub(crate) fn new(bytes: Secret<16>) -> Self {
        Self(bytes)
    }

    /// Its 32 upper-case hexadecimal digits in UTF-16LE: the "password" of the salted digest's PBKDF2.
    pub(crate) fn to_digits(&self) -> Zeroizing<[u8; 64]> {
        let mut digits = Zeroizing::new([0; 64]);
        self.0.lend(|bytes| {
            for ([high, _, low, _], byte) in digits.as_chunks_mut::<4>().0.iter_mut().zip(bytes) {
                *high = hex::digit(byte >> 4, b'A');
                *low = hex::digit(*byte, b'A');
            }
        });
        digits
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex_of(hash: &NtHash) -> String {
        hash.0.lend(|bytes| bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    fn nt(password: &str) -> NtHash {
        NtHash::of_password(&Password::new(password.to_owned()))
    }

    #[test]
    fn known_passwords_have_their_known_hashes() {
        assert_eq!(hex_of(&nt("Pa$$w0rd")), "92937945b518814341de3f726500d4ff");
        assert_eq!(hex_of(&nt("")), "31d6cfe0d16ae931b73c59d7e0c089c0");
        // MS-NLMP 4.2.2.1.2.
        assert_eq!(hex_of(&nt("Password")), "a4f49c406510bdcab6824ee7c30fd852");
    }

    #[test]
    fn characters_outside_the_basic_plane_are_hashed_as_surrogates() {
        let units: Vec<u8> = [0xd83d_u16, 0xdd11, 0x00e9].iter().flat_map(|u| u.to_le_bytes()).collect();
        let expected: String = Md4::digest(units).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex_of(&nt("\u{1f511}\u{e9}")), expected);
    }

    #[test]
    fn the_digits_are_upper_case_and_utf16() {
        let text: Vec<u16> =
            nt("Pa$$w0rd").to_digits().as_chunks::<2>().0.iter().map(|u| u16::from_le_bytes(*u)).collect();
        assert_eq!(String::from_utf16(&text).unwrap(), "92937945B518814341DE3F726500D4FF");
    }

    #[test]
    fn md4_gives_the_vectors_of_rfc_1320() {
        let vectors = [
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
            ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
            ("message digest", "d9130a8164549fe818874806e1c7014b"),
            ("abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "043f8582f241db351ce627e153e7f0e4",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "e33b4ddc9c38f2199c3e7b164fcc0536",
            ),
        ];
        for (text, digest) in vectors {
            let found: String = Md4::digest(text).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(found, digest, "MD4 of {text:?}");
        }
    }
}
