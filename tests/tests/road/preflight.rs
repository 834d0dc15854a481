//! What `check` finds: on a sound installation, and when an account can do more than it should, a clock is off, a
//! controller is found by DNS alone, a file is not as it should be.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::edits::{NEVER_EXPIRES, NORMAL};
use landbridge_tests::lab::fake_dns::FakeDns;
use landbridge_tests::lab::full_backlog::FullBacklog;
use landbridge_tests::lab::population::ACCOUNT_PASSWORD;
use landbridge_tests::lab::program::{Finished, Running};
use landbridge_tests::lab::view::with_clock_off;
use landbridge_tests::lab::{Domain, Phs, PhsSettings, Proof, SmallDisk, TenantSettings, person};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// One domain for all of these: each works with an account of its own.
static DOMAIN: LazyLock<Arc<Domain>> = LazyLock::new(|| own_domain(50));

/// ADS_UF_TRUSTED_FOR_DELEGATION
const DELEGATION: u32 = 0x8_0000;

/// An account with the two rights, and phs set up to use it.
fn delegate(name: &str) -> PhsSettings {
    DOMAIN.create(name, "another delegate's own (4)", NORMAL | NEVER_EXPIRES, "CN=Users").unwrap();
    DOMAIN.set_replication_rights(name, true).unwrap();
    let keytab = DOMAIN.folder().join(format!("{name}.keytab"));
    DOMAIN.write_keytab(name, &keytab).unwrap();
    fs::set_permissions(&keytab, fs::Permissions::from_mode(0o600)).unwrap();
    PhsSettings {
        account: name.to_owned(),
        keytab: Some(keytab),
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    }
}

fn road(settings: &PhsSettings) -> Road {
    Road::with(DOMAIN.clone(), settings, &TenantSettings::default())
}

/// The lines of `check` about this: whether each is well, and what it says.
fn lines(said: &Finished, what: &str) -> Vec<(bool, String)> {
    let all = said.json();
    let of = all.as_array().unwrap().iter().filter(|line| line["what"] == what);
    of.map(|line| (line["ok"].as_bool().unwrap(), line["detail"].as_str().unwrap().to_owned())).collect()
}

fn check(road: &Road) -> Finished {
    road.phs.run(&["check", "--json"], None).unwrap()
}

#[test]
fn before_the_enrolment_the_sid_that_the_tenant_needs_is_printed_and_the_rights_are_checked() {
    let phs = Phs::install(&PhsSettings::for_domain(&DOMAIN, "entra")).unwrap();
    let said = phs.run(&["check", "--json"], None).unwrap().expect_code(3);
    let (sid, of) = (DOMAIN.sid(), |what| lines(&said, what));
    let command = format!("`landbridge-tenant domains add --name corp.example.com --netbios … --sid {sid}`");
    assert!(of("domain").iter().any(|(ok, detail)| *ok && detail.contains(&command)), "{said}");
    assert!(of("replication").iter().all(|(ok, _)| *ok) && !of("replication").is_empty(), "{said}");
    assert!(of("account").iter().all(|(ok, _)| *ok) && !of("account").is_empty(), "{said}");
    assert_eq!(of("identity").len(), 1);
}

#[test]
fn a_sound_installation_is_told_point_by_point() {
    let road = road(&PhsSettings::for_domain(&DOMAIN, "entra"));
    let said = check(&road);
    assert_eq!(said.code, Some(0), "{said}");
    for (what, says) in [
        ("configuration", "phs.toml"),
        ("disk", "MiB free"),
        ("proxy", "none"),
        ("controller", "dc1.corp.example.com answers at 127."),
        ("controller", "ports 88, 135 and 49"),
        ("clock", "dc1.corp.example.com"),
        ("level", "2008 R2 (4)"),
        ("authentication", "accepts svc-landbridge"),
        ("replication", "may read changes and secrets"),
        ("account", "holds the two rights and no more"),
        ("tenant", "takes uploads"),
    ] {
        let lines = lines(&said, what);
        assert!(!lines.is_empty() && lines.iter().all(|(ok, _)| *ok), "{what}: {said}");
        assert!(lines.iter().any(|(_, detail)| detail.contains(says)), "{what}: {says}: {said}");
    }
    assert!(lines(&said, "watch").is_empty(), "nothing to say of it: {said}");
}

