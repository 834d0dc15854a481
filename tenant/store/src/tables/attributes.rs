//! The table `attributes`: one row for each object, with all its attributes packed into one column, and those that
//! statements search for in columns of their own. The table `octets` has the large ones, so that they are read alone.
//! Neighbours: the ingest writes; the sign-in reads the facts of an account's state, the directory all attributes.

pub mod packed;

use crate::engine::OptionalRow as _;
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::Attributes;
use landbridge_wire::bounded::Text;
use landbridge_wire::described::{DescribedName, DescribedValue, Syntax};
use landbridge_wire::upload::{Attribute, AttributeValue, Stamp};
use packed::{Entry, Value, pack, unpack};
use std::borrow::Cow;
use uuid::Uuid;

/// When a received attribute replaces the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// If its stamp is greater.
    IfNewer,
    /// Always.
    Always,
    /// Always, and stored attributes that were not received are deleted: AD sends all that an object has in a full
    /// compare.
    ReplaceAll,
}

/// All attributes of an object. Of octets their size: [`octets`] reads them.
pub fn of(reading: &Reading<'_>, object: Uuid) -> Result<Attributes, StoreError> {
    known(unpack_or_none(stored(reading, object)?.as_ref())?)
}

/// All attributes of an object, and the stamp of its pwdLastSet; none: it has not arrived.
pub fn with_password_stamp(
    reading: &Reading<'_>,
    object: Uuid,
) -> Result<(Attributes, Option<Stamp>), StoreError> {
    let packed = stored(reading, object)?;
    let entries = unpack_or_none(packed.as_ref())?;
    let password_set = entries.iter().find(|entry| entry.name == "pwd_last_set").map(|entry| entry.stamp);
    Ok((known(entries)?, password_set))
}

/// The octets of an attribute of an object; none: it has no value of octets.
pub fn octets(
    reading: &Reading<'_>,
    object: Uuid,
    name: DescribedName,
) -> Result<Option<Vec<u8>>, StoreError> {
    octets_named(reading, object, name.row().name)
}

fn octets_named(reading: &Reading<'_>, object: Uuid, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    reading
        .prepare_cached(
            "SELECT value FROM octets WHERE number = (SELECT number FROM objects WHERE object = ?1) AND name = ?2",
        )?
        .query_row((object.as_bytes(), name), |row| row.get(0))
        .optional()
}

/// The stamp of each stored attribute, with its name.
pub fn stamps_of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<(String, Stamp)>, StoreError> {
    let packed = stored(reading, object)?;
    let entries = unpack_or_none(packed.as_ref())?;
    Ok(entries.into_iter().map(|entry| (entry.name.to_owned(), entry.stamp)).collect())
}

/// The stamp and the text of one attribute of an object, by its name in the database; none: it has not arrived.
pub(crate) type StampedText = Option<(Stamp, Option<String>)>;

/// The stamps and the texts of some attributes of an object, in the order of their names.
pub(crate) fn texts<const N: usize>(
    reading: &Reading<'_>,
    object: Uuid,
    names: [&str; N],
) -> Result<[StampedText; N], StoreError> {
    let packed = stored(reading, object)?;
    let entries = unpack_or_none(packed.as_ref())?;
    let text = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        let text = if let Some(Value::Text(text)) = &entry.value { Some(text.to_string()) } else { None };
        Some((entry.stamp, text))
    };
    Ok(names.map(text))
}

/// Where an object is in the directory's tree: the first part of its distinguished name, and the container that it is in.
pub(crate) fn place(
    reading: &Reading<'_>,
    object: Uuid,
) -> Result<(Option<String>, Option<Uuid>), StoreError> {
    let known = of(reading, object)?;
    Ok((known.rdn, known.parent))
}

