//! uidNumber and gidNumber from a SID, as SSSD's id mapping computes them with its defaults: files keep their owners when a
//! host changes from SSSD with AD to this directory.
//!
//! SSSD cuts the numbers from 200,000 to 2,000,200,000 into 10,000 slices of 200,000. The hash of the domain's SID chooses a
//! slice, and the relative id (RID) counts in it. RIDs from 200,000 on have further slices, each chosen by the hash of the
//! domain's SID with the slice's first RID behind it; if that is the domain's own slice, it is the next one. What SSSD does
//! about two domains in one slice depends on the order in which a host meets them, and is not done here.
//! The facts are from `sss_idmap.c` of SSSD 2.8.2.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The first number, numbers in a slice, and slices: SSSD's `ldap_idmap_range_min`, `ldap_idmap_range_size` and what
/// follows from `ldap_idmap_range_max`.
const FIRST: u32 = 200_000;
const SLICE: u32 = 200_000;
const SLICES: u32 = 10_000;

/// AD gives no greater relative id, unless an administrator unlocks one more bit.
const MAX_RID: u32 = (1 << 30) - 1;

/// SSSD's seed.
const SEED: u32 = 0xdead_beef;

/// The number for an account or group. None: the SID is not that of a domain (`S-1-5-21-a-b-c`).
pub fn unix_id(domain_sid: &str, rid: u32) -> Option<u32> {
    let own = own_slice(domain_sid)?;
    // At most 2,000,199,999.
    Some(FIRST + slice(domain_sid, own, rid - rid % SLICE) * SLICE + rid % SLICE)
}

/// The slice of the first relative ids of a domain. None: the SID is not that of a domain, in the one form that is hashed.
fn own_slice(domain_sid: &str) -> Option<u32> {
    let canonical = |part: &str| part.parse::<u32>().is_ok_and(|number| number.to_string() == part);
    let mut parts = domain_sid.strip_prefix("S-1-5-21-")?.split('-');
    let three = parts.by_ref().take(3).filter(|part| canonical(part)).count() == 3;
    (three && parts.next().is_none()).then(|| murmur3(domain_sid.as_bytes()) % SLICES)
}

/// The slice of the relative ids from `first_rid` on.
fn slice(domain_sid: &str, own: u32, first_rid: u32) -> u32 {
    if first_rid == 0 {
        return own;
    }
    let further = murmur3(format!("{domain_sid}-{first_rid}").as_bytes()) % SLICES;
    if further == own { (own + 1) % SLICES } else { further }
}

/// The slices of a domain's relative ids up to AD's greatest, each with the first of its relative ids, in the order of the
/// slices. Computing the 5,369 hashes takes a millisecond.
type Slices = Arc<[(u32, u32)]>;

/// Slices of domains that were looked at: 42 KiB for each.
static KNOWN: Mutex<BTreeMap<String, Slices>> = Mutex::new(BTreeMap::new());

/// None: the SID is not that of a domain.
fn slices(domain_sid: &str) -> Option<Slices> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slices) = known.get(domain_sid) {
        return Some(slices.clone());
    }
    let own = own_slice(domain_sid)?;
    let firsts = (0..MAX_RID / SLICE + 1).map(|nth| nth * SLICE);
    let mut slices: Vec<(u32, u32)> = firsts.map(|first| (slice(domain_sid, own, first), first)).collect();
    slices.sort_unstable();
    let slices = Slices::from(slices);
    known.insert(domain_sid.to_owned(), slices.clone());
    Some(slices)
}

/// The relative ids of a domain for which [`unix_id`] gives this number, up to AD's greatest, 2³⁰ − 1. Usually there is one
/// or none.
pub fn rids(domain_sid: &str, id: u32) -> impl Iterator<Item = u32> + use<> {
    let from_first = id.checked_sub(FIRST);
    let found = from_first.and_then(|from_first| Some((from_first, slices(domain_sid)?)));
    found.into_iter().flat_map(|(from_first, slices)| {
        let wanted = from_first / SLICE;
        let begin = slices.partition_point(|(slice, _)| *slice < wanted);
        let end = slices.partition_point(|(slice, _)| *slice <= wanted);
        (begin..end).filter_map(move |at| Some(slices.get(at)?.1 + from_first % SLICE))
    })
}