#[test]
fn a_report_for_developers_has_what_each_controller_offers_and_no_name_of_the_directory() {
    let road = road(&PhsSettings::for_domain(&DOMAIN, "entra"));
    let file = road.phs.folder().join("report.json");
    let report = ["check", "--report", file.to_str().unwrap()];
    road.phs.run(&report, None).unwrap().expect_code(0);

    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let dc = &json["controllers"][0];
    assert_eq!(dc["controller"], "<dc 1>");
    assert!(dc["root_dse"]["Ok"]["vendorname"][0].as_str().unwrap().contains("Samba"), "{text}");
    assert!(dc["root_dse"]["Ok"]["supportedcontrol"].as_array().unwrap().len() > 5, "{text}");
    assert!(dc["port"].as_u64().unwrap() >= 1024, "{text}");
    let bind = &dc["bound"]["Ok"];
    assert!(bind["length"].as_u64().unwrap() >= 28 && bind["epoch"] == 0, "{text}");
    assert!(bind["flags"].as_str().unwrap().starts_with("0x") && bind["has_site"] == true, "{text}");
    let page = &dc["first_page"]["Ok"];
    assert!(page["objects"].as_u64().unwrap() > 50 && page["attributes"]["sAMAccountName"][0] != 0, "{text}");
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["what"] == "controller" && one["ok"] == true), "{text}");
    let lower = text.to_lowercase();
    for name in ["corp.example.com", "dc=corp", "svc-landbridge", "dc1.", "127.0.", "s-1-5-21-", "cn=", "ou="]
    {
        assert!(!lower.contains(name), "{name}: {text}");
    }

    let again = road.phs.run(&report, None).unwrap();
    assert_eq!(again.code, Some(3), "{again}");
    assert!(again.to_string().contains("exists"), "{again}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "a report that is there stays");
}

#[test]
fn an_account_that_can_do_more_than_the_two_rights_is_told_by_what() {
    let excess = |name: &str, does: &dyn Fn(&str)| {
        let settings = delegate(name);
        does(name);
        let said = check(&road(&settings));
        let found: Vec<String> =
            lines(&said, "account").into_iter().filter(|(ok, _)| !ok).map(|(_, detail)| detail).collect();
        assert_eq!(said.code, Some(4), "{name}: {said}");
        assert!(!found.is_empty(), "{name}: {said}");
        assert!(found.iter().all(|line| line.contains(name)), "{found:?}");
        found.join("\n")
    };
    let backup = excess("svc-backup", &|name| DOMAIN.set_member("Backup Operators", name, true).unwrap());
    assert!(backup.contains("it is in CN=Backup Operators"), "{backup}");
    assert!(!backup.contains("Domain Admins"), "{backup}");

    // Through a group of the company's own.
    let admins = excess("svc-nested", &|name| {
        DOMAIN.create_group("Sync helpers").unwrap();
        DOMAIN.set_member("Sync helpers", name, true).unwrap();
        DOMAIN.set_member("Domain Admins", "Sync helpers", true).unwrap();
    });
    for group in ["Domain Admins", "Administrators"] {
        assert!(admins.contains(&format!("it is in CN={group}")), "{admins}");
    }
    DOMAIN.set_member("Domain Admins", "Sync helpers", false).unwrap();

    let marked = excess("svc-marked", &|name| {
        DOMAIN.set_attributes(name, json!({"adminCount": 1})).unwrap();
        DOMAIN.change_flags(name, DELEGATION, 0).unwrap();
    });
    assert!(marked.contains("adminCount") && marked.contains("TRUSTED_FOR_DELEGATION"), "{marked}");

    let primary = excess("svc-primary", &|name| {
        DOMAIN.set_member("Domain Admins", name, true).unwrap();
        DOMAIN.set_attributes(name, json!({"primaryGroupID": 512})).unwrap();
    });
    assert!(primary.contains("its primary group is 512"), "{primary}");

    let direct = excess("svc-direct", &|name| DOMAIN.grant_at_head(name, "(A;;WD;;;{sid})").unwrap());
    assert!(direct.contains("it holds at the domain's head: change rights"), "{direct}");

    // *Reset Password*, for all accounts below, through a group.
    let reset = excess("svc-reset", &|name| {
        DOMAIN.create_group("Password desk").unwrap();
        DOMAIN.set_member("Password desk", name, true).unwrap();
        let right =
            "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;{sid})";
        DOMAIN.grant_at_head("Password desk", right).unwrap();
    });
    assert!(reset.contains("through CN=Password desk") && reset.contains("an extended right"), "{reset}");
    assert!(reset.contains("00299570-246d-11d0-a768-00aa006e0529"), "{reset}");
}

