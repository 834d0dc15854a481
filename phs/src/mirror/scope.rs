//! Where objects are in the tree, and in which groups, at any depth, computed from the mirror. SQLite walks the tree
//! and the links (a cycle among groups ends the walk), so that no list of members is held in memory. The results are
//! in temporary tables until something that they depend on changes.
//! Neighbours: `scope` has the names, `privileged` the protected groups; [`super::sweep`] uses the result for all
//! objects, `qualify` for one.

use super::links::word;
use super::{Mirror, Object, StateError};
use crate::scope::{Scope, entry_key};
use landbridge_drsr::drs::change::Linked;
use landbridge_drsr::drs::sid::Sid;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

/// What decides which objects are carried.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// SID of the domain.
    pub domain: &'a Sid,
    /// The groups that AdminSDHolder protects.
    pub protected: &'a [Sid],
    /// Accounts and groups that can read or set every password of the domain.
    pub holders: &'a [Sid],
    /// objectGUID of the account that phs reads with, once it is known.
    pub account: Option<Uuid>,
    /// Privileged accounts that are carried although they are privileged.
    pub include: &'a [Sid],
    /// The administrator's rules.
    pub scope: &'a Scope,
}

/// Where an object is, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// In a protected group.
    pub protected: bool,
    /// In Protected Users.
    pub protected_user: bool,
    /// The account that phs reads with, or one that can read or set every password, itself or through groups.
    pub holder: bool,
    /// In an OU that is in the scope.
    pub inside: bool,
    /// In a group that is in the scope, or none is named.
    pub member: bool,
    /// A group to which a fine-grained policy applies.
    pub policy_group: bool,
    /// It may log on to some computers only, or has an authentication policy or is in a silo of them. The tenant cannot
    /// judge that, so its password is not carried.
    pub restricted: bool,
    /// Its password is carried.
    pub carries: bool,
}

/// RID of Protected Users: not privileged, but with rules of its own at sign-in.
pub const PROTECTED_USERS: u32 = landbridge_wire::privileged::PROTECTED_USERS;
/// RID of the built-in administrator.
pub const ADMINISTRATOR: u32 = 500;
/// RID of the KDC's account.
pub const KRBTGT: u32 = 502;
/// Flags of accounts of trusts, workstations and servers (MS-ADTS 2.2.16).
pub const MACHINES: i32 = 0x0800 | 0x1000 | 0x2000;

/// In an OU that is in the scope.
pub(super) const INSIDE: &str =
    "((SELECT everywhere FROM temp.bounds) OR coalesce(o.parent IN (SELECT guid FROM temp.containers), 0))";
/// In a group that is in the scope.
pub(super) const MEMBER: &str = "((SELECT everybody FROM temp.bounds) \
     OR o.guid IN (SELECT guid FROM temp.scope_group) \
     OR o.primary_group IN (SELECT rid FROM temp.scope_group_primary))";
/// It may log on to some computers only, or has an authentication policy or is in a silo of them.
pub(super) const RESTRICTED: &str = "(o.workstations \
     OR EXISTS (SELECT 1 FROM links WHERE what = 'authentication-policy' AND source = o.guid))";
/// Its password is carried, if it is not [`RESTRICTED`].
const IN_PASSWORD_GROUPS: &str = "((SELECT all_passwords FROM temp.bounds) \
     OR o.guid IN (SELECT guid FROM temp.password_group) \
     OR o.primary_group IN (SELECT rid FROM temp.password_group_primary))";
/// In a protected group.
pub(super) const PROTECTED: &str = "(o.guid IN (SELECT guid FROM temp.protected) \
     OR o.primary_group IN (SELECT rid FROM temp.protected_primary))";
/// In Protected Users.
pub(super) const PROTECTED_USER: &str = "(o.guid IN (SELECT guid FROM temp.protected_users))";
/// Reads with phs, or can read or set every password.
pub(super) const HOLDER: &str = "((SELECT everybody_holds FROM temp.bounds) \
     OR coalesce(o.guid = (SELECT account FROM temp.bounds), 0) \
     OR coalesce(o.sid IN (SELECT sid FROM temp.holder_sids), 0) \
     OR o.guid IN (SELECT guid FROM temp.holder) \
     OR o.primary_group IN (SELECT rid FROM temp.holder_primary))";
