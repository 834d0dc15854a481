//! SQL: it is in the store alone, and new statements are written for SQLite and PostgreSQL.
//!
//! What only SQLite knows is listed below, a row for each file and word, with the number of times that it stands there
//! today. The numbers are exact, so each one that goes must be taken from the list, and none can come.

use crate::arrows::{self, ARROWS};
use crate::source::{Token, shipped_tokens};
use crate::{files_under, folder, root};
use cargo_metadata::DependencyKind;
use std::collections::BTreeMap;
use std::path::Path;

/// The folder in which all SQL of the tenant is written.
const STORE: &str = "tenant/store/src";

/// What PostgreSQL does not know, or knows as something else, and what to write for both.
const FOREIGN: &[(&str, &str)] = &[
    ("INSERT OR", "INSERT … ON CONFLICT"),
    ("REPLACE INTO", "INSERT … ON CONFLICT"),
    ("ROWID", "a primary key; WITHOUT ROWID belongs to the engine"),
    ("LAST_INSERT_ROWID", "RETURNING"),
    ("AUTOINCREMENT", "GENERATED ALWAYS AS IDENTITY"),
    ("ANY", "a column of one type; the function ANY(…) is refused as well"),
    ("BLOB", "a type that the engine names"),
    ("STRICT", "nothing: PostgreSQL is strict; the word belongs to the engine"),
    ("INDEXED BY", "an index that the planner chooses by itself"),
    ("CROSS JOIN", "JOIN … ON"),
    ("IS NOT ?", "IS DISTINCT FROM"),
    ("IS ?", "IS NOT DISTINCT FROM"),
    ("LIMIT -1", "no LIMIT"),
    ("GLOB", "LIKE"),
    ("X'", "a bound value"),
    ("PRAGMA", "a setting of the engine"),
    ("VACUUM", "a task of the engine"),
    ("ATTACH", "a task of the engine"),
    ("SQLITE_MASTER", "information_schema"),
    ("SQLITE_SCHEMA", "information_schema"),
    ("ZEROBLOB(", "a bound value"),
    ("RANDOMBLOB(", "a bound value"),
    ("HEX(", "encoding in Rust"),
    ("CHAR(", "a bound value"),
    ("TYPEOF(", "a column of one type"),
    ("IFNULL(", "coalesce("),
    ("INSTR(", "position("),
    ("GROUP_CONCAT(", "joining in Rust"),
    ("UNIXEPOCH(", "the time as an argument"),
    ("STRFTIME(", "the time as an argument"),
    ("DATETIME(", "the time as an argument"),
    ("JULIANDAY(", "the time as an argument"),
];

/// Words that also stand in texts for people, so that only their capital letters count.
const CAPITALS: &[&str] = &["ANY", "BLOB", "STRICT", "GLOB", "ATTACH"];

/// What stands today: the file below [`STORE`], the word, and how often. The list may only shrink.
const STILL_FOREIGN: &[(&str, &str, usize)] = &[
    ("backup.rs", "PRAGMA", 2),
    ("backup.rs", "VACUUM", 1),
    ("erase.rs", "PRAGMA", 2),
    ("schema/schema.sql", "BLOB", 92),
    ("schema/schema.sql", "ROWID", 39),
    ("schema/schema.sql", "STRICT", 46),
    ("schema/version_1.sql", "ANY", 1),
    ("schema/version_1.sql", "BLOB", 22),
    ("schema/version_1.sql", "ROWID", 8),
    ("schema/version_1.sql", "STRICT", 11),
    ("schema/version_2.sql", "ANY", 1),
    ("schema/version_2.sql", "BLOB", 24),
    ("schema/version_2.sql", "ROWID", 9),
    ("schema/version_2.sql", "STRICT", 12),
    ("schema/version_4.sql", "ANY", 1),
    ("schema/version_4.sql", "BLOB", 91),
    ("schema/version_4.sql", "ROWID", 40),
    ("schema/version_4.sql", "STRICT", 43),
    ("upgrade.rs", "BLOB", 81),
    ("upgrade.rs", "PRAGMA", 2),
    ("upgrade.rs", "ROWID", 36),
    ("upgrade.rs", "STRICT", 40),
];

/// The start of every statement and of the parts from which statements are put together.
const STATEMENTS: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "DROP TABLE ",
    "ALTER TABLE ",
    "PRAGMA ",
    "ORDER BY ",
    "ON CONFLICT",
    "BEGIN DEFERRED",
    "BEGIN IMMEDIATE",
];

