//! Which domain controllers are trusted: those whose certificate was issued by the domain's CA and names them, or is
//! pinned. No setting makes the agent trust any other.

use super::config::DirectoryConfig;
use aws_lc_rs::digest::{SHA256, digest};
use landbridge_host::certificate::CertificateFacts;
use landbridge_host::certificate_file::certificates;
use landbridge_host::server_certificate::{self, Rule};
use landbridge_host::system_error;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Limit on the bytes of `ca_file`: several hundred certificates.
const MAX_CA_FILE: u64 = 1024 * 1024;

/// Why TLS with domain controllers cannot be set up. The operator must correct `[directory]`.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Neither a CA nor a pin is configured.
    #[error(
        "name the domain's CA with `ca_file`, or a domain controller's own certificate in `pins`: nothing else is trusted"
    )]
    Nobody,
    /// The CA file cannot be used.
    #[error("{}: not usable as certificates of the domain's CAs: {why}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up: a defect.
    #[error("TLS cannot be set up: {0}")]
    Tls(&'static str),
}

/// The TLS client configuration, which trusts the configured CA and pins alone.
pub(super) fn client(config: &DirectoryConfig) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let by_ca = match &config.ca_file {
        Some(path) => {
            let roots = roots(path).map_err(|why| TrustError::CaFile { path: path.clone(), why })?;
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(verifier.map_err(|_| TrustError::Tls("no verifier of ca_file"))?)
        }
        None if config.pins.is_empty() => return Err(TrustError::Nobody),
        None => None,
    };
    let rule = TrustedControllers { by_ca, pins: config.pins.clone() };
    let verifier = server_certificate::verifier(rule, provider.clone());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TrustError::Tls("neither TLS 1.2 nor TLS 1.3"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(client))
}

/// The CAs of a file, in any form in which they are exported.
fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut file = Vec::new();
    let open = std::fs::File::open(path).and_then(|open| open.take(MAX_CA_FILE + 1).read_to_end(&mut file));
    open.map_err(|why| system_error::sentence(&why))?;
    if u64::try_from(file.len()).unwrap_or(u64::MAX) > MAX_CA_FILE {
        return Err(format!("it is longer than {MAX_CA_FILE} bytes"));
    }
    let mut roots = RootCertStore::empty();
    for root in certificates(&file).map_err(|why| why.to_string())? {
        let facts = CertificateFacts::of(&root);
        roots.add(root).map_err(|_| {
            let what = facts.map_or_else(|| "a certificate".to_owned(), |facts| facts.to_string());
            format!("{what} cannot be used as a CA's: export it again")
        })?;
    }
    Ok(roots)
}

#[derive(Debug)]
struct TrustedControllers {
    by_ca: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<[u8; 32]>,
}

impl Rule for TrustedControllers {
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = digest(&SHA256, leaf);
        if self.pins.iter().any(|pin| pin == shown.as_ref()) {
            // This certificate is pinned, so its name and issuer do not matter. Its validity period does.
            return is_within_validity(leaf, now).map(|()| ServerCertVerified::assertion());
        }
        match &self.by_ca {
            Some(verifier) => verifier.verify_server_cert(leaf, rest, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }
}

fn is_within_validity(leaf: &[u8], now: UnixTime) -> Result<(), Error> {
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
