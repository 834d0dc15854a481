//! The languages of the pages, and the choice by what a browser prefers.

/// Limit on the bytes of `Accept-Language` that are read. Browsers send fewer than 100.
const MAX_HEADER: usize = 512;

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, also for everyone whose languages are not here.
    #[default]
    English,
    /// German, in the polite form.
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language that the header `Accept-Language` prefers. English: the header names neither.
    ///
    /// Of languages with the same quality the first one wins. A quality that cannot be read excludes its language.
    pub fn of(accept_language: &str) -> Self {
        let end = accept_language.floor_char_boundary(MAX_HEADER);
        let header = accept_language.get(..end).unwrap_or_default();
        let mut best = (0, Self::default());
        for range in header.split(',') {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let language = match tag.trim() {
                "*" => Some(Self::default()),
                tag => Self::of_tag(tag),
            };
            if let (Some(language), Some(quality)) = (language, quality(parameter))
                && quality > best.0
            {
                best = (quality, language);
            }
        }
        best.1
    }

    /// The language of a tag such as `de-AT`, as in `ui_locales` of OpenID Connect. None: the pages lack it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The tag of the language, for `lang` and `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

/// A quality such as `q=0.8` in thousandths. None: it has another form (RFC 9110, section 12.4.2).
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.trim().split_once('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !name.trim_end().eq_ignore_ascii_case("q") || !digits {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, English, German};

    #[test]
    fn the_language_with_the_highest_quality_wins() {
        let cases = [
            ("", English),
            ("de", German),
            ("DE-at", German),
            ("en", English),
            ("de-DE,de;q=0.9,en;q=0.8", German),
            ("en-US,en;q=0.9,de;q=0.8", English),
            ("en;q=0.3, de;q=0.7", German),
            ("en;q=0.7, de;q=0.7", English),
            ("de;q=0.7, en;q=0.7", German),
            ("fr, de;q=0.1", German),
            ("fr", English),
            ("*, de;q=0.5", English),
            ("de, *;q=0.5", German),
        ];
        for (header, language) in cases {
            assert_eq!(Language::of(header), language, "{header}");
        }
    }

    #[test]
    fn a_quality_of_zero_or_of_another_form_excludes_its_language() {
        for header in
            ["de;q=0", "de;q=0.000", "de;q=1.5", "de;q=-1", "de;q=0.1234", "de;q=NaN", "de;x", "de;q=+1"]
        {
            assert_eq!(Language::of(header), English, "{header}");
        }
    }

    #[test]
    fn only_the_start_of_a_long_header_is_read() {
        let long = format!("{}de", "fr,".repeat(1000));
        assert_eq!(Language::of(&long), English);
        // A limit within a character.
        assert_eq!(Language::of(&"ä".repeat(1000)), English);
        assert_eq!(Language::of(&format!("de,{}", "€".repeat(1000))), German);
    }

    #[test]
    fn a_tag_counts_with_any_region() {
        assert_eq!(Language::of_tag("de-CH"), Some(German));
        assert_eq!(Language::of_tag("en_GB"), Some(English));
        assert_eq!(Language::of_tag("den"), None);
        assert_eq!(Language::of_tag(""), None);
    }
}
