//! The schema of a new database, its version, and its tables as the code reads them. [`super::upgrade`] has the steps from older versions.

/// The statements that make an empty database.
pub(crate) const SCHEMA: &str = include_str!("schema/schema.sql");

/// The version of the schema that this build reads and writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 5;

/// A table of the schema.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: String,
    /// Its columns, in their order.
    pub(crate) columns: Vec<String>,
    /// The number that is its key: the database numbers a row that comes without one. None: it has another key.
    pub(crate) numbered: Option<String>,
}

/// All tables of the schema, each after those that its keys refer to.
pub(crate) fn tables() -> Vec<Table> {
    let code = without_comments(SCHEMA);
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
            let (mut columns, mut numbered) = (Vec::new(), None);
            for part in outer.split(',').map(|part| part.trim_matches(')').trim()) {
                let Some(column) = part.split_whitespace().next() else { continue };
                if !column.starts_with(|c: char| c.is_ascii_lowercase()) {
                    continue;
                }
                if part.contains("INTEGER PRIMARY KEY") {
                    numbered = Some(column.to_owned());
                }
                columns.push(column.to_owned());
            }
            Some(Table { name: name.trim().to_owned(), columns, numbered })
        })
        .collect()
}

/// Statements without their comments, which can hold a `;`.
pub(crate) fn without_comments(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    code.collect::<Vec<_>>().join("\n")
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
    fn the_tables_whose_key_is_a_number_are_known() {
        let numbered =
            tables().into_iter().filter_map(|table| Some(format!("{}.{}", table.name, table.numbered?)));
        let numbered: Vec<String> = numbered.collect();
        let of_objects = ["objects.number", "attributes.number", "digests.number"];
        assert_eq!(numbered, [&["tenant.only_row", "domains.id"], &of_objects[..], &["audit.id"]].concat());
    }
}
