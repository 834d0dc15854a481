//! The generated definitions, read by a parser that was written from the grammar of RFC 4512 4.1 alone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const VIEWS: [View; 3] = [View::Rfc2307Bis, View::Rfc2307, View::ActiveDirectory];

/// A definition: its numericoid, and each keyword with its values; a keyword without a value has none.
struct Definition {
    oid: String,
    parts: Vec<(String, Vec<String>)>,
}

impl Definition {
    fn values(&self, keyword: &str) -> &[String] {
        self.parts.iter().find(|(name, _)| name == keyword).map_or(&[], |(_, values)| values)
    }

    fn has(&self, keyword: &str) -> bool {
        self.parts.iter().any(|(name, _)| name == keyword)
    }
}

/// What stands for a keyword's value in the grammar.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Nothing,
    Oid,
    Oids,
    QuotedString,
    QuotedDescriptors,
    NumericOid,
    Usage,
}

/// The keywords of a kind of definition, in the order that RFC 4512 demands.
const ATTRIBUTE: &[(&str, Value)] = &[
    ("NAME", Value::QuotedDescriptors),
    ("DESC", Value::QuotedString),
    ("OBSOLETE", Value::Nothing),
    ("SUP", Value::Oid),
    ("EQUALITY", Value::Oid),
    ("ORDERING", Value::Oid),
    ("SUBSTR", Value::Oid),
    ("SYNTAX", Value::NumericOid),
    ("SINGLE-VALUE", Value::Nothing),
    ("COLLECTIVE", Value::Nothing),
    ("NO-USER-MODIFICATION", Value::Nothing),
    ("USAGE", Value::Usage),
];
const CLASS: &[(&str, Value)] = &[
    ("NAME", Value::QuotedDescriptors),
    ("DESC", Value::QuotedString),
    ("OBSOLETE", Value::Nothing),
    ("SUP", Value::Oids),
    ("ABSTRACT", Value::Nothing),
    ("STRUCTURAL", Value::Nothing),
    ("AUXILIARY", Value::Nothing),
    ("MUST", Value::Oids),
    ("MAY", Value::Oids),
];
const SYNTAX: &[(&str, Value)] = &[("DESC", Value::QuotedString)];
const RULE: &[(&str, Value)] = &[
    ("NAME", Value::QuotedDescriptors),
    ("DESC", Value::QuotedString),
    ("OBSOLETE", Value::Nothing),
    ("SYNTAX", Value::NumericOid),
];
const RULE_USE: &[(&str, Value)] = &[
    ("NAME", Value::QuotedDescriptors),
    ("DESC", Value::QuotedString),
    ("OBSOLETE", Value::Nothing),
    ("APPLIES", Value::Oids),
];

struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    /// `SP` or `WSP` before it is the caller's matter: here at least one blank is demanded, as `SP`.
    fn blanks(&mut self) {
        assert!(self.rest.starts_with(' '), "no blank before {:?}", self.rest);
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find([' ', ')', '(', '\'', '$']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn mark(&mut self, mark: char) -> bool {
        let found = self.rest.starts_with(mark);
        if found {
            self.rest = &self.rest[mark.len_utf8()..];
        }
        found
    }

    fn quoted(&mut self) -> String {
        assert!(self.mark('\''), "no quotation mark at {:?}", self.rest);
        let (text, rest) = self.rest.split_once('\'').unwrap();
        self.rest = rest;
        assert!(!text.is_empty());
        text.to_owned()
    }
}

fn is_numeric_oid(text: &str) -> bool {
    let number = |part: &str| {
        part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || (!part.is_empty() && !part.starts_with('0')))
    };
    text.contains('.') && text.split('.').all(number)
}

