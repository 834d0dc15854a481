//! Keys, what is derived from them, and how a password becomes one (RFC 3961 5.1 and 5.3, RFC 3962 4, RFC 8009 3
//! and 4).
//! Before it: [`super::enctype`]. After it: `cipher`, which seals and opens with the derived keys.

use crate::enctype::Enctype;
use crate::error::Error;
use crate::limits::{MAX_ITERATIONS, MAX_SALT, MIN_ITERATIONS};
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256};
use aws_lc_rs::{hmac, pbkdf2};
use landbridge_crypto::secret::{Password, Secret};
use std::fmt;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// The longest key, in bytes.
const LONGEST: usize = 32;
const BLOCK: usize = 16;

/// A long-term or session key of one encryption type. Wiped when dropped.
///
/// Absent on purpose: `Clone`, `Display`, `==`, and `Debug` of the bytes.
pub struct Key {
    enctype: Enctype,
    /// The first [`Enctype::key_length`] bytes are the key; the rest is zero.
    bytes: Secret<LONGEST>,
}

/// A key that was derived from a [`Key`]: for one usage and one purpose.
pub(crate) struct DerivedKey {
    /// The first `length` bytes are the key; the rest is zero.
    bytes: Secret<LONGEST>,
    length: usize,
}

/// What a key is used for: the number that its derived keys are made from (RFC 4120 7.5.1, RFC 4121 2, RFC 3244).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// PA-ENC-TIMESTAMP, with the client's key.
    Timestamp = 1,
    /// The encrypted part of an AS-REP, with the client's key.
    AsReply = 3,
    /// The checksum over a TGS request's body, with the session key.
    TgsBodyChecksum = 6,
    /// The authenticator of a TGS request, with the session key.
    TgsAuthenticator = 7,
    /// The encrypted part of a TGS-REP, with the session key.
    TgsReply = 8,
    /// The authenticator of an AP request, with the session key.
    ApAuthenticator = 11,
    /// The encrypted part of an AP reply, with the session key.
    ApReply = 12,
    /// The encrypted part of a KRB-PRIV.
    Private = 13,
    /// A wrap token of the acceptor (KG-USAGE-ACCEPTOR-SEAL).
    AcceptorSeal = 22,
    /// A wrap token of the initiator (KG-USAGE-INITIATOR-SEAL).
    InitiatorSeal = 24,
}

/// Which of the keys for one usage: the last byte of what they are derived from (RFC 3961 5.3).
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Ke
    Encrypt = 0xaa,
    /// Ki
    Integrity = 0x55,
    /// Kc
    Checksum = 0x99,
}

impl Key {
    /// Takes the bytes of a key. None where their number does not fit the type.
    pub fn new(enctype: Enctype, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == enctype.key_length()).then(|| {
            let mut padded = Zeroizing::new([0; LONGEST]);
            padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Self { enctype, bytes: Secret::new(*padded) }
        })
    }

    /// The key of a password, with the salt and the parameters that the KDC named (string-to-key).
    ///
    /// # Errors
    /// The KDC's parameters are outside [`MIN_ITERATIONS`] to [`MAX_ITERATIONS`], or the salt is over [`MAX_SALT`].
    pub fn of_password(
        password: &Password,
        enctype: Enctype,
        salt: &[u8],
        parameters: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let default = match enctype {
            Enctype::Aes128Sha1 | Enctype::Aes256Sha1 => 4_096,
            Enctype::Aes128Sha256 | Enctype::Aes256Sha384 => 32_768,
        };
        let iterations = match parameters {
            None => default,
            Some(bytes) => u32::from_be_bytes(
                bytes
                    .try_into()
                    .map_err(|_| Error::Protocol("string-to-key parameters that are not 4 bytes"))?,
            ),
        };
        // Zero means 2^32.
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Error::Iterations { named: iterations });
        }
        if salt.len() > MAX_SALT {
            return Err(Error::Protocol("a salt that is too long"));
        }
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        Ok(Self::of_password_unchecked(password, enctype, salt, iterations))
    }

    /// The same without the bounds, for the test vectors, which have fewer iterations.
    pub(crate) fn of_password_unchecked(
        password: &Password,
        enctype: Enctype,
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Self {
        // 1. RFC 8009 puts the name of the type before the salt, RFC 3962 does not.
        let (algorithm, salt) = match enctype {
            Enctype::Aes128Sha1 | Enctype::Aes256Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, salt.to_vec()),
            Enctype::Aes128Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, named_salt(enctype, salt)),
            Enctype::Aes256Sha384 => (pbkdf2::PBKDF2_HMAC_SHA384, named_salt(enctype, salt)),
        };
        // 2. PBKDF2 gives a key.
        let mut stretched = Zeroizing::new(vec![0; enctype.key_length()]);
        password.lend(|text| pbkdf2::derive(algorithm, iterations, &salt, text.as_bytes(), &mut stretched));
        // 3. What is derived from that is the key of the password.
        let DerivedKey { bytes, .. } = derived(enctype, &stretched, b"kerberos", enctype.key_length());
        Self { enctype, bytes }
    }

    /// Its type.
    pub fn enctype(&self) -> Enctype {
        self.enctype
    }

    /// Lends the bytes of the key.
    pub fn lend<R>(&self, to: impl FnOnce(&[u8]) -> R) -> R {
        self.bytes.lend(|bytes| to(bytes.get(..self.enctype.key_length()).unwrap_or_default()))
    }

    /// The key that is derived for the usage of this number, and this purpose.
    pub(crate) fn derive_number(&self, usage: u32, purpose: Purpose) -> DerivedKey {
        let [a, b, c, d] = usage.to_be_bytes();
        let length = match (self.enctype, purpose) {
            (Enctype::Aes256Sha384, Purpose::Integrity | Purpose::Checksum) => self.enctype.mac_length(),
            _ => self.enctype.key_length(),
        };
        self.lend(|key| derived(self.enctype, key, &[a, b, c, d, purpose.byte()], length))
    }
}

