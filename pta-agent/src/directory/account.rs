//! The facts that an account may read of itself and of its domain after its own good bind: whether it is the account
//! that the request names, whether it is protected, and the lockout policy that applies to it. Pure;
//! [`super::controller`] reads.
//!
//! A domain controller tries eleven forms of name, and the display name before the SID (MS-ADTS 5.1.1.1.1). So if the
//! display name of another account is this SID, a bind by the SID reaches that account. The bound connection shows
//! which account was reached: the rootDSE's tokenGroups has the SIDs of its security context (MS-ADTS 3.1.1.3.2).
//! Neighbours: [`super::bind`] withholds the answer for a protected account, and gives none for another account.

use super::failed_binds::LockoutPolicy;
use super::requested::RequestedAccount;
use landbridge_wire::privileged::{ACCOUNTS, BUILT_IN_GROUPS, GROUPS_OF_A_DOMAIN, PROTECTED_USERS};
use ldap3::SearchEntry;
use uuid::Uuid;

/// The attributes that are read of the account's own entry. `tokenGroups` has the SIDs of all groups, also of those
/// that contain the account through another group, and of the primary group.
pub(super) const OF_ACCOUNT: [&str; 7] = [
    "objectGUID",
    "objectSid",
    "adminCount",
    "tokenGroups",
    "msDS-ResultantPSO",
    "sAMAccountName",
    "pwdLastSet",
];
/// The attribute of the rootDSE with the SIDs of the account that the connection is bound as, and of its groups.
pub(super) const BOUND_AS: &str = "tokenGroups";
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

/// A SID of the NT authority, by its sub-authorities: of S-1-5-21-a-b-c-RID they are 21, a, b, c and the RID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sid(Vec<u32>);

impl Sid {
    /// Reads a SID as AD stores it (MS-DTYP 2.4.2.2). None: it is malformed, or of another authority.
    fn of(bytes: &[u8]) -> Option<Self> {
        let [1, count, 0, 0, 0, 0, 0, 5, rest @ ..] = bytes else { return None };
        let (parts, left) = rest.as_chunks::<4>();
        (left.is_empty() && parts.len() == usize::from(*count))
            .then(|| Self(parts.iter().map(|part| u32::from_le_bytes(*part)).collect()))
    }

    /// The last sub-authority: the relative id.
    pub(super) fn rid(&self) -> Option<u32> {
        self.0.last().copied()
    }
}

impl std::fmt::Display for Sid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S-1-5")?;
        self.0.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

/// The facts of an account's own entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnEntry {
    /// objectGUID.
    pub(super) object: Uuid,
    /// objectSid.
    pub(super) sid: Sid,
    /// Whether the account is privileged, or a member of Protected Users.
    pub(super) protected: bool,
    /// DN of the password settings object that applies to it. None: none does.
    pub(super) settings: Option<String>,
    /// sAMAccountName.
    pub(super) account: Option<String>,
    /// pwdLastSet: FILETIME.
    pub(super) password_set: Option<i64>,
}

impl OwnEntry {
    /// Reads the entry. None: it does not show the names or the groups of the account.
    pub(super) fn of(entry: &SearchEntry) -> Option<Self> {
        let groups = values(entry, "tokenGroups").into_iter().map(Sid::of).collect::<Option<Vec<_>>>()?;
        let sid = object_sid(entry)?;
        let object = Uuid::from_bytes_le((*values(entry, "objectGUID").first()?).try_into().ok()?);
        // Every account is in its primary group, so a list without a group is not the whole list.
        if groups.is_empty() {
            return None;
        }
        let admin_count = text(entry, "adminCount").is_some_and(|count| count != "0");
        let protected = admin_count || is_protected_account(&sid) || groups.iter().any(is_protected_group);
        let settings = text(entry, "msDS-ResultantPSO").map(str::to_owned);
        let account = text(entry, "sAMAccountName").map(str::to_owned);
        let password_set = text(entry, "pwdLastSet").and_then(|value| value.parse().ok());
        Some(Self { object, sid, protected, settings, account, password_set })
    }
}

/// The SID of an entry. None: the entry does not show one.
pub(super) fn object_sid(entry: &SearchEntry) -> Option<Sid> {
    Sid::of(values(entry, "objectSid").first()?)
}

