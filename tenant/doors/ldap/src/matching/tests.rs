#![allow(clippy::unwrap_used)]

use super::*;

fn equal(named: &str, stored: &str, stated: &str) -> Option<bool> {
    equal_bytes(named, stored.as_bytes(), stated.as_bytes())
}

fn equal_bytes(named: &str, stored: &[u8], stated: &[u8]) -> Option<bool> {
    let attribute = attribute(named).unwrap().attribute;
    let rule = attribute.equality.unwrap();
    let stated = asserted(attribute, rule, stated)?;
    Some(normal(attribute, rule, stored) == Some(stated))
}

#[test]
fn directory_strings_ignore_case_and_blanks_that_do_not_count() {
    for (stored, stated, same) in [
        ("Alice Smith", "alice smith", true),
        ("Alice Smith", "  ALICE   SMITH ", true),
        ("Alice\u{a0}Smith", "Alice Smith", true),
        ("Alice Smith", "AliceSmith", false),
        ("Zoë", "ZOË", true),
        ("Zoë", "Zoe", false),
        ("Zoë", "Zoe\u{308}", false),
        ("ΓΙΏΡΓΟΣ", "γιώργος", true),
        ("ß", "ss", false),
    ] {
        assert_eq!(equal("cn", stored, stated), Some(same), "{stored:?} {stated:?}");
    }
    for unfit in ["", "adm\0in", "\u{7f}", "a\u{1b}[2J"] {
        assert_eq!(equal("cn", "x", unfit), None, "{unfit:?}");
    }
    assert_eq!(equal_bytes("cn", b"x", b"\xff\xfe"), None);
}

#[test]
fn ia5_is_ascii_and_paths_keep_their_case() {
    assert_eq!(equal("dc", "Corp", "CORP"), Some(true));
    assert_eq!(equal("loginShell", "/bin/bash", "/bin/Bash"), Some(false));
    assert_eq!(equal("loginShell", "/bin/bash", "/bin/bäsh"), None);
}

#[test]
fn names_of_entries_are_equal_in_every_spelling() {
    let stored = "CN=Sales\\, West,OU=Groups,DC=corp,DC=example,DC=com";
    assert_eq!(equal("member", stored, "cn=sales\\2c west, ou=groups,dc=CORP,dc=example,dc=com"), Some(true));
    assert_eq!(equal("uniqueMember", "uid=a,dc=b", "UID=A,DC=B"), Some(true));
    assert_eq!(equal("member", stored, "cn=Sales,ou=Groups,dc=corp"), Some(false));
    assert_eq!(equal("member", stored, "Sales"), None);
    assert_eq!(equal("memberOf", stored, ""), None);
}

#[test]
fn integers_are_large_negative_or_unfit() {
    for (stored, stated, same) in [
        ("1000", "1000", Some(true)),
        ("1000", "01000", Some(true)),
        ("-2147483646", "-2147483646", Some(true)),
        ("9223372036854775807", "9223372036854775807", Some(true)),
        ("1", "99999999999999999999999999999999999999", Some(false)),
        ("1", "100000000000000000000000000000000000000", None),
        ("1", "", None),
        ("1", "-", None),
        ("1", "+1", None),
        ("1", "1 ", None),
        ("1", "0x1", None),
    ] {
        assert_eq!(equal("uidNumber", stored, stated), same, "{stated}");
    }
}

