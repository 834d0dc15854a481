//! Takes one link: who is in a group, who leads whom, to whom a password settings object applies. After all records of
//! its page, so that what came with it is known.
//! Neighbours: [`super::take`] calls it; [`landbridge_tenant_store::tables::links`] orders links by their stamps.

use crate::ingest::Outcome;
use crate::ingest::record::Page;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{links, objects};
use landbridge_wire::upload::{Link, Presence};
use uuid::Uuid;

/// Whether links may start from an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum LinkSource {
    /// They may: it is this domain's, or nobody knows it yet.
    Open,
    /// It is not in the cloud: whoever comes back brings its links again.
    Gone,
    /// It is another domain's.
    Foreign,
}

impl Page<'_> {
    /// Takes a link over. `last` is the object that the link before started from: a group's come together.
    pub(super) fn apply_link(
        &self,
        link: &Link,
        last: &mut Option<(Uuid, LinkSource)>,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let source = match *last {
            Some((object, source)) if object == link.from => source,
            Some(_) | None => self.link_source(link.from)?,
        };
        *last = Some((link.from, source));
        match source {
            LinkSource::Open => {
                let changed = links::put(self.writing, self.domain.id, link, self.full_compare)?;
                outcome.links += u32::from(changed);
            }
            LinkSource::Gone => {}
            LinkSource::Foreign => outcome.links_refused += 1,
        }
        Ok(())
    }

    fn link_source(&self, object: Uuid) -> Result<LinkSource, StoreError> {
        Ok(match objects::find(self.writing, object)? {
            Some(from) if from.domain != self.domain.id => LinkSource::Foreign,
            Some(from) if from.presence != Presence::Present => LinkSource::Gone,
            Some(_) | None => LinkSource::Open,
        })
    }
}

#[cfg(test)]
mod tests;
