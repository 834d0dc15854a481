//! What an account may read of itself and of its domain right after its own good bind: whether it is protected, and
//! the lockout policy that holds for it. Pure; [`super::controller`] reads the entries.
//! Neighbours: [`super::bind`] withholds the answer for a protected account.

use super::failed_binds::LockoutPolicy;
use landbridge_wire::privileged::{ACCOUNTS, BUILT_IN_GROUPS, GROUPS_OF_A_DOMAIN, PROTECTED_USERS};
use ldap3::SearchEntry;

/// The attributes that are read of the account's own entry. `tokenGroups` has the SIDs of all groups, through others
/// too, and the primary group.
pub(super) const OF_ACCOUNT: [&str; 4] = ["objectSid", "adminCount", "tokenGroups", "msDS-ResultantPSO"];
/// The attributes that are read of the domain's head.
pub(super) const OF_DOMAIN: [&str; 2] = ["lockoutThreshold", "lockOutObservationWindow"];
/// The attributes that are read of a password settings object.
pub(super) const OF_SETTINGS: [&str; 2] = ["msDS-LockoutThreshold", "msDS-LockoutObservationWindow"];

/// The sub-authorities of S-1-5-21-a-b-c-RID, without the RID.
const OF_DOMAIN_SID: usize = 4;
/// First sub-authority of a domain's SIDs.
const DOMAIN: u32 = 21;
/// First sub-authority of the built-in groups.
const BUILT_IN: u32 = 32;

/// What an account reads of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnEntry {
    /// Privileged, or a member of Protected Users.
    pub(super) protected: bool,
    /// DN of the password settings object that holds for it.
    pub(super) settings: Option<String>,
}

impl OwnEntry {
    /// Reads the entry. None: it does not show its groups, so nothing is known.
    pub(super) fn of(entry: &SearchEntry) -> Option<Self> {
        let sids =
            |name: &str| values(entry, name).into_iter().map(sub_authorities).collect::<Option<Vec<_>>>();
        let (own, groups) = (sids("objectSid")?, sids("tokenGroups")?);
        // Every account is in its primary group, so a list without a group is not the whole list.
        if own.is_empty() || groups.is_empty() {
            return None;
        }
        let admin_count = text(entry, "adminCount").is_some_and(|count| count != "0");
        let protected = admin_count
            || own.iter().any(|sid| is_of_domain(sid, &ACCOUNTS))
            || groups.iter().any(|sid| is_protected_group(sid));
        Some(Self { protected, settings: text(entry, "msDS-ResultantPSO").map(str::to_owned) })
    }
}

/// The policy in an entry with these two attributes; none: the entry does not show it.
pub(super) fn policy(entry: &SearchEntry, names: [&str; 2]) -> Option<LockoutPolicy> {
    let [threshold, window] = names;
    let threshold = text(entry, threshold)?.parse().ok()?;
    Some(LockoutPolicy::of(threshold, text(entry, window).and_then(|value| value.parse().ok())))
}

/// The groups of any domain count: Enterprise Admins are a group of the forest's root domain.
fn is_protected_group(sid: &[u32]) -> bool {
    let built_in = matches!(sid, [BUILT_IN, rid] if BUILT_IN_GROUPS.contains(rid));
    built_in || is_of_domain(sid, &GROUPS_OF_A_DOMAIN) || is_of_domain(sid, &[PROTECTED_USERS])
}

fn is_of_domain(sid: &[u32], rids: &[u32]) -> bool {
    matches!(sid, [DOMAIN, domain @ .., rid] if domain.len() + 1 == OF_DOMAIN_SID && rids.contains(rid))
}

/// The sub-authorities of a SID as AD stores it (MS-DTYP 2.4.2.2). None: no SID of the NT authority.
fn sub_authorities(sid: &[u8]) -> Option<Vec<u32>> {
    let [1, count, 0, 0, 0, 0, 0, 5, rest @ ..] = sid else { return None };
    let (parts, left) = rest.as_chunks::<4>();
    (left.is_empty() && parts.len() == usize::from(*count))
        .then(|| parts.iter().map(|part| u32::from_le_bytes(*part)).collect())
}

/// The values of an attribute. The library gives those of an attribute as text if all of them are UTF-8.
fn values<'a>(entry: &'a SearchEntry, name: &str) -> Vec<&'a [u8]> {
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    let texts = entry.attrs.iter().filter(|(other, _)| same(other));
    let bytes = entry.bin_attrs.iter().filter(|(other, _)| same(other));
    let texts = texts.flat_map(|(_, values)| values.iter().map(String::as_bytes));
    texts.chain(bytes.flat_map(|(_, values)| values.iter().map(Vec::as_slice))).collect()
}

