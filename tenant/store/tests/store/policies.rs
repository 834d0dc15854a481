//! Whose policy holds, by its sentences.
#![allow(clippy::print_stdout)]

use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::{GroupPolicy, Policy, SigninPolicy};
use landbridge_tenant_rules::policies::{Admission, PolicyOwner, Resultant};
use landbridge_tenant_store::policies::*;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::{attributes, group_policies, members};
use landbridge_wire::upload::{AttributeValue, Link, LinkKind, Record};
use landbridge_wire::upload::{Kind, Presence};
use std::collections::HashSet;
use std::time::Instant;
use uuid::Uuid;

fn applies(settings: u128, to: u128) -> Link {
    link(LinkKind::AppliesTo, settings, to, 1)
}

fn resultant(tenant: &Tenant, n: u128) -> Resultant {
    tenant
        .store
        .read(|c| {
            let domain = domains::by_id(c, tenant.domain)?.unwrap();
            password_policy(c, &domain, object(n), &attributes::of(c, object(n))?)
        })
        .unwrap()
}

fn admission(tenant: &Tenant, n: u128) -> (SigninPolicy, Option<Uuid>) {
    let admission = tenant.store.read(|c| {
        let domain = domains::by_id(c, tenant.domain)?.unwrap();
        signin_policy(c, &domain, object(n), &attributes::of(c, object(n))?)
    });
    let Admission { policy, group } = admission.unwrap();
    (policy, group)
}

fn listed(tenant: &Tenant, default: SigninPolicy, groups: &[(u128, SigninPolicy)]) {
    let policies: Vec<GroupPolicy> = groups
        .iter()
        .map(|(n, policy)| GroupPolicy { group: object(*n), policy: *policy, name: format!("group{n}") })
        .collect();
    tenant
        .store
        .write("test", |tx| {
            domains::set_signin(tx, tenant.domain, default, false)?;
            group_policies::set(tx, tenant.domain, &policies)
        })
        .unwrap();
}

fn typed(n: u128, group_type: i32) -> Record {
    with_kind(n, vec![written(1, AttributeValue::GroupType(Some(group_type)))])
}

fn with_kind(n: u128, attributes: Vec<landbridge_wire::upload::Attribute>) -> Record {
    Record { kind: Kind::Group, ..with(n, attributes) }
}

#[test]
fn before_a_first_cycle_is_complete_nothing_is_known_of_policies_and_a_list_refuses_everybody() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), group(7)]);
    listed(&tenant, SigninPolicy::Phs, &[]);
    tenant
        .store
        .write("test", |tx| {
            tx.raw_execute("UPDATE domains SET acknowledged = NULL, acknowledged_before = NULL", &[])
        })
        .unwrap();
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Unclear);
    assert_eq!(admission(&tenant, 1).0, SigninPolicy::Phs);
    listed(&tenant, SigninPolicy::Phs, &[(7, SigninPolicy::Pta)]);
    assert_eq!(admission(&tenant, 1).0, SigninPolicy::Refuse);
    tenant.send(&full(9, vec![user(1, "one"), group(7)], Some("first")));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Domain);
    assert_eq!(admission(&tenant, 1).0, SigninPolicy::Phs);
}

#[test]
fn the_domains_policy_holds_where_no_other_does() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), settings_object(50, 1, 3, 1)]);
    let held = resultant(&tenant, 1);
    assert_eq!((held.owner, held.policy.max_pwd_age), (PolicyOwner::Domain, Some(MAX_PWD_AGE)));
    tenant.send(&linked(page(vec![user(2, "two")]), vec![applies(50, 2)]));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Domain, "what applies to another does not hold");
    assert_eq!(resultant(&tenant, 2).owner, PolicyOwner::Settings(object(50)));
}

#[test]
fn what_applies_to_the_account_wins_then_the_smallest_precedence_then_the_smallest_guid() {
    let tenant = Tenant::new();
    let records = vec![
        user(1, "one"),
        group(10),
        settings_object(50, 5, 3, 1),
        settings_object(51, 5, 3, 1),
        settings_object(52, 9, 3, 1),
        settings_object(53, 20, 7, 30),
    ];
    tenant
        .send(&linked(page(records), vec![member(10, 1), applies(52, 10), applies(51, 10), applies(50, 10)]));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(50)));
    tenant.send(&linked(page(vec![]), vec![applies(53, 1)]));
    let held = resultant(&tenant, 1);
    assert_eq!((held.owner, held.policy.lockout_threshold), (PolicyOwner::Settings(object(53)), Some(7)));
    let removed = |link: Link| Link { present: false, stamp: stamp(2), ..link };
    tenant.send(&linked(page(vec![]), vec![removed(applies(53, 1)), removed(applies(50, 10))]));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(51)));
    let gone = |n| Record { presence: Presence::Deleted, sid: None, kind: Kind::PasswordSettings, ..bare(n) };
    tenant.sends(vec![gone(51)]);
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(52)));
    tenant.sends(vec![gone(52)]);
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Domain);
}

