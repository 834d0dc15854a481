//! The table `nodes`: the processes that serve this tenant, each from a data directory of its own.
//! Neighbours: the program's commands add and remove nodes; a serving process finds itself here.

use crate::engine::{OptionalRow as _, Row, params};
use crate::tables::changes;
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// A node. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id, which its data directory has as well.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where agents connect to it: `https://host[:port]`.
    pub url: String,
    /// When it was added.
    pub added_at: i64,
    /// Until when it may join; none: it has joined.
    pub invited_until: Option<i64>,
    /// When it served last; none: it never has.
    pub seen_at: Option<i64>,
    /// The version that it served with; empty: it never has.
    pub software: String,
    /// The version of the tables that it uses; none: it never has, or the database is a file.
    pub schema: Option<i64>,
}

const COLUMNS: &str = "id, name, url, added_at, invited_until, seen_at, software, schema";

fn from_row(row: &Row<'_>) -> Result<Node, StoreError> {
    Ok(Node {
        id: stamps::guid(row, 0)?,
        name: row.get(1)?,
        url: row.get(2)?,
        added_at: row.get(3)?,
        invited_until: row.get(4)?,
        seen_at: row.get(5)?,
        software: row.get(6)?,
        schema: row.get(7)?,
    })
}

/// All nodes, in the order of their names.
pub fn all(reading: &Reading<'_>) -> Result<Vec<Node>, StoreError> {
    let mut statement = reading.prepare_cached(&format!("SELECT {COLUMNS} FROM nodes ORDER BY name"))?;
    let rows = statement.query_map((), from_row)?;
    rows.collect::<Result<_, _>>()
}

/// The node with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<Node>, StoreError> {
    let mut statement = reading.prepare_cached(&format!("SELECT {COLUMNS} FROM nodes WHERE id = ?1"))?;
    statement.query_row([id.as_bytes()], from_row).optional()
}

/// The URLs of the nodes that have joined, in the order of their names.
pub fn urls(reading: &Reading<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT url FROM nodes WHERE invited_until IS NULL ORDER BY name";
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map((), |row| row.get(0))?;
    rows.collect::<Result<_, _>>()
}

/// Adds a node that serves at once: the first one of a tenant.
pub fn insert(
    writing: &Writing<'_>,
    id: Uuid,
    (name, url): (&str, &str),
    now: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO nodes (id, name, url, added_at) VALUES (?1, ?2, ?3, ?4)";
    writing.send(sql, params![id.as_bytes(), name, url, now])?;
    changes::note_settings(writing)
}

/// Adds a node that may join until `until`, with the bundle that has this SHA-256. An invitation of before that was not
/// used is replaced.
pub fn invite(
    writing: &Writing<'_>,
    id: Uuid,
    (name, url): (&str, &str),
    (bundle, until): (&[u8; 32], i64),
    now: i64,
) -> Result<(), StoreError> {
    let unused = "DELETE FROM nodes WHERE name = ?1 AND invited_until IS NOT NULL";
    writing.send(unused, [name])?;
    let sql = "INSERT INTO nodes (id, name, url, added_at, invitation, invited_until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    writing.send(sql, params![id.as_bytes(), name, url, now, bundle, until])
}

/// Lets a node join with the bundle that has this SHA-256. False: it was not invited with it, has joined, or is late.
pub fn join(writing: &Writing<'_>, id: Uuid, bundle: &[u8; 32], now: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE nodes SET invitation = NULL, invited_until = NULL
               WHERE id = ?1 AND invitation = ?2 AND invited_until >= ?3";
    let joined = writing.execute(sql, params![id.as_bytes(), bundle, now])? == 1;
    if joined {
        changes::note_settings(writing)?;
    }
    Ok(joined)
}

/// Gives a node another URL.
pub fn move_to(writing: &Writing<'_>, id: Uuid, url: &str) -> Result<(), StoreError> {
    writing.send("UPDATE nodes SET url = ?2 WHERE id = ?1", params![id.as_bytes(), url])?;
    changes::note_settings(writing)
}

/// Notes that a node serves.
pub fn note_seen(writing: &Writing<'_>, id: Uuid, software: &str, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE nodes SET seen_at = ?2, software = ?3 WHERE id = ?1";
    writing.send(sql, params![id.as_bytes(), now, software])
}

/// Removes a node. False: there is none.
pub fn remove(writing: &Writing<'_>, id: Uuid) -> Result<bool, StoreError> {
    let removed = writing.execute("DELETE FROM nodes WHERE id = ?1", [id.as_bytes()])? == 1;
    changes::note_settings(writing)?;
    Ok(removed)
}

/// Removes all nodes. The next process that serves is the first one again.
pub(crate) fn remove_all(writing: &Writing<'_>) -> Result<(), StoreError> {
    writing.send("DELETE FROM nodes", ())
}
