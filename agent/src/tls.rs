//! TLS with the tenant: trusts the tenant's own CA and nothing else.
//!
//! Before enrolment the CA is known by the SHA-256 of its certificate, which the one-time token carries;
//! afterwards by the certificate itself. No store of the operating system is ever asked.
//! Neighbours: `http` connects with these; `identity` holds the roots and the client certificate.

use crate::error::{AgentError, Foreign};
use crate::identity::Identity;
use crate::pin::{Pin, pin_of};
use landbridge_host::server_certificate::{self, RefusedCertificate, Rule};
use landbridge_host::system_error;
use landbridge_host::tls_error::{self, Server};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier as _};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::sync::Arc;

/// The one provider of this workspace.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// For enrolment: trusts only a CA certificate with this pin, which the server must show in its chain.
pub fn pinned(pin: Pin) -> Result<Arc<ClientConfig>, AgentError> {
    Ok(Arc::new(builder(Trust::Pinned(pin))?.with_no_client_auth()))
}

/// For everything after: trusts the tenant's roots and shows the agent's certificate.
pub fn enrolled(identity: &Identity) -> Result<Arc<ClientConfig>, AgentError> {
    let mut roots = RootCertStore::empty();
    for root in &identity.roots {
        roots.add(root.clone()).map_err(|_| AgentError::Unfit("its root certificate cannot be read"))?;
    }
    let key = identity.lend_key(|der| PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.to_vec())));
    let config = builder(Trust::Roots(Arc::new(roots)))?
        .with_client_auth_cert(vec![identity.certificate.clone()], key)
        .map_err(|_| AgentError::Key("its certificate and key cannot be used for TLS".to_owned()))?;
    Ok(Arc::new(config))
}

fn builder(
    trust: Trust,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, AgentError> {
    let provider = provider();
    let rule = TenantRule { trust, provider: provider.clone() };
    let verifier = server_certificate::verifier(rule, provider.clone());
    // TLS 1.3 alone: the proof of a process is bound to its keying material.
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| AgentError::Key("TLS 1.3 cannot be set up".to_owned()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

#[derive(Debug)]
enum Trust {
    Pinned(Pin),
    Roots(Arc<RootCertStore>),
}

/// webpki with the tenant's CA as its only root.
#[derive(Debug)]
struct TenantRule {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl TenantRule {
    fn roots(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
    ) -> Result<Arc<RootCertStore>, Error> {
        match &self.trust {
            Trust::Roots(roots) => Ok(roots.clone()),
            Trust::Pinned(pin) => {
                let shown = std::iter::once(leaf).chain(rest).find(|c| pin_of(c) == *pin);
                let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
                let mut roots = RootCertStore::empty();
                roots.add(shown.ok_or(unknown)?.clone().into_owned())?;
                Ok(Arc::new(roots))
            }
        }
    }
}

impl Rule for TenantRule {
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.roots(leaf, rest)?;
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone())
            .build()
            .map_err(|_| Error::General("no verifier of the tenant's roots".to_owned()))?;
        webpki.verify_server_cert(leaf, rest, name, ocsp, now)
    }
}

/// What a failed handshake means.
pub(crate) fn explain(host: &str, error: &std::io::Error) -> AgentError {
    explain_or(host, error, || tls_error::of_connection(error, Server::Tenant).to_string())
}

/// What the error of an established session means.
pub(crate) fn explain_session(host: &str, error: &std::io::Error) -> AgentError {
    explain_or(host, error, || system_error::words(error))
}

/// What an error of TLS means; one of the connection under it has the words of `otherwise`.
fn explain_or(host: &str, error: &std::io::Error, otherwise: impl FnOnce() -> String) -> AgentError {
    let host = host.to_owned();
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return AgentError::Unreachable { host, why: otherwise() };
    };
    let why = tls_error::explain(tls, Server::Tenant).to_string();
    match RefusedCertificate::of(tls) {
        Some(RefusedCertificate { why: CertificateError::UnknownIssuer, shown }) => {
            let unreadable = || "(unreadable)".to_owned();
            let leaf = shown.first();
            let foreign = Foreign {
                subject: leaf.map_or_else(unreadable, |leaf| leaf.subject.clone()),
                issuer: leaf.map_or_else(unreadable, |leaf| leaf.issuer.clone()),
            };
            AgentError::ForeignCertificate { host, foreign }
        }
        Some(_) => AgentError::BadCertificate { host, why },
        None => AgentError::Tls { host, why },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(host: &str, by: &CertifiedIssuer<'static, KeyPair>) -> CertificateDer<'static> {
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
    }

    fn verify(trust: Trust, chain: &[CertificateDer<'static>], host: &str) -> Result<(), Error> {
        let rule = TenantRule { trust, provider: provider() };
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let verifier = server_certificate::verifier(rule, provider());
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).map(|_| ())
    }

    #[test]
    fn the_pinned_root_must_be_shown_and_must_have_issued_the_leaf() {
        let (ours, theirs) = (authority("our root"), authority("Inspector 3000"));
        let root = |a: &CertifiedIssuer<'static, KeyPair>| a.der().clone();
        let pin = || Trust::Pinned(pin_of(ours.der()));
        let ours_chain = [leaf("tenant.test", &ours), root(&ours)];
        verify(pin(), &ours_chain, "tenant.test").unwrap();
        assert!(verify(pin(), &ours_chain, "other.test").is_err());
        assert!(verify(pin(), &ours_chain[..1], "tenant.test").is_err());
        // A stranger who appends our root, which anyone may know.
        assert!(verify(pin(), &[leaf("tenant.test", &theirs), root(&ours)], "tenant.test").is_err());
        assert!(verify(pin(), &[leaf("tenant.test", &theirs), root(&theirs)], "tenant.test").is_err());
    }

    #[test]
    fn a_refusal_names_the_issuer_of_what_was_shown() {
        let (ours, theirs) = (authority("our root"), authority("Inspector 3000"));
        let mut roots = RootCertStore::empty();
        roots.add(ours.der().clone()).unwrap();
        let chain = [leaf("tenant.test", &theirs)];
        for trust in [Trust::Pinned(pin_of(ours.der())), Trust::Roots(Arc::new(roots))] {
            let error = std::io::Error::other(verify(trust, &chain, "tenant.test").unwrap_err());
            let text = explain("tenant.test:8443", &error).to_string();
            assert!(text.contains("Inspector 3000") && text.contains("tenant.test:8443"), "{text}");
        }
    }

    #[test]
    fn a_certificate_of_the_tenants_own_ca_for_another_name_is_described_and_no_library_speaks() {
        let ours = authority("our root");
        let mut roots = RootCertStore::empty();
        roots.add(ours.der().clone()).unwrap();
        let refused = verify(Trust::Roots(Arc::new(roots)), &[leaf("tenant.test", &ours)], "other.test");
        let error = explain("other.test:8443", &std::io::Error::other(refused.unwrap_err()));
        assert!(matches!(error, AgentError::BadCertificate { .. }), "{error}");
        let text = error.to_string();
        for part in ["other.test:8443", "for tenant.test", "is not for other.test", "our root", "To do: "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("NotValidForName"), "{text}");
    }
}
