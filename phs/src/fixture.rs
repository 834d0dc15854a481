//! A domain in memory, for the tests of this crate: objects as a DC would send them, and a DC that returns single
//! objects.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::error::PhsError;
use crate::qualify::privileged::IN_EVERY_DOMAIN;
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{
    AttributeChange, Change, Link, LinkStamp, Linked, Page, Progress, Quarantined, SealedNtHash, Source,
    Stamp, Unreadable,
};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::dsname::Dsname;
use landbridge_drsr::drs::sid::Sid;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) fn domain() -> Sid {
    "S-1-5-21-1-2-3".parse().unwrap()
}

pub(crate) fn guid(rid: u32) -> Uuid {
    Uuid::from_u128(rid.into())
}

pub(crate) fn stamp(version: u32) -> Stamp {
    Stamp { version, time: version.into(), invocation_id: Uuid::from_u128(77) }
}

pub(crate) fn link_stamp(version: u32) -> LinkStamp {
    LinkStamp { created: 7, written: stamp(version) }
}

pub(crate) fn cursor(usn: u8) -> Cursor {
    Cursor::new(Uuid::nil(), Uuid::nil(), [usn; 24], Vec::new())
}

pub(crate) fn dsname(rid: u32) -> Dsname {
    Dsname { guid: guid(rid), sid: Some(domain().with_rid(rid)), dn: format!("CN={rid}") }
}

/// One object, built attribute by attribute.
pub(crate) struct Telling(Change);

impl Telling {
    /// A change that says nothing yet.
    pub(crate) fn of(rid: u32) -> Self {
        Self(Change {
            object: dsname(rid),
            parent: None,
            domain_head: false,
            attributes: Vec::new(),
            unreadable: Vec::new(),
            nt_hash: None,
        })
    }

    /// An ordinary user, whole, with a password of version 1.
    pub(crate) fn user(rid: u32) -> Self {
        let classes = [Class::Top, Class::Person, Class::OrganizationalPerson, Class::User];
        Self::object(rid, &classes)
            .with(Attribute::SamAccountName, Some(Value::Text(format!("user{rid}"))))
            .with(Attribute::UserAccountControl, Some(Value::Integer(0x200)))
            .with(Attribute::PrimaryGroupId, Some(Value::Integer(513)))
            .password(1)
    }

    /// An object of these classes, whole.
    pub(crate) fn object(rid: u32, classes: &[Class]) -> Self {
        let name = Value::Text(format!("object {rid}"));
        Self::of(rid).with(Attribute::Name, Some(name)).of_classes(classes)
    }

    /// With its classes.
    pub(crate) fn of_classes(self, classes: &[Class]) -> Self {
        self.with(Attribute::ObjectClass, Some(Value::Classes(classes.to_vec())))
    }

    /// A group.
    pub(crate) fn group(rid: u32) -> Self {
        Self::object(rid, &[Class::Top, Class::Group])
    }

    pub(crate) fn with(mut self, attribute: Attribute, value: Option<Value>) -> Self {
        self.0.attributes.retain(|a| a.attribute != attribute);
        self.0.attributes.push(AttributeChange { attribute, stamp: stamp(1), value });
        self
    }

    /// With an attribute that cannot be read.
    pub(crate) fn unreadable(self, attribute: Attribute) -> Self {
        let mut telling = self.with(attribute, None);
        telling.0.unreadable.push(Unreadable { attribute, why: "has half a character" });
        telling
    }

    pub(crate) fn number(self, attribute: Attribute, number: i32) -> Self {
        self.with(attribute, Some(Value::Integer(number)))
    }

    /// With its container.
    pub(crate) fn within(mut self, container: u32) -> Self {
        self.0.parent = Some(guid(container));
        self
    }

    pub(crate) fn no_password(mut self, version: u32) -> Self {
        self.0.nt_hash = Some(SealedNtHash::removed(stamp(version)));
        self
    }

    pub(crate) fn deleted(self) -> Self {
        self.with(Attribute::IsDeleted, Some(Value::Boolean(true)))
    }

    pub(crate) fn password(mut self, version: u32) -> Self {
        self.0.nt_hash = Some(SealedNtHash::sealed(stamp(version), vec![9; 36]));
        self
    }

    pub(crate) fn withheld(mut self, version: u32) -> Self {
        self.0.nt_hash = Some(SealedNtHash::withheld(stamp(version)));
        self
    }

    /// Goes on with a change.
    pub(crate) fn again(change: Change) -> Self {
        Self(change)
    }

    pub(crate) fn tell(self) -> Change {
        self.0
    }
}

/// An object, or a link of it, that could not be read.
pub(crate) fn quarantined(rid: u32, link: bool, why: &str) -> Quarantined {
    let dn = format!("CN={rid}");
    let why = why.to_owned();
    Quarantined { object: Some(guid(rid)), link, dn, sam: None, upn: None, attribute: None, why }
}

pub(crate) fn link(group: u32, member: u32, present: bool) -> Link {
    Link {
        what: Linked::Member,
        from: dsname(group),
        to: dsname(member),
        present,
        stamp: link_stamp(1),
        until: None,
    }
}

pub(crate) fn page(changes: Vec<Change>, links: Vec<Link>, progress: Progress) -> Page {
    Page {
        source: Source { dsa: Uuid::nil(), invocation_id: Uuid::nil() },
        changes,
        links,
        rewritten: Vec::new(),
        progress,
        keys: Arc::new(SessionKeys::new()),
        quarantined: Vec::new(),
        schema: None,
        objects_in_domain: None,
    }
}

/// Tells an object and its links.
type Teller = Box<dyn Fn() -> (Telling, Vec<Link>)>;