/// `keystring`
fn is_descriptor(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_oid(text: &str) -> bool {
    is_numeric_oid(text) || is_descriptor(text)
}

fn parse(text: &str, keywords: &[(&str, Value)]) -> Definition {
    let mut from = Text { rest: text };
    assert!(from.mark('('), "{text}");
    from.blanks();
    let oid = from.word().to_owned();
    assert!(is_numeric_oid(&oid), "{text}");
    let mut parts = Vec::new();
    let mut allowed = keywords.iter();
    loop {
        from.blanks();
        if from.mark(')') {
            assert_eq!(from.rest, "", "{text}");
            return Definition { oid, parts };
        }
        let keyword = from.word();
        let (_, value) = allowed.find(|(name, _)| *name == keyword).unwrap_or_else(|| {
            panic!("{keyword:?} is unknown, repeated or in the wrong place: {text}");
        });
        if *value != Value::Nothing {
            from.blanks();
        }
        let several = matches!(value, Value::Oids | Value::QuotedDescriptors) && from.mark('(');
        let mut values = Vec::new();
        loop {
            if several {
                from.blanks();
            }
            let one = match value {
                Value::Nothing => break,
                Value::QuotedString | Value::QuotedDescriptors => from.quoted(),
                Value::Oid | Value::Oids | Value::NumericOid | Value::Usage => from.word().to_owned(),
            };
            assert!(
                match value {
                    Value::NumericOid => is_numeric_oid(&one),
                    Value::Oid | Value::Oids => is_oid(&one),
                    Value::QuotedDescriptors => is_descriptor(&one),
                    Value::Usage =>
                        ["userApplications", "directoryOperation", "distributedOperation", "dSAOperation"]
                            .contains(&one.as_str()),
                    Value::Nothing | Value::QuotedString => true,
                },
                "{one:?} in {text}"
            );
            values.push(one);
            if !several {
                break;
            }
            from.rest = from.rest.trim_start_matches(' ');
            if from.mark(')') {
                break;
            }
            if *value == Value::Oids {
                assert!(from.mark('$'), "no $ at {:?}: {text}", from.rest);
            } else {
                from.rest = text.split_at(text.len() - from.rest.len() - 1).1;
            }
        }
        parts.push((keyword.to_owned(), values));
    }
}

fn parse_all(texts: &[String], keywords: &[(&str, Value)]) -> Vec<Definition> {
    let parsed: Vec<Definition> = texts.iter().map(|text| parse(text, keywords)).collect();
    let oids: BTreeSet<&str> = parsed.iter().map(|one| one.oid.as_str()).collect();
    assert_eq!(oids.len(), parsed.len(), "an OID twice");
    parsed
}

/// Names in lower case, and OIDs.
fn index(definitions: &[Definition]) -> BTreeMap<String, &Definition> {
    let names =
        |one: &Definition| one.values("NAME").iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    definitions
        .iter()
        .flat_map(|one| names(one).into_iter().chain([one.oid.clone()]).map(move |name| (name, one)))
        .collect()
}

#[test]
fn every_definition_is_in_the_grammar_and_every_reference_resolves() {
    for view in VIEWS {
        let subschema = Subschema::of(view);
        let syntaxes = parse_all(&subschema.ldap_syntaxes, SYNTAX);
        let rules = parse_all(&subschema.matching_rules, RULE);
        let attributes = parse_all(&subschema.attribute_types, ATTRIBUTE);
        let classes = parse_all(&subschema.object_classes, CLASS);
        let uses = parse_all(&subschema.matching_rule_use, RULE_USE);
        let (syntax, rule, attribute, class) =
            (index(&syntaxes), index(&rules), index(&attributes), index(&classes));
        for one in &rules {
            assert!(syntax.contains_key(&one.values("SYNTAX")[0]), "{}", one.oid);
        }
        for one in &attributes {
            let used = ["EQUALITY", "ORDERING", "SUBSTR"].iter().flat_map(|keyword| one.values(keyword));
            for name in used.clone() {
                assert!(rule.contains_key(&name.to_lowercase()), "{name} of {}", one.oid);
                let applies = uses.iter().find(|used| used.values("NAME").contains(name)).unwrap();
                assert!(applies.values("APPLIES").contains(&one.values("NAME")[0]), "{name} of {}", one.oid);
            }
            assert!(syntax.contains_key(&one.values("SYNTAX")[0]), "{}", one.oid);
            // RFC 4512 4.1.2: only an operational attribute may have it.
            let operational = one.values("USAGE").iter().any(|usage| usage != "userApplications");
            assert!(operational || !one.has("NO-USER-MODIFICATION"), "{}", one.oid);
        }
        for one in &uses {
            assert!(rule.contains_key(&one.oid));
            for name in one.values("APPLIES") {
                assert!(attribute.contains_key(&name.to_lowercase()), "{name} of {}", one.oid);
            }
        }
        for one in &classes {
            let kinds = ["ABSTRACT", "STRUCTURAL", "AUXILIARY"];
            assert_eq!(kinds.iter().filter(|kind| one.has(kind)).count(), 1, "{}", one.oid);
            for name in one.values("SUP") {
                assert!(class.contains_key(&name.to_lowercase()), "{name} of {}", one.oid);
            }
            for name in one.values("MUST").iter().chain(one.values("MAY")) {
                assert!(attribute.contains_key(&name.to_lowercase()), "{name} of {}", one.oid);
            }
        }
    }
}

#[test]
fn a_definition_looks_as_browsers_know_it() {
    let subschema = Subschema::of(View::Rfc2307);
    for (list, text) in [
        (
            &subschema.attribute_types,
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch ORDERING caseIgnoreOrderingMatch SUBSTR \
             caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        ),
        (
            &subschema.attribute_types,
            "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch ORDERING UUIDOrderingMatch SYNTAX 1.3.6.1.1.16.1 \
             SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
        ),
        (
            &subschema.object_classes,
            "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top STRUCTURAL MUST gidNumber MAY ( cn $ memberUid $ \
             description ) )",
        ),
        (&subschema.ldap_syntaxes, "( 1.3.6.1.4.1.1466.115.121.1.12 DESC 'DN' )"),
        (&subschema.matching_rule_use, "( 1.3.6.1.1.16.2 NAME 'UUIDMatch' APPLIES entryUUID )"),
    ] {
        assert!(list.iter().any(|one| one == text), "{text} is not in {list:#?}");
    }
}

#[test]
fn each_view_has_its_own_classes() {
    let has = |view, name: &str| classes(view).any(|class| class.name == name);
    for (name, bis, rfc, ad) in [
        ("inetOrgPerson", true, true, false),
        ("groupOfNames", true, true, false),
        ("posixGroup", true, true, true),
        ("user", false, false, true),
        ("group", false, false, true),
        ("subschema", true, true, true),
    ] {
        assert_eq!(VIEWS.map(|view| has(view, name)), [bis, rfc, ad], "{name}");
    }
    let kind = |view| classes(view).find(|class| class.name == "posixGroup").unwrap().kind_in(view);
    assert_eq!(VIEWS.map(kind), [Kind::Auxiliary, Kind::Structural, Kind::Auxiliary]);
}

#[test]
fn the_parser_refuses_what_the_grammar_does_not_have() {
    for wrong in [
        "( 2.5.4.3 NAME 'cn'",
        "(2.5.4.3 NAME 'cn' )",
        "( cn NAME 'cn' )",
        "( 2.5.4.3 NAME cn )",
        "( 2.5.4.3 SYNTAX 1.2 NAME 'cn' )",
        "( 2.5.4.3 NAME 'cn' NAME 'cn' )",
        "( 2.5.4.3 NAME 'c n' )",
        "( 2.5.4.3 NAME 'cn' USAGE sometimes )",
        "( 2.5.4.03 NAME 'cn' )",
    ] {
        let refused = std::panic::catch_unwind(|| parse(wrong, ATTRIBUTE)).is_err();
        assert!(refused, "{wrong}");
    }
}
