//! The tenant's own CA: creates the root certificate, the server's certificate, and the short-lived certificates of
//! agents.
//! Neighbours: [`super::enrolment`] decides which agent receives one; `program` reads the key from its file.

use crate::agents::certificate_names::AgentName;
use aws_lc_rs::digest::{SHA256, digest};
use landbridge_crypto::hex::lower;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
    SubjectPublicKeyInfo,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::{Ipv4Addr, Ipv6Addr};
use time::OffsetDateTime;
use uuid::Uuid;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

/// Life of an agent's certificate in seconds. A stolen key is of use for a day at most, and an agent that is off over a
/// weekend can still renew.
pub const AGENT_LIFE: i64 = 24 * HOUR;
/// Life of the server's certificate in seconds. It is created in memory at every start and replaced after half its
/// life.
pub const SERVER_LIFE: i64 = 30 * 24 * HOUR;
/// Life of the root certificate in seconds. Agents pin it, so replacing it means to enrol every agent again.
const ROOT_LIFE: i64 = 10 * 365 * 24 * HOUR;
/// Seconds between the not-before of a certificate and its creation, because the clocks of machines differ.
pub const BACKDATED: i64 = 300;
const HOUR: i64 = 3600;

/// Why the CA cannot load its key or sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The key file does not hold a private key. The operator must configure the right file.
    #[error("not a private key in PEM")]
    NotAKey,
    /// The file of the root certificate does not hold a certificate. The operator must restore it.
    #[error("not a certificate in PEM")]
    NotACertificate,
    /// The key and the root certificate do not belong together. The operator must configure the right files.
    #[error("the key is not the one of the root certificate")]
    NotAPair,
    /// The request is not a signed PKCS #10 request. The agent has a defect.
    #[error("the certificate request is malformed or its signature is wrong")]
    BadRequest,
    /// The kind of the request's key is not accepted. The agent has a defect.
    #[error("the certificate request's key is none of P-256, P-384 and Ed25519")]
    KeyKind,
    /// The root may not sign for this host. The operator must set the URL that the tenant was created with.
    #[error("the root certificate was made for {permitted} and cannot sign for {host}")]
    OtherHost {
        /// The host that is wanted.
        host: String,
        /// The hosts that the root was made for.
        permitted: String,
    },
    /// The certificate could not be created. This is a defect.
    #[error("the certificate could not be made")]
    NotCreated,
}

/// The CA, ready to sign.
pub struct Authority {
    tenant: Uuid,
    root: CertificateDer<'static>,
    fingerprint: String,
    life: (i64, i64),
    /// The hosts of the root's name constraints; none: it has no constraints, as roots of earlier versions.
    hosts: Option<Vec<String>>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({}, {})", self.tenant, self.fingerprint)
    }
}

/// A new root, which the caller writes to two files.
pub struct NewRoot {
    /// The private key, PKCS #8 in PEM.
    pub key: Zeroizing<String>,
    /// The certificate, PEM.
    pub certificate: String,
}

/// A certificate that was issued for an agent.
#[derive(Debug, Clone)]
pub struct Issued {
    /// DER.
    pub certificate: Vec<u8>,
    /// Its random serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// Its last second, since 1970.
    pub not_after: i64,
}

/// The public key of a certificate request with a valid signature. No other part of the request is used.
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
        let accepted = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
        if !accepted.contains(&rcgen::PublicKeyData::algorithm(&kind)) {
            return Err(AuthorityError::KeyKind);
        }
        request.verify_signature().map_err(|_| AuthorityError::BadRequest)?;
        Ok(Self(kind))
    }
}

