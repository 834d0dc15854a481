//! A TLS client's verifier of server certificates with a rule of the caller's own. The caller has the rule and nothing
//! else: the signatures of the handshake, which prove that the server has the certificate's key, are verified here.
//! A refusal keeps the certificates that were shown, so that `tls_error` can name them.

use crate::certificate::CertificateFacts;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::sync::Arc;

/// Which certificates a client accepts.
pub trait Rule: std::fmt::Debug + Send + Sync {
    /// Accepts or refuses a server's certificate `leaf`, sent with the certificates `rest` and the OCSP response `ocsp`
    /// (empty: none), by the server that was dialled as `name`.
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error>;
}

/// Limit on the certificates of a chain that a refusal keeps.
const MAX_SHOWN: usize = 4;

/// A refused certificate: the reason, and what was shown. It stands in [`CertificateError::Other`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("the certificate is refused")]
pub struct RefusedCertificate {
    /// The reason.
    pub why: CertificateError,
    /// The server's certificate first, then those that were sent with it: at most four, and none that is unreadable.
    pub shown: Vec<CertificateFacts>,
}

impl RefusedCertificate {
    /// The refused certificate in an error of TLS. None: the error is about something else.
    pub fn of(error: &Error) -> Option<&Self> {
        let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else {
            return None;
        };
        inner.downcast_ref()
    }
}

/// Adds what was shown to a refusal.
fn with_shown(error: Error, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Error {
    let Error::InvalidCertificate(why) = error else { return error };
    let chain = std::iter::once(leaf).chain(rest).take(MAX_SHOWN);
    let shown = chain.filter_map(|certificate| CertificateFacts::of(certificate)).collect();
    let refused = RefusedCertificate { why, shown };
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
}

/// The verifier that accepts what the rule accepts, from a server that has the certificate's key.
pub fn verifier(rule: impl Rule + 'static, provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(ByRule { rule, provider })
}

#[derive(Debug)]
struct ByRule<R> {
    rule: R,
    provider: Arc<CryptoProvider>,
}

impl<R: Rule> ServerCertVerifier for ByRule<R> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.rule.accept(leaf, rest, name, ocsp, now).map_err(|why| with_shown(why, leaf, rest))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verified = rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms);
        verified.map_err(|why| with_shown(why, certificate, &[]))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verified = rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms);
        verified.map_err(|why| with_shown(why, certificate, &[]))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rcgen::KeyPair;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion};

    #[derive(Debug)]
    struct Everything;

    impl Rule for Everything {
        fn accept(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }
    }

    /// Joins a client with the rule and a server that shows a certificate of `shown` and signs with `key`.
    fn handshake(
        version: &'static SupportedProtocolVersion,
        shown: &KeyPair,
        key: &KeyPair,
    ) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certificate = rcgen::CertificateParams::default().self_signed(shown).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let certified = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
        let server =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version])?;
        let server = server.with_no_client_auth().with_cert_resolver(Arc::new(certified));
        let client =
            ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version])?;
        let client = client.dangerous().with_custom_certificate_verifier(verifier(Everything, provider));
        let name = ServerName::try_from("tenant.test").unwrap();
        let mut client = ClientConnection::new(Arc::new(client.with_no_client_auth()), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.is_handshaking() {
            let mut sent = Vec::new();
            client.write_tls(&mut sent).unwrap();
            server.read_tls(&mut sent.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut sent = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut sent).unwrap();
            }
            client.read_tls(&mut sent.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_server_that_shows_a_certificate_without_having_its_key_is_refused_by_any_rule() {
        let (ours, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            handshake(version, &ours, &ours).unwrap();
            let refused = handshake(version, &ours, &theirs).unwrap_err();
            let refused = RefusedCertificate::of(&refused).unwrap();
            assert!(matches!(refused.why, CertificateError::BadSignature));
            assert_eq!(refused.shown.len(), 1);
        }
    }
}