/// Applies received attributes to an object whose row is stored. `held`: its stored attributes. Returns whether any
/// changed, and all attributes afterwards.
pub fn apply(
    writing: &Writing<'_>,
    object: Uuid,
    sent: &[Attribute],
    how: Overwrite,
    held: Option<&Stored>,
) -> Result<(bool, Attributes), StoreError> {
    // 1. The stored attributes.
    let mut entries = unpack_or_none(held)?;
    let mut changed = false;
    // 2. Those that AD does not have any more.
    if how == Overwrite::ReplaceAll {
        let is_dropped = |entry: &mut Entry<'_>| !sent.iter().any(|one| named(&one.is).name == entry.name);
        for dropped in entries.extract_if(.., is_dropped) {
            changed = true;
            if has_octets(&dropped) {
                delete_octets(writing, object, dropped.name)?;
            }
        }
    }
    // 3. The received ones, by their stamps or always.
    for attribute in sent {
        let Named { name, value, octets } = named(&attribute.is);
        let entry = Entry { name, stamp: attribute.stamp, value };
        let before = entries.iter().position(|held| held.name == name);
        let held = before.and_then(|at| entries.get(at));
        let gives_way = match held {
            Some(held) if how == Overwrite::IfNewer => entry.stamp > held.stamp,
            Some(held) => *held != entry || !has_same_octets(writing, object, name, octets)?,
            None => true,
        };
        if !gives_way {
            continue;
        }
        match octets {
            Some(octets) => put_octets(writing, object, name, octets)?,
            None if held.is_some_and(has_octets) => delete_octets(writing, object, name)?,
            None => {}
        }
        before.map(|at| entries.swap_remove(at));
        entries.push(entry);
        changed = true;
    }
    // 4. The row, once.
    if changed {
        put(writing, object, &entries)?;
    }
    Ok((changed, known(entries)?))
}

fn has_octets(entry: &Entry<'_>) -> bool {
    matches!(entry.value, Some(Value::Elsewhere(_)))
}

/// Whether the stored octets are these. `octets`: none, if the attribute has no octets in their table.
fn has_same_octets(
    reading: &Reading<'_>,
    object: Uuid,
    name: &str,
    octets: Option<&[u8]>,
) -> Result<bool, StoreError> {
    let Some(octets) = octets else { return Ok(true) };
    Ok(octets_named(reading, object, name)?.as_deref() == Some(octets))
}

/// Writes the row of an object, which has one in the table of objects.
pub(crate) fn put(writing: &Writing<'_>, object: Uuid, entries: &[Entry<'_>]) -> Result<(), StoreError> {
    let searched = |name: &str| {
        let value = entries.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.as_ref());
        if let Some(Value::Integer(number)) = value { Some(*number) } else { None }
    };
    let sql = "INSERT INTO attributes (number, primary_group_id, account_expires, group_type, packed)
               SELECT number, ?2, ?3, ?4, ?5 FROM objects WHERE object = ?1
               ON CONFLICT (number) DO UPDATE SET primary_group_id = excluded.primary_group_id,
                   account_expires = excluded.account_expires, group_type = excluded.group_type,
                   packed = excluded.packed";
    writing.prepare_cached(sql)?.send((
        object.as_bytes(),
        searched("primary_group_id"),
        searched("account_expires"),
        searched("group_type"),
        pack(entries),
    ))?;
    Ok(())
}

/// Writes octets of an object, which has a row in the table of objects.
pub(crate) fn put_octets(
    writing: &Writing<'_>,
    object: Uuid,
    name: &str,
    octets: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO octets (number, name, value) SELECT number, ?2, ?3 FROM objects WHERE object = ?1
               ON CONFLICT (number, name) DO UPDATE SET value = excluded.value";
    writing.prepare_cached(sql)?.send((object.as_bytes(), name, octets))?;
    Ok(())
}

fn delete_octets(writing: &Writing<'_>, object: Uuid, name: &str) -> Result<(), StoreError> {
    let sql =
        "DELETE FROM octets WHERE number = (SELECT number FROM objects WHERE object = ?1) AND name = ?2";
    writing.prepare_cached(sql)?.send((object.as_bytes(), name))?;
    Ok(())
}

/// The attributes of an object as they are stored.
pub struct Stored(Vec<u8>);

/// The stored attributes of an object; none: it has no row.
pub fn stored(reading: &Reading<'_>, object: Uuid) -> Result<Option<Stored>, StoreError> {
    reading
        .prepare_cached(
            "SELECT packed FROM attributes WHERE number = (SELECT number FROM objects WHERE object = ?1)",
        )?
        .query_row([object.as_bytes()], |row| row.get(0).map(Stored))
        .optional()
}

fn unpack_or_none(stored: Option<&Stored>) -> Result<Vec<Entry<'_>>, StoreError> {
    stored.map_or_else(|| Ok(Vec::new()), |Stored(packed)| unpack(packed))
}

/// The attributes that these are. An error: a name or type that this program never writes.
pub(crate) fn known(entries: Vec<Entry<'_>>) -> Result<Attributes, StoreError> {
    let mut known = Attributes::default();
    for Entry { name, value, .. } in entries {
        set_field(&mut known, name, value)?;
    }
    Ok(known)
}

/// A received attribute, as it is stored.
struct Named<'a> {
    /// Its name in the database.
    name: &'static str,
    /// Its value; none: it was removed.
    value: Option<Value<'a>>,
    /// What the table `octets` has of it.
    octets: Option<&'a [u8]>,
}

