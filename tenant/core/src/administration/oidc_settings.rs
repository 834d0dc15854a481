//! How an application signs people in by OpenID Connect: what an administrator sets, checked, stored and written as text.
//! Neighbours: [`super::app_settings`] has the other settings.

use crate::administration::client_keys::{key_text, read_keys};
use crate::administration::group_settings::{groups_text, read_groups, setting_of};
use crate::administration::request::{AdminResponse, OidcSettings, RoleSetting, not_one_of, refusal};
use crate::clock::unix_now;
use crate::provider::codes_known_until;
use landbridge_crypto::secret::Secret;
use landbridge_tenant_rules::model::{
    AppRole, LogoutUri, OidcClient, OidcKind, RedirectUri, SigningAlgorithm, SubjectKind,
};
use landbridge_tenant_store::tables::{app_oidc, device_requests, grants};
use landbridge_tenant_store::{Reading, StoreError, Writing};

/// Limit on the bytes of a role's name.
const MAX_ROLE: usize = 64;

/// Stores how an application signs people in; none: it does not any more, and its grants end.
pub(super) fn store(
    writing: &Writing<'_>,
    app: uuid::Uuid,
    client: Option<&OidcClient>,
) -> Result<(), StoreError> {
    if client.is_none() {
        grants::end_of_app(writing, app, codes_known_until(unix_now()))?;
        device_requests::end_of_app(writing, app)?;
    }
    Secret::<32>::random().lend(|salt| app_oidc::set(writing, app, client, salt))
}

