//! What cannot be read or carried of an object: notes it in the mirror's list, and has the tenant erase the digest of an
//! object that goes to quarantine.
//! Neighbours: `super` and `containers` find it; `mirror::flaws` has the list; [`Attribute::decides`] has the table of
//! what ends a sign-in and what is only left out.

use super::{Desk, Draft, standing};
use crate::error::PhsError;
use crate::mirror::{Flaw, Kind, Named, Sent};
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::change::Quarantined;
use landbridge_drsr::drs::dsname::Dsname;
use landbridge_wire::upload::Presence;
use tracing::debug;
use uuid::Uuid;

impl Desk<'_, '_> {
    /// Notes which attributes of an object that is carried are left out. `changed`: the attributes of this change; of a
    /// whole object all others have no value.
    pub(super) fn note_left_out(
        &mut self,
        object: &Dsname,
        changed: &[Attribute],
        left_out: &[(Attribute, &'static str)],
        whole: bool,
    ) -> Result<(), PhsError> {
        let Self { mirror, rules, .. } = *self;
        let named = Named { dn: &object.dn, ..Named::default() };
        let is_among = |attribute: &str| changed.iter().any(|one| one.name() == attribute);
        let stays = |attribute: &str| left_out.iter().any(|(one, _)| one.name() == attribute);
        for Flaw { attribute, quarantine, .. } in mirror.flaws_of(object.guid)? {
            let looked_at = !quarantine && !attribute.is_empty() && (whole || is_among(&attribute));
            if looked_at && !stays(&attribute) {
                mirror.clear_attribute(object.guid, &attribute)?;
            }
        }
        for (attribute, why) in left_out {
            debug!(guid = %object.guid, attribute = attribute.name(), why, "an attribute is left out");
            mirror.leave_out(object.guid, named, attribute.name(), why, rules.now)?;
            self.batch.left_out += 1;
        }
        Ok(())
    }

    /// Records what could not be read. Of an unreadable link the rest of the object is carried.
    pub(super) fn unreadable(&mut self, one: &Quarantined) -> Result<(), PhsError> {
        let Some(guid) = one.object else {
            self.batch.quarantined += 1;
            return Ok(());
        };
        let named = Named { dn: &one.dn, sam: one.sam.as_deref(), upn: one.upn.as_deref() };
        if !one.link {
            return self.quarantine(guid, named, one.attribute.map_or("", Attribute::name), &one.why);
        }
        debug!(%guid, why = %one.why, "a link is left out");
        self.batch.left_out += 1;
        self.odd_links.insert(guid);
        Ok(self.mirror.leave_out(guid, named, "", &one.why, self.rules.now)?)
    }

    /// Quarantines an object that cannot be read whole, and has the tenant erase its password, which may be outdated.
    pub(super) fn quarantine(
        &mut self,
        guid: Uuid,
        named: Named<'_>,
        attribute: &str,
        why: &str,
    ) -> Result<(), PhsError> {
        debug!(%guid, attribute, why, "to quarantine");
        self.batch.quarantined += 1;
        self.quarantined.insert(guid);
        self.mirror.quarantine(guid, named, attribute, why, self.rules.now)?;
        let Some(mut object) = self.mirror.object(guid)? else { return Ok(()) };
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        if !there || self.rules.full {
            self.reserve_remembered(&object);
        }
        if !there {
            return Ok(());
        }
        // The tenant may miss a new password, or that the account was disabled. In a full compare the tenant removes
        // the object, since it is not sent.
        object.sent = Some(Sent::Unsure);
        (object.password, object.password_at) = (None, None);
        self.mirror.put(&object)?;
        if object.kind == Kind::Person && (self.sweeps || !self.rules.full) {
            let privileged = standing::is_privileged(&object, &self.mirror.position(&object)?);
            let draft = Draft { privileged, erase_password: true, ..self.bare(&object, Presence::Present) };
            self.batch.drafts.push(draft);
        }
        Ok(())
    }
}
