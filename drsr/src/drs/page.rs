//! What a reply means: attids become attributes, bytes become typed values. An unreadable attribute that only describes
//! its object is left out alone; one that decides, or a damaged object, keeps that object out, with its GUID and the
//! reason, and leaves the others in.
//! Pure: a stub in, a [`Page`] out. Before it: `reply`. After it: `replica`, which knows where it stands.

use crate::drs::attribute::{self, Attribute, Class, Syntax, Value};
use crate::drs::change::{
    AttributeChange, Change, Link, LinkStamp, Linked, Page, Progress, Quarantined, Rewritten, SealedNtHash,
    Source, Stamp, Unreadable,
};
use crate::drs::cursor::Cursor;
use crate::drs::dsname::{Dsname, RawName};
use crate::drs::further::Further;
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

/// Reads a reply. `further` are the attributes that were requested beside the usual ones; `keys` go into the page
/// unused.
pub fn read(
    reply: &Reply<'_>,
    asked: Asked,
    further: &[Further],
    keys: Arc<SessionKeys>,
) -> Result<Page, Error> {
    let (progress, secrets) = match asked {
        Asked::Object { secrets } => {
            if reply.extended != EXTENDED_SUCCESS {
                return Err(Error::Extended { code: reply.extended });
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
    let attributes = reply.prefixes.attributes(further);
    let reading = Reading { attributes, classes: reply.prefixes.classes(), secrets };
    let (mut changes, mut links, mut quarantined) = (Vec::new(), Vec::new(), Vec::new());
    let mut rewritten = Vec::new();
    for object in &reply.objects {
        reading.old_links(object, &mut links, &mut rewritten, &mut quarantined);
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
        rewritten,
        progress,
        keys,
        quarantined,
        schema: reply.prefixes.schema(),
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
                // `old_links` reads them. Others were sent unasked (objectSid, instanceType, …).
                Some((Known::Linked(_), _)) | None => {}
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

    /// Reads the links that stand inside an object, as an attribute with all of its values: those that were written
    /// before the forest was of level 2003 and not since. They come so at every functional level, beside links of the
    /// newer form of the same attribute. An object that has no sound name, or too few stamps, is refused by
    /// [`Self::change`].
    fn old_links(
        &self,
        raw: &RawObject<'_>,
        links: &mut Vec<Link>,
        rewritten: &mut Vec<Rewritten>,
        quarantined: &mut Vec<Quarantined>,
    ) {
        let Some(Ok(from)) = raw.name.map(|name| name.checked()) else { return };
        if raw.metadata.len() != raw.attributes.len() {
            return;
        }
        for (attribute, written) in raw.attributes.iter().zip(&raw.metadata) {
            let Some((Known::Linked(what), _)) = self.attributes.get(&attribute.attid) else { continue };
            let stamp = LinkStamp { created: 0, written: (*written).into() };
            let mut odd = None;
            for value in &attribute.values {
                match linked_name(value) {
                    Ok(to) => {
                        let (what, from) = (*what, from.clone());
                        links.push(Link { what, from, to, present: true, stamp, until: None });
                    }
                    Err(why) => odd = Some(why),
                }
            }
            if let Some(why) = odd {
                // Which values are gone cannot be known, so all stay that were there.
                quarantined.push(Quarantined {
                    object: Some(from.guid),
                    link: true,
                    dn: from.dn.clone(),
                    sam: None,
                    upn: None,
                    attribute: None,
                    why: format!("one of its links: {why}"),
                });
            } else if *what != Linked::AuthenticationPolicy {
                // Two attributes are one kind there: a value that is missing in one may stand in the other. Neither was
                // in a schema before 2012 R2.
                rewritten.push(Rewritten { what: *what, from: from.guid, stamp: stamp.written });
            }
        }
    }

    fn link(&self, raw: &RawLink<'_>) -> Result<Option<Link>, &'static str> {
        let Some((Known::Linked(what), _)) = self.attributes.get(&raw.attid) else { return Ok(None) };
        let from = raw.object.ok_or("it has no name")?.checked()?;
        let to = linked_name(raw.value)?;
        let stamp = LinkStamp { created: raw.created, written: raw.stamp.into() };
        let until = (raw.expires != 0).then(|| unix_seconds(raw.expires));
        Ok(Some(Link { what: *what, from, to, present: raw.present, stamp, until }))
    }
}

fn linked_name(value: &[u8]) -> Result<Dsname, &'static str> {
    RawName::from_value(value).map_err(|_| "its value is no name")?.checked()
}

/// Seconds from 1601-01-01, where DSTIME begins, to 1970-01-01.
const EPOCH: i64 = 11_644_473_600;

fn unix_seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX).saturating_sub(EPOCH)
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
mod tests;
