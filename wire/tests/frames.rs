//! Frames that are cut, too long, foreign or filled with something else: each its own error, none of which
//! repeats what stood in the frame.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::enroll::{EnrollRequest, NotAToken, Token};
use landbridge_wire::frame::{self, FrameError, HEAD, MAX_FRAME, MAX_PAYLOAD};
use landbridge_wire::upload::Hello;
use proptest::prelude::*;
use uuid::Uuid;

fn hello() -> Vec<u8> {
    let hello = Hello { instance: Uuid::nil(), domain_sid: Text::new("S-1-5-21-1-2-3").unwrap() };
    frame::encode(&hello).unwrap().to_vec()
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [b"LB\x01\x00", &u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}

fn fault(frame: &[u8]) -> FrameError {
    frame::decode::<Hello>(frame).unwrap_err()
}

#[test]
fn a_cut_frame_is_known_as_cut_at_every_length() {
    let whole = hello();
    for have in 0..whole.len() {
        let want = if have < HEAD { HEAD } else { whole.len() };
        assert_eq!(fault(&whole[..have]), FrameError::Truncated { want, have });
    }
}

#[test]
fn what_follows_a_frame_is_an_error() {
    let mut frame = hello();
    frame.extend_from_slice(b"xyz");
    assert_eq!(fault(&frame), FrameError::Trailing(3));
    // Inside the payload too.
    let payload = [&hello()[HEAD..], b" {}"].concat();
    assert!(matches!(fault(&framed(&payload)), FrameError::Malformed { .. }));
}

#[test]
fn a_frame_over_the_bound_is_refused_by_its_head_alone() {
    let mut head = framed(b"");
    head[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(fault(&head), FrameError::TooLong(usize::try_from(u32::MAX).unwrap()));
    head[4..8].copy_from_slice(&u32::try_from(MAX_PAYLOAD + 1).unwrap().to_be_bytes());
    assert_eq!(fault(&head), FrameError::TooLong(MAX_PAYLOAD + 1));
    head[4..8].copy_from_slice(&u32::try_from(MAX_PAYLOAD).unwrap().to_be_bytes());
    assert_eq!(fault(&head), FrameError::Truncated { want: MAX_FRAME, have: HEAD });
}

#[test]
fn a_message_over_the_bound_is_not_written() {
    let message = vec!["x".repeat(1000); 4300];
    assert!(matches!(frame::encode(&message).unwrap_err(), FrameError::TooLong(n) if n > MAX_PAYLOAD));
}

#[test]
fn another_version_is_said_before_the_payload_is_looked_at() {
    let mut frame = hello();
    frame[2] = 2;
    frame.truncate(HEAD);
    assert_eq!(fault(&frame), FrameError::Version(2));
    assert!(fault(&frame).to_string().contains("upgrade"));
}

#[test]
fn something_else_is_not_a_frame() {
    for (place, byte) in [(0, b'l'), (1, b'C'), (3, 1)] {
        let mut frame = hello();
        frame[place] = byte;
        assert_eq!(fault(&frame), FrameError::NotAFrame);
    }
    assert_eq!(fault(b"GET / HTTP/1.1\r\n"), FrameError::NotAFrame);
}

#[test]
fn a_text_over_its_bound_is_refused_and_one_on_it_is_not() {
    let payload = |n| framed(format!("\"{}\"", "x".repeat(n)).as_bytes());
    assert_eq!(frame::decode::<Text<5>>(&payload(5)).unwrap().as_str(), "xxxxx");
    assert!(matches!(frame::decode::<Text<5>>(&payload(6)).unwrap_err(), FrameError::Malformed { .. }));
    // The bound counts bytes.
    assert!(Text::<5>::new("äöü").is_err());
    assert_eq!(Text::<5>::cut("äöü").as_str(), "äö");
}

#[test]
fn a_blob_over_its_bound_is_refused_before_it_is_decoded() {
    let read = |text: &str| frame::decode::<Blob<4>>(&framed(format!("\"{text}\"").as_bytes()));
    assert_eq!(read("AAECAw==").unwrap().as_bytes(), [0, 1, 2, 3]);
    assert!(read("AAECAwQ=").is_err(), "five bytes fit the characters but not the bound");
    assert!(read("AAECAwQFBgcI").is_err());
    // Not base64 either, but its length is what is said first.
    let error = serde_json::from_str::<Blob<4>>(&format!("\"{}\"", "!".repeat(1000))).unwrap_err();
    assert!(error.to_string().contains("4 bytes"), "{error}");
    assert!(read("AAEC AwQ").is_err());
    assert!(read("AAECAw").is_err(), "base64 without its padding");
}

#[test]
fn a_list_over_its_bound_is_refused_at_the_first_entry_too_many() {
    // What follows the fourth entry is never read: the million entries, and the garbage after them.
    let payload = format!("[1,2,3,4,{}garbage", "5,".repeat(1_000_000));
    let error = frame::decode::<List<u64, 3>>(&framed(payload.as_bytes())).unwrap_err();
    assert!(matches!(error, FrameError::Malformed { line: 1, column } if column < 12), "{error:?}");
    assert_eq!(frame::decode::<List<u64, 3>>(&framed(b"[1,2,3]")).unwrap().into_vec(), [1, 2, 3]);
}

#[test]
fn json_that_nests_without_end_is_refused() {
    let payload = "[".repeat(1_000_000);
    assert!(matches!(fault(&framed(payload.as_bytes())), FrameError::Malformed { .. }));
}

#[test]
fn a_token_comes_back_from_its_text_and_from_nothing_else() {
    let json = include_str!("../golden/token.json");
    let token: Token = serde_json::from_str(json).unwrap();
    let text = token.to_text();
    assert!(text.starts_with("lbt1."));
    let read = Token::parse(&format!("  {}\n", *text)).unwrap();
    assert!(read.secret.lend(|a| token.secret.lend(|b| a == b)));
    assert_eq!((read.url.as_str(), read.ca_sha256.as_str()), (token.url.as_str(), token.ca_sha256.as_str()));
    for wrong in [&text[1..], &text[..text.len() - 1], "", "lbt1.", "lbt2.e30", &"lbt1.A".repeat(1000)] {
        assert_eq!(Token::parse(wrong).map(|_| ()), Err(NotAToken));
    }
    assert!(!format!("{token:?}").contains("aHR0"), "Debug shows the secret");
}

#[test]
fn a_secret_over_its_bound_is_refused_without_being_repeated() {
    let json = include_str!("../golden/enroll_request.json").replace("aHR0", &"aHR0".repeat(1000));
    let error = frame::decode::<EnrollRequest>(&framed(json.as_bytes())).unwrap_err();
    assert!(matches!(error, FrameError::Malformed { .. }));
    assert!(!format!("{error} {error:?}").contains("aHR0"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back(sid in "\\PC{0,40}") {
        let sent = Hello { instance: Uuid::nil(), domain_sid: Text::new(sid).unwrap() };
        let read: Hello = frame::decode(&frame::encode(&sent).unwrap()).unwrap();
        prop_assert_eq!(read.domain_sid, sent.domain_sid);
    }

    #[test]
    fn hostile_bytes_end_in_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(frame::decode::<Hello>(&bytes).is_err());
        prop_assert!(frame::decode::<Hello>(&framed(&bytes)).is_err());
    }
}
