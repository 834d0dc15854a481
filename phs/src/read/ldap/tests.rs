#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const LIMIT: usize = 4096;

fn entry(id: u8, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let attribute = |(name, values): &(&str, &[&[u8]])| {
        let values: Vec<u8> = values.iter().flat_map(|value| written(STRING, value)).collect();
        written(SEQUENCE, &[written(STRING, name.as_bytes()), written(SET, &values)].concat())
    };
    let all: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    message(id, SEARCH_RESULT_ENTRY, &[written(STRING, b"CN=x"), written(SEQUENCE, &all)].concat())
}

fn done(id: u8, code: u8) -> Vec<u8> {
    message(id, SEARCH_RESULT_DONE, &[ENUMERATED, 1, code, STRING, 0, STRING, 2, b'n', b'o'])
}

fn bound(id: u8, code: u8, credentials: Option<&[u8]>) -> Vec<u8> {
    let creds = credentials.map(|bytes| written(SASL_ANSWER, bytes)).unwrap_or_default();
    message(id, BIND_RESPONSE, &[&[ENUMERATED, 1, code, STRING, 0, STRING, 0][..], &creds].concat())
}

#[test]
fn the_lengths_in_a_request_are_those_of_its_parts() {
    let filter = one_of("lDAPDisplayName", &["extensionAttribute1", "extensionAttribute15"]);
    let base = "CN=Schema,CN=Configuration,DC=corp,DC=example,DC=com";
    for bytes in [
        search(7, "", Depth::Base, &any(), &["highestCommittedUSN"]),
        search(7, base, Depth::OneLevel, &filter, &["attributeID", "msDS-IntId", "attributeSyntax"]),
        bind(7, "GSSAPI", &[7; 3000]),
        bind(7, "GSSAPI", &[]),
    ] {
        let whole = element(&bytes, LIMIT).unwrap().unwrap();
        assert!(whole.after.is_empty());
        let (operation, after) = operation(&whole, 7).unwrap();
        assert!(after.is_empty() && [SEARCH_REQUEST, BIND_REQUEST].contains(&operation.tag));
        let mut rest = operation.content;
        while !rest.is_empty() {
            rest = element(rest, LIMIT).unwrap().unwrap().after;
        }
    }
    let short = search(7, "", Depth::Base, &any(), &["highestCommittedUSN"]);
    assert_eq!(short.len(), 2 + 0x3a);
    assert_eq!(bind(1, "GSSAPI", b"x")[5..], *b"\x60\x12\x02\x01\x03\x04\x00\xa3\x0b\x04\x06GSSAPI\x04\x01x");
}

#[test]
fn entries_come_out_however_the_bytes_come() {
    let first = entry(3, &[("lDAPDisplayName", &[b"a"]), ("msDS-IntId", &[b"-5"])]);
    let second = entry(3, &[("lDAPDisplayName", &[b"b"]), ("schemaIDGUID", &[b"\xff\xfe", b""])]);
    let bytes = [first, second, done(3, 0)].concat();
    let whole = Answer::to(3, LIMIT, 2).add(&bytes).unwrap().unwrap();
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[0]["msds-intid"], [b"-5"]);
    assert_eq!(whole[1]["schemaidguid"], [&b"\xff\xfe"[..], b""]);
    let mut slowly = Answer::to(3, LIMIT, 2);
    let mut came = None;
    for byte in &bytes {
        assert_eq!(came, None);
        came = slowly.add(&[*byte]).unwrap();
    }
    assert_eq!(came, Some(whole));
    assert_eq!(Answer::to(3, LIMIT, 2).add(&done(3, 0)), Ok(Some(vec![])), "nothing is found");
}

#[test]
fn a_refusal_has_its_code_and_what_is_no_answer_is_refused() {
    assert_eq!(Answer::to(3, LIMIT, 9).add(&done(3, 50)), Err(LdapError::Refused { code: 50 }));
    let three = [entry(3, &[]), entry(3, &[]), entry(3, &[])].concat();
    assert!(Answer::to(3, LIMIT, 2).add(&three).is_err(), "too many entries");
    assert!(Answer::to(4, LIMIT, 2).add(&three).is_err(), "another id");
    assert!(Answer::to(3, LIMIT, 2).add(&bound(3, 0, None)).is_err(), "a bind's answer");
    let long = entry(3, &[("a", &[&[0; LIMIT]])]);
    assert!(Answer::to(3, LIMIT, 2).add(&long).is_err(), "too long");
}

#[test]
fn a_bind_goes_on_ends_or_is_refused() {
    let step = |done, credentials: &[u8]| Ok(BindStep { done, credentials: credentials.to_vec() });
    assert_eq!(bind_answer(2, &bound(2, 14, Some(b"proof"))), step(false, b"proof"));
    assert_eq!(bind_answer(2, &bound(2, 14, None)), step(false, b""));
    assert_eq!(bind_answer(2, &bound(2, 0, None)), step(true, b""));
    assert_eq!(bind_answer(2, &bound(2, 49, Some(b"why"))), Err(LdapError::Refused { code: 49 }));
    assert!(bind_answer(3, &bound(2, 0, None)).is_err(), "another id");
    assert!(bind_answer(2, &done(2, 0)).is_err(), "a search's answer");
    assert!(bind_answer(2, &[bound(2, 0, None), vec![0]].concat()).is_err(), "more than one message");
    let whole = bound(2, 14, Some(b"proof"));
    for cut in 0..whole.len() {
        assert!(bind_answer(2, &whole[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn the_rest_of_a_message_is_counted_before_it_is_read() {
    for message in [bound(2, 14, Some(&[7; 300])), bound(2, 0, None)] {
        let mut read = Vec::new();
        let mut reads = 0;
        loop {
            match missing(&read, MAX_BIND_ANSWER).unwrap() {
                0 => break,
                count => read.extend(&message[read.len()..read.len() + count]),
            }
            reads += 1;
        }
        assert_eq!(read, message);
        assert!(reads <= 3);
    }
    assert_eq!(missing(&[], 9), Ok(2));
    assert_eq!(missing(&[0x30, 0x84, 0], 9), Ok(3));
    for wrong in [&[0x30, 0x80][..], &[0x30, 0x85], &[0x30, 0xff], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
        assert!(missing(wrong, 9).is_err(), "{wrong:?}");
    }
}
