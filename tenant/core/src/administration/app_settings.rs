//! What an administrator sets of an application: read and checked, as text, exported, and applied from a file.
//! Before it: [`super::act`]. Neighbours: [`super::apps`] stores it.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::request::{AdminResponse, AppSettings, GroupSetting, MAX_ROWS, refusal};
use crate::applications::{MAX_RATE, is_valid_name};
use crate::directory::groups;
use landbridge_tenant_rules::model::{AppDomain, AppGroup, Application, Network};
use landbridge_tenant_store::tables::{app_domains, app_groups, app_networks, apps, domains};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use std::fmt;

/// The settings of an application, checked: each domain and group is there.
pub(super) struct Settings {
    pub(super) name: String,
    /// None: every domain.
    pub(super) domains: Option<Vec<AppDomain>>,
    /// None: everybody of its domains.
    pub(super) groups: Option<Vec<AppGroup>>,
    pub(super) networks: Vec<Network>,
    pub(super) rate: u32,
}

/// As the audit log has it.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domains = match &self.domains {
            None => "every domain".to_owned(),
            Some(domains) => {
                let names: Vec<&str> = domains.iter().map(|domain| domain.dns_name.as_str()).collect();
                names.join(" ")
            }
        };
        let assigned = match &self.groups {
            None => "everybody".to_owned(),
            Some(groups) if groups.is_empty() => "nobody".to_owned(),
            Some(groups) => {
                let names: Vec<String> =
                    groups.iter().map(|group| format!("{} ({})", group.name, group.group)).collect();
                format!("members of {}", names.join(", "))
            }
        };
        let (networks, rate) = (networks_text(&self.networks), self.rate);
        write!(f, "{domains}, {rate} a minute, assigned: {assigned}, from {networks}")
    }
}

