//! A person's own page: applications, sessions, recent sign-ins.

use crate::display_text::DisplayText;
use crate::frame::{CSRF_FIELD, Chrome, Frame, html_of};
use crate::link::{Link, Path};
use crate::sentence::{Sentence, TimeSentence};
use crate::texts::Texts;
use askama::Template;

/// The name of the hidden field with the handle of the session to end.
pub const SESSION_FIELD: &str = "session";

/// The sign-ins that the page shows: the first ones of the list.
pub const SIGN_INS_SHOWN: usize = 20;

/// A person's own page.
#[derive(Clone)]
pub struct Account {
    /// The person's name, as people write it.
    pub person: DisplayText,
    /// The name with which the person signs in.
    pub sign_in_name: DisplayText,
    /// The token against forged requests, for all forms of the page.
    pub csrf: String,
    /// The page of [`crate::sign_out::SignOut`].
    pub sign_out: Path,
    /// Where the form is posted that ends one session.
    pub end_session: Path,
    /// Where the form is posted that ends all sessions but this one.
    pub end_other_sessions: Path,
    /// The page of [`crate::change_password::ChangePassword`]. None: the password cannot be changed here.
    pub change_password: Option<Path>,
    /// What the person must know of a change of password.
    pub notice: Option<PasswordNotice>,
    /// Whole days until the password expires. None: it does not, or when is not known.
    pub expires_in: Option<u32>,
    /// The applications that are assigned to the person.
    pub applications: Vec<AssignedApplication>,
    /// The open sessions.
    pub sessions: Vec<Session>,
    /// The sign-ins, the newest one first.
    pub sign_ins: Vec<RecentSignIn>,
}

/// What a person must know of a change of password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordNotice {
    /// It was changed.
    Changed,
    /// It cannot be changed here.
    Off,
}

/// An application that is assigned to a person.
#[derive(Clone, Debug)]
pub struct AssignedApplication {
    /// Its name.
    pub name: DisplayText,
    /// Where it is opened.
    pub link: Option<Link>,
}

/// An open session.
#[derive(Clone)]
pub struct Session {
    /// What the form sends to end it.
    pub handle: String,
    /// The device: `Firefox on Windows`.
    pub device: DisplayText,
    /// Where it was last used from: a town or an address.
    pub place: DisplayText,
    /// When the person signed in.
    pub since: Moment,
    /// When it was last used.
    pub last_used: Moment,
    /// It is the session of this request.
    pub is_this: bool,
}

/// A sign-in of the past.
#[derive(Clone, Debug)]
pub struct RecentSignIn {
    /// When.
    pub at: Moment,
    /// From where: a town or an address.
    pub place: DisplayText,
    /// To which application. None: to this page.
    pub application: Option<DisplayText>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A time, for people and for programs.
#[derive(Clone, Debug)]
pub struct Moment {
    /// As people read it, in the language of the page: `today at 09:14`.
    pub text: DisplayText,
    /// In the form of the attribute `datetime`: `2026-11-29T09:14:00Z`.
    pub datetime: String,
}

/// How a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The person was signed in.
    SignedIn,
    /// The password was wrong.
    WrongPassword,
    /// The account was locked after too many tries.
    TooManyTries,
    /// The password had expired or had to be changed.
    PasswordExpired,
    /// The account was disabled, expired or blocked.
    Account,
    /// The application was not assigned to the person.
    NotAssigned,
    /// Another rule refused it.
    Refused,
    /// The password could not be checked.
    CannotCheck,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::SignedIn,
        Self::WrongPassword,
        Self::TooManyTries,
        Self::PasswordExpired,
        Self::Account,
        Self::NotAssigned,
        Self::Refused,
        Self::CannotCheck,
    ];

    fn text(self, t: &'static Texts) -> &'static str {
        match self {
            Self::SignedIn => t.outcome_signed_in,
            Self::WrongPassword => t.outcome_wrong_password,
            Self::TooManyTries => t.outcome_too_many_tries,
            Self::PasswordExpired => t.outcome_password_expired,
            Self::Account => t.outcome_account,
            Self::NotAssigned => t.outcome_not_assigned,
            Self::Refused => t.outcome_refused,
            Self::CannotCheck => t.outcome_cannot_check,
        }
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a Account,
    sessions: Vec<SessionView<'a>>,
    has_other_sessions: bool,
    notice: Option<&'static str>,
    expires: Option<Sentence<'a>>,
    sign_ins: Vec<SignInView<'a>>,
}

struct SessionView<'a> {
    session: &'a Session,
    since: TimeSentence<'a>,
    last_used: TimeSentence<'a>,
}

struct SignInView<'a> {
    sign_in: &'a RecentSignIn,
    outcome: &'static str,
    is_good: bool,
}

impl<'a> SessionView<'a> {
    fn new(session: &'a Session, t: &'static Texts) -> Self {
        let time = |text, moment: &'a Moment| TimeSentence::new(text, moment.text.as_str(), &moment.datetime);
        Self {
            session,
            since: time(t.since, &session.since),
            last_used: time(t.last_used, &session.last_used),
        }
    }
}

impl<'a> SignInView<'a> {
    fn new(sign_in: &'a RecentSignIn, t: &'static Texts) -> Self {
        Self { sign_in, outcome: sign_in.outcome.text(t), is_good: sign_in.outcome == Outcome::SignedIn }
    }
}

impl Account {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let sign_ins = self.sign_ins.iter().take(SIGN_INS_SHOWN);
        let days = self.expires_in.map(|days| days.to_string());
        html_of(&View {
            expires: days.as_deref().map(|days| Sentence::new(t.password_expires, days)),
            chrome: Chrome::new(frame, t.account_title),
            page: self,
            sessions: self.sessions.iter().map(|session| SessionView::new(session, t)).collect(),
            has_other_sessions: self.sessions.iter().any(|session| !session.is_this),
            notice: self.notice.map(|notice| match notice {
                PasswordNotice::Changed => t.change_done,
                PasswordNotice::Off => t.change_off,
            }),
            sign_ins: sign_ins.map(|sign_in| SignInView::new(sign_in, t)).collect(),
        })
    }
}
