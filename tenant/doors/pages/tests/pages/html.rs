//! A strict reader of HTML: it accepts what our templates write, and nothing that a browser would have to mend.

/// Elements without content and end tag.
const VOID: &[&str] = &["img", "input", "link", "meta"];

/// Elements that may stand in a paragraph or a heading.
const PHRASING: &[&str] = &["a", "bdi", "code", "span", "time", "img"];

/// An element of a page.
pub(crate) struct Element {
    pub(crate) name: String,
    /// Attributes with their values, not escaped any more.
    pub(crate) attributes: Vec<(String, String)>,
    /// The text in it and in its descendants, not escaped any more.
    pub(crate) text: String,
    /// The elements around it, by their numbers, the outermost one first.
    pub(crate) ancestors: Vec<usize>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The elements of a page, or what is wrong with it.
pub(crate) fn parsed(html: &str) -> Result<Vec<Element>, String> {
    let mut rest = html.strip_prefix("<!DOCTYPE html>\n").ok_or("no doctype")?;
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while !rest.is_empty() {
        // 1. Text up to the next tag.
        let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        let text = unescaped(text)?;
        if open.is_empty() && !text.trim().is_empty() {
            return Err(format!("text outside the page: {text:?}"));
        }
        for element in &open {
            elements[*element].text.push_str(&text);
        }
        if after.is_empty() {
            break;
        }
        // 2. The tag.
        let (tag, after) = after[1..].split_once('>').ok_or("a tag has no end")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            let opened = &elements[element].name;
            if opened != name {
                return Err(format!("</{name}> closes <{opened}>"));
            }
            continue;
        }
        let (name, attributes) = tag.split_at(tag.find([' ', '\n']).unwrap_or(tag.len()));
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Err(format!("<{name}> is no name"));
        }
        let parents: Vec<&str> = open.iter().map(|element| elements[*element].name.as_str()).collect();
        check_parents(name, &parents)?;
        elements.push(Element {
            name: name.to_owned(),
            attributes: attributes_of(attributes)?,
            text: String::new(),
            ancestors: open.clone(),
        });
        if !VOID.contains(&name) {
            open.push(elements.len() - 1);
        }
    }
    match open.last() {
        Some(element) => Err(format!("<{}> is not closed", elements[*element].name)),
        None => Ok(elements),
    }
}

/// The rules of HTML about what may stand where, for the elements that our pages have.
fn check_parents(name: &str, parents: &[&str]) -> Result<(), String> {
    let parent = parents.last().copied().unwrap_or_default();
    let wrong = match parent {
        "p" | "h1" | "h2" | "a" | "button" | "label" | "bdi" | "time" | "span" => !PHRASING.contains(&name),
        "ul" | "ol" => name != "li",
        "dl" => name != "div",
        "title" | "script" => true,
        _ => false,
    };
    let nested = ["a", "button", "form", "label"].contains(&name) && parents.contains(&name);
    if wrong || nested || (name == "li" && !["ul", "ol"].contains(&parent)) {
        return Err(format!("<{name}> in <{parent}>"));
    }
    Ok(())
}

fn attributes_of(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix(' ').ok_or_else(|| format!("no space before an attribute: {text}"))?;
        let (name, after) = rest.split_at(rest.find([' ', '=']).unwrap_or(rest.len()));
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').ok_or("a value has no end")?;
                rest = after;
                unescaped(value)?
            }
            None => {
                rest = after;
                String::new()
            }
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Err(format!("{name:?} is no attribute: {text}"));
        }
        if attributes.iter().any(|(other, _)| other == name) {
            return Err(format!("{name} is there twice: {text}"));
        }
        attributes.push((name.to_owned(), value));
    }
    Ok(attributes)
}

/// The text with its character references resolved. Only numeric ones are accepted: the templates write no other.
fn unescaped(text: &str) -> Result<String, String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let reference = part.split_once(';').and_then(|(number, after)| {
            let number: u32 = number.strip_prefix('#')?.parse().ok()?;
            Some((char::from_u32(number)?, after))
        });
        let (c, after) = reference.ok_or_else(|| format!("a bare & in {text:?}"))?;
        plain.push(c);
        plain.push_str(after);
    }
    if plain.contains('\0') { Err("a NUL".to_owned()) } else { Ok(plain) }
}

#[test]
fn what_a_browser_would_have_to_mend_is_refused() {
    let page = |body: &str| parsed(&format!("<!DOCTYPE html>\n<html><body>{body}</body></html>\n"));
    let good = page("<p class=\"a\">1 &#38; <bdi>2</bdi></p><input name=\"x\" required>").unwrap();
    let names: Vec<&str> = good.iter().map(|element| element.name.as_str()).collect();
    assert_eq!(names, ["html", "body", "p", "bdi", "input"]);
    assert_eq!(good[2].text, "1 & 2");
    assert_eq!(good[2].attribute("class"), Some("a"));
    assert_eq!(good[3].ancestors, [0, 1, 2]);
    for wrong in [
        "<p>",
        "</p>",
        "<p><b></p></b>",
        "<p><ul></ul></p>",
        "<p>a & b</p>",
        "<p class=a>x</p>",
        "<p class=\"a\" class=\"b\">x</p>",
        "<p class=\"a\"id=\"b\">x</p>",
        "<P>x</P>",
        "<a href=\"/\"><bdi><a href=\"/\">x</a></bdi></a>",
        "<ul><p>x</p></ul>",
        "<li>x</li>",
    ] {
        assert!(page(wrong).is_err(), "{wrong}");
    }
    assert!(parsed("<html></html>").is_err());
}
