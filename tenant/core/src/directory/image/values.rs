//! The attributes of an object, packed into one block of memory: an object has twenty of them, and a directory 100,000
//! objects. Looking for one walks over the block.
//! Neighbours: [`super`] holds the objects.

use landbridge_tenant_store::tables::changed_objects::StoredValue;
use landbridge_wire::described::DescribedName;
use std::sync::LazyLock;

/// An attribute that objects have, by its number in the packed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u8);

/// The attributes of the database that do not have their names of AD there: column name, and lDAPDisplayName. Attributes
/// that are missing here, such as the lockout time, are not shown by any door.
const COLUMNS: [(&str, &str); 19] = [
    ("sam_account_name", "sAMAccountName"),
    ("user_principal_name", "userPrincipalName"),
    ("display_name", "displayName"),
    ("user_account_control", "userAccountControl"),
    ("account_expires", "accountExpires"),
    ("pwd_last_set", "pwdLastSet"),
    ("primary_group_id", "primaryGroupID"),
    ("mail", "mail"),
    ("proxy_addresses", "proxyAddresses"),
    ("given_name", "givenName"),
    ("surname", "sn"),
    ("department", "department"),
    ("title", "title"),
    ("telephone_number", "telephoneNumber"),
    ("mobile", "mobile"),
    ("description", "description"),
    ("group_type", "groupType"),
    ("name", "cn"),
    ("rdn", "rdn"),
];

/// All of them: column name, and lDAPDisplayName.
static ALL: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let described = DescribedName::all().map(|name| (name.row().name, name.row().name));
    COLUMNS.into_iter().chain(described).collect()
});

impl Key {
    /// The attribute with this lDAPDisplayName; none: objects do not have it here.
    pub fn named(name: &str) -> Option<Self> {
        Self::at(ALL.iter().position(|(_, named)| *named == name)?)
    }

    fn of_column(column: &str) -> Option<Self> {
        Self::at(ALL.iter().position(|(named, _)| *named == column)?)
    }

    fn at(place: usize) -> Option<Self> {
        u8::try_from(place).ok().map(Self)
    }
}

/// The attributes that every application sees that reads the directory: names, mail, and what a Unix machine needs.
const USUAL: [&str; 24] = [
    "sAMAccountName",
    "userPrincipalName",
    "displayName",
    "cn",
    "givenName",
    "sn",
    "initials",
    "mail",
    "userAccountControl",
    "accountExpires",
    "pwdLastSet",
    "primaryGroupID",
    "groupType",
    "uidNumber",
    "gidNumber",
    "unixHomeDirectory",
    "loginShell",
    "gecos",
    "whenCreated",
    "preferredLanguage",
    "memberOf",
    "member",
    "objectSid",
    "objectGUID",
];

/// An attribute that an application sees only if it is named, or if it sees all: its lDAPDisplayName in its spelling.
pub fn shown(name: &str) -> Option<&'static str> {
    let names = ALL.iter().map(|(_, name)| *name).filter(|name| *name != "rdn").chain(["manager"]);
    names.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an application sees an attribute, by its lDAPDisplayName. `named` are those that were named for it; none: all.
pub(super) fn is_seen(name: &str, named: Option<&[String]>) -> bool {
    USUAL.contains(&name) || named.is_none_or(|named| named.iter().any(|one| one == name))
}

/// Kinds of value in the packed form.
const TEXT: u8 = 0;
const INTEGER: u8 = 1;
const OCTETS: u8 = 2;
/// Bytes before each value: attribute, kind, and the length in four bytes.
const HEAD: usize = 6;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text. Of proxyAddresses it has a line for each address.
    Text(&'a str),
    /// A number.
    Integer(i64),
    /// Octets.
    Octets(&'a [u8]),
}

/// The attributes of an object.
#[derive(Debug, Default)]
pub(super) struct Values(Box<[u8]>);

impl Values {
    /// Packs the values of a row of the database. Attributes that no door shows are left out.
    pub(super) fn pack(attributes: &[(String, StoredValue)]) -> Self {
        let mut packed = Vec::new();
        for (column, value) in attributes {
            let Some(Key(key)) = Key::of_column(column) else { continue };
            let number;
            let (kind, bytes) = match value {
                StoredValue::Text(text) => (TEXT, text.as_bytes()),
                StoredValue::Integer(stored) => {
                    number = stored.to_be_bytes();
                    (INTEGER, &number[..])
                }
                StoredValue::Octets(octets) => (OCTETS, &octets[..]),
            };
            let Ok(length) = u32::try_from(bytes.len()) else { continue };
            packed.extend([key, kind]);
            packed.extend(length.to_be_bytes());
            packed.extend(bytes);
        }
        Self(packed.into_boxed_slice())
    }

    /// The value of an attribute.
    pub(super) fn get(&self, Key(wanted): Key) -> Option<Value<'_>> {
        let mut rest = &self.0[..];
        while let Some(([key, kind, length @ ..], after)) = rest.split_first_chunk::<HEAD>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (value, after) = after.split_at_checked(length)?;
            if *key == wanted {
                return match *kind {
                    TEXT => std::str::from_utf8(value).ok().map(Value::Text),
                    INTEGER => value.try_into().ok().map(|value| Value::Integer(i64::from_be_bytes(value))),
                    _ => Some(Value::Octets(value)),
                };
            }
            rest = after;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_come_back_and_what_no_door_shows_is_left_out() {
        let row = |column: &str, value| (column.to_owned(), value);
        let values = Values::pack(&[
            row("lockout_time", StoredValue::Integer(5)),
            row("mail", StoredValue::Text("a@b".to_owned())),
            row("display_name", StoredValue::Text(String::new())),
            row("user_account_control", StoredValue::Integer(-3)),
            row("uidNumber", StoredValue::Integer(1000)),
            row("logon_hours", StoredValue::Octets(vec![0; 21])),
        ]);
        let get = |name| values.get(Key::named(name).unwrap());
        assert_eq!(get("mail"), Some(Value::Text("a@b")));
        assert_eq!(get("displayName"), Some(Value::Text("")));
        assert_eq!(get("userAccountControl"), Some(Value::Integer(-3)));
        assert_eq!(get("uidNumber"), Some(Value::Integer(1000)));
        assert_eq!(get("sn"), None);
        for hidden in ["lockoutTime", "logonHours", "unicodePwd", "adminCount", "badPwdCount"] {
            assert_eq!(Key::named(hidden), None, "{hidden}");
        }
    }

    #[test]
    fn every_attribute_has_a_number_of_its_own() {
        assert!(ALL.len() <= 256);
        for (place, (column, name)) in ALL.iter().enumerate() {
            assert_eq!(Key::of_column(column), Key::at(place), "{column}");
            assert_eq!(Key::named(name), Key::at(place), "{name}");
        }
    }
}
