//! How often a request waits for the database, where that is on a server. The first requests prepare their statements, and
//! are not counted.

use super::*;

#[test]
fn of_a_code_flow_each_request_needs_few() {
    let bench = Bench::on_server();
    let client = bench.client("wiki");
    let counted = std::cell::RefCell::new(Vec::new());
    for _ in 0..3 {
        counted.borrow_mut().clear();
        let begun = bench.tenant.store.round_trips();
        let note = |what| counted.borrow_mut().push((what, bench.tenant.store.round_trips()));
        // The account, then the session with its browser and its audit entry.
        let (session, cookie) = bench.session(1, NOW);
        note("begin");
        assert!(bench.provider.session(&cookie, NOW).unwrap().is_some());
        note("session");
        bench.provider.client("wiki").unwrap().unwrap();
        note("client");
        let code = bench.code(&session, &client, "openid profile offline_access", NOW);
        note("code");
        // The session, the person; then the session again, the grant, and the commit.
        let granted = bench.redeem(&client, &code, NOW).unwrap();
        note("redeem");
        bench.provider.userinfo(&granted.access, NOW).unwrap();
        note("userinfo");
        bench.provider.refresh(&client, &granted.refresh.unwrap(), NOW).unwrap();
        note("refresh");
        let mut before = begun;
        for (_, trips) in counted.borrow_mut().iter_mut() {
            (before, *trips) = (*trips, *trips - before);
        }
    }
    let expected = [
        ("begin", 4),
        ("session", 2),
        ("client", 1),
        ("code", 2),
        ("redeem", 5),
        ("userinfo", 3),
        ("refresh", 5),
    ];
    assert_eq!(*counted.borrow(), expected);
}

#[test]
fn a_person_in_many_groups_needs_no_more() {
    let bench = Bench::on_server();
    let groups = 2..40;
    bench.tenant.sends(groups.clone().map(group).collect());
    bench.tenant.send(&linked(page(vec![user(1, "right1")]), groups.map(|n| member(n, 1)).collect()));
    let client = bench.changed_client("wiki", true, |oidc| oidc.groups = None);
    let mut last = 0;
    for _ in 0..3 {
        let (session, _) = bench.session(1, NOW);
        let code = bench.code(&session, &client, "openid groups", NOW);
        let before = bench.tenant.store.round_trips();
        let granted = bench.redeem(&client, &code, NOW).unwrap();
        last = bench.tenant.store.round_trips() - before;
        assert_eq!(granted.claims["groups"].as_array().unwrap().len(), 38);
    }
    // The groups, and the names of all of them, beside what every redemption needs.
    assert_eq!(last, 7);
}
