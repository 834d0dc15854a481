//! Takes one link: who is in a group, who leads whom, to whom a password settings object applies. After all records of
//! its page, so that what came with it is known.
//! Neighbours: [`super::take`] calls it; [`crate::store::links`] orders links by their stamps.

use super::Outcome;
use super::record::Page;
use crate::store::{StoreError, links, objects};
use landbridge_wire::upload::{Link, Presence};

impl Page<'_> {
    /// Takes a link over, unless the object that it starts from is another domain's, or not in the cloud: whoever
    /// comes back brings its links again.
    pub(super) fn link(&self, link: &Link, outcome: &mut Outcome) -> Result<(), StoreError> {
        match objects::find(self.transaction, link.from)? {
            Some(from) if from.domain != self.domain.id => outcome.links_refused += 1,
            Some(from) if from.presence != Presence::Present => {}
            Some(_) | None => {
                let changed = links::put(self.transaction, self.domain.id, link, self.full_compare)?;
                outcome.links += u32::from(changed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
