//! How the members of a group sign in, as an administrator says it: for a rollout in stages.
//! Before it: [`super::act`]. Neighbours: [`super::domain`] has the domain's own policy.

use crate::administration::domain::{Actor, agents_refused, no_domain};
use crate::administration::request::{AdminResponse, refusal};
use crate::directory::groups;
use landbridge_tenant_rules::lockout::AdBudget;
use landbridge_tenant_rules::model::GroupPolicy;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::policies::is_group;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::group_policies;
use landbridge_tenant_store::tables::group_policies::MOST;
use landbridge_tenant_store::tables::links;
use landbridge_wire::upload::LinkKind;

impl Actor<'_> {
    /// Sets the policy of a group, or takes it back.
    pub(super) fn group_policy(
        &self,
        name: &str,
        group: &str,
        policy: Option<SigninPolicy>,
        place: Option<u32>,
    ) -> Result<AdminResponse, StoreError> {
        let done = self.tenant.store.write("group-policy-set", |writing| {
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(Err(no_domain())) };
            let mut listed = group_policies::of(writing, domain.id)?;
            let found = groups::find(writing, &domain, group)?;
            // One that is gone is found by what stands in the list.
            let is_meant = |one: &GroupPolicy| match found.as_slice() {
                [] => one.group.to_string() == group.to_lowercase() || one.name == group,
                found => found.contains(&one.group),
            };
            let before = listed.iter().position(is_meant);
            let Some(policy) = policy else {
                let Some(before) = before else {
                    return Ok(Err(refusal("the group has no policy of its own", "see `domains policy`")));
                };
                let gone = listed.remove(before);
                group_policies::set(writing, domain.id, &listed)?;
                self.audit(writing, "group-policy-removed", &gone.group.to_string(), &domain.dns_name)?;
                return Ok(Ok((domain, format!("{} signs in as others do", gone.name))));
            };
            let group = match found.as_slice() {
                [one] => *one,
                [] => {
                    return Ok(Err(refusal("no such group is known", "see `landbridge-tenant groups list`")));
                }
                _ => return Ok(Err(refusal("several groups have this name", "name its SID or objectGUID"))),
            };
            if policy.asks_agents()
                && let Some((what, todo)) = agents_refused(AdBudget::of(&domain.policy))
            {
                return Ok(Err(refusal(&what, todo)));
            }
            if let Some(before) = before {
                listed.remove(before);
            } else if listed.len() >= MOST {
                return Ok(Err(refusal(
                    "the domain has as many group policies as it may have",
                    "remove one",
                )));
            }
            let place =
                place.and_then(|place| usize::try_from(place).ok()).map(|place| place.saturating_sub(1));
            let place = place.or(before).unwrap_or(listed.len()).min(listed.len());
            let name = groups::name_of(writing, &domain, group)?;
            let detail = format!("{}, place {}, {name} of {}", policy.as_str(), place + 1, domain.dns_name);
            listed.insert(place, GroupPolicy { group, policy, name });
            group_policies::set(writing, domain.id, &listed)?;
            self.audit(writing, "group-policy", &group.to_string(), &detail)?;
            Ok(Ok((domain, format!("{} is set", policy.as_str()))))
        })?;
        match done {
            Ok((domain, text)) => {
                Ok(AdminResponse::Done(text + &self.tenant.store.look(|reading| lines(reading, &domain))?))
            }
            Err(refused) => Ok(refused),
        }
    }
}

/// What holds for groups, a line each, in their order; and what is known of policies that the tenant cannot apply.
pub(super) fn lines(reading: &Reading<'_>, domain: &Domain) -> Result<String, StoreError> {
    let mut text = String::new();
    for (place, one) in (1..).zip(group_policies::of(reading, domain.id)?) {
        let (name, count) = if is_group(reading, domain, one.group)? {
            let accounts = groups::accounts_in(reading, domain, one.group)?;
            (groups::name_of(reading, domain, one.group)?, format!("{accounts} accounts"))
        } else {
            (one.name, "gone: it holds for nobody".to_owned())
        };
        text.push_str(&format!("\n{place}. {} for {name} ({}): {count}", one.policy.as_str(), one.group));
    }
    let strange = links::unknown_targets(reading, domain.id, LinkKind::AppliesTo)?;
    if strange > 0 {
        text.push_str(&format!(
            "\npassword settings objects apply to {strange} accounts or groups that are not known here: if they are groups, \
             whose members are is not known either"
        ));
    }
    Ok(text)
}
