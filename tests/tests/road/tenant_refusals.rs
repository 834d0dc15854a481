//! Every way in which the tenant and phs do not come together: each its own error, its own exit status and
//! the one who must act; and no half identity, no half state.

use crate::stage::{Road, files_of, shared_domain};
use landbridge_tests::lab::population::DOMAIN;
use landbridge_tests::lab::program::Finished;
use landbridge_tests::lab::{Phs, PhsSettings, RunningTenant, TenantSettings};
use landbridge_wire::enroll::Token;
use rusqlite::Connection;

fn tenant() -> RunningTenant {
    RunningTenant::start_for(&shared_domain(50), &TenantSettings::default()).unwrap()
}

fn phs() -> Phs {
    Phs::install(&PhsSettings::for_domain(&shared_domain(50), "entra")).unwrap()
}

#[track_caller]
fn assert_says(finished: &Finished, code: i32, says: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished}");
    for what in says.iter().chain(&["must act"]) {
        assert!(finished.stderr.contains(what), "does not say `{what}`: {finished}");
    }
    assert_eq!(finished.stdout, "", "{finished}");
}

/// `enroll` with this token fails so, and leaves nothing.
#[track_caller]
fn assert_no_identity(phs: &Phs, token: &str, code: i32, says: &[&str]) {
    let finished = phs.enroll(token).unwrap();
    assert_says(&finished, code, says);
    let files = files_of(phs.state());
    let left: Vec<_> = files.keys().filter(|name| !name.ends_with("/lock")).collect();
    assert!(left.is_empty(), "{left:?} after {finished}");
    assert!(!finished.stderr.contains(token), "the token is repeated: {finished}");
}

/// `once` fails so, and what is stored stays as it is.
#[track_caller]
fn assert_once_refused(road: &Road, code: i32, says: &[&str]) {
    let before = files_of(road.phs.state());
    let finished = road.phs.once(&[]).unwrap();
    assert_says(&finished, code, says);
    assert!(files_of(road.phs.state()) == before, "the state changed: {finished}");
}

#[test]
fn a_token_that_is_spent_enrols_nobody_again() {
    let tenant = tenant();
    let token = tenant.token().unwrap();
    phs().enroll(&token).unwrap().expect_code(0);
    assert_no_identity(&phs(), &token, 6, &["token"]);
    assert_eq!(tenant.agents().unwrap().len(), 1);
}

#[test]
fn a_token_that_has_expired_enrols_nobody() {
    let tenant = tenant();
    let token = tenant.token().unwrap();
    // Ten minutes later, as the tenant sees it.
    let rows = Connection::open(tenant.database()).unwrap();
    rows.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let aged = "UPDATE tokens SET created_at = created_at - 601, expires_at = expires_at - 601";
    assert_eq!(rows.execute(aged, []).unwrap(), 1);
    assert_no_identity(&phs(), &token, 6, &["token", "expired"]);
    assert!(tenant.agents().unwrap().is_empty());
}

#[test]
fn a_token_for_another_role_enrols_no_phs() {
    let tenant = tenant();
    let made = tenant.run(&["token", "create", "--role", "pta", "--domain", DOMAIN], None).unwrap();
    let token = made.expect_code(0).word("lbt1.");
    assert_no_identity(&phs(), &token, 6, &["token"]);
    assert!(tenant.agents().unwrap().is_empty());
}

#[test]
fn a_token_that_pins_another_ca_sends_its_secret_to_nobody() {
    let (one, other) = (tenant(), tenant());
    let (mut here, there) =
        (Token::parse(&one.token().unwrap()).unwrap(), Token::parse(&other.token().unwrap()).unwrap());
    here.ca_sha256 = there.ca_sha256;
    let token = here.to_text().to_string();
    assert_no_identity(&phs(), &token, 7, &["certificate", &one.listen().to_string()]);
    // The secret was not shown: the true token still works.
    here.ca_sha256 = Token::parse(&one.token().unwrap()).unwrap().ca_sha256;
    phs().enroll(&here.to_text()).unwrap().expect_code(0);
}

#[test]
fn what_is_no_token_is_said_to_be_none() {
    for token in ["", "lbt1.", "lbt1.AAAA", "hunter2 is no token"] {
        let finished = phs().enroll(token).unwrap().expect_code(3);
        assert!(finished.stderr.contains("token"), "{finished}");
        assert!(!finished.stderr.contains("hunter2"), "{finished}");
    }
}

#[test]
fn a_second_enrolment_does_not_replace_the_first_unasked() {
    let tenant = tenant();
    let phs = phs();
    phs.join(&tenant).unwrap();
    let before = files_of(phs.state());
    let finished = phs.enroll(&tenant.token().unwrap()).unwrap();
    assert_says(&finished, 3, &["enrolled already"]);
    assert!(files_of(phs.state()) == before);
}

#[test]
fn without_enrolment_nothing_runs() {
    let finished = phs().once(&[]).unwrap();
    assert_says(&finished, 3, &["not enrolled", "token create"]);
}

#[test]
fn an_agent_that_nobody_approved_writes_nothing() {
    let (tenant, phs) = (tenant(), phs());
    phs.enroll(&tenant.token().unwrap()).unwrap().expect_code(0);
    let finished = phs.once(&[]).unwrap();
    assert_says(&finished, 6, &["approve"]);
    assert_eq!(tenant.metric("landbridge_records_applied_total").unwrap(), Some(0.0));
    tenant.approve_all().unwrap();
    phs.once(&[]).unwrap().expect_code(0);
}

#[test]
fn a_revoked_agent_writes_nothing_from_then_on() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let agent = road.tenant.agents().unwrap()[0]["id"].as_str().unwrap().to_owned();
    road.tenant.run(&["agents", "revoke", &agent], None).unwrap().expect_code(0);
    assert_once_refused(&road, 6, &["revoked"]);
}

#[test]
fn another_tenant_at_the_same_address_is_not_trusted() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    road.tenant.stop().unwrap().expect_code(0);
    let settings = TenantSettings { listen: Some(road.tenant.listen()), ..TenantSettings::default() };
    let _impostor = RunningTenant::start_for(&road.domain, &settings).unwrap();
    assert_once_refused(&road, 7, &["certificate", &road.tenant.listen().to_string()]);
}

#[test]
fn a_tenant_that_does_not_run_is_named() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    road.tenant.stop().unwrap().expect_code(0);
    let before = files_of(road.phs.state());
    let finished = road.phs.once(&[]).unwrap().expect_code(7);
    assert!(finished.stderr.contains(&road.tenant.listen().to_string()), "{finished}");
    assert!(files_of(road.phs.state()) == before, "the state changed: {finished}");
}

#[test]
fn a_second_phs_does_not_write_beside_the_first() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let second = phs();
    second.join(&road.tenant).unwrap();
    let finished = second.once(&[]).unwrap();
    assert_says(&finished, 6, &["writ"]);
}

#[test]
fn a_domain_added_with_another_sid_is_not_written_to() {
    let tenant = RunningTenant::start(&TenantSettings::default()).unwrap();
    tenant.add_domain("S-1-5-21-1-2-3", &[]).unwrap();
    let phs = phs();
    phs.join(&tenant).unwrap();
    let finished = phs.once(&[]).unwrap();
    assert_says(&finished, 4, &["SID"]);
    assert_eq!(tenant.metric("landbridge_records_applied_total").unwrap(), Some(0.0));
}
