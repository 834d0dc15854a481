//! Who is never carried, whatever the configuration includes: the account that phs reads with, who can read or set every
//! password of the domain, and the accounts that AD itself needs.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::edits::{NEVER_EXPIRES, NORMAL};
use landbridge_tests::lab::population::{ADMINISTRATOR_PASSWORD, DOMAIN as NAME};
use landbridge_tests::lab::{Domain, Person, PhsSettings, Proof, TenantSettings, person};
use std::sync::{Arc, LazyLock};

/// One domain for most of these: each test changes people of its own.
static DOMAIN: LazyLock<Arc<Domain>> = LazyLock::new(|| own_domain(50));

/// *Replicating Directory Changes All*, for an account or group.
const GET_CHANGES_ALL: &str = "(OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;{sid})";

/// A road whose phs includes these accounts, at a tenant that lets privileged accounts in.
fn road_for(domain: &Arc<Domain>, include: &[&str]) -> Road {
    let include = include.iter().map(|sam| domain.identity(sam).unwrap().sid).collect();
    let settings = PhsSettings { include, ..PhsSettings::for_domain(domain, "entra") };
    let willing = TenantSettings { domain_flags: &["--allow-privileged"], ..TenantSettings::default() };
    Road::with(domain.clone(), &settings, &willing)
}

/// The tenant has a row of the account.
fn is_known(road: &Road, sam: &str) -> bool {
    let guid = road.domain.identity(sam).unwrap().guid;
    let row = "SELECT count(*) FROM objects WHERE object = ?1 AND presence = 'present'";
    let database = road.tenant.open_database().unwrap();
    database.query_row(row, [guid.as_bytes()], |row| row.get::<_, i64>(0)).unwrap() > 0
}

#[track_caller]
fn assert_gone(road: &Road, who: &Person) {
    road.assert_out(&who.upn, &who.password);
    let guid = road.domain.identity(&who.sam).unwrap().guid;
    assert!(!is_known(road, &who.sam) && !road.tenant.holds_digest(guid).unwrap(), "{}", who.sam);
}

/// The lines of `explain` that say why.
fn why(road: &Road, sam: &str) -> String {
    road.phs.run(&["explain", sam], None).unwrap().expect_code(0).stdout
}

