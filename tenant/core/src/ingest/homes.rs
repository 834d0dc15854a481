//! An objectGUID belongs to its domain for ever: to the first one that uploaded the object, also after it was deleted
//! and erased. Only an administrator moves it. What another domain uploads of it is refused and raises an alarm.
//! Neighbours: [`super::record`] and [`super::link`] ask; [`crate::administration`] moves.

use crate::ingest::outcome::Outcome;
use crate::ingest::record::Page;
use crate::ingest::suffixes::MOST_ENTRIES;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{audit, domains, homes, refused_objects};
use uuid::Uuid;

impl Page<'_> {
    /// Whether the object belongs to another domain.
    pub(super) fn is_of_another(&self, object: Uuid) -> Result<bool, StoreError> {
        Ok(homes::find(self.writing, object)?.is_some_and(|home| home != self.domain.id))
    }

    /// Notes the objects of other domains that the page brought, for `domains move-objects`, and writes the alarm: one
    /// entry for an object and day, and at most ten for one upload.
    pub(super) fn note_refused_objects(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for object in &outcome.foreign {
            if refused_objects::note(self.writing, self.domain.id, *object, self.now)? {
                fresh.push(*object);
            }
        }
        let here = &self.domain.dns_name;
        for object in fresh.iter().take(MOST_ENTRIES) {
            let home = homes::find(self.writing, *object)?;
            let home = home.map(|home| domains::by_id(self.writing, home)).transpose()?.flatten();
            let home = home.map(|home| home.dns_name).unwrap_or_default();
            let detail = format!(
                "{here} uploaded it, and it belongs to {home}: if it moved in AD, `domains move-objects {home} {here}`"
            );
            self.audit("object-of-another-domain", *object, &detail)?;
        }
        let more = fresh.len().saturating_sub(MOST_ENTRIES);
        if more > 0 {
            let (action, detail) =
                ("object-of-another-domain", format!("{more} more objects of this upload"));
            audit::append(self.writing, self.now, self.actor, action, here, &detail)?;
        }
        if !fresh.is_empty() {
            refused_objects::prune(self.writing, self.domain.id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
