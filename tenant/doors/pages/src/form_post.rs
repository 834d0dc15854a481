//! The page that posts an answer to an application: `response_mode=form_post` of OAuth 2.0.

use crate::assets::FORM_POST_SCRIPT_PATH;
use crate::display_text::DisplayText;
use crate::frame::{Chrome, Frame, html_of};
use crate::link::Link;
use crate::sentence::{Sentence, plain};
use crate::texts::Texts;
use askama::Template;

/// The page that posts an answer to an application: at once with script, and by a button without.
///
/// Its policy is that of [`crate::headers::Scripts::Own`] with the origin of `target`.
#[derive(Clone)]
pub struct FormPost {
    /// The redirect URI of the application.
    pub target: Link,
    /// The application. None: its host is shown.
    pub application: Option<DisplayText>,
    /// The parameters of the answer. They hold a code or a token, so this type has no `Debug`.
    pub parameters: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "form_post.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a FormPost,
    heading: Sentence<'a>,
}

impl FormPost {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        let host = self.target.origin().as_str();
        let application = self.application.as_ref().map_or(host, DisplayText::as_str);
        html_of(&View {
            chrome: Chrome::new(frame, &plain(t.form_post_title, application)),
            page: self,
            heading: Sentence::new(t.form_post_title, application),
        })
    }
}
