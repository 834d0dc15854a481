//! Assertions by which a client proves itself with a key of its own (RFC 7523; OpenID Connect Core 9,
//! `private_key_jwt`).
//!
//! An assertion is verified by a registered key of the client. It may name a key, and must not contain one. Its only
//! audience is the issuer, or the token endpoint for older clients, so an assertion for another server is refused. An
//! assertion is good once.
//! Neighbours: [`crate::issuer`] verifies the server's own signatures; the door reads assertions from forms.

use super::{Client, Provider};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::sha_256::sha_256;
use landbridge_tenant_rules::model::{ClientKey, SigningAlgorithm};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::spent;
use serde_json::{Map, Value};

/// `client_assertion_type` (RFC 7523 2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Limit on the bytes of an assertion.
const MAX_ASSERTION: usize = 8 * 1024;
/// Limit on the bytes of `jti`.
const MAX_JTI: usize = 256;
/// Limit on the seconds for which an assertion is good. A client makes one for each request.
const MAX_LIFE: i64 = 300;
/// Limit on the difference between the clocks of client and server, in seconds.
const SKEW: i64 = 60;
/// Members of a header that contain a key or its URL (RFC 7515 4.1), or that change how the rest is read.
const REFUSED_MEMBERS: [&str; 6] = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/// An assertion that was read and is not verified.
#[derive(Debug)]
pub struct Assertion {
    algorithm: SigningAlgorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

/// Why an assertion is refused, in words for the client's developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the assertion is refused: {0}")]
pub struct BadAssertion(pub &'static str);

/// A good assertion. Its use is stored until the assertion ends, so that a copy is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedAssertion {
    hash: [u8; 32],
    ends_at: i64,
}

impl Assertion {
    /// Reads an assertion.
    pub fn parse(text: &str) -> Result<Self, BadAssertion> {
        const FORM: BadAssertion = BadAssertion("it is no JWT");
        if text.len() > MAX_ASSERTION {
            return Err(BadAssertion("it is longer than 8 KiB"));
        }
        // 1. The parts.
        let (signed, signature) = text.rsplit_once('.').ok_or(FORM)?;
        let (head, claims) = signed.split_once('.').ok_or(FORM)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| FORM);
        let object =
            |part: &str| serde_json::from_slice::<Map<String, Value>>(&decoded(part)?).map_err(|_| FORM);
        let (head, claims) = (object(head)?, object(claims)?);
        // 2. The header.
        if REFUSED_MEMBERS.iter().any(|name| head.contains_key(*name)) {
            return Err(BadAssertion("its head may name a registered key, and bring none"));
        }
        let algorithm = head.get("alg").and_then(Value::as_str).and_then(SigningAlgorithm::parse);
        let kid = match head.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(BadAssertion("kid is no text")),
        };
        let kind = match head.get("typ") {
            None => "jwt".to_owned(),
            Some(kind) => kind.as_str().unwrap_or_default().to_ascii_lowercase(),
        };
        if kind != "jwt" && kind != "client-authentication+jwt" {
            return Err(BadAssertion("typ is for something else"));
        }
        Ok(Self {
            algorithm: algorithm.ok_or(BadAssertion("alg must be ES256 or RS256"))?,
            kid,
            claims,
            signed: signed.to_owned(),
            signature: decoded(signature)?,
        })
    }

    /// `client_id` of the client that it claims to come from.
    pub fn client(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// Verifies the assertion by the keys of the client with this id. `audiences` are this server's names; `now` is in
    /// seconds since 1970.
    pub fn check(
        &self,
        client: &str,
        keys: &[ClientKey],
        audiences: &[&str],
        now: i64,
    ) -> Result<UsedAssertion, BadAssertion> {
        let is_so =
            |holds: bool, otherwise: &'static str| if holds { Ok(()) } else { Err(BadAssertion(otherwise)) };
        // 1. Client, audience and times. These checks are cheap, so they come before the signature.
        let is_of = |name: &str| self.text(name) == Some(client);
        is_so(is_of("sub") && is_of("iss"), "iss and sub must be the client_id")?;
        let audience = match self.claims.get("aud") {
            Some(Value::String(one)) => Some(one),
            Some(Value::Array(all)) => match all.as_slice() {
                [Value::String(one)] => Some(one),
                _ => None,
            },
            _ => None,
        };
        let is_for_this = audience.is_some_and(|audience| audiences.contains(&audience.as_str()));
        is_so(is_for_this, "aud must be the issuer alone")?;
        let ends_at = self.time("exp")?.ok_or(BadAssertion("exp is missing"))?.saturating_add(SKEW);
        is_so(now < ends_at, "it is over")?;
        let latest = now.saturating_add(MAX_LIFE).saturating_add(2 * SKEW);
        is_so(ends_at <= latest, "exp must be within 5 minutes")?;
        for name in ["iat", "nbf"] {
            let is_past = self.time(name)?.is_none_or(|at| at <= now.saturating_add(SKEW));
            is_so(is_past, "iat or nbf is in the future")?;
        }
        let jti = self.text("jti").filter(|jti| (1..=MAX_JTI).contains(&jti.len()));
        let jti = jti.ok_or(BadAssertion("jti must be a text of 1 to 256 bytes"))?;
        // 2. The signature, by one key.
        let mut of_kind = keys.iter().filter(|key| {
            SigningAlgorithm::of(&key.public) == self.algorithm
                && self.kid.as_ref().is_none_or(|kid| *kid == key.kid)
        });
        let key = of_kind.next().ok_or(BadAssertion("no registered key has its kid and alg"))?;
        is_so(of_kind.next().is_none(), "kid is missing, and several keys have its alg")?;
        is_so(
            key.public.verifies(self.signed.as_bytes(), &self.signature),
            "the signature is not the key's",
        )?;
        let hash = sha_256(jti.as_bytes());
        Ok(UsedAssertion { hash, ends_at })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A time in seconds since 1970, which may have a fraction (RFC 7519 2).
    fn time(&self, name: &str) -> Result<Option<i64>, BadAssertion> {
        const WRONG: BadAssertion = BadAssertion("exp, iat and nbf are numbers of seconds");
        /// Limit on the seconds: the year 9999.
        const MAX_TIME: f64 = 253_402_300_799.0;
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..=MAX_TIME).contains(seconds)).ok_or(WRONG)?;
        #[allow(clippy::cast_possible_truncation, reason = "within the limits above")]
        Ok(Some(seconds as i64))
    }
}

impl Provider {
    /// Whether an assertion of this client was used before. Blocks.
    pub fn was_used(&self, client: &Client, used: &UsedAssertion) -> Result<bool, StoreError> {
        self.store.read(|reading| spent::is_spent(reading, client.app.id, &used.hash))
    }

    /// Notes that an assertion of this client is used. False: it was used before. Blocks.
    pub fn use_assertion(&self, client: &Client, used: &UsedAssertion) -> Result<bool, StoreError> {
        self.store.write_short("client-assertion", |writing| {
            spent::redeem(writing, (client.app.id, &used.hash), used.ends_at)
        })
    }
}