/// A group to which a fine-grained policy applies. The tenant must know its members, wherever the group is.
pub(super) const POLICY_GROUP: &str = "(o.guid IN (SELECT guid FROM temp.policy_group))";

/// Members of groups, with the groups themselves; and the RIDs of these groups, for those whose primary group they are.
const WALKED: [&str; 6] =
    ["protected", "protected_users", "holder", "scope_group", "password_group", "policy_group"];
/// SIDs that stand for every account: Everyone and Authenticated Users (MS-DTYP 2.4.2.4).
pub(super) const EVERYBODY: &str = "('S-1-1-0', 'S-1-5-11')";

/// Its password is carried.
pub(super) fn carries() -> String {
    format!("({IN_PASSWORD_GROUPS} AND NOT {RESTRICTED})")
}

impl Mirror {
    pub(super) fn prepare_positions(&self) -> Result<(), StateError> {
        self.checked(|database| {
            for table in WALKED {
                database.execute_batch(&format!(
                    "CREATE TEMP TABLE {table} (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                     CREATE TEMP TABLE {table}_primary (rid INTEGER PRIMARY KEY);"
                ))?;
            }
            database.execute_batch(
                "CREATE TEMP TABLE early (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE one (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE one_primary (rid INTEGER PRIMARY KEY);
                 CREATE TEMP TABLE one_sids (sid TEXT PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE marks (guid BLOB PRIMARY KEY, inside INTEGER) WITHOUT ROWID;
                 CREATE TEMP TABLE containers (guid BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE named (sid TEXT PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE holder_sids (sid TEXT PRIMARY KEY) WITHOUT ROWID;
                 CREATE TEMP TABLE bounds (domain TEXT, administrator TEXT, everywhere INTEGER, everybody INTEGER,
                     all_passwords INTEGER, no_passwords INTEGER, account BLOB, everybody_holds INTEGER);
                 INSERT INTO temp.bounds VALUES ('', '', 1, 1, 1, 0, NULL, 0);",
            )
        })
    }

    /// The object that an entry of the scope named when it was looked up.
    pub fn entry(&self, dn: &str) -> Result<Option<Uuid>, StateError> {
        self.checked(|database| {
            let mut query = database.prepare_cached("SELECT guid FROM entries WHERE dn = ?1")?;
            query.query_row([entry_key(dn)], |row| Ok(Uuid::from_bytes(row.get(0)?))).optional()
        })
    }

    /// Stores which object an entry of the scope names.
    pub fn set_entry(&self, dn: &str, guid: Uuid) -> Result<(), StateError> {
        self.unresolved.set(true);
        self.checked(|database| {
            let sql = "INSERT OR REPLACE INTO entries (dn, guid) VALUES (?1, ?2)";
            database.prepare_cached(sql)?.execute(params![entry_key(dn), guid.as_bytes()]).map(|_| ())
        })
    }

    /// Deletes entries that are no longer in the scope. One that an earlier version stored as it was typed gets its key.
    pub fn keep_entries(&self, scope: &Scope) -> Result<(), StateError> {
        self.unresolved.set(true);
        let wanted: Vec<String> = scope.entries().map(entry_key).collect();
        self.checked(|database| {
            let mut all = database.prepare("SELECT dn FROM entries")?;
            let all: Vec<String> = all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for dn in all.iter().filter(|dn| !wanted.contains(dn)) {
                let key = entry_key(dn);
                if wanted.contains(&key) && !all.contains(&key) {
                    database.execute("UPDATE OR IGNORE entries SET dn = ?2 WHERE dn = ?1", [dn, &key])?;
                }
                database.execute("DELETE FROM entries WHERE dn = ?1", [dn])?;
            }
            Ok(())
        })
    }

    /// The rules have changed: [`Mirror::resolve`] must compute all positions again.
    pub fn unsettle(&self) {
        self.unresolved.set(true);
    }

    /// Computes all positions again, if anything that they depend on has changed. Fails if an entry of the scope was
    /// never looked up: otherwise an excluded OU would be included.
    pub fn resolve(&self, bounds: &Bounds<'_>) -> Result<(), StateError> {
        if !self.unresolved.get() {
            return Ok(());
        }
        for dn in bounds.scope.entries() {
            if self.entry(dn)?.is_none() {
                let why = format!("no cycle has looked up yet what {dn} of [scope] names: `once` does");
                return Err(StateError::Failed { path: self.path.clone(), why });
            }
        }
        self.checked(|database| {
            for table in WALKED {
                database
                    .execute_batch(&format!("DELETE FROM temp.{table}; DELETE FROM temp.{table}_primary;"))?;
            }
            database.execute_batch(
                "DELETE FROM temp.marks; DELETE FROM temp.containers; DELETE FROM temp.named; \
                 DELETE FROM temp.holder_sids; DELETE FROM temp.bounds;",
            )?;
            let Bounds { domain, protected, holders, account, include, scope } = *bounds;
            let everywhere = scope.include.is_empty() && scope.exclude.is_empty();
            let all_passwords = scope.passwords && scope.password_groups.is_empty();
            database.execute(
                "INSERT INTO temp.bounds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
                params![
                    domain.to_string(),
                    domain.with_rid(ADMINISTRATOR).to_string(),
                    everywhere,
                    scope.groups.is_empty(),
                    all_passwords,
                    !scope.passwords,
                    account.as_ref().map(Uuid::as_bytes)
                ],
            )?;
            for sid in include {
                database.execute("INSERT OR IGNORE INTO temp.named VALUES (?1)", [sid.to_string()])?;
            }
            for sid in protected {
                walk_members(database, "protected", sid, domain)?;
            }
            for sid in holders {
                database.execute("INSERT OR IGNORE INTO temp.holder_sids VALUES (?1)", [sid.to_string()])?;
                walk_members(database, "holder", sid, domain)?;
            }
            let sql = format!(
                "UPDATE temp.bounds SET everybody_holds = {}",
                holds_everybody("holder", "holder_sids")
            );
            database.execute(&sql, [])?;
            let protected_users = domain.with_rid(PROTECTED_USERS).to_string();
            walk(
                database,
                "protected_users",
                "SELECT guid FROM objects WHERE sid = ?1",
                &[&protected_users],
            )?;
            for (table, entries) in
                [("scope_group", &scope.groups), ("password_group", &scope.password_groups)]
            {
                for dn in entries {
                    walk(database, table, "SELECT guid FROM entries WHERE dn = ?1", &[&entry_key(dn)])?;
                }
            }
            let applies = format!(
                "SELECT l.target FROM links l WHERE l.what = '{}' \
                 AND NOT EXISTS (SELECT 1 FROM objects p WHERE p.guid = l.source AND p.deleted)",
                word(Linked::AppliesTo)
            );
            walk(database, "policy_group", &applies, &[])?;
            for table in WALKED {
                primaries(database, table, domain)?;
            }
            if !everywhere {
                containers(database, scope, domain)?;
            }
            Ok(())
        })?;
        self.unresolved.set(false);
        Ok(())
    }

    /// The position of an object. [`Mirror::resolve`] must have been called.
    pub fn position(&self, object: &Object) -> Result<Position, StateError> {
        self.checked(|database| {
            let carries = carries();
            let sql = format!(
                "SELECT {PROTECTED}, {PROTECTED_USER}, {INSIDE}, {MEMBER}, {POLICY_GROUP}, {carries}, {HOLDER}, {RESTRICTED} \
                 FROM (SELECT ?1 AS guid, ?2 AS parent, ?3 AS primary_group, ?4 AS sid, ?5 AS workstations) o"
            );
            let sid = object.sid.as_ref().map(ToString::to_string);
            let parent = object.parent.as_ref().map(Uuid::as_bytes);
            let mut query = database.prepare_cached(&sql)?;
            let (guid, workstations) = (object.guid.as_bytes(), object.workstations);
            query.query_row(params![guid, parent, object.primary_group, sid, workstations], |row| {
                Ok(Position {
                    protected: row.get(0)?,
                    protected_user: row.get(1)?,
                    inside: row.get(2)?,
                    member: row.get(3)?,
                    policy_group: row.get(4)?,
                    carries: row.get::<_, Option<bool>>(5)?.unwrap_or(false),
                    holder: row.get(6)?,
                    restricted: row.get(7)?,
                })
            })
        })
    }
}

/// Puts into `table` what `from` selects, and all that is in it, at any depth.
fn walk(
    database: &Connection,
    table: &str,
    from: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<()> {
    // UNION, not UNION ALL: who was reached before is not walked again, so cycles end. A tombstone loses its links, and
    // nothing in the stream says so.
    let sql = format!(
        "INSERT OR IGNORE INTO temp.{table} \
         WITH RECURSIVE inside(guid) AS ( \
             {from} \
             UNION SELECT l.target FROM links l JOIN inside i ON l.what = 'member' AND l.source = i.guid \
                   WHERE NOT EXISTS (SELECT 1 FROM objects g WHERE g.guid = i.guid AND g.deleted)) \
         SELECT guid FROM inside"
    );
    database.prepare_cached(&sql)?.execute(parameters).map(|_| ())
}

/// Puts into `table` the account or group with this SID, and all that is in it; into `table_primary` its RID.
pub(super) fn walk_members(
    database: &Connection,
    table: &str,
    sid: &Sid,
    domain: &Sid,
) -> rusqlite::Result<()> {
    // A primary group has no member link. The RID alone identifies it, whether the group is known or not.
    if sid.domain().as_ref() == Some(domain) {
        let sql = format!("INSERT OR IGNORE INTO temp.{table}_primary VALUES (?1)");
        database.prepare_cached(&sql)?.execute([sid.rid()])?;
    }
    walk(database, table, "SELECT guid FROM objects WHERE sid = ?1", &[&sid.to_string()])
}

/// Whether a SID that stands for every account is among these SIDs, or is a member of what was walked.
pub(super) fn holds_everybody(walked: &str, sids: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM temp.{sids} WHERE sid IN {EVERYBODY}) \
          OR EXISTS (SELECT 1 FROM temp.{walked} w JOIN objects e ON e.guid = w.guid WHERE e.sid IN {EVERYBODY}))"
    )
}

/// A group within a group may be somebody's primary group.
pub(super) fn primaries(database: &Connection, table: &str, domain: &Sid) -> rusqlite::Result<()> {
    let prefix = format!("{domain}-");
    let sql = format!(
        "INSERT OR IGNORE INTO temp.{table}_primary \
         SELECT CAST(substr(o.sid, length(?1) + 1) AS INTEGER) FROM temp.{table} w JOIN objects o ON o.guid = w.guid \
         WHERE o.kind = 'group' AND substr(o.sid, 1, length(?1)) = ?1"
    );
    database.prepare_cached(&sql)?.execute([prefix]).map(|_| ())
}

/// The containers that are in the scope: each is as the nearest one above it that is named, or itself.
fn containers(database: &Connection, scope: &Scope, domain: &Sid) -> rusqlite::Result<()> {
    if scope.include.is_empty() {
        let sql = "INSERT INTO temp.marks SELECT guid, 1 FROM objects WHERE sid = ?1";
        database.execute(sql, [domain.to_string()])?;
    }
    for (entries, inside) in [(&scope.include, true), (&scope.exclude, false)] {
        for dn in entries {
            let sql = "INSERT OR REPLACE INTO temp.marks SELECT guid, ?2 FROM entries WHERE dn = ?1";
            database.execute(sql, params![entry_key(dn), inside])?;
        }
    }
    let sql = "INSERT INTO temp.containers \
         WITH RECURSIVE down(guid) AS ( \
             SELECT guid FROM temp.marks WHERE inside \
             UNION SELECT o.guid FROM objects o JOIN down d ON o.parent = d.guid \
                   WHERE o.kind = 'other' AND NOT o.deleted AND o.guid NOT IN (SELECT guid FROM temp.marks)) \
         SELECT guid FROM down";
    database.execute(sql, []).map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Kind;
    use super::super::tests::directory;
    use super::*;
    use crate::fixture::{domain, guid, link_stamp};

    struct Bench {
        mirror: Mirror,
        scope: Scope,
        holders: Vec<Sid>,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let directory = directory();
            let mirror = Mirror::open(directory.path()).unwrap();
            let bench = Self { mirror, scope: Scope::default(), holders: Vec::new(), _directory: directory };
            let head = Object { sid: Some(domain()), ..Object::unknown(guid(0)) };
            bench.mirror.put(&head).unwrap();
            bench
        }

        fn put(&self, rid: u32, kind: Kind, parent: u32) {
            let sid = (kind != Kind::Other).then(|| domain().with_rid(rid));
            let object = Object { kind, sid, parent: Some(guid(parent)), ..Object::unknown(guid(rid)) };
            self.mirror.put(&object).unwrap();
        }

        fn link(&self, group: u32, member: u32, present: bool) {
            let present = present.then(|| link_stamp(1));
            self.mirror.set_link(Linked::Member, guid(group), guid(member), present).unwrap();
        }

        fn position(&self, rid: u32, parent: u32, primary_group: i32) -> Position {
            let (domain, protected) = (domain(), [domain().with_rid(512)]);
            let bounds = Bounds {
                domain: &domain,
                protected: &protected,
                holders: &self.holders,
                account: None,
                include: &[],
                scope: &self.scope,
            };
            self.mirror.resolve(&bounds).unwrap();
            let sid = Some(domain.with_rid(rid));
            let object =
                Object { sid, parent: Some(guid(parent)), primary_group, ..Object::unknown(guid(rid)) };
            self.mirror.position(&object).unwrap()
        }
    }

