//! The tables `app_oidc`, `app_uris`, `app_keys`, `app_oidc_groups` and `app_roles`: how an application signs people in by
//! OpenID Connect. One without a row does not.
//! Neighbours: [`super::apps`] has the applications.

use super::{app_groups, changes};
use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_crypto::signature::PublicKey;
use landbridge_tenant_rules::model::{
    AppGroup, AppRole, ClientKey, LogoutUri, OidcClient, OidcKind, RedirectUri, SigningAlgorithm, SubjectKind,
};
use uuid::Uuid;

/// Limit on the URIs of one kind, and on the roles of an application.
pub const MOST: usize = 64;
/// Limit on the public keys of an application: some that are used, and those that come next.
pub const MOST_KEYS: usize = 8;

/// How an application signs people in; none: it does not.
pub fn of(reading: &Reading<'_>, app: Uuid) -> Result<Option<OidcClient>, StoreError> {
    Ok(with_salt(reading, app)?.map(|(client, _)| client))
}

/// The same, and what a pairwise `sub` is hashed with.
pub fn with_salt(reading: &Reading<'_>, app: Uuid) -> Result<Option<(OidcClient, [u8; 32])>, StoreError> {
    let sql =
        "SELECT kind, pkce, algorithm, subject, every_group, salt, client_credentials, introspects_others,
                   pushed_requests_only, device_codes FROM app_oidc WHERE app = ?1";
    let mut statement = reading.prepare_cached(sql)?;
    let mut rows = statement.query([app.as_bytes().as_slice()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let foreign = || StoreError::Foreign { what: "setting of an application" };
    let text = |at| row.get::<String>(at);
    let every_group: bool = row.get(4)?;
    let groups = if every_group { None } else { Some(app_groups::listed(reading, "app_oidc_groups", app)?) };
    let Uris { redirect_uris, signed_out_uris, back_channel } = uris(reading, app)?;
    let client = OidcClient {
        kind: OidcKind::parse(&text(0)?).ok_or_else(foreign)?,
        pkce: row.get(1)?,
        algorithm: SigningAlgorithm::parse(&text(2)?).ok_or_else(foreign)?,
        subject: SubjectKind::parse(&text(3)?).ok_or_else(foreign)?,
        client_credentials: row.get(6)?,
        introspects_others: row.get(7)?,
        pushed_requests_only: row.get(8)?,
        device_codes: row.get(9)?,
        keys: keys(reading, app)?,
        redirect_uris,
        signed_out_uris,
        back_channel,
        groups,
        roles: roles(reading, app)?,
    };
    Ok(Some((client, row.get(5)?)))
}

/// The URIs of an application.
#[derive(Default)]
struct Uris {
    redirect_uris: Vec<RedirectUri>,
    signed_out_uris: Vec<RedirectUri>,
    back_channel: Option<LogoutUri>,
}

fn uris(reading: &Reading<'_>, app: Uuid) -> Result<Uris, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT what, uri FROM app_uris WHERE app = ?1 ORDER BY what, uri")?;
    let mut rows = statement.query([app.as_bytes().as_slice()])?;
    let mut uris = Uris::default();
    let foreign = || StoreError::Foreign { what: "URI of an application" };
    while let Some(row) = &rows.next()? {
        let uri = row.get::<String>(1)?;
        let redirect = || RedirectUri::parse(&uri).map_err(|_| foreign());
        match row.get::<String>(0)?.as_str() {
            "code" => uris.redirect_uris.push(redirect()?),
            "signed-out" => uris.signed_out_uris.push(redirect()?),
            "back-channel" => uris.back_channel = Some(LogoutUri::parse(&uri).map_err(|_| foreign())?),
            _ => return Err(foreign()),
        }
    }
    Ok(uris)
}

/// The public keys of an application.
fn keys(reading: &Reading<'_>, app: Uuid) -> Result<Vec<ClientKey>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT kid, algorithm, public FROM app_keys WHERE app = ?1 ORDER BY kid")?;
    let mut rows = statement.query([app.as_bytes().as_slice()])?;
    let mut keys = Vec::new();
    while let Some(row) = &rows.next()? {
        let (algorithm, octets): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let public = SigningAlgorithm::parse(&algorithm)
            .and_then(|algorithm| PublicKey::from_octets(algorithm.in_crypto(), &octets).ok())
            .ok_or(StoreError::Foreign { what: "key of an application" })?;
        keys.push(ClientKey { kid: row.get(0)?, public });
    }
    Ok(keys)
}

fn roles(reading: &Reading<'_>, app: Uuid) -> Result<Vec<AppRole>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT r.role, r.domain, d.dns_name, r.object, r.name FROM app_roles r JOIN domains d ON d.id = r.domain
         WHERE r.app = ?1 ORDER BY r.role, d.dns_name, r.name, r.object",
    )?;
    let rows = statement.query_map([app.as_bytes().as_slice()], |row| {
        let (domain, domain_name, name) = (row.get(1)?, row.get(2)?, row.get(4)?);
        let group = AppGroup { domain, domain_name, group: stamps::guid(row, 3)?, name };
        Ok(AppRole { role: row.get(0)?, group })
    })?;
    rows.collect::<Result<_, _>>()
}

/// Sets how an application signs people in; none: it does not any more. `new_salt` is random; one that is there stays.
pub fn set(
    writing: &Writing<'_>,
    app: Uuid,
    client: Option<&OidcClient>,
    new_salt: &[u8; 32],
) -> Result<(), StoreError> {
    changes::note_settings(writing)?;
    let mut select = writing.prepare_cached("SELECT salt FROM app_oidc WHERE app = ?1")?;
    let salt =
        select.query_row([app.as_bytes().as_slice()], |row| row.get(0)).optional()?.unwrap_or(*new_salt);
    for table in ["app_roles", "app_oidc_groups", "app_uris", "app_keys", "app_oidc"] {
        writing.send(&format!("DELETE FROM {table} WHERE app = ?1"), [app.as_bytes().as_slice()])?;
    }
    let Some(client) = client else { return Ok(()) };
    writing.send(
        "INSERT INTO app_oidc (app, kind, pkce, algorithm, subject, every_group, salt, client_credentials,
             introspects_others, pushed_requests_only, device_codes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            app.as_bytes(),
            client.kind.as_str(),
            client.pkce,
            client.algorithm.as_str(),
            client.subject.as_str(),
            client.groups.is_none(),
            salt,
            client.client_credentials,
            client.introspects_others,
            client.pushed_requests_only,
            client.device_codes
        ],
    )?;
    for ClientKey { kid, public } in client.keys.iter().take(MOST_KEYS) {
        let algorithm = SigningAlgorithm::of(public);
        writing.send(
            "INSERT INTO app_keys (app, kid, algorithm, public) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![app.as_bytes(), kid, algorithm.as_str(), public.octets()],
        )?;
    }
    let OidcClient { redirect_uris, signed_out_uris, back_channel, groups, roles, .. } = client;
    let texts = |uris: &'_ [RedirectUri]| uris.iter().take(MOST).map(|uri| uri.as_str().to_owned()).collect();
    let back_channel: Vec<String> = back_channel.iter().map(|uri| uri.as_str().to_owned()).collect();
    for (what, uris) in [
        ("code", texts(redirect_uris)),
        ("signed-out", texts(signed_out_uris)),
        ("back-channel", back_channel),
    ] {
        for uri in uris {
            writing.send(
                "INSERT INTO app_uris (app, what, uri) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![app.as_bytes(), what, uri],
            )?;
        }
    }
    for AppGroup { domain, group, name, .. } in groups.iter().flatten().take(app_groups::MOST) {
        writing.send(
            "INSERT INTO app_oidc_groups (app, domain, object, name) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![app.as_bytes(), domain, group.as_bytes(), name],
        )?;
    }
    for AppRole { role, group: AppGroup { domain, group, name, .. } } in roles.iter().take(MOST) {
        writing.send(
            "INSERT INTO app_roles (app, role, domain, object, name) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            params![app.as_bytes(), role, domain, group.as_bytes(), name],
        )?;
    }
    Ok(())
}
