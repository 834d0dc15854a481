//! Who a client says that it is at the token endpoint (RFC 6749 2.3). Pure.
//! Neighbours: the token endpoint checks the secret.

use super::parameters::Parameters;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// Who a client says that it is.
pub struct Shown {
    /// `client_id`
    pub id: String,
    /// `client_secret`; none: it has none.
    pub secret: Option<Zeroizing<String>>,
}

/// Who the client says that it is, by one way alone. The error says what is wrong.
pub fn shown(headers: &HeaderMap, form: &mut Parameters) -> Result<Shown, &'static str> {
    let in_form = form.get("client_id").map(str::to_owned);
    let secret = form.extract("client_secret").filter(|secret| !secret.is_empty()).map(Zeroizing::new);
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else {
        return Ok(Shown { id: in_form.ok_or("client_id is missing")?, secret });
    };
    const WRONG: &str = "the Authorization header is no Basic credential";
    if headers.next().is_some() || secret.is_some() {
        return Err("the client proves itself in more than one way");
    }
    let (scheme, value) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(WRONG)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(WRONG);
    }
    let value = Zeroizing::new(STANDARD.decode(value.trim()).map_err(|_| WRONG)?);
    let (id, secret) = std::str::from_utf8(&value).ok().and_then(|text| text.split_once(':')).ok_or(WRONG)?;
    // RFC 6749 2.3.1: both are form-encoded first, so neither has a sign that separates fields of a form.
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
    Ok(Shown { id, secret: Some(Zeroizing::new(decoded(secret)?)) })
}
