//! What an administrator types into `[scope]`: distinguished names in every legal spelling, and names that their list
//! cannot have. The error is about what was typed, never about the domain controller.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::{Domain, PhsSettings, TenantSettings, person};
use serde_json::{Value, json};

const BASE: &str = "DC=corp,DC=example,DC=com";

fn scoped(prepare: impl FnOnce(&Domain)) -> Road {
    let domain = own_domain(20);
    prepare(&domain);
    let settings = PhsSettings::for_domain(&domain, "entra");
    Road::with(domain, &settings, &TenantSettings::default())
}

/// One entry of `[scope]`, as TOML has it.
fn configure(road: &Road, list: &str, name: &str) {
    let further = format!("[scope]\n{list} = [{}]\n", json!(name));
    let settings = PhsSettings { further, ..PhsSettings::for_domain(&road.domain, "entra") };
    road.phs.configure(&settings).unwrap();
}

fn once(road: &Road) -> Value {
    road.phs.once(&["--confirm-removals", "100"]).unwrap().expect_code(0).json()
}

#[test]
fn an_entry_is_found_in_every_legal_spelling() {
    let road = scoped(|domain| {
        for ou in ["OU=Odd", "OU=Sales\\, West", "OU=Zoë \\+ Co"] {
            domain.add(ou, json!({"objectClass": "organizationalUnit"})).unwrap();
        }
        domain.move_to(&person(1).sam, "OU=Odd").unwrap();
        domain.move_to(&person(2).sam, "OU=Sales\\, West").unwrap();
        domain.move_to(&person(3).sam, "OU=Zoë \\+ Co").unwrap();
        domain.create_group("Cloud").unwrap();
        domain.set_member("Cloud", &person(4).sam, true).unwrap();
    });
    for (list, name, who) in [
        ("include", "OU=Odd, DC=corp, DC=example, DC=com".to_owned(), 1),
        ("include", format!("ou = odd ; {}", BASE.replace(',', ";")), 1),
        ("include", format!("OID.2.5.4.11=Odd,{BASE}"), 1),
        ("include", format!("OU=#04034F6464,{BASE}"), 1),
        ("include", "OU=\"Odd\",dc=CORP,dc=EXAMPLE,dc=COM".to_owned(), 1),
        ("include", format!("OU=Sales\\, West,{BASE}"), 2),
        ("include", format!("OU=Sales\\2C West , {BASE}"), 2),
        ("include", format!("OU=\"Sales, West\",{BASE}"), 2),
        ("include", format!("OU=Zo\\C3\\AB \\2b Co,{BASE}"), 3),
        ("include", format!("OU=\"Zoë + Co\", {BASE}"), 3),
        ("groups", format!("cn=Cloud, cn=Users, {BASE}"), 4),
        ("groups", format!("CN=\"cloud\";CN=users;{BASE}"), 4),
    ] {
        configure(&road, list, &name);
        // What is typed is looked up again in every spelling.
        std::fs::remove_file(road.phs.database()).ok();
        let counts = once(&road);
        let carried = counts["in_scope"].as_u64().unwrap();
        assert_eq!(carried, 1, "{name}: {counts}");
        road.assert_in(&person(who).upn, &person(who).password);
        road.assert_out(&person(9).upn, &person(9).password);
        let check = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
        assert!(check.contains("is in the directory") && !check.contains("warn  scope"), "{name}: {check}");
    }
    configure(&road, "exclude", "ou=odd, DC=corp, DC=example, DC=com");
    once(&road);
    road.assert_out(&person(1).upn, &person(1).password);
    road.assert_in(&person(2).upn, &person(2).password);
    configure(&road, "password_groups", &format!("cn=cloud , CN=Users,{BASE}"));
    once(&road);
    road.assert_in(&person(4).upn, &person(4).password);
    road.assert_out(&person(2).upn, &person(2).password);
    // Another spelling of the same is the same scope, also after a rename that it does not know.
    road.domain.rename_container("CN=Cloud,CN=Users", "CN=Sky,CN=Users").unwrap();
    configure(&road, "password_groups", &format!("CN=\"Cloud\",cn=users,{BASE}"));
    once(&road);
    road.assert_in(&person(4).upn, &person(4).password);
}

