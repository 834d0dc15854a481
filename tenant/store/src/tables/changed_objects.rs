//! Objects as they are stored now, with their attributes and links: for the directory in memory.
//! Neighbours: [`super::changes`] numbers the changes by which they are found.

use super::attributes::packed::{Value, unpack};
use super::links;
use crate::engine::Row;
use crate::{Reading, StoreError, stamps};
use landbridge_tenant_rules::model::{KINDS, kind_text};
use landbridge_wire::upload::{Kind, LinkKind};
use uuid::Uuid;

/// An object as it is stored now, with all that the directory shows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedObject {
    /// objectGUID.
    pub object: Uuid,
    /// What it is.
    pub kind: Kind,
    /// The row of its domain.
    pub domain: i64,
    /// objectSid, as text.
    pub sid: Option<String>,
    /// Whether it is in the directory: neither removed nor privileged.
    pub present: bool,
    /// Whether an administrator blocked it.
    pub blocked: bool,
    /// When its password was changed by way of the tenant: seconds since 1970. None: never, or the digest of the new one has
    /// arrived.
    pub password_changed: Option<i64>,
    /// The number of its last change.
    pub change: i64,
    /// Its attributes that have a value, by their names in the table.
    pub attributes: Vec<(String, StoredValue)>,
    /// The objects that its linked attributes name.
    pub links: Vec<(LinkKind, Uuid)>,
}

impl ChangedObject {
    /// The value of an attribute, by its name in the table, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        if let StoredValue::Text(text) = self.value(name)? { Some(text) } else { None }
    }

    /// The value of an attribute, by its name in the table, if it is a GUID.
    pub fn guid(&self, name: &str) -> Option<Uuid> {
        if let StoredValue::Octets(octets) = self.value(name)? { Uuid::from_slice(octets).ok() } else { None }
    }

    /// The value of an attribute, by its name in the table, if it is a number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        if let StoredValue::Integer(number) = self.value(name)? { Some(*number) } else { None }
    }

    fn value(&self, name: &str) -> Option<&StoredValue> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The attribute of which only the presence is read: its value is empty.
pub const PHOTO: &str = "thumbnailPhoto";

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredValue {
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
    /// Octets.
    Octets(Vec<u8>),
}

/// The place of a change among all: its number, then the object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePlace {
    /// The number. All that one transaction changed has the same.
    pub change: i64,
    /// objectGUID.
    pub object: Uuid,
}

/// Selects the columns that [`changed`] reads.
macro_rules! objects_sql {
    ($condition:literal) => {
        concat!(
            "SELECT o.object, o.kind, o.domain, o.sid, o.presence = 'present', b.object IS NOT NULL, o.change, p.changed_at,
                 a.packed
             FROM objects o LEFT JOIN blocks b ON b.object = o.object
             LEFT JOIN password_changes p ON p.object = o.object LEFT JOIN attributes a ON a.number = o.number ",
            $condition
        )
    };
}

/// Calls `each` with every object, in no order.
pub fn walk(reading: &Reading<'_>, mut each: impl FnMut(ChangedObject)) -> Result<(), StoreError> {
    reading.walk(objects_sql!(""), |row| {
        each(changed(reading, row)?);
        Ok(())
    })
}

/// The objects that have changed after a place, in the order of their places, at most `limit`.
pub fn after(
    reading: &Reading<'_>,
    place: ChangePlace,
    limit: usize,
) -> Result<Vec<ChangedObject>, StoreError> {
    let mut select = reading.prepare_cached(objects_sql!(
        "WHERE o.change >= ?1 AND (o.change > ?1 OR o.object > ?2) ORDER BY o.change, o.object LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = select.query((place.change, place.object.as_bytes(), limit))?;
    let mut found = Vec::new();
    while let Some(row) = &rows.next()? {
        found.push(changed(reading, row)?);
    }
    Ok(found)
}

fn changed(reading: &Reading<'_>, row: &Row<'_>) -> Result<ChangedObject, StoreError> {
    let object = stamps::guid(row, 0)?;
    let (kind, domain) = (kind_of(row.text(1)?), row.get(2)?);
    let attributes = row.get::<Option<Vec<u8>>>(8)?.as_deref().map(attributes).transpose()?;
    let links = linked(reading, domain, object)?;
    Ok(ChangedObject {
        object,
        kind: kind.ok_or(StoreError::Foreign { what: "kind of object" })?,
        domain,
        sid: row.get(3)?,
        present: row.get(4)?,
        blocked: row.get(5)?,
        change: row.get(6)?,
        password_changed: row.get(7)?,
        attributes: attributes.unwrap_or_default(),
        links,
    })
}

fn kind_of(text: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind_text(*kind) == text)
}

/// The attributes that have a value. Of a photo only that it is there: it is as large as a hundred objects, so it is read
/// alone.
fn attributes(packed: &[u8]) -> Result<Vec<(String, StoredValue)>, StoreError> {
    let with_value = unpack(packed)?.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
    let stored = with_value.map(|(name, value)| {
        let value = match value {
            Value::Text(text) => StoredValue::Text(text.into_owned()),
            Value::Integer(number) => StoredValue::Integer(number),
            Value::Octets(octets) => StoredValue::Octets(octets.into_owned()),
            Value::Elsewhere(_) => StoredValue::Octets(Vec::new()),
        };
        (name.to_owned(), value)
    });
    Ok(stored.collect())
}

fn linked(reading: &Reading<'_>, domain: i64, source: Uuid) -> Result<Vec<(LinkKind, Uuid)>, StoreError> {
    let sql = "SELECT what, target FROM links WHERE source = ?1 AND domain = ?2 AND present = 1";
    let mut select = reading.prepare_cached(sql)?;
    let mut rows = select.query((source.as_bytes(), domain))?;
    let mut found = Vec::new();
    while let Some(row) = &rows.next()? {
        let what = row.text(0)?;
        let kind = links::KINDS.into_iter().find(|kind| links::kind_text(*kind) == what);
        found.push((kind.ok_or(StoreError::Foreign { what: "linked attribute" })?, stamps::guid(row, 1)?));
    }
    Ok(found)
}

/// The members of groups that are not stored themselves: domain, group, member. Reads all links.
pub fn members_of_unknown_groups(reading: &Reading<'_>) -> Result<Vec<(i64, Uuid, Uuid)>, StoreError> {
    let mut select = reading.prepare_cached(
        "SELECT l.domain, l.source, l.target FROM links l WHERE l.what = 'member' AND l.present = 1
         AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.object = l.source)",
    )?;
    let rows = select.query_map((), |row| Ok((row.get(0)?, stamps::guid(row, 1)?, stamps::guid(row, 2)?)))?;
    rows.collect::<Result<_, _>>()
}
