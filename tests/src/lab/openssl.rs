//! Real OpenSSL, for certificates and TLS servers that the programs' own TLS does not make: old signatures, short keys,
//! old versions and cipher suites.

use super::error::{Doing as _, LabError, failed};
use super::program::{Running, wait_until};
use super::{view, watchdog};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use tempfile::TempDir;

/// The configuration of OpenSSL in its folder.
const CONFIG: &str = "openssl.cnf";

/// A folder in which OpenSSL makes keys and certificates. Removed when dropped.
#[derive(Debug)]
pub struct Openssl {
    folder: TempDir,
}

impl Openssl {
    /// An empty folder.
    pub fn new() -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-openssl-")?;
        // The machine's own configuration may forbid what is old.
        let config = "[req]\ndistinguished_name = nothing\n[nothing]\n";
        fs::write(folder.path().join(CONFIG), config).doing("write openssl.cnf")?;
        Ok(Self { folder })
    }

    /// A file in the folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Runs `openssl` with these words, in the folder.
    pub fn run(&self, words: &str) -> Result<(), LabError> {
        self.run_program("openssl", words)
    }

    /// The same on a machine whose clock is off by this much, as `faketime` takes it: `-400d`.
    pub fn run_off(&self, offset: &str, words: &str) -> Result<(), LabError> {
        self.run_program("faketime", &format!("-f {offset} openssl {words}"))
    }

    fn run_program(&self, program: &str, words: &str) -> Result<(), LabError> {
        let mut command = view::command(program)?;
        command.args(words.split(' ')).current_dir(self.folder.path()).env("OPENSSL_CONF", self.path(CONFIG));
        let done = command.output().doing(format!("run {program} {words}"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(failed(format!("{program} {words}"), String::from_utf8_lossy(&done.stderr)))
    }

    /// A CA, self-signed: `NAME.pem` and `NAME.key`. `key` is as `-newkey` takes it: `rsa:2048`.
    pub fn authority(&self, name: &str, key: &str) -> Result<(), LabError> {
        self.run(&format!(
            "req -x509 -newkey {key} -nodes -keyout {name}.key -out {name}.pem -days 30 -sha256 -subj /CN={name} \
             -addext basicConstraints=critical,CA:TRUE -addext subjectAltName=DNS:{name}"
        ))
    }

    /// A certificate that the CA `by` issues to `name`: `NAME.pem` and `NAME.key`. `extensions` are lines of an extension
    /// file, `signing` more words for `openssl x509`.
    pub fn issue(
        &self,
        name: &str,
        by: &str,
        key: &str,
        extensions: &[&str],
        signing: &str,
    ) -> Result<(), LabError> {
        self.request(name, key, extensions)?;
        self.run(&Self::signing(name, by, signing))
    }

    /// The same on a machine whose clock is off.
    pub fn issue_off(&self, offset: &str, name: &str, by: &str, extensions: &[&str]) -> Result<(), LabError> {
        self.request(name, "rsa:2048", extensions)?;
        self.run_off(offset, &Self::signing(name, by, "-sha256"))
    }

    fn request(&self, name: &str, key: &str, extensions: &[&str]) -> Result<(), LabError> {
        let file = self.path(&format!("{name}.ext"));
        fs::write(&file, extensions.join("\n")).doing("write an extension file")?;
        self.run(&format!(
            "req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ))
    }

    fn signing(name: &str, by: &str, more: &str) -> String {
        format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 30 -extfile {name}.ext -out \
             {name}.pem {more}"
        )
    }

    /// `openssl s_server` at this address with the certificate `name` and these further words; returns when it listens.
    pub fn serve(&self, at: SocketAddr, name: &str, words: &str) -> Result<Running, LabError> {
        let mut command = view::command("openssl")?;
        // `-www`: it reads nothing from its standard input, which is empty.
        let usual = format!("s_server -accept {at} -cert {name}.pem -key {name}.key -www");
        command.args(usual.split(' ')).args(words.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(self.folder.path()).env("OPENSSL_CONF", self.path(CONFIG));
        let server = Running::start(command, None, &self.path("output"))?;
        let said = || format!("{name}: {}", server.said());
        wait_until(&format!("s_server for {name}"), 20, || TcpStream::connect(at).is_ok(), said)?;
        Ok(server)
    }
}
