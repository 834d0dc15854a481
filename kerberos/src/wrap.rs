//! Seals what an initiator sends, and opens what its acceptor sealed (RFC 4121 4.2.4, with the rotation of MS-KILE
//! 3.4.5.4.1): the data stays where it is, and the rest of the message stands in a token beside it, so that the header
//! of a DCE/RPC fragment can be signed with it.
//! Before it: [`super::initiator`].

use crate::cipher::{BLOCK, Cipher};
use crate::key::{Key, Usage};
use crate::random::{self, Random};
use zeroize::Zeroizing;

/// `SentByAcceptor`, `Sealed`, `AcceptorSubkey`
pub(crate) const SENT_BY_ACCEPTOR: u8 = 0x01;
pub(crate) const SEALED: u8 = 0x02;
pub(crate) const ACCEPTOR_SUBKEY: u8 = 0x04;
/// The flags of what each side sends.
const OF_INITIATOR: u8 = SEALED | ACCEPTOR_SUBKEY;
const OF_ACCEPTOR: u8 = SENT_BY_ACCEPTOR | OF_INITIATOR;
/// The length of a token's header: id, flags, filler, EC, RRC, sequence number.
pub(crate) const HEADER: usize = 2 + 1 + 1 + 2 + 2 + 8;
/// The extra count: the bytes of filler behind the data. DCE/RPC has one block of them.
const EXTRA: u8 = 16;
/// What is sealed behind the data: the filler, and a copy of the header.
const TAIL: usize = BLOCK + HEADER;

/// An authenticated connection: its keys, and the numbers of the next message in each direction.
pub struct Context {
    key: Key,
    sealing: Cipher,
    opening: Cipher,
    next_sent: u64,
    next_received: u64,
}

