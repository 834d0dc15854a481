//! Who this agent is: names, certificate, roots and key, kept in `identity/` under the state directory.
//!
//! `identity.json` names the key file that belongs to its certificate. It is replaced by one rename, and a
//! key stays until no `identity.json` names it, so whatever is interrupted leaves a usable identity or none.
//! Neighbours: `enroll` makes one, `renew` the next one, `tls` shows it to the tenant.

use crate::error::AgentError;
use crate::key::{self, FileError};
use landbridge_wire::bounded::{Blob, List};
use landbridge_wire::enroll::{Role, key_fingerprint};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Where the identity lies under the state directory.
pub const FOLDER: &str = "identity";
const DRAFT: &str = "identity.new";
const FILE: &str = "identity.json";
const MAX_FILE: usize = 128 * 1024;
const MAX_KEY: usize = 8192;

/// An agent's identity. `Debug` shows no key.
pub struct Identity {
    /// The agent's id.
    pub agent: Uuid,
    /// The tenant's id.
    pub tenant: Uuid,
    /// What the agent is for.
    pub role: Role,
    /// DNS name of its domain.
    pub domain: String,
    /// SID of its domain, as text.
    pub domain_sid: String,
    /// The tenant's address: `https://host:port`.
    pub url: String,
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    /// The tenant's root certificates: the present one, and the next when there is one.
    pub roots: Vec<CertificateDer<'static>>,
    /// When the certificate begins: seconds since 1970.
    pub not_before: i64,
    /// When the certificate ends: seconds since 1970.
    pub not_after: i64,
    /// The certificate's serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// The fingerprint of the certificate's key, as the tenant shows it too.
    pub key_fingerprint: String,
    key: Zeroizing<Vec<u8>>,
    second: Option<Zeroizing<Vec<u8>>>,
}

/// A key beside the one for TLS, whatever it is for: its public half stands in the certificate too. A pta-agent has
/// one, and this crate does not know what it opens.
pub struct SecondKey {
    /// The public half.
    pub public: [u8; 32],
    /// The private half, as it is to be kept.
    pub secret: Zeroizing<Vec<u8>>,
}

/// Makes a new second key.
pub type MakeSecondKey = fn() -> SecondKey;

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("agent", &self.agent)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// What is in `identity.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    agent: Uuid,
    tenant: Uuid,
    role: Role,
    domain: String,
    domain_sid: String,
    url: String,
    certificate: Blob<8192>,
    roots: List<Blob<8192>, 4>,
    key_file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_key_file: Option<String>,
}

impl Identity {
    /// Reads the identity under a state directory.
    pub fn load(state_directory: &Path) -> Result<Self, AgentError> {
        let folder = state_directory.join(FOLDER);
        let path = folder.join(FILE);
        if !path.try_exists().map_err(FileError::io(&path, "look at"))? {
            return Err(AgentError::NotEnrolled(folder));
        }
        key::check_private_directory(&folder)?;
        let json = key::read_secret(&path, MAX_FILE)?;
        let damaged = |why: String| AgentError::DamagedIdentity { path: path.clone(), why };
        let stored: Stored = serde_json::from_slice(&json)
            .map_err(|e| damaged(format!("line {}, column {}", e.line(), e.column())))?;
        if stored.version != 1 {
            return Err(damaged(format!("version {} is of a newer program", stored.version)));
        }
        let names = [Some(&stored.key_file), stored.second_key_file.as_ref()];
        if names.into_iter().flatten().any(|name| name.contains('/')) {
            return Err(damaged("key_file is not a plain name".to_owned()));
        }
        let key = key::read_secret(&folder.join(&stored.key_file), MAX_KEY)?;
        let second = stored.second_key_file.as_ref();
        let second = second.map(|name| key::read_secret(&folder.join(name), MAX_KEY)).transpose()?;
        let roots = stored.roots.as_slice().iter().map(|r| CertificateDer::from(r.as_bytes().to_vec()));
        let names = Names {
            agent: stored.agent,
            tenant: stored.tenant,
            role: stored.role,
            domain: stored.domain,
            domain_sid: stored.domain_sid,
            url: stored.url,
        };
        Self::new(names, stored.certificate.as_bytes().to_vec().into(), roots.collect(), (key, second))
            .ok_or_else(|| damaged("the certificate cannot be read".to_owned()))
    }

