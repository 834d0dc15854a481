//! The sign-in policies of groups, for a rollout in stages: members of a listed group sign in by the group's policy.
//! Before it: [`super::act`]. Neighbours: [`super::domain`] has the domain's own policy.

use crate::administration::domain::{Actor, agents_refused, no_domain};
use crate::administration::group_policy_lines::lines;
use crate::administration::request::{AdminResponse, refusal};
use crate::directory::groups;
use landbridge_tenant_rules::lockout::AdBudget;
use landbridge_tenant_rules::model::GroupPolicy;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::group_policies;
use landbridge_tenant_store::tables::group_policies::MOST;
use landbridge_wire::printable::one_line;

impl Actor<'_> {
    /// Sets the policy of a group; without a policy, removes it. `place` is the position in the list, from 1; none:
    /// the position that the group has, or the last.
    pub(super) fn group_policy(
        &self,
        name: &str,
        group: &str,
        policy: Option<SigninPolicy>,
        place: Option<u32>,
    ) -> Result<AdminResponse, StoreError> {
        let done = self.tenant.store.write("group-policy-set", |writing| {
            // 1. Find the domain, the group, and its position in the list.
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(Err(no_domain())) };
            let mut listed = group_policies::of(writing, domain.id)?;
            let found = groups::find(writing, &domain, group)?;
            // A group that was deleted in AD is found by the objectGUID or the name in the list.
            let is_meant = |one: &GroupPolicy| match found.as_slice() {
                [] => one.group.to_string() == group.to_lowercase() || one.name == group,
                found => found.contains(&one.group),
            };
            let before = listed.iter().position(is_meant);
            // 2. Without a policy: remove the group from the list.
            let Some(policy) = policy else {
                let Some(before) = before else {
                    return Ok(Err(refusal(
                        "the group has no policy of its own",
                        "`landbridge-tenant domains policy DOMAIN` lists the groups that have one",
                    )));
                };
                let gone = listed.remove(before);
                group_policies::set(writing, domain.id, &listed)?;
                self.audit(writing, "group-policy-removed", &gone.group.to_string(), &domain.dns_name)?;
                return Ok(Ok((
                    domain,
                    format!(
                        "the members of {} sign in by the policy of the domain or of their other groups",
                        one_line(&gone.name)
                    ),
                )));
            };
            // 3. Refuse a group that is not known or not unique, and a policy that could lock accounts in AD.
            let group = match found.as_slice() {
                [one] => *one,
                [] => {
                    return Ok(Err(refusal("there is no such group", "see `landbridge-tenant groups list`")));
                }
                _ => {
                    return Ok(Err(refusal(
                        "several groups have this name",
                        "give the SID or the objectGUID of one",
                    )));
                }
            };
            if policy.asks_agents()
                && let Some((what, todo)) = agents_refused(AdBudget::of(&domain.policy))
            {
                return Ok(Err(refusal(&what, todo)));
            }
            // 4. Insert the group at its position.
            if let Some(before) = before {
                listed.remove(before);
            } else if listed.len() >= MOST {
                return Ok(Err(refusal(
                    "the domain has the largest allowed number of group policies",
                    "take one away with `landbridge-tenant domains policy DOMAIN --group GROUP --remove`",
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
