//! A search's filter (RFC 4511 4.5.1.7): a tree whose attributes and values were resolved once, and what is true of an entry.
//!
//! An unknown attribute, a value that does not fit, a rule that the attribute does not have: each makes its term Undefined,
//! never an error. An entry is found if the whole is True; `!` of Undefined is Undefined.
//! Neighbours: [`super::message`] resolves it, [`super::matching`] compares values.

use super::matching::{Normal, Parts, asserted, integer, normal};
use super::schema::Description;
use super::schema::attribute_type::AttributeType;
use super::schema::rules::{Rule, Syntax};
use landbridge_wire::distinguished_name::DistinguishedName;

/// AD's rule: all bits of the stated number are in the value.
pub const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// AD's rule: at least one bit of the stated number is in the value.
pub const BIT_OR: &str = "1.2.840.113556.1.4.804";
/// AD's rule: the stated entry is reached by the attribute over any number of entries, as members of members.
pub const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// A filter. `(&)` is True and `(|)` is False (RFC 4526).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    And(Vec<Self>),
    /// At least one of them.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// The entry has a value.
    Present(&'static AttributeType),
    /// A value is equal. Approximate matches are this too.
    Equal(&'static AttributeType, Assertion),
    /// A value has these parts.
    Substrings(&'static AttributeType, Rule, Box<Parts>),
    /// A value is equal or greater.
    AtLeast(&'static AttributeType, Assertion),
    /// A value is equal or less.
    AtMost(&'static AttributeType, Assertion),
    /// A value has all these bits.
    AllBits(&'static AttributeType, i64),
    /// A value has one of these bits.
    AnyBit(&'static AttributeType, i64),
    /// The entry is reached over any number of entries.
    InChain(&'static AttributeType, Box<DistinguishedName>),
    /// Neither true nor false of any entry.
    Undefined,
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// How.
    pub rule: Rule,
    /// The stated value in the form of the rule.
    pub value: Normal,
    /// The same, if it is the name of an entry.
    pub name: Option<Box<DistinguishedName>>,
}

impl Assertion {
    fn new(attribute: &AttributeType, rule: Rule, stated: &[u8]) -> Option<Self> {
        let value = asserted(attribute, rule, stated)?;
        let is_name = attribute.syntax == Syntax::DistinguishedName;
        let name = || DistinguishedName::parse(std::str::from_utf8(stated).ok()?).ok();
        Some(Self { rule, value, name: is_name.then(name).flatten().map(Box::new) })
    }
}

/// What is known of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is true.
    True,
    /// It is false.
    False,
    /// It cannot be known.
    Undefined,
}

/// An entry as a filter sees it: with the attributes that the client may see, and no others.
pub trait Entry {
    /// Whether a value of the attribute, in LDAP's encoding, passes the test. False if there is none.
    fn any_value(&self, attribute: &'static AttributeType, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// Whether a value of the attribute is the name `target`, if there is a faster way than to compare all values. None:
    /// there is not.
    fn names(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> Option<bool> {
        let (_, _) = (attribute, target);
        None
    }

    /// Whether `target` is reached from this entry by the attribute (`member` or `memberOf`), over any number of entries.
    fn in_chain(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> bool;
}

impl Filter {
    /// The filter of a request, with attributes and values resolved. The decoder has bounded its depth.
    pub(crate) fn resolve(filter: rasn_ldap::Filter) -> Self {
        use rasn_ldap::Filter as Sent;
        let all = |list: rasn::types::SetOf<Sent>| list.into_vec().into_iter().map(Self::resolve).collect();
        let resolved = match filter {
            Sent::And(list) => Some(Self::And(all(list))),
            Sent::Or(list) => Some(Self::Or(all(list))),
            Sent::Not(inner) => Some(Self::Not(Box::new(Self::resolve(*inner)))),
            Sent::Present(name) => known(&name).map(Self::Present),
            Sent::EqualityMatch(stated) | Sent::ApproxMatch(stated) => {
                assertion(&stated, |attribute| attribute.equality)
                    .map(|(attribute, assertion)| Self::Equal(attribute, assertion))
            }
            Sent::GreaterOrEqual(stated) => assertion(&stated, |attribute| attribute.ordering)
                .map(|(attribute, assertion)| Self::AtLeast(attribute, assertion)),
            Sent::LessOrEqual(stated) => assertion(&stated, |attribute| attribute.ordering)
                .map(|(attribute, assertion)| Self::AtMost(attribute, assertion)),
            Sent::Substrings(stated) => substrings(&stated),
            Sent::ExtensibleMatch(stated) => extensible(&stated),
            _ => None,
        };
        resolved.unwrap_or(Self::Undefined)
    }

    /// What is true of an entry.
    pub fn evaluate(&self, entry: &impl Entry) -> Truth {
        let found = match self {
            Self::And(all) => {
                return all_of(all.iter().map(|one| one.evaluate(entry)), Truth::True, Truth::False);
            }
            Self::Or(any) => {
                return all_of(any.iter().map(|one| one.evaluate(entry)), Truth::False, Truth::True);
            }
            Self::Not(inner) => {
                return match inner.evaluate(entry) {
                    Truth::True => Truth::False,
                    Truth::False => Truth::True,
                    Truth::Undefined => Truth::Undefined,
                };
            }
            Self::Undefined => return Truth::Undefined,
            Self::Present(attribute) => entry.any_value(attribute, &mut |_| true),
            Self::Equal(attribute, stated) => {
                let named = stated.name.as_deref().and_then(|name| entry.names(attribute, name));
                named.unwrap_or_else(|| compare(entry, attribute, stated, |value| *value == stated.value))
            }
            Self::AtLeast(attribute, stated) => {
                compare(entry, attribute, stated, |value| *value >= stated.value)
            }
            Self::AtMost(attribute, stated) => {
                compare(entry, attribute, stated, |value| *value <= stated.value)
            }
            Self::Substrings(attribute, rule, parts) => {
                entry.any_value(attribute, &mut |value| parts.are_in(attribute, *rule, value))
            }
            Self::AllBits(attribute, bits) => entry
                .any_value(attribute, &mut |value| number(value).is_some_and(|value| value & bits == *bits)),
            Self::AnyBit(attribute, bits) => {
                entry.any_value(attribute, &mut |value| number(value).is_some_and(|value| value & bits != 0))
            }
            Self::InChain(attribute, target) => entry.in_chain(attribute, target),
        };
        if found { Truth::True } else { Truth::False }
    }
}

/// `ends`, if one of them is; else Undefined, if one of them is; else `unless`. With False at the end this is `&`, with
/// True it is `|`.
fn all_of(terms: impl Iterator<Item = Truth>, unless: Truth, ends: Truth) -> Truth {
    let mut result = unless;
    for term in terms {
        if term == ends {
            return ends;
        }
        if term == Truth::Undefined {
            result = Truth::Undefined;
        }
    }
    result
}

fn compare(
    entry: &impl Entry,
    attribute: &'static AttributeType,
    stated: &Assertion,
    test: impl Fn(&Normal) -> bool,
) -> bool {
    entry.any_value(attribute, &mut |value| normal(attribute, stated.rule, value).as_ref().is_some_and(&test))
}

/// The attribute, unless it is unknown or a part of its values is named.
fn known(description: &str) -> Option<&'static AttributeType> {
    Description::parse(description).filter(|found| found.range.is_none()).map(|found| found.attribute)
}

fn assertion(
    stated: &rasn_ldap::AttributeValueAssertion,
    rule: impl Fn(&AttributeType) -> Option<Rule>,
) -> Option<(&'static AttributeType, Assertion)> {
    let attribute = known(&stated.attribute_desc)?;
    let rule = rule(attribute)?;
    Some((attribute, Assertion::new(attribute, rule, &stated.assertion_value)?))
}

/// At most one beginning, which comes first, and at most one end, which comes last.
fn substrings(stated: &rasn_ldap::SubstringFilter) -> Option<Filter> {
    use rasn_ldap::SubstringChoice as Choice;
    let attribute = known(&stated.r#type)?;
    let rule = attribute.substrings?;
    let count = stated.substrings.len();
    let (mut initial, mut any, mut last) = (None, Vec::new(), None);
    for (at, part) in stated.substrings.iter().enumerate() {
        #[allow(clippy::wildcard_enum_match_arm, reason = "the codec's enum may grow")]
        match part {
            Choice::Initial(part) if at == 0 => initial = Some(&part[..]),
            Choice::Any(part) => any.push(&part[..]),
            Choice::Final(part) if at + 1 == count => last = Some(&part[..]),
            _ => return None,
        }
    }
    let parts = Parts::new(rule, initial, &any, last)?;
    Some(Filter::Substrings(attribute, rule, Box::new(parts)))
}

fn extensible(stated: &rasn_ldap::MatchingRuleAssertion) -> Option<Filter> {
    // A rule without an attribute would be compared with all of them; `:dn:` with the names of entries. Neither is done.
    let attribute = known(stated.r#type.as_deref()?)?;
    if stated.dn_attributes {
        return None;
    }
    let rule = match stated.matching_rule.as_deref().map(String::as_str) {
        None => attribute.equality?,
        Some(bits @ (BIT_AND | BIT_OR)) => {
            let number = number(&stated.match_value).filter(|_| attribute.syntax == Syntax::Integer)?;
            let all = bits == BIT_AND;
            return Some(if all {
                Filter::AllBits(attribute, number)
            } else {
                Filter::AnyBit(attribute, number)
            });
        }
        Some(IN_CHAIN) => {
            let target = std::str::from_utf8(&stated.match_value).ok()?;
            let target = DistinguishedName::parse(target).ok()?;
            let names = attribute.syntax == Syntax::DistinguishedName;
            return names.then(|| Filter::InChain(attribute, Box::new(target)));
        }
        Some(named) => {
            let rule = Rule::find(named)?;
            let text = matches!(
                attribute.syntax,
                Syntax::DirectoryString | Syntax::Ia5String | Syntax::CountryString
            );
            let of_text =
                matches!(rule, Rule::CaseIgnore | Rule::CaseExact | Rule::CaseIgnoreIa5 | Rule::CaseExactIa5);
            if attribute.equality != Some(rule) && !(text && of_text) {
                return None;
            }
            rule
        }
    };
    Some(Filter::Equal(attribute, Assertion::new(attribute, rule, &stated.match_value)?))
}

/// A number of at most 64 bits; AD writes flags of 32 bits as negative numbers too.
fn number(value: &[u8]) -> Option<i64> {
    i64::try_from(integer(std::str::from_utf8(value).ok()?)?).ok()
}

#[cfg(test)]
mod tests;
