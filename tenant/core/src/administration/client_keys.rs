//! The public keys of a client, as an administrator registers them: a JWK each (RFC 7517), read and written.
//! Neighbours: [`super::oidc_settings`] has the other settings of a client.

use crate::administration::request::{AdminResponse, refusal};
use crate::issuer::jwk;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::signature::PublicKey;
use landbridge_tenant_rules::model::{ClientKey, SigningAlgorithm};
use landbridge_tenant_store::tables::app_oidc::MOST_KEYS;
use serde_json::{Map, Value};

/// Limit on the bytes of a key's name.
const MAX_KID: usize = 256;
/// Members that only a private or a symmetric key has (RFC 7518 6.2.2, 6.3.2, 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads keys. The refusal says what is wrong, and repeats nothing of a key.
pub(super) fn read_keys(texts: &[String]) -> Result<Vec<ClientKey>, AdminResponse> {
    if texts.len() > MOST_KEYS {
        let what = format!("{} keys, and at most {MOST_KEYS} can be registered", texts.len());
        return Err(refusal(&what, "register those that are in use, and those that come next"));
    }
    let mut keys: Vec<ClientKey> = Vec::new();
    for (place, text) in (1..).zip(texts) {
        let refused = |(what, todo): (&str, &str)| refusal(&format!("key {place} of the set: {what}"), todo);
        let key = read_key(text).map_err(refused)?;
        if keys.iter().any(|other| other.kid == key.kid) {
            return Err(refused(("another key has the same kid", "give each key a kid of its own")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Reads one key. The error says what is wrong and what to do.
fn read_key(text: &str) -> Result<ClientKey, (&'static str, &'static str)> {
    const KINDS: &str = "use a key of P-256 for ES256, or an RSA key of 2048 to 8192 bits for RS256";
    let members: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| ("it is no JWK", "give a JWK set (RFC 7517): {\"keys\": [...]}"))?;
    // 1. A private key has left the hands of its owner when it is here.
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err((
            "it is a private or a symmetric key",
            "make a new key pair, and register its public key",
        ));
    }
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    let number = |name: &str| URL_SAFE_NO_PAD.decode(member(name)?).ok();
    // 2. The key.
    let public = match (member("kty"), member("crv")) {
        (Some("EC"), Some("P-256")) => number("x").zip(number("y")).map(|(x, y)| PublicKey::of_point(&x, &y)),
        (Some("RSA"), _) => number("n").zip(number("e")).map(|(n, e)| PublicKey::of_modulus(&n, &e)),
        _ => None,
    };
    let public = public.and_then(Result::ok).ok_or(("it is no key that can be used here", KINDS))?;
    // 3. What it is for.
    let is_for_this = member("alg").is_none_or(|name| name == SigningAlgorithm::of(&public).as_str())
        && member("use").is_none_or(|name| name == "sig");
    if !is_for_this {
        return Err(("its alg or use is for something else", KINDS));
    }
    let kid = match members.get("kid") {
        None => public.thumbprint(),
        Some(Value::String(kid)) if (1..=MAX_KID).contains(&kid.len()) && !has_control(kid) => kid.clone(),
        Some(_) => return Err(("its kid is no text of 1 to 256 bytes", "choose another kid")),
    };
    Ok(ClientKey { kid, public })
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// A key as it is exported.
pub(super) fn key_text(key: &ClientKey) -> String {
    jwk(&key.public, &key.kid).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use landbridge_crypto::signature::{Algorithm, SigningKey};
    use serde_json::json;

    fn made(algorithm: Algorithm) -> Value {
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        jwk(key.public(), "one")
    }

    #[test]
    fn a_key_comes_back_from_its_text_and_gets_a_name_if_it_has_none() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let text = made(algorithm).to_string();
            let keys = read_keys(std::slice::from_ref(&text)).unwrap();
            assert_eq!(key_text(&keys[0]), text);
            let mut bare: Map<String, Value> = serde_json::from_str(&text).unwrap();
            bare.retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
            bare.insert("x5t".to_owned(), json!("what else a set has"));
            let named = read_keys(&[Value::Object(bare).to_string()]).unwrap();
            assert_eq!(named[0].kid, named[0].public.thumbprint());
        }
    }

    #[test]
    fn what_is_no_public_key_of_these_kinds_is_refused_without_a_word_of_it() {
        let good = made(Algorithm::Es256);
        let changed = |changes: &[(&str, Value)]| {
            let mut key = good.clone();
            changes.iter().for_each(|(name, value)| key[*name] = value.clone());
            key.to_string()
        };
        for (what, text) in [
            ("private", changed(&[("d", json!("c2VjcmV0"))])),
            ("symmetric", json!({ "kty": "oct", "k": "c2VjcmV0" }).to_string()),
            ("another curve", changed(&[("crv", json!("P-384"))])),
            ("not on the curve", changed(&[("x", good["y"].clone())])),
            ("another kind", changed(&[("kty", json!("OKP"))])),
            ("another algorithm", changed(&[("alg", json!("HS256"))])),
            ("none", changed(&[("alg", json!("none"))])),
            ("for encryption", changed(&[("use", json!("enc"))])),
            ("no name", changed(&[("kid", json!(""))])),
            ("a name that is no text", changed(&[("kid", json!(1))])),
            ("a name with a line", changed(&[("kid", json!("a\nb"))])),
            ("a short RSA key", json!({ "kty": "RSA", "n": "vQ", "e": "AQAB" }).to_string()),
            ("no JSON", "c2VjcmV0".to_owned()),
            ("a list", "[]".to_owned()),
        ] {
            let Err(AdminResponse::Refused { what: words, .. }) = read_keys(&[text]) else {
                panic!("{what}")
            };
            assert!(
                words.starts_with("key 1 of the set: ") && !words.contains("c2VjcmV0"),
                "{what}: {words}"
            );
        }
        assert!(read_keys(&[good.to_string(), good.to_string()]).is_err(), "one name twice");
        let many: Vec<String> = (0..=MOST_KEYS).map(|n| changed(&[("kid", json!(n.to_string()))])).collect();
        assert!(read_keys(&many).is_err() && read_keys(&many[..MOST_KEYS]).is_ok());
    }
}
