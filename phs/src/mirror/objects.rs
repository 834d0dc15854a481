//! A row of the mirror: of one object, what qualifying needs and what was sent of it. No secret.
//! Neighbours: `qualify` reads and writes rows; `groups` joins them with the links.

use super::{Mirror, StateError};
use landbridge_drsr::drs::change::Stamp;
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::names::{of_sam_at, of_upn};
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

/// The kind of an object, as far as qualifying needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// user or inetOrgPerson, and no computer.
    Person,
    /// group.
    Group,
    /// contact.
    Contact,
    /// msDS-PasswordSettings.
    Policy,
    /// computer, and the managed service accounts that derive from it.
    Computer,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether objects of this kind have sign-in names in AD: users, computers and managed service accounts.
    pub fn has_names(self) -> bool {
        match self {
            Self::Person | Self::Computer => true,
            Self::Group | Self::Contact | Self::Policy | Self::Other => false,
        }
    }

    /// The text in the mirror.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Group => "group",
            Self::Contact => "contact",
            Self::Policy => "policy",
            Self::Computer => "computer",
            Self::Other => "other",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Person, Self::Group, Self::Contact, Self::Policy, Self::Computer, Self::Other]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What was last sent of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is carried.
    Present,
    /// It was deleted.
    Deleted,
    /// It is privileged.
    Privileged,
    /// It left the scope, or is no longer of a kind that is carried.
    OutOfScope,
    /// The tenant does not have all of it: it was refused, or is in quarantine. The next change sends it whole.
    Unsure,
    /// It is carried as a container that carried objects are in.
    Container,
}

impl Sent {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Deleted => "deleted",
            Self::Privileged => "privileged",
            Self::OutOfScope => "out-of-scope",
            Self::Unsure => "unsure",
            Self::Container => "container",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Present, Self::Deleted, Self::Privileged, Self::OutOfScope, Self::Unsure, Self::Container]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// objectGUID.
    pub guid: Uuid,
    /// The container's objectGUID.
    pub parent: Option<Uuid>,
    /// The RDN's value.
    pub rdn: Option<String>,
    /// Of [`Kind::Other`]: the type of the RDN, such as `OU`.
    pub rdn_type: Option<String>,
    /// Of [`Kind::Other`]: the stamp of the RDN's value. AD writes it when the object is renamed or moved.
    pub named: Option<Stamp>,
    /// Its kind.
    pub kind: Kind,
    /// objectSid.
    pub sid: Option<Sid>,
    /// sAMAccountName.
    pub sam: Option<String>,
    /// userPrincipalName.
    pub upn: Option<String>,
    /// dNSHostName.
    pub host: Option<String>,
    /// userAccountControl; 0 when it has none.
    pub uac: i32,
    /// adminCount; 0 when it has none.
    pub admin_count: i32,
    /// primaryGroupID, a RID; 0 when it has none.
    pub primary_group: i32,
    /// Whether its name is that of one of the KDC's own accounts.
    pub krbtgt: bool,
    /// Number of the read-only DC whose ticket-granting account it is; 0: none.
    pub kdc_number: i32,
    /// Whether AD marks it as one that the directory itself needs.
    pub critical: bool,
    /// Whether the account may log on to some computers only (userWorkstations).
    pub workstations: bool,
    /// It is a tombstone.
    pub deleted: bool,
    /// Which terms of the scope's filter hold: see [`crate::scope::Scope::learn`].
    pub terms: u32,
    /// Whether the filter excludes it.
    pub filtered: bool,
    /// What was last sent; none if nothing was.
    pub sent: Option<Sent>,
    /// When something was last sent: seconds since 1970.
    pub told_at: Option<i64>,
    /// When it left the scope: seconds since 1970.
    pub left_at: Option<i64>,
    /// Whether it was in Protected Users when it was last sent.
    pub protected_user: bool,
    /// Whether its password was carried when it was last sent.
    pub carries: bool,
    /// Stamp of the password that the tenant holds.
    pub password: Option<Stamp>,
    /// When that password was sent: seconds since 1970.
    pub password_at: Option<i64>,
    /// The last full compare that saw it.
    pub cycle: Option<Uuid>,
}

impl Object {
    /// An object of which nothing is known but that it is.
    pub fn unknown(guid: Uuid) -> Self {
        Self {
            guid,
            parent: None,
            rdn: None,
            rdn_type: None,
            named: None,
            kind: Kind::Other,
            sid: None,
            sam: None,
            upn: None,
            host: None,
            uac: 0,
            admin_count: 0,
            primary_group: 0,
            krbtgt: false,
            kdc_number: 0,
            critical: false,
            workstations: false,
            deleted: false,
            terms: 0,
            filtered: false,
            sent: None,
            told_at: None,
            left_at: None,
            protected_user: false,
            carries: false,
            password: None,
            password_at: None,
            cycle: None,
        }
    }
}

