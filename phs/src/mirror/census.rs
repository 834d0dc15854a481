//! Why no account is carried, and of whom the directory has no NT hash: numbers of the people in the mirror.
//! Neighbours: [`super::sweep`] has the rules in SQL; `cycle::empty` and `command::check` put the numbers into words.

use super::scope::{INSIDE, MEMBER};
use super::sweep::{OF_THE_DOMAIN, THERE, never, not_a_person, privileged};
use super::{Mirror, StateError};

/// The people of the domain, and how many of them each rule of the scope leaves out. A person may be left out by several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Accounts of people that are neither privileged nor never carried.
    pub people: u64,
    /// Accounts of people that are privileged or never carried.
    pub held_back: u64,
    /// Of `people`: those that are carried.
    pub carried: u64,
    /// Of `people`: those in quarantine.
    pub quarantined: u64,
    /// Of `people`: those outside the OUs of the scope.
    pub elsewhere: u64,
    /// Of `people`: those in none of the scope's groups.
    pub in_no_group: u64,
    /// Of `people`: those that the attribute filter leaves out.
    pub filtered: u64,
    /// For each term of the filter, of `people`: those that it matches.
    pub matched: Vec<u64>,
}

/// The same condition as the index of that name.
const WITHOUT_HASH: &str = "kind = 'person' AND sent = 'present' AND carries AND password IS NULL AND NOT deleted \
                            AND uac & 2 = 0";

impl Mirror {
    /// Counts the people. `terms`: number of terms of the attribute filter. [`Mirror::resolve`] must have been called.
    /// Walks the table.
    pub fn census(&self, terms: usize) -> Result<Census, StateError> {
        let matched: String = (0..terms.min(32))
            .map(|bit| format!(", coalesce(sum(person AND o.terms & (1 << {bit}) <> 0), 0)"))
            .collect();
        let (privileged, never, not_a_person) = (privileged(), never(), not_a_person());
        let sql = format!(
            "SELECT coalesce(sum(person), 0), coalesce(sum(NOT person), 0), coalesce(sum(person AND {THERE}), 0), \
                    coalesce(sum(person AND o.guid IN (SELECT guid FROM flaws WHERE quarantine)), 0), \
                    coalesce(sum(person AND NOT {INSIDE}), 0), coalesce(sum(person AND NOT {MEMBER}), 0), \
                    coalesce(sum(person AND o.filtered), 0){matched} \
             FROM (SELECT *, NOT {privileged} AND NOT {never} AS person FROM objects o \
                   WHERE o.kind = 'person' AND NOT o.deleted AND {OF_THE_DOMAIN} AND NOT {not_a_person}) o"
        );
        self.checked(|database| {
            database.prepare_cached(&sql)?.query_row([], |row| {
                let number = |column| row.get::<_, u32>(column).map(u64::from);
                Ok(Census {
                    people: number(0)?,
                    held_back: number(1)?,
                    carried: number(2)?,
                    quarantined: number(3)?,
                    elsewhere: number(4)?,
                    in_no_group: number(5)?,
                    filtered: number(6)?,
                    matched: (7..7 + terms.min(32)).map(number).collect::<Result<_, _>>()?,
                })
            })
        })
    }

