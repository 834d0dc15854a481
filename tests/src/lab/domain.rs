//! One running domain: a real Samba AD DC at an address and in a folder of its own.
//! It writes nothing outside that folder: no `/etc/hosts`, no `/etc/krb5.conf`, no socket in `/run`.
//! Its files come from `recipe`; `edits` changes them while it runs.

use super::address::Address;
use super::edits::Editor;
use super::error::{Doing as _, LabError, failed};
use super::population::{NAMES, Names, Population};
use super::program::{Running, wait_until};
use super::{certificates, recipe, view, watchdog};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// The usual host name of the DC.
pub const CONTROLLER: &str = NAMES.controller;

/// Endpoint mapper, KDC, LDAP.
const PORTS: [u16; 3] = [135, 88, 389];

/// A domain with its DC. Stopped and removed when dropped.
#[derive(Debug)]
pub struct Domain {
    population: Population,
    sid: String,
    editor: Mutex<Editor>,
    samba: Mutex<Option<Running>>,
    address: Address,
    folder: TempDir,
}

impl Domain {
    /// Makes or restores the domain, starts its DC and waits until it serves.
    pub fn start(population: Population) -> Result<Self, LabError> {
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        let folder = watchdog::folder("landbridge-lab-")?;
        recipe::restore(population, folder.path())?;
        let address = Address::claim()?;
        certificates::write(&folder.path().join("tls"), population.names.controller, address.ip())?;
        for name in ["etc", "run", "ncalrpc", "cache", "bind-dns", "winbindd", "ntp"] {
            fs::create_dir_all(folder.path().join(name)).doing("make the DC's folders")?;
        }
        let conf = folder.path().join("etc/smb.conf");
        fs::write(&conf, smb_conf(folder.path(), address.ip(), population.names)).doing("write smb.conf")?;
        fs::write(folder.path().join("krb5.conf"), krb5_conf(address.ip(), population.names))
            .doing("write krb5.conf")?;
        let keytab = folder.path().join("svc.keytab");
        fs::set_permissions(&keytab, fs::Permissions::from_mode(0o600)).doing("set the keytab's mode")?;
        let sid = fs::read_to_string(folder.path().join("sid")).doing("read the domain's SID")?;
        let editor = Editor::start(&conf, &folder.path().join("log.editor"))?;
        let domain =
            Self { population, sid, editor: Mutex::new(editor), samba: Mutex::new(None), address, folder };
        domain.start_controller()?;
        Ok(domain)
    }

    /// Its users and groups.
    pub fn population(&self) -> Population {
        self.population
    }