impl DerivedKey {
    /// A key that nothing was derived from, for test vectors.
    #[cfg(test)]
    pub(crate) fn of_bytes(from: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Self { bytes: Secret::new(bytes), length: from.len() }
    }

    /// Lends the bytes of the key.
    pub(crate) fn lend<R>(&self, to: impl FnOnce(&[u8]) -> R) -> R {
        self.bytes.lend(|bytes| to(bytes.get(..self.length).unwrap_or_default()))
    }
}

impl Usage {
    #[expect(clippy::as_conversions, reason = "the numbers are the discriminants")]
    pub(crate) fn number(self) -> u32 {
        self as u32
    }
}

impl Purpose {
    #[expect(clippy::as_conversions, reason = "the bytes are the discriminants")]
    fn byte(self) -> u8 {
        self as u8
    }
}

fn named_salt(enctype: Enctype, salt: &[u8]) -> Vec<u8> {
    [enctype.name().as_bytes(), &[0], salt].concat()
}

/// DK of RFC 3961 5.1, or KDF-HMAC-SHA2 of RFC 8009 3, of this length in bytes.
fn derived(enctype: Enctype, key: &[u8], constant: &[u8], length: usize) -> DerivedKey {
    let bytes = match enctype {
        Enctype::Aes128Sha1 | Enctype::Aes256Sha1 => by_block_cipher(key, constant, length),
        Enctype::Aes128Sha256 => by_hmac(hmac::HMAC_SHA256, key, constant, length),
        Enctype::Aes256Sha384 => by_hmac(hmac::HMAC_SHA384, key, constant, length),
    };
    DerivedKey { bytes: Secret::new(*bytes), length }
}

/// The constant is folded to one block and encrypted again and again; the blocks in a row are the key.
fn by_block_cipher(key: &[u8], constant: &[u8], length: usize) -> Zeroizing<[u8; LONGEST]> {
    let mut block = Zeroizing::new(folded::<BLOCK>(constant));
    let mut bytes = Zeroizing::new([0; LONGEST]);
    for to in bytes.get_mut(..length).unwrap_or_default().chunks_mut(BLOCK) {
        match key.len() {
            16 => Aes128::new_from_slice(key).map(|aes| aes.encrypt_block((&mut *block).into())),
            _ => Aes256::new_from_slice(key).map(|aes| aes.encrypt_block((&mut *block).into())),
        }
        .expect("the length of a key fits its type");
        to.copy_from_slice(&*block);
    }
    bytes
}

fn by_hmac(algorithm: hmac::Algorithm, key: &[u8], label: &[u8], length: usize) -> Zeroizing<[u8; LONGEST]> {
    let bits = u32::try_from(length * 8).unwrap_or_default();
    let input = [&1u32.to_be_bytes()[..], label, &[0], &bits.to_be_bytes()].concat();
    let tag = hmac::sign(&hmac::Key::new(algorithm, key), &input);
    let mut bytes = Zeroizing::new([0; LONGEST]);
    bytes.iter_mut().zip(tag.as_ref()).take(length).for_each(|(to, from)| *to = *from);
    bytes
}

/// n-fold (RFC 3961 5.1): copies of the input, each turned right by 13 bits more than the one before, up to the least
/// common multiple of both lengths, added up in pieces of N bytes in ones' complement.
fn folded<const N: usize>(input: &[u8]) -> [u8; N] {
    let length = input.len();
    let total = length / greatest_common_divisor(length, N) * N;
    let mut sum = [0u8; N];
    let mut carry = 0u16;
    // From the least significant byte on. The carry out of the first byte goes into the last one.
    for at in (0..total).rev() {
        let (copy, within) = (at / length, at % length);
        // This byte of the copy, after 13 turns to the right for every copy before it: two neighbours, shifted.
        let turned = (within * 8 + length * 8 * 13 - (copy * 13) % (length * 8)) % (length * 8);
        let byte_at = |index: usize| u16::from(input.get(index % length).copied().unwrap_or_default());
        let pair = byte_at(turned / 8) << 8 | byte_at(turned / 8 + 1);
        let byte = (pair >> (8 - turned % 8)) & 0xff;
        if let Some(to) = sum.get_mut(at % N) {
            let added = u16::from(*to) + byte + carry;
            *to = added.to_le_bytes()[0];
            carry = added >> 8;
        }
    }
    while carry > 0 {
        for to in sum.iter_mut().rev() {
            let added = u16::from(*to) + carry;
            *to = added.to_le_bytes()[0];
            carry = added >> 8;
        }
    }
    sum
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("enctype", &self.enctype).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
