//! Reads from the security descriptor of the domain's head who may do more than read, and who can reach every password
//! of the domain (MS-DTYP 2.4.4, 2.4.6). Pure: bytes in, grants out. Denials are ignored, so a grant that a denial
//! revokes is reported too.
//! Neighbours: `command::check::account` looks for the delegated account among the grants; `super::holders` holds back
//! those who reach every password.

use landbridge_drsr::drs::sid::Sid;
use std::collections::{BTreeMap, HashSet};
use uuid::{Uuid, uuid};

/// *Replicating Directory Changes All* (MS-ADTS 5.1.3.2.1).
const GET_CHANGES_ALL: Uuid = uuid!("1131f6ad-9c07-11d1-f79f-00c04fc2dcd2");
/// *Replicating Directory Changes* and the former.
const THE_TWO: [Uuid; 2] = [uuid!("1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"), GET_CHANGES_ALL];

/// ACCESS_ALLOWED_ACE, ACCESS_ALLOWED_OBJECT_ACE, and both with a condition.
const ALLOWED: u8 = 0x00;
const ALLOWED_OBJECT: u8 = 0x05;
const ALLOWED_CALLBACK: u8 = 0x09;
const ALLOWED_CALLBACK_OBJECT: u8 = 0x0b;
const OBJECT_TYPE: u32 = 1;
const INHERITED_TYPE: u32 = 2;
/// INHERIT_ONLY_ACE: the entry is for the objects below, not for this one.
const INHERIT_ONLY: u8 = 0x08;

const CONTROL_ACCESS: u32 = 0x100;
/// Access rights that change something (MS-ADTS 5.1.3.2), and their names.
const BEYOND_READING: [(u32, &str); 11] = [
    (0x1000_0000, "everything"),
    (0x4000_0000, "write everything"),
    (0x0008_0000, "take ownership"),
    (0x0004_0000, "change rights"),
    (0x0001_0000, "delete"),
    (0x0000_0040, "delete the tree"),
    (0x0000_0020, "write attributes"),
    (0x0000_0008, "validated writes"),
    (0x0000_0002, "delete children"),
    (0x0000_0001, "create children"),
    (CONTROL_ACCESS, "an extended right"),
];
/// Limit on entries of a list. A valid list has fewer: AD limits it to 64 KiB.
const MOST: u16 = 4096;

/// Everyone (MS-DTYP 2.4.2.4)
const EVERYONE: &str = "S-1-1-0";

/// A right beyond reading and beyond the two rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The account or group that has the right.
    pub(crate) trustee: Sid,
    /// The right, in words.
    pub(crate) what: String,
    /// Whether its holder can grant itself every other right.
    pub(crate) is_all: bool,
}

/// Rights with which a holder can grant itself every other right: everything, write everything, take ownership, change
/// rights.
const ALL: u32 = 0x1000_0000 | 0x4000_0000 | 0x0008_0000 | 0x0004_0000;

/// Rights with which a trustee can read or set every password of the domain, wherever they are granted at its head: on
/// the whole object, and, for the last one, as that extended right. Their names.
const REACHES_PASSWORDS: [(u32, &str); 4] = [
    (0x1000_0000, "full control"),
    (0x4000_0000 | 0x0000_0020, "writing every attribute"),
    (0x0004_0000, "changing rights"),
    (0x0008_0000, "taking ownership"),
];

/// A trustee that can read or set every password of the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The account or group.
    pub trustee: Sid,
    /// Its rights, in words.
    pub rights: String,
}

/// What a descriptor says: its owner, and the entries that allow something.
struct Descriptor {
    owner: Option<Sid>,
    /// None: there is no list, so every account may do everything.
    entries: Option<Vec<Entry>>,
}

/// An entry that allows something.
struct Entry {
    trustee: Sid,
    mask: u32,
    /// The property or the extended right that it is for; none: all.
    object: Option<Uuid>,
    inherit_only: bool,
}

/// All grants of a self-relative descriptor; none if the descriptor is malformed.
pub(crate) fn grants(bytes: &[u8]) -> Option<Vec<Grant>> {
    let Descriptor { owner, entries } = Descriptor::parse(bytes)?;
    let mut found = Vec::new();
    if let Some(trustee) = owner {
        found.push(Grant { trustee, what: "everything, as the owner".to_owned(), is_all: true });
    }
    match entries {
        Some(entries) => found.extend(entries.into_iter().filter_map(Entry::grant)),
        None => {
            let what = "everything, for want of any list".to_owned();
            found.push(Grant { trustee: EVERYONE.parse().ok()?, what, is_all: true });
        }
    }
    Some(found)
}