    #[test]
    fn membership_reaches_through_groups_and_ends_in_a_cycle() {
        let bench = Bench::new();
        for rid in [512, 1201, 1202] {
            bench.put(rid, Kind::Group, 0);
        }
        for (group, member) in [(512, 1201), (1201, 1202), (1202, 512), (1202, 1105), (1203, 1106)] {
            bench.link(group, member, true);
        }
        assert!(bench.position(1105, 0, 513).protected);
        assert!(!bench.position(1106, 0, 513).protected);
        bench.link(1201, 1202, false);
        assert!(!bench.position(1105, 0, 513).protected);
        bench.link(1201, 1202, true);
        assert!(bench.position(1105, 0, 513).protected);
        let group = bench.mirror.object(guid(1202)).unwrap().unwrap();
        bench.mirror.put(&Object { deleted: true, ..group }).unwrap();
        assert!(!bench.position(1105, 0, 513).protected, "a tombstone has no members");
    }

    #[test]
    fn a_primary_group_counts_even_through_another_group() {
        let bench = Bench::new();
        assert!(bench.position(1105, 0, 512).protected, "the group itself was never seen");
        bench.put(512, Kind::Group, 0);
        bench.put(1201, Kind::Group, 0);
        bench.link(512, 1201, true);
        assert!(bench.position(1105, 0, 1201).protected);
        assert!(!bench.position(1105, 0, 513).protected);
    }

