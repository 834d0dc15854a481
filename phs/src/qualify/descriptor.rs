//! Reads from a security descriptor who may do more than read (MS-DTYP 2.4.4, 2.4.6). Pure: bytes in, grants out.
//! Denials are ignored, so a grant that a denial revokes is reported too.
//! Neighbour: `command::check::account` looks for the delegated account among the grants.

use landbridge_drsr::drs::sid::Sid;
use uuid::{Uuid, uuid};

/// *Replicating Directory Changes* and *Replicating Directory Changes All* (MS-ADTS 5.1.3.2.1).
const THE_TWO: [Uuid; 2] =
    [uuid!("1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"), uuid!("1131f6ad-9c07-11d1-f79f-00c04fc2dcd2")];

/// ACCESS_ALLOWED_ACE, ACCESS_ALLOWED_OBJECT_ACE, and both with a condition.
const ALLOWED: u8 = 0x00;
const ALLOWED_OBJECT: u8 = 0x05;
const ALLOWED_CALLBACK: u8 = 0x09;
const ALLOWED_CALLBACK_OBJECT: u8 = 0x0b;
const OBJECT_TYPE: u32 = 1;
const INHERITED_TYPE: u32 = 2;

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

/// All grants of a self-relative descriptor; none if the descriptor is malformed.
pub(crate) fn grants(bytes: &[u8]) -> Option<Vec<Grant>> {
    let offset = |at: usize| usize::try_from(u32_at(bytes, at)?).ok();
    let (owner, list) = (offset(4)?, offset(16)?);
    let mut found = Vec::new();
    if owner != 0 {
        let (trustee, what) = (sid(bytes.get(owner..)?)?, "everything, as the owner".to_owned());
        found.push(Grant { trustee, what, is_all: true });
    }
    if list == 0 {
        // Without a list every account may do everything.
        let (trustee, what) = ("S-1-1-0".parse().ok()?, "everything, for want of any list".to_owned());
        found.push(Grant { trustee, what, is_all: true });
        return Some(found);
    }
    let list = bytes.get(list..)?;
    let count = u16_at(list, 4)?;
    let mut rest = list.get(8..)?;
    for _ in 0..count.min(MOST) {
        let size = usize::from(u16_at(rest, 2)?);
        let entry = rest.get(..size).filter(|entry| entry.len() >= 8)?;
        rest = rest.get(size..)?;
        found.extend(grant(entry)?);
    }
    Some(found)
}

/// One entry. `None`: it is malformed. `Some(None)`: it grants no more than reading and the two rights.
fn grant(entry: &[u8]) -> Option<Option<Grant>> {
    let mut mask = u32_at(entry, 4)?;
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
        // Denials, audits and labels.
        _ => return Some(None),
    }
    let trustee = sid(entry.get(at..)?)?;
    if object.is_some_and(|object| THE_TWO.contains(&object)) {
        mask &= !CONTROL_ACCESS;
    }
    let names: Vec<&str> =
        BEYOND_READING.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() {
        return Some(None);
    }
    let of = object.map(|object| format!(" ({object})")).unwrap_or_default();
    let what = format!("{}{of}", names.join(", "));
    Some(Some(Grant { trustee, what, is_all: mask & ALL != 0 }))
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

    fn me() -> Sid {
        "S-1-5-21-1-2-3-1105".parse().unwrap()
    }

    fn entry(kind: u8, mask: u32, object: Option<Uuid>) -> Vec<u8> {
        let mut body = mask.to_le_bytes().to_vec();
        if kind == ALLOWED_OBJECT {
            body.extend(u32::from(object.is_some()).to_le_bytes());
            body.extend(object.into_iter().flat_map(|object| object.to_bytes_le()));
        }
        body.extend(me().to_bytes());
        let size = u16::try_from(4 + body.len()).unwrap().to_le_bytes();
        [vec![kind, 0, size[0], size[1]], body].concat()
    }

    fn descriptor(entries: &[Vec<u8>]) -> Vec<u8> {
        let list = entries.concat();
        let mut bytes = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
        let size = u16::try_from(8 + list.len()).unwrap().to_le_bytes();
        let count = u8::try_from(entries.len()).unwrap();
        bytes.extend([4, 0, size[0], size[1], count, 0, 0, 0]);
        [bytes, list].concat()
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
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let bytes = descriptor(&[
            entry(ALLOWED_OBJECT, CONTROL_ACCESS, Some(THE_TWO[0])),
            entry(ALLOWED, 0x0004_0000, None),
        ]);
        for end in 0..bytes.len() {
            assert_eq!(grants(&bytes[..end]), None, "{end}");
        }
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = grants(&changed);
            }
        }
    }
}
