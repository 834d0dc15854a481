//! Values of linked attributes: members of groups, managers, to whom a fine-grained policy applies; and when those end
//! that end by themselves.
//! Neighbours: [`super::scope`] walks them; `cycle::courier` sends all links of one object; `cycle::sweep` ends links.

use super::objects::{stamp_from_bytes, stamp_to_bytes};
use super::{Mirror, Sent, StateError};
use landbridge_drsr::drs::change::{Link, LinkStamp, Linked};
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
    /// Stores a link with its end, or deletes it if it is not present.
    pub fn apply_link(&self, link: &Link) -> Result<(), StateError> {
        let (what, source, target) = (link.what, link.from.guid, link.to.guid);
        self.set_link(what, source, target, link.present.then_some(link.stamp))?;
        let Some(until) = link.until.filter(|_| link.present) else { return Ok(()) };
        self.checked(|database| {
            let sql = "UPDATE links SET until = ?4 WHERE what = ?1 AND source = ?2 AND target = ?3";
            let key = params![word(what), source.as_bytes(), target.as_bytes(), until];
            database.prepare_cached(sql)?.execute(key).map(|_| ())
        })
    }

    /// Stores a link that does not end by itself, or deletes it if `present` is none.
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

    /// The values of an attribute that have no stamp of their own, because they were written before 2003: the objects
    /// that they name.
    pub fn old_links(&self, what: Linked, source: Uuid) -> Result<Vec<Uuid>, StateError> {
        self.checked(|database| {
            let sql = "SELECT target FROM links WHERE what = ?1 AND source = ?2 \
                       AND substr(stamp, 1, 8) = zeroblob(8)";
            let mut query = database.prepare_cached(sql)?;
            let rows = query
                .query_map(params![word(what), source.as_bytes()], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
            rows.collect()
        })
    }

    /// Links whose end has come by `now`, the earliest first, at most `limit`: source and link.
    pub fn ended_links(&self, now: i64, limit: u32) -> Result<Vec<(Uuid, LinkTarget)>, StateError> {
        self.checked(|database| {
            let sql =
                "SELECT source, what, target, stamp FROM links WHERE until <= ?1 ORDER BY until LIMIT ?2";
            let mut query = database.prepare_cached(sql)?;
            let rows = query.query_map(params![now, limit], |row| {
                let what: String = row.get(1)?;
                let link = (parse(&what), Uuid::from_bytes(row.get(2)?), from_bytes(row.get(3)?));
                Ok((Uuid::from_bytes(row.get(0)?), link))
            })?;
            rows.collect()
        })
    }

    /// When the next link ends by itself, in seconds since 1970; none: none does.
    pub fn next_end(&self) -> Result<Option<i64>, StateError> {
        let sql = "SELECT min(until) FROM links WHERE until IS NOT NULL";
        self.checked(|database| database.prepare_cached(sql)?.query_row([], |row| row.get(0)))
    }

    /// Notes that a link of this object came in a full compare before the object was sent, and was not sent therefore.
    pub fn note_early_link(&self, source: Uuid) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "INSERT OR IGNORE INTO temp.early VALUES (?1)";
            database.prepare_cached(sql)?.execute([source.as_bytes()]).map(|_| ())
        })
    }

    /// Whether a link of this object came before it in this full compare.
    pub fn has_early_link(&self, source: Uuid) -> Result<bool, StateError> {
        self.checked(|database| {
            database.prepare_cached("SELECT 1 FROM temp.early WHERE guid = ?1")?.exists([source.as_bytes()])
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
    use crate::fixture::{guid, link};
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

    #[test]
    fn links_end_in_the_order_of_their_ends_and_one_that_is_written_again_ends_as_it_now_says() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let ending = |member, until| Link { until, ..link(1201, member, true) };
        let ended = |now| {
            let ended = mirror.ended_links(now, 10).unwrap();
            ended.into_iter().map(|(source, (_, target, _))| (source, target)).collect::<Vec<_>>()
        };
        for link in
            [ending(1101, Some(70)), ending(1102, Some(50)), ending(1103, None), ending(1104, Some(60))]
        {
            mirror.apply_link(&link).unwrap();
        }
        assert_eq!((mirror.next_end().unwrap(), ended(49)), (Some(50), vec![]));
        let both = vec![(guid(1201), guid(1102)), (guid(1201), guid(1104))];
        assert_eq!(ended(60), both);
        assert_eq!(mirror.ended_links(60, 1).unwrap().len(), 1);
        // Longer, for ever, and removed.
        mirror.apply_link(&ending(1102, Some(90))).unwrap();
        mirror.apply_link(&ending(1104, None)).unwrap();
        mirror.apply_link(&Link { present: false, ..ending(1101, Some(70)) }).unwrap();
        assert_eq!((mirror.next_end().unwrap(), ended(89).len(), ended(90).len()), (Some(90), 0, 1));
        drop(mirror);
        let mirror = Mirror::open(directory.path()).unwrap();
        assert_eq!(mirror.next_end().unwrap(), Some(90), "also after a restart");
    }
}
