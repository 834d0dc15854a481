//! Introspection and revocation: how long a token is active.

use super::*;

/// Whether a token is active for a client.
fn is_active(bench: &Bench, by: &Client, token: &str, now: i64) -> bool {
    bench.provider.introspect(by, token, now).unwrap().is_some()
}

#[test]
fn a_token_is_active_until_its_own_end_and_that_of_its_session() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, granted, token) = bench.refresh_token(&client, NOW);
    let access = granted.access.as_str();
    assert!(is_active(&bench, &client, access, NOW + TOKEN - 1));
    assert!(!is_active(&bench, &client, access, NOW + TOKEN));
    assert!(is_active(&bench, &client, &token, NOW + LIVES.refresh - 1));
    assert!(!is_active(&bench, &client, &token, NOW + LIVES.refresh));
    let found = bench.provider.introspect(&client, &token, NOW).unwrap().unwrap();
    assert_eq!((found.is_refresh, found.ends_at), (true, NOW + LIVES.refresh));
    bench.provider.end(&session, Ending::SignedOut, NOW).unwrap();
    assert!(!is_active(&bench, &client, access, NOW) && !is_active(&bench, &client, &token, NOW));
}

#[test]
fn a_clients_own_token_is_active_for_five_minutes_and_once_revoked_no_more() {
    let bench = Bench::new();
    let client = bench.changed_client("backup", true, |oidc| oidc.client_credentials = true);
    let token = bench.provider.client_token(&client, NOW);
    let other = bench.provider.client_token(&client, NOW);
    assert!(is_active(&bench, &client, &token, NOW + TOKEN - 1));
    assert!(!is_active(&bench, &client, &token, NOW + TOKEN));
    bench.provider.revoke(&client, &token, NOW).unwrap();
    assert!(!is_active(&bench, &client, &token, NOW));
    assert!(is_active(&bench, &client, &other, NOW), "another one goes on");
    // The row goes when the token has ended by itself, and a clock that is set back finds no token either.
    let rows = || -> i64 {
        let count = "SELECT count(*) FROM spent";
        bench.tenant.store.read(|reading| Ok(reading.raw().query_row(count, [], |row| row.get(0))?)).unwrap()
    };
    assert_eq!(rows(), 1);
    bench.provider.sweep(NOW + TOKEN - 1).unwrap();
    assert_eq!(rows(), 1);
    bench.provider.sweep(NOW + TOKEN).unwrap();
    assert_eq!(rows(), 0);
}
