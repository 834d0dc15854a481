//! The table `objects`: accounts, groups, contacts, password settings objects and the containers above them, as a phs
//! sent them.
//! Neighbours: the ingest writes; [`super::attributes`] has the attributes of each object, [`super::names`] the names
//! that accounts sign in with, [`super::links`] the links between objects.

use super::{attributes, changes, homes};
use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{Attributes, KINDS, Object, is_removed, kind_text, presence_text};
use landbridge_wire::upload::{Kind, Presence};
use uuid::Uuid;

/// The object with this objectGUID.
pub fn find(reading: &Reading<'_>, object: Uuid) -> Result<Option<Object>, StoreError> {
    let row = reading
        .prepare_cached(
            "SELECT kind, domain, sid, presence, protected_user, cycle, changed_at, removed_at, privileged FROM objects
             WHERE object = ?1",
        )?
        .query_row([object.as_bytes()], |row| {
            Ok((
                row.get::<String>(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get::<String>(3)?,
                row.get(4)?,
                stamps::guid_or_none(row, 5)?,
                row.get(6)?,
                row.get(7)?,
                row.get(8)?,
            ))
        })
        .optional()?;
    let Some((kind, domain, sid, presence, protected_user, cycle, changed_at, removed_at, privileged)) = row
    else {
        return Ok(None);
    };
    let (kind, presence) = (kind_of(&kind)?, presence_of(&presence)?);
    Ok(Some(Object {
        object,
        kind,
        domain,
        sid,
        presence,
        privileged,
        protected_user,
        cycle,
        changed_at,
        removed_at,
    }))
}

/// The object with this objectGUID, if it is a present account.
pub fn present_account(reading: &Reading<'_>, object: Uuid) -> Result<Option<Object>, StoreError> {
    let found = find(reading, object)?;
    Ok(found.filter(|found| found.kind == Kind::Account && found.presence == Presence::Present))
}

/// Replaces the row of an object that is stored.
pub fn replace(writing: &Writing<'_>, object: &Object) -> Result<(), StoreError> {
    let update = "UPDATE objects SET domain = ?2, sid = ?3, presence = ?4, protected_user = ?5, cycle = ?6,
                      changed_at = ?7, kind = ?8, removed_at = ?9, privileged = ?10 WHERE object = ?1";
    writing.send(
        update,
        params![
            object.object.as_bytes(),
            object.domain,
            object.sid,
            presence_text(object.presence),
            object.protected_user,
            object.cycle.map(|c| *c.as_bytes()),
            object.changed_at,
            kind_text(object.kind),
            object.removed_at,
            object.privileged
        ],
    )
}

/// Stores a new object. It has the number of this transaction's change from the start, so that no index is written twice.
pub fn add(writing: &Writing<'_>, object: &Object) -> Result<(), StoreError> {
    let insert =
        "INSERT INTO objects (object, domain, sid, presence, protected_user, cycle, changed_at, kind,
                      removed_at, privileged, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let change = changes::number(writing, object.changed_at)?;
    writing.send(
        insert,
        params![
            object.object.as_bytes(),
            object.domain,
            object.sid,
            presence_text(object.presence),
            object.protected_user,
            object.cycle.map(|c| *c.as_bytes()),
            object.changed_at,
            kind_text(object.kind),
            object.removed_at,
            object.privileged,
            change
        ],
    )
}

/// The objects of the domain that this full compare has not named, and that were in AD before (present or privileged).
pub fn unnamed_in(reading: &Reading<'_>, domain: i64, cycle: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT object FROM objects WHERE domain = ?1 AND presence IN ('present', 'privileged') AND cycle IS DISTINCT FROM ?2",
    )?;
    let rows = statement.query_map((domain, cycle.as_bytes()), |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Number of present accounts of the domain that this full compare has not named.
pub fn accounts_unnamed_in(reading: &Reading<'_>, domain: i64, cycle: Uuid) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM objects
               WHERE domain = ?1 AND kind = 'account' AND presence = 'present' AND cycle IS DISTINCT FROM ?2";
    let count: i64 = reading.prepare_cached(sql)?.query_row((domain, cycle.as_bytes()), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Changes the presence of an object. `now` is in seconds since 1970.
pub fn set_presence(
    writing: &Writing<'_>,
    object: Uuid,
    presence: Presence,
    now: i64,
) -> Result<(), StoreError> {
    writing
        .prepare_cached(
            "UPDATE objects SET presence = ?2, changed_at = ?3, removed_at = CASE WHEN ?4 THEN coalesce(removed_at, ?3) END
             WHERE object = ?1",
        )?
        .send((object.as_bytes(), presence_text(presence), now, is_removed(presence)))?;
    changes::note_object(writing, object, now)
}

/// The objects that were removed before `before` (seconds since 1970).
pub fn removed_before(reading: &Reading<'_>, before: i64) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached("SELECT object FROM objects WHERE removed_at < ?1")?;
    let rows = statement.query_map([before], |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// The present objects of a kind in the domain, at most `limit`.
pub fn present(
    reading: &Reading<'_>,
    domain: i64,
    kind: Kind,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT object FROM objects WHERE domain = ?1 AND kind = ?2 AND presence = 'present' LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((domain, kind_text(kind), limit), |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Number of the domain's objects that are deleted or out of scope and not erased yet.
pub fn removed(reading: &Reading<'_>, domain: i64) -> Result<i64, StoreError> {
    Ok(reading
        .prepare_cached("SELECT count(*) FROM objects WHERE removed_at IS NOT NULL AND domain = ?1")?
        .query_row([domain], |row| row.get(0))?)
}

/// Number of present objects of a kind in the domain.
pub fn present_in(reading: &Reading<'_>, domain: i64, kind: Kind) -> Result<i64, StoreError> {
    Ok(reading
        .prepare_cached(
            "SELECT count(*) FROM objects WHERE domain = ?1 AND kind = ?2 AND presence = 'present'",
        )?
        .query_row((domain, kind_text(kind)), |row| row.get(0))?)
}

/// The objects of a kind for which `hit` is true, at most `limit`. Objects that are not present come first. Reads the
/// whole table, so it is for requests of an administrator only.
pub fn walk(
    reading: &Reading<'_>,
    kind: Kind,
    limit: usize,
    hit: impl Fn(&Object, &Attributes) -> bool,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT object FROM objects WHERE kind = ?1 ORDER BY presence = 'present'")?;
    let mut rows = statement.query([kind_text(kind)])?;
    let mut found = Vec::new();
    while let Some(row) = &rows.next()? {
        let guid = stamps::guid(row, 0)?;
        let Some(object) = find(reading, guid)? else { continue };
        if hit(&object, &attributes::of(reading, guid)?) {
            found.push(guid);
            if found.len() >= limit {
                break;
            }
        }
    }
    Ok(found)
}

/// Deletes an object and all its rows in other tables, but its block; its home stays. For an object whose grace time is
/// over, and for one whose kind is another one by now.
pub fn forget(writing: &Writing<'_>, object: Uuid) -> Result<(), StoreError> {
    forget_own(writing, object)?;
    writing.prepare_cached("DELETE FROM links WHERE target = ?1")?.send([object.as_bytes()])?;
    Ok(())
}

/// The same, but the links from other objects to it stay: they are what its groups say of it. For an object that moves
/// to another domain, where its old data has no meaning.
pub fn forget_own(writing: &Writing<'_>, object: Uuid) -> Result<(), StoreError> {
    homes::keep(writing, object)?;
    for sql in [
        "DELETE FROM signin_names WHERE number = (SELECT number FROM objects WHERE object = ?1)",
        "DELETE FROM digests WHERE number = (SELECT number FROM objects WHERE object = ?1)",
        "DELETE FROM octets WHERE number = (SELECT number FROM objects WHERE object = ?1)",
        "DELETE FROM attributes WHERE number = (SELECT number FROM objects WHERE object = ?1)",
        "DELETE FROM lockouts WHERE object = ?1",
        "DELETE FROM known_sources WHERE object = ?1",
        "DELETE FROM ad_budget WHERE object = ?1",
        "DELETE FROM grants WHERE session IN (SELECT id FROM web_sessions WHERE object = ?1)",
        "DELETE FROM session_clients WHERE session IN (SELECT id FROM web_sessions WHERE object = ?1)",
        "DELETE FROM logout_notices WHERE object = ?1",
        "DELETE FROM web_sessions WHERE object = ?1",
        "DELETE FROM password_changes WHERE object = ?1",
        "DELETE FROM device_requests WHERE object = ?1",
        "DELETE FROM canaries WHERE object = ?1",
        "DELETE FROM refused_members WHERE object = ?1",
        "DELETE FROM links WHERE source = ?1",
        "DELETE FROM objects WHERE object = ?1",
    ] {
        writing.prepare_cached(sql)?.send([object.as_bytes()])?;
    }
    changes::note_forgetting(writing)
}

/// Reads a stored presence.
fn presence_of(text: &str) -> Result<Presence, StoreError> {
    [Presence::Present, Presence::Deleted, Presence::Privileged, Presence::OutOfScope]
        .into_iter()
        .find(|p| presence_text(*p) == text)
        .ok_or(StoreError::Foreign { what: "presence" })
}

/// Reads a stored kind.
fn kind_of(text: &str) -> Result<Kind, StoreError> {
    KINDS.into_iter().find(|k| kind_text(*k) == text).ok_or(StoreError::Foreign { what: "kind of object" })
}
