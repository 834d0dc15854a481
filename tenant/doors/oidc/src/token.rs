//! Codes and refresh tokens for tokens (OpenID Connect Core 3.1.3, 12), those of devices (RFC 8628 3.4), and tokens of a client
//! itself (RFC 6749 4.4).

use super::door::{Asked, OidcDoor, private_json, refused, unavailable};
use super::metadata::{DEVICE_GRANT, PASSWORD_OVER_TLS};
use super::parameters::Parameters;
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{Client, Granted, NoGrant, OidcKind, Provider, TOKEN};
use serde_json::{Value, json};

/// `typ` of an ID token.
pub(crate) const ID_TOKEN: &str = "JWT";

impl OidcDoor {
    /// The token endpoint. Blocks.
    pub(crate) fn token(&self, asked: &Asked, client: &Client, form: &Parameters) -> Answer {
        let bad = |code, words| refused(StatusCode::BAD_REQUEST, code, words);
        // 1. The code or the refresh token.
        let now = unix_now();
        let (code, token) = (form.get("code"), form.get("refresh_token"));
        let granted = match (form.get("grant_type").unwrap_or_default(), code, token) {
            ("authorization_code", Some(code), _) => {
                let redirect_uri = form.get("redirect_uri").unwrap_or_default();
                self.provider.redeem(client, code, redirect_uri, form.get("code_verifier"), now)
            }
            ("refresh_token", _, Some(token)) => self.provider.refresh(client, token, now),
            ("authorization_code" | "refresh_token", ..) => {
                return bad("invalid_request", "the code or the refresh token is missing");
            }
            (DEVICE_GRANT, ..) => match self.device_grant(client, form, now) {
                Ok(granted) => granted,
                Err(answer) => return *answer,
            },
            ("client_credentials", ..) => return self.client_credentials(asked, client, form, now),
            _ => {
                let words = "authorization_code, refresh_token, client_credentials or that of a device code";
                return bad("unsupported_grant_type", words);
            }
        };
        // 2. The tokens.
        match granted {
            Ok(granted) => match tokens(&self.provider, &self.issuer, client, granted, now) {
                Some(tokens) => private_json(StatusCode::OK, &tokens),
                None => unavailable(),
            },
            Err(NoGrant::NotGood) => bad("invalid_grant", "the code or the refresh token is not good"),
            Err(NoGrant::Over) => bad("invalid_grant", "the person may not go on"),
            Err(NoGrant::Store(_)) => unavailable(),
        }
    }

    /// An access token of the client itself. It is of no person, so no scope fits it.
    fn client_credentials(&self, asked: &Asked, client: &Client, form: &Parameters, now: i64) -> Answer {
        let bad = |code, words| refused(StatusCode::BAD_REQUEST, code, words);
        if client.oidc.kind != OidcKind::Confidential || !client.oidc.client_credentials {
            return bad("unauthorized_client", "this client gets no tokens of its own");
        }
        if form.get("scope").is_some() {
            return bad("invalid_scope", "a token of a client itself has no scope");
        }
        if self.applications.charge(&client.app, asked.arrived).is_err() {
            return unavailable();
        }
        let access = self.provider.client_token(client, now);
        let answer = json!({ "access_token": access.as_str(), "token_type": "Bearer", "expires_in": TOKEN });
        private_json(StatusCode::OK, &answer)
    }
}

/// The tokens of a grant. None: they cannot be made.
fn tokens(provider: &Provider, issuer: &str, client: &Client, granted: Granted, now: i64) -> Option<Value> {
    let Granted { grant, claims: mut id, access, refresh } = granted;
    for (name, value) in [
        ("iss", json!(issuer)),
        ("aud", json!(client.app.name)),
        ("iat", json!(now)),
        ("exp", json!(now.saturating_add(TOKEN))),
        ("auth_time", json!(grant.signed_in_at)),
        ("sid", json!(provider.session_name(client, grant.session))),
        ("acr", json!(PASSWORD_OVER_TLS)),
        ("amr", json!(["pwd"])),
    ] {
        id.insert(name.to_owned(), value);
    }
    if let Some(nonce) = &grant.nonce {
        id.insert("nonce".to_owned(), json!(nonce));
    }
    let mut answer = json!({
        "access_token": access.as_str(),
        "token_type": "Bearer",
        "expires_in": TOKEN,
        "scope": grant.scopes,
        "id_token": provider.issuer().sign(client.oidc.algorithm, ID_TOKEN, &id).ok()?,
    });
    if let (Some(refresh), Some(members)) = (refresh, answer.as_object_mut()) {
        members.insert("refresh_token".to_owned(), json!(refresh.as_str()));
    }
    Some(answer)
}
