//! Checks that the delegated account has the two rights and no others that could be used against the domain: privileged
//! groups (directly or through other groups), flags, and grants at the domain's head. Not checked: other groups, rights
//! further down, and rights given elsewhere (`msDS-AllowedToDelegateTo`, group policies, DNS).
//! Neighbours: `qualify::descriptor` reads the grants; `check` collects the findings.

use crate::error::PhsError;
use crate::qualify::descriptor::{self, Grant};
use crate::qualify::holders::is_in_domain;
use crate::qualify::privileged::protected_groups;
use crate::read::pull::{Connection, ObjectId};
use crate::read::session::Singles;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Linked, Page};
use landbridge_drsr::drs::sid::Sid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

/// Domain Users: the primary group of every ordinary account.
const DOMAIN_USERS: i32 = 513;
/// Groups that AdminSDHolder does not protect and that are as powerful: Cert Publishers, Group Policy Creator Owners.
const ALSO_PRIVILEGED: [u32; 2] = [517, 520];
/// Groups of every account. Their default grants are harmless; a grant of everything is not.
const EVERYBODY: [(&str, &str); 2] = [("S-1-1-0", "Everyone"), ("S-1-5-11", "Authenticated Users")];
/// Limit on members and groups that are read.
const MOST: usize = 5000;

/// ADS_UF flags (MS-ADTS 2.2.16) that a service account must not have, and what they mean.
const FLAGS: [(i32, &str); 7] = [
    (0x0008_0000, "TRUSTED_FOR_DELEGATION: it may act as anybody who signs in to it"),
    (0x0100_0000, "TRUSTED_TO_AUTH_FOR_DELEGATION: it may act as others"),
    (0x0040_0000, "DONT_REQ_PREAUTH: its password can be guessed offline by anybody"),
    (0x0020_0000, "USE_DES_KEY_ONLY"),
    (0x0000_0080, "ENCRYPTED_TEXT_PWD_ALLOWED: its password is stored readably"),
    (0x0000_0020, "PASSWD_NOTREQD: its password may be empty"),
    (0x0000_2000, "SERVER_TRUST_ACCOUNT: it is a domain controller's"),
];

/// Excess rights of the account, a sentence each with what to do; empty if there are none. `connection` must be one
/// that requests security descriptors.
pub(super) fn excess(
    connection: &mut Connection,
    alone: &mut dyn Singles,
    sam: &str,
    domain: &Sid,
) -> Result<Vec<String>, PhsError> {
    let page = connection.account(sam)?;
    let account = page.changes.first().filter(|change| {
        matches!(change.value(Attribute::SamAccountName), Some(Value::Text(name)) if name.eq_ignore_ascii_case(sam))
    });
    let Some(account) = account else {
        return Ok(vec![format!("{sam} cannot be looked at: the DC names another object by it")]);
    };
    let mut found = flags(account);
    let grants = grants(connection, domain)?;
    let Some(grants) = grants else {
        found.push("the rights at the domain's head cannot be read".to_owned());
        return Ok(found);
    };
    let mut groups = Groups { alone, account, looked: 0 };
    let mut privileged = protected_groups(domain);
    privileged.extend(ALSO_PRIVILEGED.map(|rid| domain.with_rid(rid)));
    for sid in &privileged {
        if let Some(group) = groups.that_has_it(sid)? {
            found.push(format!("it is in {group}: take it out"));
        }
    }
    for grant in grants.iter().filter(|grant| grant.is_all) {
        if let Some((_, name)) = EVERYBODY.iter().find(|(sid, _)| grant.trustee.to_string() == *sid) {
            found.push(format!(
                "like all of {name} it holds at the domain's head: {}: take that away",
                grant.what
            ));
        }
    }
    for (trustee, whats) in by_trustee(grants) {
        // Everyone, SYSTEM and similar trustees are no groups of the domain.
        if privileged.contains(&trustee) || !is_in_domain(&trustee, domain) {
            continue;
        }
        let through = if account.object.sid.as_ref() == Some(&trustee) {
            String::new()
        } else if let Some(group) = groups.that_has_it(&trustee)? {
            format!(" through {group}")
        } else {
            continue;
        };
        let whats = whats.join("; ");
        found.push(format!("it holds at the domain's head{through}: {whats}: take that away"));
    }
    if groups.looked >= MOST {
        found.push(format!("its groups have more than {MOST} members: not all were looked at"));
    }
    Ok(found)
}

fn by_trustee(grants: Vec<Grant>) -> BTreeMap<Sid, Vec<String>> {
    let mut all = BTreeMap::<Sid, Vec<String>>::new();
    for grant in grants {
        all.entry(grant.trustee).or_default().push(grant.what);
    }
    all
}

fn flags(account: &Change) -> Vec<String> {
    let number = |attribute| match account.value(attribute) {
        Some(Value::Integer(number)) => *number,
        Some(_) | None => 0,
    };
    let uac = number(Attribute::UserAccountControl);
    let mut found: Vec<String> = FLAGS
        .iter()
        .filter(|(bit, _)| uac & bit != 0)
        .map(|(_, what)| format!("{what}: clear the flag"))
        .collect();
    if number(Attribute::AdminCount) != 0 {
        found.push(
            "its adminCount is not 0: it is or was privileged: take it out of such groups, clear it"
                .to_owned(),
        );
    }
    let primary = number(Attribute::PrimaryGroupId);
    if primary != DOMAIN_USERS {
        found.push(format!("its primary group is {primary}: make it {DOMAIN_USERS}, Domain Users"));
    }
    found
}

fn grants(connection: &mut Connection, domain: &Sid) -> Result<Option<Vec<Grant>>, PhsError> {
    let head = connection.object(ObjectId::Sid(domain.clone()), false)?;
    Ok(head.changes.first().and_then(|head| match head.value(Attribute::SecurityDescriptor) {
        Some(Value::Bytes(bytes)) => descriptor::grants(bytes),
        Some(_) | None => None,
    }))
}

struct Groups<'a> {
    alone: &'a mut dyn Singles,
    account: &'a Change,
    looked: usize,
}

impl Groups<'_> {
    /// The name of the group, if the account is a member, directly or through other groups.
    fn that_has_it(&mut self, group: &Sid) -> Result<Option<String>, PhsError> {
        let Some(page) = self.read(ObjectId::Sid(group.clone()))? else { return Ok(None) };
        let Some(name) = page.changes.first().map(|change| change.object.dn.clone()) else { return Ok(None) };
        let (mut seen, mut waiting) = (BTreeSet::<Uuid>::new(), VecDeque::from([page]));
        while let Some(page) = waiting.pop_front() {
            for link in page.links.iter().filter(|link| link.present && link.what == Linked::Member) {
                if link.to.guid == self.account.object.guid {
                    return Ok(Some(name));
                }
                if seen.insert(link.to.guid)
                    && let Some(member) = self.read(ObjectId::Guid(link.to.guid))?
                    && member.changes.iter().any(is_group)
                {
                    waiting.push_back(member);
                }
            }
        }
        Ok(None)
    }

    fn read(&mut self, which: ObjectId) -> Result<Option<Page>, PhsError> {
        if self.looked >= MOST {
            return Ok(None);
        }
        self.looked += 1;
        self.alone.object(which, false)
    }
}

fn is_group(change: &Change) -> bool {
    matches!(change.value(Attribute::ObjectClass), Some(Value::Classes(classes)) if classes.contains(&Class::Group))
}
