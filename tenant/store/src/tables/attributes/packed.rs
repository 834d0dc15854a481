//! The attributes of an object in the octets of one column: name, stamp and value of each.
//!
//! The form, of version 1: the octet 1; the number of invocation ids, and 16 octets for each; the number of attributes,
//! and for each of them its name, its stamp and its value. A name is its place in `NAMES`, or the place behind the last
//! one and then the length and the text. A stamp is the place of its invocation id, its version and its time. A value
//! begins with the octet of its kind. Numbers have seven bits in each octet, the least first. Texts and octets follow
//! their length.
//! Neighbours: [`super`] reads and writes the column; the upgrade to schema version 5 fills it.

use crate::StoreError;
use landbridge_wire::upload::Stamp;
use std::borrow::Cow;
use uuid::Uuid;

/// The version of the form.
const VERSION: u8 = 1;

/// Names that are written as their place in this list. A new one is appended: a place never changes, because stored
/// octets have it. A name that is not in the list is written as text.
const NAMES: [&str; 72] = [
    "sam_account_name",
    "user_principal_name",
    "display_name",
    "user_account_control",
    "account_expires",
    "pwd_last_set",
    "lockout_time",
    "logon_hours",
    "primary_group_id",
    "admin_count",
    "alternate_login",
    "mail",
    "proxy_addresses",
    "given_name",
    "surname",
    "department",
    "title",
    "telephone_number",
    "mobile",
    "description",
    "group_type",
    "name",
    "precedence",
    "maximum_password_age",
    "lockout_duration",
    "lockout_observation_window",
    "lockout_threshold",
    "minimum_password_age",
    "minimum_password_length",
    "password_history_length",
    "password_complexity",
    "rdn",
    "parent",
    "c",
    "co",
    "company",
    "division",
    "employeeID",
    "employeeNumber",
    "employeeType",
    "extensionAttribute1",
    "extensionAttribute2",
    "extensionAttribute3",
    "extensionAttribute4",
    "extensionAttribute5",
    "extensionAttribute6",
    "extensionAttribute7",
    "extensionAttribute8",
    "extensionAttribute9",
    "extensionAttribute10",
    "extensionAttribute11",
    "extensionAttribute12",
    "extensionAttribute13",
    "extensionAttribute14",
    "extensionAttribute15",
    "facsimileTelephoneNumber",
    "gecos",
    "gidNumber",
    "info",
    "initials",
    "l",
    "loginShell",
    "physicalDeliveryOfficeName",
    "postalCode",
    "preferredLanguage",
    "st",
    "streetAddress",
    "thumbnailPhoto",
    "uidNumber",
    "unixHomeDirectory",
    "wWWHomePage",
    "whenCreated",
];

/// In the place of a name: its text follows. Above every place that the list can have.
const AS_TEXT: u64 = 127;
const _: () = assert!(NAMES.len() <= 127, "a place must be below that which says that a text follows");

// The kinds of values.
const NONE: u8 = 0;
const TEXT: u8 = 1;
const INTEGER: u8 = 2;
const OCTETS: u8 = 3;
const ELSEWHERE: u8 = 4;

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name in the database.
    pub name: &'a str,
    /// When and where it was written.
    pub stamp: Stamp,
    /// Its value; none: it was removed.
    pub value: Option<Value<'a>>,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Integer(i64),
    /// Octets.
    Octets(Cow<'a, [u8]>),
    /// Octets that the table `octets` has, and how many they are.
    Elsewhere(u64),
}

