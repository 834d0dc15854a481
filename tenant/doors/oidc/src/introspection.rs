//! The endpoints for introspection (RFC 7662): whether a token is good at this moment; and for revocation (RFC 7009): a
//! client ends a token of its own.

use super::door::{OidcDoor, private_empty, private_json, refused, unavailable};
use super::parameters::Parameters;
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::{ActiveToken, Client, OidcKind};
use serde_json::{Value, json};

impl OidcDoor {
    /// The introspection endpoint, for confidential clients. Blocks.
    pub(crate) fn introspect(&self, client: &Client, form: &Parameters) -> Answer {
        let bad = |code, words| refused(StatusCode::BAD_REQUEST, code, words);
        if client.oidc.kind != OidcKind::Confidential {
            return bad("unauthorized_client", "a public client introspects nothing");
        }
        let Some(token) = form.get("token") else { return bad("invalid_request", "token is missing") };
        match self.provider.introspect(client, token, unix_now()) {
            Ok(found) => private_json(StatusCode::OK, &self.introspected(found)),
            Err(_) => unavailable(),
        }
    }

    fn introspected(&self, found: Option<ActiveToken>) -> Value {
        let Some(token) = found else { return json!({ "active": false }) };
        let mut answer = json!({
            "active": true,
            "iss": self.issuer,
            "client_id": token.client,
            "exp": token.ends_at,
        });
        let Some(members) = answer.as_object_mut() else { return answer };
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if !token.is_refresh {
            put("token_type", json!("Bearer"));
        }
        if let Some(at) = token.issued_at {
            put("iat", json!(at));
        }
        if let Some(person) = token.person {
            put("sub", json!(person.sub));
            put("scope", json!(person.scopes));
        }
        answer
    }

    /// The revocation endpoint. The token of another client has the same answer, and is not ended. Blocks.
    pub(crate) fn revoke(&self, client: &Client, form: &Parameters) -> Answer {
        let Some(token) = form.get("token") else {
            return refused(StatusCode::BAD_REQUEST, "invalid_request", "token is missing");
        };
        match self.provider.revoke(client, token, unix_now()) {
            Ok(()) => private_empty(StatusCode::OK),
            Err(_) => unavailable(),
        }
    }
}
