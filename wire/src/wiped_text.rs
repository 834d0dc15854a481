//! A text of a JSON message that is read without a copy that stays in memory. serde_json decodes a text with escapes in
//! a buffer of its own, which nothing wipes; here the text is decoded into one buffer that is.
//! Neighbour: the door of applications reads passwords so.

use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Reads a text. The message must be a slice or a `str` in memory that the caller wipes. An error never repeats the text.
///
/// # Errors
/// The value is no text.
pub fn wiped_text<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    decoded(raw.get()).ok_or_else(|| D::Error::custom("not a text"))
}

/// Decodes a JSON text with its quotes (RFC 8259 7); none: it is not one.
fn decoded(raw: &str) -> Option<Zeroizing<String>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    // An escape is never shorter than what it stands for, so the buffer does not grow.
    let mut text = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner.chars();
    while let Some(one) = rest.next() {
        let one = match one {
            '\\' => match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => unit(&mut rest).and_then(|high| scalar(high, &mut rest))?,
                same @ ('"' | '\\' | '/') => same,
                _ => return None,
            },
            '"' | '\0'..='\u{1f}' => return None,
            other => other,
        };
        text.push(one);
    }
    Some(text)
}

/// Four hexadecimal digits.
fn unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + rest.next()?.to_digit(16)?))
}

/// The character of a UTF-16 code unit, and of a second one after a high surrogate.
fn scalar(first: u32, rest: &mut std::str::Chars<'_>) -> Option<char> {
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if (rest.next()?, rest.next()?) != ('\\', 'u') {
        return None;
    }
    let low = unit(rest).filter(|low| (0xdc00..0xe000).contains(low))?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[derive(serde::Deserialize)]
    struct Message {
        #[serde(deserialize_with = "wiped_text")]
        text: Zeroizing<String>,
    }

    fn read(raw: &str) -> Option<String> {
        let message = format!(r#"{{ "text" : {raw} }}"#);
        serde_json::from_slice::<Message>(message.as_bytes()).ok().map(|message| message.text.to_string())
    }

    #[test]
    fn every_escape_is_decoded_as_serde_json_does_and_what_is_no_text_is_refused() {
        for raw in
            [r#""""#, r#""pä$$w0rd 密""#, r#""\"\\\/\b\f\n\r\t""#, r#""\u0041\u00e4\u5bC6\ud83d\uDE00""#]
        {
            assert_eq!(read(raw), Some(serde_json::from_str::<String>(raw).unwrap()), "{raw}");
        }
        for raw in [
            "7",
            "null",
            "[]",
            r#"{"a":"b"}"#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\x41""#,
            r#""\u12""#,
            "\"a\nb\"",
            r#""a"#,
            r#"a""#,
        ] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }

    #[test]
    fn the_buffer_does_not_grow() {
        let raw = format!("\"{}\"", r#"\ud83d\ude00ä\n"#.repeat(100));
        let text = decoded(&raw).unwrap();
        assert_eq!(text.capacity(), raw.len() - 2);
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            prop_assert_eq!(read(&serde_json::to_string(&text).unwrap()), Some(text));
        }

        #[test]
        fn whatever_is_read_is_what_serde_json_reads(inner in r#"(\\?["\\/bfnrtu]|[a-f0-9]{1,5}|\\u[dD][89a-fA-F][0-9a-f]{2}|[ -~]|ä){0,12}"#) {
            let raw = format!("\"{inner}\"");
            prop_assert_eq!(read(&raw), serde_json::from_str::<String>(&raw).ok());
        }
    }
}
