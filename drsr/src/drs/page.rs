//! What a reply means: attids become attributes, bytes become typed values. An unreadable attribute that only describes
//! its object is left out alone; one that decides, or a damaged object, keeps that object out, with its GUID and the
//! reason, and leaves the others in.
//! Pure: a stub in, a [`Page`] out. Before it: `reply`. After it: `replica`, which knows where it stands.

use crate::drs::attribute::{self, Attribute, Class, Syntax, Value};
use crate::drs::change::{
    AttributeChange, Change, Link, LinkStamp, Page, Progress, Quarantined, SealedNtHash, Source, Stamp,
    Unreadable,
};
use crate::drs::cursor::Cursor;
use crate::drs::prefix_table::Known;
use crate::drs::reply::{RawAttribute, RawLink, RawObject, RawStamp, Reply};
use crate::drs::request::ObjectId;
use crate::error::Error;
use landbridge_crypto::drs_secret::SessionKeys;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was asked for, as far as it decides what the reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The domain's changes.
    Changes {
        /// With password attributes.
        secrets: bool,
    },
    /// One object.
    Object {
        /// With password attributes.
        secrets: bool,
    },
}

/// EXOP_ERR_SUCCESS (MS-DRSR 4.1.10.2.21)
const EXTENDED_SUCCESS: u32 = 1;

/// Reads a reply. `keys` go into the page unused.
pub fn read(reply: &Reply<'_>, asked: Asked, keys: Arc<SessionKeys>) -> Result<Page, Error> {
    let (progress, secrets) = match asked {
        Asked::Object { secrets } => {
            if reply.extended != EXTENDED_SUCCESS {
                return Err(Error::Refused { operation: "reading a single object", code: reply.extended });
            }
            (Progress::Object, secrets)
        }
        Asked::Changes { secrets } if reply.more => (Progress::More, secrets),
        Asked::Changes { secrets } => {
            let vector = reply.vector.clone();
            let vector =
                vector.ok_or(Error::Protocol("a last page without an up-to-dateness vector".to_owned()))?;
            (Progress::Last(Cursor::new(reply.dsa, reply.invocation_id, reply.cookie, vector)), secrets)
        }
    };
    let reading =
        Reading { attributes: reply.prefixes.attributes(), classes: reply.prefixes.classes(), secrets };
    let (mut changes, mut links, mut quarantined) = (Vec::new(), Vec::new(), Vec::new());
    for object in &reply.objects {
        match reading.change(object) {
            Ok(change) => changes.push(change),
            Err(why) => quarantined.push(reading.quarantined(object, why)),
        }
    }
    for link in &reply.links {
        match reading.link(link) {
            Ok(link) => links.extend(link),
            Err(why) => quarantined.push(Quarantined {
                object: link.object.map(|name| name.guid).filter(|guid| !guid.is_nil()),
                link: true,
                dn: link.object.map(|name| name.dn()).unwrap_or_default(),
                sam: None,
                upn: None,
                attribute: None,
                why: format!("one of its links: {why}"),
            }),
        }
    }
    Ok(Page {
        source: Source { dsa: reply.dsa, invocation_id: reply.invocation_id },
        changes,
        links,
        progress,
        keys,
        quarantined,
        objects_in_domain: Some(reply.objects_in_domain).filter(|count| *count != 0),
    })
}

struct Reading {
    attributes: BTreeMap<u32, (Known, Syntax)>,
    classes: BTreeMap<u32, Class>,
    secrets: bool,
}

