//! Envelopes made by Samba's own functions, then bent in every way that a DC could bend them.

use super::*;
use crate::salted_digest::{Profile, SaltedDigest};
use crate::secret::Password;
use des::cipher::BlockCipherEncrypt;
use proptest::prelude::*;

/// The NT hash of `Pa$$w0rd`.
const NT: [u8; 16] =
    [0x92, 0x93, 0x79, 0x45, 0xb5, 0x18, 0x81, 0x43, 0x41, 0xde, 0x3f, 0x72, 0x65, 0x00, 0xd4, 0xff];
/// Made by `samba.arcfour_encrypt` and `samba.crypto.des_crypt_blob_16` (Samba 4.17.12) from [`NT`], RID 1105,
/// and the session keys a0…af and 40…5f.
const SEALED_16: &str = "101112131415161718191a1b1c1d1e1f96bbac20679de2fb80c2ed0aa1d748525e62109c";
const SEALED_32: &str = "101112131415161718191a1b1c1d1e1f8e8f27cedb26906fe840bf424597b3565193b679";

/// Session keys, sealed values and results that Windows domain controllers produced, as published in the tests of
/// DSInternals (`ReplicationSecretDecryptorTester.cs`; Copyright (c) 2015-2026 Michael Grafnetter, MIT licence): session
/// key, sealed value, RID, and the hash that it opens to. The first is the NT hash of `Pa$$w0rd`; the second is an LM
/// hash, which is wrapped in the same way.
const OF_WINDOWS: [(&str, &str, u32, &str); 2] = [
    (
        "b0133bfc9ce59c805dd15d5872e247c5",
        "e650e0179becf540e1e6dbe37deb38b379618228d74d9ff7e08a588c2a6fbd511ad78f61",
        500,
        "92937945b518814341de3f726500d4ff",
    ),
    (
        "7dfee67fc2476e6bc1b68563e5ee7614",
        "fd2db3a4edba8fb08cf372b701449c1c28ddb6fcd70226fa571d490f9798f30efe6454fc",
        35_093,
        "727e3576618fa1754a3b108f3fa6cb6d",
    ),
];
/// From the same place: a history of four NT hashes, the last of which is that of `Pa$$w0rd`. It stands in one envelope,
/// and each hash is wrapped by itself.
const HISTORY_OF_WINDOWS: (&str, &str, u32, [&str; 4]) = (
    "f029c008decee208f36450cc1f767892",
    "491e1b5e8ff95982ccedc4ff2c50ad5fe154650df83e8430ede739271da2e03d9aa99aa8d4b598ef56c9650eb71a233a9fd580f4d9c2dbc3\
     3f92e0002e1d2901050fb5d7f66ca3555e5befbf322cd23c1eeaaf7c",
    1375,
    [
        "a4ff9743bdda4849cb2108d2ceb5c5b9",
        "185418d4b03fb6cfe90e71402220e807",
        "4fed6755410545c28b519f30e02d54a2",
        "92937945b518814341de3f726500d4ff",
    ],
);

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn hex_of(hash: &NtHash) -> String {
    let digits = hash.to_digits();
    digits.as_chunks::<2>().0.iter().map(|[digit, _]| char::from(*digit).to_ascii_lowercase()).collect()
}

fn key_16() -> Vec<u8> {
    (0xa0..0xb0).collect()
}

fn key_32() -> Vec<u8> {
    (0x40..0x60).collect()
}

fn keys(newest_last: &[Vec<u8>]) -> SessionKeys {
    let mut keys = SessionKeys::new();
    for key in newest_last {
        keys.push_newest(key.clone());
    }
    keys
}

fn seal(key: &[u8], salt: [u8; 16], rid: u32, mut hash: [u8; 16]) -> Vec<u8> {
    for (half, key) in hash.as_chunks_mut::<8>().0.iter_mut().zip(rid_keys(rid)) {
        Des::new(&Array(des_key(key))).encrypt_block(half.into());
    }
    let mut body = [crc32fast::hash(&hash).to_le_bytes().as_slice(), &hash].concat();
    let rc4_key = Md5::new().chain_update(key).chain_update(salt).finalize();
    Rc4::new_from_slice(&rc4_key).unwrap().apply_keystream(&mut body);
    [salt.as_slice(), &body].concat()
}

fn is_of(hash: NtHash, password: &str) -> bool {
    SaltedDigest::derive(hash, Profile::Entra).verify(&Password::new(password.to_owned()))
}

#[test]
fn what_samba_sealed_opens_and_is_the_passwords_hash() {
    for (sealed, key) in [(SEALED_16, key_16()), (SEALED_32, key_32())] {
        let hash = open_nt_hash(&keys(&[key]), 1105, &bytes(sealed)).unwrap();
        assert!(is_of(hash, "Pa$$w0rd"));
    }
}

#[test]
fn what_windows_sealed_opens_to_what_was_published_with_it() {
    for (session_key, sealed, rid, hash) in OF_WINDOWS {
        let opened = open_nt_hash(&keys(&[bytes(session_key)]), rid, &bytes(sealed)).unwrap();
        assert_eq!(hex_of(&opened), hash, "RID {rid}");
        let other = keys(&[key_16()]);
        assert_eq!(open_nt_hash(&other, rid, &bytes(sealed)).unwrap_err(), DrsSecretError::NoKeyFits(1));
    }
    let (session_key, sealed, rid, _) = OF_WINDOWS[0];
    assert!(is_of(open_nt_hash(&keys(&[bytes(session_key)]), rid, &bytes(sealed)).unwrap(), "Pa$$w0rd"));
}

