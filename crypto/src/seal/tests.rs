//! What was sealed opens in its place with its key, and nowhere else.

use super::*;
use proptest::prelude::*;

const HERE: CellAddress<'_> = CellAddress { table: "digests", row: b"row 1", column: "digest" };

fn key(id: u32, byte: u8) -> SealKey {
    SealKey::from_bytes(id, [byte; 32])
}

fn keys(of: &[(u32, u8)]) -> SealKeys {
    SealKeys::new(of.iter().map(|(id, byte)| key(*id, *byte)).collect())
}

#[test]
fn what_is_sealed_opens_in_its_place() {
    let keys = SealKeys::new(vec![SealKey::generate(7)]);
    for plain in [b"".as_slice(), b"a digest", &[0; 5000]] {
        let sealed = keys.seal(&HERE, plain).unwrap();
        assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        assert_eq!(keys.open(&HERE, &sealed).unwrap().as_slice(), plain);
    }
}

#[test]
fn nothing_opens_in_another_place() {
    let keys = keys(&[(1, 1)]);
    let sealed = keys.seal(&HERE, b"a digest").unwrap();
    let elsewhere = [
        CellAddress { table: "digest", ..HERE },
        CellAddress { row: b"row 2", ..HERE },
        CellAddress { row: b"", ..HERE },
        CellAddress { column: "digests", ..HERE },
        // The same bytes in a row, cut elsewhere.
        CellAddress { table: "digestsr", row: b"ow 1", column: "digest" },
        CellAddress { table: "digests", row: b"row 1d", column: "igest" },
    ];
    for place in elsewhere {
        assert_eq!(keys.open(&place, &sealed).unwrap_err(), SealError::DoesNotOpen, "{place:?}");
    }
}