    /// Puts an identity together; none if the certificate cannot be read.
    pub(crate) fn new(
        names: Names,
        certificate: CertificateDer<'static>,
        roots: Vec<CertificateDer<'static>>,
        (key, second): (Zeroizing<Vec<u8>>, Option<Zeroizing<Vec<u8>>>),
    ) -> Option<Self> {
        let (not_before, not_after, serial, key_fingerprint) = {
            let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
            let serial = parsed.tbs_certificate.raw_serial();
            let zeros = serial.iter().take_while(|byte| **byte == 0).count();
            let serial = serial.get(zeros..).unwrap_or_default().to_vec();
            let key = key_fingerprint(parsed.tbs_certificate.subject_pki.raw);
            (parsed.validity.not_before.timestamp(), parsed.validity.not_after.timestamp(), serial, key)
        };
        let Names { agent, tenant, role, domain, domain_sid, url } = names;
        Some(Self {
            agent,
            tenant,
            role,
            domain,
            domain_sid,
            url,
            certificate,
            roots,
            not_before,
            not_after,
            serial,
            key_fingerprint,
            key,
            second,
        })
    }

    /// The names alone, for the next certificate.
    pub(crate) fn names(&self) -> Names {
        Names {
            agent: self.agent,
            tenant: self.tenant,
            role: self.role,
            domain: self.domain.clone(),
            domain_sid: self.domain_sid.clone(),
            url: self.url.clone(),
        }
    }

    /// Lends the private key, PKCS #8 in DER.
    pub(crate) fn lend_key<R>(&self, to: impl FnOnce(&[u8]) -> R) -> R {
        to(&self.key)
    }

    /// Lends the second private key, as its maker made it; none: this agent has none.
    pub fn lend_second_key<R>(&self, to: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.second.as_ref().map(|key| to(key))
    }
}

/// An identity without certificate and key.
pub(crate) struct Names {
    pub(crate) agent: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) role: Role,
    pub(crate) domain: String,
    pub(crate) domain_sid: String,
    pub(crate) url: String,
}

/// A new key that waits on disk for its certificate. Dropped before that, it leaves nothing.
pub(crate) struct Draft {
    folder: PathBuf,
    key_file: String,
    key: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
    csr: Blob<8192>,
    second: Option<SecondKey>,
}

impl Draft {
    /// Makes the keys and writes them, so that a full or read-only disk is known before a token is spent.
    pub(crate) fn new(state_directory: &Path, second: Option<MakeSecondKey>) -> Result<Self, AgentError> {
        use rcgen::PublicKeyData as _;
        let made = |e: rcgen::Error| AgentError::Key(e.to_string());
        key::private_directory(state_directory)?;
        let folder = state_directory.join(DRAFT);
        remove_folder(&folder)?;
        key::private_directory(&folder)?;
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(made)?;
        let mut wanted = rcgen::CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        let csr = wanted.serialize_request(&pair).map_err(made)?;
        let csr = Blob::new(csr.der().to_vec()).map_err(|e| AgentError::Key(e.to_string()))?;
        let public = pair.subject_public_key_info();
        let mut name = String::new();
        for byte in crate::pin::pin_of(&public).iter().take(8) {
            use std::fmt::Write as _;
            let _ = write!(name, "{byte:02x}");
        }
        let draft = Self {
            folder,
            key_file: format!("{name}.key"),
            key: Zeroizing::new(pair.serialize_der()),
            public,
            csr,
            second: second.map(|make| make()),
        };
        key::write_secret(&draft.folder.join(&draft.key_file), &draft.key)?;
        if let Some(second) = &draft.second {
            key::write_secret(&draft.folder.join(draft.second_key_file()), &second.secret)?;
        }
        Ok(draft)
    }

    fn second_key_file(&self) -> String {
        format!("second-{}", self.key_file)
    }

