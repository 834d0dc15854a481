//! Groups for people who look: which there are, who is in them, what they are called.
//! Neighbours: [`crate::store::members`] and [`crate::store::links`] have the edges; `admin` (`groups list`, `groups show`) prints.

use super::fold;
use crate::store::domains::{Domain, sub_authority};
use crate::store::{StoreError, attributes, objects, stamps};
use landbridge_wire::upload::{Kind, Presence};
use rusqlite::Connection;
use std::collections::HashSet;
use uuid::Uuid;

/// The most groups that one name is looked for in.
const MOST: usize = 20;

/// The groups of the domain with that name, bare or as `DOMAIN\name`, SID or objectGUID. Only those that are there.
pub fn named(connection: &Connection, domain: &Domain, name: &str) -> Result<Vec<Uuid>, StoreError> {
    let bare = match name.split_once('\\') {
        Some((of, bare)) => {
            let of_here = fold(of) == fold(&domain.netbios_name) || fold(of) == domain.dns_name;
            if !of_here {
                return Ok(Vec::new());
            }
            bare
        }
        None => name,
    };
    let (wanted, guid) = (fold(bare), name.parse::<Uuid>().ok());
    objects::walk(connection, Kind::Group, MOST, |group, known| {
        let is_named = known.sam_account_name.as_deref().is_some_and(|sam| fold(sam) == wanted);
        let is_meant = is_named || group.sid.as_deref() == Some(name) || guid == Some(group.object);
        group.domain == domain.id && group.presence == Presence::Present && is_meant
    })
}

/// What an object is called: `DOMAIN\sam`, or what it has for a name, or its objectGUID.
pub fn name_of(connection: &Connection, domain: &Domain, object: Uuid) -> Result<String, StoreError> {
    let known = attributes::of(connection, object)?;
    let sam = known.sam_account_name.map(|sam| format!("{}\\{sam}", domain.netbios_name));
    let name = sam.or(known.name).or(known.display_name).unwrap_or_else(|| object.to_string());
    Ok(super::describe::printable(&name))
}

/// Who is in a group: its members, and those whose primary group it is; at most `limit`.
pub fn members_of(
    connection: &Connection,
    domain: &Domain,
    group: Uuid,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT target FROM links WHERE source = ?1 AND what = 'member' AND domain = ?2 AND present = 1
         UNION
         SELECT a.object FROM attributes a JOIN objects o ON o.object = a.object
         WHERE a.name = 'primary_group_id' AND a.value = ?3 AND o.domain = ?2 AND o.presence = 'present'
         LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rid = rid_of(connection, domain, group)?;
    let rows = statement.query_map((group.as_bytes(), domain.id, rid, limit), |row| stamps::guid(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many accounts that are present are in a group, directly or through others, and by their primary group. For a
/// person who asks: it walks as far as there is something.
pub fn accounts_in(connection: &Connection, domain: &Domain, group: Uuid) -> Result<usize, StoreError> {
    let mut seen = HashSet::from([group]);
    let mut open = vec![group];
    let mut accounts = 0;
    while let Some(one) = open.pop() {
        for member in members_of(connection, domain, one, usize::MAX)? {
            if !seen.insert(member) {
                continue;
            }
            match objects::find(connection, member)? {
                Some(found) if found.domain != domain.id || found.presence != Presence::Present => {}
                Some(found) => match found.kind {
                    Kind::Account => accounts += 1,
                    Kind::Group => open.push(member),
                    Kind::Contact | Kind::PasswordSettings => {}
                },
                None => open.push(member),
            }
        }
    }
    Ok(accounts)
}

/// How many of these are not known here.
pub fn unknown(connection: &Connection, objects: impl Iterator<Item = Uuid>) -> Result<usize, StoreError> {
    let mut count = 0;
    for object in objects.collect::<HashSet<_>>() {
        count += usize::from(objects::find(connection, object)?.is_none());
    }
    Ok(count)
}

fn rid_of(connection: &Connection, domain: &Domain, group: Uuid) -> Result<Option<u32>, StoreError> {
    let sid = objects::find(connection, group)?.and_then(|found| found.sid);
    let rid = sid.as_deref().and_then(|sid| sid.strip_prefix(&domain.sid)?.strip_prefix('-'));
    Ok(rid.and_then(sub_authority))
}
