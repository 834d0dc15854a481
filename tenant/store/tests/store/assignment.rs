//! Who is assigned to an application, and what an application has several of.

use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::{AppGroup, AppSecret, Application, Network};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::{
    app_domains, app_groups, app_networks, app_secrets, apps, attributes, domains, members,
};
use landbridge_wire::upload::{AttributeValue, Presence, Record};
use uuid::Uuid;

const APP: Uuid = Uuid::from_u128(0xa99);

fn app(everybody: bool, domains: Option<Vec<i64>>) -> Application {
    let domains = domains.map(|_| Vec::new());
    Application {
        id: APP,
        name: "mail".to_owned(),
        domains,
        everybody,
        networks: Vec::new(),
        rate_per_minute: 60,
        created_at: NOW,
        revoked_at: None,
    }
}

fn write<T>(tenant: &Tenant, run: impl Fn(&Writing<'_>) -> Result<T, StoreError>) -> T {
    tenant.store.write("test", run).unwrap()
}

/// A tenant with an application that only members of these groups are assigned to.
fn tenant_for(groups: &[u128]) -> Tenant {
    let tenant = Tenant::new();
    let domain = tenant.domain;
    write(&tenant, |writing| {
        assert!(apps::insert(writing, &app(false, None))?);
        for n in groups {
            let (domain_name, name) = (String::new(), format!("group{n}"));
            app_groups::add(writing, APP, &AppGroup { domain, domain_name, group: object(*n), name })?;
        }
        Ok(())
    });
    tenant
}

fn is_assigned(tenant: &Tenant, n: u128) -> bool {
    tenant
        .store
        .read(|reading| {
            let domain = domains::by_id(reading, tenant.domain)?.unwrap();
            let primary = attributes::of(reading, object(n))?.primary_group_id;
            app_groups::is_assigned(reading, APP, &domain, object(n), primary)
        })
        .unwrap()
}

#[test]
fn members_are_assigned_directly_through_nested_groups_and_by_their_primary_group_and_nobody_else() {
    let tenant = tenant_for(&[10]);
    // The RID of the fixture's object n is 1100 + n.
    let primary = written(1, AttributeValue::PrimaryGroupId(Some(1110)));
    let by_primary = with(4, vec![written(1, sam("user4")), primary]);
    tenant.sends(vec![
        user(1, "a"),
        user(2, "b"),
        user(3, "c"),
        by_primary,
        group(10),
        group(11),
        group(12),
        group(13),
    ]);
    let links = vec![member(10, 1), member(10, 11), member(11, 12), member(12, 2), member(13, 3)];
    tenant.send(&linked(page(vec![]), links));
    // Group 12 is in 11, which is in 10.
    assert_eq!([1, 2, 3].map(|n| is_assigned(&tenant, n)), [true, true, false]);
    assert!(is_assigned(&tenant, 4), "by the primary group");
}

#[test]
fn a_group_that_vanished_assigns_nobody_and_everybody_needs_no_group() {
    let tenant = tenant_for(&[10]);
    tenant.sends(vec![user(1, "a"), group(10)]);
    tenant.send(&linked(page(vec![]), vec![member(10, 1)]));
    assert!(is_assigned(&tenant, 1));
    tenant.sends(vec![Record { presence: Presence::Deleted, ..group(10) }]);
    assert!(!is_assigned(&tenant, 1));
    write(&tenant, |writing| apps::set_everybody(writing, APP, true));
    assert!(is_assigned(&tenant, 1));
    write(&tenant, |writing| apps::revoke(writing, APP, NOW));
    assert!(!is_assigned(&tenant, 1), "a revoked application has nobody");
}

#[test]
fn an_account_in_more_groups_than_are_looked_at_is_not_assigned() {
    let tenant = tenant_for(&[2]);
    let most = u128::try_from(members::MOST_GROUPS).unwrap();
    tenant.sends(vec![user(1, "a"), group(2)]);
    tenant.send(&linked(page(vec![]), (2..2 + most).map(|n| member(n, 1)).collect()));
    assert!(is_assigned(&tenant, 1), "{most} groups");
    tenant.send(&linked(page(vec![]), vec![member(2 + most, 1)]));
    assert!(!is_assigned(&tenant, 1), "one more");
}

#[test]
fn a_group_of_another_domain_assigns_nobody_of_this_one() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    tenant.sends(vec![user(1, "a"), group(10)]);
    tenant.send(&linked(page(vec![]), vec![member(10, 1)]));
    write(&tenant, |writing| {
        apps::insert(writing, &app(false, None))?;
        let (domain_name, name) = (String::new(), "group10".to_owned());
        app_groups::add(
            writing,
            APP,
            &AppGroup { domain: other.domain, domain_name, group: object(10), name },
        )
    });
    assert!(!is_assigned(&tenant, 1));
}

#[test]
fn domains_networks_and_secrets_come_back_as_they_were_stored() {
    let tenant = Tenant::new();
    let secret =
        |number, hash| AppSecret { number, hash, created_at: NOW, ends_at: Some(NOW + 9), used_at: None };
    let network = Network::parse("192.0.2.0/24").unwrap();
    write(&tenant, |writing| {
        apps::insert(writing, &app(true, Some(Vec::new())))?;
        app_domains::set(writing, APP, &[tenant.domain, tenant.domain])?;
        app_networks::set(writing, APP, &[network, network])?;
        assert!(app_secrets::add(writing, APP, &secret(1, [1; 32]))?);
        assert!(!app_secrets::add(writing, APP, &secret(1, [3; 32]))?, "the number is taken");
        assert!(app_secrets::add(writing, APP, &secret(2, [2; 32]))?);
        app_secrets::note_use(writing, APP, 2, NOW - 86_400)?;
        app_secrets::note_use(writing, APP, 2, NOW - 2 * 86_400)
    });
    let (found, secrets) = tenant
        .store
        .read(|reading| Ok((apps::find(reading, APP)?.unwrap(), app_secrets::of(reading, APP)?)))
        .unwrap();
    assert_eq!((found.domain_rows(), found.networks), (Some(vec![tenant.domain]), vec![network]));
    let used: Vec<_> = secrets.iter().map(|one| (one.number, one.hash[0], one.used_at)).collect();
    assert_eq!(used, [(1, 1, None), (2, 2, Some(NOW - 86_400))], "the last day stays");
    assert!(secrets[0].is_good(NOW + 8) && !secrets[0].is_good(NOW + 9));
}

#[test]
fn with_a_domain_the_applications_of_it_alone_are_revoked_and_the_others_serve_on() {
    let tenant = Tenant::new();
    let other = tenant.other_domain();
    let ids = [1, 2, 3].map(Uuid::from_u128);
    let served = [Some(vec![tenant.domain]), Some(vec![tenant.domain, other.domain]), None];
    write(&tenant, |writing| {
        for (id, domains) in ids.iter().zip(&served) {
            let application = Application { id: *id, name: id.to_string(), ..app(true, domains.clone()) };
            apps::insert(writing, &application)?;
            app_domains::set(writing, *id, domains.as_deref().unwrap_or_default())?;
        }
        Ok(())
    });
    let remove = |writing: &Writing<'_>| Ok(((), domains::remove(writing, tenant.domain, NOW)?));
    tenant.store.erase_rows("test", remove).unwrap();
    let after = ids.map(|id| {
        let found = tenant.store.read(|reading| apps::find(reading, id)).unwrap().unwrap();
        (found.domain_rows(), found.revoked_at)
    });
    let expected = [(Some(vec![]), Some(NOW)), (Some(vec![other.domain]), None), (None, None)];
    assert_eq!(after, expected);
}