#[test]
fn the_replication_account_the_administrator_and_every_krbtgt_stay_though_both_sides_name_them() {
    let delegate = PhsSettings::for_domain(&DOMAIN, "entra");
    DOMAIN
        .create("krbtgt_AzureAD", "A password of the cloud (1)", NORMAL | NEVER_EXPIRES, "CN=Users")
        .unwrap();
    let names = [&*delegate.account, "Administrator", "Guest", "krbtgt_AzureAD"];
    let road = road_for(&DOMAIN, &names);
    let summary = road.once();
    assert!(summary["never"].as_u64().unwrap() >= 1, "{summary}");
    for name in names {
        assert!(!is_known(&road, name), "{name}");
    }
    road.assert_out(&format!("{}@{NAME}", delegate.account), &delegate.password);
    road.assert_out("CORP\\Administrator", ADMINISTRATOR_PASSWORD);
    road.assert_out(&format!("krbtgt_AzureAD@{NAME}"), "A password of the cloud (1)");
    assert!(why(&road, &delegate.account).contains("phs reads with it"));
    // Nothing of it is in the tenant at all.
    let guid = DOMAIN.identity(&delegate.account).unwrap().guid;
    let rows = "SELECT count(*) FROM objects WHERE object = ?1";
    let database = road.tenant.open_database().unwrap();
    assert_eq!(database.query_row(rows, [guid.as_bytes()], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_right_over_every_password_takes_its_holder_out_with_the_next_cycle_and_the_guard_holds_nobody() {
    let [direct, nested, below, whole, primary] = [21, 22, 23, 24, 27].map(person);
    let road = road_for(&DOMAIN, &[&direct.sam, &nested.sam]);
    road.once();
    for who in [&direct, &nested, &below, &whole, &primary] {
        road.assert_in(&who.upn, &who.password);
    }
    DOMAIN.set_replication_rights(&direct.sam, true).unwrap();
    for group in ["Inner readers", "Outer readers"] {
        DOMAIN.create_group(group).unwrap();
    }
    DOMAIN.set_member("Inner readers", &nested.sam, true).unwrap();
    DOMAIN.set_member("Outer readers", "Inner readers", true).unwrap();
    DOMAIN.set_member("Inner readers", &primary.sam, true).unwrap();
    let rid = DOMAIN.identity("Inner readers").unwrap().sid.rsplit('-').next().unwrap().to_owned();
    DOMAIN.set_attributes(&primary.sam, serde_json::json!({"primaryGroupID": rid})).unwrap();
    DOMAIN.grant_at_head("Outer readers", GET_CHANGES_ALL).unwrap();
    DOMAIN.grant_at_head(&whole.sam, "(A;;WD;;;{sid})").unwrap();
    // For the objects below the head alone, and one right of many: neither reaches every password.
    DOMAIN.grant_at_head(&below.sam, "(A;CIIO;GA;;;{sid})").unwrap();
    DOMAIN.grant_at_head(&below.sam, "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})").unwrap();
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["held"]), (&"incremental".into(), &0.into()), "{summary}");
    for who in [&direct, &nested, &whole, &primary] {
        assert_gone(&road, who);
    }
    road.assert_in(&below.upn, &below.password);
    // `check` and `explain` name them and their rights.
    let said = road.phs.run(&["check"], None).unwrap().stdout;
    for (who, right) in [(&direct, "Changes All"), (&nested, "Changes All"), (&whole, "changing rights")] {
        let name = &DOMAIN.identity(&who.sam).unwrap().dn;
        let named = said
            .lines()
            .any(|line| line.contains("held back") && line.contains(name) && line.contains(right));
        assert!(named, "{name} and {right}: {said}");
        let why = why(&road, &who.sam);
        assert!(why.contains("never carried") && why.contains(right), "{why}");
    }
    let by_primary = format!("{} (primary group ", primary.upn);
    assert!(said.lines().any(|line| line.contains(&by_primary) && line.contains("Changes All")), "{said}");
    assert!(why(&road, &nested.sam).contains("through Inner readers in Outer readers"));
    // Without the right they are back, with their passwords.
    DOMAIN.set_replication_rights(&direct.sam, false).unwrap();
    DOMAIN.set_member("Inner readers", &nested.sam, false).unwrap();
    road.once();
    for who in [&direct, &nested] {
        road.assert_in(&who.upn, &who.password);
    }
    assert_gone(&road, &whole);
}

#[test]
fn groups_of_the_configuration_are_held_back_and_one_that_is_unknown_ends_the_cycle() {
    let who = person(31);
    DOMAIN.create_group("Also held back").unwrap();
    DOMAIN.set_member("Also held back", &who.sam, true).unwrap();
    let group = DOMAIN.identity("Also held back").unwrap().sid;
    let unknown = format!("{}-999999", DOMAIN.sid());
    let mut settings =
        PhsSettings { also: vec![unknown.clone()], ..PhsSettings::for_domain(&DOMAIN, "entra") };
    let road = Road::with(DOMAIN.clone(), &settings, &TenantSettings::default());
    let refused = road.phs.once(&[]).unwrap().expect_code(3);
    assert!(refused.stderr.contains(&unknown), "{refused}");
    settings.also.clear();
    road.phs.configure(&settings).unwrap();
    road.once();
    road.assert_in(&who.upn, &who.password);
    settings.also = vec![group];
    road.phs.configure(&settings).unwrap();
    road.once();
    assert_gone(&road, &who);
    assert!(why(&road, &who.sam).contains("[privileged] also"));
}

#[test]
fn a_right_for_all_users_is_named_before_anything_is_sent_and_taken_when_it_is_confirmed() {
    let domain = own_domain(50);
    let settings = PhsSettings { proof: Proof::Keytab, ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain.clone(), &settings, &TenantSettings::default());
    road.once();
    domain.grant_at_head("Domain Users", "(A;;WP;;;{sid})").unwrap();
    let refused = road.phs.once(&[]).unwrap().expect_code(4);
    for says in ["Domain Users", "writing every attribute", "--confirm-removals", "must act"] {
        assert!(refused.stderr.contains(says), "{says}: {refused}");
    }
    road.assert_everybody_gets_in();
    let held = refused.stderr.split("--confirm-removals ").nth(1).unwrap();
    let held: String = held.chars().take_while(char::is_ascii_digit).collect();
    road.phs.once(&["--confirm-removals", &held]).unwrap().expect_code(0);
    road.assert_out(&person(1).upn, &person(1).password);
    road.once();
}
