//! What a browser may send as cookies: a cookie is read where there is exactly one of its name within the limit, and a proof
//! of a form is that of the one form cookie.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use landbridge_door_oidc::cookies::{FORM, Forms, SESSION, clear, cookie, set};

/// Limit on the bytes of all cookies of a request.
const MAX_COOKIES: usize = 8 * 1024;

/// The data is Cookie headers, a line each. The last line is a proof.
pub fn oidc_cookie(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(16).collect();
    for line in &lines {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    // 1. As another reader reads them.
    for name in [SESSION, FORM] {
        let found = cookie(&headers, name);
        assert_eq!(found, only(&headers, name), "{name}");
        let Some(value) = found else { continue };
        assert!(!value.contains([';', '\n', '\r', '\0']));
        // One more of the name, and there is none.
        if let Ok(second) = HeaderValue::from_str(&format!("{name}=x")) {
            let mut two = headers.clone();
            two.append(COOKIE, second);
            assert_eq!(cookie(&two, name), None);
        }
        // What is set again is one line with its attributes.
        if let Some(header) = set(name, value) {
            let text = header.to_str().unwrap_or_default();
            assert_eq!(text, format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax"));
            assert!(header.is_sensitive() && !text.contains("Domain"));
        }
    }
    assert!(clear(SESSION).is_some());
    // 2. A form is ours by the proof for its cookie alone.
    let forms = Forms::new(&[7; 32]);
    let proof = lines.last().and_then(|line| std::str::from_utf8(line).ok());
    let value = forms.cookie(&headers).unwrap_or_default();
    assert_eq!(value.len(), 43);
    let own = forms.proof(&value, "sign-in");
    let is_sent = cookie(&headers, FORM) == Some(value.as_str());
    assert_eq!(forms.is_ours(&headers, "sign-in", Some(&own)), is_sent, "{value}");
    assert!(!forms.is_ours(&headers, "sign-out", Some(&own)));
    assert!(!forms.is_ours(&headers, "sign-in", None));
    // Another value in the cookie has another proof, so a text that is a proof is the one of what was sent.
    if forms.is_ours(&headers, "sign-in", proof) {
        let sent = cookie(&headers, FORM).unwrap_or_default();
        assert_eq!(proof, Some(forms.proof(sent, "sign-in").as_str()));
    }
}

/// The value of the one cookie of this name.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let is_text = |header: &&HeaderValue| {
        header.as_bytes().iter().all(|byte| *byte == b'\t' || (0x20..0x7f).contains(byte))
    };
    let texts: Vec<&[u8]> =
        headers.get_all(COOKIE).iter().filter(is_text).map(HeaderValue::as_bytes).collect();
    if texts.iter().map(|text| text.len()).sum::<usize>() > MAX_COOKIES {
        return None;
    }
    let mut values = Vec::new();
    for pair in texts.iter().flat_map(|text| text.split(|byte| *byte == b';')) {
        let Ok(pair) = std::str::from_utf8(pair) else { continue };
        if let Some(value) = pair.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            values.push(value);
        }
    }
    match values[..] {
        [value] => Some(value),
        _ => None,
    }
}
