//! The sign-in policies of a domain's groups as text, for the answer to `domains policy`.
//! Neighbours: [`super::group_policy`] sets them.

use crate::directory::groups;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_store::policies::is_group;
use landbridge_tenant_store::tables::{group_policies, links};
use landbridge_tenant_store::{Reading, StoreError};
use landbridge_wire::upload::LinkKind;

/// What holds for groups, a line each, in their order; and what is known of policies that the tenant cannot apply.
pub(super) fn lines(connection: &Reading<'_>, domain: &Domain) -> Result<String, StoreError> {
    let mut text = String::new();
    for (place, one) in (1..).zip(group_policies::of(connection, domain.id)?) {
        let (name, count) = if is_group(connection, domain, one.group)? {
            let accounts = groups::accounts_in(connection, domain, one.group)?;
            (groups::name_of(connection, domain, one.group)?, format!("{accounts} accounts"))
        } else {
            (one.name, "gone: it holds for nobody".to_owned())
        };
        text.push_str(&format!("\n{place}. {} for {name} ({}): {count}", one.policy.as_str(), one.group));
    }
    let strange = links::unknown_targets(connection, domain.id, LinkKind::AppliesTo)?;
    if strange > 0 {
        text.push_str(&format!(
            "\npassword settings objects apply to {strange} accounts or groups that are not known here: if they are groups, \
             whose members are is not known either"
        ));
    }
    Ok(text)
}
