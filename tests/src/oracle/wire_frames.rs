//! Frames between agents and tenant: what is read can be written, reads the same again, and is no larger than
//! its bytes allow.

use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse};
use landbridge_wire::frame::{self, FrameError, HEAD, MAX_PAYLOAD};
use landbridge_wire::problem::Problem;
use landbridge_wire::process_proof::ProcessProof;
use landbridge_wire::signin::{FromAgent, FromTenant};
use landbridge_wire::upload::{Hello, Offer, PhsHeartbeat, Receipt, Upload, Wanted};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte says which message is expected; with its top bit, the rest is a payload that lacks its head.
pub fn wire_frames(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let framed;
    let bytes = if which & 0x80 == 0 {
        rest
    } else {
        framed = with_head(rest);
        &framed
    };
    match which & 0x7f {
        0 => comes_back::<EnrollRequest>(bytes),
        1 => comes_back::<EnrollResponse>(bytes),
        2 => comes_back::<RenewRequest>(bytes),
        3 => comes_back::<RenewResponse>(bytes),
        4 => comes_back::<Hello>(bytes),
        5 => comes_back::<Offer>(bytes),
        6 => comes_back::<Wanted>(bytes),
        7 => comes_back::<Upload>(bytes),
        8 => comes_back::<Receipt>(bytes),
        10 => comes_back::<FromAgent>(bytes),
        11 => comes_back::<FromTenant>(bytes),
        12 => comes_back::<PhsHeartbeat>(bytes),
        13 => proof_comes_back(rest),
        _ => comes_back::<Problem>(bytes),
    }
}

/// The proof of a process, which comes as the text of a header: what is read is written as it was.
fn proof_comes_back(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(proof) = ProcessProof::parse(text) {
        assert_eq!(proof.to_text(), text);
    }
}

/// The frame of a payload.
pub(super) fn with_head(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [b"LB\x01\x00", &length[..], payload].concat()
}

fn comes_back<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let message: T = match frame::decode(bytes) {
        Ok(message) => message,
        Err(error) => return refused_rightly(bytes, &error),
    };
    let once = match frame::encode(&message) {
        Ok(once) => once,
        Err(FrameError::TooLong(_)) if bytes.len() > MAX_PAYLOAD / 4 => return,
        Err(error) => panic!("what was read cannot be written: {error}"),
    };
    // Field names and defaults that the sender left out are what it may grow by.
    assert!(once.len() <= 4 * bytes.len() + 512, "{} bytes were read as {}", bytes.len(), once.len());
    let read: T = frame::decode(&once).expect("what was written can be read");
    assert!(*frame::encode(&read).expect("and written again") == *once, "a message changes as it travels");
    let cut = once.len() / 2;
    assert!(matches!(
        frame::decode::<T>(once.get(..cut).unwrap_or_default()),
        Err(FrameError::Truncated { have, .. }) if have == cut
    ));
}

fn refused_rightly(bytes: &[u8], error: &FrameError) {
    let shown = format!("{error} {error:?}");
    assert!(shown.len() < 300, "the error grows with what it refused");
    match error {
        FrameError::Truncated { want, have } => assert!(*have == bytes.len() && want > have),
        FrameError::Trailing(more) => assert!(*more > 0 && HEAD + more <= bytes.len()),
        FrameError::TooLong(length) => assert!(*length > MAX_PAYLOAD),
        FrameError::NotAFrame | FrameError::Version(_) | FrameError::Malformed { .. } => {}
    }
}
