//! The sign-in policies of a domain's groups as text, for the answer to `domains policy`.
//! Neighbours: [`super::group_policy`] sets them.

use crate::directory::groups;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_store::policies::is_group;
use landbridge_tenant_store::tables::{group_policies, links, refused_members};
use landbridge_tenant_store::{Reading, StoreError};
use landbridge_wire::printable::one_line;
use landbridge_wire::upload::LinkKind;

/// The group policies of a domain, one line for each, in their order. One more line if password settings objects
/// apply to objects that the tenant does not know.
pub(super) fn lines(reading: &Reading<'_>, domain: &Domain) -> Result<String, StoreError> {
    let mut text = String::new();
    for (place, one) in (1..).zip(group_policies::of(reading, domain.id)?) {
        let (name, count) = if is_group(reading, domain, one.group)? {
            let accounts = groups::accounts_in(reading, domain, one.group)?;
            (groups::name_of(reading, domain, one.group)?, format!("{} accounts", accounts.len()))
        } else if one.policy == SigninPolicy::Refuse {
            let kept = refused_members::count(reading, domain.id, one.group)?;
            (one.name, format!("the group is gone, and its last {kept} accounts stay refused until --remove"))
        } else {
            (one.name, "the group is gone, so the policy applies to no account".to_owned())
        };
        let (policy, name) = (one.policy.as_str(), one_line(&name));
        text.push_str(&format!("\n{place}. {policy} for {name} ({}): {count}", one.group));
    }
    let strange = links::unknown_targets(reading, domain.id, LinkKind::AppliesTo)?;
    if strange > 0 {
        text.push_str(&format!(
            "\npassword settings objects apply to {strange} objects that the tenant does not know: if one is a group, the \
             password policy of its members is not known"
        ));
    }
    Ok(text)
}
