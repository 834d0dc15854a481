//! Where objects are in the directory's tree.

use landbridge_tenant_fixture::*;
use landbridge_tenant_store::erase::due_before;
use landbridge_tenant_store::tables::{attributes, domains, objects};
use landbridge_tenant_store::tree::distinguished_name;
use landbridge_wire::upload::{Kind, Presence, Record};
use uuid::Uuid;

fn name(tenant: &Tenant, n: u128) -> Option<String> {
    let read = |c: &landbridge_tenant_store::Reading<'_>| {
        let domain = domains::all(c)?.remove(0);
        distinguished_name(c, &domain, object(n))
    };
    tenant.store.read(read).unwrap()
}

/// Ada, 1, in OU 12 in OU 11 in the domain, 10.
fn tenant() -> Tenant {
    let tenant = Tenant::new();
    let ada = with(1, placed(1, "CN=Lovelace\\, Ada", Some(12)));
    tenant.sends(vec![ada, container(12, Some(11)), container(10, None), container(11, Some(10))]);
    tenant
}

#[test]
fn a_distinguished_name_is_composed_of_the_containers_above_an_object_and_follows_each_of_them() {
    let tenant = tenant();
    let in_domain = |above: &str| Some(format!("{above}DC=corp,DC=example,DC=com"));
    assert_eq!(name(&tenant, 1), in_domain("CN=Lovelace\\, Ada,OU=ou12,OU=ou11,"));
    assert_eq!(name(&tenant, 11), in_domain("OU=ou11,"));
    assert_eq!(name(&tenant, 10), in_domain(""));
    // A container is renamed: one record.
    let renamed = Record { kind: Kind::Container, sid: None, ..with(11, placed(2, "OU=Sales", Some(10))) };
    tenant.sends(vec![renamed]);
    assert_eq!(name(&tenant, 1), in_domain("CN=Lovelace\\, Ada,OU=ou12,OU=Sales,"));
    // The account moves; an older stamp moves it back no more.
    tenant.sends(vec![with(1, placed(2, "CN=Ada", Some(11)))]);
    tenant.sends(vec![with(1, placed(1, "CN=Lovelace\\, Ada", Some(12)))]);
    assert_eq!(name(&tenant, 1), in_domain("CN=Ada,OU=Sales,"));
    let known = tenant.store.read(|c| attributes::of(c, object(1))).unwrap();
    assert_eq!((known.rdn.as_deref(), known.parent), (Some("CN=Ada"), Some(object(11))));
}

#[test]
fn an_object_whose_containers_are_not_all_there_has_no_distinguished_name() {
    let tenant = tenant();
    tenant.sends(vec![
        user(2, "two"),
        with(3, placed(1, "CN=c", Some(99))),
        with(4, placed(1, "CN=d", None)),
    ]);
    for (n, why) in [(2, "no place"), (3, "an unknown container"), (4, "an account in no container")] {
        assert_eq!(name(&tenant, n), None, "{why}");
    }
    // In an account, and in a circle.
    tenant.sends(vec![with(5, placed(1, "CN=e", Some(1)))]);
    assert_eq!(name(&tenant, 5), None);
    let circle = with(11, placed(2, "OU=ou11", Some(12)));
    tenant.sends(vec![Record { kind: Kind::Container, sid: None, ..circle }]);
    assert_eq!(name(&tenant, 1), None);
    assert_eq!(name(&tenant, 77), None);
}

#[test]
fn a_container_that_left_is_erased_like_any_object_and_is_no_account() {
    let tenant = tenant();
    let count = |kind| tenant.store.read(|c| objects::present_in(c, 1, kind)).unwrap();
    assert_eq!((count(Kind::Account), count(Kind::Container)), (1, 3));
    let unnamed = tenant.store.read(|c| objects::accounts_unnamed_in(c, 1, Uuid::from_u128(7))).unwrap();
    assert_eq!(unnamed, 1, "the limit on removals counts accounts");
    assert!(tenant.store.read(|c| objects::present_account(c, object(11))).unwrap().is_none());
    tenant.sends(vec![Record { presence: Presence::Deleted, ..container(12, Some(11)) }]);
    assert_eq!(name(&tenant, 1), None);
    let due = |tx: &landbridge_tenant_store::Writing<'_>| {
        let removed = objects::removed_before(tx, due_before(NOW + 86_400, 0))?;
        Ok((removed.len(), removed))
    };
    assert_eq!(tenant.store.erase("test", due).unwrap(), 1);
    assert!(tenant.store.read(|c| objects::find(c, object(12))).unwrap().is_none());
    assert!(tenant.store.read(|c| objects::find(c, object(11))).unwrap().is_some());
}
