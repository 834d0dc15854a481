//! The pages on which a person lets a device without a browser sign in: the code, the question, and what came of it.

use crate::account::Moment;
use crate::display_text::DisplayText;
use crate::frame::{CSRF_FIELD, Chrome, Frame, REQUEST_FIELD, html_of};
use crate::link::Path;
use crate::sentence::{Sentence, plain};
use crate::texts::Texts;
use askama::Template;

/// The name of the field with the code that the device shows.
pub const CODE_FIELD: &str = "code";

/// The page on which a person types the code that a device shows.
#[derive(Clone)]
pub struct DeviceCode {
    /// Where the form is posted.
    pub action: Path,
    /// The token against forged requests.
    pub csrf: String,
    /// The name with which the person is signed in.
    pub name: Option<DisplayText>,
    /// What the person must know before another try.
    pub notice: Option<DeviceNotice>,
}

/// What a person must know before another code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceNotice {
    /// No device waits with this code.
    Wrong,
    /// Too many wrong codes were typed.
    TooManyTries,
}

/// The question whether a device may sign in. The person knows it by its code.
#[derive(Clone)]
pub struct DeviceQuestion {
    /// The application that the device signs in to.
    pub application: DisplayText,
    /// The code, as the device shows it.
    pub code: DisplayText,
    /// The address that the device has.
    pub address: DisplayText,
    /// When it began.
    pub at: Moment,
    /// The name with which the person is signed in.
    pub name: Option<DisplayText>,
    /// Where the form is posted that allows the device, and its token against forged requests.
    pub allow: (Path, String),
    /// The same for the form that refuses it.
    pub refuse: (Path, String),
}

/// The page after the answer.
#[derive(Clone, Debug)]
pub struct DeviceAnswered {
    /// The application that the device signs in to.
    pub application: DisplayText,
    /// Whether the device may sign in.
    pub is_allowed: bool,
}

#[derive(Template)]
#[template(path = "device_code.html")]
struct CodeView<'a> {
    chrome: Chrome<'a>,
    page: &'a DeviceCode,
    notice: Option<NoticeView>,
    invalid: bool,
    signed_in_as: Option<Sentence<'a>>,
}

struct NoticeView {
    text: &'static str,
    is_error: bool,
    needs_help: bool,
}

#[derive(Template)]
#[template(path = "device_question.html")]
struct QuestionView<'a> {
    chrome: Chrome<'a>,
    page: &'a DeviceQuestion,
    heading: Sentence<'a>,
    signed_in_as: Option<Sentence<'a>>,
}

#[derive(Template)]
#[template(path = "device_answered.html")]
struct AnsweredView<'a> {
    chrome: Chrome<'a>,
    heading: Sentence<'a>,
    advice: &'static str,
}

impl DeviceNotice {
    /// Every notice.
    pub const ALL: [Self; 2] = [Self::Wrong, Self::TooManyTries];
}

fn signed_in_as<'a>(t: &'static Texts, name: Option<&'a DisplayText>) -> Option<Sentence<'a>> {
    name.map(|name| Sentence::new(t.signed_in_as, name.as_str()))
}

impl DeviceCode {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let text = |notice| match notice {
            DeviceNotice::Wrong => t.device_wrong_code,
            DeviceNotice::TooManyTries => t.too_many_tries,
        };
        let view = |notice| NoticeView { text: text(notice), is_error: true, needs_help: false };
        html_of(&CodeView {
            chrome: Chrome::new(frame, t.device_title),
            page: self,
            notice: self.notice.map(view),
            invalid: self.notice == Some(DeviceNotice::Wrong),
            signed_in_as: signed_in_as(t, self.name.as_ref()),
        })
    }
}

impl DeviceQuestion {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let application = self.application.as_str();
        html_of(&QuestionView {
            chrome: Chrome::new(frame, &plain(t.device_question, application)),
            page: self,
            heading: Sentence::new(t.device_question, application),
            signed_in_as: signed_in_as(t, self.name.as_ref()),
        })
    }
}

impl DeviceAnswered {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let (heading, advice) = if self.is_allowed {
            (t.device_allowed_title, t.device_allowed)
        } else {
            (t.device_refused_title, t.device_refused)
        };
        let application = self.application.as_str();
        html_of(&AnsweredView {
            chrome: Chrome::new(frame, &plain(heading, application)),
            heading: Sentence::new(heading, application),
            advice,
        })
    }
}
