//! Selects the offered passwords that are worth a derivation. In doubt, a password is selected.
//! Neighbours: phs derives the selected ones and uploads them; [`super::record`] decides again.

use crate::ingest::record::is_strong;
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::privileged::rid_of;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::tables::{digests, objects};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::bounded::List;
use landbridge_wire::upload::{MAX_RECORDS, Offer, Stamp, Wanted};
use std::collections::HashSet;
use uuid::Uuid;

/// Returns the offered objects whose digest is absent, has another stamp, cannot be opened, or is cheaper than the
/// domain accepts; and apart from them those whose digest has fewer iterations than the offer names. A stored stamp
/// that is smaller means a new password; one that is greater may be replaced by a full compare.
pub(super) fn missing(
    store: &Store,
    reading: &Reading<'_>,
    domain: &Domain,
    offer: &Offer,
) -> Result<Wanted, StoreError> {
    let (mut objects, mut again) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    reading.ask_of_each_ahead(offer.passwords.as_slice(), |(object, _)| {
        reading.ask_ahead(&[&|| objects::find(reading, *object).map(drop), &|| {
            digests::find(reading, *object).map(drop)
        }])
    })?;
    for (object, stamp) in offer.passwords.as_slice() {
        if !seen.insert(*object) {
            continue;
        }
        match held(store, reading, domain, *object, stamp)? {
            Some(digest) if offer.iterations.is_some_and(|offered| digest.iterations() < offered) => {
                again.push(*object);
            }
            Some(digest) if is_strong(&digest, domain) => {}
            Some(_) | None => objects.push(*object),
        }
    }
    // There are no more than were offered, and the offer was bounded when it was read.
    debug_assert!(objects.len() + again.len() <= MAX_RECORDS);
    let list = |objects| List::new(objects).unwrap_or_default();
    Ok(Wanted { objects: list(objects), again: list(again) })
}

/// The digest that the tenant holds of this version of the password; none: it holds none, or cannot open it.
fn held(
    store: &Store,
    reading: &Reading<'_>,
    domain: &Domain,
    object: Uuid,
    stamp: &Stamp,
) -> Result<Option<SaltedDigest>, StoreError> {
    let Some(account) = objects::present_account(reading, object)? else { return Ok(None) };
    if account.sid.is_none_or(|sid| rid_of(&sid, &domain.sid).is_none()) {
        return Ok(None);
    }
    let held = digests::find(reading, object)?.filter(|held| held.stamp == *stamp);
    Ok(held.and_then(|held| held.open(store.seal_keys(), object).ok()))
}
