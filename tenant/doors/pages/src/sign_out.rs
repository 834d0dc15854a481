//! The question before the sign-out, and the page after it.

use crate::display_text::DisplayText;
use crate::frame::{CSRF_FIELD, Chrome, Frame, REQUEST_FIELD, html_of};
use crate::link::{Link, Path};
use crate::sentence::{Sentence, back_to};
use crate::texts::Texts;
use askama::Template;

/// The question whether a person signs out of everything.
#[derive(Clone)]
pub struct SignOut {
    /// Where the form is posted.
    pub action: Path,
    /// The token against forged requests.
    pub csrf: String,
    /// The handle of the application's request to sign out. None: the person asked by herself.
    pub request: Option<String>,
    /// The name with which the person is signed in.
    pub name: Option<DisplayText>,
    /// Where a person goes who stays signed in.
    pub stay: Path,
}

/// The page after the sign-out.
#[derive(Clone, Debug)]
pub struct SignedOut {
    /// The application that asked for the sign-out.
    pub application: Option<DisplayText>,
    /// The application's page for people who are signed out.
    pub back: Option<Link>,
    /// Where the person signs in again.
    pub sign_in: Option<Path>,
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOutView<'a> {
    chrome: Chrome<'a>,
    page: &'a SignOut,
    signed_in_as: Option<Sentence<'a>>,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutView<'a> {
    chrome: Chrome<'a>,
    page: &'a SignedOut,
    back: Option<Sentence<'a>>,
}

impl SignOut {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        html_of(&SignOutView {
            chrome: Chrome::new(frame, t.sign_out_title),
            page: self,
            signed_in_as: self.name.as_ref().map(|name| Sentence::new(t.signed_in_as, name.as_str())),
        })
    }
}

impl SignedOut {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let application = self.application.as_ref().map(DisplayText::as_str);
        html_of(&SignedOutView {
            chrome: Chrome::new(frame, t.signed_out_title),
            page: self,
            back: self.back.as_ref().map(|link| back_to(t, application, link)),
        })
    }
}
