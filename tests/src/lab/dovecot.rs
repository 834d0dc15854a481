//! A real Dovecot that signs people in by LDAP, as Debian installs it and with the settings of docs/ldap/dovecot.md.

use super::address::Address;
use super::error::{Doing as _, LabError, failed};
use super::machine::Machine;
use super::program::{Finished, Running, wait_until};
use super::tenant::LdapServer;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

/// The certificate that Debian's configuration names.
const CERTIFICATE: &str = "/etc/ssl/certs/ssl-cert-snakeoil.pem";
const IMAPS: u16 = 993;
/// What the page shows as `local.conf`: all mail belongs to one user of the machine.
const MAIL: &str = "mail_location = maildir:~/Maildir\nmail_uid = 5000\nmail_gid = 5000\n";
/// Refusals at once, also the tenth of one address.
const IMPATIENT: &str =
    "auth_failure_delay = 0\nservice anvil {\n unix_listener anvil-auth-penalty {\n  mode = 0\n }\n}\n";

/// What the page shows as `dovecot-ldap.conf.ext`, for an application that binds with this name and password.
fn settings(server: &LdapServer, name: &str, password: &str) -> String {
    format!(
        "uris = ldaps://{}
dn = {name}
dnpass = {password}
tls_ca_cert_file = {}
tls_require_cert = demand
base = dc=corp,dc=example,dc=com
auth_bind = yes
pass_filter = (&(objectClass=posixAccount)(|(uid=%u)(mail=%u)(userPrincipalName=%u)))
pass_attrs = uid=user
user_filter = (&(objectClass=posixAccount)(uid=%u))
user_attrs = =home=/srv/mail/%{{ldap:entryUUID}}
iterate_filter = (objectClass=posixAccount)
iterate_attrs = uid=user
",
        server.ip,
        server.ca.display()
    )
}

/// A running Dovecot. Stopped when dropped.
#[derive(Debug)]
pub struct Dovecot {
    address: Address,
    machine: Machine,
    _server: Running,
}

impl Dovecot {
    /// Starts it, and waits until it serves. The application binds with this name and password.
    pub fn start(server: &LdapServer, name: &str, password: &str) -> Result<Self, LabError> {
        let machine = Machine::with(&["/etc/dovecot"], &["/run", "/srv", "/var/lib/dovecot"])?;
        let address = Address::claim()?;
        let auth = "/etc/dovecot/conf.d/10-auth.conf";
        machine.edit(auth, "\n!include auth-system.conf.ext", "\n#!include auth-system.conf.ext")?;
        machine.edit(auth, "\n#!include auth-ldap.conf.ext", "\n!include auth-ldap.conf.ext")?;
        machine.write("/etc/dovecot/dovecot-ldap.conf.ext", &settings(server, name, password), 0o600)?;
        let local = format!("{MAIL}{IMPATIENT}listen = {}\nlog_path = /dev/stderr\n", address.ip());
        machine.write("/etc/dovecot/local.conf", &local, 0o644)?;
        fs::create_dir(machine.file("/srv/mail")).doing("make the folder of the mail")?;
        machine.give("/srv/mail", "5000:5000")?;
        let mut command = machine.daemon("dovecot")?;
        command.arg("-F");
        let server = Running::start(command, None, &machine.output())?;
        let listens = || TcpStream::connect((address.ip(), IMAPS)).is_ok();
        wait_until("Dovecot", 30, listens, || server.said())?;
        Ok(Self { address, machine, _server: server })
    }

    /// Whether the person reads the own mailbox by IMAP.
    pub fn signs_in(&self, name: &str, password: &str) -> Result<bool, LabError> {
        use base64::Engine as _;
        let words = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0{password}"));
        let session = format!("a AUTHENTICATE PLAIN {words}\r\nb LIST \"\" *\r\nc LOGOUT\r\n");
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-CAfile", CERTIFICATE]);
        command.arg("-connect").arg(format!("{}:{IMAPS}", self.address.ip()));
        let done = Running::start(command, Some(session.as_bytes()), &self.machine.output())?.finish(60)?;
        let has = |line: &str| done.stdout.contains(line);
        let refused = has("a NO [AUTHENTICATIONFAILED]");
        let read = has("a OK") && has(" INBOX\r\n");
        if read == refused { Err(failed("an IMAP session", done)) } else { Ok(read) }
    }

    /// Runs `doveadm user` with this name, or `*` for all.
    pub fn user(&self, name: &str) -> Result<Finished, LabError> {
        let mut command = self.machine.command("doveadm")?;
        command.args(["user", name]);
        Running::start(command, None, &self.machine.output())?.finish(60)
    }
}
