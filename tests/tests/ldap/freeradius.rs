//! FreeRADIUS with its LDAP module, asked by radclient (PAP) and by eapol_test (EAP-TTLS with PAP inside).

use crate::stage::{BASE, Cast, Credential, Road, Secret, Stage, run, stages};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::{Machine, Person};
use std::fs;

/// The number of this test's people.
const CAST: u32 = 1;
const FOLDER: &str = "/etc/freeradius/3.0";
/// The secret that Debian's configuration gives to clients on the machine itself.
const SHARED: &str = "testing123";
/// The certificate that Debian's configuration names.
const CERTIFICATE: &str = "/etc/ssl/certs/ssl-cert-snakeoil.pem";
const PORT: u16 = 1812;

/// What docs/ldap/freeradius.md shows as `mods-enabled/ldap`.
fn module(stage: &Stage, by: &Credential) -> String {
    let password = fs::read_to_string(by.secret.file()).unwrap();
    format!(
        "ldap {{
    server = '{}'
    identity = '{}'
    password = '{password}'
    base_dn = '{BASE}'
    user {{
        base_dn = \"${{..base_dn}}\"
        filter = \"(|(uid=%{{User-Name}})(userPrincipalName=%{{User-Name}}))\"
    }}
    group {{
        base_dn = \"${{..base_dn}}\"
        filter = '(objectClass=groupOfNames)'
        membership_attribute = 'memberOf'
    }}
    options {{
        res_timeout = 20
        srv_timelimit = 20
        net_timeout = 5
    }}
    tls {{
        ca_file = {}
        require_cert = 'demand'
        tls_min_version = '1.2'
    }}
    pool {{
        start = 0
        min = 0
        max = 32
        spare = 10
        uses = 0
        retry_delay = 1
        idle_timeout = 60
    }}
}}
",
        stage.ldaps(),
        by.name,
        stage.server.ca.display()
    )
}

/// What the same page says of the two sites.
const ASK: &str = "\tldap
\tif ((ok || updated) && User-Password && !control:Auth-Type) {
\t\tupdate control {
\t\t\t&Auth-Type := LDAP
\t\t}
\t}
";
const BY_GROUP: &str = "post-auth {
\tif (LDAP-Group == \"Staff\") {
\t\tupdate reply {
\t\t\t&Filter-Id := \"staff\"
\t\t}
\t}
";
const DECIDE: &str = "\tAuth-Type LDAP {\n\t\tldap\n\t}\n";

/// A running FreeRADIUS.
struct Radius {
    address: Address,
    machine: Machine,
    secret: Secret,
    _server: Running,
}

impl Radius {
    fn start(stage: &Stage, by: &Credential) -> Self {
        let machine = Machine::with(&[FOLDER], &["/run", "/var/log/freeradius"]).unwrap();
        let address = Address::claim().unwrap();
        machine.write(&format!("{FOLDER}/mods-enabled/ldap"), &module(stage, by), 0o640).unwrap();
        let site = |name: &str| format!("{FOLDER}/sites-available/{name}");
        for name in ["default", "inner-tunnel"] {
            machine.edit(&site(name), "\t-ldap\n", ASK).unwrap();
            machine.edit(&site(name), "#\tAuth-Type LDAP {\n#\t\tldap\n#\t}\n", DECIDE).unwrap();
        }
        machine.edit(&site("default"), "post-auth {\n", BY_GROUP).unwrap();
        let eap = format!("{FOLDER}/mods-available/eap");
        machine.edit(&eap, "\n\tdefault_eap_type = md5\n", "\n\tdefault_eap_type = ttls\n").unwrap();
        // A refusal at once, and not after a second.
        machine.edit(&format!("{FOLDER}/radiusd.conf"), "reject_delay = 1\n", "reject_delay = 0\n").unwrap();
        // So that others of this machine have the usual ports too.
        let here = format!("ipaddr = {}\n", address.ip());
        for (name, old, new) in [
            ("default", "ipaddr = *\n", here.clone()),
            (
                "default",
                "\tipv6addr = ::\t# any.  ::1 == localhost\n\tport = 0\n",
                format!("{here}\tport = 11812\n"),
            ),
            (
                "default",
                "listen {\n\tipv6addr = ::\n\tport = 0\n",
                format!("listen {{\n{here}\tport = 11813\n"),
            ),
            ("inner-tunnel", "ipaddr = 127.0.0.1\n", here.clone()),
        ] {
            machine.edit(&site(name), old, &new).unwrap();
        }
        for folder in [FOLDER, "/run", "/var/log/freeradius"] {
            machine.give(folder, "freerad:freerad").unwrap();
        }
        let mut command = machine.daemon("freeradius").unwrap();
        command.args(["-f", "-l", "stdout"]);
        let server = Running::start(command, None, &machine.output()).unwrap();
        let ready = || server.printed().contains("Ready to process requests");
        wait_until("FreeRADIUS", 30, ready, || server.printed()).unwrap();
        Self { address, machine, secret: Secret::new(SHARED), _server: server }
    }

