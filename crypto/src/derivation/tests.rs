//! The midstate HMAC and PBKDF2 against Wycheproof, and against RustCrypto's `hmac` and `pbkdf2`.

#![allow(clippy::print_stdout)]

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use wycheproof::{TestResult, mac, pbkdf2 as kdf};

/// The block that HMAC makes of a key of any length (RFC 2104). The product's keys have 64 bytes, so only the
/// tests pad or hash one.
fn block_of(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

fn authenticate(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    write(&Midstates::new(&block_of(key)).authenticate(message), &mut tag);
    tag
}

/// As many blocks as the length needs. Landbridge itself uses the first block alone.
fn derive(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Vec<u8> {
    let key = Midstates::new(&block_of(password));
    let mut derived = Vec::new();
    for number in 1..=u32::try_from(length.div_ceil(32)).unwrap() {
        let mut block = [0; 32];
        key.derive(salt, number, iterations, &mut block);
        derived.extend_from_slice(&block);
    }
    derived.truncate(length);
    derived
}

#[test]
fn wycheproof_hmac_sha256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        for case in &group.tests {
            let tag = authenticate(&case.key, &case.msg);
            // Tag sizes are in bits; short tags are prefixes.
            let fits = tag[..group.tag_size / 8] == case.tag[..];
            match case.result {
                TestResult::Valid | TestResult::Acceptable => {
                    assert!(fits, "case {} is valid: {}", case.tc_id, case.comment);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(!fits, "case {} is invalid: {}", case.tc_id, case.comment);
                    invalid += 1;
                }
            }
        }
    }
    assert_eq!((valid, invalid, set.number_of_tests), (66, 108, 174));
    println!("wycheproof HMAC-SHA256: {valid} valid, {invalid} invalid");
}

#[test]
fn wycheproof_pbkdf2_hmac_sha256() {
    let set = kdf::TestSet::load(kdf::TestName::Pbkdf2HmacSha256).unwrap();
    let mut run = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let iterations = u32::try_from(case.iteration_count).unwrap();
        let derived = derive(&case.password, &case.salt, iterations, case.dk_len);
        assert_eq!(case.result, TestResult::Valid, "the set has no invalid cases");
        assert_eq!(derived, case.dk[..], "case {}: {}", case.tc_id, case.comment);
        run += 1;
    }
    assert_eq!((run, set.number_of_tests), (60, 60));
    println!("wycheproof PBKDF2-HMAC-SHA256: {run} valid");
}

#[test]
fn no_iterations_are_as_one() {
    assert_eq!(derive(b"key", b"salt", 0, 32), derive(b"key", b"salt", 1, 32));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_midstate_hmac_is_hmac(
        key in proptest::collection::vec(any::<u8>(), 0..130),
        message in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut peer = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        peer.update(&message);
        prop_assert_eq!(authenticate(&key, &message)[..].to_vec(), peer.finalize().into_bytes().to_vec());
    }

    #[test]
    fn the_derivation_is_pbkdf2(
        key in proptest::collection::vec(any::<u8>(), 0..130),
        salt in proptest::collection::vec(any::<u8>(), 0..140),
        iterations in 1_u32..300,
        length in 1_usize..100,
    ) {
        let mut peer = vec![0; length];
        pbkdf2::pbkdf2_hmac::<Sha256>(&key, &salt, iterations, &mut peer);
        prop_assert_eq!(derive(&key, &salt, iterations, length), peer);
    }
}
