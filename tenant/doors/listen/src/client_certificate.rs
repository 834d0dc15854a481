//! Verifies a client certificate against the tenant's own CA. A certificate that ended at most 30 days ago is
//! accepted, because its agent must be able to renew it. Neighbours: the agents' door checks the end again at every
//! request, and allows only the renewal.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use std::sync::Arc;
use std::time::Duration;

/// Time after its end during which a certificate can be renewed: long enough for an agent that was off for weeks.
pub const RENEWABLE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The TLS settings of the address for agents, which applications may use too. TLS 1.2 is for applications: the agents'
/// door refuses it. Sessions cannot be resumed, because a resumed session could outlive a revocation.
pub fn server_config(
    root: CertificateDer<'static>,
    certificate: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = OwnCaOrRecentlyEnded::new(root, provider.clone())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(certificate);
    Ok(without_resumption(config))
}

/// Turns off session resumption, and offers HTTP/1.1 alone.
pub(crate) fn without_resumption(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Accepts a client without a certificate, and one with a certificate of the own CA that ended at most 30 days ago.
#[derive(Debug)]
struct OwnCaOrRecentlyEnded {
    own_ca: Arc<dyn ClientCertVerifier>,
}

impl OwnCaOrRecentlyEnded {
    fn new(root: CertificateDer<'static>, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(root)?;
        let ours = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        Ok(Self { own_ca: ours })
    }
}

impl ClientCertVerifier for OwnCaOrRecentlyEnded {
    fn client_auth_mandatory(&self) -> bool {
        self.own_ca.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.own_ca.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.own_ca.verify_client_cert(end_entity, intermediates, now);
        let Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) = &verified
        else {
            return verified;
        };
        if now.as_secs().saturating_sub(not_after.as_secs()) > RENEWABLE.as_secs() {
            return verified;
        }
        // Everything else is verified as of its last second.
        self.own_ca.verify_client_cert(end_entity, intermediates, *not_after)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own_ca.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own_ca.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own_ca.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::client_certificate::*;
    use landbridge_tenant_core::agents::authority::{AGENT_LIFE, Authority, BACKDATED, RequestedKey};
    use landbridge_tenant_core::agents::certificate_names::AgentName;
    use landbridge_wire::enroll::Role;
    use uuid::Uuid;

    const NOW: i64 = 1_800_000_000;

    fn authority() -> Authority {
        let root =
            Authority::create(Uuid::from_u128(7), &url::Host::Domain("tenant.example.com".to_owned()), NOW)
                .unwrap();
        Authority::load(Uuid::from_u128(7), &root.key, &root.certificate).unwrap()
    }

    fn certificate(by: &Authority) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let name = AgentName {
            tenant: by.tenant(),
            role: Role::Phs,
            domain: "corp.example.com".to_owned(),
            domain_sid: "S-1-5-21-1-2-3".to_owned(),
            agent: Uuid::from_u128(9),
            envelope: None,
        };
        let key = RequestedKey::of(request.der()).unwrap();
        by.agent_certificate(&key, &name, NOW).unwrap().certificate.into()
    }

    fn verify(
        by: &Authority,
        certificate: &CertificateDer<'_>,
        at: i64,
    ) -> Result<ClientCertVerified, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap()));
        OwnCaOrRecentlyEnded::new(by.root().clone(), provider).unwrap().verify_client_cert(
            certificate,
            &[],
            at,
        )
    }

    #[test]
    fn a_certificate_is_accepted_until_thirty_days_after_its_end() {
        let (ours, day) = (authority(), 86_400);
        let certificate = certificate(&ours);
        let end = NOW - BACKDATED + AGENT_LIFE;
        for accepted in [NOW, end - 1, end + day, end + 30 * day] {
            verify(&ours, &certificate, accepted).unwrap();
        }
        for refused in [NOW - day, end + 30 * day + 1, end + 400 * day] {
            assert!(verify(&ours, &certificate, refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_certificate_of_another_ca_is_refused_ended_or_not() {
        let (ours, theirs) = (authority(), authority());
        let certificate = certificate(&theirs);
        for at in [NOW, NOW + 2 * 86_400] {
            assert!(verify(&ours, &certificate, at).is_err());
        }
    }

    #[test]
    fn the_servers_own_certificate_proves_no_client() {
        let ours = authority();
        let host = url::Host::Domain("tenant.example.com".to_owned());
        let server = ours.server_certificate(&host, NOW).unwrap();
        assert!(verify(&ours, &server.cert[0], NOW).is_err());
    }
}
