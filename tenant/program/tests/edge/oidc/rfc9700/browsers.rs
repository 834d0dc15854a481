//! RFC 9700: what a browser gives away, or does for another site.

use super::*;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;

#[tokio::test(flavor = "multi_thread")]
async fn credential_leakage_via_referer_headers_has_no_page_that_sends_one() {
    let (edge, _, browser, _) = alice().await;
    for (what, page) in each_page(&edge, &browser).await {
        assert_eq!(header(&page, "referrer-policy"), Some("no-referrer"), "{what}");
        // Nothing of another site is loaded, so no other site is sent anything.
        for attribute in ["src=\"", "href=\""] {
            for (_, rest) in
                page.text.match_indices(attribute).map(|(at, _)| page.text.split_at(at + attribute.len()))
            {
                assert!(
                    rest.starts_with('/') && !rest.starts_with("//"),
                    "{what}: {}",
                    &rest[..40.min(rest.len())]
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_leakage_via_browser_history_finds_no_token_in_a_url_and_a_code_that_is_used() {
    let (_edge, _, mut browser, secret) = alice().await;
    // 1. No token in an answer's URL, and none taken from one.
    let page = browser.get(&format!("/authorize?{}", query("openid offline_access"))).await;
    let names: Vec<String> = page.location().query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert_eq!(page.location().fragment(), None);
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    let access = text(&tokens, "access_token").to_owned();
    let by_query = browser.another().get(&format!("/userinfo?access_token={access}")).await;
    assert_eq!(by_query.status, StatusCode::UNAUTHORIZED);
    // 2. A form in the place of the URL.
    let page = browser.get(&format!("/authorize?{}", changed("response_mode", "form_post"))).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::OK, None));
    assert!(page.text.contains("name=\"code\"") && page.text.contains(&format!("action=\"{CALLBACK}\"")));
    // 3. Nothing is kept by a browser.
    assert_eq!(header(&page, "cache-control"), Some("no-store"));
    let sent = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(header(&sent, "cache-control"), Some("no-store"));
    // 4. A name and a password in a URL are not looked at, nor a code and a secret.
    let page = browser.another().get(&format!("/sign-in?name={ALICE}&password=x")).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    let page = browser.another().get("/token?grant_type=authorization_code&code=x").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_site_request_forgery_returns_the_state_byte_for_byte_and_takes_no_form_but_ours() {
    let (edge, _, mut browser, _) = alice().await;
    // 1. For the client: its state.
    let long = "x".repeat(2048);
    for state in ["a b+c%20&d=e;f", "äöü € 🔑", "\"'<>`\\", "\r\n\t", "%00\u{7f}", "code=x&state=y#z", &long]
    {
        let page = browser.get(&format!("/authorize?{}", changed("state", state))).await;
        assert_eq!(page.parameter("state").as_deref(), Some(state));
        let states = page.location().query_pairs().filter(|(name, _)| name == "state").count();
        assert_eq!(states, 1, "{state}");
        let raw = header(&page, "location").unwrap();
        assert!(raw.bytes().all(|byte| byte.is_ascii_graphic()), "{raw}");
        let page =
            browser.another().get(&format!("/authorize?{}&prompt=none", changed("state", state))).await;
        assert_eq!(page.parameter("state").as_deref(), Some(state), "with an error");
    }
    let page = browser.get(&format!("/authorize?{}", changed("state", &format!("{long}x")))).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None));
    let page = browser.get(&format!("/authorize?{}", without(&["state"]))).await;
    assert_eq!((page.parameter("state"), page.parameter("code").is_some()), (None, true));
    // 2. For our form: a person who is signed in under the attacker's name would type secrets into the attacker's account.
    let before = edge.audit().await.len();
    let mut victim = browser.another();
    let own = victim.get(&format!("/authorize?{}", query("openid"))).await;
    let mut attacker = browser.another();
    let page = attacker.get(&format!("/authorize?{}", query("openid"))).await;
    let question = browser.get("/sign-out").await;
    let request = query("openid");
    let proofs = [
        ("none", String::new()),
        ("of the attacker's browser", page.hidden("csrf")),
        ("of another form", question.hidden("csrf")),
        ("cut", own.hidden("csrf")[1..].to_owned()),
        ("padded", format!("{}=", own.hidden("csrf"))),
        ("made up", "A".repeat(43)),
    ];
    for (what, proof) in &proofs {
        let fields = [("csrf", proof.as_str()), ("request", &request), ("name", ALICE), ("password", RIGHT)];
        let page = victim.clone().post("/sign-in", &fields, None).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::FORBIDDEN, None), "{what}");
        assert_eq!(page.set_cookie("__Host-landbridge="), None, "{what}");
    }
    // The proof alone is nothing without the cookie.
    let forged = browser.another().submit(&own, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!((forged.status, forged.set_cookie("__Host-landbridge=")), (StatusCode::FORBIDDEN, None));
    let entries = edge.audit().await;
    assert_eq!(entries.len(), before, "no password was looked at: {:?}", &entries[..entries.len() - before]);
    // Its own form works.
    let page = victim.submit(&own, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    // 3. A form of a sign-out: without the proof of this browser it is a question.
    for (what, proof) in &proofs {
        let page = browser.clone().post("/sign-out", &[("csrf", proof.as_str())], None).await;
        let went_on =
            browser.get(&format!("/authorize?{}", query("openid"))).await.parameter("code").is_some();
        assert!(went_on == (*what != "of another form"), "{what}: {}", page.status);
        if !went_on {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clickjacking_finds_no_page_that_can_be_framed() {
    let (edge, _, browser, _) = alice().await;
    for (what, page) in each_page(&edge, &browser).await {
        assert_eq!(header(&page, "x-frame-options"), Some("DENY"), "{what}");
        let policy = header(&page, "content-security-policy").unwrap();
        for part in ["frame-ancestors 'none'", "default-src 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(part), "{what}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
        // What forms may lead to beside us: the URI of this request, where there is one.
        let leads = policy.contains("https://wiki.example.com");
        let expected = ["sign-in", "wrong password", "form_post"].contains(&what);
        assert_eq!(leads, expected, "{what}: {policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_browser_communication_has_no_messages_and_no_script_but_that_of_the_form() {
    let (edge, _, mut browser, _) = alice().await;
    for (what, page) in each_page(&edge, &browser).await {
        assert_eq!(header(&page, "cross-origin-opener-policy"), Some("same-origin"), "{what}");
        let scripts = page.text.matches("<script").count();
        assert_eq!(scripts, usize::from(what == "form_post"), "{what}");
        let policy = header(&page, "content-security-policy").unwrap();
        let allowed = if what == "form_post" { "script-src 'self'" } else { "script-src 'none'" };
        assert!(policy.contains(allowed), "{what}: {policy}");
        if what == "form_post" {
            let (_, rest) = page.text.split_once("<script").unwrap();
            let (tag, inside) = rest.split_once('>').unwrap();
            assert!(inside.starts_with("</script>"), "no script stands in the page");
            let (_, path) = tag.split_once("src=\"").unwrap();
            let script = browser.get(path.split('"').next().unwrap()).await;
            assert_eq!(script.status, StatusCode::OK);
            for word in ["postMessage", "opener", "parent", "BroadcastChannel", "addEventListener(\"message"]
            {
                assert!(!script.text.contains(word), "{word}");
            }
        }
    }
    for mode in ["web_message", "fragment", "query.jwt", "form_post.jwt", "QUERY"] {
        let page = browser.get(&format!("/authorize?{}", changed("response_mode", mode))).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_origin_requests_of_scripts_read_the_discovery_and_keys_and_nothing_else() {
    let (_edge, _, browser, _) = alice().await;
    for (path, is_open) in [
        ("/.well-known/openid-configuration".to_owned(), true),
        ("/jwks".to_owned(), true),
        (format!("/authorize?{}", query("openid")), false),
        ("/sign-out".to_owned(), false),
        ("/userinfo".to_owned(), false),
        ("/token".to_owned(), false),
    ] {
        let request = Request::get(&path)
            .header(HOST, browser::HOST_NAME)
            .header("origin", "https://evil.example.com")
            .body(Full::default())
            .unwrap();
        let page = browser.clone().send(request).await;
        let allowed = header(&page, "access-control-allow-origin");
        assert_eq!(allowed, is_open.then_some("*"), "{path}");
        assert_eq!(header(&page, "access-control-allow-credentials"), None, "{path}");
    }
}