    /// Its DNS name.
    pub fn name(&self) -> &'static str {
        self.population.names.dns
    }

    /// Its names.
    pub fn names(&self) -> Names {
        self.population.names
    }

    /// The DC's address.
    pub fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// The domain's SID, as text.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The delegated account's keytab, 0600.
    pub fn keytab(&self) -> PathBuf {
        self.folder.path().join("svc.keytab")
    }

    /// The certificate of the domain's CA, which has signed the DC's.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("tls/ca.pem")
    }

    /// The folder with all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the DC has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log.samba")).unwrap_or_default()
    }

    /// Sends SIGKILL to every process of the DC, and returns when its ports are closed.
    pub fn kill_controller(&self) -> Result<(), LabError> {
        drop(self.samba().take());
        let gone = || PORTS.into_iter().all(|port| connect(self.address.ip(), port).is_none());
        wait_until("the lab's DC to be gone", 10, gone, || self.log())
    }

    /// Sends SIGSTOP or SIGCONT to every process of the DC. While it is stopped, the kernel accepts connections and
    /// no process answers.
    pub fn freeze_controller(&self, frozen: bool) {
        let signal = if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        if let Some(samba) = self.samba().as_mut() {
            samba.signal(signal);
        }
    }

    /// Copies the DC's databases to a folder while it does not run, or back: a backup without the DC's knowledge.
    pub fn copy_databases(&self, to: &Path, back: bool) -> Result<(), LabError> {
        let here = self.folder.path().join("private");
        let (from, to) = if back { (to.join("private"), here) } else { (here, to.join("private")) };
        let _ = fs::remove_dir_all(&to);
        let copied =
            Command::new("cp").arg("-a").arg(&from).arg(&to).status().doing("copy the DC's databases")?;
        if copied.success() { Ok(()) } else { Err(failed("copying the DC's databases", copied)) }
    }

    /// Sets a global option of Samba's, and starts the DC again with it.
    pub fn set_option(&self, name: &str, value: &str) -> Result<(), LabError> {
        let file = self.folder.path().join("etc/smb.conf");
        let mut conf = fs::read_to_string(&file).doing("read smb.conf")?;
        // Of several lines of one name the last one counts.
        let _ = writeln!(conf, "\t{name} = {value}");
        fs::write(&file, conf).doing("write smb.conf")?;
        self.set_editor_option(name, value)?;
        self.kill_controller()?;
        self.start_controller()
    }

    /// Starts the DC and waits until it serves.
    pub fn start_controller(&self) -> Result<(), LabError> {
        let mut samba = self.samba();
        if samba.is_none() {
            let mut command = view::command(recipe::SAMBA)?;
            command.args(["-F", "--no-process-group", "-s"]).arg(self.folder.path().join("etc/smb.conf"));
            command.env("KRB5_CONFIG", self.folder.path().join("krb5.conf"));
            let started = samba.insert(Running::start(command, None, &self.folder.path().join("output"))?);
            wait_for(self.address.ip(), started, || self.log())?;
        }
        Ok(())
    }

    /// The DC's first process; its others are in the same group.
    pub fn process(&self) -> Option<u32> {
        self.samba().as_ref().map(Running::id)
    }

    fn samba(&self) -> MutexGuard<'_, Option<Running>> {
        self.samba.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn editor(&self) -> MutexGuard<'_, Editor> {
        self.editor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // The address may be claimed by another lab once this returns.
        let _ = self.kill_controller();
    }
}

/// Waits until endpoint mapper, KDC and LDAP take connections and the rootDSE is answered.
pub(crate) fn wait_for(
    address: IpAddr,
    samba: &mut Running,
    log: impl FnOnce() -> String,
) -> Result<(), LabError> {
    let mut ended = false;
    let serves = || {
        ended = samba.has_ended();
        ended || (PORTS.into_iter().all(|port| connect(address, port).is_some()) && answers(address))
    };
    wait_until("the lab's DC to serve", 60, serves, log)?;
    if ended { Err(failed("starting the lab's DC", samba.said())) } else { Ok(()) }
}

fn connect(address: IpAddr, port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(address, port), Duration::from_secs(1)).ok()
}

/// An LDAP search of the rootDSE (RFC 4511 4.5.1): base, no alias, all there is, `(objectClass=*)`.
fn answers(address: IpAddr) -> bool {
    const SEARCH: &[u8] =
        b"\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\
        \x87\x0bobjectClass\x30\x00";
    let Some(mut stream) = connect(address, 389) else { return false };
    let mut first = [0; 16];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(SEARCH).is_ok()
        && stream.read(&mut first).is_ok_and(|read| read > 8)
}

fn smb_conf(folder: &Path, address: IpAddr, names: Names) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut all = vec![
        ("netbios name", "DC1".to_owned()),
        ("realm", names.dns.to_uppercase()),
        ("workgroup", names.netbios.to_owned()),
        ("server role", "active directory domain controller".to_owned()),
        ("private dir", at("private")),
        ("state directory", at("state")),
        ("cache directory", at("cache")),
        ("lock directory", at("")),
        ("binddns dir", at("bind-dns")),
    ];
    all.extend(recipe::options(folder, address));
    let mut text = String::from("[global]\n");
    for (name, value) in all {
        let _ = writeln!(text, "\t{name} = {value}");
    }
    text
}

fn krb5_conf(address: IpAddr, names: Names) -> String {
    let realm = names.dns.to_uppercase();
    format!(
        "[libdefaults]\n\tdefault_realm = {realm}\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = false\n\
         [realms]\n\t{realm} = {{\n\t\tkdc = {address}\n\t\tkpasswd_server = {address}\n\t}}\n"
    )
}
