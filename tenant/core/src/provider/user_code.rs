//! The code that a device shows and a person types (RFC 8628 6.1). Pure.
//! Neighbours: [`super::device_requests`] makes one for each request.

use landbridge_crypto::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// The letters of a code: none that is a vowel, so that no word comes about.
const LETTERS: [u8; 20] = *b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code. 20⁸ are 25,600,000,000 codes.
const LENGTH: usize = 8;
/// Limit on the bytes that are read of what a person types: a code with a blank around each letter.
const MAX_TYPED: usize = 64;

/// A code. Wiped when dropped. `Debug` shows nothing of it.
pub struct UserCode(Zeroizing<String>);

impl UserCode {
    /// A random one.
    pub fn generate() -> Self {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        while code.len() < LENGTH {
            // Each letter is as likely as any other: octets from 240 on would prefer some.
            Secret::<32>::random().lend(|octets| {
                let letters = octets.iter().filter(|octet| **octet < 240);
                let letters = letters.filter_map(|octet| LETTERS.get(usize::from(octet % 20)));
                let missing = LENGTH - code.len();
                code.extend(letters.map(|letter| char::from(*letter)).take(missing));
            });
        }
        Self(code)
    }

    /// Reads what a person types: in capital or small letters, with dashes and blanks or without.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        if typed.len() > MAX_TYPED {
            return None;
        }
        for letter in typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
            let letter = letter.to_ascii_uppercase();
            let is_letter = u8::try_from(letter).is_ok_and(|octet| LETTERS.contains(&octet));
            if !is_letter || code.len() == LENGTH {
                return None;
            }
            code.push(letter);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code as it is shown: four letters, a dash, and four letters.
    pub fn to_text(&self) -> Zeroizing<String> {
        let (first, second) = self.0.split_at(LENGTH / 2);
        Zeroizing::new(format!("{first}-{second}"))
    }

    /// The letters alone, for a hash.
    pub(super) fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in
            ["WDJB-MJHT", "wdjbmjht", " WDJB MJHT ", "w d j b - m j h t", "WdJb\u{a0}mJhT", "-WDJBMJHT-"]
        {
            let read = UserCode::parse(typed).map(|code| code.to_text());
            assert_eq!(read.as_ref().map(|text| text.as_str()), Some("WDJB-MJHT"), "{typed:?}");
        }
        for typed in [
            "",
            "-",
            "WDJB-MJH",
            "WDJB-MJHTB",
            "WDJB-MJHA",
            "WDJB-MJH0",
            "WDJB_MJHT",
            "WDJB-MJHſ",
            "ＷDJB-MJHT",
            "WDJB-MJHT\0",
        ] {
            assert!(UserCode::parse(typed).is_none(), "{typed:?}");
        }
        assert!(UserCode::parse(&format!("WDJB{}MJHT", " ".repeat(57))).is_none(), "it is too long");
    }

    #[test]
    fn a_new_code_is_read_again_and_has_every_letter_sooner_or_later() {
        let mut letters = BTreeSet::new();
        for _ in 0..200 {
            let code = UserCode::generate();
            let text = code.to_text();
            assert_eq!(UserCode::parse(&text).unwrap().octets(), code.octets());
            assert_eq!(format!("{code:?}"), "UserCode(..)");
            letters.extend(code.octets().to_vec());
        }
        // 1,600 letters lack one of 20 in one of 10³⁴ runs.
        assert_eq!(letters.len(), LETTERS.len());
    }
}
