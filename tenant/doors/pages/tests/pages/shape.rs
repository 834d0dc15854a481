//! What every page has, and what none has.

use crate::html::Element;
use crate::{Page, ROOT, every_page};
use landbridge_door_pages::assets::{FORM_POST_SCRIPT_PATH, stylesheet_path};
use std::collections::BTreeSet;

#[test]
fn every_page_has_one_heading_a_title_a_language_and_the_stylesheet() {
    for page in every_page() {
        let name = &page.name;
        let html = page.named("html").next().unwrap();
        assert_eq!(html.attribute("lang"), Some(page.language.tag()), "{name}");
        for element in ["h1", "title", "main"] {
            let found: Vec<_> = page.named(element).collect();
            assert_eq!(found.len(), 1, "{name}: {element}");
            assert!(!found[0].text.trim().is_empty(), "{name}: {element}");
        }
        let title = &page.named("title").next().unwrap().text;
        assert!(title.contains(" · "), "{name}: {title}");
        let sheets = page.named("link").map(|link| link.attribute("href").unwrap());
        assert!(sheets.into_iter().any(|path| path == format!("{ROOT}{}", stylesheet_path())), "{name}");
    }
}

#[test]
fn no_page_has_inline_style_or_script_or_anything_of_another_host() {
    for page in every_page() {
        let name = &page.name;
        for element in &page.elements {
            for (attribute, _) in &element.attributes {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{name}: {attribute}");
            }
            for attribute in ["src", "srcset", "data", "poster"] {
                let path = element.attribute(attribute);
                assert!(path.is_none_or(|path| path.starts_with(&format!("{ROOT}/"))), "{name}: {path:?}");
            }
        }
        for link in page.named("link") {
            assert!(link.attribute("href").unwrap().starts_with(&format!("{ROOT}/assets/")), "{name}");
        }
        for forbidden in ["style", "iframe", "object", "embed", "base", "svg"] {
            assert_eq!(page.named(forbidden).count(), 0, "{name}: {forbidden}");
        }
        let scripts: Vec<_> =
            page.named("script").map(|script| (script.attribute("src"), &*script.text)).collect();
        let script = format!("{ROOT}{FORM_POST_SCRIPT_PATH}");
        let expected = if name.contains("form-post") { vec![(Some(&*script), "")] } else { Vec::new() };
        assert_eq!(scripts, expected, "{name}");
    }
}

#[test]
fn ids_are_unique_and_what_refers_to_one_finds_it() {
    for page in every_page() {
        let ids: Vec<&str> = page.elements.iter().filter_map(|element| element.attribute("id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{}: {ids:?}", page.name);
        for element in &page.elements {
            for attribute in ["for", "aria-describedby", "aria-labelledby"] {
                let targets = element.attribute(attribute).unwrap_or_default();
                assert!(
                    targets.split(' ').all(|id| id.is_empty() || unique.contains(id)),
                    "{}: {targets}",
                    page.name
                );
            }
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_button_words() {
    for page in every_page() {
        for input in page.named("input").filter(|input| input.attribute("type") != Some("hidden")) {
            let id = input.attribute("id").unwrap();
            let label = page.named("label").find(|label| label.attribute("for") == Some(id)).unwrap();
            assert!(!label.text.trim().is_empty(), "{}: {id}", page.name);
        }
        for control in page.named("button").chain(page.named("a")) {
            assert!(!control.text.trim().is_empty(), "{}", page.name);
        }
    }
}

#[test]
fn every_form_to_the_issuer_is_posted_with_a_token() {
    for page in every_page() {
        for (at, form) in page.elements.iter().enumerate().filter(|(_, element)| element.name == "form") {
            assert_eq!(form.attribute("method"), Some("post"), "{}", page.name);
            let inside = || page.elements.iter().filter(move |element| element.ancestors.contains(&at));
            assert_eq!(inside().filter(|element| element.name == "button").count(), 1, "{}", page.name);
            let tokens = inside().filter(|element| element.attribute("name") == Some("csrf")).count();
            if page.name.contains("form-post") {
                assert_eq!(form.attribute("action"), Some("https://wiki.corp.example/callback?tenant=a&b=c"));
                assert_eq!(tokens, 0, "{}", page.name);
            } else {
                assert!(form.attribute("action").unwrap().starts_with(&format!("{ROOT}/")), "{}", page.name);
                assert_eq!(tokens, 1, "{}", page.name);
            }
        }
    }
}

/// The ids of the fields that have the focus at first.
fn focused(page: &Page) -> Vec<&str> {
    let focused = page.elements.iter().filter(|element| element.attribute("autofocus").is_some());
    focused.filter_map(|element| element.attribute("id")).collect()
}

#[test]
fn the_first_empty_field_has_the_focus() {
    for page in every_page().iter().filter(|page| page.name.contains("-sign-in")) {
        let field = |id| page.named("input").find(move |input| input.attribute("id") == Some(id)).unwrap();
        assert_eq!(field("name").attribute("autocomplete"), Some("username"));
        assert_eq!(field("password").attribute("autocomplete"), Some("current-password"));
        assert_eq!(field("password").attribute("value"), None, "a password is never sent back");
        let first = if field("name").attribute("value") == Some("") { "name" } else { "password" };
        assert_eq!(focused(page), [first], "{}", page.name);
    }
}

#[test]
fn a_notice_is_announced_and_only_one_is_shown() {
    for page in every_page() {
        let notices: Vec<_> =
            page.elements.iter().filter(|element| element.attribute("id") == Some("notice")).collect();
        // A form as it is seen at first has none, and its name ends with the language.
        let form = ["sign-in", "change-password", "device-code"]
            .into_iter()
            .find(|form| page.name.contains(&format!("-{form}-")));
        let expected = form.is_some_and(|form| {
            !["-own-", "-fixed-"].iter().any(|plain| page.name.contains(plain))
                && !["en", "de"].iter().any(|language| page.name.ends_with(&format!("-{form}-{language}")))
        });
        assert_eq!(notices.len(), usize::from(expected), "{}", page.name);
        let informs = ["SessionEnded", "PasswordChanged", "change-password-Required"]
            .iter()
            .any(|kind| page.name.contains(kind));
        let role = if informs { "status" } else { "alert" };
        assert!(notices.iter().all(|notice| notice.attribute("role") == Some(role)), "{}", page.name);
        // The focus is in a field when the page opens: a screen reader reads what describes the field.
        let by_notice = |input: &&Element| {
            let described = input.attribute("aria-describedby").unwrap_or_default();
            described.split(' ').any(|id| id == "notice")
        };
        let described = page.named("input").filter(by_notice);
        let fields = if form == Some("device-code") { 1 } else { 2 };
        assert_eq!(described.count(), fields * notices.len(), "{}", page.name);
    }
}

#[test]
fn the_own_page_shows_twenty_sign_ins() {
    for page in
        every_page().iter().filter(|page| page.name.contains("-account-") && page.html.contains("Hamburg"))
    {
        let rows = page
            .elements
            .iter()
            .filter(|element| element.attribute("class").is_some_and(|class| class.starts_with("outcome")));
        assert_eq!(rows.count(), 20, "{}", page.name);
    }
}
