//! Who somebody is, for an access token (OpenID Connect Core 5.3). Account, assignment and session are read again.

use super::door::{Asked, OidcDoor, private_json, refused, unavailable};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::NoGrant;
use serde_json::Value;

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
        // 2. What it stands on, as it is now.
        match self.provider.userinfo(token.trim(), unix_now()) {
            Ok(claims) => private_json(StatusCode::OK, &Value::Object(claims)),
            Err(NoGrant::NotGood | NoGrant::Over) => no_token("the token is not good"),
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
