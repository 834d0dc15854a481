//! SASL's mechanism GSSAPI (RFC 4752) as its client, for LDAP: the ticket is shown to the service, the service proves
//! itself, both agree that every message is sealed, and then messages are sealed and opened as whole tokens (RFC 4121
//! 4.2.4). A connection that is only signed, or not protected at all, is never agreed to.
//! Before it: [`super::tgs_exchange`]. DCE/RPC has other forms of the same: [`super::initiator`] and [`super::wrap`].

use crate::cipher::{Cipher, checksum};
use crate::error::Error;
use crate::initiator::{self, PROTECTED};
use crate::kdc::Ticket;
use crate::key::{Key, Usage};
use crate::random::{self, Random};
use crate::wrap::{ACCEPTOR_SUBKEY, HEADER, SEALED, SENT_BY_ACCEPTOR};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::time::Duration;
use zeroize::Zeroizing;

/// The name of the mechanism.
pub const MECHANISM: &str = "GSSAPI";
/// Most bytes of a token that the service may send: the largest number of two bytes. The answers that are read this way
/// have some kilobytes.
pub const MAX_TOKEN: u16 = u16::MAX;

/// The object identifier of Kerberos 5 in GSS-API (RFC 4121 4.1), with its tag and length.
const KERBEROS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// `[APPLICATION 0]`, around the tokens of an authentication (RFC 2743 3.1).
const FRAME: u8 = 0x60;
/// The kinds of tokens in such a frame (RFC 4121 4.1).
pub(crate) const AP_REQ: [u8; 2] = [1, 0];
pub(crate) const AP_REP: [u8; 2] = [2, 0];
const KRB_ERROR: [u8; 2] = [3, 0];
/// The kind of a wrap token (RFC 4121 4.2.6.2).
const WRAP: [u8; 2] = [5, 4];
const FILLER: u8 = 0xff;
/// The security layer "confidentiality" (RFC 4752 3.3).
const SEALING: u8 = 4;
/// A service that accepts less than this in one token could not receive a search.
const LEAST_TOKEN: usize = 4_096;

/// The first leg was made; the service's proof is to come.
pub struct Opening {
    ticket: Ticket,
    /// The time in the authenticator, to the microsecond.
    made: Duration,
    subkey: Key,
    sequence: u32,
}

/// The service has proved itself. Its offer of security layers is to come, as the answer to an empty message.
pub struct Negotiation(SealedStream);

/// Both agreed: every message is sealed.
pub struct SealedStream {
    key: Key,
    sealing: Cipher,
    opening: Cipher,
    /// `AcceptorSubkey` where the service chose the key, and nothing where the client did.
    chosen: u8,
    next_sent: u64,
    next_received: u64,
}

impl Opening {
    /// Makes the first message. `now` is since 1970-01-01 UTC.
    pub fn begin(ticket: Ticket, now: Duration, random: &mut dyn Random) -> (Self, Vec<u8>) {
        let sequence = random::number(random);
        let subkey = initiator::new_key(ticket.session.enctype(), random);
        let token = initiator::gss_first_leg(&ticket, now, PROTECTED, &subkey, sequence, random);
        (Self { ticket, made: now, subkey, sequence }, framed(AP_REQ, &token))
    }

    /// Reads the service's proof. The client's next message is empty.
    ///
    /// # Errors
    /// The service refuses, or its answer cannot be trusted.
    pub fn answer(self, token: &[u8], now: Duration) -> Result<Negotiation, Error> {
        let no_frame = Error::Protocol("the service's token has no frame of GSS-API");
        let (kind, inner) = unframed(token).ok_or(no_frame.clone())?;
        if kind != AP_REP && kind != KRB_ERROR {
            return Err(no_frame);
        }
        let proven = initiator::proven(&self.ticket, inner, self.made, now)?;
        let received = proven.sequence.ok_or(Error::Protocol("the service chose no sequence number"))?;
        let (key, chosen) = match proven.subkey {
            Some(key) => (key, ACCEPTOR_SUBKEY),
            None => (self.subkey, 0),
        };
        let (sealing, opening) =
            (Cipher::new(&key, Usage::InitiatorSeal), Cipher::new(&key, Usage::AcceptorSeal));
        let (next_sent, next_received) = (self.sequence.into(), received.into());
        Ok(Negotiation(SealedStream { key, sealing, opening, chosen, next_sent, next_received }))
    }
}

impl Negotiation {
    /// Reads the service's offer, and chooses to seal. The message that is returned is the last one of the
    /// authentication.
    ///
    /// # Errors
    /// The offer cannot be trusted, or the service does not seal.
    pub fn answer(self, token: &[u8]) -> Result<(SealedStream, Vec<u8>), Error> {
        let Self(mut stream) = self;
        // 1. Which layers, and how long a token may be. The offer need not be sealed.
        let offer = stream.open_token(token, false)?;
        let &[layers, a, b, c] = offer.as_slice() else {
            return Err(Error::Protocol("the service's offer of security layers is malformed"));
        };
        if layers & SEALING == 0 {
            return Err(Error::Protocol("the service offers no connection that is sealed"));
        }
        let most = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or_default();
        if most < LEAST_TOKEN {
            return Err(Error::Protocol("the service accepts no message of useful length"));
        }
        // 2. Sealing, the limit of this side, and no other identity than the ticket's.
        let [high, low] = MAX_TOKEN.to_be_bytes();
        let choice = stream.sign(&[SEALING, 0, high, low]);
        Ok((stream, choice))
    }
}

