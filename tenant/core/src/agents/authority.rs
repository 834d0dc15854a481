//! The tenant's own CA: makes the root, the server's certificate, and the agents' short-lived ones.
//! Not here: who may have one (`enroll`) and where the key is kept (`key_file`).

use crate::agents::certificate_names::AgentName;
use aws_lc_rs::digest::{SHA256, digest};
use landbridge_crypto::hex::lower;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use uuid::Uuid;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

/// An agent's certificate lives so long, in seconds, from its not-before on.
pub const AGENT_LIFE: i64 = 24 * HOUR;
/// The server's certificate lives so long, in seconds; it is made anew in memory at every start.
pub const SERVER_LIFE: i64 = 30 * 24 * HOUR;
/// The root lives so long, in seconds.
const ROOT_LIFE: i64 = 10 * 365 * 24 * HOUR;
/// Certificates begin so many seconds before they are made: clocks differ.
pub const BACKDATED: i64 = 300;
const HOUR: i64 = 3600;

/// Why the authority cannot do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The key file's content is no private key. The operator must name the right file.
    #[error("not a private key in PEM")]
    NotAKey,
    /// The root certificate is no certificate. The operator must restore it.
    #[error("not a certificate in PEM")]
    NotACertificate,
    /// Key and root certificate are not of one another. The operator must name the right files.
    #[error("the key is not the one of the root certificate")]
    NotAPair,
    /// The request is not a signed PKCS #10 request. The peer must be mended.
    #[error("the certificate request is malformed or its signature is wrong")]
    BadRequest,
    /// The request's key is of a kind that is not taken. The peer must be mended.
    #[error("the certificate request's key is none of P-256, P-384 and Ed25519")]
    KeyKind,
    /// The certificate could not be made: a defect.
    #[error("the certificate could not be made")]
    Making,
}

/// The CA, ready to sign.
pub struct Authority {
    tenant: Uuid,
    root: CertificateDer<'static>,
    fingerprint: String,
    life: (i64, i64),
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({}, {})", self.tenant, self.fingerprint)
    }
}

/// A new root, to be written to two files.
pub struct NewRoot {
    /// The private key, PKCS #8 in PEM.
    pub key: Zeroizing<String>,
    /// The certificate, PEM.
    pub certificate: String,
}

/// A certificate that was made for an agent.
#[derive(Debug, Clone)]
pub struct Issued {
    /// DER.
    pub certificate: Vec<u8>,
    /// Its random serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// The second after which it is over.
    pub not_after: i64,
}

/// The public key of a request whose signature was verified; nothing else of it is used.
#[derive(Debug)]
pub struct RequestedKey(SubjectPublicKeyInfo);

impl RequestedKey {
    /// Reads a PKCS #10 request (RFC 2986), DER, and verifies that its sender holds the key.
    pub fn of(request: &[u8]) -> Result<Self, AuthorityError> {
        use x509_parser::certification_request::X509CertificationRequest;
        let (rest, request) =
            X509CertificationRequest::from_der(request).map_err(|_| AuthorityError::BadRequest)?;
        if !rest.is_empty() {
            return Err(AuthorityError::BadRequest);
        }
        let key = &request.certification_request_info.subject_pki;
        let kind = SubjectPublicKeyInfo::from_der(key.raw).map_err(|_| AuthorityError::KeyKind)?;
        let taken = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
        if !taken.contains(&rcgen::PublicKeyData::algorithm(&kind)) {
            return Err(AuthorityError::KeyKind);
        }
        request.verify_signature().map_err(|_| AuthorityError::BadRequest)?;
        Ok(Self(kind))
    }
}

impl Authority {
    /// Makes a new root for a tenant.
    pub fn create(tenant: Uuid, now: i64) -> Result<NewRoot, AuthorityError> {
        let key = KeyPair::generate().map_err(|_| AuthorityError::Making)?;
        let mut params = params(&format!("Landbridge tenant {tenant}"), now, ROOT_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&key).map_err(|_| AuthorityError::Making)?;
        Ok(NewRoot { key: Zeroizing::new(key.serialize_pem()), certificate: root.pem() })
    }

