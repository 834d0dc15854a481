//! SSSD: names, groups and sign-ins of a Linux host, online and without the tenant.

use crate::stage::{BASE, Cast, Credential, Road, Stage, run, stages};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Finished, Running, wait_until};
use landbridge_tests::lab::view::{self, View};
use landbridge_tests::lab::{Machine, Person, person};
use serde_json::json;
use std::fs;
use std::net::{IpAddr, TcpStream};
use tempfile::TempDir;

/// The number of this test's people.
const CAST: u32 = 2;
const NAME: &str = "tenant.example.com";
const LDAPS: u16 = 636;
/// A group of AD that everybody is in by `primaryGroupID`.
const PRIMARY: &str = "Domain Users";

/// What docs/ldap/sssd.md shows as `sssd.conf`.
fn sssd_conf(stage: &Stage, by: &Credential) -> String {
    let password = fs::read_to_string(by.secret.file()).unwrap();
    format!(
        "[sssd]
services = nss, pam
domains = corp

[domain/corp]
id_provider = ldap
auth_provider = ldap
sudo_provider = none
ldap_schema = rfc2307bis
ldap_uri = ldaps://{NAME}
ldap_tls_cacert = {}
ldap_search_base = {BASE}
ldap_default_bind_dn = {}
ldap_default_authtok = {password}
cache_credentials = true
",
        stage.server.ca.display(),
        by.name
    )
}

/// So that SSSD looks for the tenant again at once, and not after a minute or more.
const IMPATIENT: &str = "offline_timeout = 1\noffline_timeout_max = 1\noffline_timeout_random_offset = 0\n";

const NSSWITCH: &str = "passwd: files sss\ngroup: files sss\nshadow: files\nhosts: files dns\n";

/// Debian's `common-auth` and `common-account`, as the package libpam-sss leaves them. `nodelay`: a refusal at once.
const PAM: &str = "\
auth [success=2 default=ignore] pam_unix.so nullok nodelay
auth [success=1 default=ignore] pam_sss.so use_first_pass
auth requisite pam_deny.so
auth required pam_permit.so
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
account sufficient pam_localuser.so
account [default=bad success=ok user_unknown=ignore] pam_sss.so
";

/// The way from a host to the tenant, which can be cut without touching the tenant: it has an address of its own, by which
/// the tenant knows the application, and passes the bytes on.
struct Way {
    address: Address,
    folder: TempDir,
    tenant: IpAddr,
    running: Option<Running>,
}

impl Way {
    fn open(stage: &Stage) -> Self {
        let (address, folder) = (Address::claim().unwrap(), tempfile::tempdir().unwrap());
        let mut way = Self { address, folder, tenant: stage.server.ip, running: None };
        way.reopen();
        way
    }

    fn reopen(&mut self) {
        let here = self.address.ip();
        let config = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 5m\n timeout server 5m\n\
             listen way\n bind {here}:{LDAPS}\n server tenant {}:{LDAPS} source {here}\n",
            self.tenant
        );
        let file = self.folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let mut command = view::command("/usr/sbin/haproxy").unwrap();
        command.arg("-db").arg("-f").arg(&file);
        let running = Running::start(command, None, self.folder.path()).unwrap();
        let open = || TcpStream::connect((here, LDAPS)).is_ok();
        wait_until("the way to the tenant", 30, open, || running.said()).unwrap();
        self.running = Some(running);
    }

    fn cut(&mut self) {
        self.running = None;
    }
}

/// A Linux host whose accounts SSSD gets from the tenant.
struct Host {
    machine: Machine,
    _sssd: Running,
    _view: TempDir,
}

impl Host {
    fn start(stage: &Stage, way: &Way, by: &Credential) -> Self {
        let names = tempfile::tempdir().unwrap();
        let view = View::with_hosts(names.path().join("view"), &[(way.address.ip(), NAME)]).unwrap();
        let machine = Machine::with(
            &["/var/lib/sss", "/etc/nsswitch.conf"],
            &["/etc/sssd", "/etc/pam.d", "/run", "/var/log/sssd"],
        );
        let machine = machine.unwrap().seeing(view);
        machine.write("/etc/sssd/sssd.conf", &(sssd_conf(stage, by) + IMPATIENT), 0o600).unwrap();
        machine.write("/etc/nsswitch.conf", NSSWITCH, 0o644).unwrap();
        machine.write("/etc/pam.d/login", PAM, 0o644).unwrap();
        let mut command = machine.daemon("sssd").unwrap();
        command.args(["-i", "--logger=stderr"]);
        let sssd = Running::start(command, None, &machine.output()).unwrap();
        let serves = |socket: &str| machine.file("/var/lib/sss/pipes").join(socket).exists();
        wait_until("SSSD", 30, || serves("nss") && serves("pam"), || sssd.said()).unwrap();
        Self { machine, _sssd: sssd, _view: names }
    }

    fn run(&self, words: &[&str]) -> Finished {
        let mut command = self.machine.command(words[0]).unwrap();
        command.args(&words[1..]);
        run(command)
    }

