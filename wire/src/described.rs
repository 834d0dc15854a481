//! Attributes that describe an object and decide nothing about a sign-in: what an address book, a mail server or a Unix
//! machine reads. The one table of them: an attribute is added by one line here. phs requests each from a domain
//! controller by its OID, the tenant stores each under its name, and the documentation has a row for each.
//! Neighbours: [`super::upload`] carries them from [`super::upload::DESCRIBED_FROM`] on.

use crate::bounded::{Blob, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a value is written in the directory (MS-ADTS 3.1.1.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Syntax {
    /// String(Unicode), one value: UTF-16 in replication.
    Text,
    /// String(IA5), one value: ASCII in replication.
    Ascii,
    /// Integer, 32 bits.
    Integer,
    /// String(Generalized-Time): seconds since 1601 in replication.
    Time,
    /// String(Octet), one value: a photo.
    Octets,
}

/// Where the schema of a forest has an attribute from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Schema {
    /// Microsoft's: every forest has it, under this OID.
    Base,
    /// Exchange's setup, or an administrator. A forest may lack it, or have it under another OID.
    Exchange,
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// lDAPDisplayName.
    pub name: &'static str,
    /// attributeID. Of [`Schema::Exchange`] it is what Exchange's setup writes, and the schema of the forest counts.
    pub oid: &'static str,
    /// attributeSyntax.
    pub syntax: Syntax,
    /// Whose it is.
    pub of: Of,
    /// Which forests have it.
    pub schema: Schema,
}

/// The kinds of objects that carry an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// Accounts.
    Accounts,
    /// Accounts and groups.
    AccountsAndGroups,
    /// Accounts and contacts.
    AccountsAndContacts,
    /// Accounts, groups and contacts.
    All,
}

const fn row(name: &'static str, oid: &'static str, syntax: Syntax, of: Of) -> Row {
    Row { name, oid, syntax, of, schema: Schema::Base }
}

/// One of extensionAttribute1 to 15.
const fn extension(name: &'static str, oid: &'static str) -> Row {
    Row { name, oid, syntax: Syntax::Text, of: Of::All, schema: Schema::Exchange }
}

/// All of them. OIDs: RFC 2307 (appendix A is not AD's), RFC 2798, RFC 4519, and MS-ADA1 to MS-ADA3.
pub static TABLE: [Row; 39] = [
    row("c", "2.5.4.6", Syntax::Text, Of::AccountsAndContacts),
    row("co", "1.2.840.113556.1.2.131", Syntax::Text, Of::AccountsAndContacts),
    row("company", "1.2.840.113556.1.2.146", Syntax::Text, Of::AccountsAndContacts),
    row("division", "1.2.840.113556.1.4.261", Syntax::Text, Of::Accounts),
    row("employeeID", "1.2.840.113556.1.4.35", Syntax::Text, Of::Accounts),
    row("employeeNumber", "1.2.840.113556.1.2.610", Syntax::Text, Of::Accounts),
    row("employeeType", "1.2.840.113556.1.2.613", Syntax::Text, Of::Accounts),
    extension("extensionAttribute1", "1.2.840.113556.1.2.423"),
    extension("extensionAttribute2", "1.2.840.113556.1.2.424"),
    extension("extensionAttribute3", "1.2.840.113556.1.2.425"),
    extension("extensionAttribute4", "1.2.840.113556.1.2.426"),
    extension("extensionAttribute5", "1.2.840.113556.1.2.427"),
    extension("extensionAttribute6", "1.2.840.113556.1.2.428"),
    extension("extensionAttribute7", "1.2.840.113556.1.2.429"),
    extension("extensionAttribute8", "1.2.840.113556.1.2.430"),
    extension("extensionAttribute9", "1.2.840.113556.1.2.431"),
    extension("extensionAttribute10", "1.2.840.113556.1.2.432"),
    extension("extensionAttribute11", "1.2.840.113556.1.2.599"),
    extension("extensionAttribute12", "1.2.840.113556.1.2.600"),
    extension("extensionAttribute13", "1.2.840.113556.1.2.601"),
    extension("extensionAttribute14", "1.2.840.113556.1.2.602"),
    extension("extensionAttribute15", "1.2.840.113556.1.2.603"),
    row("facsimileTelephoneNumber", "2.5.4.23", Syntax::Text, Of::AccountsAndContacts),
    row("gecos", "1.3.6.1.1.1.1.2", Syntax::Ascii, Of::Accounts),
    row("gidNumber", "1.3.6.1.1.1.1.1", Syntax::Integer, Of::AccountsAndGroups),
    row("info", "1.2.840.113556.1.2.81", Syntax::Text, Of::All),
    row("initials", "2.5.4.43", Syntax::Text, Of::AccountsAndContacts),
    row("l", "2.5.4.7", Syntax::Text, Of::AccountsAndContacts),
    row("loginShell", "1.3.6.1.1.1.1.4", Syntax::Ascii, Of::Accounts),
    row("physicalDeliveryOfficeName", "2.5.4.19", Syntax::Text, Of::AccountsAndContacts),
    row("postalCode", "2.5.4.17", Syntax::Text, Of::AccountsAndContacts),
    row("preferredLanguage", "2.16.840.1.113730.3.1.39", Syntax::Text, Of::Accounts),
    row("st", "2.5.4.8", Syntax::Text, Of::AccountsAndContacts),
    row("streetAddress", "1.2.840.113556.1.2.256", Syntax::Text, Of::AccountsAndContacts),
    row("thumbnailPhoto", "2.16.840.1.113730.3.1.35", Syntax::Octets, Of::AccountsAndContacts),
    row("uidNumber", "1.3.6.1.1.1.1.0", Syntax::Integer, Of::Accounts),
    row("unixHomeDirectory", "1.3.6.1.1.1.1.3", Syntax::Ascii, Of::Accounts),
    row("wWWHomePage", "1.2.840.113556.1.2.464", Syntax::Text, Of::AccountsAndContacts),
    row("whenCreated", "1.2.840.113556.1.2.2", Syntax::Time, Of::All),
];

