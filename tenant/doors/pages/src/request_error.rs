//! The page for a request that is wrong and leads back to no application.

use crate::display_text::DisplayText;
use crate::frame::{Chrome, Frame, html_of};
use crate::texts::Texts;
use askama::Template;

/// The page for a request that is wrong: words for the person, details for an administrator.
#[derive(Clone, Debug)]
pub struct RequestError {
    /// What is wrong.
    pub fault: RequestFault,
    /// The application, as the request names it.
    pub application: Option<DisplayText>,
    /// What an administrator must know beside the code: `redirect_uri is missing`.
    pub detail: Option<DisplayText>,
    /// What finds the request in the log.
    pub reference: Option<DisplayText>,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// No application has the client id.
    UnknownApplication,
    /// The redirect URI is not registered for the application.
    WrongReturn,
    /// A parameter is missing, is there twice, or has a wrong form.
    Malformed,
    /// The request is too old, or has been answered.
    Expired,
    /// The form has no valid token, or comes from another site.
    ForgedForm,
    /// The path does not exist.
    NotFound,
    /// The server cannot answer.
    Failure,
}

impl RequestFault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::UnknownApplication,
        Self::WrongReturn,
        Self::Malformed,
        Self::Expired,
        Self::ForgedForm,
        Self::NotFound,
        Self::Failure,
    ];

    /// The code for the administrator. It is the same in every language and version.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownApplication => "unknown-application",
            Self::WrongReturn => "redirect-uri-not-registered",
            Self::Malformed => "malformed-request",
            Self::Expired => "request-expired",
            Self::ForgedForm => "form-not-accepted",
            Self::NotFound => "not-found",
            Self::Failure => "server-failure",
        }
    }

    /// Title, what is wrong, and what to do.
    fn texts(self, t: &'static Texts) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::UnknownApplication => (t.request_error_title, t.unknown_application, Some(t.tell_support)),
            Self::WrongReturn => (t.request_error_title, t.wrong_return, Some(t.tell_support)),
            Self::Malformed => (t.request_error_title, t.malformed_request, Some(t.tell_support)),
            Self::Expired => (t.expired_title, t.expired_request, Some(t.start_again)),
            Self::ForgedForm => (t.expired_title, t.forged_form, Some(t.start_again)),
            Self::NotFound => (t.not_found_title, t.not_found, None),
            Self::Failure => (t.failure_title, t.failure, None),
        }
    }
}

#[derive(Template)]
#[template(path = "request_error.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a RequestError,
    heading: &'static str,
    fault: &'static str,
    advice: Option<&'static str>,
}

impl RequestError {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let (heading, fault, advice) = self.fault.texts(Texts::of(frame.language));
        html_of(&View { chrome: Chrome::new(frame, heading), page: self, heading, fault, advice })
    }
}