    /// The public half of the second key, for the request.
    pub(crate) fn second(&self) -> Option<Blob<32>> {
        self.second.as_ref().and_then(|second| Blob::new(second.public).ok())
    }

    /// The request for its certificate.
    pub(crate) fn csr(&self) -> Blob<8192> {
        self.csr.clone()
    }

    /// Whether a certificate is for this key.
    pub(crate) fn is_key_of(&self, certificate: &[u8]) -> bool {
        x509_parser::parse_x509_certificate(certificate)
            .is_ok_and(|(_, parsed)| parsed.public_key().raw == self.public.as_slice())
    }

    /// Makes it the identity, in one step.
    pub(crate) fn install(
        self,
        names: Names,
        certificate: CertificateDer<'static>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Identity, AgentError> {
        let state_directory = self.folder.parent().unwrap_or(Path::new("."));
        let folder = state_directory.join(FOLDER);
        let blobs = roots.iter().map(|r| Blob::new(r.to_vec())).collect::<Result<Vec<_>, _>>();
        let stored = Stored {
            version: 1,
            agent: names.agent,
            tenant: names.tenant,
            role: names.role,
            domain: names.domain.clone(),
            domain_sid: names.domain_sid.clone(),
            url: names.url.clone(),
            certificate: Blob::new(certificate.to_vec())
                .map_err(|_| AgentError::Unfit("its certificate is too long"))?,
            roots: blobs
                .and_then(List::new)
                .map_err(|_| AgentError::Unfit("its root certificates are too long or too many"))?,
            key_file: self.key_file.clone(),
            second_key_file: self.second.as_ref().map(|_| self.second_key_file()),
        };
        let json = serde_json::to_vec_pretty(&stored).map_err(|e| AgentError::Key(e.to_string()))?;
        let second = self.second.as_ref().map(|second| second.secret.clone());
        let identity = Identity::new(names, certificate, roots, (self.key.clone(), second))
            .ok_or(AgentError::Unfit("its certificate cannot be read"))?;
        key::write_secret(&self.folder.join(FILE), &json)?;
        key::sync_directory(&self.folder)?;
        if folder.try_exists().map_err(FileError::io(&folder, "look at"))? {
            key::check_private_directory(&folder)?;
            let keys = [Some(self.key_file.as_str()), stored.second_key_file.as_deref()];
            for name in keys.into_iter().flatten().chain([FILE]) {
                let to = folder.join(name);
                std::fs::rename(self.folder.join(name), &to).map_err(FileError::io(&to, "replace"))?;
                key::sync_directory(&folder)?;
            }
            remove_other_keys(&folder, &keys);
        } else {
            std::fs::rename(&self.folder, &folder).map_err(FileError::io(&folder, "create"))?;
        }
        key::sync_directory(state_directory)?;
        Ok(identity)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(why) = remove_folder(&self.folder) {
            tracing::warn!(%why, "a draft of an identity is left behind");
        }
    }
}

fn remove_folder(folder: &Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(FileError::io(folder, "remove")(why)),
    }
}