/// sAMAccountName of the account that phs reads with, and its RID.
pub(crate) const ACCOUNT: &str = "svc-reads";
pub(crate) const READER: u32 = 900;

/// An entry of a list of rights (MS-DTYP 2.4.4.2, 2.4.4.3); `kind` 5 has a property or an extended right.
pub(crate) fn entry(kind: u8, mask: u32, object: Option<Uuid>, trustee: &Sid) -> Vec<u8> {
    let mut body = mask.to_le_bytes().to_vec();
    if kind == 5 {
        body.extend(u32::from(object.is_some()).to_le_bytes());
        body.extend(object.into_iter().flat_map(|object| object.to_bytes_le()));
    }
    body.extend(trustee.to_bytes());
    let size = u16::try_from(4 + body.len()).unwrap().to_le_bytes();
    [vec![kind, 0, size[0], size[1]], body].concat()
}

/// A self-relative security descriptor with these entries, and no owner (MS-DTYP 2.4.6).
pub(crate) fn descriptor(entries: &[Vec<u8>]) -> Vec<u8> {
    let list = entries.concat();
    let mut bytes = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
    let size = u16::try_from(8 + list.len()).unwrap().to_le_bytes();
    let count = u8::try_from(entries.len()).unwrap();
    bytes.extend([4, 0, size[0], size[1], count, 0, 0, 0]);
    [bytes, list].concat()
}

/// A DC that answers for single objects, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Dc {
    objects: HashMap<Uuid, Teller>,
    /// The object that a name means now, if another object had that name.
    names: HashMap<Uuid, Uuid>,
    /// Those that may change rights at the domain's head.
    pub(crate) holders: Vec<Sid>,
    /// The domain's head comes without its descriptor.
    pub(crate) hides_descriptor: bool,
    /// Objects that come unreadable.
    pub(crate) unreadable: Vec<u32>,
    /// Protected groups of every domain that this DC says it does not have; it has the others, without members.
    pub(crate) denied: Vec<u32>,
    /// Objects of which nothing comes.
    pub(crate) blank: Vec<u32>,
    /// RID and whether secrets were asked for.
    pub(crate) asked: Vec<(u32, bool)>,
}

impl Dc {
    pub(crate) fn holds(mut self, rid: u32, tell: impl Fn() -> Telling + 'static) -> Self {
        self.objects.insert(guid(rid), Box::new(move || (tell(), Vec::new())));
        self
    }

    pub(crate) fn group(self, rid: u32, members: &'static [u32]) -> Self {
        self.group_with(rid, move || members.iter().map(|member| link(rid, *member, true)).collect())
    }

    /// A group with these links.
    pub(crate) fn group_with(mut self, rid: u32, links: impl Fn() -> Vec<Link> + 'static) -> Self {
        self.objects.insert(guid(rid), Box::new(move || (Telling::group(rid), links())));
        self
    }

    /// The distinguished name of the first is the second's by now.
    pub(crate) fn called(mut self, rid: u32, by_now: u32) -> Self {
        self.names.insert(guid(rid), guid(by_now));
        self
    }

    /// Who was asked for by GUID, without the look at the protected groups by SID.
    pub(crate) fn asked_with_secrets(&self) -> Vec<u32> {
        self.asked.iter().filter(|(_, secrets)| *secrets).map(|(rid, _)| *rid).collect()
    }
}

impl Singles for Dc {
    fn account(&mut self, sam: &str) -> Result<Option<Page>, PhsError> {
        assert_eq!(sam, ACCOUNT);
        Ok(Some(page(vec![Telling::user(READER).tell()], Vec::new(), Progress::Object)))
    }

    fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Option<Page>, PhsError> {
        let group = match &which {
            ObjectId::Sid(sid) => Some(sid.rid()).filter(|rid| IN_EVERY_DOMAIN.contains(rid)),
            ObjectId::Guid(_) | ObjectId::Dn(_) => None,
        };
        let guid = match which {
            ObjectId::Guid(guid) => guid,
            ObjectId::Sid(sid) => super::fixture::guid(sid.rid()),
            ObjectId::Dn(dn) => {
                let rid = dn.trim_start_matches("CN=").split(',').next().and_then(|rid| rid.parse().ok());
                let named = rid.map_or(Uuid::nil(), super::fixture::guid);
                self.names.get(&named).copied().unwrap_or(named)
            }
        };
        if guid == super::fixture::guid(domain().rid()) {
            let entries: Vec<_> = self.holders.iter().map(|one| entry(0, 0x0004_0000, None, one)).collect();
            let value = (!self.hides_descriptor).then(|| Value::Bytes(descriptor(&entries)));
            let head = Telling::of(domain().rid()).with(Attribute::SecurityDescriptor, value).tell();
            return Ok(Some(page(vec![head], Vec::new(), Progress::Object)));
        }
        if let Some(rid) = self.unreadable.iter().find(|rid| super::fixture::guid(**rid) == guid) {
            let quarantined = vec![quarantined(*rid, false, &format!("object {rid} is odd"))];
            return Ok(Some(Page { quarantined, ..page(Vec::new(), Vec::new(), Progress::Object) }));
        }
        if self.blank.iter().any(|rid| super::fixture::guid(*rid) == guid) {
            return Ok(Some(page(Vec::new(), Vec::new(), Progress::Object)));
        }
        let Some(tell) = self.objects.get(&guid) else {
            let group = group.filter(|rid| !self.denied.contains(rid));
            let tell = |rid| page(vec![Telling::group(rid).tell()], Vec::new(), Progress::Object);
            return Ok(group.map(tell));
        };
        let (telling, links) = tell();
        let change = telling.tell();
        self.asked.push((change.object.sid.as_ref().unwrap().rid(), secrets));
        Ok(Some(page(vec![change], links, Progress::Object)))
    }
}
