//! How an agent gets its identity, and keeps it.
//!
//! `POST /v1/enroll` without a certificate, once, with a one-time token; `POST /v1/renew` with one.

use crate::bounded::{Blob, List, Text, TooLong};
use crate::nodes::NodeUrls;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What an agent is for; stands in its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Password hash synchronization.
    Phs,
    /// Pass-through authentication.
    Pta,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// The secret half of a one-time token: as good as an agent's identity until it is spent.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`, `Display`, `==`.
#[derive(Serialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct TokenSecret(String);

/// The most bytes of a secret's text that are read; 43 are in use.
const MAX_SECRET: usize = 64;

impl TokenSecret {
    /// Takes the secret's text (base64url of 32 bytes).
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Lends the text.
    pub fn lend<R>(&self, to: impl FnOnce(&str) -> R) -> R {
        to(&self.0)
    }
}

impl<'de> Deserialize<'de> for TokenSecret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = TokenSecret;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a secret of at most {MAX_SECRET} bytes")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TokenSecret, E> {
                // The error names the bound and never the text.
                if text.len() > MAX_SECRET {
                    return Err(E::custom(TooLong { max: MAX_SECRET, unit: "bytes" }));
                }
                Ok(TokenSecret(text.to_owned()))
            }
        }
        from.deserialize_str(Reader)
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

/// What `token create` prints and `enroll` reads: where the tenant is, how to know it, and the secret.
/// Its text is `lbt1.` and the base64url of this in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// `https://host:port` of the tenant.
    pub url: Text<512>,
    /// SHA-256 of the DER of the tenant's root certificate, lower hex.
    pub ca_sha256: Text<64>,
    /// The secret.
    pub secret: TokenSecret,
}

/// A token's text is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an enrolment token: it starts with `lbt1.` and is copied whole")]
pub struct NotAToken;

const TOKEN_PREFIX: &str = "lbt1.";
const MAX_TOKEN: usize = 2048;

impl Token {
    /// The text that a person copies. Wiped when dropped.
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        use base64::Engine as _;
        let json = zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        let mut text = zeroize::Zeroizing::new(String::from(TOKEN_PREFIX));
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode_string(json.as_slice(), &mut text);
        text
    }

    /// Reads the text that a person copied; white space around it is no harm.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        use base64::Engine as _;
        let text = text.trim();
        let body = text.strip_prefix(TOKEN_PREFIX).filter(|_| text.len() <= MAX_TOKEN).ok_or(NotAToken)?;
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).map_err(|_| NotAToken)?;
        serde_json::from_slice(&zeroize::Zeroizing::new(json)).map_err(|_| NotAToken)
    }
}

/// The fingerprint of an agent's public key, DER (SubjectPublicKeyInfo). The agent and the tenant show the same text,
/// so that two people can compare it before one of them approves the agent.
pub fn key_fingerprint(spki: &[u8]) -> String {
    landbridge_crypto::fingerprint::of_public_key(spki)
}

/// Asks for an identity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The token's secret.
    pub secret: TokenSecret,
    /// What the agent wants to be.
    pub role: Role,
    /// PKCS #10 request, DER. Its subject and extensions are ignored: the tenant writes the names.
    pub csr: Blob<8192>,
    /// For [`Role::Pta`], and for it alone: the X25519 key that passwords are to be sealed to, 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Blob<32>>,
    /// The agent's program and version, for the administrator's list.
    pub software: Text<64>,
    /// The host that the agent runs on, as it names itself, for the administrator's list.
    pub host: Text<255>,
}

/// An identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrollResponse {
    /// The agent's id; stands in its certificate.
    pub agent: Uuid,
    /// The tenant's id.
    pub tenant: Uuid,
    /// The DNS name of the domain that the agent serves.
    pub domain: Text<255>,
    /// The SID of that domain, as text.
    pub domain_sid: Text<192>,
    /// The agent's certificate, DER.
    pub certificate: Blob<8192>,
    /// The tenant's root certificate, DER.
    pub root: Blob<8192>,
    /// False: the administrator must approve the agent first.
    pub approved: bool,
    /// The tenant's nodes. A tenant of before this field sends none, and an agent of before it ignores the field.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub nodes: NodeUrls,
}

/// Asks for the next certificate, over a connection that shows the present one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// PKCS #10 request, DER, for the next key.
    pub csr: Blob<8192>,
    /// For [`Role::Pta`], and for it alone: the next X25519 key that passwords are to be sealed to, 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Blob<32>>,
}

/// The next certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewResponse {
    /// The agent's next certificate, DER.
    pub certificate: Blob<8192>,
    /// The root certificates to trust from now on, DER: the present one, and the next when there is one.
    pub roots: List<Blob<8192>, 4>,
    /// The tenant's nodes, as in [`EnrollResponse::nodes`].
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub nodes: NodeUrls,
}