#[test]
fn nested_groups_and_the_primary_group_count_if_they_are_global_security_groups() {
    let global = GLOBAL_SECURITY;
    let cases = [(global, true), (-2_147_483_644, false), (-2_147_483_640, false), (2, false)];
    for (between, holds) in cases {
        let tenant = Tenant::new();
        let records = vec![user(1, "one"), typed(10, between), group(11), settings_object(50, 1, 3, 1)];
        tenant.send(&linked(page(records), vec![member(10, 1), member(11, 10), applies(50, 11)]));
        assert_eq!(resultant(&tenant, 1).owner != PolicyOwner::Domain, holds, "{between}");
    }
    let tenant = Tenant::new();
    // Domain Users, RID 513, and a group around it.
    let users =
        Record { sid: Some(landbridge_wire::bounded::Text::new(format!("{SID}-513")).unwrap()), ..group(10) };
    let records = vec![user(1, "one"), users, group(11), settings_object(50, 1, 3, 1)];
    tenant.send(&linked(page(records), vec![member(11, 10), applies(50, 11)]));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(50)));
    let elsewhere = written(2, AttributeValue::PrimaryGroupId(Some(514)));
    tenant.sends(vec![with(1, vec![elsewhere])]);
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Domain);
}

#[test]
fn a_group_that_the_tenant_was_not_told_of_counts_as_one() {
    let tenant = Tenant::new();
    let records = vec![user(1, "one"), with_kind(11, vec![]), settings_object(50, 1, 3, 1)];
    tenant.send(&linked(page(records), vec![member(10, 1), member(11, 10), applies(50, 11)]));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(50)));
}

#[test]
fn where_it_cannot_be_told_which_holds_nothing_is_known() {
    let tenant = Tenant::new();
    tenant.send(&linked(page(vec![user(1, "one"), settings_object(51, 1, 3, 1)]), vec![applies(50, 1)]));
    let unclear = Resultant { policy: Policy::default(), owner: PolicyOwner::Unclear };
    assert_eq!(resultant(&tenant, 1), unclear, "it has not arrived");
    let without = Record { kind: Kind::PasswordSettings, sid: None, ..bare(50) };
    tenant.sends(vec![without]);
    tenant.send(&linked(page(vec![]), vec![applies(51, 1)]));
    assert_eq!(resultant(&tenant, 1), unclear, "it has no precedence");
    let precedence = written(1, AttributeValue::Precedence(Some(0)));
    tenant.sends(vec![Record { kind: Kind::PasswordSettings, sid: None, ..with(50, vec![precedence]) }]);
    let held = resultant(&tenant, 1);
    assert_eq!(
        (held.owner, held.policy),
        (PolicyOwner::Settings(object(50)), Policy::default()),
        "the rest has not arrived"
    );
}

#[test]
fn groups_that_contain_each_other_end_and_too_many_are_not_guessed_at() {
    let tenant = Tenant::new();
    let records = vec![user(1, "one"), group(10), group(11), settings_object(50, 1, 3, 1)];
    let links = vec![member(10, 1), member(11, 10), member(10, 11), member(10, 10), applies(50, 11)];
    tenant.send(&linked(page(records), links));
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Settings(object(50)));
    let most = u128::try_from(members::MOST_GROUPS).unwrap();
    tenant.send(&linked(page(vec![user(2, "two")]), (0..most).map(|n| member(1_000 + n, 2)).collect()));
    assert_eq!(resultant(&tenant, 2).owner, PolicyOwner::Domain);
    tenant.send(&linked(page(vec![]), vec![member(5_000, 2)]));
    assert_eq!(resultant(&tenant, 2).owner, PolicyOwner::Unclear);
    listed(&tenant, SigninPolicy::Phs, &[(10, SigninPolicy::Phs)]);
    assert_eq!(admission(&tenant, 2), (SigninPolicy::Refuse, None));
    assert_eq!(admission(&tenant, 1), (SigninPolicy::Phs, Some(object(10))));
}

#[test]
fn another_domains_phs_puts_nobody_under_a_policy_or_into_a_group() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "one"), group(10)]);
    listed(&tenant, SigninPolicy::Refuse, &[(10, SigninPolicy::Phs), (12, SigninPolicy::Phs)]);
    let other = tenant.other_domain();
    let sid = Some(landbridge_wire::bounded::Text::new(format!("{OTHER_SID}-1200")).unwrap());
    let records = vec![settings_object(50, 1, 1, 1), Record { sid, ..group(12) }];
    let links = vec![applies(50, 1), member(10, 1), member(12, 1), member(11, 1), applies(50, 11)];
    let upload = landbridge_wire::upload::Upload {
        domain_sid: landbridge_wire::bounded::Text::new(OTHER_SID).unwrap(),
        policy: None,
        ..linked(page(records), links)
    };
    landbridge_tenant_core::ingest::upload(&tenant.store, &tenant.counts, &other, &upload, NOW).unwrap();
    assert_eq!(resultant(&tenant, 1).owner, PolicyOwner::Domain);
    assert_eq!(admission(&tenant, 1), (SigninPolicy::Refuse, None));
}