    /// Takes the key and the root certificate of a tenant, both in PEM.
    pub fn load(tenant: Uuid, key: &str, certificate: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key).map_err(|_| AuthorityError::NotAKey)?;
        let root = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| AuthorityError::NotACertificate)?;
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&root)
            .map_err(|_| AuthorityError::NotACertificate)?;
        if parsed.public_key().subject_public_key.data.as_ref() != rcgen::PublicKeyData::der_bytes(&key) {
            return Err(AuthorityError::NotAPair);
        }
        let life = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        let fingerprint = lower(digest(&SHA256, &root).as_ref());
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(|_| AuthorityError::NotACertificate)?;
        Ok(Self { tenant, root, fingerprint, life, issuer })
    }

    /// The tenant's id.
    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// The first and the last second of the root certificate's life.
    pub fn life(&self) -> (i64, i64) {
        self.life
    }

    /// The root certificate, DER.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// SHA-256 of the root certificate's DER, lower hex: what tokens pin.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Makes a certificate for an agent: client authentication only, one name, at most [`AGENT_LIFE`].
    pub fn agent_certificate(
        &self,
        key: &RequestedKey,
        name: &AgentName,
        now: i64,
    ) -> Result<Issued, AuthorityError> {
        let mut params = params(&name.agent.to_string(), now, AGENT_LIFE)?;
        let uri = name.uri().try_into().map_err(|_| AuthorityError::Making)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let not_after = params.not_after.unix_timestamp();
        let made = params.signed_by(&key.0, &self.issuer).map_err(|_| AuthorityError::Making)?;
        Ok(Issued { certificate: made.der().to_vec(), serial, not_after })
    }

    /// Makes a key and a certificate for the server, to be sent with the root behind it, so that an agent that
    /// has only the root's fingerprint can check it. The key never touches a disk.
    pub fn server_certificate(
        &self,
        host: &url::Host<String>,
        now: i64,
    ) -> Result<CertifiedKey, AuthorityError> {
        let mut params = params("landbridge-tenant", now, SERVER_LIFE)?;
        params.subject_alt_names = vec![match host {
            url::Host::Domain(name) => {
                SanType::DnsName(name.as_str().try_into().map_err(|_| AuthorityError::Making)?)
            }
            url::Host::Ipv4(address) => SanType::IpAddress((*address).into()),
            url::Host::Ipv6(address) => SanType::IpAddress((*address).into()),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(|_| AuthorityError::Making)?;
        let made = params.signed_by(&key, &self.issuer).map_err(|_| AuthorityError::Making)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key.into());
        let key = key.map_err(|_| AuthorityError::Making)?;
        Ok(CertifiedKey::new(vec![made.into(), self.root.clone()], key))
    }
}

