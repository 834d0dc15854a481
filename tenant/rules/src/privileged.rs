//! Which accounts are privileged by their own attributes, so that the tenant stores no digest for them. This is a
//! second check behind the one of phs (`qualify`), which also resolves group memberships.
//! Neighbours: the ingest calls this for every record of an upload.

use crate::model::{Attributes, Domain, sub_authority};
use landbridge_wire::privileged::{ACCOUNTS, GROUPS_OF_A_DOMAIN};

/// The account type of an ordinary user in userAccountControl.
const NORMAL_ACCOUNT: i64 = 0x200;
/// The other account types: temporary duplicate, interdomain trust, workstation trust, server trust.
const OTHER_TYPES: i64 = 0x100 | 0x800 | 0x1000 | 0x2000;

/// Whether this account is privileged, or not a person's account. An attribute that has not arrived does not make it
/// privileged: an account without userAccountControl is refused at the sign-in, and the check runs again when it
/// arrives.
pub fn is_privileged(rid: u32, known: &Attributes) -> bool {
    let no_person = known
        .user_account_control
        .is_some_and(|flags| flags & NORMAL_ACCOUNT == 0 || flags & OTHER_TYPES != 0);
    ACCOUNTS.contains(&rid)
        || known.admin_count.is_some_and(|count| count != 0)
        || known.primary_group_id.is_some_and(is_protected_group)
        || no_person
}

/// Whether an account with this SID is privileged, in a domain that was added without permission for privileged
/// accounts: by its own attributes, or because phs says so (`by_phs`). Such an account has no digest, and no password of
/// it is accepted.
pub fn lacks_permission(sid: Option<&str>, by_phs: bool, domain: &Domain, known: &Attributes) -> bool {
    let by_itself =
        || sid.and_then(|sid| rid_of(sid, &domain.sid)).is_none_or(|rid| is_privileged(rid, known));
    !domain.allow_privileged && (by_phs || by_itself())
}

/// The relative id of a SID of this domain; none: the SID is of another domain or malformed.
pub fn rid_of(sid: &str, domain_sid: &str) -> Option<u32> {
    sub_authority(sid.strip_prefix(domain_sid)?.strip_prefix('-')?)
}

/// Whether members of this group of a domain, by its RID, are privileged.
fn is_protected_group(rid: i64) -> bool {
    u32::try_from(rid).is_ok_and(|rid| GROUPS_OF_A_DOMAIN.contains(&rid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(uac: i64) -> Attributes {
        Attributes { user_account_control: Some(uac), ..Attributes::default() }
    }

    #[test]
    fn an_ordinary_user_is_not_privileged() {
        assert!(!is_privileged(1105, &known(0x200)));
        assert!(!is_privileged(1105, &known(0x1_0202)));
        assert!(!is_privileged(1105, &Attributes::default()));
        let users = Attributes { primary_group_id: Some(513), admin_count: Some(0), ..known(0x200) };
        assert!(!is_privileged(1105, &users));
    }

    #[test]
    fn administrator_and_krbtgt_are_privileged_by_their_rid_alone() {
        assert!(is_privileged(500, &known(0x200)));
        assert!(is_privileged(502, &Attributes::default()));
    }

    #[test]
    fn an_admin_count_makes_privileged() {
        assert!(is_privileged(1105, &Attributes { admin_count: Some(1), ..known(0x200) }));
    }

    #[test]
    fn a_protected_primary_group_makes_privileged() {
        for group in GROUPS_OF_A_DOMAIN.map(i64::from) {
            assert!(
                is_privileged(1105, &Attributes { primary_group_id: Some(group), ..known(0x200) }),
                "{group}"
            );
        }
    }

    #[test]
    fn computers_and_trusts_are_no_persons() {
        for uac in [0x1000, 0x2000, 0x800, 0x100, 0x1200, 0x2] {
            assert!(is_privileged(1105, &known(uac)), "{uac:#x}");
        }
    }
}
