//! Before the first page: what the entries of the scope name, and who is in which group where the scope goes by groups.
//! Neighbours: `super` calls it; `mirror::scope` keeps what was found.

use super::{Cycle, PLACES};
use crate::error::PhsError;
use crate::qualify;
use crate::read::pull::{ObjectId, Reading};
use landbridge_drsr::drs::change::Progress;

impl Cycle<'_> {
    /// Asks the DC what the entries name that were not looked up before. Those that were stay what they were, however
    /// they are called by now; one that was deleted is looked up anew. Until the cycle has ended the mirror is in nobody's
    /// order: the scope before it, too, would be looked up anew. Says whether any is another object than before.
    pub(super) fn look_up_entries(&mut self, full: bool) -> Result<bool, PhsError> {
        let scope = &self.order.scope;
        self.mirror.set_fact(PLACES, "")?;
        self.mirror.keep_entries(scope)?;
        let mut other = false;
        for dn in scope.entries() {
            if self.is_lost(dn)? || (full && self.is_gone(dn)?) {
                other |= qualify::look_up(dn, self.mirror, self.singles)?;
            }
        }
        self.mirror.unsettle();
        Ok(other)
    }

    /// Whether nobody knows any more what an entry names, or it was deleted: another object may bear its name by now.
    pub(super) fn is_lost(&self, dn: &str) -> Result<bool, PhsError> {
        let Some(guid) = self.mirror.entry(dn)? else { return Ok(true) };
        Ok(self.mirror.object(guid)?.is_none_or(|object| object.deleted))
    }

    /// Whether the DC does not hold any more what an entry names: the mirror may have slept through its deletion.
    fn is_gone(&mut self, dn: &str) -> Result<bool, PhsError> {
        let Some(guid) = self.mirror.entry(dn)? else { return Ok(true) };
        let page = self.singles.object(ObjectId::Guid(guid), false)?;
        Ok(page.is_none_or(|page| page.changes.iter().all(qualify::is_tombstone)))
    }

    /// Who is in which group, before anybody is told: in the stream links come last, and reading some thousand
    /// accounts alone afterwards would take long.
    pub(super) fn learn_links(&mut self) -> Result<(), PhsError> {
        let pages = (self.source)(None, Reading::OnlyLinks)?;
        loop {
            let page = self.next(&pages)?;
            let last = matches!(page.progress, Progress::Last(_));
            self.transaction(|cycle| {
                for link in page.links.iter().filter(|link| link.present) {
                    let (from, to) = (link.from.guid, link.to.guid);
                    cycle.mirror.set_link(link.what, from, to, Some(link.stamp))?;
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
