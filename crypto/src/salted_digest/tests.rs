//! Published digests, the strictness of the text form, and the verification of passwords.

use super::*;
use proptest::prelude::*;

const PUBLISHED: [(&str, &str); 4] = [
    (
        "Pa$$w0rd",
        "v1;PPH1_MD4,181a3024085fcee2f70e,1000,b39525c3bc72a1136fcf7c8a338e0c14313d0450d1a4c98ef0a6ddada3bc5b0a;",
    ),
    (
        "",
        "v1;PPH1_MD4,01cda06eceb9d9bc2621,1000,9d4fc778add44776555d3fa6ccb4f9637f25e34a62dbc5fa0f782ef8c762c902;",
    ),
    (
        "Pa$$w0rd",
        "v1;PPH1_MD4,317ee9d1dec6508fa510,1000,7eaea8e1628dffee62cf319f4e1fc05254da30a1d42ff755ff352f5b13497531;",
    ),
    (
        "hashcat",
        "v1;PPH1_MD4,84840328224366186645,100,005a491d8bf3715085d69f934eef7fb19a15ffc233b5382d9827910bc32f3506;",
    ),
];

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

fn salted(text: &str, salt: &[u8], iterations: u32) -> SaltedDigest {
    SaltedDigest::salted(&NtHash::of_password(&password(text)), salt.to_vec(), iterations)
}

#[test]
fn published_digests_are_derived_bit_for_bit() {
    for (text, digest) in PUBLISHED {
        let read = SaltedDigest::parse(digest).unwrap();
        assert_eq!(*salted(text, &read.salt, read.iterations).to_text(), digest);
    }
}

#[test]
fn published_digests_verify_their_password_and_no_other() {
    for (text, digest) in PUBLISHED {
        let digest = SaltedDigest::parse(digest).unwrap();
        assert!(digest.verify(&password(text)));
        for wrong in
            [format!("{text} "), text.to_lowercase() + "x", format!("{text}\0"), "Pa$$w0rd1".to_owned()]
        {
            assert!(!digest.verify(&password(&wrong)), "{wrong:?} passed for {text:?}");
        }
    }
}

#[test]
fn a_derived_digest_has_the_cost_of_its_profile_and_verifies() {
    for profile in [Profile::Entra, Profile::Strong] {
        let digest = SaltedDigest::derive(NtHash::of_password(&password("correct horse")), profile);
        assert_eq!((digest.iterations(), digest.salt_len()), (profile.iterations(), profile.salt_len()));
        let digest = SaltedDigest::parse(&digest.to_text()).unwrap();
        assert!(digest.verify(&password("correct horse")));
        assert!(!digest.verify(&password("correct horsf")));
    }
}

#[test]
fn one_password_gives_two_digests() {
    let derive = || SaltedDigest::derive(NtHash::of_password(&password("same")), Profile::Entra).to_text();
    assert_ne!(*derive(), *derive());
}

#[test]
fn nobodys_password_fits_a_decoy_and_it_costs_the_same() {
    let decoy = SaltedDigest::decoy(Profile::Entra);
    assert_eq!((decoy.iterations(), decoy.salt_len()), (1000, 10));
    assert!(!decoy.verify(&password("")));
    assert!(!decoy.verify(&password("Pa$$w0rd")));
}

#[test]
fn a_different_hash_is_noticed_in_every_byte() {
    let right = salted("x", &[1; 8], 1);
    for place in 0..32 {
        let mut hash = right.hash.lend(|hash| *hash);
        hash[place] ^= 1;
        let bent = SaltedDigest { salt: vec![1; 8], iterations: 1, hash: Secret::new(hash) };
        assert!(!bent.verify(&password("x")), "byte {place}");
    }
}

