//! Dovecot: people sign in by IMAP over TLS, each by a search and a bind, and its tools list everybody.

use crate::stage::{BASE, Cast, Credential, Road, Stage, run, stages};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::{Machine, Person};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

/// The number of this test's people.
const CAST: u32 = 3;
/// The certificate that Debian's configuration names.
const CERTIFICATE: &str = "/etc/ssl/certs/ssl-cert-snakeoil.pem";
const IMAPS: u16 = 993;

/// What docs/ldap/dovecot.md shows as `dovecot-ldap.conf.ext`.
fn ldap(stage: &Stage, by: &Credential) -> String {
    let password = fs::read_to_string(by.secret.file()).unwrap();
    format!(
        "uris = {}
dn = {}
dnpass = {password}
tls_ca_cert_file = {}
tls_require_cert = demand
base = {BASE}
auth_bind = yes
pass_filter = (&(objectClass=posixAccount)(|(uid=%u)(mail=%u)(userPrincipalName=%u)))
pass_attrs = uid=user
user_filter = (&(objectClass=posixAccount)(uid=%u))
user_attrs = =home=/srv/mail/%{{ldap:entryUUID}}
iterate_filter = (objectClass=posixAccount)
iterate_attrs = uid=user
",
        stage.ldaps(),
        by.name,
        stage.server.ca.display()
    )
}

/// What the same page shows as `local.conf`: all mail belongs to one user of the machine.
const MAIL: &str = "mail_location = maildir:~/Maildir\nmail_uid = 5000\nmail_gid = 5000\n";
/// Refusals at once, also the tenth of one address.
const IMPATIENT: &str =
    "auth_failure_delay = 0\nservice anvil {\n unix_listener anvil-auth-penalty {\n  mode = 0\n }\n}\n";

/// A running Dovecot.
struct Dovecot {
    address: Address,
    machine: Machine,
    _server: Running,
}

impl Dovecot {
    fn start(stage: &Stage, by: &Credential) -> Self {
        let machine = Machine::with(&["/etc/dovecot"], &["/run", "/srv", "/var/lib/dovecot"]).unwrap();
        let address = Address::claim().unwrap();
        let auth = "/etc/dovecot/conf.d/10-auth.conf";
        machine.edit(auth, "\n!include auth-system.conf.ext", "\n#!include auth-system.conf.ext").unwrap();
        machine.edit(auth, "\n#!include auth-ldap.conf.ext", "\n!include auth-ldap.conf.ext").unwrap();
        machine.write("/etc/dovecot/dovecot-ldap.conf.ext", &ldap(stage, by), 0o600).unwrap();
        let local = format!("{MAIL}{IMPATIENT}listen = {}\nlog_path = /dev/stderr\n", address.ip());
        machine.write("/etc/dovecot/local.conf", &local, 0o644).unwrap();
        fs::create_dir(machine.file("/srv/mail")).unwrap();
        machine.give("/srv/mail", "5000:5000").unwrap();
        let mut command = machine.daemon("dovecot").unwrap();
        command.arg("-F");
        let server = Running::start(command, None, &machine.output()).unwrap();
        let listens = || TcpStream::connect((address.ip(), IMAPS)).is_ok();
        wait_until("Dovecot", 30, listens, || server.said()).unwrap();
        Self { address, machine, _server: server }
    }

    /// Whether the person reads the own mailbox by IMAP.
    fn signs_in(&self, name: &str, password: &str) -> bool {
        use base64::Engine as _;
        let words = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0{password}"));
        let session = format!("a AUTHENTICATE PLAIN {words}\r\nb LIST \"\" *\r\nc LOGOUT\r\n");
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-CAfile", CERTIFICATE]);
        command.arg("-connect").arg(format!("{}:{IMAPS}", self.address.ip()));
        let output = self.machine.output();
        let done = Running::start(command, Some(session.as_bytes()), &output).unwrap().finish(60).unwrap();
        let has = |line: &str| done.stdout.contains(line);
        let refused = has("a NO [AUTHENTICATIONFAILED]");
        let read = has("a OK") && has(" INBOX\r\n");
        assert_ne!(read, refused, "{name}: {done}");
        read
    }

    /// A line for each account, as `doveadm user` prints them.
    fn everybody(&self) -> BTreeSet<String> {
        let mut command = self.machine.command("doveadm").unwrap();
        command.args(["user", "*"]);
        run(command).expect_code(0).stdout.lines().map(str::to_owned).collect()
    }

    /// What Dovecot knows of an account; none when it finds nobody.
    fn user(&self, name: &str) -> Option<String> {
        let mut command = self.machine.command("doveadm").unwrap();
        command.args(["user", name]);
        let done = run(command);
        (done.code == Some(0)).then_some(done.stdout)
    }
}

#[test]
fn people_read_mail_by_imap_and_each_other_kind_is_refused() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        stage.sync();
        let dovecot = Dovecot::start(stage, &stage.application("dovecot", &[]));
        let Cast { direct, nested, stranger, disabled, expired, locked, changed } = &cast;
        let right = |who: &Person| dovecot.signs_in(&who.sam, &who.password);
        // 1. Everybody at once, through Dovecot's one connection.
        let kinds = [
            (direct, direct.password.clone(), true),
            (nested, nested.password.clone(), true),
            (locked, locked.password.clone(), true),
            (direct, direct.wrong_password(), false),
            (stranger, stranger.password.clone(), false),
            (disabled, disabled.password.clone(), false),
            (expired, expired.password.clone(), false),
        ];
        std::thread::scope(|scope| {
            for (who, password, expected) in &kinds {
                let (dovecot, road) = (&dovecot, stage.road);
                scope.spawn(move || {
                    assert_eq!(dovecot.signs_in(&who.sam, password), *expected, "{road:?}: {}", who.sam);
                });
            }
        });
        assert!(dovecot.signs_in(&direct.upn, &direct.password));
        // 2. Its own questions: where somebody's mail is, and who there is.
        let home = dovecot.user(&nested.sam).unwrap();
        assert!(home.contains("home\t/srv/mail/"), "{home}");
        assert_eq!(dovecot.user(&stranger.sam), None);
        let everybody = dovecot.everybody();
        for (who, there) in [(direct, true), (nested, true), (stranger, false)] {
            assert_eq!(everybody.contains(&who.sam), there, "{everybody:?}");
        }
        // 3. A password that changed in AD a moment before.
        assert!(right(changed));
        let new = "Changed a moment before (3)";
        stage.domain.set_password(&changed.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        assert!(!right(changed));
        assert!(dovecot.signs_in(&changed.sam, new));
        // 4. The lockout.
        for guess in 0..10 {
            assert!(!dovecot.signs_in(&locked.sam, &format!("guess {guess}")));
        }
        assert!(!right(locked));
    }
}
