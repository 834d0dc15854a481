//! The accounts, what is known of each, and the names that it signs in with.
//! Neighbours: `ingest` writes; `directory` finds by name; `signin` reads what account_state needs.

use super::{StoreError, stamps};
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::{Attribute, AttributeValue, Presence, Stamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use uuid::Uuid;

/// An account, without its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// objectGUID.
    pub object: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// objectSid, as text.
    pub sid: String,
    /// Whether it is in the cloud.
    pub presence: Presence,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// The last full compare that named it.
    pub cycle: Option<Uuid>,
    /// When something about it changed last: seconds since 1970.
    pub changed_at: i64,
}

/// What is known of an account; none: never told, or removed in AD. Units as in [`AttributeValue`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// displayName.
    pub display_name: Option<String>,
    /// userAccountControl.
    pub user_account_control: Option<i64>,
    /// accountExpires.
    pub account_expires: Option<i64>,
    /// pwdLastSet.
    pub pwd_last_set: Option<i64>,
    /// lockoutTime.
    pub lockout_time: Option<i64>,
    /// logonHours.
    pub logon_hours: Option<Vec<u8>>,
    /// primaryGroupID.
    pub primary_group_id: Option<i64>,
    /// adminCount.
    pub admin_count: Option<i64>,
}

/// When a value that is held gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// To a greater stamp only.
    Greater,
    /// To whatever is sent: a full compare.
    Whatever,
}

/// The account of that objectGUID.
pub fn find(connection: &Connection, object: Uuid) -> Result<Option<Account>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT domain, sid, presence, protected_user, cycle, changed_at FROM accounts WHERE object = ?1",
        )?
        .query_row([object.as_bytes()], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, String>(2)?,
                row.get(3)?,
                stamps::guid_or_none(row, 4)?,
                row.get(5)?,
            ))
        })
        .optional()?;
    let Some((domain, sid, presence, protected_user, cycle, changed_at)) = row else { return Ok(None) };
    let presence = presence_of(&presence)?;
    Ok(Some(Account { object, domain, sid, presence, protected_user, cycle, changed_at }))
}

/// Stores the account; replaces what was there.
pub fn put(transaction: &Transaction<'_>, account: &Account) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO accounts (object, domain, sid, presence, protected_user, cycle, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (object) DO UPDATE SET domain = excluded.domain, sid = excluded.sid, presence = excluded.presence,
                 protected_user = excluded.protected_user, cycle = excluded.cycle, changed_at = excluded.changed_at",
        )?
        .execute((
            account.object.as_bytes(),
            account.domain,
            &account.sid,
            presence_text(account.presence),
            account.protected_user,
            account.cycle.map(|c| *c.as_bytes()),
            account.changed_at,
        ))?;
    Ok(())
}

/// The accounts of the domain that are present and that this full compare has not named.
pub fn unnamed_in(connection: &Connection, domain: i64, cycle: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT object FROM accounts WHERE domain = ?1 AND presence = 'present' AND cycle IS NOT ?2",
    )?;
    let rows = statement.query_map((domain, cycle.as_bytes()), |row| stamps::guid(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Changes presence alone. `now` is in seconds since 1970.
pub fn set_presence(
    transaction: &Transaction<'_>,
    object: Uuid,
    presence: Presence,
    now: i64,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE accounts SET presence = ?2, changed_at = ?3 WHERE object = ?1")?
        .execute((object.as_bytes(), presence_text(presence), now))?;
    Ok(())
}

/// How many accounts of the domain are present.
pub fn present_in(connection: &Connection, domain: i64) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM accounts WHERE domain = ?1 AND presence = 'present'")?
        .query_row([domain], |row| row.get(0))?)
}

/// All that is known of an account.
pub fn attributes(connection: &Connection, object: Uuid) -> Result<Attributes, StoreError> {
    let mut known = Attributes::default();
    for (name, _, value) in stored(connection, object)? {
        place(&mut known, &name, value)?;
    }
    Ok(known)
}

/// The stamp of each attribute that was told, by name.
pub fn stamps_of(connection: &Connection, object: Uuid) -> Result<Vec<(String, Stamp)>, StoreError> {
    stored(connection, object)?
        .into_iter()
        .map(|(name, stamp, _)| Ok((name, stamps::from_bytes(&stamp)?)))
        .collect()
}

/// Takes over a value. Says whether anything changed.
pub fn put_attribute(
    transaction: &Transaction<'_>,
    object: Uuid,
    attribute: &Attribute,
    take: Take,
) -> Result<bool, StoreError> {
    let (name, value) = named(&attribute.is);
    let sql = match take {
        Take::Greater => {
            "INSERT INTO attributes (object, name, stamp, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (object, name) DO UPDATE SET stamp = excluded.stamp, value = excluded.value
             WHERE excluded.stamp > stamp"
        }
        Take::Whatever => {
            "INSERT INTO attributes (object, name, stamp, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (object, name) DO UPDATE SET stamp = excluded.stamp, value = excluded.value
             WHERE excluded.stamp <> stamp OR excluded.value IS NOT value"
        }
    };
    let stamp = stamps::to_bytes(&attribute.stamp);
    Ok(transaction.prepare_cached(sql)?.execute((object.as_bytes(), name, stamp, value))? > 0)
}

