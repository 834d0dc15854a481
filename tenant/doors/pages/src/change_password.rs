//! The page on which a person changes the password.

use crate::display_text::DisplayText;
use crate::frame::{CSRF_FIELD, Chrome, Frame, REQUEST_FIELD, html_of};
use crate::link::Path;
use crate::sentence::Sentence;
use crate::texts::Texts;
use askama::Template;
use std::fmt;

/// The name of the field with the user name.
pub const NAME_FIELD: &str = "name";

/// The name of the field with the present password.
pub const OLD_FIELD: &str = "password";

/// The name of the field with the new password.
pub const NEW_FIELD: &str = "new-password";

/// The name of the field with the new password once more.
pub const REPEATED_FIELD: &str = "new-password-again";

/// The name of the hidden field with the rules that the page shows.
pub const RULES_FIELD: &str = "rules";

/// The page on which a person changes the password.
#[derive(Clone)]
pub struct ChangePassword {
    /// Where the form is posted.
    pub action: Path,
    /// Where a person goes who does not change it.
    pub cancel: Path,
    /// The token against forged requests.
    pub csrf: String,
    /// The handle of the request that the person was signing in for. None: the person has a session.
    pub request: Option<String>,
    /// The name with which the person signs in.
    pub name: DisplayText,
    /// What the directory demands of a new password, as far as it is known.
    pub rules: Rules,
    /// What the person must know.
    pub notice: Option<ChangeNotice>,
}

/// What a directory demands of a new password. Zero: nothing, or it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The fewest characters.
    pub minimum_length: u32,
    /// How many former passwords are not accepted.
    pub history: u32,
    /// It must have several kinds of characters.
    pub complex: bool,
    /// Hours until it may be changed again.
    pub minimum_age: u32,
}

/// What a person must know before another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeNotice {
    /// The password has expired or must be changed.
    Required,
    /// The present password is wrong.
    WrongPassword,
    /// Too many tries.
    TooManyTries,
    /// The new password and its repetition differ.
    Different,
    /// The new password is the present one.
    Same,
    /// The new password is too long.
    TooLong,
    /// The new password has fewer characters than this.
    TooShort(u32),
    /// The new password is one of this many former ones.
    InHistory(u32),
    /// The new password has too few kinds of characters, or the person's name in it.
    NotComplex,
    /// The password may not be changed, or not so soon after the last change.
    NotPermitted,
    /// The new password breaks one of the rules, and the directory does not say which.
    AgainstRules,
    /// The directory refuses the new password, in these words.
    Refused(DisplayText),
    /// The password cannot be changed at the moment. Nothing was changed.
    CannotChange,
}

impl ChangeNotice {
    /// Every notice.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Required,
            Self::WrongPassword,
            Self::TooManyTries,
            Self::Different,
            Self::Same,
            Self::TooLong,
            Self::TooShort(12),
            Self::InHistory(24),
            Self::NotComplex,
            Self::NotPermitted,
            Self::AgainstRules,
            Self::Refused("The password is too well known.".into()),
            Self::CannotChange,
        ]
    }

    /// The text, and the value in place of its placeholder.
    fn text(&self, t: &'static Texts) -> (&'static str, String) {
        let plain = |text| (text, String::new());
        match self {
            Self::Required => plain(t.change_required),
            Self::WrongPassword => plain(t.change_wrong_password),
            Self::TooManyTries => plain(t.too_many_tries),
            Self::Different => plain(t.change_different),
            Self::Same => plain(t.change_same),
            Self::TooLong => plain(t.change_too_long),
            Self::TooShort(count) => (t.change_too_short, count.to_string()),
            Self::InHistory(count) => (t.change_in_history, count.to_string()),
            Self::NotComplex => plain(t.change_not_complex),
            Self::NotPermitted => plain(t.change_not_permitted),
            Self::AgainstRules => plain(t.change_against_rules),
            Self::Refused(words) => (t.change_refused, words.as_str().to_owned()),
            Self::CannotChange => plain(t.change_impossible),
        }
    }

    /// Which field is wrong: the present password, or the new one.
    fn invalid(&self) -> (bool, bool) {
        match self {
            Self::WrongPassword => (true, false),
            Self::Different
            | Self::Same
            | Self::TooLong
            | Self::TooShort(_)
            | Self::InHistory(_)
            | Self::NotComplex
            | Self::AgainstRules
            | Self::Refused(_) => (false, true),
            Self::Required | Self::TooManyTries | Self::NotPermitted | Self::CannotChange => (false, false),
        }
    }

    /// The person must ask for help if it goes on.
    fn needs_help(&self) -> bool {
        matches!(self, Self::NotPermitted | Self::Refused(_))
    }
}

