//! The commands of `apps`: their requests, the list as a table, and the settings as a file.
//! Before it: [`super::ask`], which sends the request and prints the answer.

use super::table::aligned;
use super::{Apps, Ldap, Oidc, Secret};
use crate::config::{parse_toml, read_toml};
use crate::error::TenantError;
use landbridge_host::clock_text::utc;
use landbridge_tenant_core::administration::request::{
    AdminRequest, AppRow, AppSettings, GroupSetting, LdapChange, LdapSettings, OidcChange, RoleSetting,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;

/// The file of `export` and `apply`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    application: Vec<AppSettings>,
}

/// The request of a command, and whether its answer is printed as JSON.
pub(super) fn request(command: &Apps) -> Result<(AdminRequest, bool), TenantError> {
    let request = match command {
        Apps::Create { name, domains, groups, everybody, ldap, networks, rate } => {
            let limited = !groups.is_empty() || (*ldap && !everybody);
            let settings = AppSettings {
                name: name.clone(),
                domains: (!domains.is_empty()).then(|| domains.clone()),
                networks: networks.clone(),
                rate: *rate,
                groups: limited.then(|| groups.iter().map(group).collect()),
                ldap: ldap.then(LdapSettings::default),
                oidc: None,
            };
            AdminRequest::AppsCreate { settings: Box::new(settings) }
        }
        Apps::List(listing) => return Ok((AdminRequest::AppsList, listing.json)),
        Apps::Show { name, json } => return Ok((AdminRequest::AppsShow { name: name.clone() }, *json)),
        Apps::Assign { name, everybody, group, remove } => AdminRequest::AppsAssign {
            name: name.clone(),
            everybody: *everybody,
            add: group.clone(),
            remove: remove.clone(),
        },
        Apps::Networks { name, add, remove } => {
            AdminRequest::AppsNetworks { name: name.clone(), add: add.clone(), remove: remove.clone() }
        }
        Apps::Ldap(ldap) => AdminRequest::AppsLdap { name: ldap.name.clone(), change: change(ldap) },
        Apps::Oidc(oidc) => AdminRequest::AppsOidc { name: oidc.name.clone(), change: oidc_change(oidc)? },
        Apps::Explain { name, user } => AdminRequest::AppsExplain { name: name.clone(), user: user.clone() },
        Apps::Export => AdminRequest::AppsExport,
        Apps::Apply { file, dry_run } => AdminRequest::AppsApply { apps: read(file)?, dry_run: *dry_run },
        Apps::Secret(Secret::Add { name, days }) => {
            AdminRequest::AppsSecretAdd { name: name.clone(), days: *days }
        }
        Apps::Secret(Secret::Remove { name, number }) => {
            AdminRequest::AppsSecretRemove { name: name.clone(), number: *number }
        }
        Apps::Rotate { name } => AdminRequest::AppsRotate { name: name.clone() },
        Apps::Revoke { name } => AdminRequest::AppsRevoke { name: name.clone() },
    };
    Ok((request, false))
}

fn group(name: impl AsRef<str>) -> GroupSetting {
    GroupSetting { object: None, name: Some(name.as_ref().to_owned()) }
}

/// What changes of an application's access by LDAP; none: it ends.
fn change(ldap: &Ldap) -> Option<LdapChange> {
    // A list that is not given stays; a flag that ends it makes it empty.
    let list = |given: &[String], emptied: bool| (emptied || !given.is_empty()).then(|| given.to_vec());
    let groups = list(&ldap.groups, ldap.assigned_groups);
    (!ldap.off).then(|| LdapChange {
        view: ldap.view.clone(),
        tree: ldap.tree.clone(),
        member_of: ldap.member_of.clone(),
        people_connect: ldap.people_connect,
        all_groups: ldap.all_groups.then_some(true),
        groups: groups.map(|groups| groups.iter().map(group).collect()),
        all_attributes: ldap.all_attributes.then_some(true),
        attributes: list(&ldap.attributes, ldap.usual_attributes),
    })
}

