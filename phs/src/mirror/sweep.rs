//! Compares all objects with what was sent to the tenant. After links, containers or rules have changed, this finds the
//! objects that no longer fit. It also counts accounts that would leave, so that the guard can hold them back.
//! Neighbours: [`super::scope`] knows where objects are; `cycle::sweep` corrects what is found.

use super::objects::{COLUMNS, Object, read};
use super::scope::{
    HOLDER, INSIDE, KRBTGT, MACHINES, MEMBER, POLICY_GROUP, PROTECTED, PROTECTED_USER, RESTRICTED, carries,
};
use super::{Mirror, StateError};
use rusqlite::params;
use uuid::Uuid;

/// How many accounts leave the scope, and out of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Accounts at the tenant that are no longer in the scope, or in no group whose passwords are carried.
    pub pending: u64,
    /// Accounts that left lately.
    pub recent: u64,
    /// Accounts at the tenant.
    pub present: u64,
}

/// The tenant has the object, wholly or partly.
pub(super) const THERE: &str = "(o.sent IS NOT NULL AND o.sent IN ('present', 'unsure'))";

/// Privileged by groups, by adminCount, or the built-in administrator; the same rule as `qualify::is_privileged`.
pub(super) fn privileged() -> String {
    format!(
        "((o.admin_count <> 0 OR o.sid = (SELECT administrator FROM temp.bounds) OR {PROTECTED}) \
          AND o.sid NOT IN (SELECT sid FROM temp.named))"
    )
}

/// Never carried: the same rule as `qualify::is_never_carried`.
pub(super) fn never() -> String {
    format!("(o.critical OR {HOLDER})")
}

/// In the scope: the same rule as `qualify::outside`.
fn in_scope() -> String {
    format!(
        "(CASE o.kind WHEN 'group' THEN (NOT o.filtered AND {INSIDE}) OR {POLICY_GROUP} \
                      WHEN 'policy' THEN 1 \
                      ELSE NOT o.filtered AND {INSIDE} AND {MEMBER} END)"
    )
}

/// Its SID is one of the domain's. Built-in groups have another.
pub(super) const OF_THE_DOMAIN: &str =
    "coalesce((SELECT substr(o.sid, 1, length(domain) + 1) = domain || '-' FROM temp.bounds), 0)";

/// Of a machine, a trust or the KDC, although it has the class of a person.
pub(super) fn not_a_person() -> String {
    format!(
        "(o.uac & {MACHINES} <> 0 OR o.krbtgt OR o.kdc_number <> 0 \
          OR o.sid = (SELECT domain FROM temp.bounds) || '-{KRBTGT}')"
    )
}

/// An account of a person in the scope that is not privileged.
pub(super) fn ordinary() -> String {
    let (privileged, in_scope, not_a_person) = (privileged(), in_scope(), not_a_person());
    format!(
        "(o.kind = 'person' AND {in_scope} AND {OF_THE_DOMAIN} AND NOT {not_a_person} AND NOT {privileged})"
    )
}

/// The object is carried: the same rule as `qualify::standing`.
fn belongs() -> String {
    let (ordinary, never, in_scope) = (ordinary(), never(), in_scope());
    format!(
        "({in_scope} AND CASE o.kind \
             WHEN 'person' THEN {ordinary} AND NOT {never} \
             WHEN 'group' THEN {OF_THE_DOMAIN} AND NOT {PROTECTED} ELSE 1 END)"
    )
}

/// Its groups no longer carry its password. If no passwords are carried at all, there is nothing to hold back, and an
/// account that is restricted loses it at once.
fn loses_password() -> String {
    let carries = carries();
    format!(
        "(o.carries AND NOT {carries} AND NOT {RESTRICTED} AND NOT (SELECT no_passwords FROM temp.bounds))"
    )
}

