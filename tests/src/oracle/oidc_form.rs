//! What a browser or a client may post to the issuer: the form of the sign-in page, and the form of the token endpoint with
//! its Authorization header. A secret is in no text that is printed, and who a client says that it is is said once.

use super::oidc_request::{oidc_request, pairs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use landbridge_door_oidc::client_authentication::{Proof, Shown, shown};
use landbridge_door_oidc::parameters::{MAX_PARAMETERS, MAX_SIGN_IN, Parameters};

/// The data is an Authorization header up to the first line feed, and the form behind it. An empty header: there is none.
pub fn oidc_form(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, form) = (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default());
    sign_in(form);
    let mut headers = HeaderMap::new();
    if let Some(value) = HeaderValue::from_bytes(header).ok().filter(|value| !value.is_empty()) {
        headers.insert(AUTHORIZATION, value);
    }
    token(&headers, form);
    // A second header is refused, whatever it says.
    if let Some(first) = headers.get(AUTHORIZATION).cloned() {
        headers.append(AUTHORIZATION, first);
        if let Ok(mut form) = Parameters::parse(form) {
            assert!(shown(&headers, &mut form).is_err());
        }
    }
}

/// The form of the sign-in page, which carries a request.
fn sign_in(form: &[u8]) {
    let Ok(mut parameters) = Parameters::parse_up_to(form, MAX_SIGN_IN) else { return };
    assert!(form.len() <= MAX_SIGN_IN);
    let carried = parameters.get("request").unwrap_or_default().to_owned();
    if carried.len() <= MAX_PARAMETERS {
        oidc_request(carried.as_bytes());
    } else {
        assert!(Parameters::parse(carried.as_bytes()).is_err(), "a request is carried that is too long");
    }
    // A password leaves it once, and is never printed.
    let own = pairs(form).ok().and_then(|pairs| pairs.get("password").cloned());
    let printed = format!("{parameters:?}");
    let password = parameters.extract("password");
    if let Some(own) = own {
        assert_eq!(password.as_ref(), Some(&own));
    }
    assert!(parameters.extract("password").is_none_or(|again| again.is_empty()));
    assert_eq!(format!("{parameters:?}"), printed, "what is printed does not depend on it");
}

/// The form of the token endpoint.
fn token(headers: &HeaderMap, form: &[u8]) {
    let Ok(mut parameters) = Parameters::parse(form) else { return };
    let (named, secret) =
        (parameters.get("client_id").map(str::to_owned), parameters.get("client_secret").map(str::to_owned));
    let outcome = shown(headers, &mut parameters);
    for name in ["client_secret", "client_assertion"] {
        assert_eq!(parameters.get(name), None, "a secret is left in the form");
    }
    let Ok(Shown { id, proof }) = outcome else { return };
    let said = match proof {
        Proof::Nothing => None,
        Proof::Secret(secret) => Some(secret.as_str().to_owned()),
        Proof::Assertion(assertion) => {
            assert!(secret.is_none() && !headers.contains_key(AUTHORIZATION), "two ways");
            assert_eq!(id, named.unwrap_or_else(|| assertion.client().to_owned()));
            return;
        }
    };
    let Some(header) = headers.get(AUTHORIZATION) else {
        assert_eq!((Some(id), said), (named, secret));
        return;
    };
    // By the header alone.
    assert_eq!(secret, None, "two ways");
    assert!(named.is_none_or(|named| named == id), "two names");
    let said = said.unwrap_or_default();
    assert!(header.len() >= "Basic ".len() && header.as_bytes().iter().take(5).all(u8::is_ascii_alphabetic));
    // What was read, written again, is read as the same.
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let again = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(&id), encoded(&said))));
    let Ok(again) = HeaderValue::from_str(&again) else { panic!("base64 is no header") };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, again)]);
    let Ok(mut empty) = Parameters::parse(b"") else { panic!("an empty form is refused") };
    let Ok(again) = shown(&headers, &mut empty) else { panic!("it is refused the second time") };
    let Proof::Secret(secret) = again.proof else { panic!("no secret") };
    assert_eq!((again.id, secret.as_str()), (id, said.as_str()));
}