/// Checks how an application is to sign people in.
pub(super) fn read_oidc(
    reading: &Reading<'_>,
    served: Option<&[i64]>,
    wanted: &OidcSettings,
) -> Result<Result<OidcClient, AdminResponse>, StoreError> {
    // 1. Names.
    let Some(kind) = OidcKind::parse(&wanted.kind) else {
        return Ok(Err(not_one_of("kind of client", &wanted.kind, OidcKind::TEXTS)));
    };
    let Some(algorithm) = SigningAlgorithm::parse(&wanted.algorithm) else {
        return Ok(Err(not_one_of("algorithm", &wanted.algorithm, SigningAlgorithm::TEXTS)));
    };
    let Some(subject) = SubjectKind::parse(&wanted.subject) else {
        return Ok(Err(not_one_of("kind of subject", &wanted.subject, SubjectKind::TEXTS)));
    };
    if kind == OidcKind::Public && !wanted.pkce {
        let todo = "leave PKCE on, or make the client a confidential one";
        return Ok(Err(refusal(
            "a public client has nothing but PKCE to prove that a code is its own",
            todo,
        )));
    }
    if kind == OidcKind::Public && (wanted.client_credentials || wanted.introspect_others) {
        let todo =
            "leave --client-credentials and --introspect-others off, or make the client a confidential one";
        return Ok(Err(refusal("a public client cannot prove that a request is its own", todo)));
    }
    let keys = match read_keys(&wanted.keys) {
        Ok(keys) => keys,
        Err(refused) => return Ok(Err(refused)),
    };
    if kind == OidcKind::Public && !keys.is_empty() {
        let todo = "leave --jwks out, or make the client a confidential one";
        return Ok(Err(refusal("a public client has no key of its own", todo)));
    }
    // 2. URIs.
    let mut uris: [Vec<RedirectUri>; 2] = Default::default();
    for (list, into) in [&wanted.redirect_uris, &wanted.signed_out_uris].into_iter().zip(&mut uris) {
        if list.len() > app_oidc::MOST {
            let what = format!("{} URIs, and at most {} can be registered", list.len(), app_oidc::MOST);
            return Ok(Err(refusal(&what, "register fewer")));
        }
        for text in list {
            match RedirectUri::parse(text) {
                Ok(uri) if into.contains(&uri) => {}
                Ok(uri) => into.push(uri),
                Err(why) => {
                    let todo =
                        "write it exactly as the application sends it, as https://wiki.example.com/callback";
                    return Ok(Err(refusal(&format!("{text}: {why}"), todo)));
                }
            }
        }
    }
    let [redirect_uris, signed_out_uris] = uris;
    let back_channel = match wanted.back_channel_logout.as_deref().map(LogoutUri::parse).transpose() {
        Ok(uri) => uri,
        Err(why) => {
            let todo = "give one as https://wiki.example.com/logout: its documentation calls it back-channel logout URL";
            let text = wanted.back_channel_logout.as_deref().unwrap_or_default();
            return Ok(Err(refusal(&format!("{text}: {why}"), todo)));
        }
    };
    // One that signs people in on devices alone, or none at all, has no place for people to return to.
    let needs_none = wanted.client_credentials || wanted.introspect_others || wanted.device_code;
    if redirect_uris.is_empty() && !needs_none {
        let todo = "give one with --redirect-uri: its documentation calls it redirect or callback URL";
        return Ok(Err(refusal("a client of OpenID Connect needs a redirect URI", todo)));
    }
    // 3. Groups and roles.
    let groups = match read_groups(reading, served, &wanted.groups)? {
        Ok(groups) => groups,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut roles = Vec::new();
    for RoleSetting { role, group } in &wanted.roles {
        if role.is_empty() || role.len() > MAX_ROLE || roles.len() >= app_oidc::MOST {
            let what = format!("a role has 1 to {MAX_ROLE} bytes, and there are at most {}", app_oidc::MOST);
            return Ok(Err(refusal(&what, "choose another name, or fewer roles")));
        }
        match read_groups(reading, served, std::slice::from_ref(group))? {
            Ok(found) => roles.extend(found.into_iter().map(|group| AppRole { role: role.clone(), group })),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(OidcClient {
        kind,
        pkce: wanted.pkce,
        algorithm,
        subject,
        client_credentials: wanted.client_credentials,
        introspects_others: wanted.introspect_others,
        pushed_requests_only: wanted.par_required,
        device_codes: wanted.device_code,
        keys,
        redirect_uris,
        signed_out_uris,
        back_channel,
        groups: (!wanted.all_groups).then_some(groups),
        roles,
    }))
}

/// How an application signs people in, as the audit log has it.
pub(super) fn oidc_text(client: &OidcClient) -> String {
    let OidcClient { kind, pkce, algorithm, subject, groups, roles, .. } = client;
    let uris = |uris: &[RedirectUri]| uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>().join(" ");
    let groups = groups_text(groups.as_deref());
    let mut text = format!(
        "OpenID Connect: {kind}, {}, {algorithm}, subject {subject}, {groups}",
        if *pkce { "PKCE" } else { "no PKCE" },
    );
    for (words, listed) in
        [(", returns to ", &client.redirect_uris), (", after a sign-out to ", &client.signed_out_uris)]
    {
        if !listed.is_empty() {
            text.push_str(words);
            text.push_str(&uris(listed));
        }
    }
    if let Some(uri) = &client.back_channel {
        text.push_str(&format!(", ends of sessions to {}", uri.as_str()));
    }
    for (is_on, words) in [
        (client.client_credentials, ", tokens of its own"),
        (client.introspects_others, ", introspects tokens of others"),
        (client.pushed_requests_only, ", must push its requests"),
        (client.device_codes, ", signs in on devices"),
    ] {
        if is_on {
            text.push_str(words);
        }
    }
    for key in &client.keys {
        text.push_str(&format!(", key {}", key.kid));
    }
    for AppRole { role, group } in roles {
        text.push_str(&format!(", role {role} for {}", group.name));
    }
    text
}

/// The settings of a client, as they are exported.
pub(super) fn oidc_settings(client: OidcClient) -> OidcSettings {
    let OidcClient {
        kind,
        pkce,
        algorithm,
        subject,
        client_credentials,
        introspects_others,
        pushed_requests_only,
        device_codes,
        keys,
        redirect_uris,
        signed_out_uris,
        back_channel,
        groups,
        roles,
    } = client;
    let texts = |uris: Vec<RedirectUri>| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    OidcSettings {
        kind: kind.to_string(),
        pkce,
        algorithm: algorithm.to_string(),
        subject: subject.to_string(),
        client_credentials,
        introspect_others: introspects_others,
        par_required: pushed_requests_only,
        device_code: device_codes,
        keys: keys.iter().map(key_text).collect(),
        redirect_uris: texts(redirect_uris),
        signed_out_uris: texts(signed_out_uris),
        back_channel_logout: back_channel.map(|uri| uri.as_str().to_owned()),
        all_groups: groups.is_none(),
        groups: groups.into_iter().flatten().map(setting_of).collect(),
        roles: roles
            .into_iter()
            .map(|AppRole { role, group }| RoleSetting { role, group: setting_of(group) })
            .collect(),
    }
}
