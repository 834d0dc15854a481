//! Which of several policies holds for an account: the password and lockout policy of its domain or of a password
//! settings object (MS-ADTS 3.1.1.4.5.36), and the sign-in policy of its domain or of one of its groups.
//!
//! AD's constructed attribute msDS-ResultantPSO does not replicate, so it is computed here, as AD does it: an object that
//! applies to the account itself comes before those that apply to its global security groups; of several the
//! smallest precedence holds, then the smallest objectGUID. Where that cannot be told (a domain whose first cycle is not
//! complete, an object that has not arrived, a precedence that is missing) nothing of the policy is known, and what is not
//! known signs nobody in.
//! Neighbours: [`crate::tables::members`] says who is in what; `signin` asks, `describe` shows.

use crate::Reading;
use crate::StoreError;
use crate::tables::members;
use crate::tables::members::Which;
use crate::tables::{attributes, group_policies, links, objects};
use landbridge_tenant_rules::model::{Attributes, Domain, Policy, SigninPolicy};
use landbridge_tenant_rules::policies::{Admission, PolicyOwner, Resultant};
use landbridge_wire::upload::{Kind, LinkKind, Presence};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which password and lockout policy holds for an account.
pub fn password_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    account: Uuid,
    known: &Attributes,
) -> Result<Resultant, StoreError> {
    let unclear = Resultant { policy: Policy::default(), owner: PolicyOwner::Unclear };
    if !domain.is_known() {
        return Ok(unclear);
    }
    let to = |objects: &[Uuid]| -> Result<BTreeSet<Uuid>, StoreError> {
        let mut settings = BTreeSet::new();
        for object in objects {
            settings.extend(links::sources(reading, domain.id, *object, LinkKind::AppliesTo)?);
        }
        Ok(settings)
    };
    let mut candidates = of_domain(reading, domain, to(&[account])?)?;
    if candidates.is_empty() && links::any_applies_to(reading, domain.id)? {
        let primary = known.primary_group_id;
        let groups = members::groups_of(reading, domain, account, primary, Which::GlobalSecurity)?;
        let Some(groups) = groups else { return Ok(unclear) };
        candidates = of_domain(reading, domain, to(&groups)?)?;
    }
    // They come in the order of their objectGUIDs.
    let mut least: Option<(i64, Uuid, Attributes)> = None;
    for settings in candidates {
        let told = attributes::of(reading, settings)?;
        let Some(precedence) = told.precedence else { return Ok(unclear) };
        if least.as_ref().is_none_or(|(before, _, _)| precedence < *before) {
            least = Some((precedence, settings, told));
        }
    }
    Ok(match least {
        None => Resultant { policy: domain.policy, owner: PolicyOwner::Domain },
        Some((_, settings, told)) => Resultant {
            policy: Policy {
                max_pwd_age: told.maximum_password_age,
                lockout_duration: told.lockout_duration,
                lockout_observation_window: told.lockout_observation_window,
                lockout_threshold: told.lockout_threshold,
            },
            owner: PolicyOwner::Settings(settings),
        },
    })
}

/// Without those that are known to be something else; one that is not known yet stays, and has no precedence.
fn of_domain(
    reading: &Reading<'_>,
    domain: &Domain,
    settings: BTreeSet<Uuid>,
) -> Result<Vec<Uuid>, StoreError> {
    let mut kept = Vec::new();
    for one in settings {
        let counts = objects::find(reading, one)?.is_none_or(|known| {
            known.domain == domain.id
                && known.kind == Kind::PasswordSettings
                && known.presence == Presence::Present
        });
        if counts {
            kept.push(one);
        }
    }
    Ok(kept)
}

/// How an account signs in: as the first group on the domain's list says that it is in, or as the domain says. If there is
/// a list at all, whoever is in more groups than can be looked through is refused, and everybody while it is not known who
/// is in which.
pub fn signin_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    account: Uuid,
    known: &Attributes,
) -> Result<Admission, StoreError> {
    let listed = group_policies::of(reading, domain.id)?;
    if listed.is_empty() {
        return Ok(Admission { policy: domain.signin, group: None });
    }
    let groups = match domain.is_known() {
        true => members::groups_of(reading, domain, account, known.primary_group_id, Which::All)?,
        false => None,
    };
    let Some(groups) = groups else { return Ok(Admission { policy: SigninPolicy::Refuse, group: None }) };
    for one in listed {
        if groups.contains(&one.group) && is_group(reading, domain, one.group)? {
            return Ok(Admission { policy: one.policy, group: Some(one.group) });
        }
    }
    Ok(Admission { policy: domain.signin, group: None })
}

/// Whether it is a group of the domain, and there.
pub fn is_group(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<bool, StoreError> {
    Ok(objects::find(reading, group)?.is_some_and(|found| {
        found.domain == domain.id && found.kind == Kind::Group && found.presence == Presence::Present
    }))
}

/// How a name that nobody has is treated: as one of those that somebody has. Always the same for one pseudonym.
pub fn policy_for_stranger(
    reading: &Reading<'_>,
    domain: &Domain,
    pseudonym: Uuid,
) -> Result<SigninPolicy, StoreError> {
    let mut used = vec![domain.signin];
    for one in group_policies::of(reading, domain.id)? {
        if !used.contains(&one.policy) {
            used.push(one.policy);
        }
    }
    let count = u128::try_from(used.len()).unwrap_or(1);
    let at = usize::try_from(pseudonym.as_u128() % count).unwrap_or(0);
    Ok(used.get(at).copied().unwrap_or(domain.signin))
}
