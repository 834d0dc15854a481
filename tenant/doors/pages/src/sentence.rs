//! A text with a value in it.

use crate::link::Link;
use crate::texts::Texts;
use askama::Template;
use askama::filters::HtmlSafe;

/// A text of the table with a value in place of its placeholder. The value is escaped, and its direction cannot
/// change that of the text around it.
#[derive(Clone, Template)]
#[template(source = "{{ before }}<bdi>{{ value }}</bdi>{{ after }}", ext = "html")]
pub(crate) struct Sentence<'a> {
    before: &'a str,
    value: &'a str,
    after: &'a str,
}

/// A text of the table with a time in place of its placeholder.
#[derive(Clone, Template)]
#[template(
    source = r#"{{ before }}<time datetime="{{ datetime }}">{{ value }}</time>{{ after }}"#,
    ext = "html"
)]
pub(crate) struct TimeSentence<'a> {
    before: &'a str,
    value: &'a str,
    datetime: &'a str,
    after: &'a str,
}

// Each is a template, which has escaped its values.
impl HtmlSafe for Sentence<'_> {}
impl HtmlSafe for TimeSentence<'_> {}

impl<'a> Sentence<'a> {
    pub(crate) fn new(text: &'a str, value: &'a str) -> Self {
        let (before, after) = split(text);
        Self { before, value, after }
    }
}

impl<'a> TimeSentence<'a> {
    pub(crate) fn new(text: &'a str, value: &'a str, datetime: &'a str) -> Self {
        let (before, after) = split(text);
        Self { before, value, datetime, after }
    }
}

/// The text with the value in place of its placeholder, without markup: for titles, not yet escaped.
pub(crate) fn plain(text: &str, value: &str) -> String {
    let (before, after) = split(text);
    format!("{before}{value}{after}")
}

/// The words of a link back: to the application, or to its site when the application has no name.
pub(crate) fn back_to<'a>(t: &'static Texts, application: Option<&'a str>, link: &'a Link) -> Sentence<'a> {
    Sentence::new(t.back_to_application, application.unwrap_or(link.origin().as_str()))
}

/// What stands before and after the placeholder. A text without one stands before.
fn split(text: &str) -> (&str, &str) {
    let parts = text.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)));
    parts.unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::{Sentence, TimeSentence, plain};

    #[test]
    fn the_value_is_escaped_and_isolated() {
        let sentence = Sentence::new("Sign in to {application} & more", "<b>\"Wiki\"</b> {x}");
        let expected = "Sign in to <bdi>&#60;b&#62;&#34;Wiki&#34;&#60;/b&#62; {x}</bdi> &#38; more";
        assert_eq!(sentence.to_string(), expected);
        let time = TimeSentence::new("Since {time}", "today", "2026-01-01T00:00:00Z\"");
        assert_eq!(time.to_string(), "Since <time datetime=\"2026-01-01T00:00:00Z&#34;\">today</time>");
        assert_eq!(plain("Bei {application} anmelden", "Wiki"), "Bei Wiki anmelden");
    }
}
