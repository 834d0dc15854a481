//! What a program of the lab sees of the machine: name resolution, environment and umask of the lab's own.
//!
//! Every program of the lab is started by [`command`]. It runs in a mount namespace in which files of the lab lie
//! over the machine's `/etc/hosts`, `/etc/resolv.conf` and `/etc/nsswitch.conf`, and its environment holds nothing of
//! the caller's. So no test depends on what the machine's administrator configured, and the machine's files stay as
//! they are.

use super::address::Address;
use super::error::{Doing as _, LabError, last_of};
use super::watchdog;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The script that each program is started through.
const INSIDE: &str = "inside";
/// Names the folder whose files a program sees; `inside` removes it from the environment.
const CHOSEN: &str = "LAB_VIEW";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Files that lie over the machine's while a program runs.
#[derive(Debug, Clone)]
pub struct View {
    folder: PathBuf,
}

impl View {
    /// Writes the files of a view into `folder`, which must outlive it: these names in `/etc/hosts`, and this server
    /// in `/etc/resolv.conf`.
    pub(crate) fn write(folder: PathBuf, hosts: &[(IpAddr, &str)], dns: IpAddr) -> Result<Self, LabError> {
        let mut names = String::from("127.0.0.1 localhost\n::1 localhost\n");
        for (address, name) in hosts {
            let _ = writeln!(names, "{address} {name}");
        }
        let here = folder.display();
        // Samba's tools read the machine's smb.conf and use its folders where their command line names no others.
        let smb = format!(
            "[global]\n\tlock directory = {here}\n\tcache directory = {here}\n\tstate directory = {here}\n\
             \tprivate dir = {here}\n\tpid directory = {here}\n"
        );
        let files = [
            ("hosts", names),
            ("resolv.conf", format!("nameserver {dns}\noptions timeout:1 attempts:1\n")),
            ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n".to_owned()),
            ("krb5.conf", "[libdefaults]\n\tdns_lookup_kdc = false\n\tdns_lookup_realm = false\n".to_owned()),
            ("smb.conf", smb),
            (INSIDE, include_str!("inside.sh").to_owned()),
        ];
        fs::create_dir_all(&folder).doing("make the folder of a view")?;
        for (name, content) in files {
            fs::write(folder.join(name), content).doing(format!("write the {name} of a view"))?;
        }
        Ok(Self { folder })
    }

    /// A view with these names and no DNS server, for programs that find each other by name.
    pub fn with_hosts(folder: PathBuf, hosts: &[(IpAddr, &str)]) -> Result<Self, LabError> {
        Self::write(folder, hosts, without_names()?.silent)
    }

    /// Lets a command of [`command`] see this view instead of the one without names.
    pub fn show_to(&self, command: &mut Command) {
        command.env(CHOSEN, &self.folder);
    }

    /// A program that sees this view.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let mut command = command(program)?;
        self.show_to(&mut command);
        Ok(command)
    }

    fn start(&self, program: impl AsRef<OsStr>) -> Command {
        let file = |name: &str| self.folder.join(name);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh"]).arg(file(INSIDE)).arg(program);
        command
            .env_clear()
            .env(CHOSEN, &self.folder)
            .env("PATH", PATH)
            .env("HOME", &self.folder)
            .env("TMPDIR", std::env::temp_dir())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("KRB5_CONFIG", file("krb5.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", file("tickets").display()))
            .env("SMB_CONF_PATH", file("smb.conf"));
        command
    }
}

/// A program in a view without names: `localhost` resolves, every other name is unknown at once.
/// Arguments and environment are added to the command as to any other.
pub fn command(program: impl AsRef<OsStr>) -> Result<Command, LabError> {
    Ok(without_names()?.view.start(program))
}

/// The view of the programs that are given no other, with the address that it needs.
#[derive(Clone)]
struct WithoutNames {
    view: View,
    /// An address of the lab's at which no DNS server listens.
    silent: IpAddr,
}

/// Made by the first program of this process; the watchdog removes its files after the last.
fn without_names() -> Result<WithoutNames, LabError> {
    static MADE: Mutex<Option<(WithoutNames, Address)>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((ready, _)) = made.as_ref() {
        return Ok(ready.clone());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let held = Address::claim()?;
    let folder = watchdog::folder("landbridge-view-")?.keep();
    let ready = WithoutNames { view: View::write(folder, &[], held.ip())?, silent: held.ip() };
    let tried = ready.view.start("true").output().doing("start a program in a mount namespace")?;
    if !tried.status.success() {
        return Err(LabError::NoNamespace { said: last_of(&String::from_utf8_lossy(&tried.stderr)) });
    }
    *made = Some((ready.clone(), held));
    Ok(ready)
}

/// The command on a machine whose clock is off by this much, as `faketime -f` takes it. The environment stays the
/// lab's.
pub fn with_clock_off(offset: &str, command: &Command) -> Command {
    let mut wrapped = Command::new("faketime");
    wrapped.args(["-f", offset]).arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// The program and its arguments, without what starts it in its view.
pub(crate) fn words(command: &Command) -> Vec<&OsStr> {
    let all: Vec<&OsStr> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let inside = all.iter().position(|word| Path::new(word).ends_with(INSIDE));
    all.into_iter().skip(inside.map_or(0, |at| at + 1)).collect()
}
