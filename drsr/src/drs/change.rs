//! What a page of replication says: objects that changed, links that changed, and what could not be read.
//! Values are typed here; whether an account is in scope is `phs::qualify`'s business, not this file's.
//! Before it: `reply`, `attribute`. After it: `phs::read::pull`.

use crate::drs::attribute::{Attribute, Value};
use crate::drs::cursor::Cursor;
use crate::drs::dsname::Dsname;
use landbridge_crypto::drs_secret::{self, DrsSecretError, SessionKeys};
use landbridge_crypto::nt_hash::NtHash;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The bytes of a schema's version (schemaInfo): 0xFF, a revision and an invocation id.
pub const SCHEMA_INFO: usize = 1 + 4 + 16;

/// One reply of the DC, read.
#[derive(Debug)]
pub struct Page {
    /// Who sent it.
    pub source: Source,
    /// Objects with at least one changed attribute, in the DC's order.
    pub changes: Vec<Change>,
    /// Changed values of linked attributes. Samba sends them after all objects, Windows between objects, also before
    /// the object that has them.
    pub links: Vec<Link>,
    /// Linked attributes that came whole, as values from before 2003 do. Their values are among `links`.
    pub rewritten: Vec<Rewritten>,
    /// Whether there is more to ask for.
    pub progress: Progress,
    /// What opens the secrets of this page.
    pub keys: Arc<SessionKeys>,
    /// Objects that could not be read; the others are in `changes` all the same.
    pub quarantined: Vec<Quarantined>,
    /// The version of the schema (schemaInfo), if the DC sent it: with another one attributes may have other ids.
    pub schema: Option<[u8; SCHEMA_INFO]>,
    /// About how many objects the domain holds, when the DC says so.
    pub objects_in_domain: Option<u32>,
}

impl Page {
    /// Turns links whose time is over into removals. A DC keeps such a value and sends it for months, and only hides it
    /// from LDAP. `now`: seconds since 1970-01-01.
    pub fn end_links(&mut self, now: i64) {
        for link in &mut self.links {
            if link.present && link.until.is_some_and(|until| until <= now) {
                (link.present, link.until, link.stamp) = (false, None, link.stamp.next());
            }
        }
    }
}

/// The DC that sent a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its nTDSDSA object: the DC.
    pub dsa: Uuid,
    /// Its invocation id: the database. Changes when the DC was restored.
    pub invocation_id: Uuid,
}

/// Where the stream stands after a page.
#[derive(Debug)]
pub enum Progress {
    /// Ask for the next page on the same connection. There is nothing to keep yet: an intermediate
    /// cookie makes the DC start from zero on another connection.
    More,
    /// All was sent; keep this once the page is safe.
    Last(Cursor),
    /// A single object was asked for: there is nothing to go on to, and nothing to keep.
    Object,
}

/// An object that the DC sent and that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Which, if that much could be read.
    pub object: Option<Uuid>,
    /// A link of it alone; the object itself stands among the changes, if it changed.
    pub link: bool,
    /// Its distinguished name, as far as it is readable; else empty.
    pub dn: String,
    /// Its sAMAccountName, if the reply has it and it is readable.
    pub sam: Option<String>,
    /// Its userPrincipalName, if the reply has it and it is readable.
    pub upn: Option<String>,
    /// The attribute that cannot be read; none: the object as a whole, or a link of it.
    pub attribute: Option<Attribute>,
    /// Why; never repeats a value. With an attribute it completes a sentence that begins with the attribute's name.
    pub why: String,
}

/// An attribute of which a value could not be read, and that only describes its object ([`Attribute::decides`]). It is
/// among the object's changed attributes with the values that could be read, or with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Which.
    pub attribute: Attribute,
    /// Why; completes a sentence that begins with the attribute's name, and never repeats a value.
    pub why: &'static str,
}

/// What changed on one object. Attributes that did not change are not there.
#[derive(Debug)]
pub struct Change {
    /// The object, with its GUID always and its SID if it has one.
    pub object: Dsname,
    /// The container's objectGUID, when the DC sent it.
    pub parent: Option<Uuid>,
    /// This is the root of the domain, which carries the domain's policies.
    pub domain_head: bool,
    /// The changed attributes.
    pub attributes: Vec<AttributeChange>,
    /// Those among them that could not be read whole.
    pub unreadable: Vec<Unreadable>,
    /// The NT hash, still sealed, when `unicodePwd` changed.
    pub nt_hash: Option<SealedNtHash>,
}

impl Change {
    /// The value of an attribute, if the DC sent one.
    pub fn value(&self, attribute: Attribute) -> Option<&Value> {
        self.attributes.iter().find(|one| one.attribute == attribute).and_then(|one| one.value.as_ref())
    }
}

/// One attribute that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// Which.
    pub attribute: Attribute,
    /// When and where it was written.
    pub stamp: Stamp,
    /// What it is now; `None` when it was removed.
    pub value: Option<Value>,
}

/// A value of a linked attribute that was added or taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Of which attribute.
    pub what: Linked,
    /// The object that has the attribute: the group, the person, the password settings object.
    pub from: Dsname,
    /// The object that the value names.
    pub to: Dsname,
    /// There, or there no longer.
    pub present: bool,
    /// When and where it was written.
    pub stamp: LinkStamp,
    /// When the value ends by itself, in seconds since 1970-01-01; none: it stays until it is removed. Every DC ends it
    /// alone and writes nothing (`timeExpired` of VALUE_META_DATA_EXT_V3, MS-DRSR 5.216).
    pub until: Option<i64>,
}