    /// Sends a request for each name and password at once. Returns how many were accepted, with the group's reply, and how
    /// many rejected.
    fn ask(&self, requests: &[(&str, &str)]) -> [usize; 2] {
        let one = |(name, password): &(&str, &str)| {
            let [name, password] = [name, password].map(|text| quoted(text));
            format!("User-Name = {name}\nUser-Password = {password}\nMessage-Authenticator = 0x00\n")
        };
        let all: Vec<String> = requests.iter().map(one).collect();
        let requests = Secret::new(&all.join("\n"));
        let mut command = self.machine.command("radclient").unwrap();
        command.args(["-x", "-s", "-r", "1", "-t", "30", "-p", "16", "-S"]).arg(self.secret.file());
        command.arg("-f").arg(requests.file()).arg(format!("{}:{PORT}", self.address.ip())).arg("auth");
        let done = run(command);
        let count = |of: &str| {
            let line = done.stdout.lines().find_map(|line| line.trim().strip_prefix(of)?.split_once(": "));
            line.unwrap_or_else(|| panic!("{done}")).1.parse().unwrap()
        };
        let [accepted, rejected] = ["Accepted", "Rejected"].map(count);
        assert_eq!(done.stdout.matches("Filter-Id = \"staff\"").count(), accepted, "{done}");
        [accepted, rejected]
    }

    #[track_caller]
    fn accepts(&self, requests: &[(&str, &str)]) {
        assert_eq!(self.ask(requests), [requests.len(), 0]);
    }

    #[track_caller]
    fn rejects(&self, requests: &[(&str, &str)]) {
        assert_eq!(self.ask(requests), [0, requests.len()]);
    }

    /// Signs in as a device at a wireless network does. Returns whether it is let in.
    fn joins(&self, method: &str, name: &str, password: &str) -> bool {
        let hex: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
        let network = Secret::new(&format!(
            "network={{\n key_mgmt=WPA-EAP\n {method}\n anonymous_identity=\"anonymous\"\n identity=\"{name}\"\n \
             password={hex}\n ca_cert=\"{CERTIFICATE}\"\n}}\n"
        ));
        let mut command = self.machine.command("eapol_test").unwrap();
        command.arg("-c").arg(network.file());
        command.args([
            "-a",
            &self.address.ip().to_string(),
            "-p",
            &PORT.to_string(),
            "-s",
            SHARED,
            "-t",
            "30",
        ]);
        let done = run(command);
        let last = done.stdout.lines().last();
        assert!(matches!(last, Some("SUCCESS" | "FAILURE")), "{done}");
        last == Some("SUCCESS")
    }
}

/// A text as radclient reads it from a file: it takes backslashes away twice.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\\\").replace('\'', r"\'"))
}

const TTLS: &str = "eap=TTLS\n phase2=\"auth=PAP\"";
const PEAP: &str = "eap=PEAP\n phase2=\"auth=MSCHAPV2\"";

#[test]
fn radius_accepts_and_rejects_by_pap_and_by_eap_ttls() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        // RADIUS carries no password of more than 128 octets, and the cast's is longer.
        let locked = "not so long a password (1)";
        stage.domain.set_password(&cast.locked.sam, locked).unwrap();
        stage.sync();
        let radius = Radius::start(stage, &stage.application("freeradius", &["--member-of", "effective"]));
        // 1. PAP, as a VPN's gateway or a switch requests it.
        let Cast { direct, nested, stranger, disabled, expired, changed, .. } = &cast;
        radius.accepts(&[
            (&direct.sam, &direct.password),
            (&direct.upn, &direct.password),
            (&nested.sam, &nested.password),
            (&changed.sam, &changed.password),
            (&cast.locked.sam, locked),
        ]);
        radius.rejects(&[
            (&direct.sam, &direct.wrong_password()),
            (&stranger.sam, &stranger.password),
            (&disabled.sam, &disabled.password),
            (&expired.sam, &expired.password),
        ]);
        // 2. EAP, as a device at a wireless network does.
        let joins = |who: &Person, password: &str| radius.joins(TTLS, &who.sam, password);
        assert!(joins(nested, &nested.password));
        assert!(!joins(nested, &nested.wrong_password()));
        assert!(!joins(stranger, &stranger.password));
        assert!(!radius.joins(PEAP, &direct.sam, &direct.password), "no NT hash is disclosed");
        // 3. A password that changed in AD a moment before.
        let new = "Changed a moment before (2)";
        stage.domain.set_password(&changed.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        radius.rejects(&[(&changed.sam, &changed.password)]);
        radius.accepts(&[(&changed.sam, new)]);
        assert!(joins(changed, new));
        // 4. The lockout, after ten that were decided. One that a busy tenant refuses undecided (51, 52) does not count.
        let mut guesses = 0;
        while stage.wrong_passwords(&cast.locked) < 10 {
            assert!(guesses < 60, "{guesses} guesses, and {} decided", stage.wrong_passwords(&cast.locked));
            radius.rejects(&[(&cast.locked.sam, &format!("guess {guesses}"))]);
            guesses += 1;
        }
        println!("{:?}: {guesses} guesses until ten were decided", stage.road);
        radius.rejects(&[(&cast.locked.sam, locked)]);
    }
}
