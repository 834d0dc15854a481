//! Objects that others depend on: containers, groups, policies, and the objects named in the scope. They are stored
//! in the mirror before anything is sent.
//! Neighbours: `super` calls it for every change of a page; `mirror::scope` uses the result.

use super::standing::kind_of;
use super::{Batch, Desk, Draft, Rules, is_tombstone};
use crate::error::PhsError;
use crate::mirror::{Kind, Mirror, Object, Sent};
use crate::qualify::translate;
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use crate::scope::ScopeList;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Linked};
use landbridge_wire::upload::{self, Presence};
use tracing::warn;
use uuid::Uuid;

/// Limit on groups in which a re-animated object is looked for.
const MOST_GROUPS: u32 = 1000;

/// Looks up at the DC which object an entry of the scope names. Returns whether it is another object than before. An
/// entry whose object was deleted names nothing from then on.
///
/// # Errors
/// The entry never named an object, or names one that its list cannot have.
pub fn look_up(
    list: ScopeList,
    dn: &str,
    mirror: &Mirror,
    singles: &mut dyn Singles,
) -> Result<bool, PhsError> {
    let page = singles.object(ObjectId::Dn(dn.to_owned()), false)?;
    let before = mirror.entry(dn)?;
    let is_it = |change: &Change| before == Some(change.object.guid);
    let found = page.as_ref().and_then(|page| page.changes.first());
    let found = found.filter(|change| !(is_it(change) && is_tombstone(change)));
    if let Some(why) = found.and_then(|found| unfit_entry(list, found)) {
        return Err(PhsError::WrongEntry { list: list.key(), dn: dn.to_owned(), why });
    }
    match found.map(|found| found.object.guid) {
        Some(guid) => {
            mirror.set_entry(dn, guid)?;
            Ok(before != Some(guid))
        }
        None if before.is_some() => {
            warn!(entry = dn, "an entry of [scope] was deleted in the directory: it names nobody");
            Ok(false)
        }
        None => Err(PhsError::NoSuchEntry { list: list.key(), dn: dn.to_owned() }),
    }
}

/// Why the list cannot have this object: what the object is, and what to do.
pub fn unfit_entry(list: ScopeList, found: &Change) -> Option<&'static str> {
    if is_tombstone(found) {
        return Some("was deleted: take it out");
    }
    let classes = found.value(Attribute::ObjectClass);
    match (kind_of(found), list.is_of_groups()) {
        (Kind::Group, true) | (Kind::Other, false) => None,
        (Kind::Group, false) => Some(
            "is a group: name it in `groups`; here are OUs and containers, and what is inside them counts",
        ),
        (Kind::Other, true) if is(classes, Class::ForeignSecurityPrincipal) => Some(
            "stands for an account or group of another domain, whose members are not known here: name a group of this \
             domain",
        ),
        (Kind::Other, true) => Some(
            "is no group: name OUs and containers in `include` or `exclude`; here are groups, by their members",
        ),
        (Kind::Person | Kind::Contact, true) => {
            Some("is an account or contact, and no group: make it a member of a group, and name that")
        }
        (Kind::Person | Kind::Contact, false) => {
            Some("is an account or contact, and no OU or container: move it into an OU, and name that")
        }
        (Kind::Computer, _) => {
            Some("is a computer or a managed service account, which is never carried: take it out")
        }
        (Kind::Policy, _) => Some("is a password policy, which is carried anyhow: take it out"),
    }
}

fn is(classes: Option<&Value>, class: Class) -> bool {
    matches!(classes, Some(Value::Classes(classes)) if classes.contains(&class))
}

/// Drafts a container that the tenant lacks.
pub fn send(
    mut container: Object,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
) -> Result<Batch, PhsError> {
    let mut at = Desk::new(mirror, singles, rules, true);
    at.send_container(&mut container)?;
    Ok(at.batch)
}

impl Desk<'_, '_> {
    /// Stores the change of a container, a group or a policy in the mirror.
    pub(super) fn apply_container(&mut self, change: &Change) -> Result<(), PhsError> {
        let guid = change.object.guid;
        let known = self.mirror.object(guid)?;
        let before = known.as_ref().map(|known| (known.parent, known.deleted));
        let mut object = match known {
            Some(known) => known,
            None if self.is_whole(change) => Object::unknown(guid),
            None => return Ok(()),
        };
        self.learn(&mut object, change);
        if is_back(change) {
            self.reread_links_to(&object)?;
        }
        match object.kind {
            // A tombstone has lost its links.
            Kind::Group | Kind::Policy => {
                self.batch.unsettled |= before.is_some_and(|(_, deleted)| deleted != object.deleted);
            }
            // Everything in it has moved with it.
            Kind::Other => self.batch.unsettled |= before != Some((object.parent, object.deleted)),
            Kind::Person | Kind::Contact | Kind::Computer => return Ok(()),
        }
        Ok(self.mirror.put(&object)?)
    }

