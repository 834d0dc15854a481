//! What people's objects are like: texts that are none, values without end, names of any script. What describes a person
//! ends no sign-in; what decides goes to quarantine. Everything is on one list, and the list is the same everywhere.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::{Person, PhsSettings, PtaAgent, PtaSettings, TenantSettings, person};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Write as _, read_to_string};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

/// Half an emoji after a text: bytes that Samba takes for U+D83D alone.
fn half_a_character(before: &str) -> Value {
    let hex: String = before.bytes().chain([0xed, 0xa0, 0xbd]).map(|byte| format!("{byte:02x}")).collect();
    json!({ "hex": hex })
}

/// Writes a value past the DC's checks. An attribute replicates only if it was set before.
fn force(road: &Road, who: &Person, attribute: &str, before: &Value, value: &Value) {
    road.domain.set_attributes(&who.sam, json!({ attribute: before })).unwrap();
    road.domain.force_values(&who.sam, attribute, value).unwrap();
}

fn full(road: &Road) -> Value {
    road.phs.once(&["--full"]).unwrap().expect_code(0).json()
}

#[test]
fn a_title_with_half_an_emoji_is_left_out_and_listed_and_she_signs_in() {
    let road = Road::new(own_domain(20), "entra");
    let who = person(1);
    road.domain.set_attributes(&who.sam, json!({"title": "Countess"})).unwrap();
    road.once();
    let shown = || road.tenant.run(&["users", "show", &who.upn], None).unwrap().expect_code(0).stdout;
    assert!(shown().contains("Countess"));
    force(&road, &who, "title", &json!("Countess"), &half_a_character("Countess "));
    let counts = full(&road);
    assert_eq!((&counts["quarantined"], &counts["left_out"]), (&json!(0), &json!(1)), "{counts}");
    road.assert_in(&who.upn, &who.password);
    assert!(!shown().contains("Countess"), "the tenant shows no old value");
    let said = [
        road.phs.run(&["explain", &who.sam], None).unwrap().expect_code(0).stdout,
        road.phs.run(&["check"], None).unwrap().stdout,
    ];
    for said in said {
        let line = said.lines().find(|line| line.contains("title has a text with half a character"));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(&who.upn) && line.contains("sign-in works") && line.contains("CN="), "{line}");
    }
    // A password that changes meanwhile arrives.
    road.domain.set_password(&who.sam, "Neu & gut 44").unwrap();
    road.once();
    road.assert_in(&who.upn, "Neu & gut 44");
    // It is mended.
    road.domain.set_attributes(&who.sam, json!({"title": "Duchess"})).unwrap();
    road.once();
    assert!(shown().contains("Duchess"));
    let check = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
    assert!(!check.contains("to mend"), "{check}");
}

#[test]
fn no_attribute_for_people_ends_a_sign_in_however_odd_long_or_many_valued_it_is() {
    let road = Road::new(own_domain(30), "entra");
    let texts = [
        "displayName",
        "mail",
        "givenName",
        "sn",
        "department",
        "title",
        "telephoneNumber",
        "mobile",
        "company",
        "info",
    ];
    for (number, attribute) in (1..).zip(texts) {
        force(&road, &person(number), attribute, &json!("x"), &half_a_character("x"));
        force(&road, &person(number + 10), attribute, &json!("x"), &json!("я".repeat(9_000)));
    }
    let many: Vec<String> = (0..2_500).map(|n| format!("smtp:a{n}@example.com")).collect();
    road.domain.set_attributes(&person(21).sam, json!({"proxyAddresses": many})).unwrap();
    let mixed = json!(["SMTP:sound@example.com", half_a_character("smtp:odd@"), "smtp:a\u{7}b@example.com"]);
    force(&road, &person(22), "proxyAddresses", &json!(["SMTP:sound@example.com"]), &mixed);
    let controls = json!("A\u{7}da\u{202e}\u{fffe}");
    road.domain.set_attributes(&person(23).sam, json!({"displayName": controls, "title": " "})).unwrap();
    let counts = full(&road);
    assert_eq!(counts["quarantined"], 0, "{counts}");
    road.assert_everybody_gets_in();
    let list = road.phs.run(&["check", "--objects", "--json"], None).unwrap().expect_code(10).json();
    let listed = |number: u32| -> BTreeSet<String> {
        let dn = road.domain.identity(&person(number).sam).unwrap().dn;
        let of = list.as_array().unwrap().iter().filter(|one| one["name"] == dn.as_str());
        of.filter(|one| one["what"].as_str().unwrap().contains("sign-in works"))
            .map(|one| one["attribute"].as_str().unwrap().to_owned())
            .collect()
    };
    for (number, attribute) in (1..).zip(texts) {
        let expected = BTreeSet::from([attribute.to_owned()]);
        assert_eq!(listed(number), expected, "half a character in {attribute}");
        assert_eq!(listed(number + 10), expected, "9,000 letters in {attribute}");
    }
    for number in [21, 22] {
        assert_eq!(listed(number), BTreeSet::from(["proxyAddresses".to_owned()]), "{number}");
    }
    assert!(listed(23).is_empty());
    let addresses = |number: u32| {
        let shown = road.tenant.run(&["users", "show", &person(number).upn, "--json"], None).unwrap();
        shown.expect_code(0).json().to_string().matches("smtp:").count()
    };
    assert_eq!(addresses(21), 300);
}

