//! Opens what an acceptor sealed with Kerberos (RFC 4121 4.2.4, with the rotation of MS-KILE 3.4.5.4.1). `sspi` can
//! do this too, but does not check the sequence number, takes tokens that are signed only, does not compare the
//! token's header with its encrypted copy, and panics when the token lies about its lengths; and it derives the keys
//! anew for every fragment, which takes longer than the rest while the DC waits. Sealing stays with `sspi`. Part of
//! `security`.

use aes::{Aes128, Aes256};
use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit, block_padding::NoPadding};
use hmac::{Hmac, KeyInit as _, Mac as _};
use picky_krb::crypto::aes::{AesSize, derive_key};
use sha1::Sha1;
use zeroize::Zeroizing;

/// `SentByAcceptor | Sealed | AcceptorSubkey`: exactly what a DC's tokens carry.
const FLAGS: u8 = 0x01 | 0x02 | 0x04;
/// The bytes of a token's header.
const HEADER: usize = 2 /* id */ + 1 /* flags */ + 1 /* filler */ + 2 /* EC */ + 2 /* RRC */ + 8 /* SND_SEQ */;
/// The extra count: one block of AES.
const EXTRA: usize = 16;
/// The right rotation count: a header and a checksum.
const ROTATION: usize = HEADER + CHECKSUM;
/// HMAC-SHA1-96
const CHECKSUM: usize = 12;
/// A block of AES.
const BLOCK: usize = 16;
/// One of them.
const CONFOUNDER: usize = BLOCK;
/// The whole token that is sent beside the sealed data.
pub(super) const TOKEN: usize = HEADER + EXTRA + ROTATION + CONFOUNDER;
/// KG-USAGE-ACCEPTOR-SEAL, and with it what its keys are derived from (RFC 3961 5.3).
const USAGE: u8 = 22;
const KE: [u8; 5] = [0, 0, 0, USAGE, 0xaa];
const KI: [u8; 5] = [0, 0, 0, USAGE, 0x55];

/// The receiving side of one security context.
pub(super) struct Unwrap {
    /// What decrypts, and what signs.
    keys: [Zeroizing<Vec<u8>>; 2],
    next: Option<u64>,
}

/// A token that cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untrusted(pub(super) &'static str);

impl Unwrap {
    /// `key` is the context's: the acceptor's subkey.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let size = match key.len() {
            16 => AesSize::Aes128,
            32 => AesSize::Aes256,
            _ => return None,
        };
        let derived = |from| Some(Zeroizing::new(derive_key(key, from, &size).ok()?));
        Some(Self { keys: [derived(&KE)?, derived(&KI)?], next: None })
    }

    /// Opens one fragment: `before` and `after` are signed and not sealed. The first token says where the
    /// sequence starts (the key is fresh, so nothing older exists under it); each later one is the next.
    pub(super) fn open(
        &mut self,
        before: &[u8],
        sealed: &[u8],
        after: &[u8],
        token: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Untrusted> {
        let (header, rotated) = token.split_first_chunk::<HEADER>().ok_or(Untrusted("is too short"))?;
        let [5, 4, FLAGS, 0xff, 0, EXTRA_LOW, 0, ROTATION_LOW, sequence @ ..] = *header else {
            return Err(Untrusted("is not a sealed one of an acceptor"));
        };
        let sequence = u64::from_be_bytes(sequence);
        if self.next.is_some_and(|next| next != sequence) {
            return Err(Untrusted("is out of sequence: a repeated or missing answer"));
        }
        if token.len() != TOKEN {
            return Err(Untrusted("is of the wrong length"));
        }
        // On the wire: filler, header copy and checksum first, then confounder and data.
        let (end, start) = rotated.split_at_checked(EXTRA + ROTATION).ok_or(Untrusted("is too short"))?;
        let (end, checksum) = end.split_last_chunk::<CHECKSUM>().ok_or(Untrusted("is too short"))?;
        let [decrypting, signing] = &self.keys;
        let mut plain = Zeroizing::new([start, sealed, end].concat());
        decrypt(decrypting, &mut plain).ok_or(Untrusted("does not decrypt"))?;
        let data = plain.len().checked_sub(CONFOUNDER + EXTRA + HEADER).ok_or(Untrusted("is too short"))?;
        let (confounder, inner) = plain.split_at_checked(CONFOUNDER).ok_or(Untrusted("is too short"))?;
        let (body, tail) = inner.split_at_checked(data).ok_or(Untrusted("is too short"))?;
        let mut mac = Hmac::<Sha1>::new_from_slice(signing).map_err(|_| Untrusted("does not verify"))?;
        for signed in [confounder, before, body, after, tail] {
            mac.update(signed);
        }
        mac.verify_truncated_left(checksum).map_err(|_| Untrusted("does not verify"))?;
        // The copy inside has no rotation yet.
        let mut copy = *header;
        let [_, _, _, _, _, _, high, low, ..] = &mut copy;
        (*high, *low) = (0, 0);
        if tail.get(EXTRA..) != Some(&copy[..]) {
            return Err(Untrusted("has a header that was altered"));
        }
        self.next = Some(sequence.wrapping_add(1));
        Ok(Zeroizing::new(body.to_vec()))
    }
}