#[derive(Template)]
#[template(path = "change_password.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a ChangePassword,
    notice: Option<NoticeView<'a>>,
    rules: Vec<Sentence<'a>>,
    old_invalid: bool,
    new_invalid: bool,
}

struct NoticeView<'a> {
    text: Sentence<'a>,
    is_error: bool,
    needs_help: bool,
}

impl ChangePassword {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let notice = self.notice.as_ref().map(|notice| (notice, notice.text(t)));
        let (old_invalid, new_invalid) = self.notice.as_ref().map_or((false, false), ChangeNotice::invalid);
        let rules: Vec<(&str, String)> = self.rules.texts(t);
        html_of(&View {
            chrome: Chrome::new(frame, t.change_password),
            page: self,
            notice: notice.as_ref().map(|(notice, (text, value))| NoticeView {
                text: Sentence::new(text, value),
                is_error: **notice != ChangeNotice::Required,
                needs_help: notice.needs_help(),
            }),
            rules: rules.iter().map(|(text, value)| Sentence::new(text, value)).collect(),
            old_invalid,
            new_invalid,
        })
    }
}

impl Rules {
    /// Reads what [`Rules`] writes into the form, so that the page shows the rules again after a mistake. What a browser
    /// sends decides nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        let rules =
            Self { minimum_length: next()?, history: next()?, complex: next()? == 1, minimum_age: next()? };
        numbers.next().is_none().then_some(rules)
    }

    /// A text for each rule that holds, and the value in place of its placeholder.
    fn texts(self, t: &'static Texts) -> Vec<(&'static str, String)> {
        let Self { minimum_length, history, complex, minimum_age } = self;
        let mut texts = Vec::new();
        if minimum_length > 0 {
            texts.push((t.rule_length, minimum_length.to_string()));
        }
        if complex {
            texts.push((t.rule_complex, String::new()));
        }
        if history > 0 {
            texts.push((t.rule_history, history.to_string()));
        }
        match (minimum_age, minimum_age % 24) {
            (0, _) => {}
            (hours, 0) => texts.push((t.rule_age_days, (hours / 24).to_string())),
            (hours, _) => texts.push((t.rule_age_hours, hours.to_string())),
        }
        texts
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minimum_length, history, complex, minimum_age } = *self;
        write!(f, "{minimum_length}-{history}-{}-{minimum_age}", u8::from(complex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_back_from_the_form_and_odd_text_is_none() {
        let rules = Rules { minimum_length: 12, history: 24, complex: true, minimum_age: 48 };
        assert_eq!(Rules::parse(&rules.to_string()), Some(rules));
        for odd in ["", "1-2-1", "1-2-1-4-5", "-1-2-1-4", "a-2-1-4", "4294967296-2-1-4"] {
            assert_eq!(Rules::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn rules_that_do_not_hold_are_left_out_and_an_age_is_in_days_where_it_can_be() {
        let t = Texts::of(crate::language::Language::English);
        let shown = |rules: Rules| -> Vec<String> {
            rules.texts(t).into_iter().map(|(text, value)| crate::sentence::plain(text, &value)).collect()
        };
        assert_eq!(shown(Rules::default()), [""; 0]);
        let all = shown(Rules { minimum_length: 12, history: 24, complex: true, minimum_age: 48 });
        let [length, _, history, age] = &all[..] else { panic!("{all:?}") };
        assert!(length.contains("12") && history.contains("24") && age.contains(": 2"), "{all:?}");
        let hours = shown(Rules { minimum_age: 5, ..Rules::default() });
        assert!(matches!(&hours[..], [one] if one.contains(": 5")), "{hours:?}");
    }
}
