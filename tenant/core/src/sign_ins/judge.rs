//! The derivation, and what AD would say after it.
//! Neighbours: [`super::Signin::decide`] has found the account and its turn; [`landbridge_tenant_rules::account_state`] says the rest.

use crate::sign_ins::{Signin, held, refused};
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::{Account, State, state};
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_rules::verdict::{Person, Verdict, Why};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::policies::{password_policy, signin_policy};
use landbridge_tenant_store::tables::{attributes, digests, domains, objects};
use landbridge_wire::upload::Presence;
use std::sync::Arc;
use uuid::Uuid;

impl Signin {
    /// Verifies the password and then the account, each as the store has it now.
    pub(super) fn judge(&self, object: Uuid, password: &Password, now: i64) -> Result<Verdict, StoreError> {
        let read = self.store.read(|connection| {
            let Some(account) = objects::find(connection, object)? else { return Ok(None) };
            let Some(domain) = domains::by_id(connection, account.domain)? else { return Ok(None) };
            let known = attributes::of(connection, object)?;
            let admission = signin_policy(connection, &domain, object, &known)?;
            let resultant = password_policy(connection, &domain, object, &known)?;
            let digest = digests::find(connection, object)?;
            Ok(Some((account, domain, known, digest, admission, resultant)))
        })?;
        let Some((account, domain, known, digest, admission, resultant)) = read else {
            self.spend(self.decoy(Profile::Strong), password);
            return Ok(refused(Why::UnknownName, None));
        };
        let no = |why| refused(why, Some(object));
        if admission.policy == SigninPolicy::Refuse {
            self.spend(self.decoy(self.usual_cost(domain.id)?), password);
            return Ok(no(Why::NotAdmitted));
        }
        // A name alone should be gone with the presence; this is the second lock on that door.
        let digest = digest.filter(|_| account.presence == Presence::Present);
        let Some(digest) = digest else {
            self.spend(self.decoy(self.usual_cost(domain.id)?), password);
            return Ok(no(Why::NoDigest));
        };
        let Ok(digest) = digest.open(self.store.seal_keys(), object) else {
            self.spend(self.decoy(self.usual_cost(domain.id)?), password);
            return Ok(no(Why::DigestUnreadable));
        };
        held(&self.usual).insert(domain.id, profile_of(digest.iterations()));
        if !self.spend(Arc::new(digest), password) {
            return Ok(no(Why::WrongPassword));
        }
        let state = state(&Account::known(&known, &resultant.policy, account.protected_user), now);
        if state != State::Usable {
            return Ok(Verdict::Refused {
                told: state.disclosable(),
                why: Why::State(state),
                object: Some(object),
            });
        }
        Ok(Verdict::Accepted(Person {
            object,
            user: known.user_principal_name,
            sam: known.sam_account_name,
            display_name: known.display_name,
            domain: domain.dns_name,
        }))
    }

    /// One derivation, counted.
    pub(super) fn spend(&self, digest: Arc<SaltedDigest>, password: &Password) -> bool {
        self.counts.derivations.one();
        self.verifiers.fits(digest, password)
    }

    /// A digest that nobody's password fits, of the cost that a name of this domain would have.
    pub(super) fn decoy_for(&self, folded: &str) -> Result<Arc<SaltedDigest>, StoreError> {
        let domain = self.store.read(|connection| domain_of(connection, folded))?.map(|domain| domain.id);
        let profile = match domain {
            Some(domain) => self.usual_cost(domain)?,
            None => Profile::Strong,
        };
        Ok(self.decoy(profile))
    }

    fn decoy(&self, profile: Profile) -> Arc<SaltedDigest> {
        match profile {
            Profile::Strong => self.strong.clone(),
            Profile::Entra => self.entra.clone(),
        }
    }

    /// What was seen last in this domain, or what one of its digests costs.
    fn usual_cost(&self, domain: i64) -> Result<Profile, StoreError> {
        if let Some(profile) = held(&self.usual).get(&domain) {
            return Ok(*profile);
        }
        let any = self.store.read(|connection| digests::any_of(connection, domain))?;
        let opened = any.and_then(|(object, digest)| digest.open(self.store.seal_keys(), object).ok());
        let Some(digest) = opened else { return Ok(Profile::Strong) };
        let profile = profile_of(digest.iterations());
        held(&self.usual).insert(domain, profile);
        Ok(profile)
    }
}

/// The profile whose cost is nearest.
fn profile_of(iterations: u32) -> Profile {
    let far = |profile: Profile| iterations.abs_diff(profile.iterations());
    if far(Profile::Entra) < far(Profile::Strong) { Profile::Entra } else { Profile::Strong }
}

/// The domain that a name would be of, were it anybody's; none: there is no domain at all.
pub(super) fn domain_of(connection: &Reading<'_>, folded: &str) -> Result<Option<Domain>, StoreError> {
    let named = match folded.split_once('\\') {
        Some((domain, _)) => Some(domain),
        None => folded.rsplit_once('@').map(|(_, domain)| domain),
    };
    let by_name = match named {
        Some(named) => domains::by_name(connection, named)?,
        None => None,
    };
    // A UPN suffix need not be a domain's name: then the first domain stands for all.
    Ok(match by_name {
        Some(domain) => Some(domain),
        None => domains::all(connection)?.into_iter().next(),
    })
}
