//! Who is in which group, through however many groups between, asked of the links in the mirror.
//! SQLite walks the links (a cycle among groups ends the walk), so that no list of members is ever held here.
//! Neighbours: `privileged` says which groups matter; `qualify` asks about one account.

use super::objects::{COLUMNS, Object, read};
use super::{Mirror, Sent, StateError};
use landbridge_drsr::drs::change::Sid;
use rusqlite::params;
use uuid::Uuid;

/// What the tenant was told of an account and no longer fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Told to be present, and privileged by now.
    Promoted(Object),
    /// Told to be privileged, and no longer so.
    Demoted(Object),
    /// Entered or left Protected Users.
    ProtectedUser(Object, bool),
}

/// Privileged by groups, by adminCount, or the built-in administrator; the same words as
/// `qualify::is_privileged`, for all accounts at once.
const PRIVILEGED: &str = "(o.admin_count <> 0 OR o.sid = (SELECT sid FROM temp.administrator) \
     OR EXISTS (SELECT 1 FROM temp.protected p WHERE p.guid = o.guid) \
     OR EXISTS (SELECT 1 FROM temp.protected_primary g WHERE g.rid = o.primary_group)) \
     AND NOT EXISTS (SELECT 1 FROM temp.include i WHERE i.sid = o.sid)";