/// A linked attribute of one object that came whole. It replaces all values of that attribute that have no stamp of
/// their own, which are those with `created` 0. Values with a stamp of their own are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// The attribute.
    pub what: Linked,
    /// The objectGUID of the object that has it.
    pub from: Uuid,
    /// When and where the attribute was written.
    pub stamp: Stamp,
}

/// When and where a value of a linked attribute was written (VALUE_META_DATA_EXT_V1, MS-DRSR 5.215). A value that was
/// forgotten wholly and is written again begins anew, so its creation comes first in the order. A value from before
/// 2003 has no stamp of its own: it has `created` 0 and the stamp of its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkStamp {
    /// When it was first written: seconds since 1601-01-01 (DSTIME); 0: before 2003.
    pub created: u64,
    /// When and where it was written last.
    pub written: Stamp,
}

impl LinkStamp {
    /// The least stamp that is greater than this one. It stands for the end of a value that ended by itself, of which
    /// no DC writes a stamp: every later write of the same value has a greater version, or was created later.
    #[must_use]
    pub fn next(self) -> Self {
        let Stamp { version, time, invocation_id } = self.written;
        let written = match invocation_id.as_u128().checked_add(1) {
            Some(next) => Stamp { version, time, invocation_id: Uuid::from_u128(next) },
            None => Stamp { version, time: time.saturating_add(1), invocation_id: Uuid::nil() },
        };
        Self { created: self.created, written }
    }
}

/// A linked attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Linked {
    /// `member`, of a group.
    Member,
    /// `manager`, of a person.
    Manager,
    /// `msDS-PSOAppliesTo`, of a password settings object.
    AppliesTo,
    /// `msDS-AssignedAuthNPolicy` or `msDS-AssignedAuthNPolicySilo`, of an account.
    AuthenticationPolicy,
}

/// When and where a value was written (PROPERTY_META_DATA_EXT, MS-DRSR 5.162, without its USN).
/// Ordered as replication orders writes: version, then time, then originating invocation id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// How many times the value was written.
    pub version: u32,
    /// When it was written: seconds since 1601-01-01 (DSTIME).
    pub time: u64,
    /// The database in which it was written.
    pub invocation_id: Uuid,
}

/// A password attribute as it came: sealed under the connection's session key.
///
/// Not readable without [`SessionKeys`]; wiped when dropped. Absent on purpose: `Clone`.
pub struct SealedNtHash {
    /// When and where the password was written.
    pub stamp: Stamp,
    content: Content,
}

enum Content {
    Sealed(Zeroizing<Vec<u8>>),
    Removed,
    Withheld,
}

impl SealedNtHash {
    /// As a DC sent it.
    pub fn sealed(stamp: Stamp, bytes: Vec<u8>) -> Self {
        Self { stamp, content: Content::Sealed(Zeroizing::new(bytes)) }
    }

    /// The DC says that there is none.
    pub fn removed(stamp: Stamp) -> Self {
        Self { stamp, content: Content::Removed }
    }

    /// The DC was asked not to send it.
    pub fn withheld(stamp: Stamp) -> Self {
        Self { stamp, content: Content::Withheld }
    }

    /// Opens both layers. `rid` is the last part of the object's SID. Fails when there is nothing to open.
    pub fn open(&self, keys: &SessionKeys, rid: u32) -> Result<NtHash, DrsSecretError> {
        match &self.content {
            Content::Sealed(bytes) => drs_secret::open_nt_hash(keys, rid, bytes),
            Content::Removed | Content::Withheld => drs_secret::open_nt_hash(keys, rid, &[]),
        }
    }

    /// `unicodePwd` was removed: the account has no password.
    pub fn is_absent(&self) -> bool {
        matches!(self.content, Content::Removed)
    }

    /// The page was asked for without secrets: nothing is known but the stamp, and of that Samba sends no time
    /// (0). Never compare it with a stamp of a page with secrets.
    pub fn is_withheld(&self) -> bool {
        matches!(self.content, Content::Withheld)
    }
}

impl fmt::Debug for SealedNtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedNtHash").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_ordered_by_version_then_time_then_origin() {
        let stamp = |version, time, id| Stamp { version, time, invocation_id: Uuid::from_u128(id) };
        assert!(stamp(2, 1, 1) > stamp(1, 9, 9));
        assert!(stamp(1, 2, 1) > stamp(1, 1, 9));
        assert!(stamp(1, 1, 2) > stamp(1, 1, 1));
    }

    #[test]
    fn the_end_of_a_value_is_later_than_the_value_and_earlier_than_every_later_write_of_it() {
        let stamp = |created, version, time, id| LinkStamp {
            created,
            written: Stamp { version, time, invocation_id: Uuid::from_u128(id) },
        };
        for held in [stamp(9, 3, 50, 7), stamp(9, 3, 50, u128::MAX), stamp(0, 3, 50, 0)] {
            let end = held.next();
            assert!(end > held);
            let LinkStamp { created, written } = held;
            assert!(
                end < stamp(created, written.version + 1, 0, 0),
                "written again, whatever the clock says"
            );
            assert!(end < stamp(created + 1, 0, 0, 0), "forgotten and created again");
        }
    }
}
