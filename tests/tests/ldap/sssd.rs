//! SSSD: names, groups and sign-ins of a Linux host, online and without the tenant, and changes of password.

use crate::stage::{BASE, Cast, Credential, PEOPLE, Road, STAFF, Stage, run, run_with, stages};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Finished, Running, wait_until};
use landbridge_tests::lab::view::{self, View};
use landbridge_tests::lab::{Machine, Person, person};
use serde_json::json;
use std::fs;
use std::net::{IpAddr, TcpStream};
use tempfile::TempDir;

/// The numbers of the tests' people.
const CAST: u32 = 2;
const CHANGING_CAST: u32 = 11;
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

/// Debian's `common-password` as the packages libpam-sss and libpam-pwquality leave it, and a session. `dictcheck=0`: the
/// dictionary is in a package that is only recommended.
const PAM_PASSWORD: &str = "\
password requisite pam_pwquality.so retry=3 dictcheck=0
password [success=2 default=ignore] pam_unix.so obscure use_authtok try_first_pass yescrypt
password sufficient pam_sss.so use_authtok
password requisite pam_deny.so
password required pam_permit.so
session required pam_permit.so
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
        for program in ["login", "su", "passwd"] {
            machine.write(&format!("/etc/pam.d/{program}"), &format!("{PAM}{PAM_PASSWORD}"), 0o644).unwrap();
        }
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

    /// Runs `passwd` as somebody, who types these lines.
    fn passwd(&self, name: &str, typed: &[&str]) -> Finished {
        let id = |which: &str| self.run(&["id", which, name]).expect_code(0).stdout.trim().to_owned();
        let (user, group) = (format!("--reuid={}", id("--user")), format!("--regid={}", id("--group")));
        let mut command = self.machine.command("setpriv").unwrap();
        command.args([&user, &group, "--clear-groups", "passwd"]);
        run_with(command, Some(lines(typed).as_bytes()))
    }

    /// Runs `id` as somebody through `su`, which asks for the password and has it changed if it must be.
    fn su(&self, name: &str, typed: &[&str]) -> Finished {
        let mut command = self.machine.command("su").unwrap();
        command.args(["--command", "id --user --name", name]);
        run_with(command, Some(lines(typed).as_bytes()))
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

/// What somebody types, line by line.
fn lines(typed: &[&str]) -> String {
    typed.iter().map(|line| format!("{line}\n")).collect()
}

/// An application to which connections over a way belong. It ends before the way: the way's address may be another one's then.
struct Belonging<'a> {
    stage: &'a Stage,
    application: &'static str,
    address: String,
}

impl<'a> Belonging<'a> {
    fn of(stage: &'a Stage, application: &'static str, way: &Way) -> Self {
        let belonging = Self { stage, application, address: way.address.ip().to_string() };
        belonging.change("--add");
        belonging
    }

    fn change(&self, change: &str) {
        let command = ["apps", "networks", self.application, change, &self.address];
        self.stage.tenant.run(&command, None).unwrap().expect_code(0);
    }
}

impl Drop for Belonging<'_> {
    fn drop(&mut self) {
        self.change("--remove");
    }
}

#[test]
fn people_change_their_passwords_with_passwd_and_on_the_way_in_when_they_have_expired() {
    for stage in stages() {
        let cast = stage.cast(CHANGING_CAST);
        stage.prepare(&cast);
        let (must, soon) = (person(CHANGING_CAST * PEOPLE + 8), &cast.nested);
        stage.domain.set_member(STAFF, &must.sam, true).unwrap();
        stage.domain.must_change(&must.sam).unwrap();
        stage.domain.age_password(&cast.changed.sam, 400).unwrap();
        // Of the 180 days that a password lasts in the lab.
        stage.domain.age_password(&soon.sam, 168).unwrap();
        stage.sync();
        let by = stage.application("sssd-passwords", &["--all-groups"]);
        let way = Way::open(stage);
        let _belonging = Belonging::of(stage, "sssd-passwords", &way);
        let host = Host::start(stage, &way, &by);
        let follow = || {
            if stage.road == Road::Digest {
                stage.sync();
            }
        };
        // 1. A reason of AD, which SSSD shows; then another password.
        let Person { sam, password, .. } = &cast.direct;
        let (short, new) = ("Zu-Ku4z!bt", "Zweite-Werft-2!");
        let refused = host.passwd(sam, &[password, short, short]);
        let words = "Server message: the new password is too short: it needs 12 characters";
        assert!(refused.code != Some(0) && refused.stdout.contains(words), "{refused}");
        assert!(host.signs_in(sam, password), "{:?}", stage.road);
        let wrong = host.passwd(sam, &[&cast.direct.wrong_password(), new, new]);
        assert!(wrong.code != Some(0) && wrong.stdout.contains("Old password not accepted"), "{wrong}");
        host.passwd(sam, &[password, new, new]).expect_code(0);
        follow();
        assert!(host.signs_in(sam, new) && !host.signs_in(sam, password), "{:?}", stage.road);
        // 2. Expired, or to be changed at the next sign-in: the program that signs in has it changed.
        for Person { sam, password, .. } in [&cast.changed, &must] {
            let new = "Dritte-Werft-3!";
            let inside = host.su(sam, &[password, password, new, new]).expect_code(0);
            let said: Vec<&str> = inside.stdout.lines().collect();
            assert_eq!(said, ["Password expired. Change your password now.", sam], "{inside}");
            follow();
            let again = host.su(sam, &[new]).expect_code(0);
            assert_eq!(again.stdout.trim(), sam, "{again}");
            assert_ne!(host.su(sam, &[password]).code, Some(0));
        }
        // 3. A warning.
        let warned = host.su(&soon.sam, &[&soon.password]).expect_code(0);
        assert!(warned.stdout.starts_with("Your password will expire in "), "{warned}");
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
        let apps = |words: &[&str]| {
            stage.tenant.run(&[&["apps"], words].concat(), None).unwrap().expect_code(0);
        };
        let _belonging = Belonging::of(stage, "sssd", &way);
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