/// The SIDs in the rootDSE of a bound connection, without those of other authorities, such as Everyone. Empty: the
/// rootDSE does not show them.
pub(super) fn bound_as(root: &SearchEntry) -> Vec<Sid> {
    values(root, BOUND_AS).into_iter().filter_map(Sid::of).collect()
}

/// The account of a good bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BindOwner {
    /// The requested account, which is an ordinary one.
    Ordinary(OwnEntry),
    /// A protected account, or an account that does not show whether it is protected.
    Protected,
    /// Another account than the requested one, or SID and objectGUID in the request belong to two accounts.
    Another,
}

/// The account of a good bind, by the SIDs of the bound connection and by the entry that has the requested name.
pub(super) fn bind_owner(requested: &RequestedAccount, bound_as: &[Sid], own: Option<OwnEntry>) -> BindOwner {
    // 1. A protected account, whatever its names are: the tenant receives no fact about it.
    if bound_as.is_empty() || bound_as.iter().any(|sid| is_protected_account(sid) || is_protected_group(sid))
    {
        return BindOwner::Protected;
    }
    // 2. The connection must be bound as the requested SID.
    let is_bound_as = |sid: &str| bound_as.iter().any(|bound| bound.to_string() == sid);
    if requested.sid.as_ref().is_some_and(|sid| !is_bound_as(sid.as_str())) {
        return BindOwner::Another;
    }
    // 3. The entry must show its facts, and be that of the same account.
    let Some(own) = own.filter(|own| !own.protected) else { return BindOwner::Protected };
    let sid = own.sid.to_string();
    let has_requested_names =
        own.object == requested.object && requested.sid.as_ref().is_none_or(|wanted| wanted.as_str() == sid);
    if has_requested_names && is_bound_as(&sid) { BindOwner::Ordinary(own) } else { BindOwner::Another }
}

/// The policy in an entry with these two attributes. None: the entry does not show it.
pub(super) fn policy(entry: &SearchEntry, names: [&str; 2]) -> Option<LockoutPolicy> {
    let [threshold, window] = names;
    let threshold = text(entry, threshold)?.parse().ok()?;
    Some(LockoutPolicy::of(threshold, text(entry, window).and_then(|value| value.parse().ok())))
}

/// The groups of any domain count: Enterprise Admins are a group of the forest's root domain.
fn is_protected_group(sid: &Sid) -> bool {
    let built_in = matches!(sid.0.as_slice(), [BUILT_IN, rid] if BUILT_IN_GROUPS.contains(rid));
    built_in || is_of_domain(sid, &GROUPS_OF_A_DOMAIN) || is_of_domain(sid, &[PROTECTED_USERS])
}

fn is_protected_account(sid: &Sid) -> bool {
    is_of_domain(sid, &ACCOUNTS)
}

