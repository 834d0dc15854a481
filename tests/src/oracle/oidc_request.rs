//! What a browser may bring to the issuer in a query: parameters are read as another reader reads them, each once and within
//! the limits, and a request that is accepted leads to a registered URI, in whose query nothing is lost or added.

use landbridge_door_oidc::authorization::{Authorization, Back, Prompt, Wrong, check};
use landbridge_door_oidc::parameters::{MAX_PARAMETERS, NoParameters, Parameters};
use landbridge_tenant_core::provider::{OidcClient, OidcKind, RedirectUri, SigningAlgorithm, SubjectKind};
use std::collections::BTreeMap;
use url::Url;

const ISSUER: &str = "https://login.example.com";
const HTTPS: &str = "https://wiki.example.com/callback";
const WITH_QUERY: &str = "https://wiki.example.com/cb?tenant=1";
const LOOPBACK: &str = "http://127.0.0.1/native";
/// Limit on the number of parameters.
const MAX_COUNT: usize = 64;
/// Limits on the bytes of a state and of a nonce.
const MAX_STATE: usize = 2048;
const MAX_NONCE: usize = 512;
/// What a client may be answered with.
const ERRORS: [&str; 6] = [
    "invalid_request",
    "invalid_scope",
    "unsupported_response_type",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
];