/// Checks what an administrator set. The refusal says what is wrong with it.
pub(super) fn read(
    reading: &Reading<'_>,
    wanted: &AppSettings,
) -> Result<Result<Settings, AdminResponse>, StoreError> {
    // 1. Name and rate.
    if !is_valid_name(&wanted.name) {
        return Ok(Err(refusal(
            "a name is 1 to 64 letters, digits, `-`, `_` and `.`",
            "choose another name for the application",
        )));
    }
    if !(1..=MAX_RATE).contains(&wanted.rate) {
        let what = format!("a rate is 1 to {MAX_RATE} sign-ins a minute");
        return Ok(Err(refusal(&what, "choose another rate")));
    }
    // 2. The domains.
    let domains = match &wanted.domains {
        None => None,
        Some(names) => {
            let mut found: Vec<AppDomain> = Vec::new();
            for name in names {
                let Some(domain) = domains::by_name(reading, name)? else { return Ok(Err(no_domain())) };
                let domain = AppDomain { row: domain.id, dns_name: domain.dns_name };
                if !found.contains(&domain) {
                    found.push(domain);
                }
            }
            found.sort_by(|a, b| a.dns_name.cmp(&b.dns_name));
            Some(found)
        }
    };
    // 3. The groups, each of one of these domains.
    let rows: Option<Vec<i64>> =
        domains.as_ref().map(|domains| domains.iter().map(|domain| domain.row).collect());
    let groups = match &wanted.groups {
        None => None,
        Some(settings) if settings.len() > app_groups::MOST => {
            let what = format!("{} groups, and at most {} are assigned", settings.len(), app_groups::MOST);
            return Ok(Err(refusal(&what, "assign a group that contains them")));
        }
        Some(settings) => {
            let mut found: Vec<AppGroup> = Vec::new();
            for setting in settings {
                let text = setting.object.map(|object| object.to_string());
                let Some(text) = text.or_else(|| setting.name.clone()) else {
                    return Ok(Err(refusal("a group has neither `object` nor `name`", "give one of them")));
                };
                match one_group(reading, rows.as_deref(), &text)? {
                    Ok(group) if found.iter().any(|one| one.group == group.group) => {}
                    Ok(group) => found.push(group),
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            Some(found)
        }
    };
    // 4. The networks.
    let networks = match networks(&wanted.networks) {
        Ok(networks) if networks.len() <= app_networks::MOST => networks,
        Ok(_) => {
            let what = format!("an application has at most {} networks", app_networks::MOST);
            return Ok(Err(refusal(&what, "name a network that contains them")));
        }
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Settings { name: wanted.name.clone(), domains, groups, networks, rate: wanted.rate }))
}

/// The settings of an application, as they are exported.
pub(super) fn of(reading: &Reading<'_>, app: &Application) -> Result<AppSettings, StoreError> {
    let groups = app_groups::of(reading, app.id)?
        .into_iter()
        .map(|group| GroupSetting { object: Some(group.group), name: Some(group.name) });
    let domains = app.domains.as_ref();
    Ok(AppSettings {
        name: app.name.clone(),
        domains: domains.map(|domains| domains.iter().map(|domain| domain.dns_name.clone()).collect()),
        groups: (!app.everybody).then(|| groups.collect()),
        networks: app.networks.iter().map(Network::to_string).collect(),
        rate: app.rate_per_minute,
    })
}

/// The settings of all applications that are not revoked.
pub(super) fn export(reading: &Reading<'_>) -> Result<AdminResponse, StoreError> {
    let apps = apps::list(reading, MAX_ROWS)?.into_iter().filter(|app| app.revoked_at.is_none());
    let settings = apps.map(|app| of(reading, &app)).collect::<Result<_, _>>()?;
    Ok(AdminResponse::AppSettings(settings))
}

impl Actor<'_> {
    /// Makes the applications as a file has them: creates those that are missing, changes those that differ, and leaves
    /// those alone that the file does not name. All of it or nothing. Returns what was done, or would be.
    pub(super) fn apply_apps(
        &self,
        writing: &Writing<'_>,
        wanted: &[AppSettings],
        dry_run: bool,
    ) -> Result<AdminResponse, StoreError> {
        // 1. Check all of it. Nothing is written before.
        let mut changes = Vec::new();
        let mut work = Vec::new();
        for (place, one) in wanted.iter().enumerate() {
            if wanted.iter().take(place).any(|other| other.name == one.name) {
                let what = format!("{} is in the file twice", one.name);
                return Ok(refusal(&what, "nothing was changed: take one of them away"));
            }
            let settings = match read(writing, one)? {
                Ok(settings) => settings,
                Err(AdminResponse::Refused { what, todo }) => {
                    let (what, todo) =
                        (format!("{}: {what}", one.name), format!("nothing was changed: {todo}"));
                    return Ok(refusal(&what, &todo));
                }
                Err(other) => return Ok(other),
            };
            let app = apps::named(writing, &one.name)?;
            match &app {
                None => changes.push(format!("{}: created, without a secret: {settings}", one.name)),
                Some(app) if app.revoked_at.is_some() => {
                    let what = format!("{} is revoked, and a revocation is permanent", one.name);
                    return Ok(refusal(&what, "nothing was changed: give the application another name"));
                }
                Some(app) => {
                    let before = read(writing, &of(writing, app)?)?;
                    // An error: a group or a domain of before is gone.
                    if before.is_ok_and(|before| before.to_string() == settings.to_string()) {
                        continue;
                    }
                    changes.push(format!("{}: changed to {settings}", one.name));
                }
            }
            work.push((app, settings));
        }
        // 2. Write it.
        for (app, settings) in work.iter().filter(|_| !dry_run) {
            match app {
                None => drop(self.insert_app(writing, settings)?),
                Some(app) => self.set_app(writing, app, settings)?,
            }
        }
        for app in apps::list(writing, MAX_ROWS)? {
            if app.revoked_at.is_none() && !wanted.iter().any(|one| one.name == app.name) {
                changes.push(format!("{}: left alone, since the file does not name it", app.name));
            }
        }
        if changes.is_empty() {
            changes.push("nothing differs".to_owned());
        }
        Ok(AdminResponse::Done(changes.join("\n")))
    }

    fn set_app(
        &self,
        writing: &Writing<'_>,
        app: &Application,
        settings: &Settings,
    ) -> Result<(), StoreError> {
        let Settings { name, domains, groups, networks, rate } = settings;
        let rows: Vec<i64> = domains.iter().flatten().map(|domain| domain.row).collect();
        apps::set_every_domain(writing, app.id, domains.is_none())?;
        apps::set_everybody(writing, app.id, groups.is_none())?;
        apps::set_rate(writing, app.id, *rate)?;
        app_domains::set(writing, app.id, &rows)?;
        app_networks::set(writing, app.id, networks)?;
        app_groups::clear(writing, app.id)?;
        for group in groups.iter().flatten() {
            app_groups::add(writing, app.id, group)?;
        }
        self.audit(writing, "app-changed", name, &settings.to_string())
    }
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

/// Reads networks.
pub(super) fn networks(texts: &[String]) -> Result<Vec<Network>, AdminResponse> {
    let read = |text: &String| {
        Network::parse(text).map_err(|why| refusal(&format!("{text}: {why}"), "write the network otherwise"))
    };
    texts.iter().map(read).collect()
}

/// The networks as text.
pub(super) fn networks_text(networks: &[Network]) -> String {
    if networks.is_empty() {
        return "everywhere".to_owned();
    }
    let texts: Vec<String> = networks.iter().map(Network::to_string).collect();
    texts.join(", ")
}