/// AES in CBC with ciphertext stealing, in place (RFC 3962 5): the last two blocks are swapped, and what the last one
/// lacks is the end of what the one before it decrypts to.
fn decrypt(key: &[u8], sealed: &mut Vec<u8>) -> Option<()> {
    let length = sealed.len();
    let lacks = length.next_multiple_of(BLOCK) - length;
    let before = (length + lacks).checked_sub(2 * BLOCK)?;
    let mut stolen = Zeroizing::new(sealed.get(before..before + BLOCK)?.to_vec());
    cbc(key, &mut stolen)?;
    sealed.extend_from_slice(stolen.get(BLOCK - lacks..)?);
    let (last, rest) = sealed.get_mut(before..)?.split_first_chunk_mut::<BLOCK>()?;
    last.swap_with_slice(rest);
    cbc(key, sealed)?;
    sealed.truncate(length);
    Some(())
}

/// From a zero vector on, whole blocks.
fn cbc(key: &[u8], blocks: &mut [u8]) -> Option<()> {
    let zero = [0; BLOCK];
    match key.len() {
        16 => {
            Decryptor::<Aes128>::new_from_slices(key, &zero).ok()?.decrypt_padded::<NoPadding>(blocks).ok()?
        }
        _ => {
            Decryptor::<Aes256>::new_from_slices(key, &zero).ok()?.decrypt_padded::<NoPadding>(blocks).ok()?
        }
    };
    Some(())
}

#[expect(clippy::as_conversions, reason = "16 and 28")]
const EXTRA_LOW: u8 = EXTRA as u8;
#[expect(clippy::as_conversions, reason = "16 and 28")]
const ROTATION_LOW: u8 = ROTATION as u8;

