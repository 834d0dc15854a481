//! Text as editors and shells write it into files. On Windows that is UTF-8 with a byte order mark or UTF-16, with CR LF
//! at the ends of lines; a configuration, a password or a PEM file must not fail for that.

use zeroize::Zeroizing;

/// Why the bytes of a file are not text. The words say what to do and repeat nothing of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// UTF-16 is recognised by its mark alone, and there is none.
    #[error("it is UTF-16 without a byte order mark: save it as UTF-8")]
    Unmarked,
    /// It has the mark of UTF-16, and what follows is not UTF-16.
    #[error("it begins as UTF-16 and goes on as something else: save it as UTF-8")]
    BrokenUtf16,
    /// A NUL in a text is a mistake of the program that wrote it.
    #[error("it holds a NUL byte, so it is no text file")]
    Nul,
    /// Neither UTF-8 nor UTF-16.
    #[error("it is not UTF-8: save it as UTF-8, not as ANSI")]
    NotUtf8,
}

/// The text of a file: UTF-8 or UTF-16, without its byte order mark. Wiped when dropped.
pub fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    let text = if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        utf_16(rest, u16::from_le_bytes)?
    } else if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        utf_16(rest, u16::from_be_bytes)?
    } else {
        let rest = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
        if is_unmarked(rest) {
            return Err(NotText::Unmarked);
        }
        Zeroizing::new(std::str::from_utf8(rest).map_err(|_| NotText::NotUtf8)?.to_owned())
    };
    if text.contains('\0') { Err(NotText::Nul) } else { Ok(text) }
}

/// The first line of a file, without the end of the line. Wiped when dropped.
pub fn first_line(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    let text = decode(bytes)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(NotText::BrokenUtf16);
    }
    // Sized once, so that growing leaves no copy of a secret behind: a unit is at most three bytes of UTF-8.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.push(character.map_err(|_| NotText::BrokenUtf16)?);
    }
    Ok(text)
}

/// Whether every second byte is zero, as in UTF-16 of mostly Latin text.
fn is_unmarked(bytes: &[u8]) -> bool {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let zero = |at: usize| pairs.iter().filter(|pair| pair.get(at) == Some(&0)).count();
    // Most of them, because other characters may stand among them.
    let most = |count: usize| count > 0 && count * 2 > pairs.len();
    rest.is_empty() && (most(zero(0)) != most(zero(1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn utf_16_of(text: &str, bytes: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_is_the_same_however_windows_saves_it() {
        let text = "pässwörd 🔑\r\nnote\r\n\r\n";
        for saved in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf_16_of(text, u16::to_le_bytes, true),
            utf_16_of(text, u16::to_be_bytes, true),
        ] {
            assert_eq!(decode(&saved).unwrap().as_str(), text);
            assert_eq!(first_line(&saved).unwrap().as_str(), "pässwörd 🔑");
        }
        for ends in ["word", "word\n", "word\r\n", "word\n\n\n"] {
            assert_eq!(first_line(ends.as_bytes()).unwrap().as_str(), "word");
        }
        assert_eq!(first_line(b"").unwrap().as_str(), "");
        assert_eq!(first_line(b"\xef\xbb\xbf").unwrap().as_str(), "");
        // Blanks are part of a line.
        assert_eq!(first_line(b" a b \r\n").unwrap().as_str(), " a b ");
    }

    #[test]
    fn what_is_no_text_is_named_and_nothing_of_it_is_repeated() {
        for (bytes, why) in [
            (utf_16_of("hunter2", u16::to_le_bytes, false), NotText::Unmarked),
            (utf_16_of("hunter2", u16::to_be_bytes, false), NotText::Unmarked),
            (b"\xff\xfeh\0u".to_vec(), NotText::BrokenUtf16),
            (b"\xff\xfe\x00\xd8h\0".to_vec(), NotText::BrokenUtf16),
            (b"hunter2\xe4".to_vec(), NotText::NotUtf8),
            (b"hunter2 \0 is the password".to_vec(), NotText::Nul),
            // UTF-32 has the mark of UTF-16, and NULs.
            (b"\xff\xfe\0\0h\0\0\0".to_vec(), NotText::Nul),
        ] {
            let refused = decode(&bytes).unwrap_err();
            assert_eq!(refused, why, "{bytes:?}");
            assert!(!refused.to_string().contains("hunter"), "{refused}");
        }
    }
}