/// The octets of these attributes.
pub fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut invocations: Vec<Uuid> = Vec::new();
    let places: Vec<usize> = entries
        .iter()
        .map(|entry| {
            let invocation = entry.stamp.invocation_id;
            invocations.iter().position(|known| *known == invocation).unwrap_or_else(|| {
                invocations.push(invocation);
                invocations.len() - 1
            })
        })
        .collect();
    let mut packed = vec![VERSION];
    put_length(&mut packed, invocations.len());
    for invocation in &invocations {
        packed.extend_from_slice(invocation.as_bytes());
    }
    put_length(&mut packed, entries.len());
    for (entry, invocation) in entries.iter().zip(places) {
        match NAMES.iter().position(|known| *known == entry.name) {
            Some(place) => put_length(&mut packed, place),
            None => {
                put_number(&mut packed, AS_TEXT);
                put_octets(&mut packed, entry.name.as_bytes());
            }
        }
        put_length(&mut packed, invocation);
        put_number(&mut packed, u64::from(entry.stamp.version));
        put_number(&mut packed, entry.stamp.time);
        put_value(&mut packed, entry.value.as_ref());
    }
    packed
}

fn put_value(packed: &mut Vec<u8>, value: Option<&Value<'_>>) {
    match value {
        None => packed.push(NONE),
        Some(Value::Text(text)) => {
            packed.push(TEXT);
            put_octets(packed, text.as_bytes());
        }
        Some(Value::Integer(number)) => {
            packed.push(INTEGER);
            // The sign is the least bit, so that small negative numbers are short as well.
            put_number(packed, ((number << 1) ^ (number >> 63)).cast_unsigned());
        }
        Some(Value::Octets(octets)) => {
            packed.push(OCTETS);
            put_octets(packed, octets);
        }
        Some(Value::Elsewhere(size)) => {
            packed.push(ELSEWHERE);
            put_number(packed, *size);
        }
    }
}

fn put_octets(packed: &mut Vec<u8>, octets: &[u8]) {
    put_length(packed, octets.len());
    packed.extend_from_slice(octets);
}

fn put_length(packed: &mut Vec<u8>, length: usize) {
    put_number(packed, length as u64);
}

fn put_number(packed: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        packed.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    packed.push(number.to_le_bytes()[0]);
}

/// The attributes in these octets. An error: no build of this program has written them.
pub fn unpack(packed: &[u8]) -> Result<Vec<Entry<'_>>, StoreError> {
    read(packed).ok_or(StoreError::Foreign { what: "attribute" })
}

fn read(packed: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut rest = Rest(packed);
    if rest.octet()? != VERSION {
        return None;
    }
    // 1. The invocation ids. The octets that are there limit how many they can be.
    let count = rest.length()?;
    let ids = rest.octets(count.checked_mul(16)?)?;
    let invocation = |place: usize| {
        let octets = ids.get(place.checked_mul(16)?..)?.first_chunk::<16>()?;
        Some(Uuid::from_bytes(*octets))
    };
    // 2. The attributes, none of them twice. Each has five octets or more.
    let count = rest.length()?;
    if count > rest.0.len() / 5 {
        return None;
    }
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(count);
    for _ in 0..count {
        let name = match rest.number()? {
            AS_TEXT => rest.text()?,
            place => NAMES.get(usize::try_from(place).ok()?)?,
        };
        let stamp = Stamp {
            invocation_id: invocation(rest.length()?)?,
            version: rest.number()?.try_into().ok()?,
            time: rest.number()?,
        };
        let value = rest.value()?;
        if entries.iter().any(|entry| entry.name == name) {
            return None;
        }
        entries.push(Entry { name, stamp, value });
    }
    // 3. Nothing follows.
    rest.0.is_empty().then_some(entries)
}

/// The octets that are not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    /// A number in its shortest form.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            number |= bits.checked_shl(shift).filter(|moved| moved >> shift == bits)?;
            if octet & 0x80 == 0 {
                return (bits > 0 || shift == 0).then_some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.octets(length)?).ok()
    }

    fn value(&mut self) -> Option<Option<Value<'a>>> {
        Some(match self.octet()? {
            NONE => None,
            TEXT => Some(Value::Text(self.text()?.into())),
            INTEGER => {
                let number = self.number()?;
                Some(Value::Integer((number >> 1).cast_signed() ^ -(number & 1).cast_signed()))
            }
            OCTETS => {
                let length = self.length()?;
                Some(Value::Octets(self.octets(length)?.into()))
            }
            ELSEWHERE => Some(Value::Elsewhere(self.number()?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
