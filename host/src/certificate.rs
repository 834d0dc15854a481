//! What a certificate is, in words for an administrator: subject, issuer, names, key, signature and life. A stranger
//! may have made it, so every text is bounded and holds no character that a terminal obeys.
//! Neighbours: [`super::tls_error`] names the certificate that a refusal is about.

use crate::clock_text::utc;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Limit on the characters of a name.
const MAX_NAME: usize = 200;
/// Limit on the names of a certificate that are shown.
const MAX_NAMES: usize = 8;
/// Bits that an RSA key must have.
const RSA_BITS: usize = 2048;

/// The facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its subject.
    pub subject: String,
    /// Its issuer: with TLS inspection the name of the device that inspects.
    pub issuer: String,
    /// The DNS names and addresses that it is for (subjectAltName).
    pub names: Vec<String>,
    /// The kind and size of its key.
    pub key: String,
    /// Whether its key is RSA and shorter than 2048 bits.
    pub has_short_key: bool,
    /// The algorithm with which its issuer signed it.
    pub signature: String,
    /// Whether that algorithm is accepted by no program today: MD5 or SHA-1.
    pub has_weak_signature: bool,
    /// The first second of its life: seconds since 1970.
    pub begins: i64,
    /// The last second of its life: seconds since 1970.
    pub ends: i64,
}

impl CertificateFacts {
    /// Reads a certificate, DER. None: it is no X.509 certificate.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (key, has_short_key) = key(certificate.public_key());
        let (signature, has_weak_signature) =
            signature(&certificate.signature_algorithm.algorithm.to_id_string());
        Some(Self {
            subject: readable(&certificate.subject().to_string()),
            issuer: readable(&certificate.issuer().to_string()),
            names: names(&certificate),
            key,
            has_short_key,
            signature,
            has_weak_signature,
            begins: certificate.validity().not_before.timestamp(),
            ends: certificate.validity().not_after.timestamp(),
        })
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

impl std::fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") };
        write!(
            f,
            "certificate \"{}\", issued by \"{}\", for {names}, {}, signed with {}, valid from {} to {}",
            self.subject,
            self.issuer,
            self.key,
            self.signature,
            utc(self.begins),
            utc(self.ends)
        )
    }
}

/// The names of a certificate that a TLS client compares, at most eight.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(found)) = certificate.subject_alternative_name() else { return Vec::new() };
    let all = &found.value.general_names;
    let mut names: Vec<String> = all.iter().filter_map(name).take(MAX_NAMES).collect();
    let more = all.iter().filter_map(name).count().saturating_sub(names.len());
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}

fn name(of: &GeneralName<'_>) -> Option<String> {
    match of {
        GeneralName::DNSName(name) => Some(readable(name)),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            let six = || <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            four.or_else(|_| six()).ok()
        }
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

/// The kind and size of a key, and whether it is too short.
fn key(of: &SubjectPublicKeyInfo<'_>) -> (String, bool) {
    let algorithm = of.algorithm.algorithm.to_id_string();
    match (algorithm.as_str(), of.parsed()) {
        ("1.2.840.113549.1.1.1", Ok(PublicKey::RSA(rsa))) => {
            let bits = rsa.key_size();
            (format!("RSA key of {bits} bits"), bits < RSA_BITS)
        }
        ("1.2.840.10045.2.1", _) => {
            let curve = of.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            let curve = curve.map(|curve| curve.to_id_string()).unwrap_or_default();
            let name = match curve.as_str() {
                "1.2.840.10045.3.1.7" => "P-256",
                "1.3.132.0.34" => "P-384",
                "1.3.132.0.35" => "P-521",
                _ => "an unusual curve",
            };
            (format!("ECDSA key on {name}"), false)
        }
        ("1.3.101.112", _) => ("Ed25519 key".to_owned(), false),
        ("1.2.840.10040.4.1", _) => ("DSA key".to_owned(), false),
        _ => ("key of an unusual kind".to_owned(), false),
    }
}

/// The name of a signature algorithm by its OID, and whether its hash is MD5 or SHA-1.
fn signature(oid: &str) -> (String, bool) {
    let (name, weak) = match oid {
        "1.2.840.113549.1.1.4" => ("MD5 and RSA", true),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("SHA-1 and RSA", true),
        "1.2.840.10045.4.1" => ("SHA-1 and ECDSA", true),
        "1.2.840.10040.4.3" => ("SHA-1 and DSA", true),
        "1.2.840.113549.1.1.10" => ("RSASSA-PSS", false),
        "1.2.840.113549.1.1.11" => ("SHA-256 and RSA", false),
        "1.2.840.113549.1.1.12" => ("SHA-384 and RSA", false),
        "1.2.840.113549.1.1.13" => ("SHA-512 and RSA", false),
        "1.2.840.10045.4.3.2" => ("SHA-256 and ECDSA", false),
        "1.2.840.10045.4.3.3" => ("SHA-384 and ECDSA", false),
        "1.2.840.10045.4.3.4" => ("SHA-512 and ECDSA", false),
        "1.3.101.112" => ("Ed25519", false),
        _ => return (format!("an algorithm that is not known here ({oid})"), false),
    };
    (name.to_owned(), weak)
}

/// A text that a stranger chose, fit for a terminal and a log line.
fn readable(text: &str) -> String {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(*c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(harmless).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn a_certificate_is_described_by_what_an_administrator_looks_for() {
        let mut params =
            CertificateParams::new(["dc1.corp.example.com".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "dc1");
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let facts = CertificateFacts::of(made.der()).unwrap();
        assert_eq!(facts.names, ["dc1.corp.example.com", "192.0.2.1"]);
        assert!(facts.is_self_issued() && facts.subject.contains("dc1"));
        let text = facts.to_string();
        for part in ["ECDSA key on P-256", "signed with SHA-256 and ECDSA", "for dc1.corp.example.com"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(CertificateFacts::of(b"no certificate").is_none());
    }

    #[test]
    fn what_a_stranger_writes_into_a_certificate_stays_short_and_harmless() {
        let names: Vec<String> = (0..100).map(|n| format!("n{n}.example.com")).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let evil = format!("\u{1b}[2J\u{202e}\n{}", "x".repeat(5000));
        params.distinguished_name.push(DnType::CommonName, evil);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let text = CertificateFacts::of(made.der()).unwrap().to_string();
        assert!(text.chars().count() < 1000 && text.contains("and 92 more"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\n'), "{text}");
    }
}