#[test]
fn names_are_as_long_as_ad_has_them_in_any_script() {
    let road = Road::new(own_domain(20), "entra");
    let (cyrillic, chinese) = ("я".repeat(141), "中".repeat(256));
    for (number, name) in [&cyrillic, &chinese].into_iter().enumerate() {
        let values = json!({
            "objectClass": "group", "sAMAccountName": name, "displayName": name, "description": "о".repeat(1_024),
        });
        road.domain.add(&format!("CN=Long {number},OU=People"), values).unwrap();
        road.domain.set_member(name, &person(1).sam, true).unwrap();
    }
    let who = person(2);
    let upn = format!("{}@corp.example.com", "ж".repeat(500));
    road.domain
        .set_attributes(&who.sam, json!({"userPrincipalName": upn, "title": "т".repeat(128)}))
        .unwrap();
    let counts = road.once();
    assert_eq!((&counts["quarantined"], &counts["left_out"]), (&json!(0), &json!(0)), "{counts}");
    for name in [&cyrillic, &chinese] {
        let group = road.tenant.run(&["groups", "show", name, "--json"], None).unwrap().expect_code(0).json();
        assert_eq!(group[0]["accounts"], 1, "{group}");
    }
    road.assert_in(&upn, &who.password);
    road.assert_in(&format!("CORP\\{}", who.sam), &who.password);
}

#[test]
fn what_cannot_be_read_is_one_list_everywhere_the_same_and_never_well() {
    let domain = own_domain(20);
    let address = SocketAddr::new(domain.address(), 9465);
    let further = format!("[metrics]\nlisten = \"{address}\"\n");
    let settings = PhsSettings { further, ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &TenantSettings::default());
    let nine: Vec<Person> = (1..=9).map(person).collect();
    for who in &nine {
        force(&road, who, "userWorkstations", &json!("PC1"), &half_a_character("PC1"));
    }
    let counts = full(&road);
    assert_eq!(counts["quarantined"], 9, "{counts}");
    for who in &nine {
        road.assert_out(&who.upn, &who.password);
        road.assert_out(&format!("CORP\\{}", who.sam), &who.password);
    }
    road.assert_in(&person(10).upn, &person(10).password);
    // 1. Everywhere the same lines.
    let lines = |text: &str| -> BTreeSet<String> {
        let of = text.lines().filter(|line| line.contains("in quarantine since"));
        of.map(|line| line.trim_start_matches("warn").trim_start_matches("  to mend").trim().to_owned())
            .collect()
    };
    let checked = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
    let list = lines(&checked);
    assert_eq!(list.len(), 9, "{checked}");
    for who in &nine {
        let dn = road.domain.identity(&who.sam).unwrap().dn;
        let line = list.iter().find(|line| line.starts_with(&format!("{} ({dn})", who.upn)));
        let line = line.unwrap_or_else(|| panic!("{}: {list:#?}", who.sam));
        assert!(line.contains("userWorkstations has a text with half a character"), "{line}");
        assert!(line.contains("to do: mend it in the directory"), "{line}");
        let explained = road.phs.run(&["explain", &who.sam], None).unwrap().expect_code(0).stdout;
        assert_eq!(lines(&explained), BTreeSet::from([line.clone()]), "{explained}");
    }
    let objects = road.phs.run(&["check", "--objects", "--json"], None).unwrap().expect_code(10).json();
    let found: BTreeSet<&str> =
        objects.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(found.len(), 9, "{objects:#}");
    assert!(objects.as_array().unwrap().iter().all(|one| one["since"].is_i64()), "{objects:#}");
    // 2. The daemon is never well while the list is not empty, and says of what.
    let mut daemon = road.phs.start(&["run"], None).unwrap();
    let warns = road.wait_for_status("the status", |status| status["cycles"].as_u64() > Some(0));
    assert_eq!((warns.code, &warns.json()["state"]), (Some(10), &json!("warn")), "{warns}");
    assert_eq!(warns.json()["quarantined"], 9, "{warns}");
    let said = road.phs.run(&["status"], None).unwrap().stdout;
    assert!(said.starts_with("warn: 9 objects of the directory are in quarantine"), "{said}");
    assert_eq!(lines(&said), list);
    let scraped = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        read_to_string(stream).unwrap()
    };
    let health = scraped("/healthz");
    assert!(
        health.starts_with("HTTP/1.1 200") && health.contains("warn:") && !health.contains("ok\n"),
        "{health}"
    );
    let metrics = scraped("/metrics");
    for line in ["quarantined_objects 9", "left_out_attributes 0", "healthy 0", "warns 1"] {
        assert!(metrics.contains(&format!("\nlandbridge_phs_{line}\n")), "{line}: {metrics}");
    }
    // 3. It is well once all are mended.
    for who in &nine {
        road.domain.set_attributes(&who.sam, json!({"userWorkstations": null})).unwrap();
    }
    let well = road.wait_for_status("the status", |status| status["quarantined"] == 0);
    assert_eq!((well.code, &well.json()["state"]), (Some(0), &json!("healthy")), "{well}");
    road.assert_everybody_gets_in();
    daemon.signal(rustix::process::Signal::TERM);
    daemon.finish(30).unwrap().expect_code(0);
}

