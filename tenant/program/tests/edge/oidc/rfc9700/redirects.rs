//! RFC 9700: redirects that lead elsewhere, and issuers and proxies that are not who they seem.

use super::*;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, HeaderName};

#[tokio::test(flavor = "multi_thread")]
async fn insufficient_redirection_uri_validation_sends_nobody_to_what_is_not_registered() {
    let registered = [CALLBACK, "https://wiki.example.com/cb?tenant=1", "http://127.0.0.1/native"];
    let change = |oidc: &mut OidcSettings| oidc.redirect_uris = registered.map(str::to_owned).into();
    let (_edge, _, mut browser, secret) = alice_at(change).await;
    let wrong = [
        // More behind it, less, or something else.
        "https://wiki.example.com/callbackx",
        "https://wiki.example.com/callback/",
        "https://wiki.example.com/callback/evil",
        "https://wiki.example.com/callback?",
        "https://wiki.example.com/callback?x=1",
        "https://wiki.example.com/callback#",
        "https://wiki.example.com/callback#x",
        "https://wiki.example.com/callback;x",
        "https://wiki.example.com/callback&code=x",
        "https://wiki.example.com/callbac",
        "https://wiki.example.com/",
        "https://wiki.example.com",
        "https://wiki.example.com/cb",
        "https://wiki.example.com/cb?tenant=2",
        "https://wiki.example.com/cb?tenant=1&tenant=2",
        // Up and down again.
        "https://wiki.example.com/x/../callback",
        "https://wiki.example.com/callback/..",
        "https://wiki.example.com/callback/../evil",
        "https://wiki.example.com/callback/%2e%2e/evil",
        "https://wiki.example.com/callback%2f..%2fevil",
        "https://wiki.example.com/./callback",
        "https://wiki.example.com//callback",
        "https://wiki.example.com\\callback",
        // Another host that looks like it.
        "https://evil.example.com/callback",
        "https://evil.wiki.example.com/callback",
        "https://evilwiki.example.com/callback",
        "https://wiki.example.com.evil.example.com/callback",
        "https://example.com/callback",
        "https://wiki.example.com./callback",
        "https://evil.example.com/https://wiki.example.com/callback",
        "https://evil.example.com?https://wiki.example.com/callback",
        "https://evil.example.com#https://wiki.example.com/callback",
        "https://wiki.example.com@evil.example.com/callback",
        "https://wiki.example.com:443@evil.example.com/callback",
        "https://evil.example.com@wiki.example.com/callback",
        "https://evil.example.com\\@wiki.example.com/callback",
        "https://wiki.example.com%2eevil.example.com/callback",
        "https://wiki.example.com%00.evil.example.com/callback",
        "https://wikí.example.com/callback",
        "https://ｗiki.example.com/callback",
        "//wiki.example.com/callback",
        "/callback",
        "callback",
        "*",
        "https://*.example.com/callback",
        // Another scheme, port or spelling.
        "http://wiki.example.com/callback",
        "HTTPS://wiki.example.com/callback",
        "https:wiki.example.com/callback",
        "https:///wiki.example.com/callback",
        "https://wiki.example.com:443/callback",
        "https://wiki.example.com:8443/callback",
        "https://WIKI.example.com/callback",
        "https://wiki.example.com/Callback",
        "https://wiki.example.com/%63allback",
        " https://wiki.example.com/callback",
        "https://wiki.example.com/callback ",
        "https://wiki.example.com/call\tback",
        "https://wiki.example.com/callback\r\nlocation: https://evil.example.com/",
        "https://wiki.example.com/callback\0",
        "javascript:alert(1)",
        "data:text/html,x",
        "about:blank",
        // The machine itself: the port alone is free.
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/native?x=1",
        "http://127.0.0.1:49152/native#x",
        "http://127.0.0.1:49152/native/../native",
        "http://x@127.0.0.1:49152/native",
        "http://127.0.0.1:49152@evil.example.com/native",
        "http://127.0.0.1.evil.example.com:49152/native",
        "http://localhost:49152/native",
        "http://127.0.0.2:49152/native",
        "http://127.1:49152/native",
        "http://2130706433:49152/native",
        "http://0x7f000001:49152/native",
        "http://[::1]:49152/native",
        "http://[::ffff:127.0.0.1]:49152/native",
        "https://127.0.0.1:49152/native",
        "http://127.0.0.1:99999/native",
        "http://127.0.0.1:049152/native",
        "http://127.0.0.1:/native",
    ];
    for uri in wrong {
        for mode in ["query", "form_post"] {
            let text = format!("{}&response_mode={mode}", changed("redirect_uri", uri));
            let page = browser.get(&format!("/authorize?{text}")).await;
            assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{uri} by {mode}");
            assert!(!page.text.contains("name=\"code\""), "{uri}");
            assert!(!header(&page, "content-security-policy").unwrap().contains("evil"), "{uri}");
        }
        let silent = format!("{}&prompt=none", changed("redirect_uri", uri));
        let page = browser.another().get(&format!("/authorize?{silent}")).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{uri}: an error");
    }
    // The request that the form of the page carries is checked again.
    let page = browser.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    let csrf = page.hidden("csrf");
    let bent = changed("redirect_uri", "https://evil.example.com/callback");
    let fields = [("csrf", csrf.as_str()), ("request", &bent), ("name", ALICE), ("password", RIGHT)];
    let page = browser.post("/sign-in", &fields, None).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None));
    // What is registered works, and the token endpoint wants the same text again.
    for uri in [
        CALLBACK,
        "https://wiki.example.com/cb?tenant=1",
        "http://127.0.0.1/native",
        "http://127.0.0.1:49152/native",
    ] {
        let page = browser.get(&format!("/authorize?{}", changed("redirect_uri", uri))).await;
        let to = page.location();
        assert!(to.as_str().starts_with(uri) && page.parameter("code").is_some(), "{uri}: {to}");
    }
    let page = browser
        .get(&format!("/authorize?{}", changed("redirect_uri", "http://127.0.0.1:49152/native")))
        .await;
    let code = page.parameter("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:49153/native"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(browser.token("wiki", &secret, &fields).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn mix_up_is_seen_by_the_issuer_in_each_answer() {
    let (_edge, _, mut browser, _) = alice().await;
    let document = browser.json("/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    // 1. In the query, with a code and with each error.
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.parameter("iss").as_deref(), Some(ISSUER));
    let mut stranger = browser.another();
    for (name, value) in [
        ("prompt", "none"),
        ("scope", "x"),
        ("response_type", "token"),
        ("request", "x"),
        ("max_age", "x"),
        ("code_challenge", ""),
    ] {
        let page = stranger.get(&format!("/authorize?{}", changed(name, value))).await;
        assert!(page.parameter("error").is_some() && page.parameter("code").is_none(), "{name}={value}");
        let issuers: Vec<_> = page
            .location()
            .query_pairs()
            .filter(|(name, _)| name == "iss")
            .map(|(_, iss)| iss.into_owned())
            .collect();
        assert_eq!(issuers, [ISSUER], "{name}={value}");
    }
    // 2. In a form.
    for (name, value) in [("response_mode", "form_post"), ("scope", "x")] {
        let text = if name == "scope" {
            format!("{}&response_mode=form_post", changed(name, value))
        } else {
            changed(name, value)
        };
        let page = browser.get(&format!("/authorize?{text}")).await;
        assert_eq!(page.hidden("iss"), ISSUER, "{}", page.text);
        assert_eq!(page.hidden("state"), "the state");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_redirection_leads_to_no_place_but_the_registered_ones() {
    let (edge, _, mut browser, secret) = alice().await;
    second_client(&edge, "mail", |oidc| {
        oidc.signed_out_uris = vec!["https://mail.example.com/bye".to_owned()]
    })
    .await;
    let code = next_code(&mut browser, "openid").await;
    let (_, tokens) = redeem(&mut browser, &secret, &code).await;
    let hint = text(&tokens, "id_token").to_owned();
    // 1. Sign-out: without a hint, with a forged one, and to what this application has not registered.
    for (hint, uri) in [
        ("", "https://wiki.example.com/bye"),
        ("x.y.z", "https://wiki.example.com/bye"),
        ("", "https://evil.example.com/"),
        (hint.as_str(), "https://evil.example.com/"),
        (&hint, "https://mail.example.com/bye"),
        (&hint, CALLBACK),
        (&hint, "https://wiki.example.com/bye/"),
        (&hint, "https://wiki.example.com/bye?x=1"),
        (&hint, "https://wiki.example.com/bye\\@evil.example.com"),
        (&hint, "//evil.example.com"),
        (&hint, "javascript:alert(1)"),
    ] {
        let text = form(&[("id_token_hint", hint), ("post_logout_redirect_uri", uri), ("client_id", "wiki")]);
        let page = browser.get(&format!("/sign-out?{text}")).await;
        assert_eq!(page.redirect(), None, "{uri}");
        // Nor does the question lead there.
        if page.status == StatusCode::OK {
            let done = browser.clone().submit(&page, "/sign-out", &[]).await;
            assert_eq!((done.status, done.redirect()), (StatusCode::OK, None), "{uri}");
            let again = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
            assert_eq!(again.status, StatusCode::SEE_OTHER);
        }
    }
    // 2. The sign-in form: fields that it does not have lead nowhere.
    let page = browser.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    let evil = "https://evil.example.com/";
    let more =
        [("name", ALICE), ("password", RIGHT), ("redirect_uri", evil), ("next", evil), ("return_to", evil)];
    let page = browser.submit(&page, "/sign-in", &more).await;
    assert_eq!(page.location().host_str(), Some("wiki.example.com"));
    // 3. A request that is wrong on purpose, for a link that begins with a name that people trust (4.11.2): it leads to the
    //    application's own URI, which an administrator has registered, and to no other.
    for (name, value) in [("scope", "x"), ("response_type", "x"), ("prompt", "none x"), ("max_age", "x")] {
        let page = browser.another().get(&format!("/authorize?{}", changed(name, value))).await;
        assert!(page.location().as_str().starts_with(CALLBACK), "{name}={value}");
        let both = changed(name, value).replace("wiki.example.com", "evil.example.com");
        let page = browser.another().get(&format!("/authorize?{both}")).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{name}={value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_307_never_follows_a_form_with_a_password() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    // 1. Behind the password.
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::SEE_OTHER, ""));
    assert!(!page.location().as_str().contains("horse"), "no part of what was typed");
    let first = code(&page);
    // 2. Behind a request that was posted.
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query("openid").as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(browser.post("/authorize", &fields, None).await.status, StatusCode::SEE_OTHER);
    // 3. Behind a sign-out that was posted.
    let (_, tokens) = redeem(&mut browser, &secret, &first).await;
    let fields = [
        ("id_token_hint", text(&tokens, "id_token")),
        ("post_logout_redirect_uri", "https://wiki.example.com/bye"),
    ];
    assert_eq!(browser.post("/sign-out", &fields, None).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_terminating_reverse_proxy_headers_of_a_client_are_not_believed() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    let forged = [
        ("x-forwarded-for", "203.0.113.66"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "80"),
        ("x-real-ip", "203.0.113.66"),
        ("forwarded", "for=203.0.113.66;host=evil.example.com;proto=http"),
        ("x-original-url", "/jwks"),
        ("x-rewrite-url", "/jwks"),
        ("x-http-method-override", "GET"),
        ("x-client-cert", "forged"),
        ("ssl-client-verify", "SUCCESS"),
        ("true-client-ip", "203.0.113.66"),
    ];
    let with = |mut request: Request<Full<bytes::Bytes>>| {
        for (name, value) in forged {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        request
    };
    let get = |path: &str| Request::get(path).header(HOST, browser::HOST_NAME).body(Full::default()).unwrap();
    let document = browser.send(with(get("/.well-known/openid-configuration"))).await;
    assert!(!document.text.contains("evil.example.com") && document.text.contains(ISSUER));
    let page = browser.send(with(get(&format!("/authorize?{}", query("openid"))))).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("evil.example.com"));
    let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
    let body = form(&[("csrf", &csrf), ("request", &request), ("name", ALICE), ("password", RIGHT)]);
    let post = Request::post("/sign-in")
        .header(HOST, browser::HOST_NAME)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(body))
        .unwrap();
    let page = browser.send(with(post)).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    // The place of the person is where the connection comes from.
    let address: String =
        edge.database().query_row("SELECT address FROM web_sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(address, "127.0.0.1");
    assert!(edge.audit().await.iter().all(|entry| !format!("{entry:?}").contains("203.0.113.66")));
    // A Host that is another one, in each way.
    for host in [
        "evil.example.com",
        "login.example.com:444",
        "LOGIN.example.com.",
        "login.example.com.evil.example.com",
        "",
    ] {
        let page = browser.get_as(host, "/.well-known/openid-configuration").await;
        assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let twice = Request::get("/.well-known/openid-configuration")
        .header(HOST, browser::HOST_NAME)
        .header(HOST, "evil.example.com")
        .body(Full::default())
        .unwrap();
    let page = browser.send(twice).await;
    assert!(page.status.is_client_error(), "{}", page.status);
}
