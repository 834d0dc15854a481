//! Who is never carried, and by which right: the trustees of the domain's head that can read or set every password, and
//! the accounts in them, directly or through groups. Read at the DC, so that it can be seen before the first cycle.
//! Accounts that have such a group as their primary group come from the mirror, since no object lists them.
//! Neighbours: `qualify::holders` holds the same accounts back; `check` prints the lines.

use crate::error::PhsError;
use crate::mirror::Mirror;
use crate::qualify::descriptor::Holder;
use crate::qualify::holders;
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Linked, Page};
use landbridge_drsr::drs::sid::Sid;
use std::collections::{BTreeSet, VecDeque};
use uuid::Uuid;

/// Limit on objects that are read.
const MOST: usize = 5_000;
/// Limit on accounts that are named for each trustee.
const NAMED: usize = 20;

/// What is found for one trustee.
pub(super) struct HeldBack {
    /// The trustee, its rights and its accounts, in a line.
    pub(super) line: String,
    /// The trustee stands for every account.
    pub(super) everybody: bool,
}

/// A line for each trustee that holds back an account; `also` has those that the configuration adds. `mirror` is there
/// once a cycle has run.
pub(super) fn held_back(
    singles: &mut dyn Singles,
    mirror: Option<&Mirror>,
    domain: &Sid,
    also: &[Sid],
) -> Result<Vec<HeldBack>, PhsError> {
    let mut trustees = holders::of_head(singles, domain)?;
    let named = |sid: &Sid| Holder { trustee: sid.clone(), rights: holders::ALSO.to_owned() };
    trustees.extend(also.iter().map(named));
    let mut lines = Vec::new();
    let mut left = MOST;
    for Holder { trustee, rights } in trustees {
        let text = trustee.to_string();
        if let Some(name) = holders::well_known(&text) {
            lines.push(HeldBack { line: format!("every account: {name} has {rights}"), everybody: true });
            continue;
        }
        if !holders::is_in_domain(&trustee, domain) {
            continue;
        }
        let mut found = members(singles, &trustee, &mut left)?;
        for (group, mirror) in found.groups.iter().filter_map(|group| Some((group, mirror?))) {
            let primary = mirror.people_of_primary_group(group.rid())?;
            found.accounts.extend(primary.into_iter().map(|name| format!("{name} (primary group {group})")));
        }
        if found.accounts.is_empty() && !found.everybody {
            continue;
        }
        let more = found.accounts.len().saturating_sub(NAMED);
        let mut who = found.accounts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
        if more > 0 {
            who.push_str(&format!("; and {more} more"));
        }
        if found.everybody {
            "every account".clone_into(&mut who);
        }
        let holder = found.name.map_or_else(|| text.clone(), |name| format!("{name} ({text})"));
        lines.push(HeldBack { line: format!("{who}: {holder} has {rights}"), everybody: found.everybody });
    }
    if left == 0 {
        let line = format!("more than {MOST} objects: not all were looked at");
        lines.push(HeldBack { line, everybody: false });
    }
    Ok(lines)
}

#[derive(Default)]
struct Members {
    /// The trustee's distinguished name.
    name: Option<String>,
    /// Accounts of people, by distinguished name; those by primary group by sign-in name.
    accounts: BTreeSet<String>,
    /// The trustee and the groups in it, by SID, if they are groups.
    groups: Vec<Sid>,
    /// A SID that stands for every account is among the members.
    everybody: bool,
}

/// The account or group with this SID, and all accounts of people in it. `left`: how many objects may still be read.
fn members(singles: &mut dyn Singles, trustee: &Sid, left: &mut usize) -> Result<Members, PhsError> {
    let mut found = Members::default();
    let Some(page) = read(singles, ObjectId::Sid(trustee.clone()), left)? else { return Ok(found) };
    found.name = page.changes.first().map(|change| change.object.dn.clone());
    let (mut seen, mut waiting) = (BTreeSet::<Uuid>::new(), VecDeque::from([page]));
    while let Some(page) = waiting.pop_front() {
        for change in &page.changes {
            let sid = change.object.sid.as_ref().map(ToString::to_string);
            found.everybody |= sid.is_some_and(|sid| holders::well_known(&sid).is_some());
            if is(change, Class::User) && !is(change, Class::Computer) {
                found.accounts.insert(change.object.dn.clone());
            }
            if is(change, Class::Group) {
                found.groups.extend(change.object.sid.clone());
            }
        }
        for link in page.links.iter().filter(|link| link.present && link.what == Linked::Member) {
            if seen.insert(link.to.guid) {
                waiting.extend(read(singles, ObjectId::Guid(link.to.guid), left)?);
            }
        }
    }
    Ok(found)
}

fn read(singles: &mut dyn Singles, which: ObjectId, left: &mut usize) -> Result<Option<Page>, PhsError> {
    match left.checked_sub(1) {
        Some(fewer) => *left = fewer,
        None => return Ok(None),
    }
    singles.object(which, false)
}

fn is(change: &Change, class: Class) -> bool {
    matches!(change.value(Attribute::ObjectClass), Some(Value::Classes(classes)) if classes.contains(&class))
}
