//! The service in memory behind SASL, as LDAP has it: for tests only.

use super::{Counting, Given, MEMORY, Memory, NOW, SERVICE_SEQUENCE, fixed_ticket};
use crate::cipher::{Cipher, checksum};
use crate::error::Error;
use crate::key::{Key, Usage};
use crate::sasl::{AP_REP, Negotiation, Opening, SealedStream, framed, header_of, unframed};
use crate::wrap::{ACCEPTOR_SUBKEY, SEALED, SENT_BY_ACCEPTOR};

/// The flags of what the service signs, and of what it seals.
pub(crate) const SIGNED: u8 = SENT_BY_ACCEPTOR | ACCEPTOR_SUBKEY;
pub(crate) const BOTH: u8 = SIGNED | SEALED;
/// The offer of every layer, and of messages up to 16 MiB, as Samba makes it.
pub(crate) const OFFER: [u8; 4] = [7, 0xff, 0xff, 0xff];

/// The service's second leg, in its frame.
pub(crate) fn proof(memory: &Memory, token: &[u8]) -> Vec<u8> {
    let (_, request) = unframed(token).unwrap();
    framed(AP_REP, &memory.service(request))
}

/// A token of the service's that is sealed, with this filler behind the message, turned by this many bytes.
pub(crate) fn sealed(key: &Key, flags: u8, sequence: u64, message: &[u8], extra: u16, turn: u16) -> Vec<u8> {
    let copy = header_of(flags, extra, 0, sequence);
    let text = [message, &vec![0; usize::from(extra)], &copy].concat();
    let mut body = Cipher::new(key, Usage::AcceptorSeal).seal([7; 16], &text);
    let by = usize::from(turn) % body.len();
    body.rotate_right(by);
    [&header_of(flags, extra, turn, sequence)[..], &body].concat()
}

/// A token of the service's that is signed only.
pub(crate) fn signed(key: &Key, flags: u8, sequence: u64, message: &[u8], turn: u16) -> Vec<u8> {
    let (_, sum) = checksum(key, Usage::AcceptorSeal, &[message, &header_of(flags, 0, 0, sequence)].concat());
    let mut body = [message, &sum].concat();
    let by = usize::from(turn) % body.len();
    body.rotate_right(by);
    [&header_of(flags, u16::try_from(sum.len()).unwrap(), turn, sequence)[..], &body].concat()
}

fn negotiation() -> Result<Negotiation, Error> {
    let (opening, token) = Opening::begin(fixed_ticket()?, NOW, &mut Counting(4));
    opening.answer(&proof(&MEMORY, &token), NOW)
}

fn stream() -> Result<SealedStream, Error> {
    let offer = signed(&MEMORY.subkey(), SIGNED, SERVICE_SEQUENCE.into(), &OFFER, 0);
    negotiation()?.answer(&offer).map(|(stream, _)| stream)
}

/// What came of bytes that were given as the service's proof (frame and all), as its offer, and as the first token after
/// it; `as_part` seals them as a message. Fixed time and randomness.
///
/// # Errors
/// What the client says of them as a token.
pub fn after_sasl(given: Given<'_>) -> Result<Vec<u8>, Error> {
    let (opening, _) = Opening::begin(fixed_ticket()?, NOW, &mut Counting(4));
    let _ = opening.answer(given.bytes, NOW).and_then(|negotiation| negotiation.answer(given.bytes));
    let _ = negotiation()?.answer(given.bytes);
    let number = u64::from(SERVICE_SEQUENCE) + 1;
    let token = match given.as_part {
        false => given.bytes.to_vec(),
        true => sealed(&MEMORY.subkey(), BOTH, number, given.bytes, 0, 28),
    };
    Ok(stream()?.open(&token)?.to_vec())
}

/// Two honest tokens: seeds for what alters them.
///
/// # Errors
/// None: the other side is honest.
pub fn honest_sasl() -> Result<[Vec<u8>; 2], Error> {
    let (_, token) = Opening::begin(fixed_ticket()?, NOW, &mut Counting(4));
    let number = u64::from(SERVICE_SEQUENCE) + 1;
    Ok([proof(&MEMORY, &token), sealed(&MEMORY.subkey(), BOTH, number, b"an answer", 0, 28)])
}
