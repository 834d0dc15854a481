//! The alarm about agents whose answers contradict digests, and what must not raise it.

use super::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::{AuditEntry, SigninPolicy};
use landbridge_tenant_store::tables::{audit, domains};
use landbridge_wire::signin::DirectoryVerdict;
use landbridge_wire::upload::AttributeValue;

const AGENT: Uuid = Uuid::from_u128(0xa6e);

/// A domain whose agents decide.
fn domain(allow_privileged: bool) -> Tenant {
    let tenant = Tenant::with(allow_privileged);
    tenant.sends((1..=3).map(|n| user(n, &format!("right{n}"))).collect());
    let policy = SigninPolicy::Pta;
    tenant.store.write("test", |tx| domains::set_signin(tx, tenant.domain, policy, false)).unwrap();
    tenant
}

/// `user1` signs in with this password; the agent says this. Returns when the answer was compared, if it was.
fn answered(signin: &Bench, secret: &str, says: DirectoryVerdict) {
    let answer = AgentAnswer { outcome: Ok(says), agent: Some(AGENT), tried: 1 };
    lock(&signin.directory.answers).push_back(answer);
    signin.decide("CORP\\user1", &password(secret), HOME, None, NOW);
    while signin.inner().contradictions.is_comparing() {
        std::thread::yield_now();
    }
}

/// phs completes this many cycles, and the tenant looks at the noted differences after each.
fn cycles(tenant: &Tenant, signin: &Bench, count: u32) {
    for n in 0..count {
        let cursor = Uuid::from_u128(u128::from(n)).to_string();
        tenant.store.write("test", |tx| domains::acknowledge(tx, tenant.domain, &cursor)).unwrap();
        signin.inner().contradictions.review(NOW + 10);
    }
}

fn alarms(tenant: &Tenant) -> Vec<AuditEntry> {
    let entries = tenant.store.read(|reading| audit::newest(reading, 100)).unwrap();
    entries.into_iter().filter(|entry| entry.action == "agent-contradicts-digest").collect()
}

fn counted(signin: &Bench, said: &str) -> u64 {
    let metric = &signin.inner().numbers.metrics.agents_contradicting;
    metric.get_or_create(&vec![("said", said.to_owned())]).get()
}

#[test]
fn an_agent_that_lies_about_a_password_in_either_direction_raises_the_alarm_after_two_cycles() {
    for (secret, says, said, other) in [
        ("right1", DirectoryVerdict::Wrong, "refused", "accepted"),
        ("any password", DirectoryVerdict::Valid, "accepted", "refused"),
    ] {
        let tenant = domain(false);
        let signin = signin(&tenant);
        answered(&signin, secret, says);
        signin.inner().contradictions.review(NOW + 10);
        cycles(&tenant, &signin, 1);
        assert_eq!(alarms(&tenant), [], "one cycle may have begun before the answer");
        cycles(&tenant, &signin, 2);
        let alarms = alarms(&tenant);
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert_eq!(alarms[0].subject, AGENT.to_string());
        assert!(alarms[0].detail.starts_with(said), "{alarms:?}");
        assert_eq!((counted(&signin, said), counted(&signin, other)), (1, 0));
    }
}

#[test]
fn an_agent_that_agrees_with_the_digest_raises_nothing() {
    for (secret, says) in [("right1", DirectoryVerdict::Valid), ("a guess", DirectoryVerdict::Wrong)] {
        let tenant = domain(false);
        let signin = signin(&tenant);
        answered(&signin, secret, says);
        let compared = &signin.inner().numbers.metrics.agent_answers_compared;
        assert_eq!(compared.get_or_create(&vec![("outcome", "same".to_owned())]).get(), 1, "it was compared");
        assert_eq!(signin.inner().contradictions.noted(), 0);
    }
}

#[test]
fn a_change_of_password_that_phs_brings_later_explains_a_difference_in_both_directions() {
    for (secret, says) in [("right1", DirectoryVerdict::Wrong), ("new", DirectoryVerdict::Valid)] {
        let tenant = domain(false);
        let signin = signin(&tenant);
        answered(&signin, secret, says);
        assert_eq!(signin.inner().contradictions.noted(), 1);
        let set = AttributeValue::PwdLastSet(filetime(NOW - 5));
        tenant.sends(vec![with(1, vec![written(2, set)])]);
        cycles(&tenant, &signin, 3);
        assert_eq!(alarms(&tenant), []);
        assert_eq!(signin.inner().contradictions.noted(), 0);
    }
}

#[test]
fn while_ad_may_accept_the_old_password_as_well_no_answer_is_compared() {
    let tenant = domain(false);
    let set = AttributeValue::PwdLastSet(filetime(NOW - 3_600));
    tenant.sends(vec![with(1, vec![written(2, set)])]);
    let signin = signin(&tenant);
    answered(&signin, "the old one", DirectoryVerdict::Valid);
    let compared = &signin.inner().numbers.metrics.agent_answers_compared;
    assert_eq!(compared.get_or_create(&vec![("outcome", "different".to_owned())]).get(), 0);
    assert_eq!(signin.inner().contradictions.noted(), 0);
}

#[test]
fn a_refusal_of_an_account_whose_right_password_agents_withhold_proves_nothing() {
    // Where privileged accounts may be carried, and where the account is promoted meanwhile.
    let allowed = domain(true);
    let promoted = domain(false);
    for (tenant, admin_count) in [(&allowed, None), (&promoted, Some(1))] {
        let signin = signin(tenant);
        answered(&signin, "right1", DirectoryVerdict::Wrong);
        assert_eq!(signin.inner().contradictions.noted(), 1);
        if admin_count.is_some() {
            tenant.sends(vec![with(1, vec![written(2, AttributeValue::AdminCount(admin_count))])]);
        }
        cycles(tenant, &signin, 3);
        assert_eq!(alarms(tenant), []);
        assert_eq!(signin.inner().contradictions.noted(), 0);
    }
}

#[test]
fn without_a_phs_a_difference_is_given_up_after_a_day() {
    let tenant = domain(false);
    let signin = signin(&tenant);
    answered(&signin, "right1", DirectoryVerdict::Wrong);
    signin.inner().contradictions.review(NOW + 86_399);
    assert_eq!(signin.inner().contradictions.noted(), 1);
    signin.inner().contradictions.review(NOW + 86_400);
    assert_eq!(signin.inner().contradictions.noted(), 0);
    assert_eq!(alarms(&tenant), []);
}