/// Limit in bytes of a text. AD's longest among these are wWWHomePage, of 2,048 characters, and gecos, of 10,240, which is
/// never that long: a longer text is not carried.
pub const MAX_TEXT: usize = 6 * 1024;

/// Limit in bytes of octets: rangeUpper of thumbnailPhoto in AD. A longer value is not carried.
pub const MAX_OCTETS: usize = 100 * 1024;

/// The name of an attribute of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DescribedName(&'static Row);

impl DescribedName {
    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The attribute with this lDAPDisplayName, in its own spelling.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(Self)
    }

    /// Its row.
    pub fn row(self) -> &'static Row {
        self.0
    }
}

impl Serialize for DescribedName {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for DescribedName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = Text::<64>::deserialize(from)?;
        Self::named(name.as_str())
            .ok_or_else(|| serde::de::Error::custom("an attribute that is not known here"))
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescribedValue {
    /// Of [`Syntax::Text`] and [`Syntax::Ascii`].
    Text(Text<MAX_TEXT>),
    /// Of [`Syntax::Integer`], and of [`Syntax::Time`]: seconds since 1601.
    Integer(i64),
    /// Of [`Syntax::Octets`].
    Octets(Blob<MAX_OCTETS>),
}

/// An attribute and its value; none: it was removed. A value of another syntax is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Described {
    /// Which attribute.
    pub name: DescribedName,
    /// Its value.
    pub value: Option<DescribedValue>,
}

/// The same before its value is compared with the attribute's syntax.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: DescribedName,
    value: Option<DescribedValue>,
}

impl TryFrom<Unchecked> for Described {
    type Error = &'static str;

    fn try_from(Unchecked { name, value }: Unchecked) -> Result<Self, Self::Error> {
        match (&value, name.row().syntax) {
            (None, _)
            | (Some(DescribedValue::Text(_)), Syntax::Text | Syntax::Ascii)
            | (Some(DescribedValue::Integer(_)), Syntax::Integer | Syntax::Time)
            | (Some(DescribedValue::Octets(_)), Syntax::Octets) => Ok(Self { name, value }),
            (Some(DescribedValue::Text(_)), Syntax::Integer | Syntax::Time | Syntax::Octets)
            | (Some(DescribedValue::Integer(_)), Syntax::Text | Syntax::Ascii | Syntax::Octets)
            | (
                Some(DescribedValue::Octets(_)),
                Syntax::Text | Syntax::Ascii | Syntax::Integer | Syntax::Time,
            ) => Err("a value of another syntax than its attribute's"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_attribute_has_one_row_and_none_is_one_that_decides() {
        let names: HashSet<&str> = TABLE.iter().map(|row| row.name).collect();
        let oids: HashSet<&str> = TABLE.iter().map(|row| row.oid).collect();
        assert_eq!((names.len(), oids.len()), (TABLE.len(), TABLE.len()));
        let others = crate::upload::AttributeValue::NAMES;
        assert!(TABLE.iter().all(|row| !others.contains(&row.name)), "an attribute is carried twice");
    }

    #[test]
    fn a_name_comes_back_from_its_text_and_no_other_is_taken() {
        for name in DescribedName::all() {
            let text = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<DescribedName>(&text).unwrap(), name);
        }
        for (attribute, value, read) in [
            ("company", r#"{"text":"ACME"}"#, true),
            ("uidNumber", r#"{"integer":10007}"#, true),
            ("uidNumber", "null", true),
            ("company", r#"{"integer":7}"#, false),
            ("uidNumber", r#"{"text":"7"}"#, false),
            ("thumbnailPhoto", r#"{"octets":"/9j/4A=="}"#, true),
            ("thumbnailPhoto", r#"{"text":"/9j/4A=="}"#, false),
            ("thumbnailPhoto", r#"{"octets":"/9j/4"}"#, false),
            ("company", r#"{"octets":"/9j/4A=="}"#, false),
        ] {
            let text = format!(r#"{{"name":"{attribute}","value":{value}}}"#);
            assert_eq!(serde_json::from_str::<Described>(&text).is_ok(), read, "{text}");
        }
        let photo = |bytes: usize| {
            let value = Blob::<MAX_OCTETS>::new(vec![0xff; bytes]).map(DescribedValue::Octets);
            serde_json::to_string(&value.ok()?).ok()
        };
        let longest = photo(102_400).unwrap();
        assert!(serde_json::from_str::<DescribedValue>(&longest).is_ok(), "as long as AD accepts it");
        assert!(photo(102_401).is_none());
        assert!(serde_json::from_str::<DescribedValue>(&longest.replace("\"}", "////\"}")).is_err());
        for other in ["\"unicodePwd\"", "\"COMPANY\"", "\"\"", "7"] {
            assert!(serde_json::from_str::<DescribedName>(other).is_err(), "{other}");
        }
    }
}
