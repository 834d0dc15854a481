//! Values compared by their matching rules (RFC 4517 4.2, RFC 4518).
//!
//! A value is brought into a normal form by its rule, and two values are equal if their normal forms are. A value that does
//! not fit has none: an assertion is Undefined then, and a stored value matches nothing.
//!
//! Of RFC 4518 this is done: blanks at the ends do not count, several blanks are one, all white space is a blank, and
//! letters are compared as sign-in names are ([`landbridge_wire::names::fold_case`]). Not done, as AD does not do it either
//! or the result would be looser than a sign-in: composed and decomposed letters are not made one (NFKC), and no character
//! is dropped. Text with a control character fits no rule. Names of entries are equal as
//! [`landbridge_wire::distinguished_name`] compares them.
//! Neighbours: [`super::schema`] names the rules, [`super::filter`] compares with them.

use super::schema::attribute_type::{AttributeType, ShortForm};
use super::schema::rules::Rule;
use super::schema::{attribute, classes};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::names::fold_case;
use time::{Date, Duration, Month, PrimitiveDateTime, Time, UtcOffset};
use uuid::Uuid;

/// Limit on the digits of an integer: more do not fit, and AD has 19 at most.
const MAX_DIGITS: usize = 38;

/// A value in the form in which a rule compares it. Forms of one rule are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Normal {
    /// Text; the name of an entry or an OID too.
    Text(String),
    /// A number.
    Integer(i128),
    /// True or false.
    Boolean(bool),
    /// Nanoseconds since 1970.
    Time(i128),
    /// Octets.
    Octets(Vec<u8>),
}

/// The normal form of a stored value. None: the value does not fit the rule.
pub fn normal(attribute: &AttributeType, rule: Rule, value: &[u8]) -> Option<Normal> {
    let text = || std::str::from_utf8(value).ok();
    match rule {
        Rule::CaseIgnore | Rule::CaseIgnoreOrdering | Rule::CaseIgnoreSubstrings => {
            directory_text(text()?).map(|text| Normal::Text(fold_case(&text)))
        }
        Rule::CaseExact | Rule::CaseExactOrdering | Rule::CaseExactSubstrings => {
            directory_text(text()?).map(Normal::Text)
        }
        Rule::CaseIgnoreIa5 | Rule::CaseIgnoreIa5Substrings => {
            let text = ascii_text(text()?)?;
            Some(Normal::Text(text.to_ascii_lowercase()))
        }
        Rule::CaseExactIa5 | Rule::CaseExactIa5Substrings => ascii_text(text()?).map(Normal::Text),
        Rule::CaseIgnoreList | Rule::CaseIgnoreListSubstrings => {
            let lines = text()?.split('$').map(single_spaced).collect::<Option<Vec<_>>>()?;
            Some(Normal::Text(fold_case(&lines.join("\n"))))
        }
        Rule::TelephoneNumber | Rule::TelephoneNumberSubstrings => {
            let number = undialled(&single_spaced(text()?)?);
            (!number.is_empty()).then_some(Normal::Text(number))
        }
        Rule::DistinguishedName | Rule::UniqueMember => {
            let name = DistinguishedName::parse(text()?).ok()?.key();
            if attribute.short_form == ShortForm::Category {
                // AD's categories have no comma in their names.
                let first = name.split(',').next().unwrap_or_default();
                return Some(Normal::Text(first.to_owned()));
            }
            Some(Normal::Text(name))
        }
        Rule::Integer | Rule::IntegerOrdering => integer(text()?).map(Normal::Integer),
        Rule::Boolean => match value {
            b"TRUE" => Some(Normal::Boolean(true)),
            b"FALSE" => Some(Normal::Boolean(false)),
            _ => None,
        },
        Rule::GeneralizedTime | Rule::GeneralizedTimeOrdering => generalized_time(text()?).map(Normal::Time),
        Rule::OctetString | Rule::OctetStringOrdering => Some(Normal::Octets(value.to_vec())),
        Rule::Uuid | Rule::UuidOrdering => {
            uuid(text()?).map(|uuid| Normal::Octets(uuid.into_bytes().to_vec()))
        }
        Rule::ObjectIdentifier | Rule::ObjectIdentifierFirstComponent => {
            object_identifier(attribute, text()?)
        }
    }
}

