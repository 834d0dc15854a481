//! The headers of every page.

use crate::link::Origin;

/// The media type of every page.
pub const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Headers of every page beside `Content-Type` and `Content-Security-Policy`.
///
/// `no-referrer` makes browsers send `Origin: null` with the forms. What tells a forged request apart is the CSRF
/// token and `Sec-Fetch-Site`. Because of `Cross-Origin-Opener-Policy`, an application that opens the sign-in in a
/// window of its own receives no message from that window.
pub const HEADERS: &[(&str, &str)] = &[
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
];

/// Which scripts a page may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// None: every page but one.
    None,
    /// Those of the issuer: [`crate::form_post::FormPost`] alone.
    Own,
}

/// The value of `Content-Security-Policy` for a page.
///
/// `form_targets` are the origins to which a form of the page may lead. Chromium also checks the redirect after a
/// form, so the sign-in page needs the origin of the application's redirect URI.
pub fn content_security_policy(scripts: Scripts, form_targets: &[&Origin]) -> String {
    let script_source = match scripts {
        Scripts::None => "'none'",
        Scripts::Own => "'self'",
    };
    let mut policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src {script_source}; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
    for origin in form_targets {
        policy.push(' ');
        policy.push_str(origin.as_str());
    }
    policy
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{HEADERS, Scripts, content_security_policy};
    use crate::link::Origin;

    #[test]
    fn nothing_is_allowed_but_what_a_page_needs() {
        assert_eq!(
            content_security_policy(Scripts::None, &[]),
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'none'; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'self'"
        );
        let targets: Vec<Origin> =
            ["https://wiki.example:8443", "http://127.0.0.1:51004"].map(|t| t.parse().unwrap()).into();
        let policy = content_security_policy(Scripts::Own, &targets.iter().collect::<Vec<_>>());
        assert!(policy.ends_with("form-action 'self' https://wiki.example:8443 http://127.0.0.1:51004"));
        assert!(policy.contains("; script-src 'self';"));
        assert!(!policy.contains("unsafe"));
    }

    #[test]
    fn a_header_stands_in_the_list_once() {
        for (name, value) in HEADERS {
            assert_eq!(HEADERS.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
            assert!(!value.is_empty());
        }
    }
}
