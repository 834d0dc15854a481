//! Pushed authorization requests: once, for a minute, for their client, and a limited number of them.

use super::*;
use landbridge_tenant_store::tables::pushed_requests::MOST;

const QUERY: &str = "client_id=wiki&id_token_hint=a.signed.token";

fn redeemed(bench: &Bench, client: &Client, uri: &str, now: i64) -> Option<String> {
    let found = bench.provider.redeem_pushed(client, uri, now).unwrap();
    found.map(|query| String::from_utf8(query.to_vec()).unwrap())
}

#[test]
fn a_pushed_request_is_good_once_for_a_minute_for_its_client() {
    let bench = Bench::new();
    let (client, other) = (bench.client("wiki"), bench.client("mail"));
    let push = || bench.provider.push(&client, QUERY, NOW).unwrap().unwrap();
    let uri = push();
    assert_eq!(redeemed(&bench, &other, &uri, NOW), None);
    assert_eq!(redeemed(&bench, &client, &uri, NOW + 59).as_deref(), Some(QUERY));
    assert_eq!(redeemed(&bench, &client, &uri, NOW + 59), None);
    let late = push();
    assert_eq!(redeemed(&bench, &client, &late, NOW + 60), None);
    for text in
        ["", "urn:ietf:params:oauth:request_uri:", &late[34..], &format!("{}A", *late), "https://x.example/"]
    {
        assert_eq!(redeemed(&bench, &client, text, NOW), None, "{text}");
    }
}

#[test]
fn a_limited_number_of_a_clients_requests_waits_and_a_minute_later_others_can() {
    let bench = Bench::new();
    let (client, other) = (bench.client("wiki"), bench.client("mail"));
    for _ in 0..MOST {
        assert!(bench.provider.push(&client, QUERY, NOW).unwrap().is_some());
    }
    assert!(bench.provider.push(&client, QUERY, NOW + 59).unwrap().is_none());
    assert!(bench.provider.push(&other, QUERY, NOW + 59).unwrap().is_some(), "another client");
    assert!(bench.provider.push(&client, QUERY, NOW + 60).unwrap().is_some());
}

#[test]
fn no_file_of_the_database_holds_a_pushed_request_or_its_name() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let uri = bench.provider.push(&client, QUERY, NOW).unwrap().unwrap();
    let secret = uri.rsplit(':').next().unwrap();
    for entry in std::fs::read_dir(bench.tenant.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for needle in [secret, "a.signed.token"] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()));
        }
    }
    assert!(redeemed(&bench, &client, &uri, NOW).is_some());
}