#[test]
fn the_first_group_of_the_list_decides_and_one_that_is_gone_holds_nothing() {
    let tenant = Tenant::new();
    let records = vec![user(1, "one"), user(2, "two"), user(3, "three"), group(10), group(11), group(12)];
    let links = vec![member(10, 1), member(11, 10), member(12, 2), member(11, 2)];
    tenant.send(&linked(page(records), links));
    assert_eq!(admission(&tenant, 1), (SigninPolicy::Phs, None), "without a list the domain decides");
    let (phs, pta, refuse) = (SigninPolicy::Phs, SigninPolicy::Pta, SigninPolicy::Refuse);
    listed(&tenant, refuse, &[(12, phs), (11, pta)]);
    assert_eq!(admission(&tenant, 1), (pta, Some(object(11))), "through another group");
    assert_eq!(admission(&tenant, 2), (phs, Some(object(12))));
    assert_eq!(admission(&tenant, 3), (refuse, None));
    listed(&tenant, refuse, &[(11, pta), (12, phs)]);
    assert_eq!(admission(&tenant, 2), (pta, Some(object(11))), "the order decides");
    tenant.sends(vec![Record { presence: Presence::Deleted, ..group(11) }]);
    assert_eq!(admission(&tenant, 1), (refuse, None));
    assert_eq!(admission(&tenant, 2), (phs, Some(object(12))));
}

#[test]
fn strangers_take_one_of_the_roads_that_people_take_and_always_the_same() {
    let tenant = Tenant::new();
    listed(&tenant, SigninPolicy::Refuse, &[(10, SigninPolicy::Phs), (11, SigninPolicy::Pta)]);
    let policy = |n: u128| {
        let chosen = tenant.store.read(|c| {
            let domain = domains::by_id(c, tenant.domain)?.unwrap();
            policy_for_stranger(c, &domain, Uuid::from_u128(n))
        });
        chosen.unwrap()
    };
    let all: HashSet<SigninPolicy> = (0..10).map(policy).collect();
    assert_eq!(all.len(), 3);
    assert_eq!(policy(7), policy(7));
}

mod sqlite {
    use super::*;

    /// No time is asserted: it prints what the question costs beside what a derivation costs.
    #[test]
    fn in_a_large_domain_the_questions_cost_little_beside_a_derivation() {
        const ACCOUNTS: u128 = 20_000;
        const GROUPS: u128 = 200;
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        let group_at = |n: u128| object(1_000_000 + n);
        tenant
            .store
            .write("test", |tx| {
                let mut row = tx.raw().prepare(
                    "INSERT INTO objects VALUES (NULL, ?1, ?2, ?3, 'present', 0, NULL, 1, ?4, NULL, 0, 0)",
                )?;
                let mut edge = tx
                    .raw()
                    .prepare("INSERT OR IGNORE INTO links VALUES (?1, ?2, ?3, ?4, zeroblob(28), 1, NULL)")?;
                for n in 0..ACCOUNTS {
                    let account = object(1 + n);
                    if n > 0 {
                        row.execute((
                            account.as_bytes(),
                            tenant.domain,
                            format!("{SID}-{}", 2_000 + n),
                            "account",
                        ))?;
                    }
                    for of in [n % GROUPS, (n * 7 + 3) % GROUPS, (n * 31 + 11) % GROUPS] {
                        edge.execute((group_at(of).as_bytes(), "member", account.as_bytes(), tenant.domain))?;
                    }
                }
                for n in 0..GROUPS {
                    let sid = format!("{SID}-{}", 900_000 + n);
                    row.execute((group_at(n).as_bytes(), tenant.domain, sid, "group"))?;
                    // Chains of five: 0 in 40, 40 in 80, …
                    if n + 40 < GROUPS {
                        let (outer, inner) = (group_at(n + 40), group_at(n));
                        edge.execute((outer.as_bytes(), "member", inner.as_bytes(), tenant.domain))?;
                    }
                }
                Ok(())
            })
            .unwrap();
        let cost = |what: &str| {
            let (rounds, began) = (2_000_u32, Instant::now());
            for _ in 0..rounds {
                assert_eq!(admission(&tenant, 1).0, SigninPolicy::Phs, "{what}");
                resultant(&tenant, 1);
            }
            began.elapsed() / rounds
        };
        let without = cost("without a list");
        listed(&tenant, SigninPolicy::Refuse, &[(9, SigninPolicy::Refuse), (1_000_160, SigninPolicy::Phs)]);
        tenant.send(&linked(page(vec![settings_object(50, 1, 3, 1)]), vec![applies(50, 1_000_120)]));
        let with = cost("with a list");
        let cheap = digest("right");
        let began = Instant::now();
        for n in 0..20 {
            assert!(!cheap.verify(&password(&format!("wrong{n}"))));
        }
        let whole = began.elapsed() / 20;
        println!(
            "N = 2000, {ACCOUNTS} accounts in {GROUPS} groups, nested 5 deep: both questions {without:?} without policies of groups, \
         {with:?} with them; a derivation of the cheap profile {whole:?}: {:.1} % of it",
            (with - without).as_secs_f64() * 100.0 / whole.as_secs_f64()
        );
    }
}
