//! The person's own page, the name and the browser that are remembered, and how sessions end.

use super::browser::Browser;
use super::{code, query, redeem, refresh, served, signed_in, text};
use crate::applications::{RIGHT, user};
use crate::directory::{says, send, staff};
use crate::harness::Edge;
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, SessionRow};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_wire::upload::{AttributeValue, Record};
use uuid::Uuid;

const ALICE: &str = "alice@corp.example.com";

async fn sessions(edge: &Edge) -> Vec<SessionRow> {
    match edge.ask(AdminRequest::SessionsList { user: None }).await {
        AdminResponse::Sessions(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// Signs in at the person's own page.
async fn signed_in_here(browser: &mut Browser, user: &str, password: &str) -> StatusCode {
    let page = browser.get("/").await;
    browser.submit(&page, "/sign-in", &[("name", user), ("password", password)]).await.status
}

/// Whether the browser has a session.
async fn is_in(browser: &mut Browser) -> bool {
    let page = browser.get(&format!("/authorize?{}&prompt=none", query("openid"))).await;
    page.parameter("code").is_some()
}

/// A record of an account with other flags, newer than all before.
pub(super) fn with_flags(number: u128, name: &str, flags: i32, version: u32) -> Record {
    let mut record = user(number, name, flags, filetime(unix_now() - 86_400).unwrap());
    let mut attributes = record.attributes.as_slice().to_vec();
    for attribute in &mut attributes {
        if matches!(attribute.is, AttributeValue::UserAccountControl(_)) {
            attribute.stamp.version = version;
        }
    }
    record.attributes = landbridge_wire::bounded::List::new(attributes).unwrap();
    Record { password: None, ..record }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_page_shows_applications_sessions_and_sign_ins_and_ends_sessions() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    // 1. One session by an application, with a wrong try before; one by the page itself.
    let mut phone = browser.another();
    assert_eq!(signed_in(&mut phone, "openid", ALICE, "wrong").await.status, StatusCode::FORBIDDEN);
    assert_eq!(signed_in(&mut phone, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    assert_eq!(signed_in_here(&mut browser, ALICE, RIGHT).await, StatusCode::SEE_OTHER);
    assert!(is_in(&mut browser).await, "the session is good at applications");
    // 2. The page.
    let page = browser.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in
        ["https://wiki.example.com/\"", "wiki", "This session", "127.0.0.1", "Wrong password", "Signed in"]
    {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert_eq!(page.text.matches("name=\"session\"").count(), 2);
    // 3. A session of another person is not ended, whoever names it.
    let mut other = browser.another();
    assert_eq!(signed_in_here(&mut other, "bob@corp.example.com", RIGHT).await, StatusCode::SEE_OTHER);
    let of_bob = sessions(&edge).await.into_iter().find(|row| row.object == Uuid::from_u128(2)).unwrap();
    browser.submit(&page, "/end-session", &[("session", &of_bob.id.to_string())]).await;
    assert!(sessions(&edge).await.iter().any(|row| row.id == of_bob.id));
    // 4. A form of another browser changes nothing.
    let forged = other.submit(&page, "/end-other-sessions", &[]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert!(is_in(&mut phone).await);
    // 5. All others, then this one.
    assert_eq!(browser.submit(&page, "/end-other-sessions", &[]).await.status, StatusCode::SEE_OTHER);
    assert!(!is_in(&mut phone).await && is_in(&mut browser).await);
    let page = browser.get("/").await;
    let this =
        page.text.split_once("name=\"session\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let done = browser.submit(&page, "/end-session", &[("session", &this)]).await;
    assert_eq!((done.status, done.text.contains("You are signed out")), (StatusCode::OK, true));
    assert!(!is_in(&mut browser).await);
    let ended: Vec<String> = edge
        .audit()
        .await
        .into_iter()
        .filter(|one| one.action == "session-ended")
        .map(|one| one.detail)
        .collect();
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|detail| detail.ends_with("ended on the person's own page")), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_browser_gets_in_while_others_at_its_address_are_locked_out() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    // 1. From the same address, without the cookie.
    let mut stranger = browser.another();
    for n in 0..10 {
        let page = signed_in(&mut stranger, "openid", ALICE, &format!("guess {n}")).await;
        assert!(page.text.contains("is wrong"), "{n}");
    }
    let locked = signed_in(&mut stranger, "openid", ALICE, RIGHT).await;
    assert!(
        locked.status == StatusCode::FORBIDDEN && locked.text.contains("There were too many tries"),
        "{}",
        locked.text
    );
    // 2. The browser that alice used before, after a sign-out as well.
    let question = browser.get("/sign-out").await;
    browser.submit(&question, "/sign-out", &[]).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    assert!(edge.audit().await.iter().any(|entry| entry.detail.contains("127.0.0.1 (known browser)")));
    // 3. It is known for every application and for the own page, and for alice alone.
    let mut same = browser.clone();
    let question = same.get("/sign-out").await;
    same.submit(&question, "/sign-out", &[]).await;
    assert_eq!(signed_in_here(&mut same, ALICE, RIGHT).await, StatusCode::SEE_OTHER);
    let page = same.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    same.submit(&page, "/sign-in", &[("name", "bob@corp.example.com"), ("password", "no")]).await;
    let bob = Uuid::from_u128(2).to_string();
    let of_bob = edge.audit().await.into_iter().find(|entry| entry.subject == bob).unwrap();
    assert!(of_bob.detail.starts_with("wrong-password, from 127.0.0.1, "), "{of_bob:?}");
    // 4. Its own wrong tries lock it, and it alone is locked by them.
    let question = browser.get("/sign-out").await;
    browser.submit(&question, "/sign-out", &[]).await;
    for n in 0..10 {
        signed_in(&mut browser, "openid", ALICE, &format!("typo {n}")).await;
    }
    assert!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.text.contains("There were too many tries"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_says_nothing_of_whether_an_account_is_there() {
    let (edge, certificate) = super::browser::configured().await;
    let (edge, phs) = staff(edge).await;
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    // Two accounts of each kind: one is tried with ten passwords, the other with one.
    let kinds = ["there", "disabled", "blocked", "mustchange", "canary", "stranger"];
    let mut records = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        for (number, how) in [(100, "many"), (200, "one")] {
            let number = number + u128::try_from(at).unwrap();
            let flags = if *kind == "disabled" { 0x202 } else { 0x200 };
            let set = if *kind == "mustchange" { 0 } else { yesterday };
            if *kind != "stranger" {
                records.push(user(number, &format!("{kind}-{how}"), flags, set));
            }
        }
    }
    send(&edge, &phs, records, vec![]).await;
    for how in ["many", "one"] {
        says(&edge, AdminRequest::UsersBlock { name: format!("CORP\\blocked-{how}") }).await;
        let (name, user) = ("CORP".to_owned(), format!("canary-{how}@corp.example.com"));
        let said = says(&edge, AdminRequest::CanaryAdd { name, user }).await;
        assert!(!said.starts_with("refused"), "{said}");
    }
    let mut courses = Vec::new();
    for kind in kinds {
        for how in ["many", "one"] {
            let mut browser = Browser::new(&edge, &certificate);
            courses.push(tokio::spawn(async move {
                let mut answers = Vec::new();
                for n in 0..13 {
                    let password = if how == "many" { format!("guess {n}") } else { "guess".to_owned() };
                    let page = browser.get("/").await;
                    let fields = [("name", format!("{kind}-{how}@corp.example.com")), ("password", password)];
                    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                    let page = browser.submit(&page, "/sign-in", &fields).await;
                    answers.push((page.status, page.text.contains("There were too many tries")));
                }
                (how, kind, answers)
            }));
        }
    }
    let mut seen = Vec::new();
    for course in courses {
        seen.push(course.await.unwrap());
    }
    for how in ["many", "one"] {
        let of: Vec<_> = seen.iter().filter(|(own, ..)| *own == how).collect();
        for one in &of {
            assert_eq!(one.2, of[0].2, "{how}: {} and {}", one.1, of[0].1);
        }
    }
    assert!(seen.iter().any(|(_, _, answers)| answers.iter().any(|(_, locked)| *locked)), "one is locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_is_remembered_until_somebody_else_comes_or_signs_out() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let ask = format!("/authorize?{}&prompt=login", query("openid"));
    let fixed = |text: &str| text.contains(&format!("value=\"{ALICE}\"")) && text.contains(" readonly");
    assert!(!browser.get(&ask).await.text.contains("readonly"));
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    // 1. It is shown, and the password alone is asked for.
    let page = browser.get(&ask).await;
    assert!(fixed(&page.text), "{}", page.text);
    // 2. The link forgets it, and leads back to the same request.
    let link = page.text.split_once("href=\"/not-you").unwrap().1.split('"').next().unwrap();
    let back = browser.get(&format!("/not-you{}", link.replace("&#38;", "&").replace("&amp;", "&"))).await;
    let to = back.path().unwrap();
    assert!(to.starts_with("/authorize?client_id=wiki&") && to.contains("prompt=login"), "{to}");
    let page = browser.get(&to).await;
    assert!(page.status == StatusCode::OK && !page.text.contains(ALICE), "{}", page.text);
    // 3. A name without a domain is one of the domain that is configured, and is remembered as it was typed.
    let page = browser.get(&ask).await;
    let done = browser.submit(&page, "/sign-in", &[("name", "alice"), ("password", RIGHT)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(browser.get(&ask).await.text.contains("value=\"alice\""));
    // 4. What the application hints at comes first, and a sign-out forgets.
    browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    let hinted = browser.get(&format!("{ask}&login_hint=bob")).await;
    assert!(hinted.text.contains("value=\"bob\"") && !hinted.text.contains("readonly"));
    let question = browser.get("/sign-out").await;
    browser.submit(&question, "/sign-out", &[]).await;
    assert!(!browser.get(&ask).await.text.contains(ALICE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_lists_and_ends_sessions_and_blocked_or_disabled_accounts_lose_theirs_for_good() {
    let (edge, phs, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    // 1. The list names the application; the end of the session ends its refresh token.
    let rows = sessions(&edge).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (rows[0].name.as_deref(), rows[0].applications.as_slice()),
        (Some(ALICE), &["wiki".to_owned()][..])
    );
    let end = |session| AdminRequest::SessionsEnd { session };
    assert!(says(&edge, end(Uuid::nil())).await.starts_with("refused: there is no such session"));
    assert!(says(&edge, end(rows[0].id)).await.contains("has ended"));
    assert_eq!(
        refresh(&mut browser, &secret, text(&tokens, "refresh_token")).await.0,
        StatusCode::BAD_REQUEST
    );
    assert!(sessions(&edge).await.is_empty());
    // 2. All of an account, and all.
    for _ in 0..2 {
        signed_in(&mut browser.another(), "openid", ALICE, RIGHT).await;
    }
    let said = says(&edge, AdminRequest::SessionsEndOf { user: "CORP\\alice".to_owned() }).await;
    assert!(said.ends_with("2 sessions have ended"), "{said}");
    signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    let all = |sessions| AdminRequest::SessionsEndAll { sessions };
    match edge.ask(all(None)).await {
        AdminResponse::Confirm { accounts, .. } => assert_eq!(accounts, 1),
        other => panic!("{other:?}"),
    }
    assert!(is_in(&mut browser).await);
    assert!(says(&edge, all(Some(1))).await.starts_with("1 sessions"));
    assert!(!is_in(&mut browser).await);
    // 3. An account that is blocked, or disabled in AD, and comes back before anybody looked.
    for (away, back) in [(0x202, 0x200), (0, 0)] {
        signed_in(&mut browser, "openid", ALICE, RIGHT).await;
        assert!(is_in(&mut browser).await);
        if away == 0 {
            says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
            says(&edge, AdminRequest::UsersUnblock { name: "CORP\\alice".to_owned() }).await;
        } else {
            send(&edge, &phs, vec![with_flags(1, "alice", away, 20)], vec![]).await;
            send(&edge, &phs, vec![with_flags(1, "alice", back, 21)], vec![]).await;
        }
        assert!(!is_in(&mut browser).await, "{away:#x}");
    }
    let rows = sessions(&edge).await;
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_the_machine_receives_its_code_by_a_page_behind_the_form() {
    let uris = ["com.example.notes:/callback", "http://[::1]/callback"];
    let (_edge, _, mut browser, _) = served(|oidc| {
        oidc.redirect_uris.extend(uris.map(str::to_owned));
    })
    .await;
    for uri in ["com.example.notes:/callback", "http://[::1]:51004/callback"] {
        let ask = format!("/authorize?{}", super::changed("redirect_uri", uri));
        // 1. Behind the form: browsers would stop a redirect, since form-action cannot name it.
        let page = browser.get(&format!("{ask}&prompt=login")).await;
        let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
        assert_eq!(page.status, StatusCode::OK, "{uri}");
        let link = format!("href=\"{uri}?code=");
        assert!(page.text.contains(&link) && page.text.contains("http-equiv=\"refresh\""), "{}", page.text);
        // 2. Without a form: a redirect.
        let page = browser.get(&ask).await;
        assert_eq!((page.status, page.parameter("code").is_some()), (StatusCode::SEE_OTHER, true), "{uri}");
    }
}
