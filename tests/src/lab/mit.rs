//! A realm of MIT's KDC with its service for passwords, at an address and in a folder of its own: the second KDC that
//! the Kerberos client is tested with, and the only one with the types of RFC 8009.

use super::address::Address;
use super::error::{Doing as _, LabError};
use super::program::{Finished, Running, wait_until};
use super::recipe::PYTHON;
use super::script::Script;
use super::{view, watchdog};
use serde_json::Value;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The domain, whose realm is the same in capitals.
pub const MIT_DOMAIN: &str = "mit.example.com";
/// KDC, and the service for passwords.
const PORTS: [u16; 2] = [88, 464];

/// The KDC and the service for passwords. Stopped and removed when dropped.
#[derive(Debug)]
pub struct MitRealm {
    _kdc: Running,
    _passwords: Running,
    address: Address,
    folder: TempDir,
}

impl MitRealm {
    /// Makes an empty realm, starts both servers and waits until they serve.
    pub fn start() -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-mit-")?;
        let address = Address::claim()?;
        let (path, ip) = (folder.path(), address.ip());
        fs::write(path.join("kdc.conf"), kdc_conf(path, ip)).doing("write kdc.conf")?;
        fs::write(path.join("krb5.conf"), krb5_conf(ip)).doing("write krb5.conf")?;
        fs::write(path.join("acl"), "").doing("write the list of administrators")?;
        let mut create = program(path, "/usr/sbin/kdb5_util")?;
        create.args(["create", "-s", "-P", "the lab's master key (6)"]);
        succeeded(Running::start(create, None, &path.join("output"))?.finish(60)?)?;
        let start = |name: &str, flag: &str| {
            let mut server = program(path, name)?;
            server.arg(flag);
            Running::start(server, None, &path.join("output"))
        };
        let kdc = start("/usr/sbin/krb5kdc", "-n")?;
        let passwords = start("/usr/sbin/kadmind", "-nofork")?;
        for port in PORTS {
            let at = SocketAddr::new(ip, port);
            let serves = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_ok();
            wait_until("MIT's servers", 30, serves, || format!("{} {}", kdc.said(), passwords.said()))?;
        }
        Ok(Self { _kdc: kdc, _passwords: passwords, address, folder })
    }

    /// Where both servers listen.
    pub fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// Carries out a command of `kadmin`.
    pub fn administer(&self, query: &str) -> Result<(), LabError> {
        let mut kadmin = program(self.folder.path(), "/usr/sbin/kadmin.local")?;
        kadmin.args(["-q", query]);
        let done = Running::start(kadmin, None, &self.folder.path().join("output"))?.finish(30)?;
        // It ends with 0 whatever happened.
        if done.stderr.contains("while") {
            return Err(LabError::said("kadmin", &done.stderr));
        }
        succeeded(done)
    }

    /// A file of this name in the realm's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a service of MIT's GSS-API that holds the keys of this keytab.
    pub fn accept(&self, keytab: &Path) -> Result<Acceptor, LabError> {
        let mut command = self.program(PYTHON)?;
        command.env("KRB5_KTNAME", keytab).env("KRB5RCACHETYPE", "none");
        command.args(["-c", include_str!("acceptor.py")]);
        Script::start(command, Stdio::inherit(), "MIT's acceptor").map(Acceptor)
    }

    /// A program of MIT's, configured for this realm.
    pub fn program(&self, name: &str) -> Result<Command, LabError> {
        program(self.folder.path(), name)
    }
}

/// A running acceptor. Stopped when dropped.
#[derive(Debug)]
pub struct Acceptor(Script);

impl Acceptor {
    /// Sends it a request, as `acceptor.py` says.
    pub fn ask(&mut self, request: &Value) -> Result<Value, LabError> {
        self.0.send(request, "MIT's acceptor")
    }
}

fn program(folder: &Path, name: &str) -> Result<Command, LabError> {
    let mut command = view::command(name)?;
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    Ok(command)
}

fn succeeded(done: Finished) -> Result<(), LabError> {
    if done.code == Some(0) { Ok(()) } else { Err(LabError::said(&done.command, &done.stderr)) }
}

fn kdc_conf(folder: &Path, ip: IpAddr) -> String {
    let realm = MIT_DOMAIN.to_uppercase();
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "[realms]\n{realm} = {{\n kdc_listen = {ip}:88\n kdc_tcp_listen = {ip}:88\n kadmind_listen = {ip}:749\n \
         kpasswd_listen = {ip}:464\n database_name = {}\n key_stash_file = {}\n acl_file = {}\n \
         supported_enctypes = aes256-cts-hmac-sha384-192:normal aes256-cts-hmac-sha1-96:normal \
         aes128-cts-hmac-sha256-128:normal aes128-cts-hmac-sha1-96:normal\n default_principal_flags = +preauth\n}}\n\
         [logging]\n kdc = FILE:{}\n admin_server = FILE:{}\n",
        at("principal"),
        at("stash"),
        at("acl"),
        at("kdc.log"),
        at("kadmin.log")
    )
}

fn krb5_conf(ip: IpAddr) -> String {
    let realm = MIT_DOMAIN.to_uppercase();
    format!(
        "[libdefaults]\n default_realm = {realm}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n udp_preference_limit = 1\n \
         allow_weak_crypto = true\n[realms]\n{realm} = {{\n kdc = {ip}:88\n kpasswd_server = {ip}:464\n}}\n"
    )
}