impl SealedStream {
    /// The token for a message.
    pub fn seal(&mut self, message: &[u8], random: &mut dyn Random) -> Vec<u8> {
        let header = header_of(self.chosen | SEALED, 0, 0, self.next_sent);
        self.next_sent = self.next_sent.wrapping_add(1);
        let sealed = self.sealing.seal(random::bytes(random), &[message, &header].concat());
        [&header[..], &sealed].concat()
    }

    /// The message in a token. Each token has the number after the one before it.
    ///
    /// # Errors
    /// It was altered, repeated, left out, or is signed only.
    pub fn open(&mut self, token: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.open_token(token, true)
    }

    /// The token for a message that is signed and not sealed: the end of the negotiation is one.
    fn sign(&mut self, message: &[u8]) -> Vec<u8> {
        let sum = self.checksum(Usage::InitiatorSeal, message, self.chosen, self.next_sent);
        let extra = u16::try_from(sum.len()).unwrap_or_default();
        let header = header_of(self.chosen, extra, 0, self.next_sent);
        self.next_sent = self.next_sent.wrapping_add(1);
        [&header[..], message, &sum].concat()
    }

    /// The keyed checksum of a token that is signed only: neither count is in it (RFC 4121 4.2.4).
    fn checksum(&self, usage: Usage, message: &[u8], flags: u8, sequence: u64) -> Vec<u8> {
        checksum(&self.key, usage, &[message, &header_of(flags, 0, 0, sequence)].concat()).1
    }

    fn open_token(&mut self, token: &[u8], must_be_sealed: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
        let short = Error::Protocol("a token of the service is too short");
        // 1. The header: a wrap token of the acceptor, with the key that was agreed on, and the number that is due.
        if token.len() > usize::from(MAX_TOKEN) {
            return Err(Error::Protocol("a token of the service is too long"));
        }
        let (header, rotated) = token.split_first_chunk::<HEADER>().ok_or(short.clone())?;
        let [a, b, flags, filler, extra_high, extra_low, rotation_high, rotation_low, number @ ..] = *header;
        let signed = SENT_BY_ACCEPTOR | self.chosen;
        let sealed = flags == signed | SEALED;
        if [a, b] != WRAP || filler != FILLER || !(sealed || flags == signed) {
            return Err(Error::Protocol("a token of the service has a wrong header"));
        }
        if must_be_sealed && !sealed {
            return Err(Error::Protocol("a token of the service is not sealed"));
        }
        if u64::from_be_bytes(number) != self.next_received {
            return Err(Error::Protocol("a token of the service is out of sequence"));
        }
        // 2. The end of the message stands in front of it, by any number of bytes (RFC 4121 4.2.5).
        let extra = usize::from(u16::from_be_bytes([extra_high, extra_low]));
        let rotation = usize::from(u16::from_be_bytes([rotation_high, rotation_low]));
        let mut body = rotated.to_vec();
        let turn = rotation.checked_rem(body.len()).ok_or(short.clone())?;
        body.rotate_left(turn);
        // 3. Sealed: message, filler and a copy of the header without the rotation. Signed: message and checksum.
        let altered = Error::Protocol("a token of the service does not verify");
        let message = if sealed {
            let mut text = self.opening.open(&body).map_err(|_| altered.clone())?;
            let copy = header_of(flags, u16::from_be_bytes([extra_high, extra_low]), 0, self.next_received);
            let end = text.len().checked_sub(HEADER + extra).ok_or(short)?;
            if text.last_chunk() != Some(&copy) {
                return Err(altered);
            }
            text.truncate(end);
            text
        } else {
            let end = body.len().checked_sub(extra).ok_or(short.clone())?;
            let (message, sum) = body.split_at_checked(end).ok_or(short)?;
            let due = self.checksum(Usage::AcceptorSeal, message, flags, self.next_received);
            verify_slices_are_equal(&due, sum).map_err(|_| altered)?;
            Zeroizing::new(message.to_vec())
        };
        self.next_received = self.next_received.wrapping_add(1);
        Ok(message)
    }
}

/// The header of a wrap token: extra count, right rotation count and number.
pub(crate) fn header_of(flags: u8, extra: u16, rotation: u16, sequence: u64) -> [u8; HEADER] {
    let ([a, b], [c, d]) = (extra.to_be_bytes(), rotation.to_be_bytes());
    let [e, f, g, h, i, j, k, l] = sequence.to_be_bytes();
    let [kind, version] = WRAP;
    [kind, version, flags, FILLER, a, b, c, d, e, f, g, h, i, j, k, l]
}

/// A token of the authentication in the frame of GSS-API.
pub(crate) fn framed(kind: [u8; 2], message: &[u8]) -> Vec<u8> {
    let content = [KERBEROS, &kind, message].concat();
    let mut frame = vec![FRAME];
    match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => frame.push(short),
        _ => {
            // DER has no zero in front of a length.
            let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
            frame.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            frame.extend(digits);
        }
    }
    frame.extend(content);
    frame
}

/// The kind and the content of such a frame, which is all of `token`.
pub(crate) fn unframed(token: &[u8]) -> Option<([u8; 2], &[u8])> {
    let (&[tag, first], rest) = token.split_first_chunk()?;
    let (length, content) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if !(1..=4).contains(&digits.len()) {
            return None;
        }
        (digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit)), content)
    };
    let (kind, message) = content.strip_prefix(KERBEROS)?.split_first_chunk()?;
    (tag == FRAME && length == content.len()).then_some((*kind, message))
}

#[cfg(test)]
mod tests;