/// Sealed data that cannot be trusted, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a security token {0}")]
pub struct Untrusted(&'static str);

impl Context {
    /// With the acceptor's key, and the numbers of the first message in each direction.
    pub(crate) fn new(key: Key, sent: u32, received: u32) -> Self {
        let (sealing, opening) =
            (Cipher::new(&key, Usage::InitiatorSeal), Cipher::new(&key, Usage::AcceptorSeal));
        Self { key, sealing, opening, next_sent: sent.into(), next_received: received.into() }
    }

    /// The key that the service chose: what a DC seals the secrets in its replies under.
    pub fn session_key(&self) -> &Key {
        &self.key
    }

    /// The length of every token, in bytes.
    pub fn token_length(&self) -> usize {
        HEADER + TAIL + self.sealing.mac_length() + BLOCK
    }

    /// Seals `body` in place, signs `before` and `after` with it, and gives the token.
    pub fn seal(&mut self, before: &[u8], body: &mut [u8], after: &[u8], random: &mut dyn Random) -> Vec<u8> {
        let token =
            seal(&self.sealing, OF_INITIATOR, self.next_sent, random::bytes(random), [before, after], body);
        self.next_sent = self.next_sent.wrapping_add(1);
        token
    }

    /// Opens one fragment: `before` and `after` are signed and not sealed. Each token has the number after the one
    /// before it; the first has the number that the service named.
    ///
    /// # Errors
    /// It was altered, repeated, left out, or is signed only.
    pub fn open(
        &mut self,
        before: &[u8],
        sealed: &[u8],
        after: &[u8],
        token: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Untrusted> {
        // 1. The header: flags, counts and number are exactly those that are due.
        let (header, rotated) = token.split_first_chunk::<HEADER>().ok_or(Untrusted("is too short"))?;
        let due = header_of(OF_ACCEPTOR, rotation(&self.opening), self.next_received);
        if header.first_chunk::<8>() != due.first_chunk::<8>() {
            return Err(Untrusted("is not a sealed one of an acceptor"));
        }
        if *header != due {
            return Err(Untrusted("is out of sequence: a repeated or missing answer"));
        }
        if token.len() != self.token_length() {
            return Err(Untrusted("is of the wrong length"));
        }
        // 2. On the wire the tail and the HMAC come first, then the confounder; the data stands elsewhere.
        let (tail, rest) = rotated.split_at_checked(TAIL).ok_or(Untrusted("is too short"))?;
        let (mac, confounder) =
            rest.split_at_checked(self.opening.mac_length()).ok_or(Untrusted("is too short"))?;
        let whole = [confounder, sealed, tail].concat();
        let mut opened = self
            .opening
            .open_between(before, &whole, after, TAIL, mac)
            .map_err(|_| Untrusted("does not verify"))?;
        // 3. The copy of the header inside has no rotation yet.
        let inner = header_of(OF_ACCEPTOR, 0, self.next_received);
        if opened.last_chunk::<HEADER>() != Some(&inner) {
            return Err(Untrusted("has a header that was altered"));
        }
        self.next_received = self.next_received.wrapping_add(1);
        opened.drain(..BLOCK);
        opened.truncate(sealed.len());
        Ok(opened)
    }
}

/// The right rotation count: a header and an HMAC. The filler is turned with them (MS-KILE 3.4.5.4.1).
fn rotation(cipher: &Cipher) -> u8 {
    u8::try_from(HEADER + cipher.mac_length()).unwrap_or_default()
}

fn header_of(flags: u8, rotation: u8, sequence: u64) -> [u8; HEADER] {
    let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
    [5, 4, flags, 0xff, 0, EXTRA, 0, rotation, a, b, c, d, e, f, g, h]
}

/// Seals `body` in place with the signed parts around it, and gives the token.
fn seal(
    cipher: &Cipher,
    flags: u8,
    sequence: u64,
    confounder: [u8; BLOCK],
    [before, after]: [&[u8]; 2],
    body: &mut [u8],
) -> Vec<u8> {
    let tail = [&[0; BLOCK][..], &header_of(flags, 0, sequence)].concat();
    let (sealed, mac) = cipher.seal_between(confounder, before, body, after, &tail);
    let (confounder, rest) = sealed.split_at_checked(BLOCK).unwrap_or((&sealed, &[]));
    let (data, tail) = rest.split_at_checked(body.len()).unwrap_or((rest, &[]));
    body.copy_from_slice(data);
    [&header_of(flags, rotation(cipher), sequence), tail, &mac[..], confounder].concat()
}

/// A context without an authentication, for tests of what uses one.
#[cfg(any(test, feature = "other-side-for-tests"))]
impl Context {
    /// With this key, and the numbers of the first message in each direction.
    pub fn pretended(key: Key, sent: u32, received: u32) -> Self {
        Self::new(key, sent, received)
    }
}

/// Seals as an acceptor does: the other side, for tests of what reads.
#[cfg(any(test, feature = "other-side-for-tests"))]
pub fn seal_as_acceptor(
    key: &Key,
    sequence: u64,
    before: &[u8],
    body: &[u8],
    after: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let cipher = Cipher::new(key, Usage::AcceptorSeal);
    let mut data = body.to_vec();
    let token = seal(&cipher, OF_ACCEPTOR, sequence, [7; BLOCK], [before, after], &mut data);
    (data, token)
}

/// Opens what an initiator sealed as its message with this number: the other side, for tests of what writes. None if it
/// was altered, or is another message.
#[cfg(any(test, feature = "other-side-for-tests"))]
pub(crate) fn open_as_acceptor(
    key: &Key,
    sequence: u64,
    before: &[u8],
    sealed: &[u8],
    after: &[u8],
    token: &[u8],
) -> Option<Vec<u8>> {
    let cipher = Cipher::new(key, Usage::InitiatorSeal);
    let (header, rotated) = token.split_first_chunk::<HEADER>()?;
    let (tail, rest) = rotated.split_at_checked(TAIL)?;
    let (mac, confounder) = rest.split_at_checked(cipher.mac_length())?;
    let whole = [confounder, sealed, tail].concat();
    let opened = cipher.open_between(before, &whole, after, TAIL, mac).ok()?;
    let copied = opened.last_chunk::<HEADER>() == Some(&header_of(OF_INITIATOR, 0, sequence));
    let due = *header == header_of(OF_INITIATOR, rotation(&cipher), sequence);
    (copied && due).then(|| opened.get(BLOCK..BLOCK + sealed.len()).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests;
