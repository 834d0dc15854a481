//! How often the usual way writes to the database: what it costs is those writes.

use super::{code, query, redeem, refresh, served, signed_in, text};
use crate::applications::RIGHT;
use crate::harness::{Edge, until};
use hyper::StatusCode;
use std::collections::BTreeMap;

/// The transactions that were committed since the tenant started, by name. The end of a connection of an agent is noted when
/// the agent has its answer already: it is waited for.
pub(super) async fn committed(edge: &Edge) -> BTreeMap<&'static str, u64> {
    until("the ends of agents' connections are noted", async || {
        let audit = edge.audit().await;
        let count = |action: &str| audit.iter().filter(|entry| entry.action == action).count();
        count("agent-connected") == count("agent-disconnected")
    })
    .await;
    committed_now(edge)
}

fn committed_now(edge: &Edge) -> BTreeMap<&'static str, u64> {
    edge.tenant.store.transactions().into_iter().map(|(name, counts)| (name, counts.committed)).collect()
}

/// Those that were committed since `before`.
pub(super) fn since(edge: &Edge, before: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let count = |name: &str| before.get(name).copied().unwrap_or_default();
    let all = committed_now(edge).into_iter().map(|(name, after)| (name, after - count(name)));
    all.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_flow_writes_once_a_refresh_once_and_userinfo_never() {
    let (edge, _phs, mut browser, secret) = served(|_| ()).await;
    // The first use of a session, and of a secret on its day, is noted: both are over before the count.
    let page = signed_in(&mut browser, "openid offline_access", "alice@corp.example.com", RIGHT).await;
    assert_eq!(redeem(&mut browser, &secret, &code(&page)).await.0, StatusCode::OK);
    // A use of a session is noted if it was not in the minute before: here it was not.
    let aged = "UPDATE web_sessions SET seen_at = seen_at - 120";
    edge.tenant.store.write("test", |writing| Ok(writing.raw().execute(aged, [])?)).unwrap();
    // 1. A code flow.
    let before = committed(&edge).await;
    let page = browser.get(&format!("/authorize?{}", query("openid profile offline_access"))).await;
    let code = code(&page);
    assert_eq!(since(&edge, &before), [], "the code is sealed, and no row");
    let (status, tokens) = redeem(&mut browser, &secret, &code).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(since(&edge, &before), [("grant", 1)]);
    // 2. A refresh.
    let before = committed(&edge).await;
    let (status, tokens) = refresh(&mut browser, &secret, text(&tokens, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(since(&edge, &before), [("grant-turn", 1)]);
    // 3. Userinfo.
    let before = committed(&edge).await;
    assert_eq!(browser.userinfo(text(&tokens, "access_token")).await.0, StatusCode::OK);
    assert_eq!(since(&edge, &before), []);
    // 4. The redemption has noted the use of the session.
    let seen = "SELECT max(seen_at) - max(made_at) FROM web_sessions";
    let noted: i64 =
        edge.tenant.store.read(|reading| Ok(reading.raw().query_row(seen, [], |row| row.get(0))?)).unwrap();
    assert!(noted >= 0, "the session was used {noted} s after it was made");
}
