//! `[passwords] profile` is raised for everybody, and the tenant refuses less afterwards.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::{PhsSettings, person};
use serde_json::{Value, json};

const PEOPLE: u32 = 30;

/// Everybody at the tenant, with digests of `entra`.
fn road() -> Road {
    let road = Road::new(own_domain(PEOPLE), "entra");
    road.once();
    road
}

fn set_profile(road: &Road, profile: &'static str) {
    road.phs.configure(&PhsSettings::for_domain(&road.domain, profile)).unwrap();
}

/// The iterations of a person's digest at the tenant; null: there is none.
#[track_caller]
fn iterations(road: &Road, number: u32) -> Value {
    let shown = road.tenant.run(&["users", "show", &person(number).upn, "--json"], None).unwrap();
    shown.expect_code(0).json()["accounts"][0]["digest"]["iterations"].clone()
}

#[test]
fn a_higher_profile_derives_everybody_again_by_itself_and_once() {
    let road = road();
    assert_eq!(iterations(&road, 1), 1000);
    set_profile(&road, "strong");
    let summary = road.once();
    let counts =
        ["mode", "digests_again", "digests_left", "digests_sent", "refused"].map(|name| &summary[name]);
    assert_eq!(counts, [&json!("full"), &json!(PEOPLE), &json!(0), &json!(PEOPLE), &json!(0)], "{summary}");
    for number in 0..PEOPLE {
        assert_eq!(iterations(&road, number), 600_000, "{number}");
    }
    road.assert_everybody_gets_in();
    road.assert_nobody_else_gets_in();
    // Nothing more to do, also when all is compared again.
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["digests_derived"]), (&json!("incremental"), &json!(0)));
    let summary = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!((&summary["digests_derived"], &summary["digests_again"]), (&json!(0), &json!(0)));
    // A lower one changes nothing of what is there, and holds for the next change.
    set_profile(&road, "entra");
    assert_eq!(road.once()["mode"], "incremental");
    let summary = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!(summary["digests_derived"], 0, "{summary}");
    road.domain.set_password(&person(2).sam, "changed under the lower one").unwrap();
    road.once();
    assert_eq!((iterations(&road, 1), iterations(&road, 2)), (json!(600_000), json!(1000)));
}

#[test]
fn people_sign_in_while_their_passwords_are_derived_again_and_a_killed_phs_goes_on_where_it_was() {
    let road = road();
    assert!((0..PEOPLE).all(|number| iterations(&road, number) == 1000));
    // Pages of five, each of which is an upload.
    let settings = PhsSettings { page_objects: 5, ..PhsSettings::for_domain(&road.domain, "strong") };
    road.phs.configure(&settings).unwrap();
    let mut running = road.phs.start(&["once"], None).unwrap();
    // Once some are there, the rest is not; everybody signs in meanwhile.
    let replaced = || road.tenant.metric("landbridge_digests_replaced_total").unwrap().unwrap_or(0.0);
    let mut signed_in = 0;
    while replaced() == 0.0 && !running.has_ended() {
        let who = person(signed_in % PEOPLE);
        road.assert_in(&who.upn, &who.password);
        signed_in += 1;
    }
    running.kill();
    let before = replaced();
    let summary = road.once();
    assert_eq!(summary["digests_again"].as_f64().unwrap() + before, f64::from(PEOPLE), "{summary}");
    assert!((0..PEOPLE).all(|number| iterations(&road, number) == 600_000));
    road.assert_everybody_gets_in();
}

#[test]
fn a_tenant_that_refuses_less_asks_first_keeps_people_in_and_takes_what_a_higher_profile_sends() {
    let road = road();
    let least = ["domains", "policy", "corp", "--min-iterations", "600000"];
    let asked = road.tenant.run(&least, None).unwrap().expect_code(2);
    assert!(
        asked.stderr.contains(&format!("{PEOPLE} accounts of corp.example.com have a digest with fewer")),
        "{asked}"
    );
    road.tenant.run(&[&least[..], &["--yes"]].concat(), None).unwrap().expect_code(0);
    road.assert_everybody_gets_in();
    // A phs that derives less is refused, and an old password does not outlive a change.
    let who = person(3);
    road.domain.set_password(&who.sam, "changed, and too cheap").unwrap();
    assert_eq!(road.once()["refused"], 1);
    road.assert_out(&who.upn, &who.password);
    road.assert_out(&who.upn, "changed, and too cheap");
    assert_eq!(iterations(&road, 3), Value::Null);
    // The higher profile mends all of it.
    set_profile(&road, "strong");
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["refused"]), (&json!("full"), &json!(0)), "{summary}");
    road.assert_in(&who.upn, "changed, and too cheap");
    let shown = road.tenant.run(&["domains", "policy", "corp"], None).unwrap().expect_code(0);
    assert!(shown.stdout.contains("at least 600000") && !shown.stdout.contains("with fewer"), "{shown}");
}
