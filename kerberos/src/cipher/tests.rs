//! The vectors of RFC 3962 B and RFC 8009 A, and what must not open.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::key::tests::hex;

fn key(enctype: Enctype) -> Key {
    Key::new(enctype, &(0..).take(enctype.key_length()).collect::<Vec<u8>>()).unwrap()
}

#[test]
fn ciphertext_is_stolen_as_in_rfc_3962() {
    let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
    let tail = "97687268d6ecccc0c07b25e25ecfe5";
    #[rustfmt::skip]
    let cases = [
        (17, "c6353568f2bf8cb4d8a580362da7ff7f97".to_owned()),
        (31, format!("fc00783e0efdb2c1d445d4c8eff7ed22{tail}")),
        (32, format!("39312523a78662d5be7fcbcc98ebf5a8{tail}84")),
        (47, format!("{tail}84b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5")),
        (48, format!("{tail}849dad8bbb96c4cdc03bc103e1a194bbd839312523a78662d5be7fcbcc98ebf5a8")),
        (64, format!("{tail}8439312523a78662d5be7fcbcc98ebf5a84807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8")),
    ];
    // The vectors are of the cipher alone, with a key that is not derived.
    let bare = DerivedKey::of_bytes(b"chicken teriyaki");
    let cipher =
        Cipher { enctype: Enctype::Aes128Sha1, encrypting: bare, signing: DerivedKey::of_bytes(&[]) };
    for (length, expected) in cases {
        let mut buffer = text[..length].to_vec();
        cipher.crypt(&mut buffer, Direction::Encrypt).unwrap();
        assert_eq!(buffer, hex(&expected), "{length}");
        cipher.crypt(&mut buffer, Direction::Decrypt).unwrap();
        assert_eq!(buffer, text[..length]);
    }
}

#[test]
fn messages_are_sealed_as_in_rfc_8009() {
    let small = Key::new(Enctype::Aes128Sha256, &hex("3705D96080C17728A0E800EAB6E0D23C")).unwrap();
    let large = "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52";
    let large = Key::new(Enctype::Aes256Sha384, &hex(large)).unwrap();
    #[rustfmt::skip]
    let cases: [(&Key, &[u8], &str, &str); 4] = [
        (&small, &[], "7E5895EAF2672435BAD817F545A37148",
         "EF85FB890BB8472F4DAB20394DCA781D AD877EDA39D50C870C0D5A0A8E48C718"),
        (&small, &[0, 1, 2, 3, 4, 5], "7BCA285E2FD4130FB55B1A5C83BC5B24",
         "84D7F30754ED987BAB0BF3506BEB09CFB55402CEF7E6 877CE99E247E52D16ED4421DFDF8976C"),
        (&large, &[], "F764E9FA15C276478B2C7D0C4E5F58E4",
         "41F53FA5BFE7026D91FAF9BE959195A0 58707273A96A40F0A01960621AC612748B9BBFBE7EB4CE3C"),
        (&large, &[0, 1, 2, 3, 4, 5], "B80D3251C1F6471494256FFE712D0B9A",
         "4ED7B37C2BCAC8F74F23C1CF07E62BC7B75FB3F637B9 F559C7F664F69EAB7B6092237526EA0D1F61CB20D69D10F2"),
    ];
    for (key, text, confounder, expected) in cases {
        let cipher = Cipher::of_number(key, 2);
        let sealed = cipher.seal(hex(confounder).try_into().unwrap(), text);
        assert_eq!(sealed, hex(expected));
        assert_eq!(*cipher.open(&sealed).unwrap(), text);
    }
    let text: Vec<u8> = (0..=0x14).collect();
    assert_eq!(checksum_of_number(&small, 2, &text), hex("D78367186643D67B411CBA9139FC1DEE"));
    let expected = "45EE791567EEFCA37F4AC1E0222DE80D43C3BFA06699672A";
    assert_eq!(checksum_of_number(&large, 2, &text), hex(expected));
}

#[test]
fn what_is_sealed_opens_whatever_its_length_and_nothing_that_was_altered_does() {
    for enctype in Enctype::ALL {
        let cipher = Cipher::new(&key(enctype), Usage::AsReply);
        for length in 0..70 {
            let text: Vec<u8> = (0..length).collect();
            let sealed = cipher.seal([7; BLOCK], &text);
            assert_eq!(sealed.len(), BLOCK + text.len() + enctype.mac_length());
            assert_eq!(*cipher.open(&sealed).unwrap(), text, "{enctype}, {length}");
        }
        let sealed = cipher.seal([7; BLOCK], b"twenty bytes or more");
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(cipher.open(&bent).is_err(), "{enctype}, {at}");
        }
        for end in 0..sealed.len() {
            assert!(cipher.open(&sealed[..end]).is_err(), "{enctype}, {end}");
        }
        let other = Cipher::new(&key(enctype), Usage::TgsReply);
        assert!(other.open(&sealed).is_err(), "another usage, {enctype}");
    }
}
