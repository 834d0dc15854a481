//! Reserves the sign-in names of accounts that are not carried: nobody shall sign in under the name of an administrator.
//! Only keyed hashes of names leave, under a key of the tenant.
//! Neighbours: `super` calls it for each object that is not carried; `cycle::courier` sends the names.

use super::{Desk, translate};
use crate::error::PhsError;
use crate::mirror::{Object, Sent};
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::change::Change;
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::bounded::List;
use landbridge_wire::reserved::{ReservedAttribute, Reserving};
use landbridge_wire::upload::{ReservedName, Stamp};
use uuid::Uuid;

/// The stamp of a name whose own stamp is not known. Every other one is greater.
const NO_STAMP: Stamp = Stamp { version: 0, time: 0, invocation_id: Uuid::nil() };

impl Desk<'_, '_> {
    /// Reserves the names of an object that is not carried. `read`: the object, if it was read alone; `back`: the
    /// recycle bin gave it back, and its names do not come as a change.
    pub(super) fn leave_out(
        &mut self,
        object: &Object,
        change: &Change,
        mut read: Option<Change>,
        back: bool,
    ) -> Result<(), PhsError> {
        if back && !self.rules.full && object.kind.has_names() && self.rules.reserving.is_some() {
            read = self.alone(object.guid, false)?.map(|(alone, _)| alone);
        }
        self.reserve(object, read.as_ref().unwrap_or(change));
        Ok(())
    }

    /// Whether the tenant must learn that an object was deleted of which it has names and nothing else. In a full
    /// compare it drops what is not named.
    pub(super) fn frees_names(&self, object: &Object) -> bool {
        let domain = object.sid.as_ref().and_then(Sid::domain);
        self.rules.reserving.is_some()
            && !self.rules.full
            && object.kind.has_names()
            && object.sent != Some(Sent::Deleted)
            && domain.as_ref() == Some(self.rules.bounds.domain)
    }

    /// Reserves the names in a change of an object that is not carried. A value that was removed frees its names; in a
    /// full compare it is left out, because the tenant then drops what is not named.
    fn reserve(&mut self, object: &Object, change: &Change) {
        if object.deleted || !object.kind.has_names() {
            return;
        }
        for changed in &change.attributes {
            let value = match &changed.value {
                Some(Value::Text(text)) => text.as_str(),
                Some(_) | None if self.rules.full => continue,
                Some(_) | None => "",
            };
            let own = reserved_attribute(changed.attribute);
            let further = self.rules.alternate_login == Some(changed.attribute);
            for attribute in own.into_iter().chain(further.then_some(ReservedAttribute::AlternateLogin)) {
                self.reserve_value(object.guid, attribute, translate::stamp(changed.stamp), value);
            }
        }
    }

    /// Reserves the names of an object that cannot be read, as the mirror remembers them.
    pub(super) fn reserve_remembered(&mut self, object: &Object) {
        if object.deleted || !object.kind.has_names() {
            return;
        }
        for (attribute, value) in [
            (ReservedAttribute::SamAccountName, &object.sam),
            (ReservedAttribute::UserPrincipalName, &object.upn),
        ] {
            if let Some(value) = value {
                self.reserve_value(object.guid, attribute, NO_STAMP, value);
            }
        }
    }

    fn reserve_value(&mut self, object: Uuid, attribute: ReservedAttribute, stamp: Stamp, value: &str) {
        let hashes = |reserving: &Reserving| List::new(reserving.hashes(attribute, value)).ok();
        if let Some(hashes) = self.rules.reserving.and_then(hashes) {
            self.batch.reserved.push(ReservedName { object, attribute, stamp, hashes });
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other attribute is a sign-in name by itself")]
fn reserved_attribute(attribute: Attribute) -> Option<ReservedAttribute> {
    match attribute {
        Attribute::SamAccountName => Some(ReservedAttribute::SamAccountName),
        Attribute::UserPrincipalName => Some(ReservedAttribute::UserPrincipalName),
        _ => None,
    }
}
