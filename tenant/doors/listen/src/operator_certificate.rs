//! A server certificate that the administrator provides, read again while the program runs.
//!
//! The addresses for LDAP and the applications' own address use one each. The latter is separate from the address of agents, instead of one address
//! that chooses the certificate by name or protocol: agents trust the tenant's own CA alone and must never receive
//! another certificate; a firewall can tell the two apart; and connections of one kind cannot occupy the places of
//! the other.
//! Neighbours: the program decides when the files are read again; [`super::client_certificate`] has the TLS of the
//! agents.

use crate::client_certificate::without_resumption;
use landbridge_host::FileError;
use landbridge_host::certificate_file::certificates;
use landbridge_host::clock_text::utc;
use landbridge_host::key_file::KeySource;
use landbridge_host::system_error::sentence;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use x509_parser::prelude::FromDer as _;

/// Limit on the bytes of a file with a chain: 16 large certificates.
const MAX_CHAIN_FILE: u64 = 256 * 1024;
/// Limit on the certificates of a chain. Public CAs use two to four.
const MAX_CHAIN: usize = 16;
/// Days before the end from which the log warns, once a day. Automatic renewal happens earlier, so it has failed by
/// then.
const WARN_DAYS: i64 = 14;
const DAY_SECONDS: i64 = 86_400;

/// The certificate that the administrator provides, as last read.
#[derive(Debug)]
pub struct OperatorCertificate {
    /// The section of the configuration that names its files, as errors and the log have it.
    section: &'static str,
    chain: PathBuf,
    key: KeySource,
    present: RwLock<Arc<CertifiedKey>>,
    ends: AtomicI64,
    /// The number of days left in the last warning.
    reported_days: AtomicI64,
}

/// The result of reading the files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reread {
    /// New connections receive another certificate.
    Changed,
    /// The files hold the same certificate.
    Unchanged,
}

impl OperatorCertificate {
    /// Reads certificate and key, which must belong together. `section` is the section of the configuration that names
    /// them.
    pub fn read(section: &'static str, chain: &Path, key: &KeySource) -> Result<Self, FileError> {
        let (present, ends) = load(chain, key)?;
        Ok(Self {
            section,
            chain: chain.to_owned(),
            key: key.clone(),
            present: RwLock::new(Arc::new(present)),
            ends: AtomicI64::new(ends),
            reported_days: AtomicI64::new(i64::MAX),
        })
    }

    /// Reads both files again. After an error the last good certificate stays in use. Open connections are not
    /// affected.
    pub fn reread(&self) -> Result<Reread, FileError> {
        let (found, ends) = load(&self.chain, &self.key)?;
        if found.cert == self.present().cert {
            return Ok(Reread::Unchanged);
        }
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
        self.ends.store(ends, Ordering::Relaxed);
        self.reported_days.store(i64::MAX, Ordering::Relaxed);
        Ok(Reread::Changed)
    }

    /// Reads both files again and logs the result, and a warning if the certificate ends soon. `now` is in seconds
    /// since 1970.
    pub fn reread_and_report(&self, now: i64) {
        let section = self.section;
        match self.reread() {
            Ok(Reread::Changed) => {
                tracing::info!(section, until = utc(self.ends()), "clients receive a new certificate");
            }
            Ok(Reread::Unchanged) => {
                tracing::debug!(section, until = utc(self.ends()), "the certificate is unchanged");
            }
            Err(error) => tracing::error!(
                section,
                %error,
                todo = error.todo().unwrap_or_default(),
                "the certificate cannot be read again: the last good one stays in use"
            ),
        }
        let (until, days) = (utc(self.ends()), self.ends().saturating_sub(now).div_euclid(DAY_SECONDS));
        if days >= WARN_DAYS || self.reported_days.swap(days, Ordering::Relaxed) == days {
            return;
        }
        if days < 0 {
            tracing::error!(
                section,
                until,
                "the certificate has ended, so clients refuse it: provide a new one"
            );
        } else {
            tracing::warn!(section, until, days, "the certificate ends soon: provide a new one");
        }
    }

    /// End of the certificate: seconds since 1970.
    pub fn ends(&self) -> i64 {
        self.ends.load(Ordering::Relaxed)
    }

    fn present(&self) -> Arc<CertifiedKey> {
        self.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for OperatorCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present())
    }
}

/// The TLS settings of an address with such a certificate. Clients are not requested to send a certificate.
pub fn server_config(certificate: Arc<OperatorCertificate>) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    Ok(without_resumption(config))
}

