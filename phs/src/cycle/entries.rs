//! Before the first page: resolves the names in the scope to objects and, if the scope names groups, reads their
//! members.
//! Neighbours: `super` calls it; `mirror::scope` stores the result.

use super::{Cycle, PLACES};
use crate::error::PhsError;
use crate::qualify;
use crate::read::pull::{ObjectId, Reading};
use landbridge_drsr::drs::change::Progress;

impl Cycle<'_> {
    /// Looks up at the DC the entries that are not resolved yet, and those whose object was deleted. A resolved entry
    /// stays with its object, whatever the object's name is now. Returns whether any entry names another object than
    /// before. The fact [`PLACES`] stays empty until the cycle ends, so that after an interruption the lookup is
    /// repeated.
    pub(super) fn look_up_entries(&mut self, full: bool) -> Result<bool, PhsError> {
        let scope = &self.order.scope;
        self.mirror.set_fact(PLACES, "")?;
        self.mirror.keep_entries(scope)?;
        let mut other = false;
        for (list, dn) in scope.named_entries() {
            if self.is_lost(dn)? || (full && self.is_gone(dn)?) {
                other |= qualify::look_up(list, dn, self.mirror, self.singles)?;
            }
        }
        self.mirror.unsettle();
        Ok(other)
    }

    /// Whether an entry is not resolved, or its object was deleted: another object may have its name now.
    pub(super) fn is_lost(&self, dn: &str) -> Result<bool, PhsError> {
        let Some(guid) = self.mirror.entry(dn)? else { return Ok(true) };
        Ok(self.mirror.object(guid)?.is_none_or(|object| object.deleted))
    }

    /// Whether the DC no longer holds an entry's object: the mirror may have missed its deletion.
    fn is_gone(&mut self, dn: &str) -> Result<bool, PhsError> {
        let Some(guid) = self.mirror.entry(dn)? else { return Ok(true) };
        let page = self.singles.object(ObjectId::Guid(guid), false)?;
        Ok(page.is_none_or(|page| page.changes.iter().all(qualify::is_tombstone)))
    }

    /// Reads all group members before the first page. In the stream links come last, and reading some thousand accounts
    /// one by one afterwards would take long.
    pub(super) fn learn_links(&mut self) -> Result<(), PhsError> {
        let pages = (self.source)(None, Reading::OnlyLinks)?;
        loop {
            let page = self.next(&pages)?;
            let last = matches!(page.progress, Progress::Last(_));
            self.transaction(|cycle| {
                for link in page.links.iter().filter(|link| link.present) {
                    cycle.mirror.apply_link(link)?;
                }
                Ok(())
            })?;
            self.witness.read(0);
            if last {
                return Ok(());
            }
        }
    }
}
