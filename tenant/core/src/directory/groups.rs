//! Groups as a person reads them: the list of groups, one group with its members, and the name of an object.
//! Neighbours: [`landbridge_tenant_store::tables::members`] and [`landbridge_tenant_store::tables::links`] have the
//! edges.

use crate::directory::named::Named;
use landbridge_tenant_rules::model::kind_text;
use landbridge_tenant_rules::model::presence_text;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_rules::names::fold_case;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::members::Which;
use landbridge_tenant_store::tables::{attributes, group_policies, links, members, objects};
use landbridge_wire::upload::{Kind, LinkKind, Presence};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use uuid::Uuid;

/// Limit on groups that one name matches. Two domains may have a group of one name; more than a few is a mistake.
const MAX_MATCHES: usize = 20;
/// Limit on members that are returned with their names, so that the answer stays within its 16 MiB.
const MAX_MEMBERS: usize = 1000;

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// objectGUID.
    pub object: Uuid,
    /// `DOMAIN\sam`.
    pub name: String,
    /// objectSid.
    pub sid: Option<String>,
    /// Its scope and purpose in words, as `global security`.
    pub kind: String,
    /// Number of direct members, those by primary group included.
    pub members: usize,
    /// The sign-in policy of the group; none: it has none of its own.
    pub signin: Option<SigninPolicy>,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDescribed {
    /// The group.
    #[serde(flatten)]
    pub group: GroupRow,
    /// DNS name of its domain.
    pub domain: String,
    /// displayName.
    pub display_name: Option<String>,
    /// description.
    pub description: Option<String>,
    /// mail.
    pub mail: Option<String>,
    /// Direct members, at most 1000.
    pub direct: Vec<Member>,
    /// Number of present accounts in it, directly or through other groups.
    pub accounts: usize,
    /// The groups that contain it, directly or through other groups.
    pub groups: Vec<Named>,
    /// The password settings objects that apply to it.
    pub password_settings: Vec<Named>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// objectGUID.
    pub object: Uuid,
    /// `DOMAIN\sam`, or another name of it.
    pub name: String,
    /// `account`, `group` or `contact`; `unknown`: phs did not upload the object.
    pub kind: String,
    /// `present`, or the reason why it is not.
    pub presence: String,
}