    /// Drafts the containers above what is carried that the tenant lacks, up to the domain's head. In a full compare the
    /// sweep does, when all of them have come; a container that comes after what is in it begins a sweep too.
    pub(super) fn send_containers_above(&mut self, parent: Option<Uuid>) -> Result<(), PhsError> {
        let mut next = parent.filter(|_| !self.rules.full);
        while let Some(guid) = next {
            let Some(mut above) = self.mirror.object(guid)? else { break };
            let is_known = above.sent == Some(Sent::Container);
            if above.kind != Kind::Other || above.deleted || is_known {
                break;
            }
            next = above.parent;
            self.send_container(&mut above)?;
        }
        Ok(())
    }

    /// Drafts a container with its place in the tree.
    pub(super) fn send_container(&mut self, container: &mut Object) -> Result<(), PhsError> {
        // A state of before this program knows no stamp until the next full compare.
        let Some(named) = container.named else { return Ok(()) };
        let at = translate::stamp(named);
        let Object { rdn_type, rdn, parent, .. } = &*container;
        let attributes = translate::place(at, rdn_type.as_deref(), rdn.as_deref(), *parent).collect();
        let enters = container.sent != Some(Sent::Container);
        let draft = self.container_draft(container, Presence::Present);
        self.batch.drafts.push(Draft { attributes, enters, ..draft });
        self.containers.insert(container.guid);
        container.sent = Some(Sent::Container);
        container.told_at = Some(self.rules.now);
        Ok(self.mirror.put(container)?)
    }

    /// Drafts a change of a container that the tenant has: it was renamed, moved or deleted.
    pub(super) fn change_container(
        &mut self,
        container: &mut Object,
        change: &Change,
    ) -> Result<(), PhsError> {
        if container.deleted {
            self.batch.removed += 1;
            container.sent = Some(Sent::Deleted);
            container.told_at = Some(self.rules.now);
            let draft = self.container_draft(container, Presence::Deleted);
            self.batch.drafts.push(draft);
            return Ok(());
        }
        let renamed = change.attributes.iter().any(|changed| changed.attribute == Attribute::Name);
        // What is in it may come before it in the page, and has brought it along.
        if renamed && !self.rules.full && !self.containers.contains(&container.guid) {
            self.send_container(container)?;
            self.send_containers_above(container.parent)?;
        }
        Ok(())
    }

    fn container_draft(&self, container: &Object, presence: Presence) -> Draft {
        // The domain's head has a SID. It signs nobody in, so it is not sent.
        Draft { kind: upload::Kind::Container, sid: None, ..self.bare(container, presence) }
    }

    /// Looks up entries whose object was deleted: an excluded OU may have been created again, with accounts that come
    /// next.
    pub(super) fn look_up_deleted_entries(&mut self) -> Result<(), PhsError> {
        for (list, dn) in self.rules.scope().named_entries() {
            let named = self.mirror.entry(dn)?.map(|guid| self.mirror.object(guid)).transpose()?.flatten();
            if named.is_some_and(|named| named.deleted) {
                look_up(list, dn, self.mirror, self.singles)?;
            }
        }
        Ok(())
    }

    /// Reads the links of a re-animated object again. A tombstone loses its links and the recycle bin restores them,
    /// and neither replicates. So the groups that it was in are read, and the object itself if it is a group.
    fn reread_links_to(&mut self, object: &Object) -> Result<(), PhsError> {
        let itself = (object.kind == Kind::Group).then_some(object.guid);
        for group in self.mirror.groups_of(object.guid, MOST_GROUPS)?.into_iter().chain(itself) {
            let Some(page) = self.singles.object(ObjectId::Guid(group), false)? else { continue };
            let there = page.links.iter().any(|link| link.present && link.to.guid == object.guid);
            let held = self.mirror.link(Linked::Member, group, object.guid)?.filter(|_| !there);
            let present = self.mirror.object(group)?.is_some_and(|group| group.sent == Some(Sent::Present));
            if let (Some(mut held), true) = (held, present) {
                // No DC wrote this version. A new link that brings the object back has a later creation, which wins.
                held.written.version = held.written.version.saturating_add(1);
                let link = translate::wire_link(group, (Linked::Member, object.guid, held), false);
                self.batch.links.extend(link);
            }
            self.mirror.clear_links(group)?;
            for link in &page.links {
                self.mirror.apply_link(link)?;
            }
            self.batch.unsettled = true;
        }
        Ok(())
    }
}

/// Whether the object was deleted and is restored: isDeleted changed, and is not true.
fn is_back(change: &Change) -> bool {
    let deleted = change.attributes.iter().find(|a| a.attribute == Attribute::IsDeleted);
    deleted.is_some_and(|deleted| deleted.value != Some(Value::Boolean(true)))
}
