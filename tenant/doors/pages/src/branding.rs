//! Name, colour and logo of an installation.

use crate::assets::hashed_path;
use crate::colour::Colour;
use crate::display_text::DisplayText;
use crate::link::{Link, Path};

/// How an installation presents itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    /// The name above every page and at the end of every title.
    pub name: DisplayText,
    /// The colour of buttons, links and the mark beside the name. None: that of the stylesheet.
    pub colour: Option<Colour>,
    /// An image that stands in place of mark and name. Shown 40 pixels high, and at most 240 wide.
    pub logo: Option<Path>,
    /// Where a person finds help.
    pub help: Option<Link>,
}

/// The stylesheet with the colour of an installation. Inline styles are forbidden, so the colour has its own file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandStylesheet {
    /// The path below the issuer, with a hash of the content.
    pub path: String,
    /// The content.
    pub content: String,
}

impl Branding {
    /// The stylesheet that the caller serves for this branding. None: it has no colour.
    pub fn stylesheet(&self) -> Option<BrandStylesheet> {
        let accent = self.colour?;
        let on_accent = accent.text_on();
        let [light, dark] = Colour::SURFACES.map(|surface| accent.readable_on(surface));
        let content = format!(
            ":root{{--accent:{accent};--on-accent:{on_accent};--accent-ink:{light}}}\n\
             @media (prefers-color-scheme:dark){{:root{{--accent-ink:{dark}}}}}\n"
        );
        Some(BrandStylesheet { path: hashed_path("brand", &content, "css"), content })
    }

    /// The first letter of the name, for the mark beside it.
    pub(crate) fn initial(&self) -> String {
        let first = self.name.as_str().chars().find(|c| c.is_alphanumeric());
        first.map(|c| c.to_uppercase().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Branding;

    #[test]
    fn the_colour_has_a_stylesheet_of_its_own() {
        let plain = Branding { name: "Example".into(), ..Branding::default() };
        assert_eq!(plain.stylesheet(), None);
        let yellow = Branding { colour: Some("#ffd400".parse().unwrap()), ..plain.clone() };
        let sheet = yellow.stylesheet().unwrap();
        assert!(sheet.content.starts_with(":root{--accent:#ffd400;--on-accent:#000000;--accent-ink:#"));
        assert!(sheet.path.starts_with("/assets/brand-") && sheet.path.ends_with(".css"));
        let red = Branding { colour: Some("#c00000".parse().unwrap()), ..plain };
        assert_ne!(red.stylesheet().unwrap().path, sheet.path);
    }

    #[test]
    fn the_mark_is_the_first_letter() {
        for (name, initial) in [("example", "E"), ("»öko« AG", "Ö"), ("", ""), ("—", ""), ("日本", "日")]
        {
            assert_eq!(Branding { name: name.into(), ..Branding::default() }.initial(), initial);
        }
    }
}