#[test]
fn a_single_flipped_bit_is_noticed() {
    let keys = keys(&[(1, 1)]);
    let sealed = keys.seal(&HERE, b"a digest").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut bent = sealed.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.open(&HERE, &bent).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(keys.open(&HERE, &sealed[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn after_a_rotation_the_old_values_open_and_new_ones_take_the_new_key() {
    let old = keys(&[(1, 1)]);
    let sealed = old.seal(&HERE, b"a digest").unwrap();
    let rotated = keys(&[(2, 2), (1, 1)]);
    assert_eq!(rotated.open(&HERE, &sealed).unwrap().as_slice(), b"a digest");
    let sealed_again = rotated.seal(&HERE, b"a digest").unwrap();
    assert!(!rotated.is_current(&sealed) && rotated.is_current(&sealed_again) && old.is_current(&sealed));
    assert!(!old.is_current(b"") && !keys(&[]).is_current(&sealed));
    assert_eq!(old.open(&HERE, &sealed_again).unwrap_err(), SealError::UnknownKey(2));
    assert_eq!(keys(&[(2, 2)]).open(&HERE, &sealed).unwrap_err(), SealError::UnknownKey(1));
    assert_eq!(keys(&[(1, 9)]).open(&HERE, &sealed).unwrap_err(), SealError::DoesNotOpen);
    assert!(keys(&[(1, 9), (1, 1)]).open(&HERE, &sealed).is_ok(), "two keys of one number");
}

#[test]
fn without_a_key_nothing_is_sealed() {
    assert_eq!(keys(&[]).seal(&HERE, b"a digest").unwrap_err(), SealError::NoKey);
    assert_eq!(keys(&[(1, 1)]).open(&HERE, b"").unwrap_err(), SealError::NotSealed);
    assert_eq!(keys(&[(1, 1)]).open(&HERE, &[2; 64]).unwrap_err(), SealError::NotSealed);
}

/// The vector was computed by Python's `hmac`: the key of the purpose first, then the parts with their lengths.
#[test]
fn a_keyed_hash_is_what_another_implementation_computes() {
    let hash = keys(&[(1, 0xab)]).hashes("a purpose", &[b"one", b""]);
    let mut text = String::new();
    hash.iter().for_each(|hash| hex::push_lower(hash, &mut text));
    assert_eq!(text, "95aa7c4db65ec17b20bf8b7980e519336330806f53dc205bb7c50f2877477402");
}

#[test]
fn a_keyed_hash_depends_on_key_purpose_and_each_part_and_every_key_has_one() {
    let both = keys(&[(2, 2), (1, 1)]);
    let hash = |keys: &SealKeys, purpose: &str, parts: &[&[u8]]| keys.hashes(purpose, parts);
    let here = hash(&both, "a", &[b"one", b"two"]);
    assert_eq!(here, hash(&both, "a", &[b"one", b"two"]));
    assert_eq!(here.get(1), hash(&keys(&[(1, 1)]), "a", &[b"one", b"two"]).first());
    for other in [
        hash(&both, "b", &[b"one", b"two"]),
        hash(&both, "a", &[b"onet", b"wo"]),
        hash(&both, "a", &[b"one", b"two", b""]),
        hash(&both, "a", &[b"two", b"one"]),
        hash(&keys(&[(3, 3), (4, 4)]), "a", &[b"one", b"two"]),
    ] {
        assert!(here.iter().zip(&other).all(|(one, other)| one != other));
    }
    assert!(keys(&[]).hashes("a", &[]).is_empty());
}

#[test]
fn no_two_sealings_are_alike() {
    let keys = keys(&[(1, 1)]);
    assert_ne!(keys.seal(&HERE, b"a digest").unwrap(), keys.seal(&HERE, b"a digest").unwrap());
}

#[test]
fn a_key_comes_back_from_the_text_of_its_file() {
    let text = key(42, 0xab).to_text();
    assert_eq!(*text, format!("lbsk1.42.{}", "ab".repeat(32)));
    let read = SealKey::parse(&format!("{}\n", *text)).unwrap();
    assert_eq!(read.id(), 42);
    let sealed = keys(&[(42, 0xab)]).seal(&HERE, b"a digest").unwrap();
    assert!(SealKeys::new(vec![read]).open(&HERE, &sealed).is_ok());
    assert_eq!(format!("{:?}", key(42, 0xab)), "SealKey(42)");
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let digits = "ab".repeat(32);
    for text in [
        String::new(),
        digits.clone(),
        format!("lbsk1.{digits}"),
        format!("lbsk2.1.{digits}"),
        format!("lbsk1.+1.{digits}"),
        format!("lbsk1.01.{digits}"),
        format!("lbsk1.4294967296.{digits}"),
        format!("lbsk1.1.{}", &digits[1..]),
        format!("lbsk1.1.{}", digits.to_uppercase()),
        format!("lbsk1.1.{digits}.x"),
    ] {
        let error = SealKey::parse(&text).unwrap_err();
        assert_eq!(error, SealError::NotAKey, "{text:?}");
        assert!(!error.to_string().contains("abab"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(keys(&[(1, 1)]).open(&HERE, &bytes).is_err());
    }
}

#[test]
fn a_sealed_text_opens_for_its_purpose_under_its_name_with_each_key_that_is_there() {
    let (old, both, new) = (keys(&[(1, 1)]), keys(&[(2, 2), (1, 1)]), keys(&[(2, 2)]));
    for plain in [b"".as_slice(), b"a code", &[0; 5000]] {
        let sealed = old.seal_text("code", b"name", plain).unwrap();
        assert_eq!(sealed.len(), plain.len() + TEXT_OVERHEAD);
        assert_eq!(old.open_text("code", b"name", &sealed).unwrap().as_slice(), plain);
        assert_eq!(both.open_text("code", b"name", &sealed).unwrap().as_slice(), plain, "a key was added");
        assert!(new.open_text("code", b"name", &sealed).is_none(), "its key is gone");
        assert!(old.open_text("codes", b"name", &sealed).is_none(), "another purpose");
        assert!(old.open_text("code", b"names", &sealed).is_none(), "another name");
        assert_ne!(old.seal_text("code", b"other", plain).unwrap(), sealed);
    }
    assert_eq!(SealKeys::new(Vec::new()).seal_text("code", b"name", b"").unwrap_err(), SealError::NoKey);
}

#[test]
fn a_sealed_text_with_a_flipped_bit_or_a_byte_less_does_not_open() {
    let keys = keys(&[(1, 1)]);
    let sealed = keys.seal_text("code", b"name", b"what a code says").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut bent = sealed.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.open_text("code", b"name", &bent).is_none(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(keys.open_text("code", b"name", &sealed[..length]).is_none(), "{length} bytes");
    }
    // The key of a text is no keyed hash that is stored or shown anywhere.
    let hash = keys.hashes("code", &[b"name"])[0];
    let of_hash = SealKeys::new(vec![SealKey::from_bytes(1, hash)]);
    assert!(of_hash.open_text("code", b"name", &sealed).is_none());
}
