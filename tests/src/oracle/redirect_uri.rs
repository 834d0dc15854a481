//! A redirect URI that an administrator registers, and one that a request has: the two are the same bytes, or differ in the
//! port of the machine itself alone.

use landbridge_tenant_rules::model::{MAX_REDIRECT_URI, RedirectUri};

/// The data is the registered URI, a line feed, and the requested one.
pub fn redirect_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (registered, requested) = text.split_once('\n').unwrap_or((text, text));
    let Ok(uri) = RedirectUri::parse(registered) else { return };
    // 1. What may be registered: one line of printable ASCII, without a fragment, a name or a password.
    assert_eq!(uri.as_str(), registered);
    assert!(registered.len() <= MAX_REDIRECT_URI);
    assert!(registered.bytes().all(|byte| byte.is_ascii_graphic()) && !registered.contains('#'));
    let scheme = registered.split(':').next().unwrap_or_default();
    let loopback = authority(registered).filter(|_| scheme == "http");
    if let Some((host, _)) = loopback {
        assert!(host == "[::1]" || host.starts_with("127."), "http to {host}");
    } else {
        assert!(scheme == "https" || scheme.contains('.'), "{scheme}");
        assert!(authority(registered).is_none_or(|(host, _)| !host.contains('@')), "{registered}");
    }
    // 2. What fits: itself, and for the machine itself another port.
    assert!(uri.fits(registered));
    if !uri.fits(requested) || requested == registered {
        return;
    }
    assert!(loopback.is_some(), "{requested} fits {registered}");
    assert_eq!(without_port(requested), without_port(registered), "{requested} fits {registered}");
    assert!(requested.bytes().all(|byte| byte.is_ascii_graphic()) && !requested.contains('#'));
    let port = authority(requested).map(|(_, port)| port).unwrap_or_default();
    assert!(port.is_empty() || port.parse::<u16>().is_ok_and(|number| number.to_string() == port), "{port}");
    // The one that fits could be registered itself, and then nothing but the port differs either way.
    assert!(
        RedirectUri::parse(requested).is_ok_and(|other| other.fits(registered)),
        "{requested} {registered}"
    );
}

/// Host and port as they stand in a URI with `//` behind its scheme.
fn authority(uri: &str) -> Option<(&str, &str)> {
    let (_, rest) = uri.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => Some((host, port)),
        Some(_) | None => Some((authority, "")),
    }
}

/// The same without its port. A path that is missing is `/`.
fn without_port(uri: &str) -> String {
    let (host, port) = authority(uri).unwrap_or_default();
    let colon = usize::from(!port.is_empty());
    let rest = uri.get("http://".len() + host.len() + colon + port.len()..).unwrap_or_default();
    format!("http://{host}{}", if rest.is_empty() { "/" } else { rest })
}
