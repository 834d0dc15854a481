//! The client joined to an honest service in memory, and to ones that lie.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::enctype::Enctype;
use crate::memory::sasl::{BOTH, OFFER, SIGNED, after_sasl, honest_sasl, proof, sealed, signed};
use crate::memory::{
    Counting, Given, Lie, Memory, NOW, PASSWORD, SERVICE_SEQUENCE, client, first_ticket, service_ticket,
};

/// The number of the service's first token.
const NUMBER: u64 = 900;

fn ticket(memory: &Memory) -> Ticket {
    let granting = first_ticket(memory, &client(PASSWORD), NOW).unwrap();
    service_ticket(memory, &granting).unwrap()
}

fn negotiation(enctype: Enctype) -> (Memory, Negotiation) {
    let memory = Memory::honest(enctype);
    let (opening, token) = Opening::begin(ticket(&memory), NOW, &mut Counting(4));
    let negotiation = opening.answer(&proof(&memory, &token), NOW).unwrap();
    (memory, negotiation)
}

fn stream(enctype: Enctype) -> (Memory, SealedStream) {
    let (memory, negotiation) = negotiation(enctype);
    let offer = signed(&memory.subkey(), SIGNED, NUMBER, &OFFER, 12);
    let (stream, _) = negotiation.answer(&offer).unwrap();
    (memory, stream)
}

fn why<T>(refused: Result<T, Error>) -> String {
    refused.err().unwrap().to_string()
}

#[test]
fn an_honest_service_ends_in_a_sealed_stream_in_every_type() {
    assert_eq!(NUMBER, SERVICE_SEQUENCE.into());
    for enctype in Enctype::ALL {
        let (memory, negotiation) = negotiation(enctype);
        // The offer is signed; the client's choice too, and it says: sealed, up to 64 KiB, as itself.
        let offer = signed(&memory.subkey(), SIGNED, NUMBER, &OFFER, 0);
        let (mut stream, choice) = negotiation.answer(&offer).unwrap();
        assert_eq!(choice[..4], [5, 4, ACCEPTOR_SUBKEY, 0xff]);
        assert_eq!(choice[16..20], [SEALING, 0, 0xff, 0xff]);
        let signed_part = [&choice[16..20], &header_of(ACCEPTOR_SUBKEY, 0, 0, stream.next_sent - 1)].concat();
        assert_eq!(choice[20..], checksum(&memory.subkey(), Usage::InitiatorSeal, &signed_part).1);
        // What the client seals opens with the initiator's usage, and has the next number.
        let token = stream.seal(b"a search", &mut Counting(6));
        let opened = Cipher::new(&memory.subkey(), Usage::InitiatorSeal).open(&token[16..]).unwrap();
        assert_eq!(*opened, [&b"a search"[..], &token[..16]].concat());
        // The service's tokens, turned and filled as different implementations do it.
        for (number, (extra, turn)) in
            [(0, 0), (0, 28), (0, 16), (16, 44), (3, 0xffff)].into_iter().enumerate()
        {
            let number = NUMBER + 1 + u64::try_from(number).unwrap();
            let token = sealed(&memory.subkey(), BOTH, number, b"an answer", extra, turn);
            assert_eq!(*stream.open(&token).unwrap(), *b"an answer");
            assert!(why(stream.open(&token)).contains("out of sequence"), "the same again");
        }
    }
}

#[test]
fn bytes_that_are_given_as_a_token_are_opened_as_one() {
    let [proof, token] = honest_sasl().unwrap();
    let given = |as_part, bytes| after_sasl(Given { as_part, bytes });
    assert_eq!(given(false, &token).unwrap(), b"an answer");
    assert_eq!(given(true, b"sealed by the service").unwrap(), b"sealed by the service");
    assert!(why(given(false, &proof)).contains("wrong header"));
}

#[test]
fn a_service_that_does_not_prove_itself_ends_the_authentication() {
    for (lie, says) in [
        (Lie::OtherKey, "does not open"),
        (Lie::OtherTime, "another request"),
        (Lie::NoSequence, "no sequence number"),
        (Lie::Rc4Subkey, "not AES"),
    ] {
        let honest = Memory::honest(Enctype::Aes256Sha1);
        let liar = Memory { lie, ..Memory::honest(Enctype::Aes256Sha1) };
        let (opening, token) = Opening::begin(ticket(&honest), NOW, &mut Counting(4));
        let said = why(opening.answer(&proof(&liar, &token), NOW));
        assert!(said.contains(says), "{lie:?}: {said}");
    }
    let honest = Memory::honest(Enctype::Aes256Sha1);
    let (opening, token) = Opening::begin(ticket(&honest), NOW, &mut Counting(4));
    let (_, request) = unframed(&token).unwrap();
    let bare = honest.service(request);
    assert!(why(opening.answer(&bare, NOW)).contains("no frame"));
}