fn is_of_domain(sid: &Sid, rids: &[u32]) -> bool {
    let parts = sid.0.as_slice();
    matches!(parts, [DOMAIN, domain @ .., rid] if domain.len() + 1 == OF_DOMAIN_SID && rids.contains(rid))
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
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

    const OBJECT: Uuid = Uuid::from_u128(0x1111_1111_2222_4333_8444_5555_5555_5555);

    fn account(rid: u32, groups: &[&[u32]], more: &[(&str, Vec<Vec<u8>>)]) -> Option<OwnEntry> {
        let mut all = vec![
            ("objectGUID", vec![OBJECT.to_bytes_le().to_vec()]),
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
        let (guid, own) = (vec![OBJECT.to_bytes_le().to_vec()], vec![sid(&[21, 1, 2, 3, 1105])]);
        let groups = vec![sid(&[21, 1, 2, 3, 513])];
        let whole = [("objectGUID", guid), ("objectSid", own), ("tokenGroups", groups)];
        assert!(OwnEntry::of(&entry(&whole)).is_some());
        for at in 0..whole.len() {
            for broken in [vec![], vec![vec![1, 2]], vec![vec![]]] {
                let mut less = whole.clone();
                less[at].1 = broken;
                assert_eq!(OwnEntry::of(&entry(&less)), None, "{}", less[at].0);
            }
        }
    }

    /// The SIDs of a connection that is bound as this account.
    fn token(rid: u32, groups: &[&[u32]]) -> Vec<Sid> {
        let everyone = vec![1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let own = sid(&[21, 1, 2, 3, rid]);
        let all = [vec![own, everyone], groups.iter().map(|group| sid(group)).collect()].concat();
        bound_as(&entry(&[("tokenGroups", all)]))
    }

    fn requested(object: Uuid, sid: Option<&str>) -> RequestedAccount {
        RequestedAccount::new(object, sid, "S-1-5-21-1-2-3").unwrap()
    }

    const USERS: [&[u32]; 2] = [&[21, 1, 2, 3, 513], &[32, 545]];
    const ADMINS: [&[u32]; 2] = [&[21, 1, 2, 3, 513], &[21, 1, 2, 3, 512]];
    const OWN_SID: Option<&str> = Some("S-1-5-21-1-2-3-1105");

    #[test]
    fn the_good_bind_of_the_requested_account_is_its_own_by_either_name() {
        for sid in [OWN_SID, None] {
            let own = account(1105, &USERS, &[]);
            let found = bind_owner(&requested(OBJECT, sid), &token(1105, &USERS), own.clone());
            assert_eq!(found, BindOwner::Ordinary(own.unwrap()), "{sid:?}");
        }
    }

    #[test]
    fn a_bind_that_reached_another_account_than_the_requested_one_is_anothers() {
        let own = || account(1105, &USERS, &[]);
        let other = Uuid::from_u128(2);
        // The display name of 1106 is the SID of 1105: the entry is that of 1105, and the connection is bound as 1106.
        assert_eq!(bind_owner(&requested(OBJECT, OWN_SID), &token(1106, &USERS), own()), BindOwner::Another);
        assert_eq!(bind_owner(&requested(OBJECT, None), &token(1106, &USERS), own()), BindOwner::Another);
        // Also where the entry of 1105 cannot be read by 1106.
        assert_eq!(bind_owner(&requested(OBJECT, OWN_SID), &token(1106, &USERS), None), BindOwner::Another);
        // The request's names belong to two accounts.
        for sid in [OWN_SID, None] {
            assert_eq!(
                bind_owner(&requested(other, sid), &token(1105, &USERS), own()),
                BindOwner::Another,
                "{sid:?}"
            );
        }
        let entry_of_another = account(1106, &USERS, &[]);
        let found = bind_owner(&requested(OBJECT, OWN_SID), &token(1105, &USERS), entry_of_another);
        assert_eq!(found, BindOwner::Another);
    }

    #[test]
    fn of_a_protected_account_and_of_one_that_does_not_show_what_it_is_nothing_is_shown() {
        let other = Uuid::from_u128(2);
        for object in [OBJECT, other] {
            for sid in [OWN_SID, None] {
                let request = requested(object, sid);
                let by_entry = account(1105, &USERS, &[("adminCount", vec![b"1".to_vec()])]);
                assert_eq!(bind_owner(&request, &token(1105, &USERS), by_entry), BindOwner::Protected);
                let by_groups = account(1105, &USERS, &[]);
                assert_eq!(
                    bind_owner(&request, &token(1105, &ADMINS), by_groups.clone()),
                    BindOwner::Protected
                );
                assert_eq!(
                    bind_owner(&request, &token(500, &USERS), by_groups.clone()),
                    BindOwner::Protected
                );
                assert_eq!(bind_owner(&request, &[], by_groups), BindOwner::Protected, "no SIDs are shown");
                assert_eq!(
                    bind_owner(&request, &token(1105, &USERS), None),
                    BindOwner::Protected,
                    "no entry is shown"
                );
            }
        }
    }

    #[test]
    fn a_sid_reads_as_ad_prints_it_and_odd_bytes_are_none() {
        let read = Sid::of(&sid(&[21, 4_294_967_295, 2, 3, 1105])).unwrap();
        assert_eq!((read.to_string().as_str(), read.rid()), ("S-1-5-21-4294967295-2-3-1105", Some(1105)));
        let mut short = sid(&[21, 1]);
        short.pop();
        let mut long = sid(&[21, 1]);
        long.push(0);
        for odd in [vec![], vec![1], short, long, vec![2, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]] {
            assert_eq!(Sid::of(&odd), None, "{odd:?}");
        }
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
