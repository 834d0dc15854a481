#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

use super::*;
use crate::controls::{PAGED_RESULTS, Paged, PasswordPolicyError, ResponseControl, SortKey, SortResult};
use crate::framing::message_length;
use crate::response::{self, Outcome, ReturnedAttribute};
use crate::schema::attribute;
use proptest::prelude::*;

/// An element of BER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => vec![short],
        _ => [&[0x84][..], &u32::try_from(content.len()).unwrap().to_be_bytes()].concat(),
    };
    [&[tag][..], &length, content].concat()
}

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn message(operation: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() { Vec::new() } else { tlv(0xa0, &controls.concat()) };
    tlv(0x30, &cat(&[&[2, 1, 5], operation, &controls]))
}

fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let value = value.map(|value| tlv(4, value)).unwrap_or_default();
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &cat(&[&tlv(4, oid.as_bytes()), critical, &value]))
}

/// A search below `base` with this filter, for `cn`.
fn search_with(base: &[u8], filter: &[u8]) -> Vec<u8> {
    let numbers = [0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let list = tlv(0x30, &tlv(4, b"cn"));
    tlv(0x63, &cat(&[&tlv(4, base), &numbers, filter, &list]))
}

fn present(name: &str) -> Vec<u8> {
    tlv(0x87, name.as_bytes())
}

fn equality(name: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0xa3, &cat(&[&tlv(4, name), &tlv(4, value)]))
}

fn bind_with(name: &[u8], proof: &[u8]) -> Vec<u8> {
    tlv(0x60, &cat(&[&[2, 1, 3], &tlv(4, name), proof]))
}

fn of(bytes: &[u8]) -> Result<Message, Refusal> {
    decode(bytes, &Limits::DEFAULT)
}

fn code(bytes: &[u8]) -> ResultCode {
    of(bytes).unwrap_err().code
}

fn searched(bytes: &[u8]) -> Search {
    match of(bytes).unwrap().request {
        Request::Search(search) => *search,
        other => panic!("{other:?}"),
    }
}