/// The normal form of what a filter or a comparison states: as [`normal`], and AD's short forms. None: it does not fit.
pub fn asserted(attribute: &AttributeType, rule: Rule, value: &[u8]) -> Option<Normal> {
    let text = || std::str::from_utf8(value).ok();
    match attribute.short_form {
        ShortForm::Guid if value.len() != 16 => {
            let text = text()?;
            let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
            uuid(bare).map(|guid| Normal::Octets(guid.to_bytes_le().to_vec()))
        }
        ShortForm::Sid if value.starts_with(b"S-") || value.starts_with(b"s-") => {
            sid(text()?).map(Normal::Octets)
        }
        ShortForm::Category if !value.contains(&b'=') => {
            let category = match classes::class(text()?)?.name {
                "person" | "organizationalPerson" | "inetOrgPerson" | "user" | "contact" => "person",
                "group" => "group",
                "computer" => "computer",
                "organizationalUnit" => "organizational-unit",
                "container" => "container",
                "domainDNS" => "domain-dns",
                _ => return None,
            };
            Some(Normal::Text(format!("cn={category}")))
        }
        ShortForm::None | ShortForm::Guid | ShortForm::Sid | ShortForm::Category => {
            normal(attribute, rule, value)
        }
    }
}

/// What a value must contain, in order: the beginning, parts, and the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    initial: Option<String>,
    any: Vec<String>,
    last: Option<String>,
}

impl Parts {
    /// Parts in the form of the rule. None: one of them does not fit, or there is none at all.
    pub fn new(rule: Rule, initial: Option<&[u8]>, any: &[&[u8]], last: Option<&[u8]>) -> Option<Self> {
        let part = |bytes: &[u8], begins: bool, ends: bool| part(rule, bytes, begins, ends);
        if initial.is_none() && any.is_empty() && last.is_none() {
            return None;
        }
        Some(Self {
            initial: initial.map(|bytes| part(bytes, true, false).ok_or(())).transpose().ok()?,
            any: any.iter().map(|bytes| part(bytes, false, false)).collect::<Option<_>>()?,
            last: last.map(|bytes| part(bytes, false, true).ok_or(())).transpose().ok()?,
        })
    }

    /// Whether a stored value contains them.
    pub fn are_in(&self, attribute: &AttributeType, rule: Rule, value: &[u8]) -> bool {
        let Some(Normal::Text(text)) = normal(attribute, rule, value) else { return false };
        let text = if is_telephone(rule) { text } else { format!(" {text} ") };
        // Each part is looked for as early as possible, which leaves the most for those after it.
        let mut rest = text.as_str();
        if let Some(initial) = &self.initial {
            let Some(after) = rest.strip_prefix(initial.as_str()) else { return false };
            rest = after;
        }
        for part in &self.any {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        self.last.as_ref().is_none_or(|last| rest.ends_with(last.as_str()))
    }
}

/// One part of a substring assertion (RFC 4518 2.6.1): several blanks are one, and at its ends they count, but for the
/// beginning of the first part and the end of the last. The value has one blank at each end then.
fn part(rule: Rule, bytes: &[u8], begins: bool, ends: bool) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
    let inner = single_spaced(text)?;
    if is_telephone(rule) {
        let number = undialled(&inner);
        return (!number.is_empty()).then_some(number);
    }
    let ia5 = matches!(rule, Rule::CaseIgnoreIa5Substrings | Rule::CaseExactIa5Substrings);
    if ia5 && !inner.is_ascii() {
        return None;
    }
    let exact = matches!(rule, Rule::CaseExactSubstrings | Rule::CaseExactIa5Substrings);
    let folded = if exact { inner } else { fold_case(&inner) };
    let blank = |at_end: bool| if at_end { " " } else { "" };
    let before = blank(begins || text.starts_with(is_blank));
    let after = blank(ends || text.ends_with(is_blank));
    Some(if folded.is_empty() { " ".to_owned() } else { format!("{before}{folded}{after}") })
}

fn is_telephone(rule: Rule) -> bool {
    rule == Rule::TelephoneNumberSubstrings
}

fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
}

/// The text with one blank for all white space, and none at its ends. None: a control character is in it.
fn single_spaced(text: &str) -> Option<String> {
    if text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()) {
        return None;
    }
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A Directory String has at least one character.
fn directory_text(text: &str) -> Option<String> {
    if text.is_empty() { None } else { single_spaced(text) }
}

