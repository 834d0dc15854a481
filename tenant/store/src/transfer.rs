//! Moves a tenant between databases: all rows of all tables, counted and summed on both sides.
//!
//! The source is read in one snapshot. Rows are inserted in portions, and one that is there already is left, so that a
//! transfer that was cut off goes on when it is run again. The target is no tenant's database until all of it is proved.
//! Neighbours: the program's commands `migrate`, `backup` and `restore` call this.

use crate::database::Database;
use crate::engine::Value;
use crate::engine::postgres::address::ServerAddress;
use crate::engine::postgres::database::ServerDatabase;
use crate::engine::postgres::dialect::storable;
use crate::engine::sqlite::database::FileDatabase;
use crate::engine::sqlite::file;
use crate::error::StoreError;
use crate::schema::{Table, tables};
use crate::tables::tenant;
use crate::{Reading, Writing};
use std::path::Path;

/// Limit on the rows that are inserted in one transaction.
const PORTION: usize = 2000;
/// The same on their octets: photos are large.
const PORTION_BYTES: usize = 4 << 20;

/// What a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct TableSum {
    /// Number of rows.
    rows: u64,
    /// The sum of the SHA-256 of each row, so that the order of rows does not matter.
    sum: [u64; 4],
}

/// A table that was copied and compared, or is being copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// Its name.
    pub table: String,
    /// Number of rows, so far.
    pub rows: u64,
}

