//! The cookies: of the session, of the form that a browser was given, of the browser itself, of the name that was typed last,
//! and of the tries that were refused. All have the prefix `__Host-`, so neither another host nor a page without TLS can set them (RFC 6265bis 4.1.3).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};

/// The name of the session's cookie.
pub const SESSION: &str = "__Host-landbridge";
/// The name of the cookie that forms belong to.
pub const FORM: &str = "__Host-landbridge-form";
/// The name of the cookie that makes a browser known for the accounts that were let in from it.
pub const DEVICE: &str = "__Host-landbridge-device";
/// The name of the cookie with the name that was typed last.
pub const NAME: &str = "__Host-landbridge-name";
/// The name of the cookie that counts the refused tries of a browser.
pub const TRIES: &str = "__Host-landbridge-tries";
/// Seconds for which a browser keeps that count.
const TRIES_KEPT: u32 = 600;
/// Seconds for which a browser keeps the cookies of device and name: a browser is known for as long.
const KEPT: u32 = 30 * 86_400;
/// Limit on the bytes of a remembered name.
const MAX_NAME: usize = 256;
/// Limit on the bytes of all cookies of a request.
const MAX_COOKIES: usize = 8 * 1024;

/// The one cookie of this name in a request. None: there is none, or there are several.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts: Vec<&str> = headers.get_all(COOKIE).iter().filter_map(|text| text.to_str().ok()).collect();
    if texts.iter().map(|text| text.len()).sum::<usize>() > MAX_COOKIES {
        return None;
    }
    let mut found = texts.into_iter().flat_map(|text| text.split(';')).filter_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own == name).then_some(value)
    });
    found.next().filter(|_| found.next().is_none())
}

/// The header that sets a cookie until the browser closes.
pub fn set(name: &str, value: &str) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).ok().map(|mut header| {
        header.set_sensitive(true);
        header
    })
}

/// The header that sets a cookie for 30 days.
pub fn set_for_long(name: &str, value: &str) -> Option<HeaderValue> {
    set_for(KEPT, name, value)
}

fn set_for(seconds: u32, name: &str, value: &str) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).ok().map(|mut header| {
        header.set_sensitive(true);
        header
    })
}

/// The refused tries of this browser within ten minutes, as it says itself. It decides nothing but a notice.
pub fn wrong_tries(headers: &HeaderMap) -> u32 {
    cookie(headers, TRIES).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The header that counts one more.
pub fn count_wrong_try(before: u32) -> Option<HeaderValue> {
    set_for(TRIES_KEPT, TRIES, &before.saturating_add(1).to_string())
}

/// The name that the browser remembers.
pub fn remembered_name(headers: &HeaderMap) -> Option<String> {
    let name = String::from_utf8(URL_SAFE_NO_PAD.decode(cookie(headers, NAME)?).ok()?).ok()?;
    Some(name).filter(|name| !name.is_empty() && name.len() <= MAX_NAME)
}

/// The header that lets the browser remember a name. None: the name is too long.
pub fn remember_name(name: &str) -> Option<HeaderValue> {
    let fits = name.len() <= MAX_NAME;
    fits.then(|| set_for_long(NAME, &URL_SAFE_NO_PAD.encode(name))).flatten()
}

/// The header that removes a cookie.
pub fn clear(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")).ok()
}

/// What proves that a form is one that this server gave to this browser.
pub struct Forms {
    key: hmac::Key,
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forms(..)")
    }
}

impl Forms {
    /// With a key that all nodes of the tenant have.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The value of the form's cookie of a browser: the present one, or a new one.
    /// None: the system gives no randomness.
    pub fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let is_one = |value: &&str| URL_SAFE_NO_PAD.decode(value).is_ok_and(|octets| octets.len() == 32);
        if let Some(present) = cookie(headers, FORM).filter(is_one) {
            return Some(present.to_owned());
        }
        let mut octets = [0; 32];
        aws_lc_rs::rand::fill(&mut octets).ok()?;
        Some(URL_SAFE_NO_PAD.encode(octets))
    }

    /// The proof for a form with this purpose, for the browser with this cookie.
    pub fn proof(&self, cookie: &str, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, format!("form\n{purpose}\n{cookie}").as_bytes()))
    }

    /// Whether a form with this purpose has the proof of the browser that sent it.
    pub fn is_ours(&self, headers: &HeaderMap, purpose: &str, proof: Option<&str>) -> bool {
        cookie(headers, FORM).is_some_and(|cookie| self.is_of(cookie, purpose, proof))
    }

    /// Whether a proof is that of this purpose, for the browser with this cookie.
    pub fn is_of(&self, cookie: &str, purpose: &str, proof: Option<&str>) -> bool {
        let Some(Ok(proof)) = proof.map(|proof| URL_SAFE_NO_PAD.decode(proof)) else { return false };
        hmac::verify(&self.key, format!("form\n{purpose}\n{cookie}").as_bytes(), &proof).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn one_cookie_of_a_name_is_taken_and_two_are_none() {
        assert_eq!(cookie(&with("a=1; __Host-landbridge=x; b=2"), SESSION), Some("x"));
        assert_eq!(cookie(&with("__Host-landbridge=x; __Host-landbridge=y"), SESSION), None);
        assert_eq!(cookie(&with("__host-landbridge=x"), SESSION), None);
        assert_eq!(cookie(&with(&format!("a={}; {SESSION}=x", "y".repeat(9000))), SESSION), None);
    }

    #[test]
    fn a_form_is_of_one_browser_and_one_purpose() {
        let forms = Forms::new(&[1; 32]);
        let value = forms.cookie(&HeaderMap::new()).unwrap();
        let headers = with(&format!("{FORM}={value}"));
        assert_eq!(forms.cookie(&headers).as_ref(), Some(&value));
        let proof = forms.proof(&value, "sign-in");
        assert!(forms.is_ours(&headers, "sign-in", Some(&proof)));
        assert!(!forms.is_ours(&headers, "sign-out", Some(&proof)));
        assert!(!forms.is_ours(&headers, "sign-in", None));
        let other = forms.cookie(&HeaderMap::new()).unwrap();
        assert!(!forms.is_ours(&with(&format!("{FORM}={other}")), "sign-in", Some(&proof)));
        assert!(!Forms::new(&[2; 32]).is_ours(&headers, "sign-in", Some(&proof)));
    }
}
