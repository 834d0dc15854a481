//! The stylesheet: contrast in both modes, no foreign resource, and a rule for every class.

use crate::every_page;
use landbridge_door_pages::assets::STYLESHEET;
use landbridge_door_pages::colour::{Colour, TEXT_CONTRAST};
use std::collections::{BTreeMap, BTreeSet};

/// The contrast that the edge of a field needs (WCAG 2.2, success criterion 1.4.11).
const EDGE_CONTRAST: f64 = 3.0;

/// The colours of the light and of the dark pages, by name.
fn colours() -> [BTreeMap<&'static str, Colour>; 2] {
    let mut blocks = STYLESHEET.split(":root {").skip(1).map(|block| {
        let lines = block.split('}').next().unwrap().split(';');
        let entries = lines.filter_map(|line| line.trim().strip_prefix("--")?.split_once(": "));
        entries.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect::<BTreeMap<_, _>>()
    });
    let light = blocks.next().unwrap();
    let mut dark = light.clone();
    dark.extend(blocks.next().unwrap());
    assert!(blocks.next().is_none());
    [light, dark]
}

#[test]
fn text_and_edges_have_enough_contrast_in_both_modes() {
    for (mode, colours) in ["light", "dark"].iter().zip(colours()) {
        let texts = [
            ("text", "page"),
            ("text", "card"),
            ("quiet", "page"),
            ("quiet", "card"),
            ("accent-ink", "page"),
            ("accent-ink", "card"),
            ("on-accent", "accent"),
            ("error", "error-page"),
            ("error", "card"),
            ("good", "card"),
        ];
        for (text, surface) in texts {
            let contrast = colours[text].contrast(colours[surface]);
            assert!(contrast >= TEXT_CONTRAST, "{mode}: {text} on {surface}: {contrast:.2}");
        }
        let contrast = colours["field"].contrast(colours["card"]);
        assert!(contrast >= EDGE_CONTRAST, "{mode}: {contrast:.2}");
    }
}

#[test]
fn brand_colours_are_computed_for_the_surfaces_of_the_stylesheet() {
    let [light, dark] = colours();
    assert_eq!(Colour::SURFACES, [light["page"], dark["card"]]);
    // The other surface of each mode is farther from the text.
    assert!(light["card"].contrast(Colour::BLACK) > light["page"].contrast(Colour::BLACK));
    assert!(dark["page"].contrast(Colour::WHITE) > dark["card"].contrast(Colour::WHITE));
}

#[test]
fn the_stylesheet_loads_nothing() {
    for word in ["url(", "@import", "@font-face", "expression(", "http"] {
        assert!(!STYLESHEET.contains(word), "{word}");
    }
    assert!(STYLESHEET.len() < 16 * 1024);
    assert_eq!(STYLESHEET.matches('{').count(), STYLESHEET.matches('}').count());
    assert!(STYLESHEET.contains("prefers-reduced-motion"));
}

#[test]
fn every_class_has_a_rule() {
    let pages = every_page();
    let classes =
        pages.iter().flat_map(|page| &page.elements).filter_map(|element| element.attribute("class"));
    let classes: BTreeSet<&str> = classes.flat_map(str::split_whitespace).collect();
    // The information notice looks as every notice does.
    let without =
        classes.iter().filter(|class| !STYLESHEET.contains(&format!(".{class}")) && **class != "info");
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&&str>::new());
}
