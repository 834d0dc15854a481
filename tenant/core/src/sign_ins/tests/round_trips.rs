//! How often a sign-in waits for the database, where that is on a server. Over a distance these round trips are most of a
//! sign-in's time. The first sign-ins prepare their statements, and are not counted.

use super::*;
use landbridge_tenant_fixture::postgres;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_store::tables::domains;
use landbridge_wire::signin::DirectoryVerdict;

const USER: &str = "user1@corp.example.com";
const UNKNOWN: &str = "unknown@corp.example.com";

fn on_server() -> Tenant {
    let tenant = Tenant::at(tempfile::tempdir().unwrap(), postgres::database(), false);
    tenant.sends((1..=3).map(|n| user(n, &format!("right{n}"))).collect());
    tenant
}

/// The round trips of the last of several tries, each with a password of its own.
fn trips(tenant: &Tenant, one_try: impl Fn(usize) -> Verdict, is_right: bool) -> u64 {
    let mut last = 0;
    for n in 0..4 {
        let before = tenant.store.round_trips();
        let verdict = one_try(n);
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), is_right, "{verdict:?}");
        last = tenant.store.round_trips() - before;
    }
    last
}

#[test]
fn a_sign_in_by_digest_needs_three_and_a_new_wrong_password_six_also_for_an_unknown_name() {
    let tenant = on_server();
    let bench = signin(&tenant);
    let wrong = |name| trips(&tenant, |n| tries(&bench, name, &format!("wrong{n}")), false);
    let (of_user, of_unknown) = (wrong(USER), wrong(UNKNOWN));
    // The name, all facts, and the audit entry.
    assert_eq!(trips(&tenant, |_| tries(&bench, "user2@corp.example.com", "right2"), true), 3);
    // The counter is read, stored, and those over the limit are deleted with the commit.
    assert_eq!((of_user, of_unknown), (6, 6));
    let again = |name| trips(&tenant, |_| tries(&bench, name, "wrong0"), false);
    assert_eq!((again(USER), again(UNKNOWN)), (3, 3), "what is remembered is not counted again");
}

#[test]
fn a_sign_in_by_an_agent_needs_ten() {
    let tenant = on_server();
    let set = |writing: &landbridge_tenant_store::Writing<'_>| {
        domains::set_signin(writing, tenant.domain, SigninPolicy::Pta, false)?;
        let sql = "UPDATE domains SET lockout_threshold = 10, lockout_observation_window = -18000000000";
        writing.raw_commands(sql)
    };
    tenant.store.write("test", set).unwrap();
    let bench = signin(&tenant);
    let one_try = |n| {
        let outcome = Ok(DirectoryVerdict::Valid);
        lock(&bench.directory.answers).push_back(AgentAnswer { outcome, agent: None, tried: 1 });
        tries(&bench, USER, &format!("right{n}"))
    };
    // As by digest, and: the facts again, and one bind is reserved in AD's budget and given back.
    assert_eq!(trips(&tenant, one_try, true), 10);
}
