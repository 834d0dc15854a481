//! Names that are not used, because they say too little or mean something else in each file.

use crate::source::{Token, after_block, shipped_tokens};
use crate::{root, shipped, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Names that no function, type, variant, field or module has, and the names to use instead.
const UNUSED: &[(&str, &str)] = &[
    ("told", "stopped, disclosable, to_problem, wire_link or snapshot"),
    ("decide", "sign_in, verify_by_digest or respond"),
    ("decided", "sign_in, verify_by_digest or respond"),
    ("Before", "NextStep"),
    ("By", "DecidedBy or Actor"),
    ("Wish", "Attempt"),
    ("Asker", "Caller"),
    ("spend", "derive, redeem or charge"),
    ("take", "apply or acquire"),
    ("usual", "typical_delay"),
    ("judge", "account_state"),
    ("fold", "checkpoint"),
    ("pause", "equal_delay"),
    ("gate", "queue"),
    ("Line", "a qualified name: RelayLine, AgentLink"),
    ("Ask", "a qualified name: Request, Step"),
    ("Place", "a qualified name: Position, Destination"),
    ("Brought", "OperatorCertificate"),
    ("Room", "AdBudget"),
    ("Making", "NewDirectory"),
    ("us", "own_uid"),
    ("live", "connections"),
    ("peer", "certificate_names"),
    ("tally", "counts"),
    ("Tally", "Counts"),
];

/// Names that one type of the whole workspace may have, and no second one.
const ONCE: &[&str] = &["Who", "Tenant", "Verdict"];

/// The names that the tokens define, each as often as it is defined.
fn defined(tokens: &[Token]) -> Vec<&str> {
    let mut names = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.name() {
            Some("fn" | "mod" | "trait" | "type") => names.extend(tokens.get(i + 1).and_then(Token::name)),
            Some(keyword @ ("struct" | "enum")) => {
                names.extend(tokens.get(i + 1).and_then(Token::name));
                // Generics and `where` stand between the name and the block; a tuple struct has no block.
                let opens = tokens[i..].iter().position(|t| t.is('{') || t.is(';')).map(|n| i + n);
                if let Some(open) = opens.filter(|n| tokens[*n].is('{')) {
                    names.extend(members(&tokens[open..after_block(tokens, open)], keyword == "enum"));
                }
            }
            _ => {}
        }
    }
    names
}

/// The types and traits that the tokens define.
fn types(tokens: &[Token]) -> impl Iterator<Item = &str> {
    let opens = |token: &Token| matches!(token.name(), Some("struct" | "enum" | "trait" | "type"));
    tokens.windows(2).filter(move |pair| opens(&pair[0])).filter_map(|pair| pair[1].name())
}

/// The variants and fields in the block of a type.
fn members(block: &[Token], is_enum: bool) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 0;
    for (i, token) in block.iter().enumerate() {
        match token {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark('}' | ')' | ']') => depth -= 1,
            Token::Name(name) => {
                let before = block.get(i.wrapping_sub(1));
                let opens = before.is_some_and(|t| t.is('{') || t.is(',') || t.is(']'));
                let field = block.get(i + 1).is_some_and(|t| t.is(':'));
                if field || (is_enum && depth == 1 && opens) {
                    names.push(name.as_str());
                }
            }
            Token::PathSeparator | Token::Literal(_) | Token::Mark(_) => {}
        }
    }
    names
}

#[test]
fn no_item_has_a_name_that_says_too_little() {
    // 1. Which names are defined where, and how often.
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut once: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let folders: Vec<String> = shipped().iter().map(|folder| folder.display().to_string()).collect();
    // A fixture is compiled for tests alone.
    let shipped_file =
        |file: &PathBuf| file.extension().is_some_and(|e| e == "rs") && !file.ends_with("fixture.rs");
    for file in sources().into_iter().filter(shipped_file) {
        let tokens = shipped_tokens(&std::fs::read_to_string(root().join(&file)).unwrap());
        let file = file.display().to_string();
        let folder = folders.iter().find(|folder| file.starts_with(&format!("{folder}/src/"))).unwrap();
        for name in defined(&tokens) {
            if UNUSED.iter().any(|(unused, _)| *unused == name) {
                *found.entry((folder.clone(), name.to_owned())).or_default() += 1;
            }
        }
        for name in types(&tokens) {
            if let Some(name) = ONCE.iter().find(|once| **once == name) {
                once.entry(name).or_default().push(file.clone());
            }
        }
    }
    // 2. What is not allowed.
    let mut wrong: Vec<String> = found
        .keys()
        .map(|(folder, name)| {
            let better = UNUSED.iter().find(|(unused, _)| unused == name).unwrap().1;
            format!("{folder} defines `{name}`; better: {better}")
        })
        .collect();
    for (name, files) in &once {
        if files.len() > 1 {
            wrong.push(format!("`{name}` is defined more than once: {files:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn definitions_are_found() {
    let text = "pub struct Line<T> where T: Copy { pub(crate) told: T, b: Vec<u8> } struct Tuple(u8);
        enum By { #[doc(hidden)] Wish, Room(u8), Inner { live: u8 } = 3 }
        mod peer; fn take<'a>(spend: u8) { let Place = usual; Iterator::fold(); } type Ask = u8;";
    let tokens = shipped_tokens(text);
    let names: BTreeSet<&str> = defined(&tokens).into_iter().collect();
    let expected =
        ["Ask", "By", "Inner", "Line", "Room", "Tuple", "Wish", "b", "live", "peer", "take", "told"];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}
