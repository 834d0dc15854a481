//! Which policy applies to an account: the password and lockout policy of its domain or of a password settings object
//! (MS-ADTS 3.1.1.4.5.36), and the sign-in policy of its domain or of one of its groups.
//!
//! AD's constructed attribute msDS-ResultantPSO does not replicate, so it is computed here by AD's rules. A password
//! settings object that applies to the account itself comes before those that apply to its global security groups. Of
//! several, the one with the smallest precedence applies, then the one with the smallest objectGUID.
//!
//! The result is unclear if the domain's first cycle is not complete, if a password settings object has not arrived,
//! or if a precedence is missing. The policy is then empty, and the account is refused.
//! Neighbours: [`crate::tables::members`] finds the groups; the sign-in and the directory's descriptions use the
//! result.

use crate::Reading;
use crate::StoreError;
use crate::tables::members;
use crate::tables::members::Which;
use crate::tables::{attributes, group_policies, links, objects, refused_members};
use landbridge_tenant_rules::model::{Attributes, Domain, NewPasswords, Policy, SigninPolicy};
use landbridge_tenant_rules::policies::{Admission, PolicyOwner, Resultant};
use landbridge_wire::upload::{Kind, LinkKind, Presence};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Sends what the policies of every account ask first ahead.
pub(crate) fn ask_ahead(reading: &Reading<'_>, domain: i64, account: Uuid) -> Result<(), StoreError> {
    reading.ask_ahead(&[
        &|| links::sources(reading, domain, account, LinkKind::AppliesTo).map(drop),
        &|| links::any_applies_to(reading, domain).map(drop),
        &|| group_policies::of(reading, domain).map(drop),
    ])
}

/// The password and lockout policy that applies to an account.
pub fn password_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    account: Uuid,
    known: &Attributes,
) -> Result<Resultant, StoreError> {
    // 1. Links arrive last in a cycle: before the first complete one, no link proves anything.
    let unclear = Resultant { policy: Policy::default(), owner: PolicyOwner::Unclear };
    if !domain.is_known() {
        return Ok(unclear);
    }
    // 2. The password settings objects that apply to the account itself, or if there are none, to its groups.
    let to = |objects: &[Uuid]| -> Result<BTreeSet<Uuid>, StoreError> {
        let mut settings = BTreeSet::new();
        reading.ask_of_each_ahead(objects, |object| {
            links::sources(reading, domain.id, *object, LinkKind::AppliesTo).map(drop)
        })?;
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
    // 3. The smallest precedence. The candidates are in the order of their objectGUIDs, so the first of equals wins.
    let mut least: Option<(i64, Uuid, Attributes)> = None;
    reading.ask_of_each_ahead(&candidates, |settings| attributes::of(reading, *settings).map(drop))?;
    for settings in candidates {
        let values = attributes::of(reading, settings)?;
        let Some(precedence) = values.precedence else { return Ok(unclear) };
        if least.as_ref().is_none_or(|(before, _, _)| precedence < *before) {
            least = Some((precedence, settings, values));
        }
    }
    Ok(match least {
        None => Resultant { policy: domain.policy, owner: PolicyOwner::Domain },
        Some((_, settings, values)) => Resultant {
            policy: Policy {
                max_pwd_age: values.maximum_password_age,
                lockout_duration: values.lockout_duration,
                lockout_observation_window: values.lockout_observation_window,
                lockout_threshold: values.lockout_threshold,
                new_passwords: NewPasswords {
                    minimum_age: values.minimum_password_age,
                    minimum_length: values.minimum_password_length,
                    history: values.password_history_length,
                    complex: values.password_complexity.map(|is| is != 0),
                },
            },
            owner: PolicyOwner::Settings(settings),
        },
    })
}

/// The objects of `settings` that may be password settings objects of the domain. One that has not arrived stays: it
/// has no precedence, so the result becomes unclear.
fn of_domain(
    reading: &Reading<'_>,
    domain: &Domain,
    settings: BTreeSet<Uuid>,
) -> Result<Vec<Uuid>, StoreError> {
    let settings: Vec<Uuid> = settings.into_iter().collect();
    let mut kept = Vec::new();
    reading.ask_of_each_ahead(&settings, |one| objects::find(reading, *one).map(drop))?;
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

/// The sign-in policy that applies to an account: that of the first group on the domain's list that the account is
/// in, or that of the domain. If the domain has a list, an account in more groups than [`members::MOST_GROUPS`] is
/// refused, and so is every account until the domain's first cycle is complete.
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
    reading.ask_of_each_ahead(&listed, |one| is_group(reading, domain, one.group).map(drop))?;
    for one in listed {
        let applies = match is_group(reading, domain, one.group)? {
            true => groups.contains(&one.group),
            // The group is gone. Its last members stay refused; another policy has no effect any more.
            false => {
                one.policy == SigninPolicy::Refuse
                    && refused_members::has(reading, domain.id, one.group, account)?
            }
        };
        if applies {
            return Ok(Admission { policy: one.policy, group: Some(one.group) });
        }
    }
    Ok(Admission { policy: domain.signin, group: None })
}

/// Whether an object is a present group of the domain.
pub fn is_group(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<bool, StoreError> {
    Ok(objects::find(reading, group)?.is_some_and(|found| {
        found.domain == domain.id && found.kind == Kind::Group && found.presence == Presence::Present
    }))
}

/// The sign-in policy for a name that no account has: one of those that accounts of the domain have, so that the name
/// is answered like an account's. It is always the same for one pseudonym.
pub fn policy_for_stranger(
    reading: &Reading<'_>,
    domain: &Domain,
    pseudonym: Uuid,
) -> Result<SigninPolicy, StoreError> {
    let mut used = vec![domain.signin];
    // The policies of all domains need no earlier answer, so an unknown name needs no more round trips than an account.
    for (of, policy) in group_policies::all(reading)? {
        if of == domain.id && !used.contains(&policy) {
            used.push(policy);
        }
    }
    let count = u128::try_from(used.len()).unwrap_or(1);
    let at = usize::try_from(pseudonym.as_u128() % count).unwrap_or(0);
    Ok(used.get(at).copied().unwrap_or(domain.signin))
}
