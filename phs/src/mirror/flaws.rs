//! The one list of what cannot be read or carried of the directory as it is: objects in quarantine, and attributes and
//! links that are left out while their object is carried. It is for people: nothing is decided by it.
//! Neighbours: `qualify` and `cycle::courier` write it; `once`, `status`, `check` and `explain` show it.

use super::{Mirror, StateError};
use landbridge_host::clock_text;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// One flaw of an object, for a person to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// objectGUID.
    pub object: Uuid,
    /// How a person knows the object: userPrincipalName, sAMAccountName or cn; else the objectGUID.
    pub name: String,
    /// Its distinguished name, as it was last read; empty: it was not readable.
    pub dn: String,
    /// lDAPDisplayName of the attribute; empty: the object as a whole, or one of its links.
    pub attribute: String,
    /// Why. With an attribute it completes a sentence that begins with the attribute's name. Never repeats a value.
    pub why: String,
    /// Since when: seconds since 1970.
    pub since: i64,
    /// Whether the object is in quarantine: it is not carried, and has no digest at the tenant. Otherwise the object is
    /// carried without the attribute or link, and sign-in works.
    pub quarantine: bool,
    /// What to do.
    pub todo: String,
}

/// Number of flaws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlawCounts {
    /// Objects in quarantine.
    pub quarantined: u64,
    /// Attributes and links that are left out of objects that are carried.
    pub left_out: u64,
}

/// What a person knows an object by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// Distinguished name; empty: not known.
    pub dn: &'a str,
    /// sAMAccountName, where the mirror may not have the object.
    pub sam: Option<&'a str>,
    /// userPrincipalName, where the mirror may not have the object.
    pub upn: Option<&'a str>,
}

impl Flaw {
    /// What to do about a flaw.
    pub fn todo(quarantine: bool) -> &'static str {
        if quarantine {
            "mend it in the directory. Until then the object is not carried, and nobody signs in with its digest"
        } else {
            "mend it in the directory. All else of the object is carried, and sign-in works"
        }
    }

    /// Attribute and reason as a sentence.
    pub fn reason(&self) -> String {
        format!("{} {}", self.attribute, self.why).trim_start().to_owned()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, dn, object, .. } = self;
        let place = if dn.is_empty() { object.to_string() } else { dn.clone() };
        let word = if self.quarantine { "in quarantine" } else { "left out" };
        let (reason, since) = (self.reason(), clock_text::utc(self.since));
        write!(f, "{name} ({place}): {word} since {since}: {reason}; to do: {}", self.todo)
    }
}

const COLUMNS: &str = "f.guid, coalesce(o.upn, o.sam, f.upn, f.sam, o.rdn), f.dn, f.attribute, f.why, f.since, f.quarantine \
                       FROM flaws f LEFT JOIN objects o ON o.guid = f.guid";

fn read(row: &Row<'_>) -> rusqlite::Result<Flaw> {
    let object = Uuid::from_bytes(row.get(0)?);
    let quarantine = row.get(6)?;
    Ok(Flaw {
        object,
        name: row.get::<_, Option<String>>(1)?.unwrap_or_else(|| object.to_string()),
        dn: row.get(2)?,
        attribute: row.get(3)?,
        why: row.get(4)?,
        since: row.get(5)?,
        quarantine,
        todo: Flaw::todo(quarantine).to_owned(),
    })
}