impl Object {
    /// How a person knows it: the name to sign in with, or whatever else there is.
    pub fn label(&self) -> String {
        let name = self.upn.as_ref().or(self.sam.as_ref()).or(self.rdn.as_ref());
        name.cloned().unwrap_or_else(|| self.guid.to_string())
    }
}

pub(super) const COLUMNS: &str = "o.guid, o.parent, o.rdn, o.kind, o.sid, o.uac, o.admin_count, o.primary_group, \
                                  o.krbtgt, o.deleted, o.sent, o.protected_user, o.password, o.cycle, o.sam, o.upn, \
                                  o.terms, o.filtered, o.told_at, o.left_at, o.carries, o.password_at, o.host, \
                                  o.kdc_number, o.critical, o.workstations, o.rdn_type, o.named";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Object> {
    let uuid = |column| -> rusqlite::Result<Option<Uuid>> {
        Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
    };
    let odd = |column: usize| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            "not one of ours".into(),
        )
    };
    let kind: String = row.get(3)?;
    let sid: Option<String> = row.get(4)?;
    let sent: Option<String> = row.get(10)?;
    Ok(Object {
        guid: uuid(0)?.ok_or_else(|| odd(0))?,
        parent: uuid(1)?,
        rdn: row.get(2)?,
        kind: Kind::parse(&kind).ok_or_else(|| odd(3))?,
        sid: sid.map(|text| text.parse().map_err(|_| odd(4))).transpose()?,
        uac: row.get(5)?,
        admin_count: row.get(6)?,
        primary_group: row.get(7)?,
        krbtgt: row.get(8)?,
        deleted: row.get(9)?,
        sent: sent.map(|text| Sent::parse(&text).ok_or_else(|| odd(10))).transpose()?,
        protected_user: row.get(11)?,
        password: row.get::<_, Option<[u8; 28]>>(12)?.map(stamp_from_bytes),
        cycle: uuid(13)?,
        sam: row.get(14)?,
        upn: row.get(15)?,
        terms: row.get(16)?,
        filtered: row.get(17)?,
        told_at: row.get(18)?,
        left_at: row.get(19)?,
        carries: row.get(20)?,
        password_at: row.get(21)?,
        host: row.get(22)?,
        kdc_number: row.get(23)?,
        critical: row.get(24)?,
        workstations: row.get(25)?,
        rdn_type: row.get(26)?,
        named: row.get::<_, Option<[u8; 28]>>(27)?.map(stamp_from_bytes),
    })
}

impl Mirror {
    /// What is known of an object.
    pub fn object(&self, guid: Uuid) -> Result<Option<Object>, StateError> {
        self.checked(|database| {
            let mut query =
                database.prepare_cached(&format!("SELECT {COLUMNS} FROM objects o WHERE guid = ?1"))?;
            query.query_row([guid.as_bytes()], read).optional()
        })
    }

    /// The object of that sAMAccountName (with or without a domain in front), userPrincipalName, objectGUID or
    /// objectSid. Walks the table: for a person who asks.
    pub fn named(&self, who: &str) -> Result<Option<Object>, StateError> {
        if let Ok(guid) = Uuid::parse_str(who) {
            return self.object(guid);
        }
        let sam = who.rsplit_once('\\').map_or(who, |(_, sam)| sam).to_lowercase();
        self.checked(|database| {
            let sql = format!(
                "SELECT {COLUMNS} FROM objects o WHERE o.sid IS NOT NULL OR o.kind = 'contact' ORDER BY o.deleted"
            );
            let mut query = database.prepare(&sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let object = read(row)?;
                let is = |name: &Option<String>, wanted: &str| {
                    name.as_ref().is_some_and(|name| name.to_lowercase() == wanted)
                };
                if is(&object.sam, &sam)
                    || is(&object.upn, &who.to_lowercase())
                    || object.sid.as_ref().is_some_and(|sid| sid.to_string() == who)
                {
                    return Ok(Some(object));
                }
            }
            Ok(None)
        })
    }

    /// The names of people whose primary group has this RID.
    pub fn people_of_primary_group(&self, rid: u32) -> Result<Vec<String>, StateError> {
        self.checked(|database| {
            let mut query = database.prepare_cached(
                "SELECT coalesce(upn, sam, rdn) FROM objects \
                 WHERE kind = 'person' AND primary_group = ?1 AND NOT deleted ORDER BY 1",
            )?;
            let rows = query.query_map([rid], |row| row.get::<_, Option<String>>(0))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        })
    }

