//! Which domain controllers are believed: those whose certificate comes from the domain's CA and names them, or is
//! one that was pinned. There is no way to believe any other.

use super::config::DirectoryConfig;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;

/// The operator must mend `[directory]`.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Neither a CA nor a pin.
    #[error(
        "name the domain's CA with `ca_file`, or a domain controller's own certificate in `pins`: nothing else is believed"
    )]
    Nobody,
    /// The CA file cannot be used.
    #[error("{}: not usable as CA certificates in PEM: {why}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up: a defect.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// TLS as a client that believes nobody else.
pub(super) fn client(config: &DirectoryConfig) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let by_ca = match &config.ca_file {
        Some(path) => {
            let wrong = |why: String| TrustError::CaFile { path: path.clone(), why };
            let mut roots = RootCertStore::empty();
            for root in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
                let root = root.map_err(|e| wrong(e.to_string()))?;
                roots.add(root).map_err(|e| wrong(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(verifier.map_err(|e| TrustError::Tls(e.to_string()))?)
        }
        None if config.pins.is_empty() => return Err(TrustError::Nobody),
        None => None,
    };
    let verifier = Believed { by_ca, pins: config.pins.clone(), provider: provider.clone() };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TrustError::Tls(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(client))
}

#[derive(Debug)]
struct Believed {
    by_ca: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = digest(&SHA256, leaf);
        if self.pins.iter().any(|pin| pin == shown.as_ref()) {
            // This very certificate was named, so its name and issuer say nothing more; its life still ends.
            return lives(leaf, now).map(|()| ServerCertVerified::assertion());
        }
        match &self.by_ca {
            Some(verifier) => verifier.verify_server_cert(leaf, rest, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn lives(leaf: &[u8], now: UnixTime) -> Result<(), Error> {
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < leaf.validity().not_before.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now > leaf.validity().not_after.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}
