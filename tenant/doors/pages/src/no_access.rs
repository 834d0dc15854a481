//! The page for a person who is signed in and cannot use an application.

use crate::display_text::DisplayText;
use crate::frame::{Chrome, Frame, html_of};
use crate::link::{Link, Path};
use crate::sentence::{Sentence, back_to, plain};
use crate::texts::Texts;
use askama::Template;

/// The page for a person who cannot use an application.
#[derive(Clone, Debug)]
pub struct NoAccess {
    /// The application.
    pub application: Option<DisplayText>,
    /// The name with which the person is signed in.
    pub name: Option<DisplayText>,
    /// Why the application cannot be used.
    pub reason: NoAccessReason,
    /// Where the person signs in with another name.
    pub another: Option<Path>,
    /// The application's page for people who did not sign in.
    pub back: Option<Link>,
}

/// Why a person cannot use an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAccessReason {
    /// It is not assigned to the person.
    NotAssigned,
    /// The account is disabled, expired or blocked.
    Account,
    /// The application is switched off.
    Application,
}

#[derive(Template)]
#[template(path = "no_access.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a NoAccess,
    heading: Option<Sentence<'a>>,
    reason: &'static str,
    advice: &'static str,
    signed_in_as: Option<Sentence<'a>>,
    back: Option<Sentence<'a>>,
}

impl NoAccess {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let application = self.application.as_ref().map(DisplayText::as_str);
        let title = application.map_or(t.no_access_title.to_owned(), |name| plain(t.no_access_to, name));
        let (reason, advice) = match self.reason {
            NoAccessReason::NotAssigned => (t.no_access_not_assigned, t.ask_for_access),
            NoAccessReason::Account => (t.no_access_account, t.ask_about_account),
            NoAccessReason::Application => (t.no_access_application, t.try_later),
        };
        html_of(&View {
            chrome: Chrome::new(frame, &title),
            page: self,
            heading: application.map(|name| Sentence::new(t.no_access_to, name)),
            reason,
            advice,
            signed_in_as: self.name.as_ref().map(|name| Sentence::new(t.signed_in_as, name.as_str())),
            back: self.back.as_ref().map(|link| back_to(t, application, link)),
        })
    }
}
