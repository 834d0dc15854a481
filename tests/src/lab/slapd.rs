//! Debian's slapd with given entries, at an address of its own: the LDAP server that ours is compared with.

use super::address::{Address, LDAPS};
use super::error::{Doing as _, LabError, failed};
use super::program::{Running, wait_until};
use super::{view, watchdog};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SLAPD: &str = "/usr/sbin/slapd";

/// What answers memberOf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberOf {
    /// The values that the entries were loaded with, as the overlay `memberof` keeps them.
    Stored,
    /// The overlay `dynlist`, which follows groups in groups at each search.
    Nested,
}

/// A server. Stopped and removed when dropped.
#[derive(Debug)]
pub struct Slapd {
    running: Option<Running>,
    address: Address,
    folder: TempDir,
}

impl Slapd {
    /// Loads the entries that `write` writes as LDIF, and does not serve yet. `certificate` is a folder with `dc.pem`
    /// and `dc.key`. The naming context is `dc=corp,dc=example,dc=com`; whoever is bound reads everything.
    pub fn load(
        certificate: &Path,
        member_of: MemberOf,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<Self, LabError> {
        if !Path::new(SLAPD).exists() {
            return Err(LabError::Missing { program: SLAPD });
        }
        let slapd = Self {
            running: None,
            address: Address::claim()?,
            folder: watchdog::folder("landbridge-slapd-")?,
        };
        let folder = slapd.folder.path();
        fs::create_dir(folder.join("mdb")).doing("make slapd's folder")?;
        // AppArmor may confine the program where its package puts it.
        for (from, to) in [
            (Path::new(SLAPD), "slapd"),
            (&certificate.join("dc.pem"), "server.pem"),
            (&certificate.join("dc.key"), "server.key"),
        ] {
            fs::copy(from, folder.join(to)).doing(format!("copy {}", from.display()))?;
        }
        let overlay = match member_of {
            MemberOf::Stored => "overlay memberof",
            MemberOf::Nested => {
                "overlay dynlist\ndynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames*"
            }
        };
        let config = include_str!("slapd.conf").lines().filter(|line| !line.starts_with('#'));
        let config = config.collect::<Vec<_>>().join("\n");
        let config = config.replace("FOLDER", &folder.display().to_string()).replace("OVERLAY", overlay);
        fs::write(folder.join("slapd.conf"), config + "\n").doing("write slapd.conf")?;
        let ldif = folder.join("entries.ldif");
        let mut file = BufWriter::new(File::create(&ldif).doing("create an LDIF file")?);
        write(&mut file).and_then(|()| file.flush()).doing("write an LDIF file")?;
        let mut add = slapd.command()?;
        add.args(["-T", "add", "-q", "-l"]).arg(&ldif).arg("-f").arg(folder.join("slapd.conf"));
        let added = add.output().doing("run slapadd")?;
        fs::remove_file(&ldif).doing("remove an LDIF file")?;
        if added.status.success() {
            Ok(slapd)
        } else {
            Err(failed("slapadd", String::from_utf8_lossy(&added.stderr)))
        }
    }

    /// Serves, and waits until it does.
    pub fn serve(&mut self) -> Result<(), LabError> {
        let mut command = self.command()?;
        command.arg("-f").arg(self.folder.path().join("slapd.conf")).args(["-d", "0", "-h"]);
        command.arg(format!("ldaps://{}/", self.address()));
        drop(self.running.take());
        let running = self.running.insert(Running::start(command, None, &self.folder.path().join("output"))?);
        let said_in = running.said_in();
        let address = SocketAddr::new(self.address.ip(), LDAPS);
        let mut ended = false;
        let serves = || {
            ended = running.has_ended();
            ended || TcpStream::connect(address).is_ok()
        };
        let said = || fs::read_to_string(&said_in).unwrap_or_default();
        wait_until("slapd to serve", 30, serves, said)?;
        if ended { Err(failed("slapd", said())) } else { Ok(()) }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> Result<(), LabError> {
        match self.running.take() {
            Some(mut running) => {
                running.signal(rustix::process::Signal::TERM);
                running.finish(30).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Where it serves LDAP over TLS.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), LDAPS)
    }

    /// The running process.
    pub fn process(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }

    fn command(&self) -> Result<Command, LabError> {
        view::command(self.folder.path().join("slapd"))
    }
}
