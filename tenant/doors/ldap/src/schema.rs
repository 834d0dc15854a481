//! The attribute types and object classes that entries of this server are made of, and how a client names them. One table
//! of attributes; matching, filters and the subschema are derived from it.
//!
//! Names are compared without case and returned as the tables spell them: clients look an attribute up by the spelling
//! that they know. An attribute that has several names is returned under the one that was requested.
//! Neighbours: [`super::matching`] compares values by their rules; [`super::subschema`] publishes the tables.

pub mod attribute_type;
pub mod attributes;
pub mod classes;
pub mod rules;

use attribute_type::AttributeType;
use attributes::ATTRIBUTES;

/// An attribute as a client names it: by a name or OID of the table, with options (RFC 4512 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The attribute.
    pub attribute: &'static AttributeType,
    /// The name that the answer repeats: the requested one, in the table's spelling; for an OID the first one.
    pub name: &'static str,
    /// Whether `;binary` is requested (RFC 4522). It changes no value here: binary values are octets anyway.
    pub binary: bool,
    /// The values that `;range=` requests, by their indexes from 0 (AD's form for long lists of values).
    pub range: Option<ValueRange>,
}

/// A part of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRange {
    /// The first index.
    pub first: u32,
    /// The last index. None (`*`): all that follow.
    pub last: Option<u32>,
}

impl Description {
    /// Reads what a client wrote. None: the attribute is unknown, or has an option that this server does not know.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let named = parts.next()?;
        let mut found = Self { binary: false, range: None, ..attribute(named)? };
        for option in parts {
            if option.eq_ignore_ascii_case("binary") {
                found.binary = true;
            } else {
                let (key, range) = option.split_once('=')?;
                let range = key.eq_ignore_ascii_case("range").then(|| ValueRange::parse(range))??;
                if found.range.replace(range).is_some() {
                    return None;
                }
            }
        }
        Some(found)
    }
}

impl ValueRange {
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (first, last) = text.split_once('-')?;
        let first = number(first)?;
        let last = if last == "*" { None } else { Some(number(last).filter(|last| *last >= first)?) };
        Some(Self { first, last })
    }
}

/// The attribute with this name or OID, without options.
pub fn attribute(named: &str) -> Option<Description> {
    ATTRIBUTES.iter().find_map(|attribute| {
        let name = attribute.names.iter().copied().find(|name| name.eq_ignore_ascii_case(named));
        let name = name.or((attribute.oid == Some(named)).then(|| attribute.name()))?;
        Some(Description { attribute, name, binary: false, range: None })
    })
}

/// What a search returns of each entry (RFC 4511 4.5.1.8, RFC 3673).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Whether all attributes that are not operational are returned: `*`, or no attribute in the list.
    pub all_user: bool,
    /// Whether all operational attributes are returned: `+`.
    pub all_operational: bool,
    /// The attributes that are named, each once.
    pub named: Vec<Description>,
}

impl Selection {
    /// The selection of a list of names. Unknown names are ignored, and so is `1.1`, which requests no attribute.
    pub fn of(names: &[String]) -> Self {
        let mut selection = Self { all_user: names.is_empty(), ..Self::default() };
        for name in names {
            match name.as_str() {
                "*" => selection.all_user = true,
                "+" => selection.all_operational = true,
                name => {
                    if let Some(found) = Description::parse(name)
                        && !selection.named.contains(&found)
                    {
                        selection.named.push(found);
                    }
                }
            }
        }
        selection
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::classes::{View, classes};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_attribute_is_found_by_every_name_and_by_its_oid_in_any_case() {
        for (named, attribute, name) in [
            ("cn", "cn", "cn"),
            ("CN", "cn", "cn"),
            ("commonName", "cn", "commonName"),
            ("2.5.4.3", "cn", "cn"),
            ("samaccountname", "sAMAccountName", "sAMAccountName"),
            ("MEMBEROF", "memberOf", "memberOf"),
            ("1.3.6.1.1.16.4", "entryUUID", "entryUUID"),
            ("unixhomedirectory", "homeDirectory", "unixHomeDirectory"),
        ] {
            let found = Description::parse(named).unwrap();
            assert_eq!((found.attribute.name(), found.name), (attribute, name), "{named}");
        }
        for unknown in ["", "cn ", "2.5.4.3.1", "OID.2.5.4.3", "userPassword", "unicodePwd", "nosuch"] {
            assert_eq!(Description::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn options_are_read_and_an_unknown_one_makes_the_attribute_unknown() {
        let parse =
            |text: &str| Description::parse(text).map(|found| (found.name, found.binary, found.range));
        let range = |first, last| Some(ValueRange { first, last });
        assert_eq!(parse("jpegPhoto;binary"), Some(("jpegPhoto", true, None)));
        assert_eq!(parse("member;range=0-1499"), Some(("member", false, range(0, Some(1499)))));
        assert_eq!(parse("member;Range=1500-*"), Some(("member", false, range(1500, None))));
        for unknown in [
            "cn;lang-de",
            "cn;",
            "member;range=",
            "member;range=1",
            "member;range=5-4",
            "member;range=+1-2",
            "member;range=0-99999999999",
            "member;range=0-1;range=2-3",
        ] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_selection_has_each_attribute_once_and_nothing_means_all() {
        let of = |names: &[&str]| Selection::of(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert!(of(&[]).all_user && !of(&[]).all_operational);
        assert_eq!(of(&["1.1"]), Selection::default());
        let some = of(&["mail", "MAIL", "2.5.4.3", "cn", "nosuch", "+"]);
        assert!(!some.all_user && some.all_operational);
        assert_eq!(some.named.iter().map(|found| found.name).collect::<Vec<_>>(), ["mail", "cn"]);
    }

    #[test]
    fn no_name_and_no_oid_stands_for_two_things() {
        let mut names = BTreeSet::new();
        let mut oids = BTreeSet::new();
        for attribute in ATTRIBUTES {
            assert!(attribute.oid.is_none_or(|oid| oids.insert(oid)), "{attribute:?}");
            for name in attribute.names {
                assert!(names.insert(name.to_lowercase()), "{name}");
            }
        }
        for view in [View::Rfc2307Bis, View::Rfc2307, View::ActiveDirectory] {
            let mut names = BTreeSet::new();
            let mut oids = oids.clone();
            for class in classes(view) {
                assert!(names.insert(class.name) && oids.insert(class.oid), "{}", class.name);
            }
        }
    }

    #[test]
    fn attributes_of_secrets_and_counters_are_not_in_the_table() {
        for secret in ["userPassword", "unicodePwd", "lockoutTime", "badPwdCount", "lastLogon", "dBCSPwd"] {
            assert_eq!(attribute(secret), None, "{secret}");
        }
    }
}
