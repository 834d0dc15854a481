//! What an administrator sets of an application: read and checked, as text, exported, and applied from a file.
//! Before it: [`super::act`]. Neighbours: [`super::apps`] stores it.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::group_settings::{groups_text, read_groups, setting_of};
use crate::administration::oidc_settings::{self, oidc_settings, oidc_text, read_oidc};
use crate::administration::request::{
    AdminResponse, AppSettings, LdapSettings, MAX_ROWS, not_one_of, refusal,
};
use crate::applications::{MAX_RATE, is_valid_name};
use crate::directory::image;
use landbridge_tenant_rules::model::{
    AppDomain, AppGroup, Application, LdapAccess, LdapMemberOf, LdapTree, LdapView, Network, OidcClient,
};
use landbridge_tenant_store::tables::{self, app_domains, app_groups, app_ldap, app_networks, apps, domains};
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
    /// None: it does not read the directory.
    pub(super) ldap: Option<LdapAccess>,
    /// None: it is no client of OpenID Connect.
    pub(super) oidc: Option<OidcClient>,
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
        write!(f, "{domains}, {rate} a minute, assigned: {assigned}, from {networks}")?;
        if let Some(access) = &self.ldap {
            write!(f, "; {}", ldap_text(access))?;
        }
        match &self.oidc {
            None => Ok(()),
            Some(client) => write!(f, "; {}", oidc_text(client)),
        }
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
    let groups = wanted.groups.as_deref().map(|groups| read_groups(reading, rows.as_deref(), groups));
    let groups = match groups.transpose()?.transpose() {
        Ok(groups) => groups,
        Err(refused) => return Ok(Err(refused)),
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
    // 5. What it reads by LDAP.
    let ldap = wanted.ldap.as_ref().map(|ldap| read_ldap(reading, rows.as_deref(), ldap));
    let ldap = match ldap.transpose()?.transpose() {
        Ok(ldap) => ldap,
        Err(refused) => return Ok(Err(refused)),
    };
    // 6. How it signs people in by OpenID Connect.
    let oidc = wanted.oidc.as_ref().map(|oidc| read_oidc(reading, rows.as_deref(), oidc));
    let oidc = match oidc.transpose()?.transpose() {
        Ok(oidc) => oidc,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Settings { name: wanted.name.clone(), domains, groups, networks, rate: wanted.rate, ldap, oidc }))
}

/// Checks how an application is to read the directory.
pub(super) fn read_ldap(
    reading: &Reading<'_>,
    served: Option<&[i64]>,
    wanted: &LdapSettings,
) -> Result<Result<LdapAccess, AdminResponse>, StoreError> {
    // 1. Names of views.
    let Some(view) = LdapView::parse(&wanted.view) else {
        return Ok(Err(not_one_of("view", &wanted.view, LdapView::TEXTS)));
    };
    let Some(tree) = LdapTree::parse(&wanted.tree) else {
        return Ok(Err(not_one_of("tree", &wanted.tree, LdapTree::TEXTS)));
    };
    let Some(member_of) = LdapMemberOf::parse(&wanted.member_of) else {
        return Ok(Err(not_one_of("kind of memberOf", &wanted.member_of, LdapMemberOf::TEXTS)));
    };
    // 2. Groups and attributes.
    let groups = match read_groups(reading, served, &wanted.groups)? {
        Ok(groups) => groups,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut attributes: Vec<String> = Vec::new();
    for name in &wanted.attributes {
        let Some(known) = image::values::shown(name) else {
            let todo = "write a name of AD as in the table of attributes in the documentation, such as telephoneNumber";
            return Ok(Err(refusal(&format!("{name} is no attribute that the tenant has"), todo)));
        };
        if !attributes.iter().any(|one| one == known) {
            attributes.push(known.to_owned());
        }
    }
    Ok(Ok(LdapAccess {
        view,
        tree,
        member_of,
        people_connect: wanted.people_connect,
        groups: (!wanted.all_groups).then_some(groups),
        attributes: (!wanted.all_attributes).then_some(attributes),
    }))
}

/// How an application reads the directory, as the audit log has it.
pub(super) fn ldap_text(access: &LdapAccess) -> String {
    let LdapAccess { view, tree, member_of, people_connect, groups, attributes } = access;
    let groups = groups_text(groups.as_deref());
    let attributes = match attributes {
        None => "all attributes".to_owned(),
        Some(names) if names.is_empty() => "usual attributes".to_owned(),
        Some(names) => format!("usual attributes and {}", names.join(", ")),
    };
    let connect = if *people_connect { ", its people connect themselves" } else { "" };
    format!("LDAP: view {view}, tree {tree}, memberOf {member_of}, {groups}, {attributes}{connect}")
}

/// The settings of what an application reads, as they are exported.
pub(super) fn ldap_settings(access: LdapAccess) -> LdapSettings {
    let LdapAccess { view, tree, member_of, people_connect, groups, attributes } = access;
    LdapSettings {
        view: view.to_string(),
        tree: tree.to_string(),
        member_of: member_of.to_string(),
        people_connect,
        all_groups: groups.is_none(),
        groups: groups.into_iter().flatten().map(setting_of).collect(),
        all_attributes: attributes.is_none(),
        attributes: attributes.unwrap_or_default(),
    }
}

/// The settings of an application, as they are exported.
pub(super) fn of(reading: &Reading<'_>, app: &Application) -> Result<AppSettings, StoreError> {
    let groups = app_groups::of(reading, app.id)?.into_iter().map(setting_of);
    let domains = app.domains.as_ref();
    Ok(AppSettings {
        name: app.name.clone(),
        domains: domains.map(|domains| domains.iter().map(|domain| domain.dns_name.clone()).collect()),
        groups: (!app.everybody).then(|| groups.collect()),
        networks: app.networks.iter().map(Network::to_string).collect(),
        rate: app.rate_per_minute,
        ldap: app_ldap::of(reading, app.id)?.map(ldap_settings),
        oidc: tables::app_oidc::of(reading, app.id)?.map(oidc_settings),
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
        let Settings { name, domains, groups, networks, rate, ldap, oidc } = settings;
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
        app_ldap::set(writing, app.id, ldap.as_ref())?;
        oidc_settings::store(writing, app.id, oidc.as_ref())?;
        self.audit(writing, "app-changed", name, &settings.to_string())
    }
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
