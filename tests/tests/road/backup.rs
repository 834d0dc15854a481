//! A tenant whose machine is lost comes back from `backup` and `restore`, and misses nothing after the next cycle.

use crate::stage::{Road, own_domain};
use landbridge_agent::{Identity, ProcessKey, enroll, renew};
use landbridge_tests::lab::edits::NORMAL;
use landbridge_tests::lab::population::DOMAIN as NAME;
use landbridge_tests::lab::{Application, Try, person};
use std::fs;
use std::sync::Arc;

/// The machine is lost with all that was on it; the configuration was written again.
fn lose(road: &Road) {
    road.tenant.kill();
    fs::remove_dir_all(road.tenant.data_directory()).unwrap();
}

#[test]
fn a_tenant_that_was_lost_is_restored_and_after_the_next_cycle_it_misses_nothing() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (backup, keys) = (path("backup"), path("keys"));
    let (changed, gone, disabled, renamed) = (person(1), person(2), person(3), person(4));
    let blocked = person(5);
    domain.create("short", "of short life", NORMAL, "OU=People").unwrap();
    road.once();
    road.tenant.run(&["users", "block", &blocked.upn], None).unwrap().expect_code(0);
    let made = road.tenant.run(&["backup", &backup, "--keys", &keys], None).unwrap().expect_code(0);
    assert!(made.stdout.contains(NAME), "{made}");

    // What happens after it, and what the tenant learns of it before it is lost.
    for round in 0..3 {
        domain.set_password(&changed.sam, &format!("after the backup {round}")).unwrap();
        road.once();
    }
    domain.create("newcomer", "a first password", NORMAL, "OU=People").unwrap();
    domain.delete(&gone.sam).unwrap();
    domain.delete("short").unwrap();
    domain.set_enabled(&disabled.sam, false).unwrap();
    domain.rename(&renamed.sam, "renamed.4").unwrap();
    road.once();
    road.assert_in(&changed.upn, "after the backup 2");
    // The agent's certificate is one that the backup does not know.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = Identity::load(road.phs.state()).unwrap();
    let mut identity = Identity::load(road.phs.state()).unwrap();
    let process = Arc::new(ProcessKey::generate().unwrap());
    while identity.not_after <= first.not_after {
        let means = enroll::Means::default();
        let renewal = renew::renew(road.phs.state(), &identity, &[], &means, &process);
        identity = runtime.block_on(renewal).unwrap().identity;
    }

    lose(&road);
    let back = road.tenant.run(&["restore", &backup, "--keys", &keys], None).unwrap().expect_code(0);
    for what in ["compares in full", "revoked", "rotated"] {
        assert!(back.stdout.contains(what), "does not say `{what}`: {back}");
    }
    road.tenant.serve().unwrap();
    // The application's credential is that of the backup, and so is what people can do.
    road.assert_in(&changed.upn, &changed.password);
    let summary = road.once();
    assert_eq!(summary["mode"], "full", "{summary}");
    assert_eq!(summary["digests_derived"], 2, "the changed and the new one alone: {summary}");

    let mut wrong = Vec::new();
    let mut expect = |name: &str, password: &str, inside: bool| {
        let answer = road.sign_in(name, password);
        if !(if inside { answer.accepted() } else { answer.refused() }) {
            wrong.push((name.to_owned(), inside, answer));
        }
    };
    expect(&changed.upn, "after the backup 2", true);
    for old in [&changed.password, "after the backup 0", "after the backup 1"] {
        expect(&changed.upn, old, false);
    }
    expect(&format!("newcomer@{NAME}"), "a first password", true);
    expect(&gone.upn, &gone.password, false);
    expect(&format!("short@{NAME}"), "of short life", false);
    expect(&disabled.upn, &disabled.password, false);
    expect(&renamed.upn, &renamed.password, false);
    expect(&format!("renamed.4@{NAME}"), &renamed.password, true);
    expect(&blocked.upn, &blocked.password, false);
    let others = domain.population().people().filter(|who| !(1..=5).contains(&who.index));
    let mut counted = 0;
    for who in others {
        expect(&who.upn, &who.password, true);
        expect(&who.upn, &who.wrong_password(), false);
        counted += 1;
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(counted, 45);
    assert_eq!(road.once()["mode"], "incremental");
}

#[test]
fn applications_see_the_administrators_certificate_and_agents_the_tenants_own() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    road.once();
    let (address, ca) = road.tenant.serve_applications().unwrap();
    let who = person(1);
    let outside = road.app.at(address, &ca).unwrap();
    let sign_in = |app: &Application, password: &str| app.sign_in(&Try::from(0, &who.upn, password));
    assert!(sign_in(&outside, &who.password).unwrap().accepted());
    assert!(sign_in(&outside, &who.wrong_password()).unwrap().refused());
    // Each certificate at its own address, and nowhere else.
    assert!(sign_in(&road.app.at(road.tenant.listen(), &ca).unwrap(), &who.password).is_err());
    assert!(sign_in(&road.app.at(address, &road.tenant.root_certificate()).unwrap(), &who.password).is_err());
    // The agent goes on as before, at the address that it knows.
    domain.set_password(&who.sam, "set while both are served").unwrap();
    road.once();
    assert!(sign_in(&outside, "set while both are served").unwrap().accepted());
    road.assert_in(&who.upn, "set while both are served");
}