impl Mirror {
    pub(super) fn prepare_groups(&self) -> Result<(), StateError> {
        self.checked(|database| {
            database.execute_batch(
                "CREATE TEMP TABLE protected (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE protected_primary (rid INTEGER PRIMARY KEY);
                 CREATE TEMP TABLE protected_users (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE include (sid TEXT PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE administrator (sid TEXT);",
            )
        })
    }

    /// Remembers that an object is in a group, or no longer.
    pub fn set_link(&self, group: Uuid, member: Uuid, present: bool) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = if present {
                "INSERT OR IGNORE INTO edges (grp, member) VALUES (?1, ?2)"
            } else {
                "DELETE FROM edges WHERE grp = ?1 AND member = ?2"
            };
            database.prepare_cached(sql)?.execute([group.as_bytes(), member.as_bytes()]).map(|_| ())
        })
    }

    /// Forgets who is in a group, before its members are told anew.
    pub fn clear_links(&self, group: Uuid) -> Result<(), StateError> {
        self.checked(|database| {
            database
                .prepare_cached("DELETE FROM edges WHERE grp = ?1")?
                .execute([group.as_bytes()])
                .map(|_| ())
        })
    }

    /// Works out anew who is in the protected groups and in Protected Users. `domain` is the SID of the domain.
    pub fn resolve_groups(&self, domain: &Sid, protected: &[Sid], include: &[Sid]) -> Result<(), StateError> {
        self.checked(|database| {
            database.execute_batch(
                "DELETE FROM temp.protected; DELETE FROM temp.protected_primary; DELETE FROM temp.protected_users;
                 DELETE FROM temp.include; DELETE FROM temp.administrator;",
            )?;
            database.execute("INSERT INTO temp.administrator VALUES (?1)", [domain.with_rid(500).to_string()])?;
            for sid in include {
                database.execute("INSERT OR IGNORE INTO temp.include VALUES (?1)", [sid.to_string()])?;
            }
            for sid in protected {
                // A primary group has no member link; the RID alone says it, whether the group was seen or not.
                if sid.domain().as_ref() == Some(domain) {
                    let sql = "INSERT OR IGNORE INTO temp.protected_primary VALUES (?1)";
                    database.execute(sql, [sid.rid()])?;
                }
                walk(database, "protected", sid)?;
            }
            walk(database, "protected_users", &domain.with_rid(525))?;
            // A group within a protected group may be somebody's primary group. Groups come in few numbers here.
            let prefix = format!("{domain}-");
            let mut groups = database.prepare(
                "SELECT o.sid FROM temp.protected p JOIN objects o ON o.guid = p.guid WHERE o.kind = 'group'",
            )?;
            let mut rows = groups.query([])?;
            while let Some(row) = rows.next()? {
                let sid: Option<String> = row.get(0)?;
                let rid = sid.as_deref().and_then(|s| s.strip_prefix(&prefix)).and_then(|r| r.parse::<u32>().ok());
                if let Some(rid) = rid {
                    database.execute("INSERT OR IGNORE INTO temp.protected_primary VALUES (?1)", [rid])?;
                }
            }
            Ok(())
        })
    }

    /// Whether an object is in a protected group, through its links or its primary group.
    pub fn is_protected(&self, guid: Uuid, primary_group: i32) -> Result<bool, StateError> {
        self.checked(|database| {
            let sql = "SELECT EXISTS (SELECT 1 FROM temp.protected WHERE guid = ?1) \
                       OR EXISTS (SELECT 1 FROM temp.protected_primary WHERE rid = ?2)";
            let mut query = database.prepare_cached(sql)?;
            query.query_row(params![guid.as_bytes(), primary_group], |row| row.get(0))
        })
    }

    /// Whether an object is in Protected Users.
    pub fn is_protected_user(&self, guid: Uuid) -> Result<bool, StateError> {
        self.checked(|database| {
            let sql = "SELECT EXISTS (SELECT 1 FROM temp.protected_users WHERE guid = ?1)";
            database.prepare_cached(sql)?.query_row([guid.as_bytes()], |row| row.get(0))
        })
    }

    /// At most `limit` accounts of which the tenant was told something that no longer fits.
    pub fn doubts(&self, limit: u32) -> Result<Vec<Doubt>, StateError> {
        let promoted = self.select(
            &format!(
                "o.sent IN ('{}', '{}') AND {PRIVILEGED}",
                Sent::Present.as_str(),
                Sent::Unsure.as_str()
            ),
            limit,
        )?;
        let demoted = self.select(
            &format!("o.sent = '{}' AND NOT o.deleted AND NOT ({PRIVILEGED})", Sent::Privileged.as_str()),
            limit,
        )?;
        let present = Sent::Present.as_str();
        let inside = "EXISTS (SELECT 1 FROM temp.protected_users u WHERE u.guid = o.guid)";
        let left =
            self.select(&format!("o.sent = '{present}' AND o.protected_user AND NOT {inside}"), limit)?;
        let entered = self.select(
            &format!(
                "o.sent = '{present}' AND NOT o.protected_user AND NOT ({PRIVILEGED}) \
                 AND o.guid IN (SELECT guid FROM temp.protected_users)"
            ),
            limit,
        )?;
        let doubts = promoted.into_iter().map(Doubt::Promoted).chain(demoted.into_iter().map(Doubt::Demoted));
        let doubts = doubts.chain(left.into_iter().map(|o| Doubt::ProtectedUser(o, false)));
        let doubts = doubts.chain(entered.into_iter().map(|o| Doubt::ProtectedUser(o, true)));
        let mut seen = std::collections::HashSet::new();
        let once = doubts.filter(|doubt| {
            let (Doubt::Promoted(object) | Doubt::Demoted(object) | Doubt::ProtectedUser(object, _)) = doubt;
            seen.insert(object.guid)
        });
        Ok(once.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    fn select(&self, which: &str, limit: u32) -> Result<Vec<Object>, StateError> {
        self.checked(|database| {
            let sql = format!("SELECT {COLUMNS} FROM objects o WHERE o.kind = 'person' AND {which} LIMIT ?1");
            database.prepare_cached(&sql)?.query_map([limit], read)?.collect()
        })
    }
}

fn walk(database: &rusqlite::Connection, table: &str, from: &Sid) -> rusqlite::Result<()> {
    // UNION, not UNION ALL: who was reached before is not walked again, so cycles end.
    let sql = format!(
        "INSERT OR IGNORE INTO temp.{table} \
         WITH RECURSIVE inside(guid) AS ( \
             SELECT guid FROM objects WHERE sid = ?1 \
             UNION SELECT e.member FROM edges e JOIN inside i ON e.grp = i.guid) \
         SELECT guid FROM inside"
    );
    database.prepare_cached(&sql)?.execute([from.to_string()]).map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::directory;
    use super::super::{Kind, Sent};
    use super::*;

    fn domain() -> Sid {
        "S-1-5-21-1-2-3".parse().unwrap()
    }

    fn guid(n: u32) -> Uuid {
        Uuid::from_u128(n.into())
    }

    fn put(mirror: &Mirror, rid: u32, kind: Kind, change: impl FnOnce(&mut Object)) {
        let mut object = Object { kind, sid: Some(domain().with_rid(rid)), ..Object::unknown(guid(rid)) };
        change(&mut object);
        mirror.put(&object).unwrap();
    }

    fn resolve(mirror: &Mirror) {
        mirror.resolve_groups(&domain(), &[domain().with_rid(512)], &[domain().with_rid(1900)]).unwrap();
    }

    #[test]
    fn membership_reaches_through_groups_and_ends_in_a_cycle() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        for rid in [512, 1201, 1202] {
            put(&mirror, rid, Kind::Group, |_| {});
        }
        for (group, member) in [(512, 1201), (1201, 1202), (1202, 512), (1202, 1105), (1203, 1106)] {
            mirror.set_link(guid(group), guid(member), true).unwrap();
        }
        resolve(&mirror);
        assert!(mirror.is_protected(guid(1105), 513).unwrap());
        assert!(!mirror.is_protected(guid(1106), 513).unwrap());
        mirror.set_link(guid(1201), guid(1202), false).unwrap();
        resolve(&mirror);
        assert!(!mirror.is_protected(guid(1105), 513).unwrap());
    }

    #[test]
    fn a_primary_group_counts_even_through_another_group() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        resolve(&mirror);
        assert!(mirror.is_protected(guid(1105), 512).unwrap(), "the group itself was never seen");
        put(&mirror, 512, Kind::Group, |_| {});
        put(&mirror, 1201, Kind::Group, |_| {});
        mirror.set_link(guid(512), guid(1201), true).unwrap();
        resolve(&mirror);
        assert!(mirror.is_protected(guid(1105), 1201).unwrap());
        assert!(!mirror.is_protected(guid(1105), 513).unwrap());
    }

    #[test]
    fn whoever_was_told_otherwise_is_found_and_nobody_else() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        put(&mirror, 512, Kind::Group, |_| {});
        put(&mirror, 525, Kind::Group, |_| {});
        let told = |sent| move |object: &mut Object| object.sent = Some(sent);
        put(&mirror, 500, Kind::Person, told(Sent::Present));
        put(&mirror, 1101, Kind::Person, told(Sent::Present));
        put(&mirror, 1102, Kind::Person, told(Sent::Present));
        put(&mirror, 1103, Kind::Person, told(Sent::Privileged));
        put(&mirror, 1104, Kind::Person, told(Sent::Privileged));
        put(&mirror, 1105, Kind::Person, told(Sent::Present));
        put(&mirror, 1106, Kind::Person, |object| {
            (object.sent, object.admin_count) = (Some(Sent::Present), 1)
        });
        put(&mirror, 1107, Kind::Person, |object| {
            (object.sent, object.protected_user) = (Some(Sent::Present), true)
        });
        put(&mirror, 1900, Kind::Person, told(Sent::Present));
        for (group, member) in [(512, 1101), (512, 1104), (512, 1900), (525, 1105)] {
            mirror.set_link(guid(group), guid(member), true).unwrap();
        }
        resolve(&mirror);
        let mut found: Vec<_> = mirror
            .doubts(100)
            .unwrap()
            .into_iter()
            .map(|doubt| match doubt {
                Doubt::Promoted(object) => ("promoted", object.sid.unwrap().rid()),
                Doubt::Demoted(object) => ("demoted", object.sid.unwrap().rid()),
                Doubt::ProtectedUser(object, true) => ("entered", object.sid.unwrap().rid()),
                Doubt::ProtectedUser(object, false) => ("left", object.sid.unwrap().rid()),
            })
            .collect();
        found.sort_unstable();
        let expected = [
            ("demoted", 1103),
            ("entered", 1105),
            ("left", 1107),
            ("promoted", 500),
            ("promoted", 1101),
            ("promoted", 1106),
        ];
        assert_eq!(found, expected);
    }
}