impl Authority {
    /// Creates a new root for a tenant that agents and applications reach as this host. Its name constraints (RFC 5280
    /// 4.2.1.10) let it sign for that host and, if it is a name, for names below it: whoever steals the key can be no
    /// other server to those who trust the root.
    pub fn create(tenant: Uuid, host: &url::Host<String>, now: i64) -> Result<NewRoot, AuthorityError> {
        let key = KeyPair::generate().map_err(|_| AuthorityError::NotCreated)?;
        let mut params = params(&format!("Landbridge tenant {tenant}"), now, ROOT_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(constraints(host));
        let root = params.self_signed(&key).map_err(|_| AuthorityError::NotCreated)?;
        Ok(NewRoot { key: Zeroizing::new(key.serialize_pem()), certificate: root.pem() })
    }

    /// Loads the key and the root certificate of a tenant, both in PEM.
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
        let hosts = hosts(&parsed)?;
        let fingerprint = lower(digest(&SHA256, &root).as_ref());
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(|_| AuthorityError::NotACertificate)?;
        Ok(Self { tenant, root, fingerprint, life, hosts, issuer })
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

    /// SHA-256 of the root certificate's DER in lower-case hex. Tokens contain it, and enrolling agents check it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Issues a certificate for an agent: client authentication only, one name, life [`AGENT_LIFE`].
    pub fn agent_certificate(
        &self,
        key: &RequestedKey,
        name: &AgentName,
        now: i64,
    ) -> Result<Issued, AuthorityError> {
        let mut params = params(&name.agent.to_string(), now, AGENT_LIFE)?;
        let uri = name.uri().try_into().map_err(|_| AuthorityError::NotCreated)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let not_after = params.not_after.unix_timestamp();
        let made = params.signed_by(&key.0, &self.issuer).map_err(|_| AuthorityError::NotCreated)?;
        Ok(Issued { certificate: made.der().to_vec(), serial, not_after })
    }

    /// Creates a key and a certificate for the server. The chain includes the root, so that an agent that knows only
    /// the root's fingerprint can verify it. The key is never written to a disk.
    pub fn server_certificate(
        &self,
        host: &url::Host<String>,
        now: i64,
    ) -> Result<CertifiedKey, AuthorityError> {
        if let Some(hosts) = &self.hosts
            && !hosts.iter().any(|permitted| is_within(host, permitted))
        {
            return Err(AuthorityError::OtherHost { host: host.to_string(), permitted: hosts.join(", ") });
        }
        let mut params = params("landbridge-tenant", now, SERVER_LIFE)?;
        params.subject_alt_names = vec![match host {
            url::Host::Domain(name) => {
                SanType::DnsName(name.as_str().try_into().map_err(|_| AuthorityError::NotCreated)?)
            }
            url::Host::Ipv4(address) => SanType::IpAddress((*address).into()),
            url::Host::Ipv6(address) => SanType::IpAddress((*address).into()),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(|_| AuthorityError::NotCreated)?;
        let made = params.signed_by(&key, &self.issuer).map_err(|_| AuthorityError::NotCreated)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key.into());
        let key = key.map_err(|_| AuthorityError::NotCreated)?;
        Ok(CertifiedKey::new(vec![made.into(), self.root.clone()], key))
    }
}

/// The name constraints of a root for this host.
fn constraints(host: &url::Host<String>) -> NameConstraints {
    let (everything_4, everything_6) = (CidrSubnet::V4([0; 4], [0; 4]), CidrSubnet::V6([0; 16], [0; 16]));
    // A kind of name that no constraint mentions is free, so the other kinds are excluded as a whole.
    let (permitted, excluded) = match host {
        url::Host::Domain(name) => (
            GeneralSubtree::DnsName(name.clone()),
            vec![GeneralSubtree::IpAddress(everything_4), GeneralSubtree::IpAddress(everything_6)],
        ),
        url::Host::Ipv4(address) => (
            GeneralSubtree::IpAddress(CidrSubnet::V4(address.octets(), [0xff; 4])),
            vec![GeneralSubtree::DnsName(String::new())],
        ),
        url::Host::Ipv6(address) => (
            GeneralSubtree::IpAddress(CidrSubnet::V6(address.octets(), [0xff; 16])),
            vec![GeneralSubtree::DnsName(String::new())],
        ),
    };
    NameConstraints { permitted_subtrees: vec![permitted], excluded_subtrees: excluded }
}

/// The hosts that a root's name constraints permit; none: it has none.
fn hosts(
    root: &x509_parser::certificate::X509Certificate<'_>,
) -> Result<Option<Vec<String>>, AuthorityError> {
    use x509_parser::extensions::GeneralName;
    let constraints = root.name_constraints().map_err(|_| AuthorityError::NotACertificate)?;
    let Some(permitted) = constraints.and_then(|found| found.value.permitted_subtrees.as_ref()) else {
        return Ok(None);
    };
    let host = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(name) = name {
            return Some((*name).to_owned());
        }
        // An address and its mask.
        let GeneralName::IPAddress(bytes) = name else { return None };
        match bytes.len() {
            8 => bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).to_string()),
            32 => bytes.first_chunk::<16>().map(|octets| format!("[{}]", Ipv6Addr::from(*octets))),
            _ => None,
        }
    };
    Ok(Some(permitted.iter().filter_map(|subtree| host(&subtree.base)).collect()))
}

/// Whether a host is the permitted one, or a name below it.
fn is_within(host: &url::Host<String>, permitted: &str) -> bool {
    let text = host.to_string();
    let below = matches!(host, url::Host::Domain(_)) && text.ends_with(&format!(".{permitted}"));
    text == permitted || below
}