    #[test]
    fn who_holds_a_right_over_every_password_is_found_itself_and_through_groups() {
        let mut bench = Bench::new();
        for rid in [1201, 1202, 513] {
            bench.put(rid, Kind::Group, 0);
        }
        for (group, member) in [(1201, 1202), (1202, 1105), (1203, 1106)] {
            bench.link(group, member, true);
        }
        let holds = |bench: &Bench| {
            bench.mirror.unsettle();
            [(1105, 513), (1106, 513), (1107, 1202), (1108, 513)]
                .map(|(rid, primary)| bench.position(rid, 0, primary).holder)
        };
        assert_eq!(holds(&bench), [false; 4]);
        bench.holders = vec![domain().with_rid(1201), domain().with_rid(1108)];
        assert_eq!(holds(&bench), [true, false, true, true], "1108 itself is in no row yet");
        bench.holders = vec!["S-1-5-11".parse().unwrap()];
        assert_eq!(holds(&bench), [true; 4], "authenticated users");
        let principal = Object { sid: Some("S-1-5-11".parse().unwrap()), ..Object::unknown(guid(11)) };
        bench.mirror.put(&principal).unwrap();
        bench.link(1202, 11, true);
        bench.holders = vec![domain().with_rid(1201)];
        assert_eq!(holds(&bench), [true; 4], "in a group");
        bench.link(1202, 11, false);
        assert_eq!(holds(&bench), [true, false, true, false]);
    }