/// Keys that no `identity.json` names any more. A failure costs an old key that stays; it is tried again
/// at the next renewal.
fn remove_other_keys(folder: &Path, keep: &[Option<&str>]) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let kept = keep.iter().any(|keep| keep.is_some_and(|keep| name == keep));
        if !kept && Path::new(&name).extension().is_some_and(|e| e == "key") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    pub(crate) fn private() -> tempfile::TempDir {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        tempfile::Builder::new().permissions(mode).tempdir().unwrap()
    }

    pub(crate) fn names() -> Names {
        Names {
            agent: Uuid::from_u128(1),
            tenant: Uuid::from_u128(2),
            role: Role::Phs,
            domain: "corp.example.com".to_owned(),
            domain_sid: "S-1-5-21-1-2-3".to_owned(),
            url: "https://tenant.test:8443".to_owned(),
        }
    }

    fn sign(draft: &Draft) -> (CertificateDer<'static>, CertificateDer<'static>) {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let csr = rcgen::CertificateSigningRequestParams::from_der(&draft.csr().as_bytes().to_vec().into())
            .unwrap();
        (csr.signed_by(&ca).unwrap().der().clone(), ca.der().clone())
    }

    pub(crate) fn enrolled(directory: &Path) -> Identity {
        let draft = Draft::new(directory, None).unwrap();
        let (certificate, root) = sign(&draft);
        assert!(draft.is_key_of(&certificate));
        draft.install(names(), certificate, vec![root]).unwrap()
    }

    fn files(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn what_was_installed_is_loaded_and_can_be_shown_to_the_tenant() {
        let directory = private();
        assert!(matches!(Identity::load(directory.path()), Err(AgentError::NotEnrolled(_))));
        enrolled(directory.path());
        let identity = Identity::load(directory.path()).unwrap();
        assert_eq!(identity.agent, Uuid::from_u128(1));
        assert!(identity.not_before < identity.not_after);
        crate::tls::enrolled(&identity).unwrap();
        assert_eq!(files(directory.path()), 1);
    }

    #[test]
    fn a_second_key_is_kept_with_the_first_and_replaced_with_it() {
        fn make() -> SecondKey {
            let made = rcgen::KeyPair::generate().unwrap().serialize_der();
            SecondKey { public: [7; 32], secret: Zeroizing::new(made) }
        }
        let directory = private();
        let install = || {
            let draft = Draft::new(directory.path(), Some(make)).unwrap();
            let (certificate, root) = sign(&draft);
            assert_eq!(draft.second().unwrap().as_bytes(), [7; 32]);
            draft.install(names(), certificate, vec![root]).unwrap()
        };
        let old = install();
        let new = install();
        let loaded = Identity::load(directory.path()).unwrap();
        let same = |a: &Identity, b: &Identity| {
            a.lend_second_key(|a| b.lend_second_key(|b| a == b)).flatten().unwrap()
        };
        assert!(same(&loaded, &new) && !same(&loaded, &old));
        assert_eq!(files(&directory.path().join(FOLDER)), 3, "identity.json and two keys");
        assert!(enrolled(directory.path()).lend_second_key(|_| ()).is_none());
        assert_eq!(files(&directory.path().join(FOLDER)), 2, "a phs's identity has one");
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let directory = private();
        drop(Draft::new(directory.path(), None).unwrap());
        assert_eq!(files(directory.path()), 0);
    }

    #[test]
    fn the_next_identity_replaces_the_old_one_with_a_new_key() {
        let directory = private();
        let old = enrolled(directory.path());
        let new = enrolled(directory.path());
        assert!(old.lend_key(|o| new.lend_key(|n| o != n)));
        crate::tls::enrolled(&Identity::load(directory.path()).unwrap()).unwrap();
        assert_eq!(files(&directory.path().join(FOLDER)), 2, "identity.json and one key");
    }

    #[test]
    fn a_crash_between_the_new_key_and_its_certificate_keeps_the_old_identity() {
        let directory = private();
        let old = enrolled(directory.path());
        let draft = Draft::new(directory.path(), None).unwrap();
        let moved = directory.path().join(FOLDER).join(&draft.key_file);
        std::fs::rename(draft.folder.join(&draft.key_file), moved).unwrap();
        std::mem::forget(draft);
        let identity = Identity::load(directory.path()).unwrap();
        assert!(old.lend_key(|o| identity.lend_key(|n| o == n)));
        crate::tls::enrolled(&identity).unwrap();
        enrolled(directory.path());
        assert_eq!(files(&directory.path().join(FOLDER)), 2, "the lost key is cleared away by the next one");
    }

    #[test]
    fn a_damaged_identity_is_named_and_repeats_nothing_of_it() {
        let directory = private();
        enrolled(directory.path());
        let path = directory.path().join(FOLDER).join(FILE);
        std::fs::write(&path, b"{\"version\": 1,\n \"agent\": \"hunter2\"}").unwrap();
        let text = Identity::load(directory.path()).unwrap_err().to_string();
        assert!(
            text.contains("identity.json") && text.contains("line 2") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
