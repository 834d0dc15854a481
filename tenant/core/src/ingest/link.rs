//! Applies one link: a member of a group, the manager of an account, or an object that a password settings object
//! applies to.
//! Neighbours: [`super::apply_page`] applies links after all records of their page, because a link may start from an
//! object of the same page; [`landbridge_tenant_store::tables::links`] orders links by their stamps.

use crate::ingest::outcome::Outcome;
use crate::ingest::record::Page;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::{changes, links, objects};
use landbridge_wire::upload::{Link, Presence};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Whether a phs may write links that start from an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum LinkSource {
    /// Allowed: the object is of this domain, or is not stored yet.
    Open { is_stored: bool },
    /// Ignored: the object is not present. When it returns, phs uploads its links again.
    Gone,
    /// Refused: the object belongs to another domain.
    Foreign,
}

impl Page<'_> {
    /// Applies links, in their order.
    pub(super) fn apply_links(&self, links: &[Link], outcome: &mut Outcome) -> Result<(), StoreError> {
        // 1. What is stored, before any is applied, so that a server is asked for all of it at once. None: a link before it
        //    is between the same objects, so that it is to be read later.
        let stored = |link: &Link| links::stored(self.writing, self.domain.id, link);
        self.writing.ask_of_each_ahead(links, |link| stored(link).map(drop))?;
        let mut seen = HashSet::new();
        let once =
            |link: &Link| seen.insert((link.from, link.what, link.to)).then(|| stored(link)).transpose();
        let held: Vec<Option<Option<links::Stored>>> = links.iter().map(once).collect::<Result<_, _>>()?;
        // 2. What they start from.
        let mut starts: Vec<Uuid> = links.iter().map(|link| link.from).collect();
        starts.sort_unstable();
        starts.dedup();
        self.writing.ask_of_each_ahead(&starts, |object| self.link_source(*object).map(drop))?;
        let source = |object| Ok((object, self.link_source(object)?));
        let sources: HashMap<_, _> = starts.into_iter().map(source).collect::<Result<_, StoreError>>()?;
        // 3. Each of them.
        self.writing.change_each(links.iter().zip(held), |(link, held)| {
            let source =
                sources.get(&link.from).map_or_else(|| self.link_source(link.from), |found| Ok(*found))?;
            let held = held.map_or_else(|| stored(link), Ok)?;
            self.apply_link(link, held.as_ref(), source, outcome)
        })
    }

    fn apply_link(
        &self,
        link: &Link,
        held: Option<&links::Stored>,
        source: LinkSource,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        match source {
            LinkSource::Open { is_stored } => {
                let how = (self.full_compare, self.replace);
                if links::put(self.writing, self.domain.id, link, held, how)? {
                    if is_stored {
                        changes::note_stored(self.writing, link.from, self.now)?;
                    } else {
                        changes::note_object(self.writing, link.from, self.now)?;
                    }
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
        self.writing.ask_ahead(&[&|| self.is_of_another(object).map(drop), &|| {
            objects::find(self.writing, object).map(drop)
        }])?;
        if self.is_of_another(object)? {
            return Ok(LinkSource::Foreign);
        }
        Ok(match objects::find(self.writing, object)? {
            Some(from) if from.presence != Presence::Present => LinkSource::Gone,
            found => LinkSource::Open { is_stored: found.is_some() },
        })
    }
}

#[cfg(test)]
mod tests;