/// Why an object cannot be read: an attribute, if it is one, and the reason.
type Unfit = (Option<Attribute>, &'static str);

impl Reading {
    fn change(&self, raw: &RawObject<'_>) -> Result<Change, Unfit> {
        let whole = |why| (None, why);
        let object = raw.name.ok_or("it has no name").and_then(|name| name.checked()).map_err(whole)?;
        if raw.metadata.len() != raw.attributes.len() {
            return Err(whole("its metadata does not fit its attributes"));
        }
        let mut change = Change {
            object,
            parent: raw.parent.filter(|parent| !parent.is_nil()),
            domain_head: raw.domain_head,
            attributes: Vec::new(),
            unreadable: Vec::new(),
            nt_hash: None,
        };
        for (attribute, stamp) in raw.attributes.iter().zip(&raw.metadata) {
            let stamp = Stamp::from(*stamp);
            match self.attributes.get(&attribute.attid) {
                Some((Known::Plain(known), syntax)) => {
                    let (value, wrong) = self.value(*syntax, attribute);
                    match wrong {
                        Some(why) if known.decides() => return Err((Some(*known), why)),
                        Some(why) => change.unreadable.push(Unreadable { attribute: *known, why }),
                        None => {}
                    }
                    change.attributes.push(AttributeChange { attribute: *known, stamp, value });
                }
                Some((Known::NtHash, _)) => {
                    change.nt_hash = Some(self.nt_hash(attribute, stamp).map_err(whole)?);
                }
                // Links come as such; whole values are sent by forests from before 2003 only.
                Some((Known::Linked(_), _)) => {
                    return Err(whole("its links come in a form of before 2003"));
                }
                // Sent unasked (objectSid, instanceType, …).
                None => {}
            }
        }
        Ok(change)
    }

    /// An object that cannot be read, with what a person knows it by as far as that is readable.
    fn quarantined(&self, raw: &RawObject<'_>, (attribute, why): Unfit) -> Quarantined {
        let text = |wanted| {
            let is = |raw: &&RawAttribute<'_>| {
                self.attributes.get(&raw.attid).is_some_and(|(known, _)| *known == Known::Plain(wanted))
            };
            match raw.attributes.iter().find(is).map(|raw| self.value(Syntax::Text, raw)) {
                Some((Some(Value::Text(text)), None)) => Some(text),
                Some(_) | None => None,
            }
        };
        Quarantined {
            object: raw.name.map(|name| name.guid).filter(|guid| !guid.is_nil()),
            link: false,
            dn: raw.name.map(|name| name.dn()).unwrap_or_default(),
            sam: text(Attribute::SamAccountName),
            upn: text(Attribute::UserPrincipalName),
            attribute,
            why: why.to_owned(),
        }
    }

    /// What could be read of an attribute's values, and what is wrong with the rest.
    fn value(&self, syntax: Syntax, raw: &RawAttribute<'_>) -> (Option<Value>, Option<&'static str>) {
        let read = match (syntax, raw.values.as_slice()) {
            (_, []) => return (None, None),
            (Syntax::Texts, values) => {
                let (texts, why) = attribute::texts(values);
                return (Some(texts), why);
            }
            (Syntax::Classes, values) => attribute::classes(values, &self.classes),
            (syntax, [value]) => attribute::value(syntax, value),
            (_, [_, _, ..]) => Err(attribute::SEVERAL),
        };
        match read {
            Ok(value) => (Some(value), None),
            Err(why) => (None, Some(why)),
        }
    }

    fn nt_hash(&self, raw: &RawAttribute<'_>, stamp: Stamp) -> Result<SealedNtHash, &'static str> {
        match raw.values.as_slice() {
            [] if !self.secrets => Ok(SealedNtHash::withheld(stamp)),
            [] | [[]] => Ok(SealedNtHash::removed(stamp)),
            [sealed] if self.secrets => Ok(SealedNtHash::sealed(stamp, sealed.to_vec())),
            [_] => Err("a password came although none was asked for"),
            [_, _, ..] => Err("it has several passwords"),
        }
    }

    fn link(&self, raw: &RawLink<'_>) -> Result<Option<Link>, &'static str> {
        let Some((Known::Linked(what), _)) = self.attributes.get(&raw.attid) else { return Ok(None) };
        let from = raw.object.ok_or("it has no name")?.checked()?;
        let to = crate::drs::dsname::RawName::from_value(raw.value).map_err(|_| "its value is no name")?;
        let (to, stamp) = (to.checked()?, LinkStamp { created: raw.created, written: raw.stamp.into() });
        Ok(Some(Link { what: *what, from, to, present: raw.present, stamp }))
    }
}

impl From<RawStamp> for Stamp {
    fn from(raw: RawStamp) -> Self {
        Self { version: raw.version, time: raw.time, invocation_id: raw.invocation_id }
    }
}

/// What came is what was asked for.
pub(crate) fn is_object(page: &Page, which: &ObjectId) -> bool {
    page.changes.iter().all(|change| match which {
        ObjectId::Guid(guid) => change.object.guid == *guid,
        ObjectId::Sid(sid) => change.object.sid.as_ref() == Some(sid),
        // A distinguished name has many spellings, and the DC compares letters by a table of its own.
        ObjectId::Dn(_) => true,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::drs::dsname::RawName;
    use crate::drs::prefix_table::WANTED;
    use uuid::Uuid;

    /// An object with one attribute, read.
    fn read_one(attid: u32, values: &[&[u8]]) -> Result<Change, Unfit> {
        let attributes = WANTED.into_iter().map(|(known, attid, syntax)| (attid, (known, syntax))).collect();
        let reading = Reading { attributes, classes: BTreeMap::new(), secrets: true };
        reading.change(&RawObject {
            name: Some(RawName { guid: Uuid::from_u128(1), sid: &[], text: &[] }),
            domain_head: false,
            parent: None,
            attributes: vec![RawAttribute { attid, values: values.to_vec() }],
            metadata: vec![RawStamp { version: 1, time: 1, invocation_id: Uuid::nil() }],
        })
    }

    #[test]
    fn of_each_attribute_odd_bytes_and_several_values_end_as_its_row_in_the_table_says() {
        let (odd, nothing): (&[u8], &[u8]) = (&[0x41, 0, 0x42], &[]);
        let (one, two, three): (&[&[u8]], &[&[u8]], &[&[u8]]) = (&[odd], &[odd, odd], &[nothing, odd, odd]);
        for (known, attid, syntax) in WANTED {
            let Known::Plain(attribute) = known else { continue };
            let spoiled = match syntax {
                Syntax::Bytes => vec![two, three],
                Syntax::Texts | Syntax::Classes => vec![one],
                Syntax::Integer | Syntax::LargeInteger | Syntax::Boolean | Syntax::Text => {
                    vec![one, two, three]
                }
            };
            for values in spoiled {
                match read_one(attid, values) {
                    Err((at, _)) => assert!(attribute.decides() && at == Some(attribute), "{attribute:?}"),
                    Ok(change) => {
                        assert!(!attribute.decides(), "{attribute:?}");
                        let [unreadable] = change.unreadable.as_slice() else { panic!("{attribute:?}") };
                        assert_eq!(unreadable.attribute, attribute);
                        assert_eq!(change.attributes.len(), 1, "its stamp is there");
                        let none = [None, Some(Value::Texts(Vec::new()))];
                        assert!(
                            change.attributes.iter().all(|one| none.contains(&one.value)),
                            "{attribute:?}"
                        );
                    }
                }
            }
            let removed = read_one(attid, &[]);
            assert!(
                removed.is_ok_and(|change| change.unreadable.is_empty()),
                "{attribute:?}: no value is none"
            );
        }
    }
}
