//! The table `links`: values of linked attributes. They are the members of groups, the managers of accounts, and the
//! objects that a password settings object applies to. A removed link stays with its stamp, so that an older value
//! that arrives late does not restore it.
//! Neighbours: the ingest writes; [`super::members`] and [`crate::policies`] read.

use super::changes;
use crate::engine::{OptionalRow as _, Row};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_wire::upload::{Link, LinkKind};
use uuid::Uuid;

/// Every linked attribute.
pub const KINDS: [LinkKind; 3] = [LinkKind::Member, LinkKind::Manager, LinkKind::AppliesTo];

/// The text of a linked attribute on the wire and in the database.
pub fn kind_text(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Member => "member",
        LinkKind::Manager => "manager",
        LinkKind::AppliesTo => "applies-to",
    }
}

/// A stored link.
pub struct Stored {
    /// Its creation, then its stamp.
    stamp: Vec<u8>,
    present: bool,
    /// The last full compare that named it.
    cycle: Option<Uuid>,
}

/// The link of the domain between the same objects, if it is stored.
pub fn stored(reading: &Reading<'_>, domain: i64, link: &Link) -> Result<Option<Stored>, StoreError> {
    let sql = "SELECT stamp, present, cycle FROM links WHERE source = ?1 AND what = ?2 AND target = ?3 AND domain = ?4";
    let key = (link.from.as_bytes(), kind_text(link.what), link.to.as_bytes(), domain);
    let read = |row: &Row<'_>| {
        Ok(Stored { stamp: row.get(0)?, present: row.get(1)?, cycle: stamps::guid_or_none(row, 2)? })
    };
    reading.prepare_cached(sql)?.query_row(key, read).optional()
}

/// Applies a link that the domain's phs sent: if its stamp is greater, or, with `replace`, always at its first mention in
/// a full compare. `held`: the stored link. Returns whether it changed.
pub fn put(
    writing: &Writing<'_>,
    domain: i64,
    link: &Link,
    held: Option<&Stored>,
    (full_compare, replace): (Option<Uuid>, bool),
) -> Result<bool, StoreError> {
    // 1. Whether the received one replaces it, and the full compare that named it last. A link is ordered by the time of
    //    its creation, then by its stamp.
    let stamp = [&link.created.to_be_bytes()[..], &stamps::to_bytes(&link.stamp)].concat();
    let key = (link.from.as_bytes(), kind_text(link.what), link.to.as_bytes(), domain);
    let (changed, cycle) = match held {
        None => (true, full_compare),
        Some(held) => {
            let replace = replace && held.cycle != full_compare;
            let other = (&held.stamp, held.present) != (&stamp, link.present);
            (stamp > held.stamp || (replace && other), full_compare.or(held.cycle))
        }
    };
    // 2. The row, or only its full compare.
    if changed {
        writing
            .prepare_cached(
                "INSERT INTO links (source, what, target, domain, stamp, present, cycle) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (source, what, target, domain) DO UPDATE SET stamp = excluded.stamp, present = excluded.present, cycle = excluded.cycle",
            )?
            .send((key.0, key.1, key.2, key.3, stamp, link.present, cycle.map(|c| *c.as_bytes())))?;
    } else if held.is_some_and(|held| held.cycle != cycle) {
        writing
            .prepare_cached(
                "UPDATE links SET cycle = ?5 WHERE source = ?1 AND what = ?2 AND target = ?3 AND domain = ?4",
            )?
            .send((key.0, key.1, key.2, key.3, cycle.map(|c| *c.as_bytes())))?;
    }
    Ok(changed)
}

/// Deletes the links from an object that has left the domain.
pub fn drop_from(writing: &Writing<'_>, domain: i64, source: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM links WHERE source = ?1 AND domain = ?2";
    writing.prepare_cached(sql)?.send((source.as_bytes(), domain))?;
    Ok(())
}

/// Deletes the links that a complete full compare did not name, because AD does not have them. Returns the number of
/// those that were present.
/// `now` is in seconds since 1970.
pub fn drop_unnamed(writing: &Writing<'_>, domain: i64, cycle: Uuid, now: i64) -> Result<usize, StoreError> {
    // The objects that lose a value have changed.
    let sql = "SELECT DISTINCT source FROM links
               WHERE domain = ?1 AND (cycle IS NULL OR cycle <> ?2) AND present = 1";
    let mut select = writing.prepare_cached(sql)?;
    let rows = select.query_map((domain, cycle.as_bytes()), |row| stamps::guid(row, 0))?;
    for source in rows.collect::<Result<Vec<Uuid>, _>>()? {
        changes::note_object(writing, source, now)?;
    }
    let unnamed = "DELETE FROM links WHERE domain = ?1 AND cycle IS DISTINCT FROM ?2 AND present = ?3";
    writing.send(unnamed, (domain, cycle.as_bytes(), false))?;
    writing.execute(unnamed, (domain, cycle.as_bytes(), true))
}

/// The objects that a linked attribute of this object names, at most `limit`.
pub fn targets(
    reading: &Reading<'_>,
    domain: i64,
    source: Uuid,
    what: LinkKind,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT target FROM links WHERE source = ?1 AND what = ?2 AND domain = ?3 AND present = 1 LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map((source.as_bytes(), kind_text(what), domain, limit), |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Number of present links of a domain for each attribute that has any. Reads all links of the domain.
pub fn counts(reading: &Reading<'_>, domain: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT what, count(*) FROM links WHERE domain = ?1 AND present = 1 GROUP BY what";
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map([domain], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>()
}

/// Number of objects that links of this kind name and that have not arrived.
pub fn unknown_targets(reading: &Reading<'_>, domain: i64, what: LinkKind) -> Result<i64, StoreError> {
    let sql = "SELECT count(DISTINCT target) FROM links l WHERE domain = ?1 AND what = ?2 AND present = 1
               AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.object = l.target)";
    Ok(reading.prepare_cached(sql)?.query_row((domain, kind_text(what)), |row| row.get(0))?)
}

/// The objects whose linked attribute names this object.
pub fn sources(
    reading: &Reading<'_>,
    domain: i64,
    target: Uuid,
    what: LinkKind,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT source FROM links WHERE target = ?1 AND what = ?2 AND domain = ?3 AND present = 1",
    )?;
    let rows =
        statement.query_map((target.as_bytes(), kind_text(what), domain), |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

pub(super) const ANY_APPLIES_TO: &str =
    "SELECT EXISTS (SELECT 1 FROM links WHERE domain = ?1 AND what = 'applies-to' AND present = 1)";

/// Whether any password settings object of a domain applies to any object. Each sign-in needs this, so it reads an
/// index. SQLite uses the partial index only if the statement contains the kind as a constant.
pub fn any_applies_to(reading: &Reading<'_>, domain: i64) -> Result<bool, StoreError> {
    Ok(reading.prepare_cached(ANY_APPLIES_TO)?.query_row([domain], |row| row.get(0))?)
}
