//! Packs the attributes of the versions before 5, which had a row for each, into a row for each object.
//! Neighbours: [`super`] calls it in the transaction of the upgrade.

use crate::error::StoreError;
use crate::stamps;
use crate::tables::attributes::packed::{Entry, Value};
use crate::tables::attributes::{put, put_octets};
use crate::transaction::Writing;
use landbridge_wire::described::{DescribedName, Syntax};
use rusqlite::Connection;
use rusqlite::types::Value as Column;
use uuid::Uuid;

/// A row of an older version: name, stamp, value.
type Row = (String, Vec<u8>, Column);

/// Packs all rows of `attributes_before`, and drops this table and that of the objects of before. The rows of one object are in memory at a time.
pub(super) fn pack_attributes(connection: &Connection, writing: &Writing<'_>) -> Result<(), StoreError> {
    {
        let sql = "SELECT o.object, a.name, a.stamp, a.value FROM attributes_before a
                   JOIN objects o ON o.object = a.object ORDER BY a.object, a.name";
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([])?;
        let (mut of, mut held) = (Uuid::nil(), Vec::new());
        while let Some(row) = rows.next()? {
            let object = Uuid::from_bytes(row.get(0)?);
            if object != of {
                pack_object(writing, of, &held)?;
                (of, held) = (object, Vec::new());
            }
            held.push((row.get(1)?, row.get(2)?, row.get(3)?));
        }
        pack_object(writing, of, &held)?;
    }
    connection.execute_batch("DROP TABLE attributes_before; DROP TABLE objects_before")?;
    Ok(())
}

/// Writes the row of an object, and its large octets. A name that this build does not know is kept as it is.
fn pack_object(writing: &Writing<'_>, object: Uuid, held: &[Row]) -> Result<(), StoreError> {
    if held.is_empty() {
        return Ok(());
    }
    let mut entries = Vec::with_capacity(held.len());
    for (name, stamp, value) in held {
        let is_large =
            || DescribedName::named(name).is_some_and(|described| described.row().syntax == Syntax::Octets);
        let value = match value {
            Column::Null => None,
            Column::Integer(number) => Some(Value::Integer(*number)),
            Column::Text(text) => Some(Value::Text(text.as_str().into())),
            Column::Blob(octets) if is_large() => {
                put_octets(writing, object, name, octets)?;
                Some(Value::Elsewhere(octets.len() as u64))
            }
            Column::Blob(octets) => Some(Value::Octets(octets.as_slice().into())),
            Column::Real(_) => return Err(StoreError::Foreign { what: "attribute" }),
        };
        entries.push(Entry { name, stamp: stamps::from_bytes(stamp)?, value });
    }
    put(writing, object, &entries)
}