fn text<'a>(entry: &'a SearchEntry, name: &str) -> Option<&'a str> {
    let first = values(entry, name).into_iter().next()?;
    std::str::from_utf8(first).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn sid(parts: &[u32]) -> Vec<u8> {
        let count = u8::try_from(parts.len()).unwrap_or(0);
        let mut bytes = vec![1, count, 0, 0, 0, 0, 0, 5];
        parts.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
        bytes
    }

    /// An entry as the library gives it: values that are UTF-8 as text.
    fn entry(values: &[(&str, Vec<Vec<u8>>)]) -> SearchEntry {
        let (mut attrs, mut bin_attrs) = (HashMap::new(), HashMap::new());
        for (name, values) in values {
            let texts: Result<Vec<String>, _> = values.iter().cloned().map(String::from_utf8).collect();
            match texts {
                Ok(texts) => drop(attrs.insert((*name).to_owned(), texts)),
                Err(_) => drop(bin_attrs.insert((*name).to_owned(), values.clone())),
            }
        }
        SearchEntry { dn: "CN=x".to_owned(), attrs, bin_attrs }
    }

    fn account(rid: u32, groups: &[&[u32]], more: &[(&str, Vec<Vec<u8>>)]) -> Option<OwnEntry> {
        let mut all = vec![
            ("objectSid", vec![sid(&[21, 1, 2, 3, rid])]),
            ("tokenGroups", groups.iter().map(|group| sid(group)).collect()),
        ];
        all.extend_from_slice(more);
        OwnEntry::of(&entry(&all))
    }

    fn is_protected(rid: u32, groups: &[&[u32]]) -> Option<bool> {
        account(rid, groups, &[]).map(|own| own.protected)
    }

    #[test]
    fn an_ordinary_account_is_not_protected() {
        assert_eq!(is_protected(1105, &[&[21, 1, 2, 3, 513], &[32, 545], &[21, 1, 2, 3, 1200]]), Some(false));
        // 512 of something that is no domain, and 544 of a domain.
        assert_eq!(is_protected(1105, &[&[21, 1, 2, 3, 513], &[32, 512], &[21, 1, 2, 3, 544]]), Some(false));
    }

    #[test]
    fn members_of_each_protected_group_of_any_domain_and_of_protected_users_are_protected() {
        for rid in GROUPS_OF_A_DOMAIN.into_iter().chain([PROTECTED_USERS]) {
            assert_eq!(is_protected(1105, &[&[21, 1, 2, 3, 513], &[21, 1, 2, 3, rid]]), Some(true), "{rid}");
            assert_eq!(is_protected(1105, &[&[21, 9, 9, 9, rid]]), Some(true), "{rid} of another domain");
        }
        for rid in BUILT_IN_GROUPS {
            assert_eq!(is_protected(1105, &[&[21, 1, 2, 3, 513], &[32, rid]]), Some(true), "{rid}");
        }
    }

    #[test]
    fn administrator_krbtgt_and_an_account_with_an_admin_count_are_protected() {
        for rid in ACCOUNTS {
            assert_eq!(is_protected(rid, &[&[21, 1, 2, 3, 513]]), Some(true), "{rid}");
        }
        let counted = |count: &str| {
            let more = [("adminCount", vec![count.as_bytes().to_vec()])];
            account(1105, &[&[21, 1, 2, 3, 513]], &more).map(|own| own.protected)
        };
        assert_eq!((counted("0"), counted("1")), (Some(false), Some(true)));
    }

    #[test]
    fn an_entry_that_does_not_show_its_groups_says_nothing() {
        assert_eq!(account(1105, &[], &[]), None);
        assert_eq!(OwnEntry::of(&entry(&[])), None);
        let broken =
            entry(&[("objectSid", vec![sid(&[21, 1, 2, 3, 1105])]), ("tokenGroups", vec![vec![1, 2]])]);
        assert_eq!(OwnEntry::of(&broken), None);
    }

    #[test]
    fn a_lockout_policy_is_read_from_the_head_and_from_a_password_settings_object() {
        let bytes = |text: &str| vec![text.as_bytes().to_vec()];
        let head =
            entry(&[("lockoutThreshold", bytes("5")), ("lockOutObservationWindow", bytes("-6000000000"))]);
        let read = policy(&head, OF_DOMAIN).map(|policy| (policy.threshold, policy.window_seconds));
        assert_eq!(read, Some((5, 600)));
        let bare = entry(&[("msDS-LockoutThreshold", bytes("3"))]);
        let read = policy(&bare, OF_SETTINGS).map(|policy| (policy.threshold, policy.window_seconds));
        assert_eq!(read, Some((3, 1800)));
        assert_eq!(policy(&entry(&[]), OF_DOMAIN), None);
    }
}
