//! What all pages have around their content: title, stylesheets, brand and help.

use crate::assets::{icon_path, stylesheet_path};
use crate::branding::Branding;
use crate::language::Language;
use crate::texts::Texts;
use askama::Template;

/// The name of the hidden field with the token against forged requests.
pub const CSRF_FIELD: &str = "csrf";

/// The name of the hidden field with the handle of the request that a page belongs to.
pub const REQUEST_FIELD: &str = "request";

/// What a page shows around its content.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// How the installation presents itself.
    pub branding: &'a Branding,
    /// The language of the page.
    pub language: Language,
    /// The path of the issuer without the slash at its end. Empty: the issuer has no path.
    pub root: &'a str,
}

/// The frame as the templates read it.
pub(crate) struct Chrome<'a> {
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) t: &'static Texts,
    pub(crate) title: String,
    pub(crate) stylesheet: &'static str,
    pub(crate) brand_stylesheet: Option<String>,
    pub(crate) icon: &'static str,
    pub(crate) initial: String,
}

impl<'a> Chrome<'a> {
    /// A frame around a page with this title, to which the name of the brand is added.
    pub(crate) fn new(frame: &'a Frame<'a>, title: &str) -> Self {
        Self {
            frame,
            t: Texts::of(frame.language),
            title: format!("{title} · {}", frame.branding.name),
            stylesheet: stylesheet_path(),
            brand_stylesheet: frame.branding.stylesheet().map(|sheet| sheet.path),
            icon: icon_path(),
            initial: frame.branding.initial(),
        }
    }
}

/// The HTML of a template. Values of the pages are text, and writing text into memory does not fail.
pub(crate) fn html_of(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}
