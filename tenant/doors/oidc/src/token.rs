//! Codes and refresh tokens for tokens (OpenID Connect Core 3.1.3, 12).

use super::client_authentication::shown;
use super::door::{Asked, OidcDoor, blocking, private_json, refused};
use super::metadata::PASSWORD_OVER_TLS;
use super::parameters::{NoParameters, Parameters};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::applications::NotAuthenticated;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{Client, Granted, NoGrant, OidcKind, Provider, TOKEN};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// `typ` of an ID token, and of an access token (RFC 9068 2.1).
pub(crate) const ID_TOKEN: &str = "JWT";
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";

impl OidcDoor {
    /// The token endpoint.
    pub(crate) async fn token(&self, asked: &Asked, parameters: Result<Parameters, NoParameters>) -> Answer {
        let bad = |code, words| Box::new(refused(StatusCode::BAD_REQUEST, code, words));
        // 1. The client.
        let Ok(mut form) = parameters else { return *bad("invalid_request", "the form cannot be read") };
        let shown = match shown(&asked.headers, &mut form) {
            Ok(shown) => shown,
            Err(words) => return no_client(asked, words),
        };
        let (provider, applications) = (self.provider.clone(), self.applications.clone());
        let (from, now) = (asked.from, unix_now());
        let proving = blocking(move || {
            let found = provider.client(&shown.id).map_err(|_| NotAuthenticated::Storage)?;
            let client = found.ok_or(NotAuthenticated::Unknown)?;
            match (client.oidc.kind, &shown.secret) {
                (OidcKind::Confidential, Some(secret)) => {
                    applications.authenticate_client(client.app.id, secret, from)?;
                }
                (OidcKind::Public, None) => {}
                (OidcKind::Confidential, None) | (OidcKind::Public, Some(_)) => {
                    return Err(NotAuthenticated::Unknown);
                }
            }
            Ok(client)
        });
        let client = match proving.await {
            Some(Ok(client)) => client,
            Some(Err(NotAuthenticated::Unknown)) => {
                return no_client(asked, "no client has this client_id and secret");
            }
            Some(Err(NotAuthenticated::Storage | NotAuthenticated::OverRate(_))) | None => {
                return unavailable();
            }
        };
        // 2. The code or the refresh token.
        let kind = form.get("grant_type").unwrap_or_default().to_owned();
        let text = |name: &str| form.get(name).map(|value| Zeroizing::new(value.to_owned()));
        let (code, verifier, token) = (text("code"), text("code_verifier"), text("refresh_token"));
        let redirect_uri = form.get("redirect_uri").unwrap_or_default().to_owned();
        let (door, of) = (self.provider.clone(), client.clone());
        let issuer = self.issuer.clone();
        let work = move || {
            let granted = match (kind.as_str(), code, token) {
                ("authorization_code", Some(code), _) => {
                    door.redeem(&of, &code, &redirect_uri, verifier.as_ref().map(|text| text.as_str()), now)
                }
                ("refresh_token", _, Some(token)) => door.refresh(&of, &token, now),
                ("authorization_code" | "refresh_token", ..) => {
                    return Err(bad("invalid_request", "the code or the refresh token is missing"));
                }
                _ => return Err(bad("unsupported_grant_type", "authorization_code or refresh_token")),
            };
            let granted = granted.map_err(|why| match why {
                NoGrant::NotGood => bad("invalid_grant", "the code or the refresh token is not good"),
                NoGrant::Over => bad("invalid_grant", "the person may not go on"),
                NoGrant::Store(_) => Box::new(unavailable()),
            })?;
            tokens(&door, &issuer, &of, granted, now).ok_or_else(|| Box::new(unavailable()))
        };
        match blocking(work).await {
            Some(Ok(tokens)) => private_json(StatusCode::OK, &tokens),
            Some(Err(answer)) => *answer,
            None => unavailable(),
        }
    }
}

/// The tokens of a grant. Blocks. None: they cannot be made.
fn tokens(provider: &Provider, issuer: &str, client: &Client, granted: Granted, now: i64) -> Option<Value> {
    let Granted { grant, session, refresh } = granted;
    let claims = provider.claims(client, grant.object, &grant.scopes).ok()??;
    let mut common = Map::new();
    let put = |to: &mut Map<String, Value>, name: &str, value: Value| drop(to.insert(name.to_owned(), value));
    for (name, value) in [
        ("iss", json!(issuer)),
        ("sub", claims.get("sub").cloned().unwrap_or_default()),
        ("iat", json!(now)),
        ("exp", json!(now.saturating_add(TOKEN))),
        ("auth_time", json!(grant.signed_in_at)),
        ("sid", json!(session.id.to_string())),
    ] {
        put(&mut common, name, value);
    }
    // 1. For the application.
    let mut id = claims;
    id.extend(common.clone());
    put(&mut id, "aud", json!(client.app.name));
    put(&mut id, "acr", json!(PASSWORD_OVER_TLS));
    put(&mut id, "amr", json!(["pwd"]));
    if let Some(nonce) = &grant.nonce {
        put(&mut id, "nonce", json!(nonce));
    }
    // 2. For this server's userinfo.
    let mut access = common;
    put(&mut access, "aud", json!(issuer));
    put(&mut access, "client_id", json!(client.app.name));
    put(&mut access, "scope", json!(grant.scopes));
    put(&mut access, "jti", json!(uuid::Uuid::new_v4().to_string()));
    put(&mut access, "grant", json!(grant.id.to_string()));
    let algorithm = client.oidc.algorithm;
    let sign = |kind, claims| provider.issuer().sign(algorithm, kind, claims).ok();
    let mut answer = json!({
        "access_token": sign(ACCESS_TOKEN, &access)?,
        "token_type": "Bearer",
        "expires_in": TOKEN,
        "scope": grant.scopes,
        "id_token": sign(ID_TOKEN, &id)?,
    });
    if let (Some(refresh), Some(members)) = (refresh, answer.as_object_mut()) {
        put(members, "refresh_token", json!(refresh.as_str()));
    }
    Some(answer)
}

fn no_client(asked: &Asked, words: &str) -> Answer {
    let mut answer = refused(StatusCode::UNAUTHORIZED, "invalid_client", words);
    if asked.headers.contains_key(AUTHORIZATION) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"landbridge\""));
    }
    answer
}

pub(crate) fn unavailable() -> Answer {
    refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again")
}