/// The SQL in a file, one line: all of an SQL file but its comments, or the strings of a Rust file's shipped code.
fn sql_in(path: &Path) -> String {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let sql: Vec<String> = if path.extension().is_some_and(|e| e == "sql") {
        text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code).to_owned()).collect()
    } else {
        let tokens = shipped_tokens(&text);
        let of = |token: &Token| {
            // `pragma_update` and its like are statements as well.
            let is_pragma = token.name().is_some_and(|name| name.starts_with("pragma_"));
            let string = || token.string().map(|text| text.replace("\\\n", " "));
            if is_pragma { Some("PRAGMA".to_owned()) } else { string() }
        };
        tokens.iter().filter_map(of).collect()
    };
    sql.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How often a word stands in the text, not as a part of a longer name.
fn count(sql: &str, word: &str) -> usize {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let sql = if CAPITALS.contains(&word) { sql.to_owned() } else { sql.to_ascii_uppercase() };
    let whole = |(at, found): &(usize, &str)| {
        let before = sql[..*at].chars().next_back();
        let after = sql[at + found.len()..].chars().next();
        let open_end = !word.ends_with(part_of_name);
        !before.is_some_and(part_of_name) && (open_end || !after.is_some_and(part_of_name))
    };
    sql.match_indices(word).filter(whole).count()
}

#[test]
fn no_new_statement_is_for_sqlite_alone() {
    let mut found = BTreeMap::new();
    // What is of one engine is written in its words.
    let of_engine = Path::new(STORE).join("engine");
    for file in files_under(Path::new(STORE)).into_iter().filter(|file| !file.starts_with(&of_engine)) {
        let sql = sql_in(&file);
        let name = file.strip_prefix(STORE).unwrap().display().to_string();
        for (word, _) in FOREIGN {
            let times = count(&sql, word);
            if times > 0 {
                found.insert((name.clone(), *word), times);
            }
        }
    }
    let mut wrong = Vec::new();
    for ((file, word), times) in &found {
        let better = FOREIGN.iter().find(|(foreign, _)| foreign == word).unwrap().1;
        match STILL_FOREIGN.iter().find(|(f, w, _)| f == file && w == word) {
            Some((_, _, allowed)) if allowed == times => {}
            Some((_, _, allowed)) if allowed > times => {
                wrong.push(format!("(\"{file}\", \"{word}\", {times}): lower {allowed} in STILL_FOREIGN"));
            }
            Some(_) | None => wrong.push(format!(
                "(\"{file}\", \"{word}\", {times}): PostgreSQL does not know it; write {better}"
            )),
        }
    }
    for (file, word, _) in STILL_FOREIGN {
        if !found.contains_key(&((*file).to_owned(), *word)) {
            wrong.push(format!("{word} is gone from {file}: remove the row from STILL_FOREIGN"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_is_written_in_the_store_alone() {
    let metadata = arrows::metadata();
    let mut wrong = Vec::new();
    let tenant = |name: &str| name == "tenant" || name.starts_with("tenant-") || name.starts_with("door-");
    for (name, _, _) in ARROWS.iter().filter(|(name, _, _)| tenant(name) && *name != "tenant-store") {
        // 1. No crate names the driver for its shipped code.
        let package = metadata.packages.iter().find(|p| p.name.as_str() == format!("landbridge-{name}"));
        let named = package.unwrap().dependencies.iter();
        if named.filter(|d| d.kind == DependencyKind::Normal).any(|d| d.name == "rusqlite") {
            wrong.push(format!("{name} depends on rusqlite"));
        }
        // 2. No string of its shipped code is a statement.
        let files = files_under(&folder(&metadata, name).join("src"));
        for file in files {
            let sql = sql_in(&file);
            for statement in STATEMENTS.iter().filter(|statement| sql.contains(**statement)) {
                wrong.push(format!("{} holds SQL: {statement}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn foreign_words_are_counted() {
    let sql = "CREATE TABLE t (a ANY, b BLOB) WITHOUT ROWID; SELECT hex(x), unhex(y) FROM t WHERE a IS NOT ?1 and any";
    let words = ["ANY", "BLOB", "ROWID", "HEX(", "IS NOT ?", "IS ?", "LAST_INSERT_ROWID"];
    assert_eq!(words.map(|word| count(sql, word)), [1, 1, 1, 1, 1, 0, 0]);
}
