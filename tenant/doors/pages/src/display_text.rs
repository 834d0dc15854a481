//! A name from outside, without characters that disturb the text around it.

use std::fmt;

/// Limit on the characters of a name. A longer one is cut and ends in `…`.
const MAX_CHARS: usize = 256;

/// A name from outside as a page shows it: of a person, an application, a device or a town.
///
/// It has no control characters and no marks that change the direction of the text, so it cannot rearrange what
/// stands beside it. Templates escape it and put it into `<bdi>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisplayText(String);

impl DisplayText {
    /// The text as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for DisplayText {
    fn from(text: T) -> Self {
        let mut kept = text.as_ref().chars().filter(|c| !is_disturbing(*c));
        let mut shown: String = kept.by_ref().take(MAX_CHARS).collect();
        if kept.next().is_some() {
            shown.pop();
            shown.push('…');
        }
        Self(shown.trim().to_owned())
    }
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, and what Unicode calls bidirectional controls, separators of lines, and zero-width marks that
/// nothing shows.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
        )
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}

#[cfg(test)]
mod tests {
    use super::{DisplayText, MAX_CHARS};

    #[test]
    fn marks_of_direction_and_control_characters_are_removed() {
        for mark in
            ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}').chain(['\0', '\n', '\u{7f}', '\u{200F}'])
        {
            let text = DisplayText::from(format!("Wi{mark}ki"));
            assert_eq!(text.as_str(), "Wiki", "{mark:?}");
        }
    }

    #[test]
    fn letters_of_every_script_are_kept() {
        // The last one needs its zero-width joiner.
        for name in ["Zoë Müller", "山田太郎", "محمد", "Ünal & Söhne <GmbH>", "👩\u{200D}💻"]
        {
            assert_eq!(DisplayText::from(name).as_str(), name);
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let exact = "ä".repeat(MAX_CHARS);
        assert_eq!(DisplayText::from(&exact).as_str(), exact);
        let cut = DisplayText::from("ä".repeat(MAX_CHARS + 1));
        assert_eq!(cut.as_str().chars().count(), MAX_CHARS);
        assert!(cut.as_str().ends_with('…'));
    }
}