#[test]
fn where_the_dc_stores_no_nt_hashes_people_are_counted_and_named_and_agents_are_the_way_out() {
    let road = Road::new(own_domain(20), "entra");
    road.domain.set_option("nt hash store", "never").unwrap();
    for n in 0..20 {
        road.domain.set_password(&person(n).sam, &person(n).password).unwrap();
    }
    let once = road.phs.run(&["once"], None).unwrap().expect_code(0).stdout;
    assert!(once.contains("20  enabled accounts have no NT hash"), "{once}");
    assert!(once.contains("warn: all 20 enabled accounts") && once.contains("agents"), "{once}");
    road.assert_out(&person(1).upn, &person(1).password);
    let counts = road.once();
    assert_eq!((&counts["without_hash"], &counts["nobody"]), (&json!(20), &json!(false)), "{counts}");
    let check = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
    let line = check
        .lines()
        .find(|line| line.starts_with("warn  passwords") && line.contains("20 enabled accounts"));
    let line = line.unwrap_or_else(|| panic!("{check}"));
    assert!((0..20).all(|n| line.contains(&person(n).upn)) && line.contains("agents"), "{line}");
    let explained = road.phs.run(&["explain", &person(1).sam], None).unwrap().expect_code(0).stdout;
    assert!(explained.contains("nt hash store = never"), "{explained}");
    // Agents sign the same people in, by the keys that the directory has of their passwords.
    let agent = PtaAgent::start(&PtaSettings::for_domain(&road.domain), &road.tenant).unwrap();
    road.tenant.wait_for_connections(2, 30).unwrap();
    road.tenant.set_policy("pta").unwrap().expect_code(0);
    road.assert_everybody_gets_in();
    road.assert_out(&person(1).upn, &person(1).wrong_password());
    road.tenant.set_policy("phs").unwrap().expect_code(0);
    drop(agent);
    // Of phs's own account the hash is there, since its password is an older one. Once it has none, `check` says so even
    // before the first cycle.
    let settings = PhsSettings::for_domain(&road.domain, "entra");
    road.domain.set_password(&settings.account, &settings.password).unwrap();
    let keytab = road.domain.folder().join("fresh.keytab");
    road.domain.write_keytab(&settings.account, &keytab).unwrap();
    fs::set_permissions(&keytab, fs::Permissions::from_mode(0o600)).unwrap();
    road.phs.configure(&PhsSettings { keytab: Some(keytab), ..settings.clone() }).unwrap();
    let check = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
    let own = format!("{} has no NT hash", settings.account);
    assert!(check.lines().any(|line| line.starts_with("warn  passwords") && line.contains(&own)), "{check}");
    road.domain.set_option("nt hash store", "always").unwrap();
    for n in 0..19 {
        road.domain.set_password(&person(n).sam, &person(n).password).unwrap();
    }
    let mended = road.once();
    assert_eq!((&mended["without_hash"], &mended["warnings"]), (&json!(1), &json!([])), "{mended}");
    road.assert_in(&person(1).upn, &person(1).password);
}
