//! Opens what an acceptor sealed with Kerberos (RFC 4121 4.2.4, with the rotation of MS-KILE 3.4.5.4.1).
//! `sspi` can do this too, but does not check the sequence number, takes tokens that are signed only, does
//! not compare the token's header with its encrypted copy, and panics when the token lies about its lengths.
//! Sealing stays with `sspi`. Part of `security`.

use picky_krb::crypto::{Cipher, CipherSuite};
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
/// One block of AES.
const CONFOUNDER: usize = 16;
/// The whole token that is sent beside the sealed data.
pub(super) const TOKEN: usize = HEADER + EXTRA + ROTATION + CONFOUNDER;
/// KG-USAGE-ACCEPTOR-SEAL
const USAGE: i32 = 22;

/// The receiving side of one security context.
pub(super) struct Unwrap {
    cipher: Box<dyn Cipher + Send>,
    key: Zeroizing<Vec<u8>>,
    next: Option<u64>,
}

/// A token that cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untrusted(pub(super) &'static str);

impl Unwrap {
    /// `key` is the context's: the acceptor's subkey.
    pub(super) fn new(key: Zeroizing<Vec<u8>>) -> Option<Self> {
        let suite = match key.len() {
            16 => CipherSuite::Aes128CtsHmacSha196,
            32 => CipherSuite::Aes256CtsHmacSha196,
            _ => return None,
        };
        Some(Self { cipher: cipher(&suite), key, next: None })
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
        let message = [start, sealed, end].concat();
        let (_, checksum) = message.split_last_chunk::<CHECKSUM>().ok_or(Untrusted("is too short"))?;
        let opened = self
            .cipher
            .decrypt_no_checksum(&self.key, USAGE, &message)
            .map_err(|_| Untrusted("does not decrypt"))?;
        let mut plain = Zeroizing::new(opened.plaintext);

        let inner = plain.len().checked_sub(HEADER).ok_or(Untrusted("is too short"))?;
        let data = inner.checked_sub(EXTRA).ok_or(Untrusted("is too short"))?;
        let (body, tail) = plain.split_at_checked(data).ok_or(Untrusted("is too short"))?;
        let signed = Zeroizing::new([&opened.confounder, before, body, after, tail].concat());
        let expected = self
            .cipher
            .encryption_checksum(&self.key, USAGE, &signed)
            .map_err(|_| Untrusted("does not verify"))?;
        let differs = expected.iter().zip(checksum).fold(0, |sum, (a, b)| sum | (a ^ b));
        if expected.len() != CHECKSUM || differs != 0 {
            return Err(Untrusted("does not verify"));
        }
        // The copy inside has no rotation yet.
        let mut copy = *header;
        let [_, _, _, _, _, _, high, low, ..] = &mut copy;
        (*high, *low) = (0, 0);
        if tail.get(EXTRA..) != Some(&copy[..]) {
            return Err(Untrusted("has a header that was altered"));
        }
        self.next = Some(sequence.wrapping_add(1));
        plain.truncate(data);
        Ok(plain)
    }
}

#[expect(clippy::as_conversions, reason = "16 and 28")]
const EXTRA_LOW: u8 = EXTRA as u8;
#[expect(clippy::as_conversions, reason = "16 and 28")]
const ROTATION_LOW: u8 = ROTATION as u8;

fn cipher(suite: &CipherSuite) -> Box<dyn Cipher + Send> {
    use picky_krb::crypto::aes::{Aes128CtsHmacSha196, Aes256CtsHmacSha196};
    match suite {
        CipherSuite::Aes128CtsHmacSha196 => Box::new(Aes128CtsHmacSha196::new()),
        CipherSuite::Aes256CtsHmacSha196 | CipherSuite::Des3CbcSha1Kd => Box::new(Aes256CtsHmacSha196::new()),
    }
}

/// Seals as an acceptor does: the other side, for tests.
#[cfg(test)]
pub(super) fn seal(
    key: &[u8],
    sequence: u64,
    before: &[u8],
    body: &[u8],
    after: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let cipher = cipher(&CipherSuite::Aes256CtsHmacSha196);
    let mut header = vec![5, 4, FLAGS, 0xff, 0, EXTRA_LOW, 0, 0];
    header.extend(sequence.to_be_bytes());
    let tail = [&[0; EXTRA][..], &header].concat();
    let sealed = cipher.encrypt_no_checksum(key, USAGE, &[body, &tail].concat()).expect("it encrypts");
    let signed = [&sealed.confounder, before, body, after, &tail].concat();
    let checksum = cipher.encryption_checksum(key, USAGE, &signed).expect("it signs");
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
        Unwrap::new(Zeroizing::new(KEY.to_vec())).unwrap()
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