impl Mirror {
    /// Notes that an object is in quarantine. `attribute` is empty if it is not about one.
    pub fn quarantine(
        &self,
        guid: Uuid,
        named: Named<'_>,
        attribute: &str,
        why: &str,
        now: i64,
    ) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "DELETE FROM flaws WHERE guid = ?1 AND attribute <> ?2 AND quarantine";
            database.prepare_cached(sql)?.execute(params![guid.as_bytes(), attribute]).map(|_| ())
        })?;
        self.note(guid, named, (attribute, true), why, now)
    }

    /// Notes that an attribute of an object that is carried is left out; with an empty attribute, one of its links.
    pub fn leave_out(
        &self,
        guid: Uuid,
        named: Named<'_>,
        attribute: &str,
        why: &str,
        now: i64,
    ) -> Result<(), StateError> {
        self.note(guid, named, (attribute, false), why, now)
    }

    /// A flaw that is there already keeps the time since when.
    fn note(
        &self,
        guid: Uuid,
        named: Named<'_>,
        (attribute, quarantine): (&str, bool),
        why: &str,
        now: i64,
    ) -> Result<(), StateError> {
        self.checked(|database| {
            let sql = "INSERT INTO flaws (guid, attribute, dn, sam, upn, why, quarantine, since, seen) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) \
                       ON CONFLICT (guid, attribute) DO UPDATE SET \
                           dn = CASE excluded.dn WHEN '' THEN dn ELSE excluded.dn END, \
                           sam = coalesce(excluded.sam, sam), upn = coalesce(excluded.upn, upn), \
                           why = excluded.why, quarantine = excluded.quarantine, seen = excluded.seen";
            let Named { dn, sam, upn } = named;
            database
                .prepare_cached(sql)?
                .execute(params![guid.as_bytes(), attribute, dn, sam, upn, why, quarantine, now])
                .map(|_| ())
        })
    }

    /// The object is no longer in quarantine.
    pub fn release(&self, guid: Uuid) -> Result<(), StateError> {
        self.delete_flaws("guid = ?1 AND quarantine", params![guid.as_bytes()])
    }

    /// The attribute can be carried again; with an empty attribute, all links.
    pub fn clear_attribute(&self, guid: Uuid, attribute: &str) -> Result<(), StateError> {
        self.delete_flaws(
            "guid = ?1 AND attribute = ?2 AND NOT quarantine",
            params![guid.as_bytes(), attribute],
        )
    }

    /// The object is not carried any more, so nothing of it is left out.
    pub fn clear_left_out(&self, guid: Uuid) -> Result<(), StateError> {
        self.delete_flaws("guid = ?1 AND NOT quarantine", params![guid.as_bytes()])
    }

    /// A full compare that began at `now` is complete: what it did not find again is over.
    pub fn forget_flaws_before(&self, now: i64) -> Result<(), StateError> {
        self.delete_flaws("seen < ?1", params![now])
    }

    fn delete_flaws(&self, of: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), StateError> {
        self.checked(|database| {
            database.prepare_cached(&format!("DELETE FROM flaws WHERE {of}"))?.execute(values).map(|_| ())
        })
    }

    /// The flaws, those of objects in quarantine first and then the oldest, at most `limit`.
    pub fn flaws(&self, limit: usize) -> Result<Vec<Flaw>, StateError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.checked(|database| {
            let sql =
                format!("SELECT {COLUMNS} ORDER BY f.quarantine DESC, f.since, f.guid, f.attribute LIMIT ?1");
            database.prepare_cached(&sql)?.query_map([limit], read)?.collect()
        })
    }

    /// The flaws of one object.
    pub fn flaws_of(&self, guid: Uuid) -> Result<Vec<Flaw>, StateError> {
        self.checked(|database| {
            let sql = format!("SELECT {COLUMNS} WHERE f.guid = ?1 ORDER BY f.attribute");
            database.prepare_cached(&sql)?.query_map([guid.as_bytes()], read)?.collect()
        })
    }

    /// How many flaws there are.
    pub fn count_flaws(&self) -> Result<FlawCounts, StateError> {
        self.checked(|database| {
            let sql = "SELECT count(DISTINCT CASE WHEN quarantine THEN guid END), coalesce(sum(NOT quarantine), 0) \
                       FROM flaws";
            database.prepare_cached(sql)?.query_row([], |row| {
                Ok(FlawCounts {
                    quarantined: row.get::<_, u32>(0)?.into(),
                    left_out: row.get::<_, u32>(1)?.into(),
                })
            })
        })
    }

    /// An object with a flaw of which nothing else may be known here, by the sAMAccountName (with or without a domain in
    /// front), userPrincipalName or distinguished name that could be read. Walks the list: for a person who looks.
    pub fn flawed(&self, who: &str) -> Result<Option<Uuid>, StateError> {
        let sam = who.rsplit_once('\\').map_or(who, |(_, sam)| sam).to_lowercase();
        let who = who.to_lowercase();
        let is = |name: Option<String>, wanted: &str| name.is_some_and(|name| name.to_lowercase() == wanted);
        self.checked(|database| {
            let mut query = database.prepare("SELECT guid, sam, upn, dn FROM flaws ORDER BY since, guid")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                if is(row.get(1)?, &sam) || is(row.get(2)?, &who) || is(row.get(3)?, &who) {
                    return Ok(Some(Uuid::from_bytes(row.get(0)?)));
                }
            }
            Ok(None)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::tests::directory;
    use super::super::{Kind, Object};
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn named(dn: &str) -> Named<'_> {
        Named { dn, ..Named::default() }
    }

    #[test]
    fn a_flaw_is_listed_with_name_place_attribute_reason_time_and_what_to_do() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let known =
            Object { kind: Kind::Person, upn: Some("ada@b.example".to_owned()), ..Object::unknown(ONE) };
        mirror.put(&known).unwrap();
        mirror.leave_out(ONE, named("CN=Ada,DC=b"), "title", "has half a character", 60).unwrap();
        let eve = Named { dn: "CN=Eve,DC=b", sam: Some("eve"), upn: None };
        mirror.quarantine(TWO, eve, "pwdLastSet", "has a value of the wrong length", 120).unwrap();
        let lines: Vec<String> = mirror.flaws(10).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "eve (CN=Eve,DC=b): in quarantine since 1970-01-01 00:02:00Z: pwdLastSet has a value of the wrong length; \
                 to do: mend it in the directory. Until then the object is not carried, and nobody signs in with its digest",
                "ada@b.example (CN=Ada,DC=b): left out since 1970-01-01 00:01:00Z: title has half a character; to do: \
                 mend it in the directory. All else of the object is carried, and sign-in works",
            ]
        );
        assert_eq!(mirror.count_flaws().unwrap(), FlawCounts { quarantined: 1, left_out: 1 });
        assert_eq!(mirror.flaws(1).unwrap().len(), 1);
        for who in ["EVE", "B\\eve", "cn=eve,dc=b"] {
            assert_eq!(mirror.flawed(who).unwrap(), Some(TWO), "{who}");
        }
        assert_eq!(mirror.flawed("nobody").unwrap(), None);
    }

    #[test]
    fn a_flaw_keeps_its_time_until_it_is_over_and_one_object_counts_once() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        mirror.quarantine(ONE, named("CN=a"), "", "it has no name", 10).unwrap();
        mirror.quarantine(ONE, named(""), "", "its SID is not one", 20).unwrap();
        let told = |mirror: &Mirror| {
            let flaws = mirror.flaws_of(ONE).unwrap();
            flaws.into_iter().map(|f| (f.attribute, f.why, f.since, f.dn)).collect::<Vec<_>>()
        };
        assert_eq!(told(&mirror), [(String::new(), "its SID is not one".to_owned(), 10, "CN=a".to_owned())]);
        mirror.quarantine(ONE, named(""), "adminCount", "is odd", 30).unwrap();
        assert_eq!(told(&mirror).len(), 1, "another reason takes the place of the first");
        mirror.leave_out(ONE, named(""), "title", "is odd", 30).unwrap();
        mirror.leave_out(ONE, named(""), "mail", "is odd", 31).unwrap();
        assert_eq!(mirror.count_flaws().unwrap(), FlawCounts { quarantined: 1, left_out: 2 });
        mirror.release(ONE).unwrap();
        mirror.clear_attribute(ONE, "mail").unwrap();
        assert_eq!(told(&mirror).len(), 1);
        mirror.quarantine(TWO, named(""), "", "it has no name", 40).unwrap();
        mirror.forget_flaws_before(40).unwrap();
        assert_eq!(mirror.flaws(9).unwrap().iter().map(|flaw| flaw.object).collect::<Vec<_>>(), [TWO]);
        mirror.leave_out(TWO, named(""), "title", "is odd", 41).unwrap();
        mirror.clear_left_out(TWO).unwrap();
        assert_eq!(mirror.count_flaws().unwrap(), FlawCounts { quarantined: 1, left_out: 0 });
    }
}