/// Copies a tenant from a server into a new file of SQLite. `each` is called after each portion of rows and after each table, and `finish` runs at the end.
/// `now` is in seconds since 1970.
pub fn to_file(
    from: &ServerAddress,
    to: &Path,
    now: i64,
    each: impl FnMut(&Transferred),
    finish: impl Fn(&Writing<'_>) -> Result<(), StoreError>,
) -> Result<Vec<Transferred>, StoreError> {
    let source = Database::Server(Box::new(ServerDatabase::open(from.clone())?));
    let found = source.read(|connection| tenant::find(&Reading::of(connection)))?;
    file::create(to, found.id, now)?;
    let target = Database::File(Box::new(FileDatabase::open(to)?));
    target.write(|connection| Writing::of(connection).execute("DELETE FROM tenant", ()))?;
    let done = copy(&source, &target, each)?;
    target.write(|connection| finish(&Writing::of(connection)))?;
    target.checkpoint()?;
    Ok(done)
}

/// Notes at a server that its tenant has moved elsewhere: it is not opened any more. The rows stay.
pub fn retire(server: &ServerAddress) -> Result<(), StoreError> {
    ServerDatabase::open(server.clone())?.retire()
}

/// Copies a tenant from a file of SQLite into an empty database of a server. `finish` runs in the transaction that makes
/// the target a tenant's database.
pub fn to_server(
    from: &Path,
    to: &ServerAddress,
    each: impl FnMut(&Transferred),
    finish: impl Fn(&Writing<'_>) -> Result<(), StoreError>,
) -> Result<Vec<Transferred>, StoreError> {
    let source = Database::File(Box::new(FileDatabase::open(from)?));
    let found = source.read(|connection| tenant::find(&Reading::of(connection)))?;
    let server = ServerDatabase::begin_transfer(to, found)?;
    let target = Database::Server(Box::new(server));
    let done = copy(&source, &target, each)?;
    let Database::Server(server) = &target else { return Ok(done) };
    server.end_transfer(finish)?;
    Ok(done)
}

/// Copies all rows, and compares what both sides have then.
fn copy(
    source: &Database,
    target: &Database,
    mut each: impl FnMut(&Transferred),
) -> Result<Vec<Transferred>, StoreError> {
    let mut done = Vec::new();
    source.look(|connection| {
        let reading = Reading::of(connection);
        for table in tables() {
            let there = target.look(|connection| sum_of(&table, &Reading::of(connection)))?;
            let is_copied = there != TableSum::default() && there == sum_of(&table, &reading)?;
            let sum = if is_copied { there } else { copy_table(&table, &reading, target, &mut each)? };
            let table = Transferred { table: table.name, rows: sum.rows };
            each(&table);
            done.push(table);
        }
        Ok(())
    })?;
    Ok(done)
}

/// Copies the rows of a table, and compares what both sides have then.
fn copy_table(
    table: &Table,
    source: &Reading<'_>,
    target: &Database,
    each: &mut impl FnMut(&Transferred),
) -> Result<TableSum, StoreError> {
    // 1. The rows, in portions.
    let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    let (name, columns, places) = (&table.name, table.columns.join(", "), places.join(", "));
    let insert = format!("INSERT INTO {name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING");
    let (mut portion, mut size) = (Vec::with_capacity(PORTION), 0);
    let store = |portion: &[Vec<Value>]| {
        target.write_short(|connection| {
            let mut insert = connection.prepare_cached(&insert)?;
            portion.iter().try_for_each(|row| insert.send(row.as_slice()))
        })
    };
    let mut sum = TableSum::default();
    walk(table, source, |row| {
        sum.add(&row);
        size += row.iter().map(size_of).sum::<usize>();
        portion.push(row);
        if portion.len() >= PORTION || size >= PORTION_BYTES {
            store(&portion)?;
            portion.clear();
            size = 0;
            each(&Transferred { table: name.clone(), rows: sum.rows });
        }
        Ok(())
    })?;
    store(&portion)?;
    // 2. What the target has.
    let copied = target.look(|connection| sum_of(table, &Reading::of(connection)))?;
    if copied == sum { Ok(sum) } else { Err(StoreError::Differs { table: name.clone() }) }
}

fn sum_of(table: &Table, reading: &Reading<'_>) -> Result<TableSum, StoreError> {
    let mut sum = TableSum::default();
    walk(table, reading, |row| {
        sum.add(&row);
        Ok(())
    })?;
    Ok(sum)
}

/// Calls `each` with every row of a table.
fn walk(
    table: &Table,
    reading: &Reading<'_>,
    mut each: impl FnMut(Vec<Value>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM {}", table.columns.join(", "), table.name);
    reading.walk(&sql, |row| each(row.all()?))
}

impl TableSum {
    fn add(&mut self, row: &[Value]) {
        let mut bytes = Vec::new();
        let mut field = |kind: u8, octets: &[u8]| {
            bytes.push(kind);
            bytes.extend_from_slice(&u64::try_from(octets.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(octets);
        };
        for value in row {
            match value {
                Value::Null => field(0, &[]),
                Value::Integer(number) => field(1, &number.to_be_bytes()),
                // As a server stores it, so that both sides are summed alike.
                Value::Text(text) => field(2, storable(text).as_bytes()),
                Value::Octets(octets) => field(3, octets),
            }
        }
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        for (part, eight) in self.sum.iter_mut().zip(hash.as_ref().chunks_exact(8)) {
            *part = part.wrapping_add(u64::from_be_bytes(eight.try_into().unwrap_or_default()));
        }
        self.rows += 1;
    }
}

/// Octets of a value that has no fixed size.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) => 0,
        Value::Text(text) => text.len(),
        Value::Octets(octets) => octets.len(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_sum_of_rows_is_another_one_when_a_value_changes_or_moves_to_another_column() {
        let sum = |rows: &[Vec<Value>]| {
            let mut sum = TableSum::default();
            rows.iter().for_each(|row| sum.add(row));
            sum
        };
        let (a, b) = (Value::Text("a".to_owned()), Value::Text("b".to_owned()));
        let ab = sum(&[vec![a.clone(), b.clone()]]);
        assert_eq!(sum(&[vec![a.clone()], vec![b.clone()]]), sum(&[vec![b.clone()], vec![a.clone()]]));
        for other in [
            vec![b.clone(), a.clone()],
            vec![Value::Text("ab".to_owned())],
            vec![a, Value::Octets(b"b".to_vec())],
        ] {
            assert_ne!(sum(&[other]), ab);
        }
    }
}