fn named(is: &AttributeValue) -> Named<'_> {
    let integer = |n: Option<i64>| n.map(Value::Integer);
    let (name, value) = match is {
        AttributeValue::SamAccountName(v) => ("sam_account_name", text(v.as_ref())),
        AttributeValue::UserPrincipalName(v) => ("user_principal_name", text(v.as_ref())),
        AttributeValue::DisplayName(v) => ("display_name", text(v.as_ref())),
        AttributeValue::UserAccountControl(v) => ("user_account_control", integer(v.map(i64::from))),
        AttributeValue::AccountExpires(v) => ("account_expires", integer(*v)),
        AttributeValue::PwdLastSet(v) => ("pwd_last_set", integer(*v)),
        AttributeValue::LockoutTime(v) => ("lockout_time", integer(*v)),
        AttributeValue::LogonHours(v) => {
            ("logon_hours", v.as_ref().map(|hours| Value::Octets(hours.as_bytes().into())))
        }
        AttributeValue::PrimaryGroupId(v) => ("primary_group_id", integer(v.map(i64::from))),
        AttributeValue::AdminCount(v) => ("admin_count", integer(v.map(i64::from))),
        AttributeValue::AlternateLogin(v) => ("alternate_login", text(v.as_ref())),
        AttributeValue::Mail(v) => ("mail", text(v.as_ref())),
        AttributeValue::ProxyAddresses(v) => ("proxy_addresses", lines(v.as_slice())),
        AttributeValue::GivenName(v) => ("given_name", text(v.as_ref())),
        AttributeValue::Surname(v) => ("surname", text(v.as_ref())),
        AttributeValue::Department(v) => ("department", text(v.as_ref())),
        AttributeValue::Title(v) => ("title", text(v.as_ref())),
        AttributeValue::TelephoneNumber(v) => ("telephone_number", text(v.as_ref())),
        AttributeValue::Mobile(v) => ("mobile", text(v.as_ref())),
        AttributeValue::Description(v) => ("description", text(v.as_ref())),
        AttributeValue::GroupType(v) => ("group_type", integer(v.map(i64::from))),
        AttributeValue::Name(v) => ("name", text(v.as_ref())),
        AttributeValue::Precedence(v) => ("precedence", integer(v.map(i64::from))),
        AttributeValue::MaximumPasswordAge(v) => ("maximum_password_age", integer(*v)),
        AttributeValue::LockoutDuration(v) => ("lockout_duration", integer(*v)),
        AttributeValue::LockoutObservationWindow(v) => ("lockout_observation_window", integer(*v)),
        AttributeValue::LockoutThreshold(v) => ("lockout_threshold", integer(v.map(i64::from))),
        AttributeValue::MinimumPasswordAge(v) => ("minimum_password_age", integer(*v)),
        AttributeValue::MinimumPasswordLength(v) => ("minimum_password_length", integer(v.map(i64::from))),
        AttributeValue::PasswordHistoryLength(v) => ("password_history_length", integer(v.map(i64::from))),
        AttributeValue::PasswordComplexity(v) => ("password_complexity", integer(v.map(i64::from))),
        AttributeValue::Rdn(v) => ("rdn", text(v.as_ref())),
        AttributeValue::Parent(v) => {
            ("parent", v.as_ref().map(|guid| Value::Octets(guid.as_bytes().as_slice().into())))
        }
        // Its name in AD: the names above are in another spelling, so the two kinds share none.
        AttributeValue::Described(described) => {
            let value = match &described.value {
                None => None,
                Some(DescribedValue::Text(v)) => Some(Value::Text(v.as_str().into())),
                Some(DescribedValue::Integer(n)) => Some(Value::Integer(*n)),
                Some(DescribedValue::Octets(b)) => {
                    let octets = b.as_bytes();
                    let value = Some(Value::Elsewhere(octets.len() as u64));
                    return Named { name: described.name.row().name, value, octets: Some(octets) };
                }
            };
            (described.name.row().name, value)
        }
    };
    Named { name, value, octets: None }
}

fn text<const MAX: usize>(text: Option<&Text<MAX>>) -> Option<Value<'_>> {
    text.map(|text| Value::Text(text.as_str().into()))
}

/// Several texts, one on each line. A line break in a text becomes a space: an address has none, but AD would accept
/// one.
fn lines<const MAX: usize>(texts: &[Text<MAX>]) -> Option<Value<'_>> {
    let texts: Vec<String> = texts.iter().map(|text| text.as_str().replace(['\n', '\r'], " ")).collect();
    if texts.is_empty() { None } else { Some(Value::Text(Cow::Owned(texts.join("\n")))) }
}