    #[test]
    fn of_an_ou_in_an_ou_the_inner_one_counts_and_a_moved_one_takes_its_people_along() {
        let mut bench = Bench::new();
        // 1 is named, 2 in it is left out, 3 in 2 is named again, 4 in 3 is nothing; 5 is elsewhere.
        for (rid, parent) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 0)] {
            bench.put(rid, Kind::Other, parent);
        }
        for rid in [1, 2, 3] {
            bench.mirror.set_entry(&format!("OU={rid}"), guid(rid)).unwrap();
        }
        let nowhere = bench.mirror.position(&Object::unknown(guid(0))).unwrap();
        assert!(nowhere.inside, "the domain's head is in no container");
        let inside = |bench: &Bench| [0, 1, 2, 3, 4, 5].map(|ou| bench.position(1105, ou, 513).inside);
        assert_eq!(inside(&bench), [true; 6], "nothing is named");
        bench.scope.include = vec!["OU=1".to_owned(), "OU=3".to_owned()];
        bench.scope.exclude = vec!["OU=2".to_owned()];
        bench.mirror.unsettle();
        assert_eq!(inside(&bench), [false, true, false, true, true, false]);
        assert!(!bench.mirror.position(&Object::unknown(guid(0))).unwrap().inside);
        bench.put(4, Kind::Other, 2);
        assert_eq!(inside(&bench), [false, true, false, true, false, false]);
        bench.scope.include.clear();
        bench.mirror.unsettle();
        assert_eq!(inside(&bench), [true, true, false, false, false, true], "the domain but OU 2");
        bench.mirror.keep_entries(&bench.scope).unwrap();
        assert_eq!(bench.mirror.entry("OU=1").unwrap(), None);
        assert_eq!(bench.mirror.entry("OU=2").unwrap(), Some(guid(2)));
    }

    #[test]
    fn an_entry_is_the_same_in_every_spelling_and_as_an_earlier_version_stored_it() {
        let bench = Bench::new();
        let typed = "OU=Sales\\2C West, DC=b";
        bench
            .mirror
            .checked(|database| {
                database.execute("INSERT INTO entries VALUES (?1, ?2)", params![typed, guid(7).as_bytes()])
            })
            .unwrap();
        let scope = Scope { include: vec!["ou=\"sales, west\";dc=B".to_owned()], ..Scope::default() };
        bench.mirror.keep_entries(&scope).unwrap();
        for spelling in [typed, "OU=Sales\\, West,DC=b", "OID.2.5.4.11=SALES\\, WEST , dc = b"] {
            assert_eq!(bench.mirror.entry(spelling).unwrap(), Some(guid(7)), "{spelling}");
        }
        bench.mirror.keep_entries(&Scope::default()).unwrap();
        assert_eq!(bench.mirror.entry(typed).unwrap(), None);
    }

    #[test]
    fn an_entry_that_was_never_looked_up_lets_nobody_in() {
        let bench = Bench::new();
        let (domain, scope) = (domain(), Scope { exclude: vec!["OU=1".to_owned()], ..Scope::default() });
        let bounds = Bounds {
            domain: &domain,
            protected: &[],
            holders: &[],
            account: None,
            include: &[],
            scope: &scope,
        };
        let error = bench.mirror.resolve(&bounds).unwrap_err();
        assert!(error.to_string().contains("OU=1"), "{error}");
        bench.mirror.set_entry("OU=1", guid(1)).unwrap();
        bench.mirror.resolve(&bounds).unwrap();
    }

    #[test]
    fn groups_of_the_scope_and_of_passwords_and_policies_reach_through_groups() {
        let mut bench = Bench::new();
        for rid in [1201, 1202, 1203] {
            bench.put(rid, Kind::Group, 0);
        }
        bench.link(1201, 1202, true);
        bench.link(1202, 1105, true);
        bench.link(1203, 1106, true);
        bench.mirror.set_link(Linked::AppliesTo, guid(9), guid(1201), Some(link_stamp(1))).unwrap();
        bench.mirror.set_entry("CN=1201", guid(1201)).unwrap();
        bench.mirror.set_entry("CN=1203", guid(1203)).unwrap();
        let all = bench.position(1107, 0, 513);
        assert!(all.member && all.carries && !all.policy_group);
        bench.scope.groups = vec!["CN=1201".to_owned()];
        bench.scope.password_groups = vec!["CN=1203".to_owned()];
        bench.mirror.unsettle();
        let told = |rid, primary| {
            let place = bench.position(rid, 0, primary);
            (place.member, place.carries, place.policy_group)
        };
        assert_eq!(told(1105, 513), (true, false, true));
        assert_eq!(told(1106, 513), (false, true, false));
        assert_eq!(told(1107, 1202), (true, false, false), "by the primary group");
        assert_eq!(told(1202, 0), (true, false, true), "the group itself");
        bench.scope = Scope { passwords: false, ..Scope::default() };
        bench.mirror.unsettle();
        assert!(!bench.position(1106, 0, 513).carries);
    }
}