fn ascii_text(text: &str) -> Option<String> {
    if text.is_ascii() { single_spaced(text) } else { None }
}

/// A telephone number without blanks and hyphens, in lower case.
fn undialled(number: &str) -> String {
    fold_case(&number.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect::<String>())
}

/// A number in decimal digits, with a minus before it if it is negative.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let sound =
        (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

/// A UUID in RFC 4122's form, in any case.
fn uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

/// The octets of a SID that is written as `S-1-…` (MS-DTYP 2.4.2): at most 15 parts after the authority.
pub(crate) fn sid(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.get(2..)?.split('-');
    let number = |text: &str| -> Option<u64> { u64::try_from(integer(text)?).ok() };
    if parts.next()? != "1" {
        return None;
    }
    let authority = number(parts.next()?).filter(|authority| *authority < 1 << 48)?;
    let rest = parts.map(|part| u32::try_from(number(part)?).ok()).collect::<Option<Vec<u32>>>()?;
    let count = u8::try_from(rest.len()).ok().filter(|count| *count <= 15)?;
    let mut octets = vec![1, count];
    octets.extend(authority.to_be_bytes().into_iter().skip(2));
    octets.extend(rest.into_iter().flat_map(u32::to_le_bytes));
    Some(octets)
}

/// The OID that a name or an OID stands for; a name that is unknown stands for itself.
///
/// RFC 4517 4.2.26 wants Undefined for an unknown name. It is a name like any other here: clients of AD search with
/// `(!(objectClass=computer))`, and Undefined would leave out everybody.
fn object_identifier(of: &AttributeType, text: &str) -> Option<Normal> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let text = text.trim_matches(' ');
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let known = match of.name() {
        "objectClass" | "structuralObjectClass" | "objectClasses" => {
            classes::class(text).map(|class| class.oid)
        }
        "attributeTypes" => attribute(text).and_then(|found| found.attribute.oid),
        _ => None,
    };
    Some(Normal::Text(known.map_or_else(|| text.to_ascii_lowercase(), str::to_owned)))
}

/// The nanoseconds since 1970 of a GeneralizedTime (RFC 4517 3.3.13): minutes, seconds and a fraction of the last unit
/// are optional; the time zone is not.
pub fn generalized_time(text: &str) -> Option<i128> {
    // 1. The digits, two for each unit.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let year = text.get(..4).filter(|_| digits >= 10)?.parse::<i32>().ok()?;
    let month = Month::try_from(number(4, 6)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(6, 8)?).ok()?;
    let hour = number(8, 10)?;
    let (minute, second, unit) = match digits {
        10 => (0, 0, 3600),
        12 => (number(10, 12)?, 0, 60),
        14 => (number(10, 12)?, number(12, 14)?, 1),
        _ => return None,
    };
    // A leap second is the second after.
    let (second, leap) = if second == 60 { (59, 1) } else { (second, 0) };
    let time = Time::from_hms(hour, minute, second).ok()?;
    // 2. The fraction of the last unit, to the nanosecond.
    let mut rest = text.get(digits..)?;
    let mut fraction = 0_i128;
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        let digits = after.get(..count).filter(|digits| !digits.is_empty())?;
        for (digit, scale) in digits.bytes().zip((0..18).map(|at| 10_i128.pow(17 - at))) {
            fraction += i128::from(digit - b'0') * scale;
        }
        fraction = fraction * unit / 1_000_000_000;
        rest = after.get(count..)?;
    }
    // 3. The zone.
    let offset = if rest == "Z" {
        UtcOffset::UTC
    } else {
        let (sign, zone) = rest.split_at_checked(1)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        if !matches!(zone.len(), 2 | 4) || !zone.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let hours = zone.get(..2)?.parse::<i8>().ok().filter(|hours| *hours < 24)?;
        let minutes = if zone.len() == 4 { zone.get(2..)?.parse::<i8>().ok()? } else { 0 };
        if minutes > 59 {
            return None;
        }
        UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?
    };
    let at = PrimitiveDateTime::new(date, time).assume_offset(offset);
    Some(at.unix_timestamp_nanos() + Duration::seconds(leap).whole_nanoseconds() + fraction)
}

#[cfg(test)]
mod tests;
