//! What a client may send as the assertion by which it proves itself: without the key's signature nothing is accepted, and with
//! it what is for this server alone, of this client, for minutes, and named once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::signature::{Algorithm, SigningKey};
use landbridge_tenant_core::provider::ClientKey;
use landbridge_tenant_core::provider::client_assertion::Assertion;
use serde_json::{Map, Value};
use std::sync::OnceLock;

const CLIENT: &str = "wiki";
const ISSUER: &str = "https://login.example.com";
const TOKEN_ENDPOINT: &str = "https://login.example.com/token";
const NOW: i64 = 1_795_996_800;

/// The data is a head and, behind the first line feed, claims. Both are signed by the client's key. The data itself is an
/// assertion as well, which the key has not signed.
pub fn client_assertion(data: &[u8]) {
    static KEY: OnceLock<Option<SigningKey>> = OnceLock::new();
    let made = KEY.get_or_init(|| SigningKey::generate(Algorithm::Es256).ok().map(|(key, _)| key));
    let Some(key) = made else { return };
    let keys = [ClientKey { kid: "one".to_owned(), public: key.public().clone() }];
    let check = |assertion: &Assertion| assertion.check(CLIENT, &keys, &[ISSUER, TOKEN_ENDPOINT], NOW);
    // 1. As it is.
    if let Ok(assertion) =
        std::str::from_utf8(data).map_err(drop).and_then(|text| Assertion::parse(text).map_err(drop))
    {
        assert!(check(&assertion).is_err(), "no key has signed it");
    }
    // 2. Signed.
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, claims) = (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default());
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let Ok(signature) = key.sign(signed.as_bytes()) else { return };
    let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Ok(assertion) = Assertion::parse(&text) else { return };
    if check(&assertion).is_ok() {
        accepted(head, claims);
    }
    // The signature is that of these bytes alone.
    let other = format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(head),
        URL_SAFE_NO_PAD.encode([claims, b" "].concat()),
        "AAAA"
    );
    if let Ok(other) = Assertion::parse(&other) {
        assert!(check(&other).is_err());
    }
}

/// What was accepted, as another reader reads it.
fn accepted(head: &[u8], claims: &[u8]) {
    let object = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).unwrap_or_default();
    let (head, claims) = (object(head), object(claims));
    assert_eq!(head.get("alg"), Some(&Value::from("ES256")));
    assert!(head.get("kid").is_none_or(|kid| kid == "one"), "{head:?}");
    for name in ["jwk", "jku", "x5u", "x5c", "crit"] {
        assert!(!head.contains_key(name), "{name}");
    }
    for name in ["iss", "sub"] {
        assert_eq!(claims.get(name), Some(&Value::from(CLIENT)), "{name}");
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(all)) if all.len() == 1 => all.first(),
        other => other,
    };
    assert!([ISSUER, TOKEN_ENDPOINT].iter().any(|own| audience == Some(&Value::from(*own))), "{audience:?}");
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = NOW as f64;
    assert!(number("exp").is_some_and(|at| at > now - 61.0 && at <= now + 361.0), "{claims:?}");
    for name in ["iat", "nbf"] {
        assert!(claims.get(name).is_none() || number(name).is_some_and(|at| at <= now + 61.0), "{name}");
    }
    let jti = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    assert!((1..=256).contains(&jti.len()));
}
