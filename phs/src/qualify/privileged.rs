//! The groups that AdminSDHolder protects (MS-ADTS 3.1.1.6.1). Their members are read before the first page, since in
//! the stream links come last, and adminCount lags behind by up to an hour.
//! Neighbours: `read::session` reads them, `mirror::links` stores them, `qualify` uses them for each account.

use crate::error::PhsError;
use crate::mirror::{Bounds, Kind, Mirror, Object, PROTECTED_USERS};
use crate::qualify::holders::is_in_domain;
use crate::qualify::standing::learn_whole;
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use crate::scope::Scope;
use landbridge_drsr::drs::change::{Linked, Page, Quarantined};
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::privileged::{BUILT_IN_GROUPS, GROUPS_OF_A_DOMAIN};
use std::collections::{HashSet, VecDeque};
use std::fmt::Display;
use tracing::{debug, instrument};
use uuid::Uuid;

/// RIDs of the protected groups that every domain has: Domain Admins, Domain Controllers, and the built-in ones. The
/// others exist only in the forest's root domain, or from a certain functional level on.
pub(crate) const IN_EVERY_DOMAIN: [u32; 8] = [512, 516, 544, 548, 549, 550, 551, 552];

/// The protected groups of a domain.
pub fn protected_groups(domain: &Sid) -> Vec<Sid> {
    let built_in = BUILT_IN_GROUPS.iter().filter_map(|rid| format!("S-1-5-32-{rid}").parse().ok());
    GROUPS_OF_A_DOMAIN.iter().map(|rid| domain.with_rid(*rid)).chain(built_in).collect()
}

/// Reads the protected groups, Protected Users and the holders, and the groups in them, without secrets. With `full` the
/// DC's members replace the stored ones. Otherwise they are added: a DC that lags behind must not remove a member; the
/// stream does.
///
/// # Errors
/// A group or one of its links cannot be read, or a group that every domain has is said not to exist: who is in it is
/// unknown.
#[instrument(level = "debug", skip_all)]
pub fn learn(
    mirror: &Mirror,
    singles: &mut dyn Singles,
    bounds: &Bounds<'_>,
    full: bool,
    pulse: &dyn Fn() -> Result<(), PhsError>,
) -> Result<(), PhsError> {
    let Bounds { domain, scope, .. } = *bounds;
    let mut groups = Groups { mirror, scope, full, seen: HashSet::new(), waiting: VecDeque::new() };
    let protected_users = domain.with_rid(PROTECTED_USERS);
    let holders = bounds.holders.iter().filter(|holder| is_in_domain(holder, domain));
    let wanted = bounds.protected.iter().chain(holders).chain([&protected_users]);
    for sid in wanted.cloned().collect::<HashSet<_>>() {
        let must_exist = bounds.protected.contains(&sid) && IN_EVERY_DOMAIN.contains(&sid.rid());
        match singles.object(ObjectId::Sid(sid.clone()), false)? {
            Some(page) => groups.apply(&page, &sid)?,
            None if must_exist => {
                let why = "the domain controller says that there is no such group, and every domain has it";
                return Err(PhsError::GroupUnreadable { group: sid.to_string(), why: why.to_owned() });
            }
            None => {}
        }
    }
    while let Some(member) = groups.waiting.pop_front() {
        pulse()?;
        if let Some(page) = singles.object(ObjectId::Guid(member), false)? {
            groups.apply(&page, &member)?;
        }
    }
    debug!(objects = groups.seen.len(), "the protected groups are resolved");
    Ok(())
}

/// Fails if one of these objects, which could not be read, is a group or may be one.
pub(super) fn may_be_a_group(mirror: &Mirror, unreadable: &[Quarantined]) -> Result<(), PhsError> {
    for Quarantined { object, why, .. } in unreadable {
        let known = object.map(|guid| mirror.object(guid)).transpose()?.flatten();
        let group = match (known, object) {
            (Some(known), _) if known.kind != Kind::Group => continue,
            (Some(known), _) => known.label(),
            (None, Some(guid)) => guid.to_string(),
            (None, None) => "an object without a name".to_owned(),
        };
        return Err(PhsError::GroupUnreadable { group, why: why.clone() });
    }
    Ok(())
}

struct Groups<'a> {
    mirror: &'a Mirror,
    scope: &'a Scope,
    full: bool,
    /// Groups and members that were read; none is read twice.
    seen: HashSet<Uuid>,
    waiting: VecDeque<Uuid>,
}

impl Groups<'_> {
    /// Applies what the DC sent of the object with this SID or objectGUID.
    fn apply(&mut self, page: &Page, object: &dyn Display) -> Result<(), PhsError> {
        if page.changes.is_empty() {
            may_be_a_group(self.mirror, &page.quarantined)?;
            if page.quarantined.is_empty() {
                let why = "the domain controller answers, and sends nothing of it".to_owned();
                return Err(PhsError::GroupUnreadable { group: object.to_string(), why });
            }
        }
        for change in &page.changes {
            let guid = change.object.guid;
            self.seen.insert(guid);
            let mut object = self.mirror.object(guid)?.unwrap_or_else(|| Object::unknown(guid));
            learn_whole(&mut object, change, self.scope);
            self.mirror.put(&object)?;
            may_be_a_group(self.mirror, &page.quarantined)?;
            // A single object comes with all of its links.
            if object.kind == Kind::Group && self.full {
                self.mirror.clear_links(guid)?;
            }
        }
        for link in page.links.iter().filter(|link| link.what == Linked::Member) {
            if link.present || self.full {
                self.mirror.apply_link(link)?;
            }
            if !link.present || !self.seen.insert(link.to.guid) {
                continue;
            }
            // A group is read for its members, and an unknown object because it may be a group.
            match self.mirror.object(link.to.guid)?.map(|known| known.kind) {
                Some(Kind::Person | Kind::Contact | Kind::Policy | Kind::Computer | Kind::Other) => {}
                Some(Kind::Group) | None => self.waiting.push_back(link.to.guid),
            }
        }
        Ok(())
    }
}