/// What changes of how an application signs people in by OpenID Connect; none: it does not any more.
fn oidc_change(oidc: &Oidc) -> Result<Option<OidcChange>, TenantError> {
    if oidc.off {
        return Ok(None);
    }
    let list = |given: &[String]| (!given.is_empty()).then(|| given.to_vec());
    let role = |text: &String| match text.split_once('=') {
        Some((role, name)) => Ok(RoleSetting { role: role.to_owned(), group: group(name) }),
        None => Err(TenantError::Usage(format!("--role {text}: write it as ROLE=GROUP"))),
    };
    let roles = oidc.roles.iter().map(role).collect::<Result<Vec<_>, _>>()?;
    let groups =
        (oidc.assigned_groups || !oidc.groups.is_empty()).then(|| oidc.groups.iter().map(group).collect());
    let kind = |public| if public { "public" } else { "confidential" }.to_owned();
    Ok(Some(OidcChange {
        kind: oidc.public.map(kind),
        pkce: if oidc.no_pkce { Some(false) } else { oidc.pkce.then_some(true) },
        algorithm: oidc.algorithm.clone(),
        subject: oidc.subject.clone(),
        client_credentials: oidc.client_credentials,
        introspect_others: oidc.introspect_others,
        par_required: oidc.par.as_deref().map(|word| word == "required"),
        device_code: oidc.device_code,
        keys: oidc.jwks.as_deref().map(key_set).transpose()?,
        redirect_uris: list(&oidc.redirect_uris),
        signed_out_uris: list(&oidc.signed_out_uris),
        back_channel_logout: oidc
            .back_channel_logout
            .clone()
            .or_else(|| oidc.no_back_channel_logout.then(String::new)),
        all_groups: oidc.all_groups.then_some(true),
        groups,
        roles: (!roles.is_empty()).then_some(roles),
    }))
}

/// Limit on the bytes of a JWK set: eight keys of the greatest size are less.
const MAX_KEY_SET: u64 = 64 * 1024;

/// The keys of a JWK set in a file, each as text.
fn key_set(file: &Path) -> Result<Vec<String>, TenantError> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Map<String, Value>>,
    }
    let wrong = |why: &dyn std::fmt::Display| TenantError::Usage(format!("--jwks {}: {why}", file.display()));
    let opened: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(|error| wrong(&error))?),
    };
    let mut text = Vec::new();
    opened.take(MAX_KEY_SET + 1).read_to_end(&mut text).map_err(|error| wrong(&error))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_KEY_SET) {
        return Err(wrong(&"a JWK set has at most 64 KiB"));
    }
    // The words of the parser would repeat parts of the file, which may hold a private key by mistake.
    let set: KeySet = serde_json::from_slice(&text)
        .map_err(|_| wrong(&"it is no JWK set (RFC 7517): {\"keys\": [...]}"))?;
    Ok(set.keys.into_iter().map(|key| Value::Object(key).to_string()).collect())
}

fn read(file: &Path) -> Result<Vec<AppSettings>, TenantError> {
    let todo = "write one with `landbridge-tenant apps export > FILE`";
    let File { application } = parse_toml(file, &read_toml(file, todo)?)?;
    Ok(application)
}

/// The settings as a file.
pub(super) fn as_toml(settings: &[AppSettings]) -> Result<String, TenantError> {
    let file = File { application: settings.to_vec() };
    toml::to_string(&file).map_err(|e| TenantError::Defect(format!("the settings are no TOML: {e}")))
}

/// The list.
pub(super) fn table(rows: &[AppRow]) -> String {
    let cells = |row: &AppRow| {
        let state = if row.revoked_at.is_some() { "revoked" } else { "active" }.to_owned();
        let domains = row.domains.as_ref().map_or_else(|| "every".to_owned(), |names| names.join(", "));
        let assigned = match row.groups.as_deref() {
            None => "everybody".to_owned(),
            Some([]) => "nobody".to_owned(),
            Some([_]) => "1 group".to_owned(),
            Some(groups) => format!("{} groups", groups.len()),
        };
        let used = row.secrets.iter().filter_map(|secret| secret.used_at).max();
        let used = used.map_or_else(|| "never".to_owned(), day);
        let (secrets, rate) = (row.secrets.len().to_string(), row.rate.to_string());
        vec![row.name.clone(), state, domains, assigned, rate, secrets, used, utc(row.created_at)]
    };
    let heads = ["NAME", "STATE", "DOMAINS", "ASSIGNED", "PER MINUTE", "SECRETS", "LAST USED", "CREATED"];
    aligned(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// The day of a time, as `2026-11-29`. `at` is in seconds since 1970.
pub(super) fn day(at: i64) -> String {
    let text = utc(at);
    text.get(..10).map_or_else(|| text.clone(), str::to_owned)
}