#[test]
fn an_entry_that_its_list_cannot_have_is_said_by_check_and_by_the_cycle_with_what_to_do() {
    let road = scoped(|domain| domain.create_group("Cloud").unwrap());
    let user = road.domain.identity(&person(1).sam).unwrap().dn;
    for (list, name, says) in [
        ("include", format!("CN=Cloud,CN=Users,{BASE}"), "is a group: name it in `groups`"),
        ("exclude", format!("CN=Cloud,CN=Users,{BASE}"), "is a group: name it in `groups`"),
        ("groups", format!("OU=People,{BASE}"), "is no group: name OUs"),
        ("password_groups", format!("CN=Users,{BASE}"), "is no group: name OUs"),
        ("groups", user.clone(), "no group: make it a member"),
        ("include", user, "no OU or container"),
        ("groups", format!("CN=DC1,OU=Domain Controllers,{BASE}"), "is a computer"),
        ("groups", format!("CN=S-1-5-11,CN=ForeignSecurityPrincipals,{BASE}"), "of another domain"),
        ("include", format!("OU=Nowhere, {BASE}"), "does not hold: is it spelt as in the directory?"),
        (
            "include",
            "OU=People,DC=other,DC=example,DC=com".to_owned(),
            "is not in the domain corp.example.com",
        ),
        ("groups", "CN=Cloud".to_owned(), "is not in the domain corp.example.com"),
        ("include", format!("OU=People,,{BASE}"), "is no distinguished name"),
        ("include", "Staff".to_owned(), "is no distinguished name"),
    ] {
        configure(&road, list, &name);
        let refused = road.phs.once(&[]).unwrap().expect_code(3);
        assert!(refused.stderr.contains(says), "{name}: {refused}");
        let check = road.phs.run(&["check"], None).unwrap().expect_code(3);
        let said = format!("{}{}", check.stdout, check.stderr);
        assert!(said.contains(says), "{name}: {check}");
        for accusing in ["dc1.corp.example.com: ", "protocol", "domain controller broke"] {
            assert!(!refused.stderr.contains(accusing), "{name} accuses the DC: {refused}");
        }
    }
}

#[test]
fn a_first_sync_that_carries_nobody_warns_with_the_likely_reason() {
    let road = scoped(|domain| {
        domain.create_group("Empty").unwrap();
        domain.create_unit("Bare").unwrap();
    });
    let scope = |text: &str| {
        let settings = PhsSettings {
            further: format!("[scope]\n{text}\n"),
            ..PhsSettings::for_domain(&road.domain, "entra")
        };
        road.phs.configure(&settings).unwrap();
    };
    for (text, says) in [
        (
            "with = [\"mail=*@example.com\"]".to_owned(),
            "`with` mail=*@example.com: none of them has this value: a star is no wildcard",
        ),
        (
            "with = [\"department=Nowhere\"]".to_owned(),
            "`with` department=Nowhere: none of them has this value",
        ),
        (
            format!("groups = [\"CN=Empty,CN=Users,{BASE}\"]"),
            "none of them is in a group of `groups` (CN=Empty,",
        ),
        (format!("include = [\"OU=Bare,{BASE}\"]"), "none of them is in an OU of `include` (OU=Bare,"),
        (
            format!("exclude = [\"OU=People,{BASE}\", \"CN=Users,{BASE}\"]"),
            "`exclude` names the OUs of all of them",
        ),
    ] {
        scope(&text);
        let warned = road.phs.run(&["once"], None).unwrap().expect_code(10);
        let line = warned.stdout.lines().find(|line| line.starts_with("warn: nobody is carried"));
        assert!(line.is_some_and(|line| line.contains(says)), "{text}: {warned}");
        let check = road.phs.run(&["check"], None).unwrap().expect_code(0).stdout;
        assert!(
            check.lines().any(|line| line.starts_with("warn  scope") && line.contains(says)),
            "{text}: {check}"
        );
    }
    // The daemon warns too, until somebody is carried.
    scope(&format!("groups = [\"CN=Empty,CN=Users,{BASE}\"]"));
    let mut daemon = road.phs.start(&["run"], None).unwrap();
    let warns = road.wait_for_status("the status", |status| status["cycles"].as_u64() > Some(0));
    assert_eq!((warns.code, &warns.json()["state"]), (Some(10), &json!("warn")), "{warns}");
    assert!(warns.json()["why"].as_str().unwrap().contains("nobody is carried"), "{warns}");
    road.domain.set_member("Empty", &person(1).sam, true).unwrap();
    let well = road.wait_for_status("the status", |status| status["state"] == "healthy");
    assert_eq!(well.code, Some(0), "{well}");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.finish(30).unwrap().expect_code(0);
    road.assert_in(&person(1).upn, &person(1).password);
}