impl Mirror {
    /// Objects after `after`, at most `limit`, whose state at the tenant no longer fits. With `enters`: objects that
    /// enter, or whose password does, and that must be read alone; otherwise all others.
    pub fn misplaced(
        &self,
        enters: bool,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Object>, StateError> {
        let (belongs, carries) = (belongs(), carries());
        let sql = format!(
            "SELECT {COLUMNS} FROM objects o \
             WHERE o.guid > ?1 AND NOT o.deleted AND o.kind IN ('person', 'group', 'contact', 'policy') AND ( \
                 {THERE} <> {belongs} \
                 OR {THERE} AND o.kind = 'person' \
                    AND (o.protected_user <> {PROTECTED_USER} OR o.carries <> {carries})) \
                 AND ?3 = ({belongs} AND (NOT {THERE} OR o.kind = 'person' AND {carries} AND NOT o.carries)) \
             ORDER BY o.guid LIMIT ?2"
        );
        let after = after.map_or_else(Vec::new, |guid| guid.as_bytes().to_vec());
        self.checked(|database| {
            database.prepare_cached(&sql)?.query_map(params![after, limit, enters], read)?.collect()
        })
    }

    /// The containers above the accounts, groups and contacts that the tenant has, up to the domain's head, without those
    /// that the tenant has too. With `cycle`, a full compare: objects that it did not see do not count.
    pub fn lacking_containers(&self, cycle: Option<Uuid>) -> Result<Vec<Uuid>, StateError> {
        // UNION, not UNION ALL: a container that was reached before is not followed again.
        let sql = "WITH RECURSIVE above(guid) AS ( \
                       SELECT parent FROM objects \
                             WHERE sent IN ('present', 'unsure') AND kind <> 'policy' AND parent IS NOT NULL \
                                   AND (?1 IS NULL OR cycle = ?1) \
                       UNION SELECT o.parent FROM objects o JOIN above a ON o.guid = a.guid \
                             WHERE o.kind = 'other' AND NOT o.deleted AND o.parent IS NOT NULL) \
                   SELECT o.guid FROM above a JOIN objects o ON o.guid = a.guid \
                   WHERE o.kind = 'other' AND NOT o.deleted AND o.sent IS NOT 'container' \
                         AND (?1 IS NULL OR o.cycle = ?1) ORDER BY o.guid";
        let cycle = cycle.as_ref().map(Uuid::as_bytes);
        self.checked(|database| {
            let guid = |row: &rusqlite::Row<'_>| Ok(Uuid::from_bytes(row.get(0)?));
            database.prepare_cached(sql)?.query_map([cycle], guid)?.collect()
        })
    }

    /// Forgets which containers the tenant has.
    pub fn forget_sent_containers(&self) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "UPDATE objects SET sent = NULL WHERE kind = 'other' AND sent = 'container'";
            database.execute(sql, []).map(|_| ())
        })
    }

    /// How many accounts leave the scope, or lose their password through a group. Accounts that left before `since`, in
    /// seconds since 1970, are not counted.
    pub fn leaving(&self, since: i64) -> Result<Leaving, StateError> {
        let (privileged, never, in_scope, loses_password) =
            (privileged(), never(), in_scope(), loses_password());
        self.checked(|database| {
            let sql = format!(
                "SELECT count(*), coalesce(sum(NOT {privileged} AND NOT {never} AND (NOT {in_scope} OR {loses_password})), 0) FROM objects o \
                 WHERE o.kind = 'person' AND NOT o.deleted AND {THERE}"
            );
            let (present, pending) =
                database.prepare_cached(&sql)?.query_row([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)))?;
            let sql = "SELECT count(*) FROM objects WHERE kind = 'person' AND sent = 'out-of-scope' AND left_at > ?1";
            let recent: u32 = database.prepare_cached(sql)?.query_row([since], |row| row.get(0))?;
            Ok(Leaving { pending: pending.into(), recent: recent.into(), present: present.into() })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::directory;
    use super::super::{Bounds, Kind, Sent};
    use super::*;
    use crate::fixture::{domain, guid, link_stamp};
    use crate::scope::Scope;
    use landbridge_drsr::drs::change::Linked;

    fn put(mirror: &Mirror, rid: u32, kind: Kind, sent: Option<Sent>, change: impl FnOnce(&mut Object)) {
        let sid = (kind != Kind::Contact).then(|| domain().with_rid(rid));
        let mut object = Object { kind, sid, sent, carries: true, ..Object::unknown(guid(rid)) };
        change(&mut object);
        mirror.put(&object).unwrap();
    }

    fn misplaced(mirror: &Mirror, scope: &Scope) -> Vec<u32> {
        let (domain, protected) = (domain(), [domain().with_rid(512)]);
        let include = [domain.with_rid(1900)];
        mirror.unsettle();
        mirror
            .resolve(&Bounds {
                domain: &domain,
                protected: &protected,
                holders: &[],
                account: None,
                include: &include,
                scope,
            })
            .unwrap();
        let mut found = Vec::new();
        for enters in [false, true] {
            let mut after = None;
            loop {
                let some = mirror.misplaced(enters, after, 2).unwrap();
                let Some(last) = some.last() else { break };
                after = Some(last.guid);
                found.extend(some.iter().map(|object| u32::try_from(object.guid.as_u128()).unwrap()));
            }
        }
        found
    }

    #[test]
    fn whoever_was_told_otherwise_is_found_and_nobody_else() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let present = Some(Sent::Present);
        let same = |_: &mut Object| {};
        put(&mirror, 512, Kind::Group, None, same);
        put(&mirror, 525, Kind::Group, present, same);
        put(&mirror, 500, Kind::Person, present, same);
        put(&mirror, 1101, Kind::Person, present, same);
        put(&mirror, 1102, Kind::Person, present, same);
        put(&mirror, 1103, Kind::Person, Some(Sent::Privileged), same);
        put(&mirror, 1104, Kind::Person, Some(Sent::Privileged), same);
        put(&mirror, 1105, Kind::Person, present, same);
        put(&mirror, 1106, Kind::Person, present, |object| object.admin_count = 1);
        put(&mirror, 1107, Kind::Person, present, |object| object.protected_user = true);
        put(&mirror, 1108, Kind::Person, present, |object| object.carries = false);
        put(&mirror, 1109, Kind::Person, None, |object| object.uac = 0x1000);
        put(&mirror, 1110, Kind::Person, Some(Sent::Deleted), |object| object.deleted = true);
        put(&mirror, 1111, Kind::Person, Some(Sent::Unsure), same);
        put(&mirror, 1112, Kind::Person, Some(Sent::OutOfScope), same);
        put(&mirror, 1116, Kind::Person, Some(Sent::Unsure), |object| object.protected_user = true);
        put(&mirror, 1113, Kind::Contact, None, same);
        put(&mirror, 1117, Kind::Group, None, |object| object.sid = Some("S-1-5-32-545".parse().unwrap()));
        put(&mirror, 1118, Kind::Person, None, |object| object.sid = Some(domain().with_rid(502)));
        put(&mirror, 1119, Kind::Person, None, |object| {
            object.sid = Some("S-1-5-21-1-2-30-1119".parse().unwrap())
        });
        put(&mirror, 1120, Kind::Person, present, |object| object.sid = None);
        put(&mirror, 1114, Kind::Policy, present, same);
        put(&mirror, 1115, Kind::Computer, None, same);
        put(&mirror, 1900, Kind::Person, present, same);
        for (group, member) in [(512, 1101), (512, 1104), (512, 1900), (525, 1105)] {
            mirror.set_link(Linked::Member, guid(group), guid(member), Some(link_stamp(1))).unwrap();
        }
        let all = misplaced(&mirror, &Scope::default());
        assert_eq!(
            all,
            [500, 1101, 1105, 1106, 1107, 1116, 1120, 1103, 1108, 1112, 1113],
            "who enters comes last"
        );
    }

    #[test]
    fn who_would_leave_is_counted_and_who_left_lately() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let parent = |ou| move |object: &mut Object| object.parent = Some(guid(ou));
        put(&mirror, 1, Kind::Other, None, |_| {});
        put(&mirror, 2, Kind::Other, None, |_| {});
        mirror.set_entry("OU=1", guid(1)).unwrap();
        for rid in 1101..1111 {
            put(&mirror, rid, Kind::Person, Some(Sent::Present), parent(if rid < 1104 { 2 } else { 1 }));
        }
        put(&mirror, 1111, Kind::Person, Some(Sent::OutOfScope), |object| object.left_at = Some(50));
        put(&mirror, 1112, Kind::Person, Some(Sent::OutOfScope), |object| object.left_at = Some(20));
        put(&mirror, 1113, Kind::Person, Some(Sent::Present), |object| {
            (object.parent, object.admin_count) = (Some(guid(2)), 1);
        });
        let scope = Scope { include: vec!["OU=1".to_owned()], ..Scope::default() };
        assert_eq!(misplaced(&mirror, &scope), [1101, 1102, 1103, 1113]);
        assert_eq!(mirror.leaving(30).unwrap(), Leaving { pending: 3, recent: 1, present: 11 });
        put(&mirror, 1201, Kind::Group, None, |_| {});
        mirror.set_entry("CN=1201", guid(1201)).unwrap();
        for rid in 1104..1109 {
            mirror.set_link(Linked::Member, guid(1201), guid(rid), Some(link_stamp(1))).unwrap();
        }
        let scope = Scope { password_groups: vec!["CN=1201".to_owned()], ..Scope::default() };
        misplaced(&mirror, &scope);
        assert_eq!(mirror.leaving(30).unwrap().pending, 5, "1101 to 1103, 1109, 1110; 1113 is privileged");
        misplaced(&mirror, &Scope { passwords: false, ..Scope::default() });
        assert_eq!(mirror.leaving(30).unwrap().pending, 0, "nobody mistypes that");
    }
}
