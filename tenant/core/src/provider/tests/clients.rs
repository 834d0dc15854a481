//! Clients: a change by whatever process is seen at once.

use super::*;
use landbridge_tenant_rules::model::Network;
use landbridge_tenant_store::tables::{app_domains, app_networks};
use landbridge_tenant_store::{Store, Writing};

#[test]
fn a_change_of_a_client_by_another_process_is_seen_at_the_next_request() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let id = client.app.id;
    // Another process, which has the database open by itself.
    let other = Store::open(bench.tenant.store.path().unwrap(), keys()).unwrap();
    let row = bench.tenant.domain;
    let others_callback = RedirectUri::parse("https://wiki.example.com/other").unwrap();
    let changed = OidcClient { redirect_uris: vec![others_callback.clone()], ..client.oidc.clone() };
    type Change<'a> = Box<dyn Fn(&Writing<'_>) -> Result<(), StoreError> + 'a>;
    type Shows = fn(&Client) -> bool;
    let changes: Vec<(&str, Change<'_>, Shows)> = vec![
        ("URIs", Box::new(|to| app_oidc::set(to, id, Some(&changed), &[0; 32])), |client| {
            client.oidc.redirect_uris.iter().all(|uri| uri.as_str().ends_with("/other"))
        }),
        ("assignment", Box::new(|to| apps::set_everybody(to, id, false)), |client| !client.app.everybody),
        ("rate", Box::new(|to| apps::set_rate(to, id, 7)), |client| client.app.rate_per_minute == 7),
        (
            "networks",
            Box::new(|to| app_networks::set(to, id, &[Network::parse("192.0.2.0/24").unwrap()])),
            |client| client.app.networks.len() == 1,
        ),
        (
            "domains",
            Box::new(|to| {
                apps::set_every_domain(to, id, false)?;
                app_domains::set(to, id, &[row])
            }),
            |client| client.app.domains.is_some(),
        ),
    ];
    for (what, change, shows) in changes {
        let before = bench.provider.client("wiki").unwrap().unwrap();
        assert!(!shows(&before), "{what}");
        other.write("test", |writing| change(writing)).unwrap();
        assert!(shows(&bench.provider.client("wiki").unwrap().unwrap()), "{what}");
    }
    other.write("test", |writing| apps::revoke(writing, id, NOW).map(drop)).unwrap();
    assert!(bench.provider.client("wiki").unwrap().is_none());
}

#[test]
fn what_is_no_client_is_not_kept() {
    let bench = Bench::new();
    assert!(bench.provider.client("wiki").unwrap().is_none());
    let client = bench.client("wiki");
    assert_eq!(bench.provider.client("wiki").unwrap().unwrap().app.id, client.app.id);
    assert!(bench.provider.client("WIKI").unwrap().is_none());
}
