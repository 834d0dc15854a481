//! OpenLDAP's command-line clients, and a tenant that they can reach.

use crate::applications::{stamp, user};
use crate::harness::Edge;
use base64::Engine as _;
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_door_listen::limits::Limits;
use landbridge_host::key_file::KeySource;
use landbridge_tenant::config::{Connections, Ldap};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_wire::bounded::List;
use landbridge_wire::upload::{Attribute, Password as Sent, Record, Stamp};
use rcgen::{CertificateParams, KeyPair};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A tenant with addresses for LDAP, which the test may change, and the file of the certificate that clients trust.
pub(crate) async fn configured_with(change: impl FnOnce(&mut Ldap)) -> (Edge, PathBuf) {
    let mut file = PathBuf::new();
    // A second for a message, so that tests of slow clients end.
    let limits =
        Limits { head: Duration::from_secs(1), stranger_idle: Duration::from_secs(2), ..Limits::default() };
    let edge = Edge::configured(limits, |config| {
        // The folder of the configuration is there by now.
        let folder = config.data_directory.parent().unwrap().to_owned();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        file = folder.join("ldap.pem");
        std::fs::write(&file, made.pem()).unwrap();
        let key_file = folder.join("ldap.key");
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut ldap = Ldap {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            start_tls: Some("127.0.0.1:0".parse().unwrap()),
            certificate: file.clone(),
            key: KeySource::File(key_file),
            balancers: None,
            entries: 1000,
            idle: Duration::from_secs(60),
            connections: Connections::default(),
        };
        change(&mut ldap);
        config.ldap = Some(ldap);
    })
    .await;
    (edge, file)
}

/// Who asks, and where.
pub(crate) struct Client {
    pub(crate) ldaps: SocketAddr,
    pub(crate) start_tls: SocketAddr,
    pub(crate) certificate: PathBuf,
    name: String,
    password: String,
    secrets: tempfile::TempDir,
}

/// What a client printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) errors: String,
}

impl Printed {
    /// The names of the entries, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let decoded = |text: &str| {
            let octets = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            String::from_utf8(octets).unwrap()
        };
        let name = |line: &str| match line.strip_prefix("dn:: ") {
            Some(text) => Some(decoded(text)),
            None => line.strip_prefix("dn: ").map(str::to_owned),
        };
        self.text.lines().filter_map(name).collect()
    }

    /// The values of an attribute, in all entries.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}: ");
        self.text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
    }
}

impl Client {
    pub(crate) fn new(edge: &Edge, certificate: PathBuf, name: &str, password: &str) -> Self {
        let (ldaps, start_tls) = edge.ldap;
        Self {
            ldaps: ldaps.unwrap(),
            start_tls: start_tls.unwrap(),
            certificate,
            name: name.to_owned(),
            password: password.to_owned(),
            secrets: tempfile::tempdir().unwrap(),
        }
    }

    /// Name and password.
    pub(crate) fn account(&self) -> (&str, &str) {
        (&self.name, &self.password)
    }

    /// The same place for somebody else.
    pub(crate) fn as_other(&self, name: &str, password: &str) -> Self {
        Self {
            ldaps: self.ldaps,
            start_tls: self.start_tls,
            certificate: self.certificate.clone(),
            name: name.to_owned(),
            password: password.to_owned(),
            secrets: tempfile::tempdir().unwrap(),
        }
    }

    /// Searches the whole tree below a base; the arguments are the filter and the attributes.
    pub(crate) async fn search(&self, base: &str, arguments: &[&str]) -> Printed {
        let fixed = ["-LLL", "-o", "ldif-wrap=no", "-b", base];
        self.run("ldapsearch", &[&fixed[..], arguments].concat()).await
    }

    /// The name that the server has for whoever binds so; the error is what the client printed.
    pub(crate) async fn who_am_i(&self, name: &str, password: &str) -> Result<String, Printed> {
        let printed = self.as_other(name, password).run("ldapwhoami", &[]).await;
        if printed.code == 0 { Ok(printed.text.trim().to_owned()) } else { Err(printed) }
    }

    /// Runs a client over LDAPS. The password is in a file, not on the command line.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> Printed {
        let url = format!("ldaps://{}", self.ldaps);
        self.run_at(&url, program, arguments).await
    }

    pub(crate) async fn run_at(&self, url: &str, program: &str, arguments: &[&str]) -> Printed {
        let file = self.secrets.path().join("password");
        std::fs::write(&file, &self.password).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(program);
        command.args(["-x", "-H", url, "-D", &self.name, "-y"]).arg(&file).args(arguments);
        command.env("LDAPTLS_CACERT", &self.certificate).stdin(Stdio::null());
        let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        Printed {
            code: done.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&done.stdout).into_owned(),
            errors: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }
}

/// The account with this number after its password was changed, as phs sends it.
pub(crate) fn with_new_password(number: u128, name: &str, password: &str) -> Record {
    let stamp = Stamp { version: 2, ..stamp() };
    let changed = user(number, name, 0x200, filetime(unix_now() - 60).unwrap());
    let attributes =
        changed.attributes.as_slice().iter().cloned().map(|one| Attribute { stamp, ..one }).collect();
    let hash = NtHash::of_password(&Password::new(password.to_owned()));
    let digest = SaltedDigest::derive(hash, Profile::Entra);
    Record { attributes: List::new(attributes).unwrap(), password: Some(Sent { stamp, digest }), ..changed }
}