/// The data is a query.
pub fn oidc_request(data: &[u8]) {
    // 1. As another reader reads it.
    let expected = pairs(data);
    let parameters = match (Parameters::parse(data), expected) {
        (Ok(parameters), Ok(pairs)) => {
            for (name, value) in &pairs {
                assert_eq!(parameters.get(name), Some(value.as_str()).filter(|value| !value.is_empty()));
            }
            assert_eq!(
                format!("{parameters:?}").matches("\", \"").count() + 1,
                pairs.len().max(1),
                "each once"
            );
            round_trip(&parameters, &pairs);
            parameters
        }
        (Err(why), Err(expected)) => {
            assert_eq!(why, expected);
            return;
        }
        (outcome, expected) => panic!("{:?} in the place of {expected:?}", outcome.err()),
    };
    // 2. As a request of each kind of client.
    for (kind, pkce) in
        [(OidcKind::Confidential, true), (OidcKind::Confidential, false), (OidcKind::Public, true)]
    {
        let client = client(kind, pkce);
        match check(&client, &parameters) {
            Ok(request) => accepted(&request, &client, &parameters),
            Err(Wrong::There(back, code, words)) => {
                assert!(ERRORS.contains(&code), "{code}");
                assert!(words.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
                leads(&back, &parameters, &[("error", code), ("error_description", words)]);
            }
            Err(Wrong::Here(_, detail)) => assert!(!detail.is_empty()),
        }
    }
}

fn client(kind: OidcKind, pkce: bool) -> OidcClient {
    let uris = [HTTPS, WITH_QUERY, LOOPBACK].into_iter().filter_map(|text| RedirectUri::parse(text).ok());
    OidcClient {
        kind,
        pkce,
        algorithm: SigningAlgorithm::Es256,
        subject: SubjectKind::ObjectGuid,
        client_credentials: false,
        introspects_others: false,
        pushed_requests_only: false,
        device_codes: false,
        keys: Vec::new(),
        redirect_uris: uris.collect(),
        signed_out_uris: Vec::new(),
        back_channel: None,
        groups: None,
        roles: Vec::new(),
    }
}

fn accepted(request: &Authorization, client: &OidcClient, parameters: &Parameters) {
    let Authorization { back, scopes, nonce, challenge, prompt, max_age, login_hint, .. } = request;
    assert_eq!(parameters.get("response_type"), Some("code"));
    let wanted: Vec<&str> = parameters.get("scope").unwrap_or_default().split(' ').collect();
    let granted: Vec<&str> = scopes.split(' ').collect();
    assert_eq!(granted.first(), Some(&"openid"));
    assert!(granted.iter().all(|scope| wanted.contains(scope)), "{granted:?}");
    assert_eq!(nonce.as_deref(), parameters.get("nonce"));
    assert!(nonce.as_ref().is_none_or(|nonce| nonce.len() <= MAX_NONCE));
    assert_eq!(challenge.as_deref(), parameters.get("code_challenge"));
    assert!(challenge.is_some() || !client.pkce);
    if let Some(challenge) = challenge {
        assert_eq!(parameters.get("code_challenge_method"), Some("S256"));
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(challenge.len() == 43 && challenge.bytes().all(is_base64url));
    }
    let prompts: Vec<&str> = parameters.get("prompt").unwrap_or_default().split_whitespace().collect();
    assert!(!prompt.none || prompts == ["none"], "{prompts:?}");
    assert!(*prompt != Prompt { none: true, login: true });
    assert!(max_age.is_none_or(|seconds| (0..=i64::from(u32::MAX)).contains(&seconds)));
    assert!(login_hint.as_ref().is_none_or(|hint| hint.len() <= 256));
    for name in ["request", "request_uri", "registration"] {
        assert_eq!(parameters.get(name), None);
    }
    leads(back, parameters, &[("code", "a.code")]);
}

/// An answer leads to a URI that is registered, with its parameters behind what was registered.
fn leads(back: &Back, parameters: &Parameters, values: &[(&str, &str)]) {
    let uri = back.redirect_uri.as_str();
    let loopback_port = || {
        let (port, path) = uri.strip_prefix("http://127.0.0.1:")?.split_once('/')?;
        Some(path == "native" && port.parse::<u16>().is_ok())
    };
    assert!([HTTPS, WITH_QUERY, LOOPBACK].contains(&uri) || loopback_port() == Some(true), "{uri}");
    assert_eq!(back.state.as_deref(), parameters.get("state"));
    assert!(back.state.as_ref().is_none_or(|state| state.len() <= MAX_STATE));
    let all = back.parameters(values, ISSUER);
    let Some(to) = back.with_query(&all) else { panic!("{uri} is no URI") };
    assert!(to.starts_with(uri) && to.bytes().all(|byte| byte.is_ascii_graphic()), "{to}");
    let Ok(url) = Url::parse(&to) else { panic!("{to} is no URI") };
    assert_eq!(url.fragment(), None);
    let own = usize::from(uri == WITH_QUERY);
    let read: Vec<(String, String)> = url.query_pairs().into_owned().skip(own).collect();
    let expected: Vec<(String, String)> =
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(read, expected, "each parameter is there once, as it was");
    assert_eq!(expected.last().map(|(name, value)| (name.as_str(), value.as_str())), Some(("iss", ISSUER)));
}

/// What is written as a query is read as the same.
fn round_trip(parameters: &Parameters, pairs: &BTreeMap<String, String>) {
    let text = parameters.to_query();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    if text.len() > MAX_PARAMETERS {
        return;
    }
    let Ok(again) = Parameters::parse(text.as_bytes()) else { panic!("{text} is refused") };
    assert!(pairs.keys().all(|name| again.get(name) == parameters.get(name)));
    assert_eq!(again.to_query(), text);
}

/// The parameters by a reader of this file's own.
pub(super) fn pairs(data: &[u8]) -> Result<BTreeMap<String, String>, NoParameters> {
    if data.len() > MAX_PARAMETERS {
        return Err(NoParameters::TooLong);
    }
    let mut pairs = BTreeMap::new();
    for part in data.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
        if pairs.len() == MAX_COUNT {
            return Err(NoParameters::TooLong);
        }
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let (name, value) = (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default());
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(decoded(bytes)).map_err(|_| NoParameters::NotText)?;
            if text.contains('\u{fffd}') { Err(NoParameters::NotText) } else { Ok(text) }
        };
        let (name, value) = (text(name)?, text(value)?);
        if pairs.insert(name, value).is_some() {
            return Err(NoParameters::Twice);
        }
    }
    Ok(pairs)
}

/// `+` is a blank, and `%` with two digits a byte.
fn decoded(mut bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let (byte, rest) = match (first, rest) {
            (b'+', _) => (b' ', rest),
            (b'%', [high, low, rest @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', bytes.get(1..).unwrap_or_default()),
            },
            (first, _) => (*first, rest),
        };
        decoded.push(byte);
        bytes = rest;
    }
    decoded
}