/// MurmurHash3 of 32 bits, in the public domain by Austin Appleby.
fn murmur3(bytes: &[u8]) -> u32 {
    let mixed = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = SEED;
    for block in blocks {
        hash ^= mixed(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let last = tail.iter().rev().fold(0, |last, byte| (last << 8) | u32::from(*byte));
    hash ^= mixed(last);
    // A SID has at most 184 characters.
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_relative_id() {
        const SID: &str = "S-1-5-21-3623811015-3361044348-30300820";
        for rid in [500, 513, 1104, 199_999, 200_000, 1_000_001, MAX_RID] {
            let id = unix_id(SID, rid).unwrap_or_default();
            assert!(rids(SID, id).any(|found| found == rid), "{rid}");
        }
        assert_eq!(rids(SID, 0).next(), None);
        assert_eq!(rids(SID, u32::MAX).next(), None);
        assert_eq!(rids("S-1-5-32", 200_500).next(), None);
    }

    /// Recorded from `sss_idmap_add_auto_domain_ex` and `sss_idmap_sid_to_unix` of Debian's libsss-idmap0 2.8.2, with its
    /// defaults and a context for each domain.
    #[test]
    fn numbers_are_those_of_sssd() {
        for (domain, rid, number) in [
            ("S-1-5-21-1004336348-1177238915-682003330", 0, 266_800_000),
            ("S-1-5-21-1004336348-1177238915-682003330", 512, 266_800_512),
            ("S-1-5-21-1004336348-1177238915-682003330", 1104, 266_801_104),
            ("S-1-5-21-1004336348-1177238915-682003330", 199_999, 266_999_999),
            ("S-1-5-21-1004336348-1177238915-682003330", 200_000, 1_304_600_000),
            ("S-1-5-21-1004336348-1177238915-682003330", 399_999, 1_304_799_999),
            ("S-1-5-21-1004336348-1177238915-682003330", 1_234_567, 1_192_834_567),
            ("S-1-5-21-1004336348-1177238915-682003330", 2_200_000, 1_045_600_000),
            ("S-1-5-21-1004336348-1177238915-682003330", u32::MAX, 1_553_567_295),
            ("S-1-5-21-3623811015-3361044348-30300820", 1013, 674_001_013),
            ("S-1-5-21-1-2-3", 500, 686_200_500),
            ("S-1-5-21-4294967295-4294967295-4294967295", 513, 1_246_200_513),
            ("S-1-5-21-0-0-0", 513, 1_017_000_513),
            ("S-1-5-21-2127521184-1604012920-1887927527", 72_713, 882_672_713),
            ("S-1-5-21-10-200-3000", 1, 1_370_200_001),
            ("S-1-5-21-10-200-30000", 1, 91_200_001),
            ("S-1-5-21-10-200-300000", 1, 143_800_001),
            // The hash of the second slice is that of the first one.
            ("S-1-5-21-1-2-2659", 199_999, 628_999_999),
            ("S-1-5-21-1-2-2659", 200_001, 629_000_001),
            ("S-1-5-21-1-2-2973", 200_000, 955_400_000),
        ] {
            assert_eq!(unix_id(domain, rid), Some(number), "{domain}-{rid}");
        }
    }

    #[test]
    fn sids_of_no_domain_have_no_number() {
        for sid in [
            "S-1-5-32",
            "S-1-5-18",
            "S-1-5-21-1-2",
            "S-1-5-21-1-2-3-4",
            "S-1-5-21-1-2-4294967296",
            "S-1-5-21-01-2-3",
            "S-1-5-21-1-2-",
            "s-1-5-21-1-2-3",
            "",
        ] {
            assert_eq!(unix_id(sid, 1000), None, "{sid}");
        }
    }
}