/// What OpenLDAP's tools sent, recorded from a socket.
fn recorded(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/ldap_request");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

#[test]
fn requests_of_real_clients_are_decoded() {
    // ldapsearch, as SSSD searches for an account.
    let search = searched(&recorded("search_sssd"));
    assert_eq!((search.base.as_str(), search.scope), ("dc=corp,dc=example,dc=com", Scope::Subtree));
    let names = ["uid", "uidNumber", "gidNumber", "gecos", "homeDirectory", "loginShell", "memberOf"];
    assert_eq!(search.attributes[..7], names);
    let Filter::And(terms) = &search.filter else { panic!("{:?}", search.filter) };
    assert_eq!(terms[2], Filter::Present(attribute("uid").unwrap().attribute));
    assert!(matches!(&terms[3], Filter::And(inner) if matches!(inner[1], Filter::Not(_))));
    // The root DSE.
    let search = searched(&recorded("search_root_dse"));
    assert_eq!((search.base.as_str(), search.scope), ("", Scope::Base));
    assert_eq!(search.attributes, ["*", "+"]);
    // Paged results, substrings, order and approximate match.
    let paged = of(&recorded("search_paged")).unwrap();
    assert_eq!(paged.controls.paged, Some(Paged { size: 2, cookie: Vec::new() }));
    let Request::Search(search) = paged.request else { panic!() };
    assert!(matches!(&search.filter, Filter::Or(terms)
        if matches!(terms[..], [Filter::Substrings(..), Filter::AtLeast(..), Filter::AtMost(..), Filter::Equal(..)])));
    // Sorting, ManageDsaIT, the password policy, a rule of AD.
    let sorted = of(&recorded("search_sorted")).unwrap();
    let key = |attribute: &str, rule: Option<&str>, reverse| SortKey {
        attribute: attribute.to_owned(),
        rule: rule.map(str::to_owned),
        reverse,
    };
    let keys = vec![key("sn", None, true), key("cn", Some("2.5.13.3"), false)];
    assert_eq!(sorted.controls.sort, Some(Sort { keys, critical: false }));
    assert!(sorted.controls.manage_dsa_it && sorted.controls.password_policy);
    let Request::Search(search) = sorted.request else { panic!() };
    assert!(matches!(search.filter, Filter::AllBits(_, 2)));
    // An unknown critical control; limits; types only.
    let unknown = of(&recorded("search_unknown_control")).unwrap();
    assert_eq!(unknown.controls.unknown_critical(), Some("1.2.3.4.5"));
    let Request::Search(search) = unknown.request else { panic!() };
    assert_eq!((search.size_limit, search.time_limit, search.types_only), (5, 3, true));
    assert_eq!(search.scope, Scope::OneLevel);
    assert!(matches!(search.filter, Filter::InChain(..)));
    // Compare, Who am I, StartTLS, Password Modify.
    let Request::Compare(compare) = of(&recorded("compare")).unwrap().request else { panic!() };
    assert_eq!((compare.entry.as_str(), compare.attribute.as_str()), ("cn=g,dc=corp", "member"));
    assert_eq!(compare.value, b"uid=x,dc=corp");
    for (name, oid, value) in [
        ("who_am_i", crate::root_dse::WHO_AM_I, false),
        ("start_tls", crate::root_dse::START_TLS, false),
        ("password_modify", crate::root_dse::PASSWORD_MODIFY, true),
    ] {
        let Request::Extended(extended) = of(&recorded(name)).unwrap().request else { panic!("{name}") };
        assert_eq!((extended.oid.as_str(), extended.value.is_some()), (oid, value), "{name}");
        assert!(!format!("{extended:?}").contains("value"), "{extended:?}");
    }
    // Writes are known by their kind alone.
    for (name, kind) in [
        ("add", Operation::Add),
        ("modify", Operation::Modify),
        ("delete", Operation::Delete),
        ("modify_dn", Operation::ModifyDn),
    ] {
        let request = of(&recorded(name)).unwrap().request;
        assert!(matches!(request, Request::Write(write) if write == kind), "{name}: {request:?}");
    }
    assert!(matches!(of(&recorded("unbind")).unwrap().request, Request::Unbind));
}

#[test]
fn a_bind_gives_its_password_to_a_type_that_shows_nothing() {
    let Request::Bind(bind) = of(&recorded("bind")).unwrap().request else { panic!() };
    assert_eq!((bind.version, bind.name.as_str()), (3, "uid=svc,ou=people,dc=corp,dc=example,dc=com"));
    assert!(!format!("{bind:?}").contains("Hunter2"));
    let Credentials::Simple(password) = bind.credentials else { panic!() };
    password.lend(|password| assert_eq!(password, "Hunter2!"));
    let proof = |proof: &[u8]| match of(&message(&bind_with(b"x", proof), &[])).unwrap().request {
        Request::Bind(bind) => bind.credentials,
        other => panic!("{other:?}"),
    };
    assert!(matches!(proof(&tlv(0x80, b"\xff\xfe")), Credentials::NotText));
    assert!(matches!(proof(&tlv(0x80, b"")), Credentials::Simple(empty) if empty.is_empty()));
    let gssapi = cat(&[&tlv(4, b"GSSAPI"), &tlv(4, b"token")]);
    assert!(matches!(proof(&tlv(0xa3, &gssapi)), Credentials::Sasl(name) if name == "GSSAPI"));
    // NTLM of Windows: three tags that RFC 4511 does not have.
    assert!(matches!(proof(&tlv(0x89, b"")), Credentials::Other));
}

#[test]
fn nul_is_no_text_of_a_name_and_other_octets_are_data() {
    for name in [&b"cn=adm\0in"[..], b"cn=\xff\xfe", b"cn=\xc3"] {
        let proof = tlv(0x80, b"x");
        assert_eq!(code(&message(&bind_with(name, &proof), &[])), ResultCode::InvalidDnSyntax);
        assert_eq!(code(&message(&search_with(name, &present("cn")), &[])), ResultCode::InvalidDnSyntax);
        let compare = tlv(0x6e, &cat(&[&tlv(4, name), &tlv(0x30, &cat(&[&tlv(4, b"cn"), &tlv(4, b"x")]))]));
        assert_eq!(code(&message(&compare, &[])), ResultCode::InvalidDnSyntax);
    }
    let octets = searched(&message(&search_with(b"", &equality(b"objectSid", b"\xff\0\xfe")), &[]));
    assert!(matches!(octets.filter, Filter::Equal(..)));
    assert_eq!(code(&message(&search_with(b"", &equality(b"c\xff", b"x")), &[])), ResultCode::ProtocolError);
}

#[test]
fn a_filter_is_bounded_in_depth_and_terms_before_it_is_decoded() {
    let nested = |depth: usize| (1..depth).fold(present("cn"), |inner, _| tlv(0xa2, &inner));
    let at = |depth| {
        of(&message(&search_with(b"", &nested(depth)), &[])).map(drop).map_err(|refusal| refusal.code)
    };
    assert_eq!(at(32), Ok(()));
    assert_eq!(at(33), Err(ResultCode::AdminLimitExceeded));
    assert_eq!(at(10_000), Err(ResultCode::AdminLimitExceeded));
    let wide = |terms: usize| message(&search_with(b"", &tlv(0xa1, &present("cn").repeat(terms - 1))), &[]);
    assert!(of(&wide(1000)).is_ok());
    assert_eq!(code(&wide(1001)), ResultCode::AdminLimitExceeded);
    let part = tlv(0x81, b"a");
    let parts = |count: usize| {
        let substrings = cat(&[&tlv(4, b"cn"), &tlv(0x30, &part.repeat(count))]);
        message(&search_with(b"", &tlv(0xa4, &substrings)), &[])
    };
    assert!(of(&parts(999)).is_ok());
    assert_eq!(code(&parts(1000)), ResultCode::AdminLimitExceeded);
    assert_eq!(code(&message(&search_with(b"", &tlv(0xaa, b"")), &[])), ResultCode::ProtocolError);
}

#[test]
fn texts_attributes_elements_and_controls_are_bounded() {
    let long = vec![b'a'; 8193];
    assert_eq!(code(&message(&search_with(&long, &present("cn")), &[])), ResultCode::AdminLimitExceeded);
    let name = "a".repeat(257);
    assert_eq!(code(&message(&search_with(b"", &present(&name)), &[])), ResultCode::AdminLimitExceeded);
    let unknown: Vec<Vec<u8>> = (0..17).map(|n| control(&format!("1.2.{n}"), false, None)).collect();
    assert!(of(&message(&[0x42, 0], &unknown[..16])).is_ok());
    assert!(of(&message(&[0x42, 0], &unknown)).is_err());
    let numbers = [0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let selecting = |count: usize| {
        let list = tlv(0x30, &tlv(4, b"cn").repeat(count));
        message(&tlv(0x63, &cat(&[&tlv(4, b""), &numbers, &present("cn"), &list])), &[])
    };
    assert_eq!(searched(&selecting(256)).attributes.len(), 256);
    assert_eq!(code(&selecting(257)), ResultCode::AdminLimitExceeded);
    assert_eq!(code(&selecting(9000)), ResultCode::AdminLimitExceeded);
}

#[test]
fn a_malformed_control_and_two_of_a_kind_are_protocol_errors() {
    let sound = tlv(0x30, &[2, 1, 10, 4, 0]);
    let with = |controls: &[Vec<u8>]| of(&message(&[0x42, 0], controls)).map(|message| message.controls);
    let paged = |value: Option<&[u8]>| control(PAGED_RESULTS, true, value);
    assert_eq!(with(&[paged(Some(&sound))]).unwrap().paged, Some(Paged { size: 10, cookie: Vec::new() }));
    let longer = cat(&[&sound, &[0]]);
    let cookie = tlv(0x30, &cat(&[&[2, 1, 10], &tlv(4, &[7; 257])]));
    for value in [
        None,
        Some(&b""[..]),
        Some(&[0x30, 0]),
        Some(&longer),
        Some(&[0x30, 5, 2, 1, 0xff, 4, 0]),
        Some(&cookie),
    ] {
        assert_eq!(with(&[paged(value)]).unwrap_err().code, ResultCode::ProtocolError, "{value:x?}");
    }
    let unknown = control("1.2.3", false, Some(b"anything"));
    assert_eq!(with(std::slice::from_ref(&unknown)).unwrap().unknown_critical(), None);
    assert_eq!(with(&[control("1.2.3", true, None)]).unwrap().unknown_critical(), Some("1.2.3"));
    let empty = with(&[control("2.16.840.1.113730.3.4.2", true, Some(b""))]).unwrap();
    assert!(empty.manage_dsa_it, "a value without content is none");
    let twice = paged(Some(&sound));
    for two in [[twice.clone(), twice], [unknown.clone(), unknown]] {
        assert_eq!(with(&two).unwrap_err().code, ResultCode::ProtocolError);
    }
    for control in [
        control("1.2.840.113556.1.4.473", true, Some(&tlv(0x30, b""))),
        control("1.2.840.113556.1.4.473", true, Some(&tlv(0x30, &tlv(0x30, &tlv(4, b""))))),
        control("1.2.840.113556.1.4.473", true, None),
        control("2.16.840.1.113730.3.4.2", true, Some(b"x")),
        control("1.3.6.1.4.1.42.2.27.8.5.1", false, Some(b"x")),
        control("one", true, None),
        control("", false, None),
        tlv(0x30, &[]),
        tlv(4, &[]),
    ] {
        assert_eq!(with(&[control]).unwrap_err().code, ResultCode::ProtocolError);
    }
}

#[test]
fn what_is_no_request_can_be_answered_by_the_notice_alone() {
    let answer = |bytes: &[u8]| of(bytes).unwrap_err().answer;
    for bytes in [
        &[][..],
        &[0x30, 0],
        &[0x30, 5, 2, 1, 0, 0x42, 0],
        &[0x30, 5, 2, 1, 0xff, 0x42, 0],
        &[0x30, 5, 2, 1, 1, 0x5f, 0],
        // An answer, and a request with an element of the next message behind it.
        &[0x30, 12, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0],
        &[0x30, 5, 2, 1, 1, 0x42, 0, 0],
    ] {
        assert_eq!(answer(bytes), None, "{bytes:x?}");
    }
    assert_eq!(answer(&[0x30, 5, 2, 1, 9, 0x63, 0]), Some((9, Operation::Search)));
    assert_eq!(answer(&[0x30, 6, 2, 1, 9, 0x42, 1, 0]), Some((9, Operation::Unbind)));
}

#[test]
fn the_hash_of_a_search_is_that_of_its_content_and_order() {
    let hash = |operation: &[u8], controls: &[Vec<u8>]| searched(&message(operation, controls)).hash;
    let (a, b) = (search_with(b"", &present("cn")), search_with(b"", &present("sn")));
    let page = |size: u8| control(PAGED_RESULTS, true, Some(&[0x30, 5, 2, 1, size, 4, 0]));
    let order =
        |name: &[u8]| control("1.2.840.113556.1.4.473", false, Some(&tlv(0x30, &tlv(0x30, &tlv(4, name)))));
    assert_eq!(hash(&a, &[page(1)]), hash(&a, &[page(2)]), "the page's size may change");
    assert_ne!(hash(&a, &[]), hash(&b, &[]));
    assert_ne!(hash(&a, &[order(b"cn")]), hash(&a, &[]));
    assert_ne!(hash(&a, &[order(b"cn")]), hash(&a, &[order(b"sn")]));
}

#[test]
fn answers_are_the_bytes_of_rfc_4511() {
    let fine = Outcome::new(ResultCode::Success, "");
    for (operation, tag) in [
        (Operation::Bind, 0x61),
        (Operation::Search, 0x65),
        (Operation::Modify, 0x67),
        (Operation::Add, 0x69),
        (Operation::Delete, 0x6b),
        (Operation::ModifyDn, 0x6d),
        (Operation::Compare, 0x6f),
        (Operation::Extended, 0x78),
    ] {
        let bytes = response::outcome(7, operation, &fine, &[]).unwrap().unwrap();
        assert_eq!(bytes, [0x30, 12, 2, 1, 7, tag, 7, 0x0a, 1, 0, 4, 0, 4, 0], "{operation:?}");
    }
    for operation in [Operation::Unbind, Operation::Abandon] {
        assert_eq!(response::outcome(7, operation, &fine, &[]), Ok(None));
    }
    let entry = response::entry(
        7,
        "cn=a",
        vec![ReturnedAttribute { name: "cn".to_owned(), values: vec![b"b".to_vec(), b"a".to_vec()] }],
    );
    // The codec sorts the values of a set.
    let values = tlv(0x31, &cat(&[&tlv(4, b"a"), &tlv(4, b"b")]));
    let list = tlv(0x30, &tlv(0x30, &cat(&[&tlv(4, b"cn"), &values])));
    assert_eq!(entry.unwrap(), tlv(0x30, &cat(&[&[2, 1, 7], &tlv(0x64, &cat(&[&tlv(4, b"cn=a"), &list]))])));
    // The notice of disconnection has number 0.
    let notice = response::notice_of_disconnection(ResultCode::Unavailable, "stop").unwrap();
    let content = cat(&[&[0x0a, 1, 52, 4, 0], &tlv(4, b"stop"), &tlv(0x8a, b"1.3.6.1.4.1.1466.20036")]);
    assert_eq!(notice, tlv(0x30, &cat(&[&[2, 1, 0], &tlv(0x78, &content)])));
    let whoami = response::extended(7, &fine, None, Some(b"dn:cn=a")).unwrap();
    let content = cat(&[&[0x0a, 1, 0, 4, 0, 4, 0], &tlv(0x8b, b"dn:cn=a")]);
    assert_eq!(whoami, tlv(0x30, &cat(&[&[2, 1, 7], &tlv(0x78, &content)])));
}

#[test]
fn controls_of_answers_are_the_bytes_of_their_documents() {
    let written = |one: ResponseControl| {
        let fine = Outcome::new(ResultCode::Success, "");
        let bytes = response::outcome(7, Operation::Search, &fine, &[one]).unwrap().unwrap();
        let head = [2, 1, 7, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        let (message, _) = split(&bytes).unwrap();
        message.content.strip_prefix(&head[..]).unwrap().to_vec()
    };
    let expected = |oid: &str, value: &[u8]| tlv(0xa0, &control(oid, false, Some(value)));
    let cookie = ResponseControl::Paged { estimate: 300, cookie: b"abc".to_vec() };
    let value = [0x30, 9, 2, 2, 1, 0x2c, 4, 3, b'a', b'b', b'c'];
    assert_eq!(written(cookie), expected(PAGED_RESULTS, &value));
    let sorted = ResponseControl::Sorted(SortResult::NoSuchAttribute);
    assert_eq!(written(sorted), expected("1.2.840.113556.1.4.474", &[0x30, 3, 0x0a, 1, 16]));
    let policy = "1.3.6.1.4.1.42.2.27.8.5.1";
    let both = ResponseControl::PasswordPolicy {
        expires_in: Some(60),
        error: Some(PasswordPolicyError::ChangeAfterReset),
    };
    assert_eq!(written(both), expected(policy, &[0x30, 8, 0xa0, 3, 0x80, 1, 60, 0x81, 1, 2]));
    let neither = ResponseControl::PasswordPolicy { expires_in: None, error: None };
    assert_eq!(written(neither), expected(policy, &[0x30, 0]));
}

#[test]
fn a_long_diagnostic_is_cut_between_characters() {
    let long = Outcome::new(ResultCode::Other, "ä".repeat(600) + "x");
    let bytes = response::outcome(7, Operation::Bind, &long, &[]).unwrap().unwrap();
    assert!(bytes.len() < 1060 && String::from_utf8_lossy(&bytes).ends_with('ä'));
}

#[test]
fn every_prefix_of_a_message_needs_more_and_no_cut_message_is_decoded() {
    for name in ["search_sssd", "search_sorted", "bind", "compare", "password_modify", "modify"] {
        let whole = recorded(name);
        for length in 0..whole.len() {
            let known = message_length(&whole[..length], 65_536).unwrap();
            assert!(known.is_none_or(|known| known == whole.len()), "{name}, {length} bytes");
            assert!(of(&whole[..length]).is_err(), "{name}, {length} bytes");
        }
        assert!(of(&cat(&[&whole, &[0]])).is_err(), "{name} and a byte more");
    }
}

proptest! {
    #[test]
    fn any_value_and_any_name_come_through_a_search_unchanged(base in "[^\\x00]{0,40}", value in any::<Vec<u8>>()) {
        let bytes = message(&search_with(base.as_bytes(), &equality(b"objectGUID", &value)), &[]);
        prop_assert_eq!(message_length(&bytes, 65_536), Ok(Some(bytes.len())));
        let search = searched(&bytes);
        prop_assert_eq!(search.base, base);
        if value.len() == 16 {
            prop_assert!(matches!(search.filter, Filter::Equal(..)));
        }
    }

    #[test]
    fn a_turned_byte_never_panics(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        for name in ["search_sssd", "search_sorted", "search_paged", "bind", "compare"] {
            let mut bytes = recorded(name);
            let at = at.index(bytes.len());
            bytes[at] = to;
            drop(of(&bytes));
            let _ = message_length(&bytes, 65_536);
        }
    }
}