/// The present groups of every domain, at most `limit`, in the order of their names.
pub fn list(reading: &Reading<'_>, limit: u32) -> Result<Vec<GroupRow>, StoreError> {
    let mut rows = Vec::new();
    for domain in domains::all(reading)? {
        let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(rows.len());
        for group in objects::present(reading, domain.id, Kind::Group, left)? {
            rows.push(row(reading, &domain, group)?);
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

/// The groups with that name, of every domain, with their members.
pub fn describe(reading: &Reading<'_>, name: &str) -> Result<Vec<GroupDescribed>, StoreError> {
    let mut described = Vec::new();
    for domain in domains::all(reading)? {
        for group in find(reading, &domain, name)? {
            described.push(describe_group(reading, &domain, group)?);
        }
    }
    Ok(described)
}

fn row(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<GroupRow, StoreError> {
    let known = attributes::of(reading, group)?;
    let listed = group_policies::of(reading, domain.id)?;
    Ok(GroupRow {
        object: group,
        name: name_of(reading, domain, group)?,
        sid: objects::find(reading, group)?.and_then(|found| found.sid),
        kind: describe_type(known.group_type),
        members: members::count_in(reading, domain, group)?,
        signin: listed.into_iter().find(|one| one.group == group).map(|one| one.policy),
    })
}

fn describe_group(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<GroupDescribed, StoreError> {
    let known = attributes::of(reading, group)?;
    let direct = members::members_of(reading, domain, group, MAX_MEMBERS)?.into_iter().map(|object| {
        let found = objects::find(reading, object)?;
        let word = |found: Option<&'static str>| found.unwrap_or("unknown").to_owned();
        Ok(Member {
            object,
            name: name_of(reading, domain, object)?,
            kind: word(found.as_ref().map(|found| kind_text(found.kind))),
            presence: word(found.as_ref().map(|found| presence_text(found.presence))),
        })
    });
    let settings = links::sources(reading, domain.id, group, LinkKind::AppliesTo)?;
    let group_ids = members::groups_of(reading, domain, group, None, Which::All)?.unwrap_or_default();
    Ok(GroupDescribed {
        direct: direct.collect::<Result<_, StoreError>>()?,
        accounts: accounts_in(reading, domain, group)?.len(),
        groups: with_names(reading, domain, group_ids)?,
        password_settings: with_names(reading, domain, settings)?,
        group: row(reading, domain, group)?,
        domain: domain.dns_name.clone(),
        display_name: known.display_name,
        description: known.description,
        mail: known.mail,
    })
}

/// These objects with their names, in the order of the names.
pub fn with_names(
    reading: &Reading<'_>,
    domain: &Domain,
    objects: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<Named>, StoreError> {
    let named = |object| Ok(Named { object, name: name_of(reading, domain, object)? });
    let mut named_objects = objects.into_iter().map(named).collect::<Result<Vec<_>, StoreError>>()?;
    named_objects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(named_objects)
}

/// The manager of an account.
pub fn manager_of(
    reading: &Reading<'_>,
    domain: &Domain,
    account: Uuid,
) -> Result<Option<Named>, StoreError> {
    let manager = links::targets(reading, domain.id, account, LinkKind::Manager, 1)?;
    Ok(with_names(reading, domain, manager)?.into_iter().next())
}

/// Scope and purpose of a group in words (groupType, MS-ADTS 2.2.12).
fn describe_type(group_type: Option<i64>) -> String {
    let Some(flags) = group_type else { return "unknown".to_owned() };
    let scope = match flags & 0xe {
        2 => "global",
        4 => "domain-local",
        8 => "universal",
        _ => "odd",
    };
    let purpose = if flags & 0x8000_0000 != 0 { "security" } else { "distribution" };
    format!("{scope} {purpose}")
}

/// The present groups of the domain with that name. The name is a sAMAccountName, bare or as `DOMAIN\name`, a SID or an
/// objectGUID.
pub fn find(reading: &Reading<'_>, domain: &Domain, name: &str) -> Result<Vec<Uuid>, StoreError> {
    let bare = match name.split_once('\\') {
        Some((of, bare)) => {
            let of_here =
                fold_case(of) == fold_case(&domain.netbios_name) || fold_case(of) == domain.dns_name;
            if !of_here {
                return Ok(Vec::new());
            }
            bare
        }
        None => name,
    };
    let (wanted, guid) = (fold_case(bare), name.parse::<Uuid>().ok());
    objects::walk(reading, Kind::Group, MAX_MATCHES, |group, known| {
        let is_named = known.sam_account_name.as_deref().is_some_and(|sam| fold_case(sam) == wanted);
        let is_meant = is_named || group.sid.as_deref() == Some(name) || guid == Some(group.object);
        group.domain == domain.id && group.presence == Presence::Present && is_meant
    })
}

/// The name of an object, as it came: `DOMAIN\sam`, else its name or displayName, else its
/// objectGUID. The object may be of another domain than `domain`, as a member of a group may be.
pub fn name_of(reading: &Reading<'_>, domain: &Domain, object: Uuid) -> Result<String, StoreError> {
    let known = attributes::of(reading, object)?;
    let other = objects::find(reading, object)?.filter(|found| found.domain != domain.id);
    let other = other.map(|found| domains::by_id(reading, found.domain)).transpose()?.flatten();
    let netbios = &other.as_ref().unwrap_or(domain).netbios_name;
    let sam = known.sam_account_name.map(|sam| format!("{netbios}\\{sam}"));
    Ok(sam.or(known.name).or(known.display_name).unwrap_or_else(|| object.to_string()))
}

/// The present accounts in a group: directly, through other groups, and by primary group. It visits every nested group
/// without a limit, so only an administrator may cause it, or the end of a group that refuses.
pub fn accounts_in(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let mut seen = HashSet::from([group]);
    let mut open = vec![group];
    let mut accounts = Vec::new();
    while let Some(one) = open.pop() {
        for member in members::members_of(reading, domain, one, usize::MAX)? {
            if !seen.insert(member) {
                continue;
            }
            match objects::find(reading, member)? {
                Some(found) if found.domain != domain.id || found.presence != Presence::Present => {}
                Some(found) => match found.kind {
                    Kind::Account => accounts.push(member),
                    Kind::Group => open.push(member),
                    Kind::Contact | Kind::PasswordSettings | Kind::Container => {}
                },
                None => open.push(member),
            }
        }
    }
    Ok(accounts)
}
