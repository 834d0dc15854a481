//! The lab keeps its own promises: a domain that serves, and nothing left of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::edits::DISABLED;
use landbridge_tests::lab::fake_dns::FakeDns;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::{
    Application, Domain, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant, TenantSettings,
    Try, person,
};
use std::fs;
use std::net::{IpAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_domain_serves_takes_edits_survives_a_kill_and_is_gone_afterwards() {
    let hosts = std::fs::read("/etc/hosts").unwrap();
    let began = std::time::Instant::now();
    let domain = Domain::start(Population::of(50)).unwrap();
    println!("up after {:.2?}", began.elapsed());
    let user = person(7).sam;
    let before = domain.identity(&user).unwrap();
    assert!(before.sid.starts_with(domain.sid()), "{before:?}");
    domain.set_password(&user, "another \u{1f980} one").unwrap();
    domain.change_flags(&user, DISABLED, 0).unwrap();
    domain.set_enabled(&user, true).unwrap();
    domain.age_password(&user, 400).unwrap();
    domain.must_change(&user).unwrap();
    domain.account_ends_in(&user, -60).unwrap();
    domain.set_member("Domain Admins", &user, true).unwrap();
    domain.set_member("Domain Admins", &user, false).unwrap();
    domain.rename(&user, "renamed").unwrap();
    assert_eq!(domain.identity("renamed").unwrap().guid, before.guid);
    domain.delete("renamed").unwrap();
    domain.identity("renamed").unwrap_err();
    domain.create("fresh", "a password", 0x200, "OU=People").unwrap();
    domain.set_replication_rights("svc-landbridge", false).unwrap();
    domain.set_replication_rights("svc-landbridge", true).unwrap();
    let keytab = domain.folder().join("another.keytab");
    domain.write_keytab("fresh", &keytab).unwrap();
    assert!(keytab.metadata().unwrap().len() > 50);

    domain.kill_controller().unwrap();
    let ldap = (domain.address(), 389);
    TcpStream::connect(ldap).unwrap_err();
    domain.start_controller().unwrap();
    TcpStream::connect(ldap).unwrap();

    let folder = domain.folder().to_path_buf();
    drop(domain);
    TcpStream::connect(ldap).unwrap_err();
    assert!(!folder.exists());
    assert_eq!(std::fs::read("/etc/hosts").unwrap(), hosts);
}

/// The child of the next test: makes a domain, says so, and waits to be killed.
#[test]
#[ignore = "run by the next test only"]
fn a_process_that_holds_a_domain() {
    let domain = Domain::start(Population::of(50)).unwrap();
    println!("holding {} {}", domain.address(), domain.folder().display());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_process_that_is_killed_leaves_no_domain_behind() {
    use std::io::{BufRead as _, BufReader};
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_holds_a_domain", "--ignored", "--nocapture"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said =
        lines.filter_map(|line| line.split_once("holding ").map(|(_, rest)| rest.to_owned())).next().unwrap();
    let (address, folder) = said.split_once(' ').unwrap();
    let ldap: std::net::SocketAddr = format!("{address}:389").parse().unwrap();
    TcpStream::connect(ldap).unwrap();
    // Two processes never claim one address.
    let claims: Vec<Address> = (0..8).map(|_| Address::claim().unwrap()).collect();
    assert!(claims.iter().all(|claim| claim.ip() != ldap.ip()), "{claims:?}");
    drop(claims);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let gone = || TcpStream::connect(ldap).is_err() && !std::path::Path::new(folder).exists();
    wait_until("the watchdog", 10, gone, String::new).unwrap();
}

/// Lays the files of a folder over the machine's in a mount namespace, gives the machine another name, and lets
/// everybody write what is created.
const ON_A_HOSTILE_HOST: &str = "
set -e
for file in hosts resolv.conf nsswitch.conf samba/smb.conf ldap/ldap.conf; do
    [ ! -e /etc/$file ] || mount --bind \"$1/$(basename $file)\" /etc/$file
done
echo dc1 >/proc/sys/kernel/hostname
umask 000
shift
exec \"$@\"
";

/// The child of the next test: what resolves names and reads configuration, each by the lab's own.
#[test]
#[ignore = "run by the next test only"]
fn a_lab_with_every_kind_of_name_resolution() {
    let domain = Domain::start(Population::of(50)).unwrap();
    let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
    let settings = PhsSettings { controller: String::new(), ..PhsSettings::for_domain(&domain, "entra") };
    let phs = Phs::install(&settings).unwrap();
    phs.join(&tenant).unwrap();
    let agent = PtaAgent::install(&PtaSettings { controllers: vec![], ..PtaSettings::for_domain(&domain) });
    let agent = agent.unwrap();
    agent.join(&tenant).unwrap();

    // Without a DNS server no name resolves, whatever the machine's hosts file says.
    let said = phs.run(&["check"], None).unwrap().expect_code(5);
    assert!(said.to_string().contains("[[directory.controllers]]"), "{said}");
    agent.run_to_end(&["check"], None).unwrap().expect_code(5);

    // With one, its answers count.
    let IpAddr::V4(controller) = domain.address() else { panic!("the lab's DC has an IPv4 address") };
    let named = vec![("dc1.corp.example.com".to_owned(), controller)];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let run = |mut command: Command, output: PathBuf| {
        dns.show_to(&mut command);
        Running::start(command, None, &output).unwrap().finish(60).unwrap().expect_code(0)
    };
    run(phs.command(&["check"]).unwrap(), phs.output());
    run(phs.command(&["once"]).unwrap(), phs.output());
    run(agent.command(&["check"]).unwrap(), agent.output());
    let (who, app) = (person(1), Application::of(&tenant, "lab").unwrap());
    assert!(app.sign_in(&Try::from(1, &who.upn, &who.password)).unwrap().accepted());
    assert_eq!(domain.bare_bind(&who.upn, &who.password).unwrap(), None);

    // Samba's own tools find both DCs by name.
    domain.join_second().unwrap().replicate().unwrap();
}

#[test]
fn a_lab_does_not_depend_on_the_hosts_names_umask_environment_and_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Address::claim().unwrap().ip();
    let names = ["localhost", "dc1.corp.example.com", "dc2.corp.example.com", "corp.example.com", "dc1"];
    for (file, content) in [
        ("hosts", names.map(|name| format!("{elsewhere} {name}\n")).concat()),
        ("resolv.conf", format!("nameserver {elsewhere}\nsearch corp.example.com\n")),
        ("nsswitch.conf", "hosts: files\npasswd: files\n".to_owned()),
        (
            "smb.conf",
            "[global]\nworkgroup = ELSEWHERE\nrealm = ELSEWHERE\nserver role = member server\n".to_owned(),
        ),
        ("ldap.conf", "URI ldap://dc1\nTLS_CACERT /nowhere/ca.pem\n".to_owned()),
    ] {
        fs::write(folder.path().join(file), content).unwrap();
    }
    let mut child = Command::new("unshare");
    child.args(["--mount", "--uts", "sh", "-c", ON_A_HOSTILE_HOST, "sh"]).arg(folder.path());
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", "a_lab_with_every_kind_of_name_resolution", "--ignored", "--nocapture"]);
    for name in
        ["HOME", "KRB5_CONFIG", "KRB5CCNAME", "SMB_CONF_PATH", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"]
    {
        child.env(name, "/nowhere");
    }
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, format!("http://{elsewhere}:3128"));
    }
    child.envs([("LANG", "de_DE.UTF-8"), ("TZ", "Pacific/Kiritimati"), ("RUST_LOG", "trace")]);
    let ended = child.output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn the_timing_trials_that_the_makefile_leaves_out_exist() {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(tests.join("../Makefile")).unwrap().replace("\\\n", "");
    let named = makefile.lines().find_map(|line| line.strip_prefix("TIMING_TRIALS := ")).unwrap();
    let sources = ["pta/times.rs", "pta/ldap_times.rs", "pta/lying_tenant.rs", "road/lockout.rs"];
    let text = sources.map(|file| fs::read_to_string(tests.join("tests").join(file)).unwrap()).concat();
    for name in named.split_whitespace() {
        assert!(text.contains(&format!("fn {name}()")), "{name}");
    }
    assert_eq!(named.split_whitespace().count(), 5);
}
