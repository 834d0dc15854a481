#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::enctype::Enctype;

const BODY: &[u8; 32] = b"sixteen or thirty-two bytes here";

/// Always the same bytes.
struct Fixed;

impl Random for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(9);
    }
}

fn key(enctype: Enctype) -> Key {
    Key::new(enctype, &vec![9; enctype.key_length()]).unwrap()
}

fn context(enctype: Enctype) -> Context {
    Context::new(key(enctype), 7, 41)
}

#[test]
fn what_an_acceptor_sealed_is_opened_in_its_order_and_only_once() {
    for enctype in Enctype::ALL {
        let mut context = context(enctype);
        for sequence in 41..44 {
            let (data, token) = seal_as_acceptor(&key(enctype), sequence, b"before", BODY, b"after");
            assert_ne!(data, BODY);
            assert_eq!(token.len(), context.token_length());
            assert_eq!(*context.open(b"before", &data, b"after", &token).unwrap(), BODY);
            let again = context.open(b"before", &data, b"after", &token).unwrap_err();
            assert_eq!(again, Untrusted("is out of sequence: a repeated or missing answer"));
        }
        let (data, token) = seal_as_acceptor(&key(enctype), 45, b"before", BODY, b"after");
        assert!(context.open(b"before", &data, b"after", &token).is_err(), "44 was left out");
    }
}

#[test]
fn the_first_message_has_the_number_that_the_service_named() {
    let (data, token) = seal_as_acceptor(&key(Enctype::Aes256Sha1), 42, b"", BODY, b"");
    assert!(context(Enctype::Aes256Sha1).open(b"", &data, b"", &token).is_err());
}

#[test]
fn tokens_of_the_types_of_active_directory_have_76_bytes() {
    assert_eq!(context(Enctype::Aes128Sha1).token_length(), 76);
    assert_eq!(context(Enctype::Aes256Sha1).token_length(), 76);
}

#[test]
fn what_is_sent_is_sealed_under_the_numbers_that_follow_each_other() {
    for enctype in Enctype::ALL {
        let mut context = context(enctype);
        for sequence in 7..10 {
            let mut body = *BODY;
            let token = context.seal(b"before", &mut body, b"after", &mut Fixed);
            assert_ne!(&body, BODY);
            assert_eq!(
                token[..8],
                [5, 4, 6, 0xff, 0, 16, 0, u8::try_from(16 + enctype.mac_length()).unwrap()]
            );
            assert_eq!(token[8..16], u64::to_be_bytes(sequence));
            let (tail, rest) = token[16..].split_at(TAIL);
            let (mac, confounder) = rest.split_at(enctype.mac_length());
            let opened = Cipher::new(&key(enctype), Usage::InitiatorSeal)
                .open_between(b"before", &[confounder, &body, tail].concat(), b"after", TAIL, mac)
                .unwrap();
            assert_eq!(&opened[BLOCK..BLOCK + BODY.len()], BODY);
        }
    }
}

#[test]
fn a_repeated_answer_under_an_altered_number_is_refused() {
    let mut context = context(Enctype::Aes256Sha1);
    let (data, mut token) = seal_as_acceptor(&key(Enctype::Aes256Sha1), 41, b"before", BODY, b"after");
    context.open(b"before", &data, b"after", &token).unwrap();
    token[15] = 42;
    let altered = context.open(b"before", &data, b"after", &token).unwrap_err();
    assert_eq!(altered, Untrusted("has a header that was altered"));
}

#[test]
fn nothing_that_was_altered_opens() {
    for enctype in Enctype::ALL {
        let (data, token) = seal_as_acceptor(&key(enctype), 41, b"before", BODY, b"after");
        for at in 0..token.len() {
            let mut bent = token.clone();
            bent[at] ^= 0x04;
            assert!(context(enctype).open(b"before", &data, b"after", &bent).is_err(), "token {at}");
        }
        for at in 0..data.len() {
            let mut bent = data.clone();
            bent[at] ^= 1;
            assert!(context(enctype).open(b"before", &bent, b"after", &token).is_err(), "data {at}");
        }
        assert!(context(enctype).open(b"befire", &data, b"after", &token).is_err());
        assert!(context(enctype).open(b"before", &data, b"aftex", &token).is_err());
        assert!(context(enctype).open(b"before", &data[..31], b"after", &token).is_err());
        for end in 0..token.len() {
            assert!(context(enctype).open(b"before", &data, b"after", &token[..end]).is_err(), "cut {end}");
        }
    }
}

#[test]
fn a_token_that_is_signed_only_or_lies_about_its_lengths_is_refused() {
    let (data, token) = seal_as_acceptor(&key(Enctype::Aes256Sha1), 41, b"before", BODY, b"after");
    for (at, value) in [(2, 0x05), (2, 0x06), (4, 0xff), (5, 0), (5, 0xff), (6, 0xff), (7, 0xff)] {
        let mut bent = token.clone();
        bent[at] = value;
        let refused = context(Enctype::Aes256Sha1).open(b"before", &data, b"after", &bent).unwrap_err();
        assert_eq!(refused, Untrusted("is not a sealed one of an acceptor"));
    }
}