#[test]
fn a_service_that_chooses_no_key_uses_the_clients() {
    let honest = Memory::honest(Enctype::Aes256Sha1);
    let silent = Memory { lie: Lie::NoSubkey, ..Memory::honest(Enctype::Aes256Sha1) };
    let (opening, token) = Opening::begin(ticket(&honest), NOW, &mut Counting(4));
    let key = opening.subkey.lend(|bytes| Key::new(Enctype::Aes256Sha1, bytes).unwrap());
    let negotiation = opening.answer(&proof(&silent, &token), NOW).unwrap();
    let offer = signed(&key, SENT_BY_ACCEPTOR, NUMBER, &OFFER, 0);
    let (mut stream, _) = negotiation.answer(&offer).unwrap();
    let token = sealed(&key, SENT_BY_ACCEPTOR | SEALED, NUMBER + 1, b"an answer", 0, 28);
    assert_eq!(*stream.open(&token).unwrap(), *b"an answer");
    assert_eq!(stream.seal(b"", &mut Counting(1))[2], SEALED);
}

#[test]
fn nothing_but_sealing_is_agreed_to() {
    for (offer, says) in [
        (&[3, 0xff, 0xff, 0xff][..], "no connection that is sealed"),
        (&[1, 0, 0, 0], "no connection that is sealed"),
        (&[7, 0, 0x0f, 0xff], "useful length"),
        (&[7, 0, 0xff], "malformed"),
        (&[], "malformed"),
    ] {
        let (memory, negotiation) = negotiation(Enctype::Aes256Sha1);
        let said = why(negotiation.answer(&signed(&memory.subkey(), SIGNED, NUMBER, offer, 0)));
        assert!(said.contains(says), "{offer:?}: {said}");
    }
    let (memory, mut stream) = stream(Enctype::Aes256Sha1);
    let only_signed = signed(&memory.subkey(), SIGNED, NUMBER + 1, b"an answer", 0);
    assert!(why(stream.open(&only_signed)).contains("not sealed"));
}

#[test]
fn a_token_that_was_altered_cut_or_is_of_another_sender_is_refused() {
    for enctype in Enctype::ALL {
        let (memory, mut stream) = stream(enctype);
        let token = sealed(&memory.subkey(), BOTH, NUMBER + 1, b"an answer", 0, 28);
        for at in 0..token.len() {
            let mut bent = token.clone();
            bent[at] ^= 1;
            assert!(stream.open(&bent).is_err(), "{enctype:?}: byte {at}");
            assert!(stream.open(&token[..at]).is_err(), "{enctype:?}: cut {at}");
        }
        let own = stream.seal(b"an answer", &mut Counting(1));
        assert!(stream.open(&own).is_err(), "the client's own, sent back");
        assert!(stream.open(&vec![5; usize::from(MAX_TOKEN) + 1]).is_err());
        assert_eq!(*stream.open(&token).unwrap(), *b"an answer", "the one that is due");

        let offer = signed(&memory.subkey(), SIGNED, NUMBER, &OFFER, 12);
        // Nothing signs the rotation: one that comes to the same does no harm (bytes 6 and 7).
        for at in (0..offer.len()).filter(|at| !(6..8).contains(at)) {
            let mut bent = offer.clone();
            bent[at] ^= 1;
            let (_, open) = negotiation(enctype);
            assert!(open.answer(&bent).is_err(), "{enctype:?}: byte {at} of the offer");
        }
    }
}

#[test]
fn a_frame_is_read_as_it_was_written_and_lies_about_its_length_are_seen() {
    for length in [0, 1, 100, 200, 300, 70_000] {
        let message = vec![7; length];
        let frame = framed(AP_REP, &message);
        assert_eq!(unframed(&frame), Some((AP_REP, &message[..])), "{length}");
        assert_eq!(unframed(&[&frame[..], &[0]].concat()), None);
        assert_eq!(unframed(&frame[..frame.len() - 1]), None);
    }
    assert_eq!(unframed(&[0x60, 0x80]), None, "no indefinite lengths");
    assert_eq!(unframed(&[0x60, 0x85, 0, 0, 0, 0, 0]), None);
}
