//! Sealing and opening with a key, for one usage: AES in CBC with ciphertext stealing and a truncated HMAC, in both
//! orders. RFC 3962 signs what is not encrypted yet, RFC 8009 what was encrypted. And the keyed checksum.
//! Before it: [`super::key`]. After it: the exchanges, and [`super::wrap`], which signs more than it encrypts.

use crate::enctype::Enctype;
use crate::key::{DerivedKey, Key, Purpose, Usage};
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, InnerIvInit as _, KeyInit};
use aes::{Aes128, Aes256};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use cts::{CbcCs3, Decrypt as _, Encrypt as _};
use zeroize::Zeroizing;

/// A block of AES, and the confounder: the random block in front of every sealed message.
pub(crate) const BLOCK: usize = 16;

/// The derived keys of one usage.
pub(crate) struct Cipher {
    enctype: Enctype,
    encrypting: DerivedKey,
    signing: DerivedKey,
}

/// Something sealed that does not open: altered, or made with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unverified;

impl Cipher {
    pub(crate) fn new(key: &Key, usage: Usage) -> Self {
        Self::of_number(key, usage.number())
    }

    /// For any number of a usage: the test vectors have some of their own.
    pub(crate) fn of_number(key: &Key, usage: u32) -> Self {
        Self {
            enctype: key.enctype(),
            encrypting: key.derive_number(usage, Purpose::Encrypt),
            signing: key.derive_number(usage, Purpose::Integrity),
        }
    }

    /// The length of the HMAC, in bytes.
    pub(crate) fn mac_length(&self) -> usize {
        self.enctype.mac_length()
    }

    /// A message as it stands in EncryptedData: confounder and text, encrypted, and the HMAC.
    pub(crate) fn seal(&self, confounder: [u8; BLOCK], text: &[u8]) -> Vec<u8> {
        let (mut sealed, mac) = self.seal_between(confounder, &[], text, &[], &[]);
        sealed.extend(mac);
        sealed
    }

