//! What others hang on, before anybody is told: containers, groups, policies, and what the entries of the scope name.
//! Neighbours: `super` calls it for every change of a page; `mirror::scope` looks up with it who is where.

use super::Desk;
use crate::error::PhsError;
use crate::mirror::{Kind, Mirror, Object, Sent};
use crate::qualify::translate;
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::change::{Change, Linked};
use tracing::warn;

/// In so many groups at most an object is looked for that was re-animated.
const MOST_GROUPS: u32 = 1000;

/// Asks the DC what an entry of the scope names. One that was deleted and is not there again names nobody, and everything
/// else goes on; one that never was there is a mistake in writing. Says whether it is another object than before.
pub fn look_up(dn: &str, mirror: &Mirror, singles: &mut dyn Singles) -> Result<bool, PhsError> {
    let page = singles.object(ObjectId::Dn(dn.to_owned()), false)?;
    let found = page.and_then(|page| page.changes.first().map(|change| change.object.guid));
    let before = mirror.entry(dn)?;
    match found {
        Some(guid) => {
            mirror.set_entry(dn, guid)?;
            Ok(before != Some(guid))
        }
        None if before.is_some() => {
            warn!(entry = dn, "an entry of [scope] was deleted in the directory: it names nobody");
            Ok(false)
        }
        None => Err(PhsError::NoSuchEntry(dn.to_owned())),
    }
}

impl Desk<'_, '_> {
    /// Takes over what others hang on: containers, groups, policies.
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
            // A tombstone has no links any more.
            Kind::Group | Kind::Policy => {
                self.batch.unsettled |= before.is_some_and(|(_, deleted)| deleted != object.deleted);
            }
            // Whatever is in it is somewhere else now.
            Kind::Other => self.batch.unsettled |= before != Some((object.parent, object.deleted)),
            Kind::Person | Kind::Contact | Kind::Computer => return Ok(()),
        }
        Ok(self.mirror.put(&object)?)
    }

    /// An OU that is left out may have been made again under its name, with people in it that come next.
    pub(super) fn look_up_deleted_entries(&mut self) -> Result<(), PhsError> {
        for dn in self.rules.scope().entries() {
            let named = self.mirror.entry(dn)?.map(|guid| self.mirror.object(guid)).transpose()?.flatten();
            if named.is_some_and(|named| named.deleted) {
                look_up(dn, self.mirror, self.singles)?;
            }
        }
        Ok(())
    }

    /// An object was re-animated. A tombstone loses its links, the recycle bin gives them back, and neither replicates: so
    /// the groups are asked that it was in, and it itself if it is one.
    fn reread_links_to(&mut self, object: &Object) -> Result<(), PhsError> {
        let itself = (object.kind == Kind::Group).then_some(object.guid);
        for group in self.mirror.groups_of(object.guid, MOST_GROUPS)?.into_iter().chain(itself) {
            let Some(page) = self.singles.object(ObjectId::Guid(group), false)? else { continue };
            let there = page.links.iter().any(|link| link.present && link.to.guid == object.guid);
            let held = self.mirror.link(Linked::Member, group, object.guid)?.filter(|_| !there);
            let told = self.mirror.object(group)?.is_some_and(|group| group.sent == Some(Sent::Present));
            if let (Some(mut held), true) = (held, told) {
                // No DC ever wrote this; whoever comes back by a new link comes with a later creation.
                held.written.version = held.written.version.saturating_add(1);
                self.batch.links.push(translate::wire_link(
                    group,
                    (Linked::Member, object.guid, held),
                    false,
                ));
            }
            self.mirror.clear_links(group)?;
            for link in &page.links {
                let present = link.present.then_some(link.stamp);
                self.mirror.set_link(link.what, link.from.guid, link.to.guid, present)?;
            }
            self.batch.unsettled = true;
        }
        Ok(())
    }
}

/// It was deleted, and is not any more: the attribute is told, without a value.
fn is_back(change: &Change) -> bool {
    let told = change.attributes.iter().find(|a| a.attribute == Attribute::IsDeleted);
    told.is_some_and(|told| told.value != Some(Value::Boolean(true)))
}
