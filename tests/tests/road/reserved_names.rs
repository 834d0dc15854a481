//! Names of accounts that are not carried: they sign nobody in, and only keyed hashes of them leave.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::population::DOMAIN as NAME;
use landbridge_tests::lab::{Domain, PhsSettings, TenantSettings, person};
use serde_json::json;
use std::sync::Arc;

/// The road of a domain whose OU Outside is not carried.
fn road_without_outside(domain: &Arc<Domain>) -> Road {
    let further = "[scope]\nexclude = [\"OU=Outside,DC=corp,DC=example,DC=com\"]".to_owned();
    let alternate_login = Some("mail");
    let settings = PhsSettings { further, alternate_login, ..PhsSettings::for_domain(domain, "entra") };
    Road::with(domain.clone(), &settings, &TenantSettings::default())
}

fn users(road: &Road, arguments: &[&str]) -> String {
    road.tenant.run(&[&["users"], arguments].concat(), None).unwrap().expect_code(0).stdout
}

/// A DC refuses two accounts of one name to one administrator, but not to two of them at two DCs. A full compare alone
/// sees this.
fn force_upn(domain: &Domain, sam: &str, upn: &str) {
    domain.force_attribute(sam, "userPrincipalName", upn).unwrap();
}

#[test]
fn a_plain_account_whose_upn_is_the_administrators_name_signs_nobody_in() {
    let domain = own_domain(20);
    let (who, other) = (person(1), person(2));
    let administrator = format!("administrator@{NAME}");
    force_upn(&domain, &who.sam, &administrator);
    let road = Road::new(domain.clone(), "entra");
    // The first cycle counts who is ambiguous, and then the rule holds.
    let summary = road.once();
    assert_eq!((&summary["ambiguous"], &summary["refused"]), (&1.into(), &0.into()), "{summary}");
    assert!(summary["reserved_sent"].as_u64().unwrap() >= 3, "{summary}");
    road.assert_out(&administrator, &who.password);
    road.assert_in(&format!("CORP\\{}", who.sam), &who.password);
    road.assert_in(&other.upn, &other.password);
    // Both sides name both holders.
    let [real, plain] = ["Administrator", &who.sam].map(|sam| domain.identity(sam).unwrap());
    let shown = users(&road, &["show", &administrator]);
    let also = format!(
        "{administrator} is also the name of an account that is not carried: {} of {NAME}",
        real.guid
    );
    assert!(shown.contains(&also), "{shown}");
    let listed = users(&road, &["ambiguous"]);
    assert!(listed.contains(&real.guid.to_string()) && listed.contains(&plain.guid.to_string()), "{listed}");
    assert_eq!(road.tenant.metric("landbridge_ambiguous_names").unwrap(), Some(1.0));
    for sam in ["Administrator", &*who.sam] {
        let said = road.phs.run(&["explain", sam], None).unwrap().expect_code(0).stdout;
        assert!(said.contains("signs nobody in") && said.contains(&administrator), "{said}");
    }
    let odd = road.phs.run(&["check", "--objects"], None).unwrap().expect_code(10).stdout;
    assert!(odd.contains(&real.dn) && odd.contains(&plain.dn) && odd.contains("signs nobody in"), "{odd}");
    // Nothing of the administrator is in the tenant, not even a name.
    assert!(road.tenant.attributes(real.guid).unwrap().is_empty());
    // A name of its own lets the person in again with the next cycle.
    let ada = format!("ada@{NAME}");
    domain.set_attributes(&who.sam, json!({"userPrincipalName": ada})).unwrap();
    assert_eq!(road.once()["mode"], "incremental");
    road.assert_in(&ada, &who.password);
    assert_eq!(road.tenant.metric("landbridge_ambiguous_names").unwrap(), Some(0.0));
    road.assert_nothing_was_derived_twice();
}

#[test]
fn an_account_outside_the_scope_and_a_carried_one_of_one_name_sign_nobody_in_until_one_has_another() {
    let domain = own_domain(20);
    domain.create_unit("Outside").unwrap();
    let [carried, outside, leaver] = [1, 2, 3].map(person);
    domain.move_to(&outside.sam, "OU=Outside").unwrap();
    let road = road_without_outside(&domain);
    road.once();
    // A DC lets two accounts have one mail address, which is the further sign-in name here.
    let set = |sam: &str, mail: &str| domain.set_attributes(sam, json!({"mail": mail})).unwrap();
    let (shared, other) = (&*format!("shared@{NAME}"), &*format!("other@{NAME}"));
    set(&carried.sam, shared);
    road.once();
    road.assert_in(shared, &carried.password);
    // Somebody outside takes the name, and gives it back.
    set(&outside.sam, &shared.to_uppercase());
    let summary = road.once();
    let sent = (&summary["mode"], &summary["reserved_sent"], &summary["records_sent"]);
    assert_eq!(sent, (&"incremental".into(), &1.into(), &0.into()), "{summary}");
    for who in [&carried, &outside] {
        road.assert_out(shared, &who.password);
    }
    set(&outside.sam, other);
    road.once();
    road.assert_in(shared, &carried.password);
    // Somebody who leaves the scope takes the name along, and frees it by being deleted.
    set(&leaver.sam, shared);
    road.once();
    road.assert_out(shared, &carried.password);
    domain.move_to(&leaver.sam, "OU=Outside").unwrap();
    road.once();
    road.assert_out(shared, &carried.password);
    domain.delete(&leaver.sam).unwrap();
    road.once();
    road.assert_in(shared, &carried.password);
    // Who enters the scope has the name again, as a carried account.
    domain.move_to(&outside.sam, "OU=People").unwrap();
    road.once();
    road.assert_in(other, &outside.password);
    // A full compare says the same.
    let summary = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!((&summary["ambiguous"], &summary["digests_derived"]), (&0.into(), &0.into()), "{summary}");
    road.assert_in(shared, &carried.password);
    road.assert_nothing_was_derived_twice();
}

#[test]
fn a_user_principal_name_of_an_account_outside_the_scope_is_free_when_that_one_is_deleted() {
    let domain = own_domain(20);
    domain.create_unit("Outside").unwrap();
    let [carried, outside, other] = [1, 2, 3].map(person);
    for who in [&outside, &other] {
        domain.move_to(&who.sam, "OU=Outside").unwrap();
    }
    // One of them has the name as its userPrincipalName, the other one of its sAMAccountName.
    force_upn(&domain, &outside.sam, &format!("{}@{NAME}", other.sam));
    force_upn(&domain, &carried.sam, &format!("{}@{NAME}", other.sam));
    let road = road_without_outside(&domain);
    assert_eq!(road.once()["ambiguous"], 1);
    for (who, then) in [(&outside, false), (&other, true)] {
        road.assert_out(&other.upn, &carried.password);
        domain.delete(&who.sam).unwrap();
        assert_eq!(road.once()["mode"], "incremental");
        assert_eq!(road.sign_in(&other.upn, &carried.password).accepted(), then, "{}", who.sam);
    }
}