/// Seals as an acceptor does: the other side, for tests.
#[cfg(test)]
pub(super) fn seal(
    key: &[u8],
    sequence: u64,
    before: &[u8],
    body: &[u8],
    after: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    use picky_krb::crypto::Cipher as _;
    let cipher = picky_krb::crypto::aes::Aes256CtsHmacSha196::new();
    let usage = i32::from(USAGE);
    let mut header = vec![5, 4, FLAGS, 0xff, 0, EXTRA_LOW, 0, 0];
    header.extend(sequence.to_be_bytes());
    let tail = [&[0; EXTRA][..], &header].concat();
    let sealed = cipher.encrypt_no_checksum(key, usage, &[body, &tail].concat()).expect("it encrypts");
    let signed = [&sealed.confounder, before, body, after, &tail].concat();
    let checksum = cipher.encryption_checksum(key, usage, &signed).expect("it signs");
    let mut rotated = [sealed.encrypted, checksum].concat();
    rotated.rotate_right(EXTRA + ROTATION);
    let data = rotated.split_off(TOKEN - HEADER);
    header.splice(7..8, [ROTATION_LOW]);
    (data, [header, rotated].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const KEY: [u8; 32] = [9; 32];
    const BODY: &[u8; 32] = b"sixteen or thirty-two bytes here";

    fn unwrap() -> Unwrap {
        Unwrap::new(&KEY).unwrap()
    }

    #[test]
    fn what_an_acceptor_sealed_is_opened_in_its_order_and_only_once() {
        let mut unwrap = unwrap();
        for sequence in 41..44 {
            let (data, token) = seal(&KEY, sequence, b"before", BODY, b"after");
            assert_ne!(data, BODY);
            assert_eq!(*unwrap.open(b"before", &data, b"after", &token).unwrap(), BODY);
            let again = unwrap.open(b"before", &data, b"after", &token).unwrap_err();
            assert_eq!(again, Untrusted("is out of sequence: a repeated or missing answer"));
        }
        let (data, token) = seal(&KEY, 45, b"before", BODY, b"after");
        assert!(unwrap.open(b"before", &data, b"after", &token).is_err(), "44 was left out");
    }

    #[test]
    fn whatever_the_length_it_opens_with_either_size_of_key() {
        use picky_krb::crypto::Cipher as _;
        use picky_krb::crypto::aes::{Aes128CtsHmacSha196, Aes256CtsHmacSha196};
        for length in 1..70 {
            let text: Vec<u8> = (0..length).collect();
            let small = Aes128CtsHmacSha196::new().encrypt_no_checksum(&KEY[..16], 22, &text).unwrap();
            let large = Aes256CtsHmacSha196::new().encrypt_no_checksum(&KEY, 22, &text).unwrap();
            for (key, sealed) in [(&KEY[..16], small), (&KEY[..], large)] {
                let mut opened = sealed.encrypted;
                decrypt(&Unwrap::new(key).unwrap().keys[0], &mut opened).unwrap();
                assert_eq!(opened, [&sealed.confounder[..], &text].concat(), "{length}");
            }
        }
        for length in 0..=BLOCK {
            assert!(decrypt(&KEY, &mut vec![0; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_repeated_answer_under_an_altered_sequence_number_is_refused() {
        let mut unwrap = unwrap();
        let (data, mut token) = seal(&KEY, 41, b"before", BODY, b"after");
        unwrap.open(b"before", &data, b"after", &token).unwrap();
        token[15] = 42;
        let altered = unwrap.open(b"before", &data, b"after", &token).unwrap_err();
        assert_eq!(altered, Untrusted("has a header that was altered"));
    }

    #[test]
    fn nothing_that_was_altered_opens() {
        let (data, token) = seal(&KEY, 41, b"before", BODY, b"after");
        for at in 0..token.len() {
            let mut bent = token.clone();
            bent[at] ^= 0x04;
            assert!(unwrap().open(b"before", &data, b"after", &bent).is_err(), "token {at}");
        }
        for at in 0..data.len() {
            let mut bent = data.clone();
            bent[at] ^= 1;
            assert!(unwrap().open(b"before", &bent, b"after", &token).is_err(), "data {at}");
        }
        assert!(unwrap().open(b"befire", &data, b"after", &token).is_err());
        assert!(unwrap().open(b"before", &data, b"aftex", &token).is_err());
        assert!(unwrap().open(b"before", &data[..31], b"after", &token).is_err());
        for end in 0..token.len() {
            assert!(unwrap().open(b"before", &data, b"after", &token[..end]).is_err(), "cut {end}");
        }
    }

    #[test]
    fn a_token_that_is_signed_only_or_lies_about_its_lengths_is_refused_and_never_panics() {
        let (data, token) = seal(&KEY, 41, b"before", BODY, b"after");
        for (at, value) in [(2, 0x05), (2, 0x06), (4, 0xff), (5, 0), (5, 0xff), (6, 0xff), (7, 0xff)] {
            let mut bent = token.clone();
            bent[at] = value;
            let refused = unwrap().open(b"before", &data, b"after", &bent).unwrap_err();
            assert_eq!(refused, Untrusted("is not a sealed one of an acceptor"));
        }
    }
}
