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

#[expect(clippy::cast_possible_truncation, reason = "16 and 28")]
const EXTRA_LOW: u8 = EXTRA as u8;
#[expect(clippy::cast_possible_truncation, reason = "16 and 28")]
const ROTATION_LOW: u8 = ROTATION as u8;

fn cipher(suite: &CipherSuite) -> Box<dyn Cipher + Send> {
    use picky_krb::crypto::aes::{Aes128CtsHmacSha196, Aes256CtsHmacSha196};
    match suite {
        CipherSuite::Aes128CtsHmacSha196 => Box::new(Aes128CtsHmacSha196::new()),
        CipherSuite::Aes256CtsHmacSha196 | CipherSuite::Des3CbcSha1Kd => Box::new(Aes256CtsHmacSha196::new()),
    }
}
