//! Digests that no password fits: verifying against one costs what a sign-in of its domain costs, so that a name that
//! nobody has takes as long as an account.
//! Neighbours: [`super::pass`] verifies against them.

use crate::lock::lock;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_tenant_store::tables::digests;
use landbridge_tenant_store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// One decoy for each profile, and which profile each domain uses.
pub(super) struct Decoys {
    strong: Arc<SaltedDigest>,
    entra: Arc<SaltedDigest>,
    /// The profile of the digest that was seen last, by the row of the domain.
    profiles: Mutex<HashMap<i64, Profile>>,
}

impl Decoys {
    pub(super) fn new() -> Self {
        Self {
            strong: Arc::new(SaltedDigest::decoy(Profile::Strong)),
            entra: Arc::new(SaltedDigest::decoy(Profile::Entra)),
            profiles: Mutex::default(),
        }
    }

    /// Notes what a digest of the domain costs.
    pub(super) fn note(&self, domain: i64, digest: &SaltedDigest) {
        lock(&self.profiles).insert(domain, profile_of(digest.iterations()));
    }

    /// A decoy of the usual cost of this domain; none: of the highest cost.
    pub(super) fn of(&self, store: &Store, domain: Option<i64>) -> Result<Arc<SaltedDigest>, StoreError> {
        let profile = match domain {
            Some(domain) => self.profile(store, domain)?,
            None => Profile::Strong,
        };
        Ok(match profile {
            Profile::Strong => self.strong.clone(),
            Profile::Entra => self.entra.clone(),
        })
    }

    /// The profile of the digest that was seen last, or of any digest of the domain.
    fn profile(&self, store: &Store, domain: i64) -> Result<Profile, StoreError> {
        if let Some(profile) = lock(&self.profiles).get(&domain) {
            return Ok(*profile);
        }
        let any = store.read(|reading| digests::any_of(reading, domain))?;
        let opened = any.and_then(|(object, digest)| digest.open(store.seal_keys(), object).ok());
        let Some(digest) = opened else { return Ok(Profile::Strong) };
        self.note(domain, &digest);
        Ok(profile_of(digest.iterations()))
    }
}

/// The profile whose cost is nearest.
fn profile_of(iterations: u32) -> Profile {
    let far = |profile: Profile| iterations.abs_diff(profile.iterations());
    if far(Profile::Entra) < far(Profile::Strong) { Profile::Entra } else { Profile::Strong }
}
