//! The table `attributes`: one row for each attribute of an object, with its value and stamp.
//! Neighbours: the ingest writes; the sign-in reads the facts of an account's state, the directory all attributes.

use crate::engine::{OptionalRow as _, Value};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::Attributes;
use landbridge_wire::bounded::Text;
use landbridge_wire::described::{DescribedName, DescribedValue, Syntax};
use landbridge_wire::upload::{Attribute, AttributeValue, Stamp};
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
    let mut statement = reading.prepare_cached(
        "SELECT name, CASE name WHEN 'thumbnailPhoto' THEN length(value) ELSE value END \
         FROM attributes WHERE object = ?1",
    )?;
    let mut rows = statement.query([object.as_bytes()])?;
    let mut known = Attributes::default();
    while let Some(row) = &rows.next()? {
        let name = row.text(0)?;
        set_field(&mut known, name, row.get(1)?)?;
    }
    Ok(known)
}

/// The octets of an attribute of an object; none: it has no value of octets.
pub fn octets(
    reading: &Reading<'_>,
    object: Uuid,
    name: DescribedName,
) -> Result<Option<Vec<u8>>, StoreError> {
    let value: Option<Value> = reading
        .prepare_cached("SELECT value FROM attributes WHERE object = ?1 AND name = ?2")?
        .query_row((object.as_bytes(), name.row().name), |row| row.get(0))
        .optional()?;
    match value {
        Some(Value::Octets(octets)) => Ok(Some(octets)),
        None | Some(Value::Null | Value::Text(_) | Value::Integer(_)) => Ok(None),
    }
}

/// The stamp of each stored attribute, with its name.
pub fn stamps_of(reading: &Reading<'_>, object: Uuid) -> Result<Vec<(String, Stamp)>, StoreError> {
    let sql = "SELECT name, stamp, NULL FROM attributes WHERE object = ?1";
    rows(reading, object, sql)?
        .into_iter()
        .map(|(name, stamp, _)| Ok((name, stamps::from_bytes(&stamp)?)))
        .collect()
}

/// The stamp of an object's pwdLastSet; none: it has not arrived.
pub fn pwd_last_set_stamp(reading: &Reading<'_>, object: Uuid) -> Result<Option<Stamp>, StoreError> {
    let stamp: Option<Vec<u8>> = reading
        .prepare_cached("SELECT stamp FROM attributes WHERE object = ?1 AND name = 'pwd_last_set'")?
        .query_row([object.as_bytes()], |row| row.get(0))
        .optional()?;
    stamp.as_deref().map(stamps::from_bytes).transpose()
}

/// Applies received attributes to an object. Returns whether any changed, and all attributes afterwards. `new`: the
/// object has no stored attributes, so none are read.
pub fn apply(
    writing: &Writing<'_>,
    object: Uuid,
    sent: &[Attribute],
    how: Overwrite,
    new: bool,
) -> Result<(bool, Attributes), StoreError> {
    // 1. The stored attributes.
    let mut held = if new { Vec::new() } else { stored(writing, object)? };
    let mut changed = false;
    // 2. Those that AD does not have any more.
    if how == Overwrite::ReplaceAll {
        let sent: Vec<_> = sent.iter().map(|a| named(&a.is).0).collect();
        let dropped: Vec<_> = held.extract_if(.., |(name, _, _)| !sent.contains(&name.as_str())).collect();
        for (name, _, _) in &dropped {
            let sql = "DELETE FROM attributes WHERE object = ?1 AND name = ?2";
            writing.prepare_cached(sql)?.execute((object.as_bytes(), name))?;
        }
        changed |= !dropped.is_empty();
    }
    // 3. The received ones, by their stamps or always.
    for attribute in sent {
        let (name, value) = named(&attribute.is);
        let stamp = stamps::to_bytes(&attribute.stamp);
        let before = held.iter().position(|(held, _, _)| held == name);
        let gives_way = match before.and_then(|at| held.get(at)) {
            Some((_, held, _)) if how == Overwrite::IfNewer => stamp[..] > held[..],
            Some((_, held, old)) => stamp[..] != held[..] || value != *old,
            None => true,
        };
        if !gives_way {
            continue;
        }
        let sql = match before {
            Some(_) => "UPDATE attributes SET stamp = ?3, value = ?4 WHERE object = ?1 AND name = ?2",
            None => "INSERT INTO attributes (object, name, stamp, value) VALUES (?1, ?2, ?3, ?4)",
        };
        writing.prepare_cached(sql)?.execute((object.as_bytes(), name, stamp, &value))?;
        before.map(|at| held.swap_remove(at));
        held.push((name.to_owned(), stamp.to_vec(), value));
        changed = true;
    }
    Ok((changed, known(held)?))
}

/// A row: name, stamp, value.
type Stored = (String, Vec<u8>, Value);

fn stored(reading: &Reading<'_>, object: Uuid) -> Result<Vec<Stored>, StoreError> {
    rows(reading, object, "SELECT name, stamp, value FROM attributes WHERE object = ?1")
}