/// The trustees of a self-relative descriptor of the domain's head that can read or set every password, each once; none
/// if the descriptor is malformed.
pub(crate) fn holders(bytes: &[u8]) -> Option<Vec<Holder>> {
    let Descriptor { owner, entries } = Descriptor::parse(bytes)?;
    let mut found = BTreeMap::<Sid, Vec<&str>>::new();
    if let Some(owner) = owner {
        found.entry(owner).or_default().push("ownership");
    }
    match entries {
        Some(entries) => {
            for entry in entries.into_iter().filter(|entry| !entry.inherit_only) {
                let rights = entry.reaches_passwords();
                if !rights.is_empty() {
                    found.entry(entry.trustee).or_default().extend(rights);
                }
            }
        }
        None => found.entry(EVERYONE.parse().ok()?).or_default().push("everything, for want of any list"),
    }
    let holder = |(trustee, mut rights): (Sid, Vec<&str>)| {
        let mut seen = HashSet::new();
        rights.retain(|right| seen.insert(*right));
        Holder { trustee, rights: rights.join(", ") }
    };
    Some(found.into_iter().map(holder).collect())
}

impl Descriptor {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let offset = |at: usize| usize::try_from(u32_at(bytes, at)?).ok();
        let (owner, list) = (offset(4)?, offset(16)?);
        let owner = if owner == 0 { None } else { Some(sid(bytes.get(owner..)?)?) };
        if list == 0 {
            return Some(Self { owner, entries: None });
        }
        let list = bytes.get(list..)?;
        let count = u16_at(list, 4).filter(|count| *count <= MOST)?;
        let mut rest = list.get(8..)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let size = usize::from(u16_at(rest, 2)?);
            let entry = rest.get(..size).filter(|entry| entry.len() >= 8)?;
            rest = rest.get(size..)?;
            entries.extend(Entry::parse(entry)?);
        }
        Some(Self { owner, entries: Some(entries) })
    }
}

impl Entry {
    /// `None`: the entry is malformed. `Some(None)`: it allows nothing, but denies, audits or labels.
    fn parse(entry: &[u8]) -> Option<Option<Self>> {
        let inherit_only = entry.get(1)? & INHERIT_ONLY != 0;
        let mask = u32_at(entry, 4)?;
        let (mut at, mut object) = (8, None);
        match entry.first()? {
            &ALLOWED | &ALLOWED_CALLBACK => {}
            &ALLOWED_OBJECT | &ALLOWED_CALLBACK_OBJECT => {
                let flags = u32_at(entry, 8)?;
                at = 12;
                if flags & OBJECT_TYPE != 0 {
                    object = Some(Uuid::from_bytes_le(*entry.get(at..)?.first_chunk()?));
                    at += 16;
                }
                if flags & INHERITED_TYPE != 0 {
                    at += 16;
                }
            }
            _ => return Some(None),
        }
        let trustee = sid(entry.get(at..)?)?;
        Some(Some(Self { trustee, mask, object, inherit_only }))
    }

    /// What it allows beyond reading and the two rights; none: nothing.
    fn grant(self) -> Option<Grant> {
        let Self { trustee, mut mask, object, .. } = self;
        if object.is_some_and(|object| THE_TWO.contains(&object)) {
            mask &= !CONTROL_ACCESS;
        }
        let names: Vec<&str> =
            BEYOND_READING.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
        if names.is_empty() {
            return None;
        }
        let of = object.map(|object| format!(" ({object})")).unwrap_or_default();
        let what = format!("{}{of}", names.join(", "));
        Some(Grant { trustee, what, is_all: mask & ALL != 0 })
    }

    /// The rights of it that reach every password.
    fn reaches_passwords(&self) -> Vec<&'static str> {
        let whole = |mask: u32| if self.object.is_some() { mask & !0x0000_0020 } else { mask };
        let mut rights: Vec<&str> = REACHES_PASSWORDS
            .iter()
            .filter(|(bits, _)| self.mask & whole(*bits) != 0)
            .map(|(_, name)| *name)
            .collect();
        if self.mask & CONTROL_ACCESS != 0 {
            match self.object {
                None => rights.push("all extended rights"),
                Some(GET_CHANGES_ALL) => rights.push("Replicating Directory Changes All"),
                Some(_) => {}
            }
        }
        rights
    }
}

