//! What an application learns of a person, by scope (OpenID Connect Core 5.4).

use super::{Client, Provider, SubjectKind};
use aws_lc_rs::digest::{SHA256, digest};
use landbridge_tenant_store::facts::KnownAccount;
use landbridge_tenant_store::tables::{app_groups, attributes, members};
use landbridge_tenant_store::{Reading, StoreError};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// Limit on the groups and on the roles that one answer names. With more, the claim `groups_over_limit` is true and
/// `groups` is absent.
pub const MOST_GROUPS: usize = 200;

/// The scopes that this provider knows (OpenID Connect Core 5.4 and 11).
pub const SCOPES: [&str; 6] = ["openid", "profile", "email", "groups", "roles", "offline_access"];

impl Provider {
    /// `sub` of a person for a client (OpenID Connect Core 8).
    pub fn subject(&self, client: &Client, object: Uuid) -> String {
        name_for(client, object)
    }

    /// `sid` of a session for a client (OpenID Connect Back-Channel Logout 1.0, 2.1).
    pub fn session_name(&self, client: &Client, session: Uuid) -> String {
        name_for(client, session)
    }

    /// The claims of a person for these scopes.
    pub(super) fn claims_in(
        &self,
        reading: &Reading<'_>,
        client: &Client,
        person: &KnownAccount,
        scopes: &str,
    ) -> Result<Map<String, Value>, StoreError> {
        // 1. Who it is.
        let KnownAccount { object: account, domain, attributes: known, .. } = person;
        let object = account.object;
        let has = |scope: &str| scopes.split(' ').any(|one| one == scope);
        let mut claims = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty()).map(Value::String);
        put("sub", Some(Value::String(self.subject(client, object))));
        put("domain", Some(Value::String(domain.dns_name.clone())));
        put("domain_sid", Some(Value::String(domain.sid.clone())));
        // 2. By scope.
        if has("profile") {
            put("name", text(&known.display_name).or_else(|| text(&known.sam_account_name)));
            put("given_name", text(&known.given_name));
            put("family_name", text(&known.surname));
            put("preferred_username", text(&known.sam_account_name));
            put("upn", text(&known.user_principal_name));
        }
        if has("email") {
            put("email", text(&known.mail));
            // An address in AD is not verified.
            put("email_verified", known.mail.is_some().then_some(Value::Bool(false)));
        }
        if !has("groups") && !has("roles") {
            return Ok(claims);
        }
        // 3. Groups: those that the application may see, of those that the account is in by any way.
        let groups_of =
            || members::groups_of(reading, domain, object, known.primary_group_id, members::Which::All);
        reading
            .ask_ahead(&[&|| groups_of().map(drop), &|| app_groups::of(reading, client.app.id).map(drop)])?;
        let held = groups_of()?;
        let held: Option<HashSet<Uuid>> = held.map(|held| held.into_iter().collect());
        if has("groups") {
            let mut seen = app_groups::of(reading, client.app.id)?;
            seen.extend(client.oidc.groups.clone().unwrap_or_default());
            let is_seen =
                |group: &Uuid| client.oidc.groups.is_none() || seen.iter().any(|one| one.group == *group);
            let visible: Vec<Uuid> = held.iter().flatten().copied().filter(is_seen).collect();
            reading.ask_of_each_ahead(&visible, |group| attributes::of(reading, *group).map(drop))?;
            let mut names = Vec::new();
            for group in visible {
                names.extend(attributes::of(reading, group)?.sam_account_name);
            }
            names.sort();
            names.dedup();
            if held.is_none() || names.len() > MOST_GROUPS {
                put("groups_over_limit", Some(Value::Bool(true)));
            } else {
                put("groups", Some(json!(names)));
            }
        }
        // 4. Roles.
        if has("roles") {
            let held = held.unwrap_or_default();
            let mut roles: Vec<&str> = Vec::new();
            for role in client.oidc.roles.iter().filter(|role| held.contains(&role.group.group)) {
                if !roles.contains(&role.role.as_str()) {
                    roles.push(&role.role);
                }
            }
            put("roles", Some(json!(roles)));
        }
        Ok(claims)
    }
}

/// What names a person or a session for a client. Two clients with pairwise subjects cannot compare what they have.
fn name_for(client: &Client, id: Uuid) -> String {
    match client.oidc.subject {
        SubjectKind::ObjectGuid => id.to_string(),
        SubjectKind::Pairwise => {
            let hash = digest(&SHA256, &[&client.salt[..], id.as_bytes()].concat());
            let octets = hash.as_ref().first_chunk().copied().unwrap_or_default();
            uuid::Builder::from_custom_bytes(octets).into_uuid().to_string()
        }
    }
}