#[test]
fn a_clock_that_is_off_is_named_with_its_size() {
    let road = road(&PhsSettings::for_domain(&DOMAIN, "entra"));
    for (offset, seconds, way, code) in
        [("+2h", 7200, "behind", 4), ("-40m", 2400, "ahead of", 4), ("+90s", 90, "behind", 0)]
    {
        let real = road.phs.command(&["check", "--json"]).unwrap();
        let fake = with_clock_off(offset, &real);
        let said = Running::start(fake, None, &road.phs.output()).unwrap().finish(120).unwrap();
        assert_eq!(said.code, Some(code), "{offset}: {said}");
        let clock = lines(&said, "clock");
        let named =
            |off: i64| format!("dc1.corp.example.com is {} s {way} this machine: synchronise", seconds + off);
        let is_named = clock
            .iter()
            .any(|(ok, line)| *ok == (code == 0) && (-3..=3).any(|off| line.starts_with(&named(off))));
        assert!(is_named, "{offset}: {said}");
    }
}

/// What phs logs of a name that DNS alone has.
const FOREIGN: &str = "DNS names a domain controller that the directory does not have";

#[test]
fn controllers_that_dns_tells_are_used_in_their_order_and_one_that_is_dead_is_passed_over() {
    let settings = PhsSettings {
        controller: String::new(),
        schedule: "poll_seconds = 5",
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    let road = road(&settings);
    let IpAddr::V4(controller) = DOMAIN.address() else { panic!("the lab's DC has an IPv4 address") };
    let dead = Address::claim().unwrap();
    let IpAddr::V4(dead) = dead.ip() else { panic!("the lab's addresses are IPv4") };
    let named = vec![
        ("dc.elsewhere.example.net".to_owned(), controller),
        ("dc0.corp.example.com".to_owned(), dead),
        ("dc1.corp.example.com".to_owned(), controller),
    ];
    let dns = FakeDns::serve("corp.example.com", named).unwrap();
    let inside = |arguments: &[&str]| {
        let mut command = road.phs.command(arguments).unwrap();
        dns.show_to(&mut command);
        Running::start(command, None, &road.phs.output()).unwrap()
    };
    let said = inside(&["check", "--json"]).finish(120).unwrap().expect_code(0);
    let named = &lines(&said, "dns")[0];
    assert!(
        named.0 && named.1.starts_with("names dc0.corp.example.com, dc1.corp.example.com; "),
        "{named:?}"
    );
    let controllers = lines(&said, "controller");
    assert!(
        controllers[0].1.contains("dc0.corp.example.com") && controllers[0].1.ends_with("others are used")
    );
    assert!(controllers[1].1.starts_with("dc1.corp.example.com answers"), "{controllers:?}");
    assert!(said.stderr.contains("outside the domain"), "{said}");

    // The first contact takes the names of DNS as they are.
    let once = inside(&["once", "--json"]).finish(120).unwrap().expect_code(0);
    assert!(once.stderr.contains("dc0.corp.example.com") && !once.stderr.contains(FOREIGN), "{once}");
    road.assert_everybody_gets_in();
    // From then on a name must be that of a domain controller in the directory, which dc0 is not.
    let again = inside(&["once", "--json"]).finish(120).unwrap().expect_code(0);
    assert!(again.stderr.contains(FOREIGN) && again.stderr.contains("dc0.corp.example.com"), "{again}");

    // And the daemon watches there.
    let mut daemon = inside(&["run"]);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = road.phs.run(&["status", "--json"], None).unwrap();
        if status.code == Some(0) && status.json()["watching"] == "dc1.corp.example.com" {
            break;
        }
        assert!(Instant::now() < until, "{status}\n{}", daemon.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);

    // Where DNS names no domain controller that the directory has, none is asked.
    let other =
        FakeDns::serve("corp.example.com", vec![("member.corp.example.com".to_owned(), controller)]).unwrap();
    let mut once = road.phs.command(&["once"]).unwrap();
    other.show_to(&mut once);
    let refused = Running::start(once, None, &road.phs.output()).unwrap().finish(60).unwrap().expect_code(4);
    assert!(
        refused.stderr.contains("DNS names member.corp.example.com, and no domain controller"),
        "{refused}"
    );

    // Without such a server it is said what is missing, and what to do.
    for arguments in [&["check"][..], &["once"]] {
        let without = road.phs.run(arguments, None).unwrap().expect_code(5);
        assert!(without.to_string().contains("[[directory.controllers]]"), "{without}");
    }
}

#[test]
fn a_controller_whose_first_address_takes_no_connection_is_read_at_its_second_after_one_short_delay() {
    let settings = PhsSettings {
        controller: String::new(),
        level: "debug",
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    let road = road(&settings);
    let IpAddr::V4(controller) = DOMAIN.address() else { panic!("the lab's DC has an IPv4 address") };
    let silent = Address::claim().unwrap();
    let IpAddr::V4(first) = silent.ip() else { panic!("the lab's addresses are IPv4") };
    let _full = FullBacklog::at(silent.ip(), &[88, 135, 389]).unwrap();
    let name = || "dc1.corp.example.com".to_owned();
    let two = FakeDns::serve("corp.example.com", vec![(name(), first), (name(), controller)]).unwrap();
    let inside = |dns: &FakeDns, arguments: &[&str]| {
        let mut command = road.phs.command(arguments).unwrap();
        dns.show_to(&mut command);
        Running::start(command, None, &road.phs.output()).unwrap().finish(120).unwrap().expect_code(0)
    };
    let said = inside(&two, &["check", "--json"]);
    let answers = format!("dc1.corp.example.com answers at {controller}, ports 88, 135");
    assert!(lines(&said, "controller")[0].1.starts_with(&answers), "{said}");
    // A comparison of all accounts makes several connections: to the endpoint mapper, the KDC, and the port for
    // replication. The first of them finds out which address works.
    let both = inside(&two, &["once", "--full"]);
    let delays = both.stderr.matches("an address does not answer at once").count();
    let connections = both.stderr.matches("a connection is made").count();
    assert!(delays == 1 && connections > 3, "{delays} delays, {connections} connections: {}", both.stderr);
}

#[test]
fn a_configuration_and_a_password_file_that_windows_saved_are_taken() {
    let settings = PhsSettings {
        proof: Proof::Password,
        password: format!("\u{feff}{ACCOUNT_PASSWORD}\r\n\r\n"),
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    let road = road(&settings);
    let text = fs::read_to_string(road.phs.config()).unwrap().replace('\n', "\r\n");
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for saved in [format!("\u{feff}{text}").into_bytes(), wide] {
        fs::write(road.phs.config(), saved).unwrap();
        let said = check(&road);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(lines(&said, "authentication").iter().all(|(ok, _)| *ok), "{said}");
    }
    // A keytab in its place would be a wrong password, which AD counts. It is named before.
    let password = road.phs.folder().join("password");
    fs::copy(DOMAIN.keytab(), &password).unwrap();
    let said = check(&road);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(lines(&said, "credential")[0].1.contains("is a keytab, not a password"), "{said}");
}

#[test]
fn a_configuration_that_others_write_and_a_disk_without_room_are_told() {
    let road = road(&PhsSettings::for_domain(&DOMAIN, "entra"));
    fs::set_permissions(road.phs.config(), fs::Permissions::from_mode(0o664)).unwrap();
    let said = check(&road);
    assert_eq!(said.code, Some(3), "{said}");
    let (ok, detail) = lines(&said, "configuration").remove(0);
    assert!(!ok && detail.contains("0664") && detail.contains("chmod go-w"), "{detail}");
    // It was only looked at.
    fs::set_permissions(road.phs.config(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(check(&road).code, Some(0));
    road.once();
    let who = person(1);
    road.assert_in(&who.upn, &who.password);

    let disk = SmallDisk::of(20_000).unwrap();
    let state = Some(disk.folder().unwrap().join("state"));
    let small = self::road(&PhsSettings { state, ..PhsSettings::for_domain(&DOMAIN, "entra") });
    let said = check(&small);
    assert_eq!(said.code, Some(8), "{said}");
    let (ok, detail) = lines(&said, "disk").remove(0);
    assert!(!ok && detail.starts_with("19 MiB free") && detail.contains("make room"), "{detail}");
}