    /// The names of somebody's groups; none when the host has no such user.
    fn groups(&self, name: &str) -> Option<Vec<String>> {
        let done = self.run(&["id", "--groups", "--name", "--zero", name]);
        if done.code != Some(0) {
            assert!(done.stderr.contains("no such user"), "{done}");
            return None;
        }
        let mut groups: Vec<String> = done.stdout.split_terminator('\0').map(str::to_owned).collect();
        groups.sort();
        Some(groups)
    }

    /// Signs in as at the console. Returns whether that succeeds.
    fn signs_in(&self, name: &str, password: &str) -> bool {
        let mut command = self.machine.command("pamtester").unwrap();
        command.args(["login", name, "authenticate", "acct_mgmt"]);
        let typed = format!("{password}\n{password}\n");
        let output = self.machine.output();
        let done = Running::start(command, Some(typed.as_bytes()), &output).unwrap().finish(60).unwrap();
        let said = format!("{}{}", done.stdout, done.stderr);
        let refused = said.contains("Authentication failure") || said.contains("User not known");
        assert_ne!(done.code == Some(0), refused, "{name}: {done}");
        !refused
    }
}

#[test]
fn a_host_has_names_groups_and_sign_ins_also_while_the_tenant_is_away() {
    for stage in stages() {
        let cast = stage.cast(CAST);
        stage.prepare(&cast);
        // One has what AD has for Unix; the others have what the tenant computes.
        let unix = json!({"uidNumber": "4021", "gecos": "Nested Person", "loginShell": "/bin/sh",
            "unixHomeDirectory": "/srv/homes/nested"});
        stage.domain.set_attributes(&cast.nested.sam, unix).unwrap();
        stage.sync();
        let seen: &[&str] = match stage.road {
            Road::Digest => &["--all-groups", "--people-connect", "yes"],
            Road::Agents => &["--see-group", "CORP\\Team", "--see-group", "CORP\\Domain Users"],
        };
        let by = stage.application("sssd", seen);
        let mut way = Way::open(stage);
        let address = way.address.ip().to_string();
        let apps = |words: &[&str]| {
            stage.tenant.run(&[&["apps"], words].concat(), None).unwrap().expect_code(0);
        };
        apps(&["networks", "sssd", "--add", &address]);
        let host = Host::start(stage, &way, &by);
        let Cast { direct, nested, stranger, disabled, expired, changed, .. } = &cast;
        let right = |who: &Person| host.signs_in(&who.sam, &who.password);
        // 1. Names, numbers and groups, also through groups.
        let line = host.run(&["getent", "passwd", &direct.sam]).expect_code(0).stdout;
        let uid = line.split(':').nth(2).unwrap();
        assert!(line.ends_with(&format!(":/home/{}:\n", direct.sam)), "{line}");
        assert_eq!(host.run(&["getent", "passwd", uid]).expect_code(0).stdout, line);
        let names = |groups: &[&str]| Some(groups.iter().map(|&name| name.to_owned()).collect());
        let own = host.run(&["getent", "passwd", "4021"]).expect_code(0).stdout;
        assert!(own.starts_with(&format!("{}:*:4021:", nested.sam)), "{own}");
        assert!(own.ends_with(":Nested Person:/srv/homes/nested:/bin/sh\n"), "{own}");
        assert_eq!(host.groups(&direct.sam), names(&[PRIMARY, "Staff"]));
        assert_eq!(host.groups(&nested.sam), names(&[PRIMARY, "Staff", "Team"]));
        assert_eq!(host.groups(&stranger.sam), None, "not assigned");
        let team = host.run(&["getent", "group", "Team"]).expect_code(0).stdout;
        assert!(team.contains(&nested.sam) && !team.contains(&direct.sam), "{team}");
        // 2. Signing in.
        assert!(right(direct) && right(nested) && right(changed), "{:?}", stage.road);
        assert!(!host.signs_in(&direct.sam, &direct.wrong_password()));
        for who in [stranger, disabled, expired] {
            assert!(!right(who), "{:?}: {}", stage.road, who.sam);
        }
        // 3. A password that changed in AD a moment before.
        let new = "Changed a moment before (4)";
        stage.domain.set_password(&changed.sam, new).unwrap();
        if stage.road == Road::Digest {
            stage.sync();
        }
        assert!(!right(changed));
        assert!(host.signs_in(&changed.sam, new));
        // 4. Without the tenant those sign in who have before, by the password of that time.
        way.cut();
        assert!(right(direct) && host.signs_in(&changed.sam, new));
        assert!(!right(changed) && !right(&cast.locked));
        assert_eq!(host.groups(&nested.sam), names(&[PRIMARY, "Staff", "Team"]));
        // 5. With the tenant again, those too who never have.
        way.reopen();
        wait_until("SSSD to find the tenant again", 60, || right(&cast.locked), String::new).unwrap();
        assert!(right(direct) && !right(disabled));
        // 6. Somebody in no group at all, when everybody is assigned.
        apps(&["assign", "sssd", "--everybody"]);
        let alone = person(CAST * crate::stage::PEOPLE + 9);
        assert_eq!(host.groups(&alone.sam), names(&[PRIMARY]));
        assert!(right(&alone));
    }
}
