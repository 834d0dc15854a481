//! Links, paths and origins, checked before they stand in a page or a header.

use std::fmt;
use std::str::FromStr;

/// Limit on the bytes of a link or path. Browsers and proxies accept 2,000 and more.
const MAX_LINK: usize = 2048;

/// Limit on the bytes of a host (RFC 1035).
const MAX_HOST: usize = 253;

/// Hosts for which `http` is accepted: the machine on which the browser runs.
const LOOPBACK: [&str; 2] = ["localhost", "127.0.0.1"];

/// A link to another site: `https`, or `http` to the browser's own machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    text: String,
    origin: Origin,
}

/// A path below the issuer: `/sign-in`. It cannot lead to another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(String);

/// Scheme, host and port of a site, in the form of a Content-Security-Policy: `https://wiki.example:8443`.
///
/// An IPv6 address is refused, because the header has no form for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no link, path or origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLink {
    /// It is longer than 2,048 bytes.
    TooLong,
    /// It holds a space, a quote, a backslash, or a character outside ASCII.
    Character,
    /// Its scheme is not `https`, nor `http` with a loopback host.
    Scheme,
    /// Its host is missing, or is no DNS name or IPv4 address.
    Host,
    /// Its port is no number from 1 to 65535.
    Port,
    /// It is no path that begins with one slash and stays below it.
    Path,
    /// An origin has something after its port.
    MoreThanOrigin,
}

impl Link {
    /// The site to which the link leads.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Link {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        check_characters(text)?;
        let (origin, _) = split_origin(text)?;
        Ok(Self { text: text.to_owned(), origin })
    }
}

impl FromStr for Path {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        check_characters(text)?;
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let climbs = path.split('/').any(|segment| segment == ".." || segment == ".");
        if !path.starts_with('/') || path.starts_with("//") || climbs {
            return Err(BadLink::Path);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Origin {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        check_characters(text)?;
        match split_origin(text)? {
            (origin, "") => Ok(origin),
            _ => Err(BadLink::MoreThanOrigin),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a link has at most 2,048 bytes",
            Self::Character => "a link has no spaces, quotes, backslashes, or characters outside ASCII",
            Self::Scheme => "a link begins with https://, or with http:// and a loopback host",
            Self::Host => "the host of a link is a DNS name or an IPv4 address",
            Self::Port => "the port of a link is a number from 1 to 65535",
            Self::Path => "a path begins with one slash and has no segment . or ..",
            Self::MoreThanOrigin => "an origin ends after its host and port",
        })
    }
}

impl std::error::Error for BadLink {}

fn check_characters(text: &str) -> Result<(), BadLink> {
    if text.len() > MAX_LINK {
        return Err(BadLink::TooLong);
    }
    let refused =
        |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`');
    if text.bytes().any(refused) { Err(BadLink::Character) } else { Ok(()) }
}

/// The origin with which a link begins, and what follows it.
fn split_origin(link: &str) -> Result<(Origin, &str), BadLink> {
    // 1. Scheme.
    let (scheme, rest) = link.split_once("://").ok_or(BadLink::Scheme)?;
    let scheme = scheme.to_ascii_lowercase();
    // 2. Host and port. A user name or an IPv6 address is no host here.
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(BadLink::Host)?;
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(checked_port(port)?)),
        None => (authority, None),
    };
    let host = host.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if host.len() > MAX_HOST || !host.split('.').all(label) {
        return Err(BadLink::Host);
    }
    if scheme != "https" && !(scheme == "http" && LOOPBACK.contains(&host.as_str())) {
        return Err(BadLink::Scheme);
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok((Origin(format!("{scheme}://{host}{port}")), rest))
}

fn checked_port(text: &str) -> Result<u16, BadLink> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().map_err(|_| BadLink::Port)?;
    if digits && port != 0 { Ok(port) } else { Err(BadLink::Port) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BadLink, Link, Origin, Path};

    #[test]
    fn a_link_has_its_origin() {
        let cases = [
            ("https://wiki.example", "https://wiki.example"),
            ("HTTPS://Wiki.Example:8443/a?b=c#d", "https://wiki.example:8443"),
            ("https://wiki.example?x=1", "https://wiki.example"),
            ("http://localhost:3000/callback", "http://localhost:3000"),
            ("http://127.0.0.1:51004/", "http://127.0.0.1:51004"),
        ];
        for (text, origin) in cases {
            let link: Link = text.parse().unwrap();
            assert_eq!(link.origin().to_string(), origin);
            assert_eq!(link.to_string(), text, "the link itself stays as it is");
        }
    }

    #[test]
    fn what_is_no_link_to_a_site_is_refused() {
        let long = format!("https://wiki.example/{}", "a".repeat(2048));
        let cases = [
            ("", BadLink::Scheme),
            ("javascript:alert(1)", BadLink::Scheme),
            ("data:text/html,x", BadLink::Scheme),
            ("//wiki.example", BadLink::Scheme),
            ("http://wiki.example", BadLink::Scheme),
            ("http://localhost.evil.example", BadLink::Scheme),
            ("javascript://wiki.example/%0aalert(1)", BadLink::Scheme),
            ("https://", BadLink::Host),
            ("https:///path", BadLink::Host),
            ("https://a..example", BadLink::Host),
            ("https://*.example", BadLink::Host),
            ("https://anna@wiki.example", BadLink::Host),
            ("http://localhost:80@evil.example", BadLink::Port),
            ("https://[::1]", BadLink::Port),
            ("https://wiki.example;script-src", BadLink::Host),
            ("https://wiki.example:0", BadLink::Port),
            ("https://wiki.example:", BadLink::Port),
            ("https://wiki.example:+80", BadLink::Port),
            ("https://wiki.example:65536", BadLink::Port),
            ("https://wiki.example/ 'none'", BadLink::Character),
            ("https://wiki.example/\r\nSet-Cookie:", BadLink::Character),
            ("https://wiki.example/\"onclick=", BadLink::Character),
            ("https://wíki.example", BadLink::Character),
            (&long, BadLink::TooLong),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Link>(), Err(why), "{text}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(
            "https://wiki.example:443".parse::<Origin>().unwrap().to_string(),
            "https://wiki.example:443"
        );
        for text in ["https://wiki.example/", "https://wiki.example?a", "https://wiki.example#a"] {
            assert_eq!(text.parse::<Origin>(), Err(BadLink::MoreThanOrigin), "{text}");
        }
        for text in ["*", "https:", "'self'", "https://*", "https://wiki.example; script-src *"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_stays_below_the_issuer() {
        for text in ["/", "/sign-in", "/sign-in?request=a%20b", "/assets/logo.svg", "/a/..b"] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
        for text in ["", "sign-in", "//evil.example", "/../x", "/a/./b", "https://evil.example"] {
            assert_eq!(text.parse::<Path>(), Err(BadLink::Path), "{text}");
        }
        for text in ["/\\evil.example", "/a b", "/a\"b", "/a\nb"] {
            assert_eq!(text.parse::<Path>(), Err(BadLink::Character), "{text}");
        }
    }
}