#[test]
fn only_the_exact_grammar_is_read() {
    let salt = "181a3024085fcee2f70e";
    let hash = "b39525c3bc72a1136fcf7c8a338e0c14313d0450d1a4c98ef0a6ddada3bc5b0a";
    let refused = [
        (DigestError::Form, String::new()),
        (DigestError::Form, format!("v2;PPH1_MD4,{salt},1000,{hash};")),
        (DigestError::Form, format!("v1;PPH2_MD4,{salt},1000,{hash};")),
        (DigestError::Form, format!("V1;PPH1_MD4,{salt},1000,{hash};")),
        (DigestError::Form, format!(" v1;PPH1_MD4,{salt},1000,{hash};")),
        (DigestError::Form, format!("v1;PPH1_MD4,{salt},1000,{hash}")),
        (DigestError::Form, format!("v1;PPH1_MD4,{salt},1000,{hash};\n")),
        (DigestError::Form, format!("v1;PPH1_MD4,{salt},1000,{hash},;")),
        (DigestError::Form, format!("v1;PPH1_MD4,{salt},1000;")),
        (DigestError::Form, "v1;PPH1_MD4,;".to_owned()),
        (DigestError::Salt, format!("v1;PPH1_MD4,,1000,{hash};")),
        (DigestError::Salt, format!("v1;PPH1_MD4,{},1000,{hash};", "a".repeat(14))),
        (DigestError::Salt, format!("v1;PPH1_MD4,{},1000,{hash};", "a".repeat(66))),
        (DigestError::Salt, format!("v1;PPH1_MD4,{}0,1000,{hash};", salt)),
        (DigestError::Salt, format!("v1;PPH1_MD4,{},1000,{hash};", salt.to_uppercase())),
        (DigestError::Salt, format!("v1;PPH1_MD4, {},1000,{hash};", &salt[1..])),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},0,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},01000,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},+1000,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},-1,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},1e3,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},2000001,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},99999999999999999999,{hash};")),
        (DigestError::Iterations, format!("v1;PPH1_MD4,{salt},١٠٠,{hash};")),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,;")),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,{};", &hash[1..])),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,{};", &hash[2..])),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,{hash}00;")),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,{};", hash.to_uppercase())),
        (DigestError::Hash, format!("v1;PPH1_MD4,{salt},1000,{};", hash.replace('f', "g"))),
    ];
    for (error, text) in refused {
        assert_eq!(SaltedDigest::parse(&text).map(|_| ()), Err(error), "{text:?}");
        assert!(!format!("{error} {error:?}").contains("b39525"), "the error repeats the digest");
    }
    for length in [8, 32] {
        let text = format!("v1;PPH1_MD4,{},2000000,{hash};", "0a".repeat(length));
        assert_eq!(*SaltedDigest::parse(&text).unwrap().to_text(), text);
    }
}

#[test]
fn profiles_are_named_as_in_configuration() {
    for profile in [Profile::Strong, Profile::Entra] {
        assert_eq!(profile.as_str().parse(), Ok(profile));
        assert!(ITERATIONS.contains(&profile.iterations()) && SALT_BYTES.contains(&profile.salt_len()));
    }
    assert_eq!("Strong".parse::<Profile>(), Err(UnknownProfile));
    assert_eq!(Profile::default(), Profile::Strong);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(
        salt in proptest::collection::vec(any::<u8>(), 8..=32), iterations in ITERATIONS, hash: [u8; 32]
    ) {
        let text = SaltedDigest { salt, iterations, hash: Secret::new(hash) }.to_text();
        prop_assert_eq!(text.capacity(), text.len(), "the text was moved while it was written");
        prop_assert_eq!(SaltedDigest::parse(&text).unwrap().to_text(), text);
    }

    #[test]
    fn what_is_read_is_printed_as_it_was(text in "v1;PPH1_MD4,[0-9a-f]{14,20},[0-9]{1,5},[0-9a-f]{63,65};?") {
        if let Ok(digest) = SaltedDigest::parse(&text) {
            prop_assert_eq!(&*digest.to_text(), &text);
        }
    }

    #[test]
    fn a_digest_is_pbkdf2_of_the_upper_case_nt_hash_in_utf16(
        text in ".{0,24}", salt in proptest::collection::vec(any::<u8>(), 8..=32), iterations in 1_u32..200
    ) {
        use md4::Digest as _;
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let digits: String = md4::Md4::digest(units).iter().map(|b| format!("{b:02X}")).collect();
        let key: Vec<u8> = digits.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut peer = [0; 32];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&key, &salt, iterations, &mut peer);
        let digest = salted(&text, &salt, iterations);
        prop_assert!(digest.hash.lend(|hash| *hash == peer));
    }
}