/// A SID at the start of these bytes.
fn sid(bytes: &[u8]) -> Option<Sid> {
    let parts = usize::from(*bytes.get(1)?);
    Sid::from_bytes(bytes.get(..8 + 4 * parts)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::fixture::{descriptor, entry as entry_of};

    fn entry(kind: u8, mask: u32, object: Option<Uuid>) -> Vec<u8> {
        entry_of(kind, mask, object, &me())
    }

    fn me() -> Sid {
        "S-1-5-21-1-2-3-1105".parse().unwrap()
    }

    #[test]
    fn the_two_rights_and_reading_are_no_grant_and_everything_else_is() {
        let two = THE_TWO.map(|right| entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(right)));
        let reading = entry(ALLOWED, 0x0002_0094, None);
        assert_eq!(grants(&descriptor(&[two[0].clone(), two[1].clone(), reading])), Some(Vec::new()));
        for (entry, what) in [
            (entry(ALLOWED, CONTROL_ACCESS, None), "an extended right"),
            (entry(ALLOWED_OBJECT, CONTROL_ACCESS, None), "an extended right"),
            (entry(ALLOWED, 0x0004_0000, None), "change rights"),
            (entry(ALLOWED_OBJECT, 0x120, Some(THE_TWO[0])), "write attributes"),
            (entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(Uuid::nil())), "00000000-0000"),
        ] {
            let found = grants(&descriptor(&[entry])).unwrap();
            assert_eq!(found.len(), 1);
            assert!(found[0].trustee == me() && found[0].what.contains(what), "{found:?}");
        }
        let mut no_list = descriptor(&[]);
        no_list[16..20].fill(0);
        assert_eq!(grants(&no_list).unwrap().iter().filter(|grant| grant.is_all).count(), 1);
        let denied = entry(0x01, 0x0004_0000, None);
        assert_eq!(grants(&descriptor(&[denied])), Some(Vec::new()));
    }

    #[test]
    fn who_reaches_every_password_is_a_holder_and_nobody_else() {
        let inherit_only = |mut entry: Vec<u8>| {
            entry[1] = INHERIT_ONLY;
            entry
        };
        for (entry, rights) in [
            (
                entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(GET_CHANGES_ALL)),
                "Replicating Directory Changes All",
            ),
            (entry(ALLOWED_OBJECT, CONTROL_ACCESS, None), "all extended rights"),
            (entry(ALLOWED_CALLBACK, CONTROL_ACCESS, None), "all extended rights"),
            (entry(ALLOWED, 0x1000_0000, None), "full control"),
            (entry(ALLOWED, 0x4000_0000, None), "writing every attribute"),
            (entry(ALLOWED, 0x0000_0020, None), "writing every attribute"),
            (entry(ALLOWED, 0x0004_0000, None), "changing rights"),
            (entry(ALLOWED, 0x0008_0000, None), "taking ownership"),
            (entry(ALLOWED_OBJECT, 0x0004_0000, Some(Uuid::nil())), "changing rights"),
        ] {
            let found = holders(&descriptor(std::slice::from_ref(&entry))).unwrap();
            assert_eq!(found, [Holder { trustee: me(), rights: rights.to_owned() }]);
            assert_eq!(holders(&descriptor(&[inherit_only(entry)])), Some(Vec::new()), "{rights}");
        }
        for entry in [
            entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(THE_TWO[0])),
            entry(ALLOWED_OBJECT, 0x0000_0020, Some(Uuid::nil())),
            entry(ALLOWED, 0x0002_0094, None),
            entry(0x01, 0x000f_01ff, None),
        ] {
            assert_eq!(holders(&descriptor(&[entry])), Some(Vec::new()));
        }
        let both = [entry(ALLOWED, 0x000f_01ff, None), entry(ALLOWED, CONTROL_ACCESS, None)];
        let [both] = &holders(&descriptor(&both)).unwrap()[..] else { panic!("each trustee once") };
        let rights = "writing every attribute, changing rights, taking ownership, all extended rights";
        assert_eq!(both.rights, rights);
        let mut owned = descriptor(&[]);
        let at = u8::try_from(owned.len()).unwrap();
        owned[4] = at;
        owned.extend(me().to_bytes());
        assert_eq!(holders(&owned).unwrap()[0].rights, "ownership");
        owned[16] = 0;
        assert_eq!(holders(&owned).unwrap()[0].trustee.to_string(), EVERYONE);
        let many = vec![entry(ALLOWED, 0x0004_0000, None); 255];
        let mut long = descriptor(&many);
        long[24..26].copy_from_slice(&(MOST + 1).to_le_bytes());
        assert_eq!(holders(&long), None, "more entries than are read");
    }

    #[test]
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let bytes = descriptor(&[
            entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(THE_TWO[0])),
            entry(ALLOWED, 0x0004_0000, None),
        ]);
        for end in 0..bytes.len() {
            assert_eq!(grants(&bytes[..end]), None, "{end}");
            assert_eq!(holders(&bytes[..end]), None, "{end}");
        }
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = (grants(&changed), holders(&changed));
            }
        }
    }
}
