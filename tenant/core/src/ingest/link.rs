//! Applies one link: a member of a group, the manager of an account, or an object that a password settings object
//! applies to.
//! Neighbours: [`super::apply_page`] applies links after all records of their page, because a link may start from an
//! object of the same page; [`landbridge_tenant_store::tables::links`] orders links by their stamps.

use crate::ingest::outcome::Outcome;
use crate::ingest::record::Page;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{changes, links, objects};
use landbridge_wire::upload::{Link, Presence};
use uuid::Uuid;

/// Whether a phs may write links that start from an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum LinkSource {
    /// Allowed: the object is of this domain, or is not stored yet.
    Open,
    /// Ignored: the object is not present. When it returns, phs uploads its links again.
    Gone,
    /// Refused: the object belongs to another domain.
    Foreign,
}

impl Page<'_> {
    /// Applies a link. `last` is the start of the link before and what was found about it: the links of a group
    /// follow one another, so most links need no read.
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
                let changed =
                    links::put(self.writing, self.domain.id, link, self.full_compare, self.replace)?;
                if changed {
                    changes::note_object(self.writing, link.from, self.now)?;
                    outcome.links += 1;
                }
            }
            LinkSource::Gone => {}
            LinkSource::Foreign => {
                outcome.links_refused += 1;
                if outcome.foreign.last() != Some(&link.from) {
                    outcome.foreign.push(link.from);
                }
            }
        }
        Ok(())
    }

    fn link_source(&self, object: Uuid) -> Result<LinkSource, StoreError> {
        if self.is_of_another(object)? {
            return Ok(LinkSource::Foreign);
        }
        Ok(match objects::find(self.writing, object)? {
            Some(from) if from.presence != Presence::Present => LinkSource::Gone,
            Some(_) | None => LinkSource::Open,
        })
    }
}

#[cfg(test)]
mod tests;
