//! Text from a directory, an agent or an application, made safe for a terminal. A terminal obeys control characters,
//! and shows the text after a bidirectional control in another order than it was written: a name could hide what it is,
//! or what stands beside it. The programs and the tenant's logic print such text through here.

use std::fmt::Write as _;

/// Whether a terminal obeys the character, reorders other characters by it, or breaks the line at it: control
/// characters, bidirectional controls (Unicode UAX #9: LRM, RLM, ALM, embeddings, overrides, isolates), and the line
/// and paragraph separators.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line: each harmful character, a line feed included, is replaced by U+FFFD.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The text with its line feeds: each other harmful character is replaced by U+FFFD.
pub fn lines(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

/// A JSON text with each harmful character as `\uXXXX`, which leaves its values as they are. Line feeds between values
/// stay.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // JSON has such characters in strings alone. None is beyond U+FFFF, so one escape is enough.
        match is_harmful(c) && c != '\n' {
            true => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EVIL: &str = "a\u{1b}[2J\u{7f}\u{9b}\u{202e}txt.exe\u{2066}\u{200f}\u{61c}\u{2028}b\nc";

    #[test]
    fn control_characters_and_bidirectional_controls_never_reach_the_terminal() {
        for c in (0..0x20)
            .chain(0x7f..0xa0)
            .chain(0x2028..0x202f)
            .chain(0x2066..0x206a)
            .chain([0x61c, 0x200e, 0x200f])
        {
            assert!(is_harmful(char::from_u32(c).unwrap()), "{c:#x}");
        }
        assert!(!one_line(EVIL).chars().any(is_harmful));
        assert_eq!(lines("one\ntwo\u{202e}\r\n"), "one\ntwo\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn names_of_every_script_stay_as_they_are() {
        for name in ["Zoë Köhler", "Оля", "شيماء", "דָּנָה", "小林", "👩\u{200d}🚀", "मनीषा"]
        {
            assert_eq!(one_line(name), name);
        }
    }

    #[test]
    fn json_is_harmless_and_keeps_its_values() {
        let text = serde_json::to_string_pretty(&[EVIL, "plain"]).unwrap();
        let escaped = json(&text);
        assert!(!escaped.chars().any(|c| is_harmful(c) && c != '\n'), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [EVIL, "plain"]);
    }
}
