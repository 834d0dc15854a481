//! What strangers may send: the text of a token, and an enrolment with its certificate request.

use super::wire_frames::with_head;
use landbridge_wire::enroll::{EnrollRequest, Token};
use landbridge_wire::frame;

/// The first byte says what the rest is: a token's text, the payload of an enrolment, or a certificate request.
pub fn enrolment(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which {
        0 => token(rest),
        1 => {
            if let Ok(message) = frame::decode::<EnrollRequest>(&with_head(rest)) {
                assert!(message.secret.lend(str::len) <= 64, "a secret over its bound");
                assert!(format!("{message:?}").contains("TokenSecret(..)"));
                certificate_request(message.csr.as_bytes());
            }
        }
        _ => certificate_request(rest),
    }
}

fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::parse(text) else { return };
    assert!(text.trim().len() <= 2048 && text.trim().starts_with("lbt1."));
    let written = token.to_text();
    let read = Token::parse(&written).expect("what was written can be read");
    assert_eq!((&read.url, &read.ca_sha256), (&token.url, &token.ca_sha256));
    assert!(read.secret.lend(|a| token.secret.lend(|b| a == b)), "the secret changed");
    assert!(format!("{token:?}").contains("TokenSecret(..)"));
}

fn certificate_request(_der: &[u8]) {}