    /// The text of such a message.
    pub(crate) fn open(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unverified> {
        let sealed = message.len().checked_sub(self.mac_length()).ok_or(Unverified)?;
        let (sealed, mac) = message.split_at_checked(sealed).ok_or(Unverified)?;
        let mut opened = self.open_between(&[], sealed, &[], 0, mac)?;
        opened.drain(..BLOCK);
        Ok(opened)
    }

    /// Seals `text` and `tail`, and signs `before` and `after` with them: the order is before, text, after, tail.
    /// Gives the confounder, the text and the tail, encrypted, and the HMAC.
    pub(crate) fn seal_between(
        &self,
        confounder: [u8; BLOCK],
        before: &[u8],
        text: &[u8],
        after: &[u8],
        tail: &[u8],
    ) -> (Vec<u8>, Vec<u8>) {
        let mut buffer = Zeroizing::new([&confounder[..], text, tail].concat());
        let early = (!self.signs_encrypted()).then(|| self.mac(before, &buffer, after, tail.len()));
        self.crypt(&mut buffer, Direction::Encrypt).expect("a confounder is one block");
        let mac = early.unwrap_or_else(|| self.mac(before, &buffer, after, tail.len()));
        (std::mem::take(&mut *buffer), mac.as_ref().get(..self.mac_length()).unwrap_or_default().to_vec())
    }

    /// Opens what [`Self::seal_between`] sealed: the confounder, the text and the tail. Nothing is returned unless
    /// the HMAC is right.
    pub(crate) fn open_between(
        &self,
        before: &[u8],
        sealed: &[u8],
        after: &[u8],
        tail: usize,
        mac: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unverified> {
        if sealed.len() < BLOCK + tail {
            return Err(Unverified);
        }
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let early = self.signs_encrypted().then(|| self.mac(before, &buffer, after, tail));
        if let Some(expected) = &early {
            self.verify(expected, mac)?;
        }
        self.crypt(&mut buffer, Direction::Decrypt)?;
        if early.is_none() {
            self.verify(&self.mac(before, &buffer, after, tail), mac)?;
        }
        Ok(buffer)
    }

    /// Whether the HMAC is over what was encrypted (RFC 8009), or over what is not encrypted yet (RFC 3962).
    fn signs_encrypted(&self) -> bool {
        matches!(self.enctype, Enctype::Aes128Sha256 | Enctype::Aes256Sha384)
    }

    /// The HMAC, not truncated, over this buffer of confounder, text and tail.
    fn mac(&self, before: &[u8], buffer: &[u8], after: &[u8], tail: usize) -> hmac::Tag {
        let mut context =
            self.signing.lend(|key| hmac::Context::with_key(&hmac::Key::new(hash(self.enctype), key)));
        if self.signs_encrypted() {
            // The initial vector, which is zero (RFC 8009 5).
            context.update(&[0; BLOCK]);
        }
        let (confounder, rest) = buffer.split_at_checked(BLOCK).unwrap_or((buffer, &[]));
        let (text, tail) = rest.split_at_checked(rest.len().saturating_sub(tail)).unwrap_or((rest, &[]));
        for part in [confounder, before, text, after, tail] {
            context.update(part);
        }
        context.sign()
    }

    fn verify(&self, expected: &hmac::Tag, mac: &[u8]) -> Result<(), Unverified> {
        let expected = expected.as_ref().get(..self.mac_length()).unwrap_or_default();
        verify_slices_are_equal(expected, mac).map_err(|_| Unverified)
    }

    fn crypt(&self, buffer: &mut [u8], direction: Direction) -> Result<(), Unverified> {
        self.encrypting.lend(|key| match key.len() {
            16 => crypt::<Aes128>(key, buffer, direction),
            _ => crypt::<Aes256>(key, buffer, direction),
        })
    }
}

/// CBC with ciphertext stealing (CS3), in place, from a zero vector on. Needs one block or more.
fn crypt<C>(key: &[u8], buffer: &mut [u8], direction: Direction) -> Result<(), Unverified>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + KeyInit,
{
    let cipher = C::new_from_slice(key).map_err(|_| Unverified)?;
    // A block alone has nothing to steal from, and `cts` 0.7 encrypts it twice.
    if let Ok(block) = <&mut Block<C>>::try_from(&mut *buffer) {
        match direction {
            Direction::Encrypt => cipher.encrypt_block(block),
            Direction::Decrypt => cipher.decrypt_block(block),
        }
        return Ok(());
    }
    let mode = CbcCs3::inner_iv_init(cipher, &Block::<C>::default());
    match direction {
        Direction::Encrypt => mode.encrypt(buffer),
        Direction::Decrypt => mode.decrypt(buffer),
    }
    .map_err(|_| Unverified)
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

/// The keyed checksum over a text (RFC 3961 5.4, RFC 8009 6), as the number and bytes of the type Checksum.
pub(crate) fn checksum(key: &Key, usage: Usage, text: &[u8]) -> (i32, Vec<u8>) {
    (key.enctype().checksum_number(), checksum_of_number(key, usage.number(), text))
}

/// For any number of a usage: the test vectors have some of their own.
pub(crate) fn checksum_of_number(key: &Key, usage: u32, text: &[u8]) -> Vec<u8> {
    let enctype = key.enctype();
    let key = key.derive_number(usage, Purpose::Checksum);
    let tag = key.lend(|key| hmac::sign(&hmac::Key::new(hash(enctype), key), text));
    tag.as_ref().get(..enctype.mac_length()).unwrap_or_default().to_vec()
}

fn hash(enctype: Enctype) -> hmac::Algorithm {
    match enctype {
        Enctype::Aes128Sha1 | Enctype::Aes256Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Enctype::Aes128Sha256 => hmac::HMAC_SHA256,
        Enctype::Aes256Sha384 => hmac::HMAC_SHA384,
    }
}

#[cfg(test)]
mod tests;