/// What all our certificates have in common: one name, a random serial of 127 bits, the time.
fn params(common_name: &str, now: i64, life: i64) -> Result<CertificateParams, AuthorityError> {
    let begins = now.saturating_sub(BACKDATED);
    let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Making);
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| AuthorityError::Making)?;
    let [first, ..] = &mut serial;
    // Positive, and never a byte shorter than it is stored (RFC 5280 4.1.2.2).
    *first = (*first & 0x3f) | 0x40;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = at(begins)?;
    params.not_after = at(begins.saturating_add(life))?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::agents::authority::*;
    use crate::agents::certificate_names::Shown;
    use landbridge_wire::enroll::Role;

    const NOW: i64 = 1_800_000_000;

    fn authority() -> Authority {
        let tenant = Uuid::from_u128(7);
        let root = Authority::create(tenant, NOW).unwrap();
        Authority::load(tenant, &root.key, &root.certificate).unwrap()
    }

    fn name() -> AgentName {
        AgentName {
            tenant: Uuid::from_u128(7),
            role: Role::Phs,
            domain: "corp.example.com".to_owned(),
            domain_sid: "S-1-5-21-1-2-3".to_owned(),
            agent: Uuid::from_u128(9),
            envelope: None,
        }
    }

    fn request(key: &KeyPair) -> Vec<u8> {
        CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn an_agents_certificate_says_what_the_tenant_says_and_not_what_the_request_says() {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["evil.example.com".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let request = params.serialize_request(&key).unwrap();
        let key = RequestedKey::of(request.der()).unwrap();
        let issued = authority.agent_certificate(&key, &name(), NOW).unwrap();
        let shown = Shown::read(&issued.certificate).unwrap();
        assert_eq!(shown, Shown { name: name(), serial: issued.serial.clone(), not_after: issued.not_after });
        let (_, certificate) = x509_parser::parse_x509_certificate(&issued.certificate).unwrap();
        assert!(!certificate.is_ca());
        assert_eq!(certificate.subject().to_string(), format!("CN={}", name().agent));
        let life = certificate.validity();
        assert!(life.not_after.timestamp() - life.not_before.timestamp() <= 24 * 3600);
        assert!(life.not_before.timestamp() < NOW);
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
    }

    #[test]
    fn two_certificates_never_have_one_serial() {
        let (authority, key) = (authority(), KeyPair::generate().unwrap());
        let key = RequestedKey::of(&request(&key)).unwrap();
        let serials: std::collections::HashSet<_> =
            (0..50).map(|_| authority.agent_certificate(&key, &name(), NOW).unwrap().serial).collect();
        assert_eq!(serials.len(), 50);
    }

    /// The frame around the signature is read leniently and signed by nobody: touched there, it still asks for the
    /// same key.
    #[test]
    fn a_request_that_was_touched_is_refused_or_asks_for_the_same_key() {
        let good = request(&KeyPair::generate().unwrap());
        let key = RequestedKey::of(&good).unwrap();
        let mut taken = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            if let Ok(other) = RequestedKey::of(&bad) {
                let bytes = |key: &RequestedKey| rcgen::PublicKeyData::der_bytes(&key.0).to_vec();
                assert_eq!(bytes(&other), bytes(&key), "at {at}");
                taken += 1;
            }
            assert!(RequestedKey::of(&good[..at]).is_err());
        }
        assert!(taken <= 4, "{taken}");
        assert!(RequestedKey::of(&[good, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        assert_eq!(RequestedKey::of(&request(&p521)).unwrap_err(), AuthorityError::KeyKind);
        for kind in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            RequestedKey::of(&request(&KeyPair::generate_for(kind).unwrap())).unwrap();
        }
    }

    #[test]
    fn a_root_and_the_key_of_another_are_no_pair() {
        let tenant = Uuid::from_u128(7);
        let (a, b) = (Authority::create(tenant, NOW).unwrap(), Authority::create(tenant, NOW).unwrap());
        assert_eq!(Authority::load(tenant, &a.key, &b.certificate).unwrap_err(), AuthorityError::NotAPair);
        assert_eq!(Authority::load(tenant, "no key", &a.certificate).unwrap_err(), AuthorityError::NotAKey);
        assert_eq!(Authority::load(tenant, &a.key, "none").unwrap_err(), AuthorityError::NotACertificate);
    }

    #[test]
    fn the_server_sends_its_root_along() {
        let authority = authority();
        let host = url::Host::Domain("tenant.example.com".to_owned());
        let server = authority.server_certificate(&host, NOW).unwrap();
        assert_eq!(server.cert.len(), 2);
        assert_eq!(server.cert[1], *authority.root());
        assert!(Shown::read(&server.cert[0]).is_none());
        server.keys_match().unwrap();
    }
}
