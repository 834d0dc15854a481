//! How an application signs people in by OpenID Connect.

use super::application::AppGroup;
use super::texts::texts;
use landbridge_crypto::signature::{Algorithm, PublicKey};
use std::net::IpAddr;
use url::{Host, Url};

/// Limit on the bytes of a redirect URI.
pub const MAX_REDIRECT_URI: usize = 2048;

/// An application as a client of OpenID Connect. Its `client_id` is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcClient {
    /// Whether it can keep a secret. One that cannot proves nothing but the code's verifier (RFC 8252, RFC 7636).
    pub kind: OidcKind,
    /// Whether each of its requests must have a code challenge.
    pub pkce: bool,
    /// What its tokens are signed with.
    pub algorithm: SigningAlgorithm,
    /// What `sub` is.
    pub subject: SubjectKind,
    /// Whether it gets access tokens of its own, which are of no person (RFC 6749 4.4).
    pub client_credentials: bool,
    /// Whether it may introspect the access tokens of other clients, as an API does (RFC 7662).
    pub introspects_others: bool,
    /// Whether it must push its authorization requests (RFC 9126), so that no browser can change them.
    pub pushed_requests_only: bool,
    /// Whether devices without a browser sign people in by codes (RFC 8628).
    pub device_codes: bool,
    /// Public keys by which it proves itself (OpenID Connect Core 9: `private_key_jwt`).
    pub keys: Vec<ClientKey>,
    /// Where people return with a code.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where people return after a sign-out.
    pub signed_out_uris: Vec<RedirectUri>,
    /// Where it is notified of the end of a session (OpenID Connect Back-Channel Logout 1.0); none: it is not.
    pub back_channel: Option<LogoutUri>,
    /// The groups that `groups` may name, beside those that are assigned to it; none: all of its domains.
    pub groups: Option<Vec<AppGroup>>,
    /// What `roles` names, for the members of a group.
    pub roles: Vec<AppRole>,
}

/// A public key of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// What its signatures name it by.
    pub kid: String,
    /// The key.
    pub public: PublicKey,
}

/// A role of an application, and the group that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRole {
    /// Its name at the application.
    pub role: String,
    /// The group whose members have it, also through other groups.
    pub group: AppGroup,
}

/// Whether a client can keep a secret (RFC 6749 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcKind {
    /// A server: it sends its secret.
    Confidential,
    /// A program on people's machines, or in their browsers.
    Public,
}

/// What a token is signed with (RFC 7518 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSA (PKCS #1 version 1.5) with SHA-256.
    Rs256,
}

/// What `sub` is (OpenID Connect Core 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// objectGUID: the same at each application.
    ObjectGuid,
    /// Another one at each application, so that two cannot compare their people.
    Pairwise,
}

impl SigningAlgorithm {
    /// The algorithm of a key.
    pub fn of(key: &PublicKey) -> Self {
        match key.algorithm() {
            Algorithm::Es256 => Self::Es256,
            Algorithm::Rs256 => Self::Rs256,
        }
    }

    /// The same for the ciphers.
    pub fn in_crypto(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}

texts!(OidcKind, Confidential = "confidential", Public = "public");
texts!(SigningAlgorithm, Es256 = "ES256", Rs256 = "RS256");
texts!(SubjectKind, ObjectGuid = "objectguid", Pairwise = "pairwise");

/// Where people return. Compared byte by byte (RFC 9700 2.1), but for the port of an address of the machine itself (RFC
/// 8252 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

/// Why a text is no redirect URI that may be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRedirectUri {
    /// Longer than [`MAX_REDIRECT_URI`], or not in the form in which browsers write it.
    #[error("it is no absolute URI in its usual form")]
    Form,
    /// It has a fragment, a name or a password.
    #[error("it has a part behind `#`, a name or a password")]
    Parts,
    /// Only `https`, `http` on the machine itself, and schemes of programs with a dot in them.
    #[error(
        "it begins neither with https:// nor with http://127.0.0.1, http://[::1] or a program's own scheme"
    )]
    Scheme,
}