/// Sets the field of a stored attribute. A name or type that this program never writes is an error.
fn set_field(known: &mut Attributes, name: &str, value: Option<Value<'_>>) -> Result<(), StoreError> {
    let foreign = StoreError::Foreign { what: "attribute" };
    let (text, integer, bytes) = match value {
        None => return Ok(()),
        Some(Value::Text(text)) => (Some(text.into_owned()), None, None),
        Some(Value::Integer(integer)) => (None, Some(integer), None),
        Some(Value::Octets(bytes)) => (None, None, Some(bytes.into_owned())),
        Some(Value::Elsewhere(size)) => {
            let name = DescribedName::named(name).filter(|name| name.row().syntax == Syntax::Octets);
            known.octets.insert(name.ok_or(foreign)?, size);
            return Ok(());
        }
    };
    match (name, text, integer, bytes) {
        ("sam_account_name", text @ Some(_), _, _) => known.sam_account_name = text,
        ("user_principal_name", text @ Some(_), _, _) => known.user_principal_name = text,
        ("display_name", text @ Some(_), _, _) => known.display_name = text,
        ("user_account_control", _, n @ Some(_), _) => known.user_account_control = n,
        ("account_expires", _, n @ Some(_), _) => known.account_expires = n,
        ("pwd_last_set", _, n @ Some(_), _) => known.pwd_last_set = n,
        ("lockout_time", _, n @ Some(_), _) => known.lockout_time = n,
        ("primary_group_id", _, n @ Some(_), _) => known.primary_group_id = n,
        ("admin_count", _, n @ Some(_), _) => known.admin_count = n,
        ("logon_hours", _, _, bytes @ Some(_)) => known.logon_hours = bytes,
        ("alternate_login", text @ Some(_), _, _) => known.alternate_login = text,
        ("mail", text @ Some(_), _, _) => known.mail = text,
        ("proxy_addresses", text @ Some(_), _, _) => known.proxy_addresses = text,
        ("given_name", text @ Some(_), _, _) => known.given_name = text,
        ("surname", text @ Some(_), _, _) => known.surname = text,
        ("department", text @ Some(_), _, _) => known.department = text,
        ("title", text @ Some(_), _, _) => known.title = text,
        ("telephone_number", text @ Some(_), _, _) => known.telephone_number = text,
        ("mobile", text @ Some(_), _, _) => known.mobile = text,
        ("description", text @ Some(_), _, _) => known.description = text,
        ("name", text @ Some(_), _, _) => known.name = text,
        ("group_type", _, n @ Some(_), _) => known.group_type = n,
        ("precedence", _, n @ Some(_), _) => known.precedence = n,
        ("maximum_password_age", _, n @ Some(_), _) => known.maximum_password_age = n,
        ("lockout_duration", _, n @ Some(_), _) => known.lockout_duration = n,
        ("lockout_observation_window", _, n @ Some(_), _) => known.lockout_observation_window = n,
        ("lockout_threshold", _, n @ Some(_), _) => known.lockout_threshold = n,
        ("minimum_password_age", _, n @ Some(_), _) => known.minimum_password_age = n,
        ("minimum_password_length", _, n @ Some(_), _) => known.minimum_password_length = n,
        ("password_history_length", _, n @ Some(_), _) => known.password_history_length = n,
        ("password_complexity", _, n @ Some(_), _) => known.password_complexity = n,
        ("rdn", text @ Some(_), _, _) => known.rdn = text,
        ("parent", _, _, Some(bytes)) => known.parent = Some(Uuid::from_slice(&bytes).map_err(|_| foreign)?),
        (name, text, integer, None) => {
            let name = DescribedName::named(name);
            name.and_then(|name| set_described(known, name, text, integer)).ok_or(foreign)?;
        }
        (_, _, _, Some(_)) => return Err(foreign),
    }
    Ok(())
}

/// Sets an attribute of the wire's table. None: it is of another type than its syntax.
fn set_described(
    known: &mut Attributes,
    name: DescribedName,
    text: Option<String>,
    integer: Option<i64>,
) -> Option<()> {
    let value = match (name.row().syntax, text, integer) {
        (Syntax::Text | Syntax::Ascii, Some(text), _) => DescribedValue::Text(Text::cut(&text)),
        (Syntax::Integer | Syntax::Time, _, Some(number)) => DescribedValue::Integer(number),
        (_, _, _) => return None,
    };
    known.described.insert(name, value);
    Some(())
}
