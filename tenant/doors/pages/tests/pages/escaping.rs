//! Names from outside are text: no markup, no marks of direction, and exact where a program reads them.

use crate::samples::HOSTILE;
use crate::{Page, every_page};

/// Marks that change the direction of text.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn hostile_pages() -> Vec<Page> {
    let pages: Vec<Page> = every_page().into_iter().filter(|page| page.name.contains("hostile")).collect();
    assert!(pages.len() >= 60, "{}", pages.len());
    pages
}

#[test]
fn markup_in_a_name_is_text() {
    for page in hostile_pages() {
        assert!(!page.html.contains("<script>"), "{}", page.name);
        let shown =
            page.elements.iter().any(|element| element.text.contains("<script>alert(1)</script>\"'&gnp.exe"));
        assert!(shown, "{}", page.name);
    }
}

#[test]
fn no_mark_of_direction_is_shown() {
    for page in hostile_pages() {
        for element in &page.elements {
            assert!(!element.text.contains(is_mark), "{}: {:?}", page.name, element.text);
            for attribute in ["alt", "title", "aria-label", "content"] {
                assert!(
                    !element.attribute(attribute).is_some_and(|value| value.contains(is_mark)),
                    "{}",
                    page.name
                );
            }
        }
    }
}

#[test]
fn every_name_is_isolated_from_the_text_around_it() {
    for page in hostile_pages() {
        let holders = page.elements.iter().enumerate().filter(|(_, element)| {
            element.text.contains("alert(1)") && !["title", "time"].contains(&&*element.name)
        });
        for (at, element) in holders {
            let inner = page
                .elements
                .iter()
                .any(|other| other.ancestors.contains(&at) && other.text.contains("alert(1)"));
            assert!(inner || ["bdi", "code"].contains(&&*element.name), "{}: {}", page.name, element.name);
        }
    }
}

#[test]
fn what_a_program_reads_is_exact() {
    for page in every_page().iter().filter(|page| page.name.contains("form-post")) {
        let value = |name| page.named("input").find(move |input| input.attribute("name") == Some(name));
        assert_eq!(value("state").unwrap().attribute("value"), Some(HOSTILE));
        assert_eq!(value("code").unwrap().attribute("value"), Some("c29tZSBjb2Rl"));
    }
    for page in every_page().iter().filter(|page| page.name.contains("sign-in-hostile")) {
        let token = page.named("input").find(|input| input.attribute("name") == Some("csrf")).unwrap();
        assert_eq!(token.attribute("value"), Some(HOSTILE));
    }
}
