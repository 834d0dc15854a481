//! Text from elsewhere, made fit to be shown.

/// The text without control characters: AD accepts them in names, and a terminal must not receive them.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
