//! The keys that sign tokens: rotated and revoked by an administrator.

use super::{code, query, redeem, refresh, served, signed_in, text};
use crate::applications::RIGHT;
use crate::directory::says;
use crate::harness::Edge;
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, KeyRow};

async fn keys(edge: &Edge) -> Vec<KeyRow> {
    match edge.ask(AdminRequest::KeysList).await {
        AdminResponse::Keys(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn with_state<'a>(rows: &'a [KeyRow], algorithm: &str, state: &str) -> Vec<&'a KeyRow> {
    rows.iter().filter(|row| row.algorithm == algorithm && row.state == state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_rotated_is_accepted_for_a_day_and_one_that_was_revoked_never_again() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", "alice@corp.example.com", RIGHT).await;
    let (_, before) = redeem(&mut browser, &secret, &code(&page)).await;
    let first = keys(&edge).await;
    assert_eq!(first.len(), 4);
    // 1. A rotation: what came next signs, and what signed stays published.
    assert!(says(&edge, AdminRequest::KeysRotate).await.starts_with("these keys sign"));
    let rows = keys(&edge).await;
    assert_eq!(rows.len(), 6);
    for algorithm in ["RS256", "ES256"] {
        let of = |rows, state| with_state(rows, algorithm, state)[0].kid.clone();
        assert_eq!(of(&rows, "signs"), of(&first, "next"), "{algorithm}");
        assert_eq!(of(&rows, "retired"), of(&first, "signs"), "{algorithm}");
    }
    assert_eq!(browser.json("/jwks").await["keys"].as_array().unwrap().len(), 6);
    browser.verified(text(&before, "id_token"), "RS256").await;
    assert_eq!(browser.userinfo(text(&before, "access_token")).await.0, StatusCode::OK);
    let (status, after) = refresh(&mut browser, &secret, text(&before, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK);
    browser.verified(text(&after, "id_token"), "RS256").await;
    // 2. A revocation of the one that signs: its tokens and the grants of its applications end, the session does not.
    let signs = with_state(&rows, "RS256", "signs")[0].kid.clone();
    let revoke = |kid: &str, grants| AdminRequest::KeysRevoke { kid: kid.to_owned(), grants };
    assert!(says(&edge, revoke("none", None)).await.starts_with("refused: there is no such key"));
    match edge.ask(revoke(&signs, None)).await {
        AdminResponse::Confirm { accounts, .. } => assert_eq!(accounts, 1),
        other => panic!("{other:?}"),
    }
    assert_eq!(keys(&edge).await.len(), 6, "nothing is done without consent");
    assert!(says(&edge, revoke(&signs, Some(1))).await.contains("is revoked"));
    let rows = keys(&edge).await;
    assert!(rows.iter().all(|row| row.kid != signs));
    assert_eq!((with_state(&rows, "RS256", "signs").len(), with_state(&rows, "RS256", "next").len()), (1, 1));
    for tokens in [&before, &after] {
        assert_eq!(browser.userinfo(text(tokens, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, refused) = refresh(&mut browser, &secret, text(&after, "refresh_token")).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let again = code(&browser.get(&format!("/authorize?{}", query("openid"))).await);
    let (status, tokens) = redeem(&mut browser, &secret, &again).await;
    assert_eq!(status, StatusCode::OK);
    browser.verified(text(&tokens, "id_token"), "RS256").await;
    // 3. A hint that the deleted key signed ends no session.
    let sign_out = browser.get(&format!("/sign-out?id_token_hint={}", text(&after, "id_token"))).await;
    assert!(sign_out.text.contains("Sign out of everything?"));
    // 4. The audit log has both, with who did it, and a bound stops a script.
    let entries = edge.audit().await;
    for action in ["key-rotated", "key-revoked"] {
        assert!(
            entries.iter().any(|entry| entry.action == action && entry.actor.starts_with("uid ")),
            "{action}"
        );
    }
    let mut said = String::new();
    for _ in 0..12 {
        said = says(&edge, AdminRequest::KeysRotate).await;
    }
    assert!(said.starts_with("refused: 24 keys"), "{said}");
}
