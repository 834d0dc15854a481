//! Selects the offered passwords that are worth a derivation. In doubt, a password is selected.
//! Neighbours: phs derives the selected ones and uploads them; [`super::record`] decides again.

use crate::ingest::record::is_strong;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::privileged::rid_of;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::tables::{digests, objects};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::bounded::List;
use landbridge_wire::upload::{MAX_RECORDS, Stamp, Wanted};
use std::collections::HashSet;
use uuid::Uuid;

/// Returns the offered objects whose digest is absent, has another stamp, cannot be opened, or is cheaper than the
/// domain accepts. A stored stamp that is smaller means a new password; one that is greater may be replaced by a full
/// compare.
pub(super) fn missing(
    store: &Store,
    reading: &Reading<'_>,
    domain: &Domain,
    offered: &[(Uuid, Stamp)],
) -> Result<Wanted, StoreError> {
    let mut objects = Vec::new();
    let mut seen = HashSet::new();
    for (object, stamp) in offered {
        if !seen.insert(*object) {
            continue;
        }
        if !is_held(store, reading, domain, *object, stamp)? {
            objects.push(*object);
        }
    }
    // There are no more than were offered, and the offer was bounded when it was read.
    debug_assert!(objects.len() <= MAX_RECORDS);
    Ok(Wanted { objects: List::new(objects).unwrap_or_default() })
}

fn is_held(
    store: &Store,
    reading: &Reading<'_>,
    domain: &Domain,
    object: Uuid,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let Some(account) = objects::present_account(reading, object)? else { return Ok(false) };
    if account.sid.is_none_or(|sid| rid_of(&sid, &domain.sid).is_none()) {
        return Ok(false);
    }
    let Some(held) = digests::find(reading, object)? else { return Ok(false) };
    Ok(held.stamp == *stamp
        && held.open(store.seal_keys(), object).is_ok_and(|digest| is_strong(&digest, domain)))
}
