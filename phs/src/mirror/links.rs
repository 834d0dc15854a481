//! Values of linked attributes: members of groups, managers, to whom a fine-grained policy applies.
//! Neighbours: [`super::scope`] walks them; `cycle::courier` sends all links of one object.

use super::objects::{stamp_from_bytes, stamp_to_bytes};
use super::{Mirror, Sent, StateError};
use landbridge_drsr::drs::change::{LinkStamp, Linked};
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

/// One value: the attribute, the object that it names, when and where it was written.
pub type LinkTarget = (Linked, Uuid, LinkStamp);

pub(super) fn word(what: Linked) -> &'static str {
    match what {
        Linked::Member => "member",
        Linked::Manager => "manager",
        Linked::AppliesTo => "applies-to",
        Linked::AuthenticationPolicy => "authentication-policy",
    }
}

fn parse(text: &str) -> Linked {
    match text {
        "manager" => Linked::Manager,
        "applies-to" => Linked::AppliesTo,
        "authentication-policy" => Linked::AuthenticationPolicy,
        _ => Linked::Member,
    }
}

fn to_bytes(stamp: LinkStamp) -> Vec<u8> {
    [&stamp.created.to_be_bytes()[..], &stamp_to_bytes(stamp.written)].concat()
}

fn from_bytes(bytes: [u8; 36]) -> LinkStamp {
    let (mut created, mut written) = ([0; 8], [0; 28]);
    for (to, from) in created.iter_mut().chain(&mut written).zip(bytes) {
        *to = from;
    }
    LinkStamp { created: u64::from_be_bytes(created), written: stamp_from_bytes(written) }
}

impl Mirror {
    /// Stores a link, or deletes it if `present` is none.
    pub fn set_link(
        &self,
        what: Linked,
        source: Uuid,
        target: Uuid,
        present: Option<LinkStamp>,
    ) -> Result<(), StateError> {
        self.unresolved.set(true);
        self.checked(|database| match present {
            Some(stamp) => database
                .prepare_cached(
                    "INSERT OR REPLACE INTO links (what, source, target, stamp) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![word(what), source.as_bytes(), target.as_bytes(), to_bytes(stamp)])
                .map(|_| ()),
            None => database
                .prepare_cached("DELETE FROM links WHERE what = ?1 AND source = ?2 AND target = ?3")?
                .execute(params![word(what), source.as_bytes(), target.as_bytes()])
                .map(|_| ()),
        })
    }

    /// Deletes an object's links, before the current ones are stored.
    pub fn clear_links(&self, source: Uuid) -> Result<(), StateError> {
        self.unresolved.set(true);
        self.checked(|database| {
            ["member", "manager", "applies-to", "authentication-policy"].into_iter().try_for_each(|what| {
                let sql = "DELETE FROM links WHERE what = ?1 AND source = ?2";
                database.prepare_cached(sql)?.execute(params![what, source.as_bytes()]).map(|_| ())
            })
        })
    }

    /// An object's links that the tenant receives, after `after` (none: from the first), at most `limit`.
    pub fn links_after(
        &self,
        source: Uuid,
        after: Option<(Linked, Uuid)>,
        limit: usize,
    ) -> Result<Vec<LinkTarget>, StateError> {
        let (what, target) = after.map_or(("", Uuid::nil()), |(what, target)| (word(what), target));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.checked(|database| {
            let mut query = database.prepare_cached(
                "SELECT what, target, stamp FROM links WHERE what IN ('applies-to', 'manager', 'member') \
                 AND source = ?1 AND (what, target) > (?2, ?3) ORDER BY what, target LIMIT ?4",
            )?;
            let rows =
                query.query_map(params![source.as_bytes(), what, target.as_bytes(), limit], |row| {
                    let what: String = row.get(0)?;
                    Ok((parse(&what), Uuid::from_bytes(row.get(1)?), from_bytes(row.get(2)?)))
                })?;
            rows.collect()
        })
    }

    /// The links to an object that the tenant receives, from objects at the tenant: source, attribute, when and where
    /// written.
    pub fn present_links_to(&self, target: Uuid) -> Result<Vec<(Uuid, Linked, LinkStamp)>, StateError> {
        self.checked(|database| {
            let mut query = database.prepare_cached(
                "SELECT l.source, l.what, l.stamp FROM links l JOIN objects o ON o.guid = l.source \
                 WHERE l.target = ?1 AND o.sent = ?2 AND l.what <> 'authentication-policy'",
            )?;
            let rows = query.query_map(params![target.as_bytes(), Sent::Present.as_str()], |row| {
                let what: String = row.get(1)?;
                Ok((Uuid::from_bytes(row.get(0)?), parse(&what), from_bytes(row.get(2)?)))
            })?;
            rows.collect()
        })
    }

    /// When and where a link was written, if it is there.
    pub fn link(&self, what: Linked, source: Uuid, target: Uuid) -> Result<Option<LinkStamp>, StateError> {
        self.checked(|database| {
            let sql = "SELECT stamp FROM links WHERE what = ?1 AND source = ?2 AND target = ?3";
            let mut query = database.prepare_cached(sql)?;
            let key = params![word(what), source.as_bytes(), target.as_bytes()];
            query.query_row(key, |row| Ok(from_bytes(row.get(0)?))).optional()
        })
    }

    /// The groups that an object is a direct member of.
    pub fn groups_of(&self, target: Uuid, limit: u32) -> Result<Vec<Uuid>, StateError> {
        self.checked(|database| {
            let sql = "SELECT source FROM links WHERE target = ?1 AND what = 'member' LIMIT ?2";
            let mut query = database.prepare_cached(sql)?;
            let rows = query
                .query_map(params![target.as_bytes(), limit], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::directory;
    use super::*;
    use landbridge_drsr::drs::change::Stamp;

    #[test]
    fn all_links_of_an_object_are_read_in_portions_and_those_of_others_are_not() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let stamp = |version| LinkStamp {
            created: u64::MAX >> 1,
            written: Stamp { version, time: 5, invocation_id: Uuid::from_u128(9) },
        };
        let id = |n: u32| Uuid::from_u128(n.into());
        for n in 10..17 {
            mirror.set_link(Linked::Member, id(1), id(n), Some(stamp(n))).unwrap();
        }
        mirror.set_link(Linked::AppliesTo, id(1), id(12), Some(stamp(1))).unwrap();
        mirror.set_link(Linked::Member, id(2), id(12), Some(stamp(1))).unwrap();
        mirror.set_link(Linked::Member, id(1), id(13), None).unwrap();
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let some = mirror.links_after(id(1), after, 3).unwrap();
            let Some((what, target, _)) = some.last() else { break };
            after = Some((*what, *target));
            all.extend(some);
        }
        let members = [10, 11, 12, 14, 15, 16].map(|n| (Linked::Member, id(n), stamp(n)));
        assert_eq!(all.first(), Some(&(Linked::AppliesTo, id(12), stamp(1))));
        assert_eq!(all.get(1..).unwrap(), members);
        assert_eq!(mirror.groups_of(id(12), 10).unwrap(), [id(1), id(2)]);
        assert_eq!(mirror.link(Linked::Member, id(1), id(12)).unwrap(), Some(stamp(12)));
        assert_eq!(mirror.link(Linked::Manager, id(1), id(12)).unwrap(), None);
        mirror.clear_links(id(1)).unwrap();
        assert!(mirror.links_after(id(1), None, 3).unwrap().is_empty());
    }
}
