//! Text that other programs sent, made safe to print.

/// The text with each control character replaced by U+FFFD. AD accepts control characters in names, and a terminal
/// would obey them.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
