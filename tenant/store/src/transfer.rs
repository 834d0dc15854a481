//! Moves a tenant between databases: all rows of all tables, counted and summed on both sides.
//!
//! The source is read in one snapshot. Rows are inserted in portions, and one that is there already is left, so that a
//! transfer that was cut off goes on when it is run again. The target is no tenant's database until all of it is proved.
//! Neighbours: the program's commands `migrate`, `backup` and `restore` call this.

use crate::database::Database;
use crate::engine::Value;
use crate::engine::postgres::address::ServerAddress;
use crate::engine::postgres::database::ServerDatabase;
use crate::engine::sqlite::database::FileDatabase;
use crate::engine::sqlite::file;
use crate::error::StoreError;
use crate::schema::SCHEMA;
use crate::tables::tenant;
use crate::{Reading, Writing};
use std::path::Path;
use uuid::Uuid;

/// Limit on the rows that are inserted in one transaction.
const PORTION: usize = 2000;
/// The same on their octets: photos are large.
const PORTION_BYTES: usize = 4 << 20;

/// What a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableSum {
    /// Number of rows.
    pub rows: u64,
    /// The sum of the SHA-256 of each row, so that the order of rows does not matter.
    sum: [u64; 4],
}

/// A table that was copied and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// Its name.
    pub table: String,
    /// Number of rows.
    pub rows: u64,
}

/// Copies a tenant from a server into a new file of SQLite. `each` is called after each table, and `finish` runs at the end.
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

/// Gives the tenant a new generation, so that each phs compares in full.
pub fn renew_generation(writing: &Writing<'_>) -> Result<(), StoreError> {
    writing.execute("UPDATE tenant SET generation = ?1", [Uuid::new_v4()]).map(drop)
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
            let there = target.look(|connection| table.sum(&Reading::of(connection)))?;
            let sum = if there == TableSum::default() || there != table.sum(&reading)? {
                table.copy(&reading, target)?
            } else {
                there
            };
            let copied = target.look(|connection| table.sum(&Reading::of(connection)))?;
            if copied != sum {
                return Err(StoreError::Differs { table: table.name.clone() });
            }
            let table = Transferred { table: table.name, rows: sum.rows };
            each(&table);
            done.push(table);
        }
        Ok(())
    })?;
    Ok(done)
}

/// A table and its columns.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    /// Copies its rows. Returns what the source has.
    fn copy(&self, source: &Reading<'_>, target: &Database) -> Result<TableSum, StoreError> {
        let places: Vec<String> = (1..=self.columns.len()).map(|place| format!("?{place}")).collect();
        let (name, columns, places) = (&self.name, self.columns.join(", "), places.join(", "));
        let insert = format!("INSERT INTO {name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING");
        let (mut portion, mut size) = (Vec::with_capacity(PORTION), 0);
        let store = |portion: &[Vec<Value>]| {
            target.write_short(|connection| {
                let mut insert = connection.prepare_cached(&insert)?;
                portion.iter().try_for_each(|row| insert.send(row.as_slice()))
            })
        };
        let mut sum = TableSum::default();
        source.walk(&format!("SELECT {columns} FROM {name}"), |row| {
            let row = row.all()?;
            sum.add(&row);
            size += row.iter().map(size_of).sum::<usize>();
            portion.push(row);
            if portion.len() >= PORTION || size >= PORTION_BYTES {
                store(&portion)?;
                portion.clear();
                size = 0;
            }
            Ok(())
        })?;
        store(&portion)?;
        Ok(sum)
    }

    fn sum(&self, reading: &Reading<'_>) -> Result<TableSum, StoreError> {
        let mut sum = TableSum::default();
        reading.walk(&format!("SELECT {} FROM {}", self.columns.join(", "), self.name), |row| {
            sum.add(&row.all()?);
            Ok(())
        })?;
        Ok(sum)
    }
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
                // PostgreSQL has no texts with U+0000: see `Session`.
                Value::Text(text) => field(2, text.replace('\0', "\u{fffd}").as_bytes()),
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

/// All tables of the schema, each after those that its keys refer to.
fn tables() -> Vec<Table> {
    let code = SCHEMA.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let code = code.collect::<Vec<_>>().join("\n");
    let makes = code.split(';').filter_map(|part| part.trim().strip_prefix("CREATE TABLE "));
    makes
        .filter_map(|made| {
            let (name, rest) = made.split_once('(')?;
            // What is in parentheses of its own belongs to keys and checks.
            let mut depth = 0_u32;
            let outer = rest.chars().filter(|c| {
                match c {
                    '(' => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0
            });
            let outer: String = outer.collect();
            let first_word =
                |column: &str| column.trim_matches(')').split_whitespace().next().map(str::to_owned);
            let is_column = |word: &String| word.starts_with(|c: char| c.is_ascii_lowercase());
            let columns = outer.split(',').filter_map(first_word).filter(is_column).collect();
            Some(Table { name: name.trim().to_owned(), columns })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_tables_and_columns_are_those_that_sqlite_has() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let names = |sql: &str, of: &[&str]| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map(rusqlite::params_from_iter(of), |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let mut known = names("SELECT name FROM sqlite_master WHERE type = 'table'", &[]);
        let mut ours: Vec<String> = tables().into_iter().map(|table| table.name).collect();
        known.sort();
        ours.sort();
        assert_eq!(ours, known);
        for table in tables() {
            assert_eq!(
                table.columns,
                names("SELECT name FROM pragma_table_info(?1)", &[&table.name]),
                "{}",
                table.name
            );
        }
    }

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
