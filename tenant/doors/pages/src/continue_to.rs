//! The page that leads back to a program on the person's machine.
//!
//! `form-action` of a Content-Security-Policy has no form for the scheme of a program or for `http://[::1]`, and browsers apply
//! it to the redirects behind a form. So the answer to the sign-in form is this page, which goes on by itself.

use crate::display_text::DisplayText;
use crate::frame::{Chrome, Frame, html_of};
use crate::link::BadLink;
use crate::sentence::{Sentence, plain};
use crate::texts::Texts;
use askama::Template;
use std::fmt;
use std::str::FromStr;

/// The page.
#[derive(Clone)]
pub struct ContinueTo {
    /// The redirect URI with the answer in its query. It may hold a code, so this type has no `Debug`.
    pub target: ProgramUri,
    /// The application.
    pub application: DisplayText,
}

/// An address of a program on the person's machine: a scheme with a dot (RFC 8252 7.1), or `http` to `[::1]`.
#[derive(Clone)]
pub struct ProgramUri(String);

impl FromStr for ProgramUri {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        let refused = |byte: u8| {
            !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`' | b';')
        };
        if text.bytes().any(refused) {
            return Err(BadLink::Character);
        }
        let (scheme, _) = text.split_once(':').ok_or(BadLink::Scheme)?;
        let is_own = scheme.contains('.')
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
        let is_loopback = ["/", ":", "?"].iter().any(|next| text.starts_with(&format!("http://[::1]{next}")));
        if is_own || is_loopback { Ok(Self(text.to_owned())) } else { Err(BadLink::Scheme) }
    }
}

impl fmt::Display for ProgramUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Template)]
#[template(path = "continue_to.html")]
struct View<'a> {
    chrome: Chrome<'a>,
    page: &'a ContinueTo,
    heading: Sentence<'a>,
}

impl ContinueTo {
    /// The page as HTML.
    pub fn html(&self, frame: &Frame<'_>) -> String {
        let t = Texts::of(frame.language);
        html_of(&View {
            chrome: Chrome::new(frame, &plain(t.form_post_title, self.application.as_str())),
            page: self,
            heading: Sentence::new(t.form_post_title, self.application.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_program_has_a_scheme_of_its_own_or_is_on_the_machine() {
        for good in [
            "com.example.app:/callback?code=x&state=y",
            "com.example.app://back",
            "http://[::1]:51004/cb?code=x",
        ] {
            assert!(good.parse::<ProgramUri>().is_ok(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://wiki.example/callback",
            "http://[::1].evil.example/",
            "http://[::1]@evil.example/",
            "com.example.app:/x;url=https://evil.example",
            "com.example.app:/<x>",
            "no colon",
            "",
        ] {
            assert!(bad.parse::<ProgramUri>().is_err(), "{bad}");
        }
    }
}
