//! Fragments from a DC: one that is read accounts for every byte of itself, and for no other.

use landbridge_drsr::rpc::pdu::{Auth, CALL_HEAD, HEAD, Head, MAX_FRAGMENT, Pdu, TRAILER};

/// Takes the bytes as one fragment.
pub fn pdu(data: &[u8]) {
    let Ok((head, pdu)) = Pdu::parse(data) else { return };
    assert!(head.length == data.len() && (HEAD..=MAX_FRAGMENT).contains(&head.length));
    assert_eq!(Head::parse(data.get(..HEAD).unwrap_or_default()), Ok(head));
    let verifier = match &pdu {
        Pdu::Response(response) => {
            assert_eq!(Some(response.head), data.get(..CALL_HEAD), "the signed head is another");
            let auth = response.auth.as_ref();
            let rest = auth.map_or(0, |auth| TRAILER + auth.token.len());
            assert_eq!(CALL_HEAD + response.body.len() + rest, data.len(), "bytes are left over");
            auth
        }
        Pdu::BindAck(ack) => {
            assert!(ack.results.len() <= 8, "more presentation contexts than a bound");
            assert!(ack.results.len() * 24 <= data.len(), "results out of nothing");
            ack.auth.as_ref()
        }
        Pdu::Fault { .. } | Pdu::BindNak { .. } => None,
    };
    if let Some(auth) = verifier {
        accounted(auth, &head, data);
    }
    let longer = [data, &[0]].concat();
    let shorter = data.split_last().map(|(_, shorter)| shorter).unwrap_or_default();
    assert!(Pdu::parse(&longer).is_err() && Pdu::parse(shorter).is_err(), "a fragment has two lengths");
}

/// The verifier is the end of the fragment, whole.
fn accounted(auth: &Auth<'_>, head: &Head, data: &[u8]) {
    assert_eq!(auth.token.len(), head.auth_length);
    assert!(data.ends_with(auth.token));
    let before = data.len() - auth.token.len() - TRAILER;
    assert_eq!(data.get(before..before + TRAILER), Some(auth.trailer), "the signed trailer is another");
}