/// The common parameters of all certificates: one name, a random serial number of 126 bits, and the time.
fn params(common_name: &str, now: i64, life: i64) -> Result<CertificateParams, AuthorityError> {
    let begins = now.saturating_sub(BACKDATED);
    let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::NotCreated);
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| AuthorityError::NotCreated)?;
    let [first, ..] = &mut serial;
    // The number is positive and always 16 bytes long (RFC 5280 4.1.2.2): the highest bit is 0, the next is 1.
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
        let root = Authority::create(tenant, &host("tenant.example.com"), NOW).unwrap();
        Authority::load(tenant, &root.key, &root.certificate).unwrap()
    }

    fn host(text: &str) -> url::Host<String> {
        url::Host::parse(text).unwrap()
    }

    /// Whether rustls, with this root alone, believes a server of this certificate for this name.
    fn is_believed(root: &CertificateDer<'static>, server: &CertificateDer<'static>, name: &str) -> bool {
        use rustls::client::danger::ServerCertVerifier as _;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let name = name.trim_matches(['[', ']']).to_owned().try_into().unwrap();
        let now = std::time::Duration::from_secs(NOW.unsigned_abs());
        let now = rustls_pki_types::UnixTime::since_unix_epoch(now);
        verifier.build().unwrap().verify_server_cert(server, &[], &name, &[], now).is_ok()
    }

    #[test]
    fn a_root_signs_for_the_host_that_it_was_made_for_and_clients_believe_no_other() {
        let all = [
            "tenant.example.com",
            "198.51.100.7",
            "[2001:db8::7]",
            "other.example.com",
            "198.51.100.8",
            "[::1]",
        ];
        for made_for in all.iter().take(3) {
            let tenant = Uuid::from_u128(7);
            let root = Authority::create(tenant, &host(made_for), NOW).unwrap();
            let authority = Authority::load(tenant, &root.key, &root.certificate).unwrap();
            // The same key without the look at the constraints, as a thief would use it.
            let mut thief = Authority::load(tenant, &root.key, &root.certificate).unwrap();
            thief.hosts = None;
            for name in all {
                let stolen = thief.server_certificate(&host(name), NOW).unwrap();
                assert_eq!(
                    is_believed(authority.root(), &stolen.cert[0], name),
                    name == *made_for,
                    "{made_for}: {name}"
                );
                let honest = authority.server_certificate(&host(name), NOW);
                match honest {
                    Ok(_) => assert_eq!(name, *made_for),
                    Err(error) => {
                        assert!(name != *made_for && error.to_string().contains(made_for), "{error}")
                    }
                }
            }
            let below = authority.server_certificate(&host("a.tenant.example.com"), NOW);
            assert_eq!(below.is_ok(), *made_for == "tenant.example.com");
        }
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

    /// The encoding around the signed part is read leniently and is not covered by the signature. A change there
    /// leaves the requested key the same.
    #[test]
    fn a_changed_request_is_refused_or_names_the_same_key() {
        let good = request(&KeyPair::generate().unwrap());
        let key = RequestedKey::of(&good).unwrap();
        let mut accepted = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            if let Ok(other) = RequestedKey::of(&bad) {
                let bytes = |key: &RequestedKey| rcgen::PublicKeyData::der_bytes(&key.0).to_vec();
                assert_eq!(bytes(&other), bytes(&key), "at {at}");
                accepted += 1;
            }
            assert!(RequestedKey::of(&good[..at]).is_err());
        }
        assert!(accepted <= 4, "{accepted}");
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
        let root = || Authority::create(tenant, &host("tenant.example.com"), NOW).unwrap();
        let (a, b) = (root(), root());
        assert_eq!(Authority::load(tenant, &a.key, &b.certificate).unwrap_err(), AuthorityError::NotAPair);
        assert_eq!(Authority::load(tenant, "no key", &a.certificate).unwrap_err(), AuthorityError::NotAKey);
        assert_eq!(Authority::load(tenant, &a.key, "none").unwrap_err(), AuthorityError::NotACertificate);
    }

    #[test]
    fn the_server_sends_its_root_along() {
        let authority = authority();
        let server = authority.server_certificate(&host("tenant.example.com"), NOW).unwrap();
        assert_eq!(server.cert.len(), 2);
        assert_eq!(server.cert[1], *authority.root());
        assert!(Shown::read(&server.cert[0]).is_none());
        server.keys_match().unwrap();
    }
}
