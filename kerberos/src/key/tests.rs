//! The vectors of RFC 3961 A.1, RFC 3962 B and RFC 8009 A.

#![allow(clippy::unwrap_used)]

use super::*;

/// Bytes from hexadecimal digits, spaces left out.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|one| !one.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

#[test]
fn constants_are_folded_as_in_rfc_3961() {
    assert_eq!(folded::<8>(b"012345"), *hex("be072631276b1955"));
    assert_eq!(folded::<7>(b"password"), *hex("78a07b6caf85fa"));
    assert_eq!(folded::<8>(b"Rough Consensus, and Running Code"), *hex("bb6ed30870b7f0e0"));
    assert_eq!(folded::<21>(b"password"), *hex("59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"));
    assert_eq!(
        folded::<24>(b"MASSACHVSETTS INSTITVTE OF TECHNOLOGY"),
        *hex("db3b0d8f0b061e603282b308a50841229ad798fab9540c1b")
    );
    assert_eq!(folded::<21>(b"Q"), *hex("518a54a215a8452a518a54a215a8452a518a54a215"));
    assert_eq!(folded::<21>(b"ba"), *hex("fb25d531ae8974499f52fd92ea9857c4ba24cf297e"));
    assert_eq!(folded::<8>(b"kerberos"), *b"kerberos");
    assert_eq!(folded::<16>(b"kerberos"), *hex("6b657262 65726f73 7b9b5b2b 93132b93"));
    assert_eq!(folded::<21>(b"kerberos"), *hex("8372c236 344e5f15 50cd0747 e15d62ca 7a5a3bce a4"));
    assert_eq!(
        folded::<32>(b"kerberos"),
        *hex("6b657262 65726f73 7b9b5b2b 93132b93 5c9bdcda d95c9899 c4cae4de e6d6cae4")
    );
}

#[test]
fn passwords_become_keys_as_in_rfc_3962() {
    let x64 = "X".repeat(64);
    let x65 = "X".repeat(65);
    let odd_salt = hex("1234567878563412");
    let athena = b"ATHENA.MIT.EDUraeburn";
    #[rustfmt::skip]
    let cases: [(&str, &[u8], u32, &str, &str); 7] = [
        ("password", athena, 1, "42263c6e89f4fc28b8df68ee09799f15",
         "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"),
        ("password", athena, 2, "c651bf29e2300ac27fa469d693bdda13",
         "a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff"),
        ("password", athena, 1200, "4c01cd46d632d01e6dbe230a01ed642a",
         "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"),
        ("password", &odd_salt, 5, "e9b23d52273747dd5c35cb55be619d8e",
         "97a4e786be20d81a382d5ebc96d5909cabcdadc87ca48f574504159f16c36e31"),
        (&x64, b"pass phrase equals block size", 1200, "59d1bb789a828b1aa54ef9c2883f69ed",
         "89adee3608db8bc71f1bfbfe459486b05618b70cbae22092534e56c553ba4b34"),
        (&x65, b"pass phrase exceeds block size", 1200, "cb8005dc5f90179a7f02104c0018751d",
         "d78c5c9cb872a8c9dad4697f0bb5b2d21496c82beb2caeda2112fceea057401b"),
        ("\u{1d11e}", b"EXAMPLE.COMpianist", 50, "f149c1f2e154a73452d43e7fe62a56e5",
         "4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e"),
    ];
    for (password, salt, iterations, small, large) in cases {
        let password = Password::new(password.to_owned());
        let iterations = NonZeroU32::new(iterations).unwrap();
        for (enctype, expected) in [(Enctype::Aes128Sha1, small), (Enctype::Aes256Sha1, large)] {
            let key = Key::of_password_unchecked(&password, enctype, salt, iterations);
            assert!(key.lend(|key| key == hex(expected)), "{enctype}, {iterations} iterations");
        }
    }
}

#[test]
fn passwords_become_keys_as_in_rfc_8009() {
    let password = Password::new("password".to_owned());
    let salt = [&hex("10DF9DD783E5BC8ACEA1730E74355F61")[..], b"ATHENA.MIT.EDUraeburn"].concat();
    for (enctype, expected) in [
        (Enctype::Aes128Sha256, "089BCA48B105EA6EA77CA5D2F39DC5E7"),
        (Enctype::Aes256Sha384, "45BD806DBF6A833A9CFFC1C94589A222367A79BC21C413718906E9F578A78467"),
    ] {
        for parameters in [None, Some(&32_768u32.to_be_bytes()[..])] {
            let key = Key::of_password(&password, enctype, &salt, parameters).unwrap();
            assert!(key.lend(|key| key == hex(expected)), "{enctype}");
        }
    }
}

#[test]
fn keys_are_derived_as_in_rfc_8009() {
    let small = Key::new(Enctype::Aes128Sha256, &hex("3705D96080C17728A0E800EAB6E0D23C")).unwrap();
    let large = "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52";
    let large = Key::new(Enctype::Aes256Sha384, &hex(large)).unwrap();
    for (key, purpose, expected) in [
        (&small, Purpose::Checksum, "B31A018A48F54776F403E9A396325DC3"),
        (&small, Purpose::Encrypt, "9B197DD1E8C5609D6E67C3E37C62C72E"),
        (&small, Purpose::Integrity, "9FDA0E56AB2D85E1569A688696C26A6C"),
        (&large, Purpose::Checksum, "EF5718BE86CC84963D8BBB5031E9F5C4BA41F28FAF69E73D"),
        (&large, Purpose::Encrypt, "56AB22BEE63D82D7BC5227F6773F8EA7A5EB1C825160C38312980C442E5C7E49"),
        (&large, Purpose::Integrity, "69B16514E3CD8E56B82010D5C73012B622C4D00FFC23ED1F"),
    ] {
        assert!(key.derive_number(2, purpose).lend(|derived| derived == hex(expected)), "{expected}");
    }
}

#[test]
fn parameters_outside_the_bounds_are_refused() {
    let password = Password::new("password".to_owned());
    let of = |enctype, parameters: &[u8]| {
        Key::of_password(&password, enctype, b"salt", Some(parameters)).map(drop)
    };
    for enctype in Enctype::ALL {
        for named in [0, 1, MIN_ITERATIONS - 1, MAX_ITERATIONS + 1, u32::MAX] {
            assert_eq!(of(enctype, &named.to_be_bytes()), Err(Error::Iterations { named }), "{enctype}");
        }
        assert_eq!(of(enctype, &MIN_ITERATIONS.to_be_bytes()), Ok(()));
        for length in [0, 3, 5] {
            assert!(matches!(of(enctype, &vec![0xff; length]), Err(Error::Protocol(_))), "{length}");
        }
        let long = Key::of_password(&password, enctype, &[b'x'; MAX_SALT + 1], None);
        assert!(matches!(long, Err(Error::Protocol(_))));
    }
}

#[test]
fn a_key_has_the_length_of_its_type_and_shows_nothing() {
    for enctype in Enctype::ALL {
        for length in 0..64 {
            let key = Key::new(enctype, &vec![b'A'; length]);
            assert_eq!(key.is_some(), length == enctype.key_length());
            assert!(!format!("{key:?}").contains("65"), "{key:?}");
        }
    }
}