/// Reads the chain and its key, and returns them with the last second of the first certificate.
fn load(path: &Path, source: &KeySource) -> Result<(CertifiedKey, i64), FileError> {
    let unusable = |what: String| {
        let todo =
            "write the certificate of the address there in PEM, followed by the certificates that signed it";
        FileError::new(path, what, todo)
    };
    let mut file = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|open| open.take(MAX_CHAIN_FILE + 1).read_to_end(&mut file));
    read.map_err(|e| unusable(format!("cannot read the certificate: {}", sentence(&e))))?;
    let too_long = || unusable("too long for a certificate and its chain".to_owned());
    if u64::try_from(file.len()).unwrap_or(u64::MAX) > MAX_CHAIN_FILE {
        return Err(too_long());
    }
    let chain = certificates(&file).map_err(|why| unusable(why.to_string()))?;
    if chain.len() > MAX_CHAIN {
        return Err(too_long());
    }
    let first = chain.first().ok_or_else(|| unusable("it holds no certificate".to_owned()))?;
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(first)
        .map_err(|_| unusable("its first certificate cannot be read".to_owned()))?;
    let ends = parsed.validity().not_after.timestamp();

    let not_a_key = "name the private key of the certificate, in PEM and without a password";
    let text = source.read_through_links()?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| source.unusable(&"not a private key in PEM", not_a_key))?;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|_| source.unusable(&"a private key of a kind that TLS does not accept", not_a_key))?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| {
        let what = format!("this key does not belong to the first certificate of {}", path.display());
        source.unusable(&what, "provide a certificate and its key, both of one renewal")
    })?;
    Ok((pair, ends))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::operator_certificate::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::os::unix::fs::PermissionsExt as _;

    struct Files {
        certificate: PathBuf,
        key: KeySource,
    }

    impl Files {
        fn read(&self) -> Result<OperatorCertificate, FileError> {
            OperatorCertificate::read("applications", &self.certificate, &self.key)
        }
    }

    /// A certificate of its own making and its key, in files as certbot leaves them.
    fn bring(folder: &Path, name: &str) -> Files {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = Files {
            certificate: folder.join("fullchain.pem"),
            key: KeySource::File(folder.join("privkey.pem")),
        };
        std::fs::write(&config.certificate, made.pem()).unwrap();
        write_key(folder, &key.serialize_pem());
        config
    }

    fn write_key(folder: &Path, pem: &str) {
        let real = folder.join("privkey1.pem");
        std::fs::write(&real, pem).unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        let _ = std::os::unix::fs::symlink("privkey1.pem", folder.join("privkey.pem"));
    }

    #[test]
    fn a_renewed_pair_takes_the_place_of_the_one_before_and_a_wrong_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let served = bring(folder.path(), "one.example.com").read().unwrap();
        let first = served.present().cert.clone();
        assert_eq!(served.reread().unwrap(), Reread::Unchanged);
        bring(folder.path(), "two.example.com");
        assert_eq!(served.reread().unwrap(), Reread::Changed);
        let second = served.present().cert.clone();
        assert_ne!(first, second);
        // Half a renewal: the certificate is new, the key is not.
        let key = std::fs::read_to_string(folder.path().join("privkey1.pem")).unwrap();
        bring(folder.path(), "three.example.com");
        write_key(folder.path(), &key);
        let error = served.reread().unwrap_err();
        assert!(error.to_string().contains("does not belong"), "{error}");
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
        assert_eq!(served.present().cert, second);
    }

    #[test]
    fn what_is_no_certificate_or_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = bring(folder.path(), "one.example.com");
        let good = std::fs::read(&config.certificate).unwrap();
        for (content, why) in [
            (b"".to_vec(), "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(), "cannot be read"),
            (good.repeat(17), "too long"),
            (vec![b'x'; 300_000], "too long"),
        ] {
            std::fs::write(&config.certificate, content).unwrap();
            let error = config.read().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        std::fs::write(&config.certificate, &good).unwrap();
        write_key(folder.path(), "no key");
        assert!(config.read().unwrap_err().to_string().contains("not a private key"));
        let loose = folder.path().join("privkey1.pem");
        std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(config.read().unwrap_err(), FileError::LooseKey { .. }));
        std::fs::remove_file(&config.certificate).unwrap();
        let error = config.read().unwrap_err();
        assert!(error.to_string().contains("cannot read the certificate"), "{error}");
    }
}