#[test]
fn octets_uuids_guids_and_sids_have_their_forms() {
    let guid = Uuid::try_parse("6f0d1e2a-3b4c-5d6e-7f80-91a2b3c4d5e6").unwrap();
    let text = guid.to_string().to_uppercase();
    assert_eq!(equal("entryUUID", &guid.to_string(), &text), Some(true));
    assert_eq!(equal("entryUUID", &guid.to_string(), &guid.simple().to_string()), None);
    let octets = guid.to_bytes_le();
    assert_eq!(equal_bytes("objectGUID", &octets, &octets), Some(true));
    assert_eq!(equal_bytes("objectGUID", &octets, text.as_bytes()), Some(true));
    assert_eq!(equal_bytes("objectGUID", &octets, format!("{{{text}}}").as_bytes()), Some(true));
    assert_eq!(equal_bytes("objectGUID", &octets, &guid.into_bytes()), Some(false));
    assert_eq!(equal_bytes("objectGUID", &octets, b"short"), None);
    let sid = [&[1, 5, 0, 0, 0, 0, 0, 5][..], &21_u32.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    let sid = [&sid[..], &2_u32.to_le_bytes(), &3_u32.to_le_bytes(), &500_u32.to_le_bytes()].concat();
    assert_eq!(equal_bytes("objectSid", &sid, b"S-1-5-21-1-2-3-500"), Some(true));
    assert_eq!(equal_bytes("objectSid", &sid, &sid), Some(true));
    assert_eq!(equal_bytes("objectSid", &sid, b"S-1-5-21-1-2-3-501"), Some(false));
    for unfit in ["S-1", "S-2-5-21", "S-1-5-4294967296", "S-1-5-", "S-1-5-21-x"] {
        assert_eq!(equal_bytes("objectSid", &sid, unfit.as_bytes()), None, "{unfit}");
    }
}

#[test]
fn times_have_fractions_and_offsets() {
    let second = 1_000_000_000;
    let noon = generalized_time("20240229120000Z").unwrap();
    assert_eq!(noon, 1_709_208_000 * second);
    for (text, later) in [
        ("20240229120000.0Z", 0),
        ("202402291200Z", 0),
        ("2024022912Z", 0),
        ("20240229130000+0100", 0),
        ("20240229130000+01", 0),
        ("20240229063000-0530", 0),
        ("20240229120000,5Z", second / 2),
        ("202402291200.5Z", 30 * second),
        ("2024022912.25Z", 900 * second),
        ("20240229120000.123456789123456789123Z", 123_456_789),
        ("20240229115960Z", 0),
    ] {
        assert_eq!(generalized_time(text), Some(noon + later), "{text}");
    }
    for unfit in [
        "",
        "20240229120000",
        "20230229120000Z",
        "20240229240000Z",
        "20240229120000.Z",
        "202402291Z",
        "20240229120000+1",
        "20240229120000+0160",
        "20240229120000ZZ",
        "2024-02-29T12:00:00Z",
        "20240229120000é",
    ] {
        assert_eq!(generalized_time(unfit), None, "{unfit}");
    }
}

#[test]
fn telephone_numbers_lose_blanks_and_hyphens() {
    assert_eq!(equal("telephoneNumber", "+49 30 123-456", "+4930123456"), Some(true));
    assert_eq!(equal("telephoneNumber", "+49 30 123-456", " - "), None);
}

#[test]
fn classes_are_equal_by_name_and_oid_and_an_unknown_one_is_another() {
    assert_eq!(equal("objectClass", "inetOrgPerson", "INETORGPERSON"), Some(true));
    assert_eq!(equal("objectClass", "inetOrgPerson", "2.16.840.1.113730.3.2.2"), Some(true));
    assert_eq!(equal("objectClass", "inetOrgPerson", "sambaSamAccount"), Some(false));
    assert_eq!(equal("objectClass", "inetOrgPerson", "no class"), None);
}

#[test]
fn a_category_is_named_by_a_class_or_by_its_entry() {
    let stored = "CN=Person,CN=Schema,CN=Configuration,DC=corp,DC=example,DC=com";
    assert_eq!(equal("objectCategory", stored, "person"), Some(true));
    assert_eq!(equal("objectCategory", stored, "User"), Some(true));
    assert_eq!(equal("objectCategory", stored, "group"), Some(false));
    assert_eq!(equal("objectCategory", stored, stored), Some(true));
    assert_eq!(equal("objectCategory", stored, "nosuch"), None);
}

#[test]
fn parts_are_found_in_order_and_do_not_overlap() {
    let cn = attribute("cn").unwrap().attribute;
    let contains = |initial: Option<&str>, any: &[&str], last: Option<&str>, value: &str| {
        let any: Vec<&[u8]> = any.iter().map(|part| part.as_bytes()).collect();
        let rule = cn.substrings.unwrap();
        let parts = Parts::new(rule, initial.map(str::as_bytes), &any, last.map(str::as_bytes))?;
        Some(parts.are_in(cn, rule, value.as_bytes()))
    };
    let value = "Alice  Anna Smith";
    for (initial, any, last, found) in [
        (Some("AL"), &[][..], None, true),
        (Some("lice"), &[], None, false),
        (None, &["anna"][..], None, true),
        (None, &["smith", "anna"], None, false),
        (None, &["anna", "smith"], None, true),
        (None, &[" anna "], None, true),
        (None, &[" nna"], None, false),
        (None, &[], Some("SMITH"), true),
        (None, &[], Some("smit"), false),
        (Some("alice"), &["anna"], Some("smith"), true),
        (Some("alice anna s"), &[], Some("smith"), false),
        (Some("alice "), &[], None, true),
        (None, &[], Some("  smith  "), true),
    ] {
        assert_eq!(contains(initial, any, last, value), Some(found), "{initial:?} {any:?} {last:?}");
    }
    assert_eq!(contains(Some("foo "), &[], None, "foo"), Some(true), "RFC 4518 2.6.1");
    assert_eq!(contains(None, &[], None, value), None);
    assert_eq!(contains(Some(""), &[], None, value), None);
    let number = attribute("telephoneNumber").unwrap().attribute;
    let rule = number.substrings.unwrap();
    let parts = Parts::new(rule, Some(b"+49 30"), &[b"1-2"], None).unwrap();
    assert!(parts.are_in(number, rule, b"+493012"));
}
