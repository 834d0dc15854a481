#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

fn record(name: &str, version: u8, long_version: Option<u32>, enctype: u16, key: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    let counted = |bytes: &[u8], record: &mut Vec<u8>| {
        record.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        record.extend(bytes);
    };
    record.extend(1u16.to_be_bytes());
    counted(b"CORP.EXAMPLE.COM", &mut record);
    counted(name.as_bytes(), &mut record);
    record.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
    record.extend(enctype.to_be_bytes());
    counted(key, &mut record);
    record.extend(long_version.iter().flat_map(|version| version.to_be_bytes()));
    sized(&record)
}

fn sized(record: &[u8]) -> Vec<u8> {
    [&u32::try_from(record.len()).unwrap().to_be_bytes()[..], record].concat()
}

fn keytab(records: &[Vec<u8>]) -> Vec<u8> {
    [vec![5, 2], records.concat()].concat()
}

fn account(name: &str) -> Principal {
    Principal::account(name, "corp.example.com").unwrap()
}

#[test]
fn only_keys_of_the_newest_number_are_used() {
    let bytes = keytab(&[
        record("svc", 2, None, 18, &[2; 32]),
        record("svc", 2, None, 20, &[9; 32]),
        record("svc", 3, Some(3), 17, &[3; 16]),
        record("svc", 3, Some(3), 18, &[4; 32]),
        record("svc", 3, Some(3), 23, &[5; 16]),
        record("other", 1, Some(300), 19, &[6; 16]),
        record("other", 255, None, 19, &[7; 16]),
    ]);
    let keytab = Keytab::parse(&bytes).unwrap();
    let newest = |name, enctype| keytab.newest(&account(name), enctype).map(|key| key.lend(|key| key[0]));
    assert_eq!(newest("SVC", Enctype::Aes256Sha1), Some(4));
    assert_eq!(newest("svc", Enctype::Aes128Sha1), Some(3));
    assert_eq!(newest("svc", Enctype::Aes256Sha384), None, "its number is older");
    assert_eq!(newest("other", Enctype::Aes128Sha256), Some(6), "300 is after 255");
    assert_eq!(newest("third", Enctype::Aes128Sha256), None);
    let elsewhere = Principal::account("svc", "elsewhere.example.com").unwrap();
    assert!(keytab.newest(&elsewhere, Enctype::Aes256Sha1).is_none());
    assert_eq!(keytab.principals(), ["other@CORP.EXAMPLE.COM", "svc@CORP.EXAMPLE.COM"]);
    assert!(!format!("{keytab:?}").contains("4, 4"));
}

#[test]
fn holes_and_entries_that_are_not_understood_are_skipped() {
    let mut hole = (-7i32).to_be_bytes().to_vec();
    hole.extend([0xaa; 7]);
    let good = || record("svc", 1, None, 18, &[1; 32]);
    let odd = [
        ("a hole", hole),
        ("one byte", sized(&[0xff])),
        ("a name over the end", sized(&[0, 9, 0xff, 0xff, b'x'])),
        ("a name that is not UTF-8", sized(b"\0\x01\0\x01R\0\x02\xff\xfe\0\0\0\x01\0\0\0\0\x01\0\x12\0\0")),
        ("a key of a wrong length", record("svc", 9, None, 18, &[1; 16])),
        ("no key", record("svc", 9, None, 18, &[])),
        ("an unknown type", record("svc", 9, None, 0xffff, &[1; 32])),
        ("a negative type", record("svc", 9, None, 0x8000, &[1; 8])),
    ];
    for (what, odd) in odd {
        for records in [[odd.clone(), good()], [good(), odd]] {
            let keytab = Keytab::parse(&keytab(&records)).expect(what);
            assert!(keytab.newest(&account("svc"), Enctype::Aes256Sha1).is_some(), "{what}");
        }
    }
    for trailing in [&[0u8; 1][..], &[0; 3], &[0; 4], &[0; 100], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]] {
        let bytes = [&keytab(&[good()]), trailing].concat();
        assert!(Keytab::parse(&bytes).is_ok(), "{trailing:?}");
    }
}

#[test]
fn a_file_of_another_kind_is_named_and_not_repeated() {
    for (bytes, kind) in [
        (&b"\x05\x01\0\0"[..], KeytabError::OldFormat),
        (b"\x05\x04\0\x0c\0\x01", KeytabError::TicketCache),
        (b"\x05\x03\0\0", KeytabError::TicketCache),
        (b"hunter2\r\n", KeytabError::Text),
        (b"\xef\xbb\xbfhunter2\xc3\xa4", KeytabError::Text),
        (b"\xff\xfeh\0u\0", KeytabError::Text),
        (b"-----BEGIN CERTIFICATE-----\nhunter2", KeytabError::Pem),
        (b"Bag Attributes\n-----BEGIN PRIVATE KEY-----\nhunter2", KeytabError::Pem),
        (b"0\x82\x03\x01\x02\x01\x03", KeytabError::Der),
        (b"", KeytabError::NotAKeytab),
        (b"\x7fELF", KeytabError::NotAKeytab),
    ] {
        let refused = Keytab::parse(bytes).unwrap_err();
        assert_eq!(refused, kind, "{bytes:?}");
        assert!(!refused.to_string().contains("hunter2"));
    }
}

#[test]
fn what_is_no_keytab_is_refused() {
    let good = keytab(&[record("svc", 1, None, 18, &[1; 32])]);
    for end in 0..good.len() {
        assert!(Keytab::parse(&good[..end]).is_err(), "{end}");
    }
    assert_eq!(Keytab::parse(&[5, 0]).unwrap_err(), KeytabError::NotAKeytab);
    let only_rc4 = keytab(&[record("svc", 1, None, 23, &[1; 16])]);
    assert_eq!(Keytab::parse(&only_rc4).unwrap_err(), KeytabError::NoAesKey);
    assert_eq!(Keytab::parse(&vec![5; MAX_KEYTAB + 1]).unwrap_err(), KeytabError::TooLarge);
    for hostile in [[5, 2, 0x80, 0, 0, 0], [5, 2, 0x7f, 0xff, 0xff, 0xff]] {
        assert_eq!(Keytab::parse(&hostile).unwrap_err(), KeytabError::Damaged(2));
    }
}