#[test]
fn each_hash_of_a_history_that_windows_sealed_has_the_rid_layer_of_a_password() {
    let (session_key, sealed, rid, hashes) = HISTORY_OF_WINDOWS;
    let sealed = bytes(sealed);
    let (salt, body) = sealed.split_at(SALT);
    let rc4_key = Md5::new().chain_update(bytes(session_key)).chain_update(salt).finalize();
    let mut body = body.to_vec();
    Rc4::new_from_slice(&rc4_key).unwrap().apply_keystream(&mut body);
    let (crc, payload) = body.split_at(CRC);
    assert_eq!(crc, crc32fast::hash(payload).to_le_bytes());
    assert_eq!(payload.len(), 16 * hashes.len());
    for (wrapped, expected) in payload.chunks_exact(16).zip(hashes) {
        let mut hash: [u8; 16] = wrapped.try_into().unwrap();
        remove_rid_layer(&mut hash, rid);
        assert_eq!(hash[..], bytes(expected));
    }
}

#[test]
fn the_rid_layer_is_that_of_samba() {
    let vectors = [
        (500, "b9c493e4a12818eed2fc0d2d731595cb"),
        (1105, "af53b73595cb2b66912d386d2f3ce9fb"),
        (0x1234_5678, "98f449ee14c4a33365ff9a0a67990912"),
        (0xffff_fffe, "5a3b3dd3a3c6691ac2c189a78639dc95"),
    ];
    for (rid, wrapped) in vectors {
        let mut hash: [u8; 16] = bytes(wrapped).try_into().unwrap();
        remove_rid_layer(&mut hash, rid);
        assert_eq!(hash, NT, "RID {rid}");
    }
}

#[test]
fn every_byte_of_a_des_key_has_odd_parity() {
    for key in [[0; 7], [0xff; 7], [1, 2, 4, 8, 16, 32, 64]] {
        assert!(des_key(key).iter().all(|byte| byte.count_ones() % 2 == 1));
    }
    assert_eq!(des_key([0xff, 0, 0, 0, 0, 0, 0]), [0xfe, 0x80, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_value_sealed_under_the_key_before_opens_too() {
    let both = keys(&[key_16(), key_32()]);
    assert!(is_of(open_nt_hash(&both, 1105, &bytes(SEALED_16)).unwrap(), "Pa$$w0rd"));
    assert!(is_of(open_nt_hash(&both, 1105, &bytes(SEALED_32)).unwrap(), "Pa$$w0rd"));
    let later = keys(&[key_16()]).with_newest(key_32());
    assert_eq!(later.count(), 2);
    assert!(open_nt_hash(&later, 1105, &bytes(SEALED_16)).is_ok());
}

#[test]
fn only_the_newest_eight_keys_are_kept() {
    let mut many = keys(&[key_16()]);
    for n in 0..7 {
        many.push_newest(vec![n; 16]);
    }
    assert!(open_nt_hash(&many, 1105, &bytes(SEALED_16)).is_ok());
    many.push_newest(vec![7; 16]);
    assert_eq!(many.count(), MAX_SESSION_KEYS);
    assert_eq!(open_nt_hash(&many, 1105, &bytes(SEALED_16)).unwrap_err(), DrsSecretError::NoKeyFits(8));
    assert_eq!(format!("{many:?}"), "SessionKeys(8)");
}

#[test]
fn each_failure_has_its_own_error() {
    let sealed = bytes(SEALED_16);
    assert_eq!(open_nt_hash(&SessionKeys::new(), 1105, &sealed).unwrap_err(), DrsSecretError::NoSessionKey);
    assert_eq!(open_nt_hash(&keys(&[key_32()]), 1105, &sealed).unwrap_err(), DrsSecretError::NoKeyFits(1));
    for length in (0..SEALED).chain([SEALED + 1, SEALED + 16]) {
        let mut bent = sealed.clone();
        bent.resize(length, 0);
        assert_eq!(
            open_nt_hash(&keys(&[key_16()]), 1105, &bent).unwrap_err(),
            DrsSecretError::Length(length)
        );
    }
}

#[test]
fn a_single_flipped_bit_is_noticed() {
    let keys = keys(&[key_16()]);
    for bit in 0..SEALED * 8 {
        let mut bent = bytes(SEALED_16);
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open_nt_hash(&keys, 1105, &bent).unwrap_err(), DrsSecretError::NoKeyFits(1), "bit {bit}");
    }
}

#[test]
fn another_accounts_rid_gives_another_hash() {
    let hash = open_nt_hash(&keys(&[key_16()]), 1106, &bytes(SEALED_16)).unwrap();
    assert!(!is_of(hash, "Pa$$w0rd"));
}

#[test]
fn md5_gives_the_vectors_of_rfc_1321() {
    let vectors = [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f",
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        ),
    ];
    for (text, digest) in vectors {
        assert_eq!(Md5::digest(text)[..], bytes(digest), "MD5 of {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens(
        key in proptest::collection::vec(any::<u8>(), 1..64), salt: [u8; 16], rid: u32, password in ".{0,20}"
    ) {
        let mut hash = [0; 16];
        hash.copy_from_slice(&md4::Md4::digest(
            password.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        ));
        let opened = open_nt_hash(&keys(std::slice::from_ref(&key)), rid, &seal(&key, salt, rid, hash));
        prop_assert!(is_of(opened.unwrap(), &password));
    }
}
