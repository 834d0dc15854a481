//! Reserves the sign-in names of accounts that are not carried. phs sends them as keyed hashes; those of an account that
//! leaves are computed here, from the attributes that the tenant holds.
//!
//! Order: names change by the stamps of their attributes. A record of an account that is present or deleted deletes its
//! reserved names; in a full compare the first names of an attribute replace the stored ones, and at the commit those
//! that the cycle did not name are deleted.
//! Neighbours: [`super::apply_page`] calls it; [`landbridge_tenant_store::tables::names`] decides by the rows.

use super::outcome::Outcome;
use super::record::Page;
use landbridge_tenant_rules::model::Object;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::reserved_names::{self, Conflict};
use landbridge_tenant_store::tables::{audit, objects};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::reserved::{NameKey, Reserving};
use landbridge_wire::upload::{Kind, Presence, RESERVED_FROM, Record, ReservedName, Upload};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Limit on conflicts that get an audit entry each, for one account or at the first full compare; all are counted.
const MAX_AUDITED: usize = 100;
/// Limit on conflicts that are counted.
const MAX_COUNTED: u32 = 100_000;

impl Page<'_> {
    /// Applies the names of one attribute. A name that is new and that a carried account has too gets an audit entry.
    pub(super) fn apply_reserved(
        &self,
        name: &ReservedName,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        // 1. The tenant has the attributes of an account that is present: older names change nothing.
        let held = objects::find(self.writing, name.object)?;
        let mut newest = None;
        if held.is_some_and(|held| held.domain == self.domain.id && held.presence == Presence::Present) {
            let known = reserved_names::named_by(self.writing, name.object)?.into_iter();
            newest = known.filter(|(of, _, _)| *of == name.attribute).map(|(_, stamp, _)| stamp).next();
        }
        // 2. Store them.
        let applied = reserved_names::apply(
            self.writing,
            self.domain.id,
            name,
            newest,
            self.full_compare,
            self.replace,
        )?;
        let Some(new) = applied else { return Ok(()) };
        outcome.reserved += 1;
        // 3. Before the first full compare is complete, the names do not hold: it counts and names them at its end.
        if new.is_empty() || self.domain.reserved_since.is_none() {
            return Ok(());
        }
        let limit = u32::try_from(MAX_AUDITED).unwrap_or(u32::MAX);
        let conflicts = reserved_names::of_reserved(self.writing, self.domain.id, name.object, limit)?;
        let hash = |conflict: &Conflict| self.store.name_key().hash(&conflict.name);
        for conflict in conflicts.iter().filter(|conflict| new.contains(&hash(conflict))) {
            outcome.shared += 1;
            self.audit_conflict(conflict)?;
        }
        Ok(())
    }

    /// After the record of an account: its names are reserved no longer, or from now on. `held`: the row before.
    /// `first`: the first record of the account in this full compare, so its attributes may be older than the compare.
    pub(super) fn update_reserved(
        &self,
        record: &Record,
        held: Option<&Object>,
        first: bool,
    ) -> Result<(), StoreError> {
        if record.kind != Kind::Account {
            return Ok(());
        }
        match record.presence {
            Presence::Present | Presence::Deleted => {
                reserved_names::forget(self.writing, self.domain.id, record.object)
            }
            Presence::Privileged | Presence::OutOfScope => {
                let leaves = held.is_some_and(|held| held.presence == Presence::Present);
                // Before the first full compare nothing is reserved: it brings all names.
                let counts = self.domain.reserved_since.is_some() || self.full_compare.is_some();
                if leaves && counts { self.reserve_held(record.object, first) } else { Ok(()) }
            }
        }
    }

    /// Reserves the names of an account that leaves, from the attributes that the tenant holds. phs may send only what
    /// changes after this.
    fn reserve_held(&self, object: Uuid, first: bool) -> Result<(), StoreError> {
        let reserving = reserving(self.store.name_key(), &self.domain.dns_name, &self.domain.netbios_name)?;
        for (attribute, stamp, value) in reserved_names::named_by(self.writing, object)? {
            let hashes = value.map(|value| reserving.hashes(attribute, &value)).unwrap_or_default();
            let hashes = List::new(hashes).map_err(|_| defect("an attribute yields too many names"))?;
            let name = ReservedName { object, attribute, stamp, hashes };
            let cycle = self.full_compare.filter(|_| !first);
            reserved_names::apply(self.writing, self.domain.id, &name, None, cycle, self.replace)?;
        }
        Ok(())
    }

    /// At the commit of a full compare: deletes the names that it did not name. The first one that named all counts who
    /// becomes ambiguous, and from then on the names hold.
    pub(super) fn complete_reserved(&self, upload: &Upload, outcome: &mut Outcome) -> Result<(), StoreError> {
        let (writing, domain) = (self.writing, self.domain);
        // 1. A phs of an older version does not keep them up to date, so none are kept.
        if upload.level < RESERVED_FROM {
            reserved_names::drop_all(writing, domain.id)?;
            return reserved_names::set_since(writing, domain.id, None);
        }
        // 2. Count.
        reserved_names::drop_unnamed(writing, domain.id, upload.cycle)?;
        let conflicts = reserved_names::of_domain(writing, domain.id, MAX_COUNTED)?;
        let accounts: BTreeSet<Uuid> = conflicts.iter().map(|conflict| conflict.holder).collect();
        let number = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        outcome.ambiguous = Some(number);
        if domain.reserved_since.is_some() {
            return Ok(());
        }
        // 3. From now on they hold.
        for conflict in conflicts.iter().take(MAX_AUDITED) {
            self.audit_conflict(conflict)?;
        }
        let detail = format!(
            "from now on the names of accounts that are not carried sign nobody in; {number} accounts have such a name"
        );
        audit::append(writing, self.now, self.actor, "names-reserved", &domain.dns_name, &detail)?;
        outcome.begins_to_hold = true;
        reserved_names::set_since(writing, domain.id, Some(self.now))
    }

    /// An audit entry about a name that a carried account and one that is not carried have.
    pub(super) fn audit_conflict(&self, conflict: &Conflict) -> Result<(), StoreError> {
        let Conflict { name, holder, reserved, domain } = conflict;
        let detail = format!(
            "{reserved} of {domain}, which is not carried, also has the name {name}: it signs nobody in"
        );
        audit::append(self.writing, self.now, self.actor, "name-ambiguous", &holder.to_string(), &detail)
    }
}

/// With what the names of a domain are reserved. Both sides compute hashes by this.
pub(super) fn reserving(key: &NameKey, dns_name: &str, netbios_name: &str) -> Result<Reserving, StoreError> {
    let too_long = |_| defect("a domain with too long a name");
    Ok(Reserving {
        key: key.lend(|key| NameKey::from_bytes(key)).ok_or_else(|| defect("a key of names that is none"))?,
        dns_name: Text::new(dns_name).map_err(too_long)?,
        netbios_name: Text::new(netbios_name).map_err(too_long)?,
    })
}

fn defect(what: &str) -> StoreError {
    StoreError::Defect(what.to_owned())
}

#[cfg(test)]
mod tests;
