//! A copy of everything on the disk of a phs, used beside it: found by its process, whatever it calls itself. And what
//! may run beside the daemon.

use crate::stage::{Road, own_domain};
use landbridge_agent::http::Client;
use landbridge_agent::{AgentError, Identity, tls};
use landbridge_tests::lab::old_tenant::OldTenant;
use landbridge_tests::lab::program::{Finished, Running, wait_until};
use landbridge_tests::lab::thief::{Conduct, Thief};
use landbridge_tests::lab::{Phs, PhsSettings};
use landbridge_wire::bounded::List;
use landbridge_wire::problem::ProblemCode;
use landbridge_wire::upload::{Offer, Wanted};
use serde_json::Value;
use std::time::Instant;
use uuid::Uuid;

/// The state of the road's phs at the tenant.
fn state(road: &Road) -> String {
    let agents = road.tenant.agents().unwrap();
    let row = agents.iter().find(|row| row["role"] == "phs").unwrap();
    row["state"].as_str().unwrap().to_owned()
}

/// How many entries of this action the audit log has.
fn audited(road: &Road, action: &str) -> i64 {
    let ask = "SELECT count(*) FROM audit WHERE action = ?1";
    road.tenant.open_database().unwrap().query_row(ask, [action], |row| row.get(0)).unwrap()
}

/// When the tenant last answered a heartbeat of the daemon, in seconds since 1970; zero: never.
fn beaten(phs: &Phs) -> i64 {
    let status: Option<Value> = landbridge_agent::status::read(phs.state());
    status.and_then(|status| status["heartbeat_at"].as_i64()).unwrap_or(0)
}

/// Waits until the tenant has answered another heartbeat.
#[track_caller]
fn wait_for_heartbeat(road: &Road, daemon: &Running) {
    let before = beaten(&road.phs);
    wait_until("a heartbeat", 30, || beaten(&road.phs) > before, || daemon.said()).unwrap();
}

#[test]
fn a_copy_that_renames_itself_or_takes_turns_with_phs_is_found_also_while_no_dc_can_be_reached() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let mut daemon = road.phs.run_daemon().unwrap();
    wait_for_heartbeat(&road, &daemon);
    let thief = Thief::copy(road.phs.state()).unwrap();
    for (round, conduct) in (1..).zip([Conduct::RenamesEvery4Seconds, Conduct::TakesTurns]) {
        if conduct == Conduct::TakesTurns {
            domain.kill_controller().unwrap();
            wait_for_heartbeat(&road, &daemon);
        }
        let since = Instant::now();
        let loot = thief.beat(conduct).unwrap();
        println!("{conduct:?}: found after {:?}, {loot}", since.elapsed());
        // Four seconds each: the alarm comes 5 s after the first name, with the next heartbeat of phs.
        assert!((1..=3).contains(&loot.names), "{loot:?}");
        wait_until("the quarantine", 10, || state(&road) == "quarantined", || daemon.said()).unwrap();
        assert_eq!(audited(&road, "agent-quarantined"), round);
        let counted = road.tenant.metric("landbridge_agents_quarantined_total").unwrap();
        assert_eq!(counted, Some(round as f64));
        // The daemon runs on, and is heard again when an administrator has found the thief.
        let id = Identity::load(road.phs.state()).unwrap().agent.to_string();
        road.tenant.approve(&id).unwrap();
        wait_for_heartbeat(&road, &daemon);
        wait_for_heartbeat(&road, &daemon);
        assert_eq!((state(&road).as_str(), audited(&road, "agent-quarantined")), ("approved", round));
    }
    daemon.kill();
}

#[test]
fn a_copy_that_proves_no_process_is_refused_and_needs_no_alarm() {
    let road = Road::new(own_domain(50), "entra");
    road.once();
    let identity = Thief::copy(road.phs.state()).unwrap().identity().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut client = Client::new(&identity.url, tls::enrolled(&identity).unwrap()).unwrap();
    let offer = Offer { instance: Uuid::new_v4(), passwords: List::default(), iterations: None };
    let refused = runtime.block_on(client.post::<_, Wanted>("/v1/upload/offer", &offer)).unwrap_err();
    assert!(
        matches!(&refused, AgentError::Refused(why) if why.code == ProblemCode::UnsupportedVersion),
        "{refused}"
    );
    road.once();
    assert_eq!((state(&road).as_str(), audited(&road, "agent-quarantined")), ("approved", 0));
    assert!(audited(&road, "admission-refused") > 0);
}

#[test]
fn beside_the_daemon_once_is_refused_in_words_and_whatever_only_looks_is_not() {
    let road = Road::new(own_domain(50), "entra");
    let mut daemon = road.phs.run_daemon().unwrap();
    wait_for_heartbeat(&road, &daemon);
    let refused: Finished = road.phs.once(&[]).unwrap().expect_code(3);
    let said = refused.to_string();
    assert!(said.contains("another landbridge-phs") && said.contains("stop it first"), "{said}");
    // For longer than a superseded process is accepted: if one of these were one, the daemon would raise the alarm.
    let began = beaten(&road.phs);
    while beaten(&road.phs) < began + 7 {
        road.phs.once(&["--dry-run"]).unwrap().expect_code(0);
        for looks in [&["check"][..], &["explain", "Administrator"], &["status"]] {
            road.phs.run(looks, None).unwrap().expect_code(0);
        }
    }
    assert_eq!((state(&road).as_str(), audited(&road, "agent-quarantined")), ("approved", 0));
    daemon.kill();
}

#[test]
fn a_tenant_of_version_0_1_receives_no_heartbeat_and_the_daemon_goes_on() {
    let domain = own_domain(50);
    let settings = PhsSettings { schedule: "poll_seconds = 5", ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &Default::default());
    road.tenant.kill();
    let old = OldTenant::take_over(&road.tenant, road.phs.state()).unwrap();
    let mut daemon = road.phs.start(&["run"], None).unwrap();
    // The heartbeats ask once in a minute what the tenant accepts; the other hellos are those of cycles, which fail.
    let hellos = || old.requests("/v1/upload/hello");
    wait_until("four hellos", 60, || hellos() >= 4, || daemon.said()).unwrap();
    assert_eq!(old.requests("/v1/upload/heartbeat"), 0);
    assert_eq!(beaten(&road.phs), 0);
    assert!(!daemon.has_ended(), "{}", daemon.said());
    daemon.kill();
}

#[test]
fn while_staging_no_heartbeat_is_sent() {
    let domain = own_domain(50);
    let settings = PhsSettings { top: "staging = true", ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &Default::default());
    let mut daemon = road.phs.run_daemon().unwrap();
    assert_eq!(beaten(&road.phs), 0);
    let proved: Option<i64> = road
        .tenant
        .open_database()
        .unwrap()
        .query_row("SELECT proved_at FROM agents", [], |row| row.get(0))
        .unwrap();
    assert_eq!(proved, None, "no message of a process has arrived");
    daemon.kill();
}