    /// Whether the tenant has any account of a person.
    pub fn carries_anybody(&self) -> Result<bool, StateError> {
        self.checked(|database| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM objects o WHERE o.kind = 'person' AND NOT o.deleted AND {THERE})"
            );
            database.prepare_cached(&sql)?.query_row([], |row| row.get(0))
        })
    }

    /// Enabled people whose password is carried and of whom the directory has no NT hash.
    pub fn count_without_hash(&self) -> Result<u64, StateError> {
        self.checked(|database| {
            let sql = format!("SELECT count(*) FROM objects WHERE {WITHOUT_HASH}");
            database.prepare_cached(&sql)?.query_row([], |row| row.get::<_, u32>(0).map(u64::from))
        })
    }

    /// Their names, at most `limit`.
    pub fn without_hash(&self, limit: usize) -> Result<Vec<String>, StateError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.checked(|database| {
            let sql = format!(
                "SELECT coalesce(upn, sam, rdn, lower(hex(guid))) FROM objects WHERE {WITHOUT_HASH} \
                 ORDER BY guid LIMIT ?1"
            );
            database.prepare_cached(&sql)?.query_map([limit], |row| row.get(0))?.collect()
        })
    }

    /// Whether the password of any person was delivered.
    pub fn has_any_hash(&self) -> Result<bool, StateError> {
        self.checked(|database| {
            let sql = "SELECT EXISTS (SELECT 1 FROM objects WHERE kind = 'person' AND password IS NOT NULL)";
            database.prepare_cached(sql)?.query_row([], |row| row.get(0))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::directory;
    use super::super::{Bounds, Kind, Object, Sent};
    use super::*;
    use crate::fixture::{domain, guid, stamp};
    use crate::scope::Scope;

    fn put(mirror: &Mirror, rid: u32, change: impl FnOnce(&mut Object)) {
        let sid = Some(domain().with_rid(rid));
        let mut object =
            Object { kind: Kind::Person, sid, parent: Some(guid(2)), ..Object::unknown(guid(rid)) };
        change(&mut object);
        mirror.put(&object).unwrap();
    }

    fn resolve(mirror: &Mirror, scope: &Scope) {
        let (domain, protected) = (domain(), [domain().with_rid(512)]);
        let bounds = Bounds {
            domain: &domain,
            protected: &protected,
            holders: &[],
            account: None,
            include: &[],
            scope,
        };
        mirror.unsettle();
        mirror.resolve(&bounds).unwrap();
    }

    #[test]
    fn each_rule_is_counted_by_itself_and_only_people_who_could_be_carried_count() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        put(&mirror, 1101, |_| {});
        put(&mirror, 1102, |object| (object.terms, object.filtered) = (0b01, true));
        put(&mirror, 1103, |object| (object.terms, object.sent) = (0b11, Some(Sent::Present)));
        put(&mirror, 1104, |object| object.parent = Some(guid(1)));
        put(&mirror, 1105, |object| object.admin_count = 1);
        put(&mirror, 1106, |object| object.critical = true);
        put(&mirror, 1107, |object| object.uac = 0x1000);
        put(&mirror, 1108, |object| object.deleted = true);
        put(&mirror, 1109, |object| object.sid = Some("S-1-5-32-544".parse().unwrap()));
        mirror.set_entry("OU=1", guid(1)).unwrap();
        mirror.set_entry("CN=1201", guid(1201)).unwrap();
        mirror.quarantine(guid(1101), super::super::Named::default(), "", "it has no name", 1).unwrap();
        resolve(&mirror, &Scope::default());
        let all = Census {
            people: 4,
            held_back: 2,
            carried: 1,
            quarantined: 1,
            filtered: 1,
            matched: vec![2, 1],
            ..Census::default()
        };
        assert_eq!(mirror.census(2).unwrap(), all);
        assert!(mirror.carries_anybody().unwrap());
        let (include, groups) = (vec!["OU=1".to_owned()], vec!["CN=1201".to_owned()]);
        resolve(&mirror, &Scope { include, groups, ..Scope::default() });
        assert_eq!(mirror.census(2).unwrap(), Census { elsewhere: 3, in_no_group: 4, ..all });
    }

    #[test]
    fn people_without_a_hash_are_enabled_carried_and_not_held_back() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let present = |object: &mut Object| (object.sent, object.carries) = (Some(Sent::Present), true);
        put(&mirror, 1101, |object| {
            present(object);
            object.upn = Some("ada@b.example".to_owned());
        });
        put(&mirror, 1102, |object| {
            present(object);
            object.uac = 0x202;
        });
        put(&mirror, 1103, |object| object.sent = Some(Sent::Present));
        put(&mirror, 1104, |object| (object.sent, object.carries) = (Some(Sent::Unsure), true));
        put(&mirror, 1105, |object| object.carries = true);
        assert_eq!((mirror.count_without_hash().unwrap(), mirror.has_any_hash().unwrap()), (1, false));
        put(&mirror, 1106, |object| {
            present(object);
            object.password = Some(stamp(1));
        });
        assert_eq!((mirror.count_without_hash().unwrap(), mirror.has_any_hash().unwrap()), (1, true));
        assert_eq!(mirror.without_hash(9).unwrap(), ["ada@b.example"]);
        let plan: Vec<String> = mirror
            .checked(|database| {
                let sql = format!("EXPLAIN QUERY PLAN SELECT count(*) FROM objects WHERE {WITHOUT_HASH}");
                database.prepare(&sql)?.query_map([], |row| row.get(3))?.collect()
            })
            .unwrap();
        assert!(plan.iter().any(|step| step.contains("objects_without_hash")), "{plan:?}");
    }
}
