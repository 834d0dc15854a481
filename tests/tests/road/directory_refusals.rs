//! How phs proves itself to the DC, and every way in which that fails: each its own error, its own exit
//! status and the one who must act; and nothing is half done.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::edits::{DISABLED, NEVER_EXPIRES, NORMAL};
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::view::View;
use landbridge_tests::lab::{Domain, PhsSettings, Proof};
use std::sync::{Arc, LazyLock};

/// One domain for all of these: each works with an account of its own.
static DOMAIN: LazyLock<Arc<Domain>> = LazyLock::new(|| own_domain(50));

const PASSWORD: &str = "another delegate's own (3)";

/// An account like the lab's delegated one, and phs set up to use it.
pub(crate) fn delegate(domain: &Domain, name: &str, granted: bool) -> PhsSettings {
    domain.create(name, PASSWORD, NORMAL | NEVER_EXPIRES, "CN=Users").unwrap();
    if granted {
        domain.set_replication_rights(name, true).unwrap();
    }
    let keytab = domain.folder().join(format!("{name}.keytab"));
    domain.write_keytab(name, &keytab).unwrap();
    std::fs::set_permissions(&keytab, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    PhsSettings {
        account: name.to_owned(),
        password: PASSWORD.to_owned(),
        keytab: Some(keytab),
        ..PhsSettings::for_domain(domain, "entra")
    }
}

fn road(settings: &PhsSettings) -> Road {
    Road::with(DOMAIN.clone(), settings, &Default::default())
}

/// `once` fails with this status and says all of this, and nothing is sent or stored as done.
#[track_caller]
pub(crate) fn assert_refused(domain: &Arc<Domain>, settings: &PhsSettings, code: i32, says: &[&str]) {
    let road = Road::with(Arc::clone(domain), settings, &Default::default());
    let finished = road.phs.once(&[]).unwrap().expect_code(code);
    for what in says.iter().chain(&["must act"]) {
        assert!(finished.stderr.contains(what), "does not say `{what}`: {finished}");
    }
    assert_eq!(finished.stdout, "", "{finished}");
    assert!(finished.seconds < 30.0, "{finished}");
    assert_eq!(road.tenant.metric("landbridge_records_applied_total").unwrap(), Some(0.0));
    let state = rusqlite::Connection::open(road.phs.database());
    let rows = state.and_then(|s| s.query_row("SELECT count(*) FROM watermark", [], |r| r.get::<_, i64>(0)));
    assert!(matches!(rows, Ok(0) | Err(_)), "a cursor after a cycle that failed: {rows:?}");
}

#[test]
fn keytab_and_password_bring_every_password() {
    let mut sent = Vec::new();
    for proof in [Proof::Keytab, Proof::Password] {
        let road = road(&PhsSettings { proof, ..PhsSettings::for_domain(&DOMAIN, "entra") });
        let check = road.phs.run(&["check"], None).unwrap();
        assert_eq!(check.code, Some(0), "{proof:?}: {check}");
        sent.push(road.once()["digests_sent"].as_u64().unwrap());
        road.assert_everybody_gets_in();
    }
    assert!(sent[0] >= 50);
}

#[test]
fn a_wrong_password_names_the_account() {
    let right = delegate(&DOMAIN, "svc-wrong-password", true);
    let settings = PhsSettings { proof: Proof::Password, password: "not this one".into(), ..right };
    assert_refused(&DOMAIN, &settings, 4, &["svc-wrong-password", "password", "administrator"]);
}

#[test]
fn a_keytab_from_before_a_reset_is_named() {
    let settings = delegate(&DOMAIN, "svc-stale-keytab", true);
    DOMAIN.set_password("svc-stale-keytab", "reset meanwhile").unwrap();
    assert_refused(&DOMAIN, &settings, 4, &["svc-stale-keytab", "keytab"]);
}

#[test]
fn a_disabled_account_is_named() {
    let settings = delegate(&DOMAIN, "svc-disabled", true);
    DOMAIN.change_flags("svc-disabled", DISABLED, 0).unwrap();
    for proof in [Proof::Keytab, Proof::Password] {
        assert_refused(&DOMAIN, &PhsSettings { proof, ..settings.clone() }, 4, &["svc-disabled", "disabled"]);
    }
}

#[test]
fn an_account_that_does_not_exist_is_named() {
    let settings = PhsSettings {
        proof: Proof::Password,
        account: "svc-nobody".into(),
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    assert_refused(&DOMAIN, &settings, 4, &["svc-nobody"]);
}

#[test]
fn a_missing_right_names_the_command_that_grants_it() {
    let settings = delegate(&DOMAIN, "svc-no-right", false);
    assert_refused(&DOMAIN, &settings, 4, &["svc-no-right", "Replicating Directory Changes", "dsacl"]);
}

#[test]
fn a_right_that_is_revoked_between_two_cycles_stops_the_second() {
    let settings = delegate(&DOMAIN, "svc-revoked-right", true);
    let road = road(&settings);
    road.once();
    DOMAIN.set_replication_rights("svc-revoked-right", false).unwrap();
    let finished = road.phs.once(&[]).unwrap().expect_code(4);
    assert!(finished.stderr.contains("dsacl"), "{finished}");
    DOMAIN.set_replication_rights("svc-revoked-right", true).unwrap();
    road.once();
}

#[test]
fn a_dc_whose_name_does_not_resolve_is_named() {
    let settings = PhsSettings {
        controller: "dc9.nowhere.invalid".into(),
        address: None,
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    assert_refused(&DOMAIN, &settings, 5, &["dc9.nowhere.invalid"]);
}

#[test]
fn a_dc_that_does_not_answer_is_named() {
    let dead = Address::claim().unwrap();
    let settings = PhsSettings { address: Some(dead.ip()), ..PhsSettings::for_domain(&DOMAIN, "entra") };
    assert_refused(&DOMAIN, &settings, 5, &["dc1.corp.example.com"]);
}

#[test]
fn a_dc_under_a_name_that_is_not_its_own_is_not_trusted() {
    let settings = PhsSettings {
        controller: "dc2.corp.example.com".into(),
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    };
    assert_refused(&DOMAIN, &settings, 4, &["dc2.corp.example.com"]);
}

#[test]
fn a_dc_that_does_not_answer_is_passed_over_for_the_next() {
    let dead = Address::claim().unwrap();
    let road = road(&PhsSettings {
        before: vec![("dc0.corp.example.com".into(), dead.ip())],
        ..PhsSettings::for_domain(&DOMAIN, "entra")
    });
    let finished = road.phs.once(&[]).unwrap().expect_code(0);
    assert!(finished.stderr.contains("dc0.corp.example.com"), "{finished}");
    assert!(finished.seconds < 10.0, "{finished}");
    road.assert_everybody_gets_in();
}

#[test]
fn a_dc_is_found_by_its_name_alone() {
    let road = road(&PhsSettings { address: None, ..PhsSettings::for_domain(&DOMAIN, "entra") });
    let hosts = [(DOMAIN.address(), "dc1.corp.example.com")];
    let view = View::with_hosts(road.phs.folder().join("view"), &hosts).unwrap();
    let mut once = road.phs.command(&["once", "--json"]).unwrap();
    view.show_to(&mut once);
    Running::start(once, None, &road.phs.output()).unwrap().finish(60).unwrap().expect_code(0);
    road.assert_everybody_gets_in();
}