    /// Other accounts, carried or not, that have a name of the form `user@domain` of this account, at most `limit`; each
    /// with the name, folded as the tenant does. `domain` is the domain's DNS name. Walks the table: for a person who
    /// asks. Further sign-in names are not known here.
    pub fn namesakes(
        &self,
        object: &Object,
        domain: &str,
        limit: usize,
    ) -> Result<Vec<(String, Object)>, StateError> {
        let names = |object: &Object| -> Vec<String> {
            let sam = object.sam.as_ref().and_then(|sam| of_sam_at(sam, domain));
            object.upn.as_ref().and_then(|upn| of_upn(upn)).into_iter().chain(sam).collect()
        };
        let wanted = names(object);
        self.checked(|database| {
            let sql = format!(
                "SELECT {COLUMNS} FROM objects o \
                 WHERE o.kind IN ('person', 'computer') AND NOT o.deleted AND o.guid <> ?1 ORDER BY o.guid"
            );
            let mut query = database.prepare(&sql)?;
            let mut rows = query.query([object.guid.as_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let other = read(row)?;
                if let Some(name) = names(&other).into_iter().find(|name| wanted.contains(name)) {
                    found.push((name, other));
                    if found.len() >= limit {
                        break;
                    }
                }
            }
            Ok(found)
        })
    }

    /// The DNS names of the domain's controllers, in lower case: computers whose account has SERVER_TRUST_ACCOUNT
    /// (MS-ADTS 2.2.16), which only an administrator of the domain can give.
    pub fn controllers(&self) -> Result<Vec<String>, StateError> {
        self.checked(|database| {
            let mut query = database.prepare_cached(
                "SELECT lower(host) FROM objects \
                 WHERE kind = 'computer' AND uac & 8192 <> 0 AND NOT deleted AND host IS NOT NULL",
            )?;
            query.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Remembers an object as it is now.
    pub fn put(&self, object: &Object) -> Result<(), StateError> {
        match object.kind {
            // Places and groups are looked up through these, by nothing else of them.
            Kind::Group | Kind::Policy | Kind::Other => {
                let hangs_on = |o: &Object| (o.parent, o.deleted, o.kind, o.sid.clone());
                let known = self.object(object.guid)?;
                if known.as_ref().map(hangs_on) != Some(hangs_on(object)) {
                    self.unresolved.set(true);
                }
            }
            Kind::Person | Kind::Contact | Kind::Computer => {}
        }
        self.checked(|database| {
            let mut insert = database.prepare_cached(
                "INSERT OR REPLACE INTO objects (guid, parent, rdn, kind, sid, uac, admin_count, primary_group, krbtgt, \
                 deleted, sent, protected_user, password, cycle, sam, upn, terms, filtered, told_at, left_at, carries, \
                 password_at, host, kdc_number, critical, workstations, rdn_type, named) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
                 ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
            )?;
            insert.execute(params![
                object.guid.as_bytes(),
                object.parent.as_ref().map(Uuid::as_bytes),
                object.rdn,
                object.kind.as_str(),
                object.sid.as_ref().map(ToString::to_string),
                object.uac,
                object.admin_count,
                object.primary_group,
                object.krbtgt,
                object.deleted,
                object.sent.map(Sent::as_str),
                object.protected_user,
                object.password.map(stamp_to_bytes),
                object.cycle.as_ref().map(Uuid::as_bytes),
                object.sam,
                object.upn,
                object.terms,
                object.filtered,
                object.told_at,
                object.left_at,
                object.carries,
                object.password_at,
                object.host,
                object.kdc_number,
                object.critical,
                object.workstations,
                object.rdn_type,
                object.named.map(stamp_to_bytes),
            ])?;
            Ok(())
        })
    }
}

pub(super) fn stamp_to_bytes(stamp: Stamp) -> [u8; 28] {
    let mut bytes = [0; 28];
    let parts = stamp.version.to_be_bytes().into_iter().chain(stamp.time.to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(parts.chain(*stamp.invocation_id.as_bytes())) {
        *to = from;
    }
    bytes
}

pub(super) fn stamp_from_bytes(bytes: [u8; 28]) -> Stamp {
    let mut version = [0; 4];
    let mut time = [0; 8];
    let mut id = [0; 16];
    let parts = version.iter_mut().chain(&mut time).chain(&mut id);
    for (to, from) in parts.zip(bytes) {
        *to = from;
    }
    Stamp {
        version: u32::from_be_bytes(version),
        time: u64::from_be_bytes(time),
        invocation_id: Uuid::from_bytes(id),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::directory;
    use super::*;

    #[test]
    fn an_object_reads_back_as_it_was_put() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let object = Object {
            guid: Uuid::from_u128(5),
            parent: Some(Uuid::from_u128(4)),
            rdn: Some("Zoë".to_owned()),
            rdn_type: Some("CN".to_owned()),
            named: Some(Stamp { version: 2, time: 7, invocation_id: Uuid::from_u128(3) }),
            kind: Kind::Person,
            sid: Some("S-1-5-21-1-2-3-1105".parse().unwrap()),
            uac: -1,
            admin_count: 1,
            primary_group: 513,
            krbtgt: true,
            kdc_number: 7,
            critical: true,
            workstations: true,
            deleted: true,
            sam: Some("zoe".to_owned()),
            upn: Some("zoë@example.com".to_owned()),
            host: Some("zoe.corp.example.com".to_owned()),
            terms: u32::MAX,
            filtered: true,
            sent: Some(Sent::OutOfScope),
            told_at: Some(7),
            left_at: Some(8),
            protected_user: true,
            carries: true,
            password_at: Some(9),
            password: Some(Stamp { version: 3, time: u64::MAX >> 1, invocation_id: Uuid::from_u128(9) }),
            cycle: Some(Uuid::from_u128(6)),
        };
        mirror.put(&object).unwrap();
        assert_eq!(mirror.object(object.guid).unwrap(), Some(object));
        let unknown = Object::unknown(Uuid::from_u128(8));
        mirror.put(&unknown).unwrap();
        assert_eq!(mirror.object(unknown.guid).unwrap(), Some(unknown));
    }

    #[test]
    fn a_namesake_has_the_name_in_whatever_case_and_attribute_and_is_not_deleted() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let put = |number: u128, kind, sam: &str, upn: Option<&str>, deleted| {
            let (sam, upn) = (Some(sam.to_owned()), upn.map(str::to_owned));
            let object = Object { kind, sam, upn, deleted, ..Object::unknown(Uuid::from_u128(number)) };
            mirror.put(&object).unwrap();
            object
        };
        let administrator = put(1, Kind::Person, "Administrator", None, false);
        put(2, Kind::Person, "eve", Some("ADMINISTRATOR@corp.example.com"), false);
        put(3, Kind::Person, "gone", Some("administrator@corp.example.com"), true);
        put(4, Kind::Person, "ada", Some("administrator@corp.example.net"), false);
        put(5, Kind::Group, "administrator", None, false);
        let computer = put(6, Kind::Computer, "pc$", Some("eve@corp.example.com"), false);
        let namesakes = |object| {
            let found = mirror.namesakes(object, "Corp.Example.com", 10).unwrap();
            found.into_iter().map(|(name, other)| (name, other.guid.as_u128())).collect::<Vec<_>>()
        };
        assert_eq!(namesakes(&administrator), [("administrator@corp.example.com".to_owned(), 2)]);
        assert_eq!(namesakes(&computer), [("eve@corp.example.com".to_owned(), 2)]);
    }

    #[test]
    fn only_accounts_of_domain_controllers_name_one() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let put = |number: u128, kind, uac, host: Option<&str>, deleted| {
            let host = host.map(str::to_owned);
            mirror
                .put(&Object { kind, uac, host, deleted, ..Object::unknown(Uuid::from_u128(number)) })
                .unwrap();
        };
        put(1, Kind::Computer, 0x0008_2000, Some("DC1.corp.example.com"), false);
        put(2, Kind::Computer, 0x1000, Some("member.corp.example.com"), false);
        put(3, Kind::Computer, 0x2000, Some("old.corp.example.com"), true);
        put(4, Kind::Computer, 0x2000, None, false);
        put(5, Kind::Person, 0x2000, Some("person.corp.example.com"), false);
        assert_eq!(mirror.controllers().unwrap(), ["dc1.corp.example.com"]);
    }

    #[test]
    fn places_and_groups_are_looked_up_anew_only_for_what_they_hang_on() {
        let directory = directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let group = Object { kind: Kind::Group, ..Object::unknown(Uuid::from_u128(5)) };
        let looks_anew = |object: &Object| {
            mirror.unresolved.set(false);
            mirror.put(object).unwrap();
            mirror.unresolved.get()
        };
        assert!(looks_anew(&group), "a new one");
        assert!(!looks_anew(&Object {
            rdn: Some("other".to_owned()),
            sent: Some(Sent::Present),
            ..group.clone()
        }));
        assert!(looks_anew(&Object { deleted: true, ..group.clone() }));
        assert!(looks_anew(&Object { parent: Some(Uuid::from_u128(4)), ..group.clone() }));
        assert!(looks_anew(&Object { sid: Some("S-1-5-21-1-2-3-1105".parse().unwrap()), ..group.clone() }));
        assert!(looks_anew(&Object { kind: Kind::Policy, ..group }));
        assert!(!looks_anew(&Object { kind: Kind::Person, ..Object::unknown(Uuid::from_u128(6)) }));
    }
}
