//! All pages in both languages: well-formed, accessible, escaped; and the stylesheet.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod escaping;
mod html;
#[path = "../../examples/gallery/samples.rs"]
mod samples;
mod shape;
mod stylesheet;

use html::Element;
use landbridge_door_pages::frame::Frame;
use landbridge_door_pages::language::Language;

/// The path of the issuer in these tests.
const ROOT: &str = "/tenant";

/// A page of the samples.
struct Page {
    name: String,
    language: Language,
    html: String,
    elements: Vec<Element>,
}

impl Page {
    /// The elements with this name, in the order of the page.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }
}

/// Every sample in both languages and with every branding.
fn every_page() -> Vec<Page> {
    let mut all = Vec::new();
    for (brand, branding) in samples::brandings().unwrap() {
        for language in Language::ALL {
            let frame = Frame { branding: &branding, language, root: ROOT };
            for (page, html) in samples::pages(&frame).unwrap() {
                let name = format!("{brand}-{page}-{}", language.tag());
                let elements = html::parsed(&html).unwrap_or_else(|why| panic!("{name}: {why}"));
                all.push(Page { name, language, html, elements });
            }
        }
    }
    assert!(all.len() > 200, "{}", all.len());
    all
}
