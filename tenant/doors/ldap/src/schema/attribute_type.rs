//! One attribute type: a row of the table.
//! Neighbours: [`super::attributes`] is the table, [`super::rules`] has syntaxes and rules.

use super::rules::{Rule, Syntax};
use std::fmt;

/// An attribute type (RFC 4512 2.5.1).
pub struct AttributeType {
    /// The names, the first of which is returned unless another one is requested.
    pub names: &'static [&'static str],
    /// The registered OID. None: there is none, and the subschema leaves the attribute out.
    pub oid: Option<&'static str>,
    /// What its values are.
    pub syntax: Syntax,
    /// The rule for `=`. None: no value is ever equal, so that a filter with it is Undefined.
    pub equality: Option<Rule>,
    /// The rule for `>=`, `<=` and sorting.
    pub ordering: Option<Rule>,
    /// The rule for `*` within a value.
    pub substrings: Option<Rule>,
    /// Whether an entry has at most one value.
    pub single: bool,
    /// Whether the attribute is returned only if it, or `+`, is requested.
    pub operational: bool,
    /// What a filter may state instead of a value.
    pub short_form: ShortForm,
}

/// What a filter may state instead of a value of the attribute, as in AD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortForm {
    /// Nothing.
    None,
    /// A GUID as text, instead of its 16 octets (`objectGUID`).
    Guid,
    /// A SID as text, `S-1-5-21-…`, instead of its octets (`objectSid`).
    Sid,
    /// The name of an object class, instead of the entry in AD's schema that stands for it (`objectCategory`).
    Category,
}

impl AttributeType {
    /// The first name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// Two attribute types are one if they have the same first name.
impl PartialEq for AttributeType {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for AttributeType {}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