impl RedirectUri {
    /// Reads a URI that is to be registered.
    pub fn parse(text: &str) -> Result<Self, NoRedirectUri> {
        let url = Url::parse(text).map_err(|_| NoRedirectUri::Form)?;
        if text.len() > MAX_REDIRECT_URI || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(NoRedirectUri::Form);
        }
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(NoRedirectUri::Parts);
        }
        let fits = match url.scheme() {
            "https" => true,
            "http" => loopback(&url).is_some(),
            // RFC 8252 7.1: the reverse of a name that the program's maker owns.
            own => own.contains('.'),
        };
        if !fits {
            return Err(NoRedirectUri::Scheme);
        }
        // A path that browsers would write otherwise is never equal to what they send.
        let usual = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
        if usual { Ok(Self { text: text.to_owned(), url }) } else { Err(NoRedirectUri::Form) }
    }

    /// Whether a request for this URI is one for what was registered.
    pub fn fits(&self, requested: &str) -> bool {
        if requested == self.text {
            return true;
        }
        let (Some(own), Ok(other)) = (loopback(&self.url), Url::parse(requested)) else { return false };
        if requested.len() > MAX_REDIRECT_URI || loopback(&other) != Some(own) {
            return false;
        }
        // The same but for the port.
        let mut same_port = other.clone();
        // Without a path a URI is written with a slash at its end or without, as it was registered.
        let slash = |text: &str| text.ends_with('/');
        let is_usual = slash(&self.text) == slash(requested)
            && (other.as_str() == requested || other.as_str().strip_suffix('/') == Some(requested));
        same_port.set_port(self.url.port()).is_ok()
            && same_port == self.url
            && other.fragment().is_none()
            && is_usual
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Where an application is notified of the end of a session: an `https` URI without a name, a password and a part behind
/// `#`, at most [`MAX_REDIRECT_URI`] bytes (OpenID Connect Back-Channel Logout 1.0, 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutUri(Url);

/// A text is no [`LogoutUri`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no https URI without a name, a password and a part behind `#`")]
pub struct NoLogoutUri;

impl LogoutUri {
    /// Reads a URI that is to be registered.
    pub fn parse(text: &str) -> Result<Self, NoLogoutUri> {
        let url = Url::parse(text).map_err(|_| NoLogoutUri)?;
        let is_one = text.len() <= MAX_REDIRECT_URI
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && url.scheme() == "https"
            && url.has_host()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_one { Ok(Self(url)) } else { Err(NoLogoutUri) }
    }

    /// The text, as browsers write it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parts.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// The address of the machine itself in an `http` URI.
fn loopback(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return None,
    };
    (url.scheme() == "http" && address.is_loopback()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered_is_https_the_machine_itself_or_a_programs_own_scheme() {
        for good in [
            "https://wiki.example.com/callback",
            "https://wiki.example.com:8443/cb?tenant=1",
            "https://wiki.example.com",
            "http://127.0.0.1/callback",
            "http://[::1]:8080/callback",
            "com.example.app:/callback",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", NoRedirectUri::Form),
            ("/callback", NoRedirectUri::Form),
            ("https://wiki.example.com/a/../b", NoRedirectUri::Form),
            ("HTTPS://wiki.example.com/", NoRedirectUri::Form),
            ("https://wiki.example.com/ä", NoRedirectUri::Form),
            ("https://wiki.example.com/\n", NoRedirectUri::Form),
            ("https://wiki.example.com/#x", NoRedirectUri::Parts),
            ("https://wiki@evil.example.com/", NoRedirectUri::Parts),
            ("http://wiki.example.com/", NoRedirectUri::Scheme),
            ("http://localhost/", NoRedirectUri::Scheme),
            ("javascript:alert(1)", NoRedirectUri::Scheme),
            ("data:text/html,x", NoRedirectUri::Scheme),
        ] {
            assert_eq!(RedirectUri::parse(bad).err(), Some(why), "{bad}");
        }
    }

    #[test]
    fn a_request_is_compared_byte_by_byte_but_for_the_port_on_the_machine_itself() {
        let fits = |registered: &str, requested: &str| {
            RedirectUri::parse(registered).is_ok_and(|registered| registered.fits(requested))
        };
        let web = "https://wiki.example.com/callback";
        assert!(fits(web, web));
        for other in [
            "https://wiki.example.com/callback/",
            "https://wiki.example.com/callback?x=1",
            "https://wiki.example.com:443/callback",
            "https://wiki.example.com/Callback",
            "https://wiki.example.com.evil.example/callback",
            "https://wiki.example.com/callback#",
        ] {
            assert!(!fits(web, other), "{other}");
        }
        let own = "http://127.0.0.1/callback";
        assert!(fits(own, "http://127.0.0.1:49152/callback"));
        let bare = "http://127.0.0.1:8000";
        assert!(fits(bare, "http://127.0.0.1:18000") && fits("http://127.0.0.1/", "http://127.0.0.1:18000/"));
        assert!(
            !fits(bare, "http://127.0.0.1:18000/") && !fits("http://127.0.0.1/", "http://127.0.0.1:18000")
        );
        for other in [
            "http://127.0.0.1:49152/other",
            "http://127.0.0.2:49152/callback",
            "http://[::1]:49152/callback",
            "https://127.0.0.1:49152/callback",
            "http://127.0.0.1:49152/callback?x=1",
            "http://127.0.0.1:49152/callback#x",
            "http://x@127.0.0.1:49152/callback",
            "http://127.0.0.1:049152/callback",
        ] {
            assert!(!fits(own, other), "{other}");
        }
    }
}