/// Drops every attribute that is not among those sent: in a full compare, what AD does not send it never had.
pub fn keep_only(
    transaction: &Transaction<'_>,
    object: Uuid,
    sent: &[Attribute],
) -> Result<bool, StoreError> {
    let mut dropped = false;
    for (name, _, _) in stored(transaction, object)? {
        if !sent.iter().any(|a| named(&a.is).0 == name) {
            dropped |= transaction
                .prepare_cached("DELETE FROM attributes WHERE object = ?1 AND name = ?2")?
                .execute((object.as_bytes(), &name))?
                > 0;
        }
    }
    Ok(dropped)
}

/// The names the account signs in with; replaces those it had.
pub fn set_names(transaction: &Transaction<'_>, object: Uuid, names: &[String]) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM signin_names WHERE object = ?1")?.execute([object.as_bytes()])?;
    let mut add =
        transaction.prepare_cached("INSERT OR IGNORE INTO signin_names (name, object) VALUES (?1, ?2)")?;
    for name in names {
        add.execute((name, object.as_bytes()))?;
    }
    Ok(())
}

/// The names the account signs in with.
pub fn names(connection: &Connection, object: Uuid) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM signin_names WHERE object = ?1 ORDER BY name")?;
    let rows = statement.query_map([object.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whose sign-in name this is, at most two of them: two are as bad as many. `folded` as `directory::fold` makes it.
pub fn holders(connection: &Connection, folded: &str) -> Result<Vec<Uuid>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT object FROM signin_names WHERE name = ?1 LIMIT 2")?;
    let rows = statement.query_map([folded], |row| stamps::guid(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The accounts that `hit` says yes to, at most `limit` of them. Those that are not present come first. Walks the
/// table: for a person who asks.
pub fn walk(
    connection: &Connection,
    limit: usize,
    hit: impl Fn(&Account, &Attributes) -> bool,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = connection.prepare("SELECT object FROM accounts ORDER BY presence = 'present'")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let object = stamps::guid(row, 0)?;
        let Some(account) = find(connection, object)? else { continue };
        if hit(&account, &attributes(connection, object)?) {
            found.push(object);
            if found.len() >= limit {
                break;
            }
        }
    }
    Ok(found)
}

/// Forgets the account wholly, for one that moved to another domain: what it was there says nothing here.
pub fn forget(transaction: &Transaction<'_>, object: Uuid) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM signin_names WHERE object = ?1",
        "DELETE FROM digests WHERE object = ?1",
        "DELETE FROM attributes WHERE object = ?1",
        "DELETE FROM accounts WHERE object = ?1",
    ] {
        transaction.execute(sql, [object.as_bytes()])?;
    }
    Ok(())
}

type Stored = (String, Vec<u8>, Value);

fn stored(connection: &Connection, object: Uuid) -> Result<Vec<Stored>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT name, stamp, value FROM attributes WHERE object = ?1")?;
    let rows = statement.query_map([object.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

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
            ("logon_hours", v.as_ref().map_or(Value::Null, |b| Value::Blob(b.as_bytes().to_vec())))
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
    }
}

/// One a line: no address holds a line's end.
fn lines<const MAX: usize>(texts: &[Text<MAX>]) -> Value {
    let texts: Vec<&str> = texts.iter().map(Text::as_str).collect();
    if texts.is_empty() { Value::Null } else { Value::Text(texts.join("\n")) }
}

fn place(known: &mut Attributes, name: &str, value: Value) -> Result<(), StoreError> {
    let foreign = StoreError::Foreign { what: "attribute" };
    let (text, integer, bytes) = match value {
        Value::Null => return Ok(()),
        Value::Text(text) => (Some(text), None, None),
        Value::Integer(integer) => (None, Some(integer), None),
        Value::Blob(bytes) => (None, None, Some(bytes)),
        Value::Real(_) => return Err(foreign),
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
        (
            "alternate_login"
            | "mail"
            | "proxy_addresses"
            | "given_name"
            | "surname"
            | "department"
            | "title"
            | "telephone_number"
            | "mobile"
            | "description"
            | "group_type"
            | "name"
            | "precedence"
            | "maximum_password_age"
            | "lockout_duration"
            | "lockout_observation_window"
            | "lockout_threshold",
            _,
            _,
            _,
        ) => {}
        _ => return Err(foreign),
    }
    Ok(())
}

/// As the wire spells it.
pub fn presence_text(presence: Presence) -> &'static str {
    match presence {
        Presence::Present => "present",
        Presence::Deleted => "deleted",
        Presence::Privileged => "privileged",
        Presence::OutOfScope => "out-of-scope",
    }
}

fn presence_of(text: &str) -> Result<Presence, StoreError> {
    [Presence::Present, Presence::Deleted, Presence::Privileged, Presence::OutOfScope]
        .into_iter()
        .find(|p| presence_text(*p) == text)
        .ok_or(StoreError::Foreign { what: "presence" })
}