fn rows(reading: &Reading<'_>, object: Uuid, sql: &str) -> Result<Vec<Stored>, StoreError> {
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map([object.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect::<Result<_, _>>()
}

fn known(stored: Vec<Stored>) -> Result<Attributes, StoreError> {
    let mut known = Attributes::default();
    for (name, _, value) in stored {
        set_field(&mut known, &name, value)?;
    }
    Ok(known)
}

/// The name of an attribute in the table, and its value.
fn named(is: &AttributeValue) -> (&'static str, Value) {
    let text = |t: Option<&str>| t.map_or(Value::Null, |t| Value::Text(t.to_owned()));
    let integer = |n: Option<i64>| n.map_or(Value::Null, Value::Integer);
    match is {
        AttributeValue::SamAccountName(v) => ("sam_account_name", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::UserPrincipalName(v) => ("user_principal_name", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::DisplayName(v) => ("display_name", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::UserAccountControl(v) => ("user_account_control", integer(v.map(i64::from))),
        AttributeValue::AccountExpires(v) => ("account_expires", integer(*v)),
        AttributeValue::PwdLastSet(v) => ("pwd_last_set", integer(*v)),
        AttributeValue::LockoutTime(v) => ("lockout_time", integer(*v)),
        AttributeValue::LogonHours(v) => {
            ("logon_hours", v.as_ref().map_or(Value::Null, |b| Value::Octets(b.as_bytes().to_vec())))
        }
        AttributeValue::PrimaryGroupId(v) => ("primary_group_id", integer(v.map(i64::from))),
        AttributeValue::AdminCount(v) => ("admin_count", integer(v.map(i64::from))),
        AttributeValue::AlternateLogin(v) => ("alternate_login", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Mail(v) => ("mail", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::ProxyAddresses(v) => ("proxy_addresses", lines(v.as_slice())),
        AttributeValue::GivenName(v) => ("given_name", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Surname(v) => ("surname", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Department(v) => ("department", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Title(v) => ("title", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::TelephoneNumber(v) => ("telephone_number", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Mobile(v) => ("mobile", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Description(v) => ("description", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::GroupType(v) => ("group_type", integer(v.map(i64::from))),
        AttributeValue::Name(v) => ("name", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Precedence(v) => ("precedence", integer(v.map(i64::from))),
        AttributeValue::MaximumPasswordAge(v) => ("maximum_password_age", integer(*v)),
        AttributeValue::LockoutDuration(v) => ("lockout_duration", integer(*v)),
        AttributeValue::LockoutObservationWindow(v) => ("lockout_observation_window", integer(*v)),
        AttributeValue::LockoutThreshold(v) => ("lockout_threshold", integer(v.map(i64::from))),
        AttributeValue::MinimumPasswordAge(v) => ("minimum_password_age", integer(*v)),
        AttributeValue::MinimumPasswordLength(v) => ("minimum_password_length", integer(v.map(i64::from))),
        AttributeValue::PasswordHistoryLength(v) => ("password_history_length", integer(v.map(i64::from))),
        AttributeValue::PasswordComplexity(v) => ("password_complexity", integer(v.map(i64::from))),
        AttributeValue::Rdn(v) => ("rdn", text(v.as_ref().map(|t| t.as_str()))),
        AttributeValue::Parent(v) => {
            ("parent", v.map_or(Value::Null, |guid| Value::Octets(guid.as_bytes().to_vec())))
        }
        // Its name in AD: the names above are in another spelling, so the two kinds share none.
        AttributeValue::Described(described) => {
            let value = match &described.value {
                None => Value::Null,
                Some(DescribedValue::Text(v)) => Value::Text(v.as_str().to_owned()),
                Some(DescribedValue::Integer(n)) => Value::Integer(*n),
                Some(DescribedValue::Octets(b)) => Value::Octets(b.as_bytes().to_vec()),
            };
            (described.name.row().name, value)
        }
    }
}

/// Several texts, one on each line. A line break in a text becomes a space: an address has none, but AD would accept
/// one.
fn lines<const MAX: usize>(texts: &[Text<MAX>]) -> Value {
    let texts: Vec<String> = texts.iter().map(|text| text.as_str().replace(['\n', '\r'], " ")).collect();
    if texts.is_empty() { Value::Null } else { Value::Text(texts.join("\n")) }
}

/// Sets the field of a stored attribute. A name or type that this program never writes is an error.
fn set_field(known: &mut Attributes, name: &str, value: Value) -> Result<(), StoreError> {
    let foreign = StoreError::Foreign { what: "attribute" };
    let (text, integer, bytes) = match value {
        Value::Null => return Ok(()),
        Value::Text(text) => (Some(text), None, None),
        Value::Integer(integer) => (None, Some(integer), None),
        Value::Octets(bytes) => (None, None, Some(bytes)),
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
        (name, text, integer, bytes) => {
            let name = DescribedName::named(name);
            name.and_then(|name| set_described(known, name, text, integer, bytes)).ok_or(foreign)?;
        }
    }
    Ok(())
}

/// Sets an attribute of the wire's table. Octets are stored as such, and read as their size. None: it is of another type
/// than its syntax.
fn set_described(
    known: &mut Attributes,
    name: DescribedName,
    text: Option<String>,
    integer: Option<i64>,
    bytes: Option<Vec<u8>>,
) -> Option<()> {
    let value = match (name.row().syntax, text, integer, bytes) {
        (Syntax::Octets, _, Some(size), _) => {
            known.octets.insert(name, size.try_into().ok()?);
            return Some(());
        }
        (Syntax::Octets, _, _, Some(bytes)) => {
            known.octets.insert(name, bytes.len().try_into().ok()?);
            return Some(());
        }
        (Syntax::Text | Syntax::Ascii, Some(text), _, _) => DescribedValue::Text(Text::cut(&text)),
        (Syntax::Integer | Syntax::Time, _, Some(number), _) => DescribedValue::Integer(number),
        (_, _, _, _) => return None,
    };
    known.described.insert(name, value);
    Some(())
}
