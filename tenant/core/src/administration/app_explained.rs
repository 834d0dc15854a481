//! Whether a person may sign in through an application, and why. It looks at the application, not at the password or the
//! account's own state. Before it: [`super::act`].

use crate::administration::app_settings::networks_text;
use crate::administration::apps::active;
use crate::administration::people::one_account;
use crate::administration::request::AdminResponse;
use crate::directory::groups::name_of;
use landbridge_tenant_rules::model::presence_text;
use landbridge_tenant_store::tables::{app_groups, app_secrets, attributes, blocks, domains};
use landbridge_tenant_store::{Reading, StoreError};
use landbridge_wire::upload::Presence;

/// The answer, yes or no, and what else stands in the way.
pub(super) fn explain(reading: &Reading<'_>, name: &str, user: &str) -> Result<AdminResponse, StoreError> {
    // 1. Who and what.
    let app = match active(reading, name)? {
        Ok(app) => app,
        Err(refused) => return Ok(refused),
    };
    let account = match one_account(reading, user)? {
        Ok(account) => account,
        Err(refused) => return Ok(refused),
    };
    let Some(domain) = domains::by_id(reading, account.domain)? else {
        return Err(StoreError::Defect("an account without a domain".to_owned()));
    };
    let who = format!("{} ({})", name_of(reading, &domain, account.object)?, account.object);
    // 2. Whether the application serves the domain, and who is assigned.
    let known = attributes::of(reading, account.object)?;
    let primary = known.primary_group_id;
    let serves = app.domain_rows().is_none_or(|rows| rows.contains(&domain.id));
    let group = app_groups::of_account(reading, app.id, &domain, account.object, primary)?;
    let answer = match (serves, app.everybody, group) {
        (false, ..) => format!("no: {name} does not serve {}", domain.dns_name),
        (true, true, _) => format!("yes: everybody of its domains is assigned to {name}"),
        (true, false, Some(group)) => format!("yes, as a member of {} ({})", group.name, group.group),
        (true, false, None) => {
            let groups = app_groups::of(reading, app.id)?;
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            match names.as_slice() {
                [] => format!("no: nobody is assigned to {name}"),
                names => format!("no: a member of none of {}", names.join(", ")),
            }
        }
    };
    // 3. What else stands in the way.
    let mut lines = vec![format!("{who}: {answer}")];
    if account.presence != Presence::Present {
        lines.push(format!("but the account is {}: it signs in nowhere", presence_text(account.presence)));
    }
    if blocks::since(reading, account.object)?.is_some() {
        lines.push("but an administrator has blocked the account: it signs in nowhere".to_owned());
    }
    if app_secrets::of(reading, app.id)?.is_empty() {
        lines.push(format!("but {name} has no secret: it signs nobody in until `apps secret add`"));
    }
    lines.push(format!("{name} may send from {}", networks_text(&app.networks)));
    lines.push("`landbridge-tenant users show` has the account's own state".to_owned());
    Ok(AdminResponse::Done(lines.join("\n")))
}
