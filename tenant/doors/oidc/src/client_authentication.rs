//! The `client_id` and the credential in a request that a client sends itself (RFC 6749 2.3; RFC 7523 2.2). Nothing is
//! checked against the registered clients. Pure.
//! After it: `proven_client` checks the secret or the assertion.

use super::parameters::Parameters;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use landbridge_tenant_core::provider::client_assertion::{ASSERTION_TYPE, Assertion};
use url::form_urlencoded;
use zeroize::Zeroizing;

/// The `client_id` of a request and its credential.
#[derive(Debug)]
pub struct Shown {
    /// `client_id`
    pub id: String,
    /// The credential.
    pub proof: Proof,
}

/// The credential of a client.
pub enum Proof {
    /// None: a public client.
    Nothing,
    /// `client_secret`
    Secret(Zeroizing<String>),
    /// `client_assertion`
    Assertion(Box<Assertion>),
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret(..)",
            Self::Assertion(_) => "Assertion(..)",
        })
    }
}

/// Reads the `client_id` and the credential of a request. A request with two credentials is refused. The error says
/// what is wrong.
pub fn shown(headers: &HeaderMap, form: &mut Parameters) -> Result<Shown, &'static str> {
    const TWO_WAYS: &str = "the client proves itself in more than one way";
    let in_form = form.get("client_id").map(str::to_owned);
    let mut extract = |name| form.extract(name).filter(|value| !value.is_empty()).map(Zeroizing::new);
    let secret = extract("client_secret");
    let (assertion, kind) = (extract("client_assertion"), extract("client_assertion_type"));
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    // 1. An assertion, which names its client.
    if assertion.is_some() || kind.is_some() {
        if headers.next().is_some() || secret.is_some() {
            return Err(TWO_WAYS);
        }
        let (Some(assertion), Some(ASSERTION_TYPE)) = (assertion, kind.as_ref().map(|kind| kind.as_str()))
        else {
            return Err("client_assertion_type must be that of a JWT, beside client_assertion");
        };
        let assertion = Assertion::parse(&assertion).map_err(|why| why.0)?;
        let id = in_form.unwrap_or_else(|| assertion.client().to_owned());
        return Ok(Shown { id, proof: Proof::Assertion(Box::new(assertion)) });
    }
    // 2. A secret in the form, or none.
    let Some(header) = headers.next() else {
        let proof = secret.map_or(Proof::Nothing, Proof::Secret);
        return Ok(Shown { id: in_form.ok_or("client_id is missing")?, proof });
    };
    // 3. A secret in the header.
    const WRONG: &str = "the Authorization header is no Basic credential";
    if headers.next().is_some() || secret.is_some() {
        return Err(TWO_WAYS);
    }
    let (scheme, value) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(WRONG)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(WRONG);
    }
    let value = Zeroizing::new(STANDARD.decode(value.trim()).map_err(|_| WRONG)?);
    let (id, secret) = std::str::from_utf8(&value).ok().and_then(|text| text.split_once(':')).ok_or(WRONG)?;
    // RFC 6749 2.3.1: name and secret are form-encoded, so neither contains a character that separates form fields.
    let decoded = |text: &str| {
        if text.contains(['&', '=']) {
            return Err(WRONG);
        }
        let pair = form_urlencoded::parse(text.as_bytes()).next();
        Ok(pair.map(|(text, _)| text.into_owned()).unwrap_or_default())
    };
    let id = decoded(id)?;
    if in_form.is_some_and(|other| other != id) {
        return Err("client_id is another one in the form");
    }
    Ok(Shown { id, proof: Proof::Secret(Zeroizing::new(decoded(secret)?)) })
}
