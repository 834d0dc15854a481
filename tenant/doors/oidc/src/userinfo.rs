//! Who somebody is, for an access token (OpenID Connect Core 5.3). Account, assignment and session are read again.

use super::door::{Asked, OidcDoor, private_json, refused};
use super::token::{ACCESS_TOKEN, unavailable};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::NoGrant;
use serde_json::Value;
use uuid::Uuid;

impl OidcDoor {
    /// The userinfo endpoint. Blocks.
    pub(crate) fn userinfo(&self, asked: &Asked) -> Answer {
        // 1. The token (RFC 6750 2.1).
        let mut headers = asked.headers.get_all(AUTHORIZATION).iter();
        let (Some(header), None) = (headers.next(), headers.next()) else { return no_token("") };
        let token = header.to_str().ok().and_then(|text| text.split_once(' '));
        let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return no_token("");
        };
        let now = unix_now();
        let Some(claims) = self.provider.issuer().verified(ACCESS_TOKEN, token.trim()) else {
            return no_token("the token is not good");
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_good = text("iss") == self.issuer
            && text("aud") == self.issuer
            && claims.get("exp").and_then(Value::as_i64).is_some_and(|until| now < until);
        let (Some(grant), true) = (Uuid::try_parse(&text("grant")).ok(), is_good) else {
            return no_token("the token is not good any more");
        };
        // 2. What it stands on, as it is now.
        match self.provider.userinfo(&text("client_id"), grant, now) {
            Ok(claims) => private_json(StatusCode::OK, &Value::Object(claims)),
            Err(NoGrant::NotGood | NoGrant::Over) => no_token("the token is not good any more"),
            Err(NoGrant::Store(_)) => unavailable(),
        }
    }
}

/// RFC 6750 3.
fn no_token(words: &'static str) -> Answer {
    let mut answer = refused(StatusCode::UNAUTHORIZED, "invalid_token", words);
    let challenge = if words.is_empty() { "Bearer" } else { "Bearer error=\"invalid_token\"" };
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    answer
}
