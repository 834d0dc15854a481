//! The groups that an administrator names in the settings of an application.
//! Neighbours: [`super::app_settings`] and [`super::oidc_settings`] read them.

use crate::administration::request::{AdminResponse, GroupSetting, refusal};
use crate::directory::groups;
use landbridge_tenant_rules::model::AppGroup;
use landbridge_tenant_store::tables::{app_groups, domains};
use landbridge_tenant_store::{Reading, StoreError};

/// The groups with these names, each once.
pub(super) fn read_groups(
    reading: &Reading<'_>,
    served: Option<&[i64]>,
    settings: &[GroupSetting],
) -> Result<Result<Vec<AppGroup>, AdminResponse>, StoreError> {
    if settings.len() > app_groups::MOST {
        let what = format!("{} groups, and at most {} can be named", settings.len(), app_groups::MOST);
        return Ok(Err(refusal(&what, "name a group that contains them")));
    }
    let mut found: Vec<AppGroup> = Vec::new();
    for setting in settings {
        let text = setting.object.map(|object| object.to_string());
        let Some(text) = text.or_else(|| setting.name.clone()) else {
            return Ok(Err(refusal("a group has neither `object` nor `name`", "give one of them")));
        };
        match one_group(reading, served, &text)? {
            Ok(group) if found.iter().any(|one| one.group == group.group) => {}
            Ok(group) => found.push(group),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(found))
}

/// The one group with this name, or a refusal.
pub(super) fn one_group(
    reading: &Reading<'_>,
    served: Option<&[i64]>,
    name: &str,
) -> Result<Result<AppGroup, AdminResponse>, StoreError> {
    let mut found = groups_named(reading, served, name)?;
    Ok(match (found.pop(), found.is_empty()) {
        (Some(group), true) => Ok(group),
        (None, _) => {
            let what = format!("there is no group {name} in the domains of the application");
            Err(refusal(&what, "see `landbridge-tenant groups list`"))
        }
        (Some(_), false) => {
            let what = format!("several groups are called {name}");
            Err(refusal(&what, "write DOMAIN\\name, or the SID or objectGUID of one"))
        }
    })
}

/// The groups that an application sees beside those that are assigned to it, as the audit log has them; none: all.
pub(super) fn groups_text(groups: Option<&[AppGroup]>) -> String {
    match groups {
        None => "all groups".to_owned(),
        Some([]) => "assigned groups".to_owned(),
        Some(groups) => {
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            format!("assigned groups and {}", names.join(", "))
        }
    }
}

/// A group as it is exported.
pub(super) fn setting_of(group: AppGroup) -> GroupSetting {
    GroupSetting { object: Some(group.group), name: Some(group.name) }
}

/// The present groups with this name in these domains; none: in every domain.
pub(super) fn groups_named(
    reading: &Reading<'_>,
    served: Option<&[i64]>,
    name: &str,
) -> Result<Vec<AppGroup>, StoreError> {
    let mut found = Vec::new();
    for domain in domains::all(reading)? {
        if served.is_some_and(|served| !served.contains(&domain.id)) {
            continue;
        }
        for group in groups::find(reading, &domain, name)? {
            let name = groups::name_of(reading, &domain, group)?;
            let domain_name = domain.dns_name.clone();
            found.push(AppGroup { domain: domain.id, domain_name, group, name });
        }
    }
    Ok(found)
}
