//! The sign-in page: name and password.

use crate::display_text::DisplayText;
use crate::frame::{CSRF_FIELD, Chrome, Frame, REQUEST_FIELD, html_of};
use crate::link::Path;
use crate::sentence::{Sentence, plain};
use crate::texts::Texts;
use askama::Template;

/// The name of the field with the user name.
pub const NAME_FIELD: &str = "name";

/// The name of the field with the password.
pub const PASSWORD_FIELD: &str = "password";

/// The page on which a person types name and password.
#[derive(Clone)]
pub struct SignIn {
    /// The application to which the person returns. None: a page of Landbridge itself.
    pub application: Option<DisplayText>,
    /// Where the form is posted.
    pub action: Path,
    /// The token against forged requests.
    pub csrf: String,
    /// The handle of the request that the sign-in answers.
    pub request: String,
    /// What is known of the name.
    pub name: KnownName,
    /// What the person must know before another try.
    pub notice: Option<Notice>,
}

/// What is known of the name of the person who signs in.
#[derive(Clone, Debug)]
pub enum KnownName {
    /// Nothing: the field is empty.
    Empty,
    /// It was typed before, and can be changed.
    Typed(DisplayText),
    /// It is known from a session, and is fixed.
    Fixed {
        /// The name.
        name: DisplayText,
        /// Where a person with another name goes.
        another: Path,
    },
}

/// What a person must know before another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The name or the password is wrong.
    WrongPassword,
    /// Too many tries: the account or the address is locked for a while.
    TooManyTries,
    /// The password has expired or must be changed.
    PasswordExpired,
    /// The account has expired.
    AccountExpired,
    /// The application is not assigned to the account.
    NotAssigned,
    /// No domain controller or digest can answer now.
    CannotCheck,
    /// The session has ended.
    SessionEnded,
    /// The password was changed.
    PasswordChanged,
    /// It is not known whether the password was changed.
    ChangeNotKnown,
}

impl Notice {
    /// Every notice.
    pub const ALL: [Self; 9] = [
        Self::WrongPassword,
        Self::TooManyTries,
        Self::PasswordExpired,
        Self::AccountExpired,
        Self::NotAssigned,
        Self::CannotCheck,
        Self::SessionEnded,
        Self::PasswordChanged,
        Self::ChangeNotKnown,
    ];

    fn text(self, t: &'static Texts) -> &'static str {
        match self {
            Self::WrongPassword => t.wrong_password,
            Self::TooManyTries => t.too_many_tries,
            Self::PasswordExpired => t.password_expired,
            Self::AccountExpired => t.account_expired,
            Self::NotAssigned => t.not_assigned,
            Self::CannotCheck => t.cannot_check,
            Self::SessionEnded => t.session_ended,
            Self::PasswordChanged => t.password_changed,
            Self::ChangeNotKnown => t.change_not_known,
        }
    }

    /// The person must ask for help.
    fn needs_help(self) -> bool {
        matches!(
            self,
            Self::PasswordExpired | Self::AccountExpired | Self::NotAssigned | Self::ChangeNotKnown
        )
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a SignIn,
    heading: Option<Sentence<'a>>,
    notice: Option<NoticeView>,
    /// The content of the name field.
    name: &'a str,
    /// Where a person with another name goes. None: the name can be changed.
    another: Option<&'a Path>,
    invalid: bool,
}

struct NoticeView {
    text: &'static str,
    /// Something went wrong. Otherwise the notice is for information.
    is_error: bool,
    needs_help: bool,
}

impl SignIn {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let application = self.application.as_ref().map(DisplayText::as_str);
        let title = application.map_or(t.sign_in.to_owned(), |name| plain(t.sign_in_to, name));
        let (name, another) = match &self.name {
            KnownName::Empty => ("", None),
            KnownName::Typed(name) => (name.as_str(), None),
            KnownName::Fixed { name, another } => (name.as_str(), Some(another)),
        };
        html_of(&View {
            chrome: Chrome::new(frame, &title),
            page: self,
            heading: application.map(|name| Sentence::new(t.sign_in_to, name)),
            notice: self.notice.map(|notice| NoticeView {
                text: notice.text(t),
                is_error: !matches!(notice, Notice::SessionEnded | Notice::PasswordChanged),
                needs_help: notice.needs_help(),
            }),
            name,
            another,
            invalid: self.notice == Some(Notice::WrongPassword),
        })
    }
}
