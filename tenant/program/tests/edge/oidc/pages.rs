//! The pages under attack: forms, cookies and names that others made, and sessions that have ended.
//! Neighbours: [`super::rfc9700`] has forged forms and framed pages.

use super::rfc9700::second_client;
use super::*;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST};

const ALICE: &str = "alice@corp.example.com";
const SESSION: &str = "__Host-landbridge";
const FORM: &str = "__Host-landbridge-form";
/// A text that would do something if it reached a page as it is.
const SCRIPTS: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onfocus='alert(1)' autofocus='",
    "</title></form><form action=https://evil.example.com>",
    "{{7*7}}${7*7}",
    "\u{202e}gnp.exe\u{0}\u{7}",
];

/// Whether this browser is signed in.
async fn is_signed_in(browser: &Browser) -> bool {
    let page = browser.clone().get(&format!("/authorize?{}", changed("prompt", "none"))).await;
    match (page.parameter("code"), page.parameter("error").as_deref()) {
        (Some(_), None) => true,
        (None, Some("login_required")) => false,
        other => panic!("{other:?}"),
    }
}

/// A request with this text as cookies.
async fn with_cookies(browser: &Browser, path: &str, cookies: &[&str]) -> Page {
    let mut request = Request::get(path).header(HOST, browser::HOST_NAME).body(Full::default()).unwrap();
    for text in cookies {
        request.headers_mut().append(COOKIE, text.parse().unwrap());
    }
    browser.another().send(request).await
}

/// Checks that a page has none of the characters of a text that would do something.
fn is_harmless(page: &Page, typed: &str) {
    let raw = page.text.contains(typed);
    assert!(!raw || !typed.contains(['<', '>', '"', '\'']), "{typed}: {}", page.text);
    for sign in ["<script", "<img src=x", "onfocus='", "<form action=https", "\u{202e}", "\u{0}", "\u{7}"] {
        assert!(!page.text.contains(sign), "{typed}: {sign}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_a_name_stays_a_text() {
    let (edge, phs, mut browser, secret) = served(|_| ()).await;
    for typed in SCRIPTS {
        // 1. Typed into the form, which comes back with it.
        let page = signed_in(&mut browser, "openid", typed, "no").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        is_harmless(&page, typed);
        // 2. In a link to the page.
        let page = browser.get(&format!("/authorize?{}", changed("login_hint", typed))).await;
        assert_eq!(page.status, StatusCode::OK);
        is_harmless(&page, typed);
        // 3. In what a page shows an administrator of a request that is wrong.
        for name in ["client_id", "redirect_uri", "response_mode", "state", "scope"] {
            let page = browser.get(&format!("/authorize?{}", changed(name, typed))).await;
            is_harmless(&page, typed);
        }
        // 4. In the page that posts an answer.
        let page = browser
            .get(&format!("/authorize?{}&response_mode=form_post&prompt=none", changed("state", typed)))
            .await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            !page.text.contains("<script>alert")
                && !page.text.contains("<img")
                && !page.text.contains("onfocus='")
        );
    }
    // 5. In the directory: it reaches the application as it is, and no page.
    let name = AttributeValue::DisplayName(Some(landbridge_wire::bounded::Text::new(SCRIPTS[0]).unwrap()));
    let named = Attribute { stamp: Stamp { version: 9, ..stamp() }, is: name };
    let record =
        Record { attributes: List::new(vec![named]).unwrap(), password: None, ..user(1, "alice", 0x200, 0) };
    send(&edge, &phs, vec![record], vec![]).await;
    let page = signed_in(&mut browser, "openid profile", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    assert_eq!(browser.verified(text(&tokens, "id_token"), "RS256").await["name"], SCRIPTS[0]);
    let question = browser.get("/sign-out").await;
    is_harmless(&question, SCRIPTS[0]);
    // 6. An application cannot have such a name.
    for name in SCRIPTS {
        let settings = Box::new(AppSettings::named(name));
        assert!(says(&edge, AdminRequest::AppsCreate { settings }).await.starts_with("refused"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_in_one_cookie_of_this_host_and_in_no_other() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    // 1. How it is set: for this host, without a script's reach, and until the browser closes.
    for (name, page) in
        [(SESSION, &page), (FORM, &browser.another().get(&format!("/authorize?{}", query("openid"))).await)]
    {
        let set = page.set_cookie(&format!("{name}=")).unwrap();
        let mut parts: Vec<&str> = set.split("; ").skip(1).collect();
        parts.sort_unstable();
        assert_eq!(parts, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"], "{name}");
    }
    // 2. What is read.
    let value = browser.cookies[SESSION].clone();
    let other = if value.starts_with('A') { "B" } else { "A" };
    let silent = format!("/authorize?{}", changed("prompt", "none"));
    let good = format!("{SESSION}={value}");
    for (what, cookies, expected) in [
        ("the cookie", vec![good.clone()], true),
        ("beside others", vec![format!("a=1; {good}; b=2")], true),
        ("in a header of its own", vec!["a=1".to_owned(), good.clone()], true),
        ("without the prefix", vec![format!("landbridge={value}")], false),
        ("with the other prefix", vec![format!("__Secure-landbridge={value}")], false),
        ("in small letters", vec![format!("__host-landbridge={value}")], false),
        ("under the name of the form's", vec![format!("{FORM}={value}")], false),
        ("twice", vec![format!("{good}; {good}")], false),
        ("twice in two headers", vec![good.clone(), good.clone()], false),
        ("behind one of an attacker", vec![format!("{SESSION}=x; {good}")], false),
        ("before one of an attacker", vec![format!("{good}; {SESSION}={}", "A".repeat(43))], false),
        ("in quotes", vec![format!("{SESSION}=\"{value}\"")], false),
        ("altered", vec![format!("{SESSION}={other}{}", &value[1..])], false),
        ("cut", vec![format!("{SESSION}={}", &value[1..])], false),
        ("empty", vec![format!("{SESSION}=")], false),
        ("too many bytes", vec![format!("a={}; {good}", "x".repeat(9000))], false),
    ] {
        let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
        let page = with_cookies(&browser, &silent, &cookies).await;
        assert_eq!(page.parameter("code").is_some(), expected, "{what}: {page:?}");
    }
    assert!(is_signed_in(&browser).await, "nothing of that ended it");
    // 3. The form's cookie, twice or altered: the form is refused.
    let page = browser.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    let fields = [("csrf", page.hidden("csrf")), ("request", page.hidden("request"))];
    let own = browser.cookies[FORM].clone();
    for cookies in
        [format!("{FORM}={own}; {FORM}={own}"), format!("{FORM}=x"), format!("landbridge-form={own}")]
    {
        let body =
            form(&[("csrf", &fields[0].1), ("request", &fields[1].1), ("name", ALICE), ("password", RIGHT)]);
        let request = Request::post("/sign-in")
            .header(HOST, browser::HOST_NAME)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, &cookies)
            .body(Full::from(body))
            .unwrap();
        let page = browser.another().send(request).await;
        assert_eq!(
            (page.status, page.set_cookie(&format!("{SESSION}="))),
            (StatusCode::FORBIDDEN, None),
            "{cookies}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_an_attacker_has_fixed_is_not_the_one_of_the_person_who_signs_in() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let mut victim = browser.another();
    // 1. Made up, and the attacker's own, in the victim's browser.
    signed_in(&mut browser, "openid", "bob@corp.example.com", RIGHT).await;
    signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    let attackers = browser.cookies[SESSION].clone();
    for fixed in ["A".repeat(43), attackers] {
        victim.cookies.insert(SESSION.to_owned(), fixed.clone());
        let page = victim.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
        let page = victim.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        assert_ne!(victim.cookies[SESSION], fixed);
        let mut attacker = browser.another();
        attacker.cookies.insert(SESSION.to_owned(), fixed);
        assert!(!is_signed_in(&attacker).await, "the fixed value has no session");
    }
    assert!(is_signed_in(&victim).await);
    // 2. A refused sign-in changes nothing: the session before it goes on.
    let page = victim.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    let page = victim.submit(&page, "/sign-in", &[("name", ALICE), ("password", "no")]).await;
    assert_eq!((page.status, page.set_cookie(&format!("{SESSION}="))), (StatusCode::FORBIDDEN, None));
    assert!(is_signed_in(&victim).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_ended_when_its_account_or_its_time_has_and_when_the_person_said_so() {
    let (edge, phs, mut browser, secret) = served(|_| ()).await;
    let uac = |flags, version| {
        let is = AttributeValue::UserAccountControl(Some(flags));
        let changed = Attribute { stamp: Stamp { version, ..stamp() }, is };
        Record { attributes: List::new(vec![changed]).unwrap(), password: None, ..user(1, "alice", 0x200, 0) }
    };
    let old = |column: &str| format!("UPDATE web_sessions SET {column} = {column} - 100000000");
    for what in ["disabled", "its end", "not used", "deleted", "signed out", "unknown"] {
        let page = signed_in(&mut browser, "openid offline_access", ALICE, RIGHT).await;
        let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
        let access = text(&tokens, "access_token").to_owned();
        assert!(is_signed_in(&browser).await, "{what}");
        assert_eq!(browser.userinfo(&access).await.0, StatusCode::OK, "{what}");
        let kept = browser.clone();
        match what {
            "disabled" => send(&edge, &phs, vec![uac(0x202, 10)], vec![]).await,
            "its end" => drop(edge.database().execute(&old("ends_at"), []).unwrap()),
            "not used" => drop(edge.database().execute(&old("seen_at"), []).unwrap()),
            "deleted" => {
                // Another program's delete, as a sweep on another node.
                edge.database().execute("DELETE FROM web_sessions", []).unwrap();
            }
            "signed out" => {
                let question = browser.get("/sign-out").await;
                let done = browser.submit(&question, "/sign-out", &[]).await;
                assert!(done.status == StatusCode::OK && !browser.cookies.contains_key(SESSION));
            }
            _ => says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await.clear(),
        }
        // The value of the cookie from before opens nothing, nor do the tokens.
        assert!(!is_signed_in(&kept).await, "{what}");
        assert_eq!(browser.userinfo(&access).await.0, StatusCode::UNAUTHORIZED, "{what}");
        let (status, refused) = refresh(&mut browser, &secret, text(&tokens, "refresh_token")).await;
        assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"), "{what}");
        match what {
            "disabled" => send(&edge, &phs, vec![uac(0x200, 11)], vec![]).await,
            "unknown" => {
                says(&edge, AdminRequest::UsersUnblock { name: "CORP\\alice".to_owned() }).await.clear()
            }
            _ => {}
        }
        assert!(!is_signed_in(&kept).await, "{what}: it stays ended when the account is back");
        browser = browser.another();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_site_signs_a_person_out() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    second_client(&edge, "mail", |oidc| {
        oidc.signed_out_uris = vec!["https://mail.example.com/bye".to_owned()]
    })
    .await;
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    // 1. A form that another site posts comes without the cookie, which is SameSite=Lax. Its answer must not remove the
    //    cookie: browsers take cookies from the answer to a navigation.
    for fields in [vec![], vec![("post_logout_redirect_uri", "https://wiki.example.com/bye")]] {
        let page = browser.another().post("/sign-out", &fields, None).await;
        assert_eq!(page.set_cookie(&format!("{SESSION}=")), None, "{fields:?}");
    }
    // 2. A link: a question.
    let page = browser.get("/sign-out").await;
    assert!(page.status == StatusCode::OK && page.set_cookie(&format!("{SESSION}=")).is_none());
    assert!(is_signed_in(&browser).await);
    // 3. A token of another application's client beside its name.
    let hint = text(&tokens, "id_token");
    let text = form(&[
        ("id_token_hint", hint),
        ("client_id", "mail"),
        ("post_logout_redirect_uri", "https://wiki.example.com/bye"),
    ]);
    let page = browser.get(&format!("/sign-out?{text}")).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "RP-Initiated Logout 2");
    assert!(is_signed_in(&browser).await);
    // 4. A cookie that is there and has no session is removed.
    let page = with_cookies(&browser, "/sign-out", &[&format!("{SESSION}={}", "A".repeat(43))]).await;
    assert!(page.set_cookie(&format!("{SESSION}=")).is_some_and(|set| set.contains("Max-Age=0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_there_twice_is_refused_also_when_one_of_them_is_empty() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    for more in
        ["state=", "state=x", "nonce=&nonce=x", "prompt=&prompt=none", "x=1&x=1", "=1&=2", "st%61te=x"]
    {
        let page = browser.get(&format!("/authorize?{}&{more}", query("openid"))).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{more}");
    }
    let fields =
        [("grant_type", "authorization_code"), ("code", ""), ("code", "x"), ("redirect_uri", CALLBACK)];
    let (status, refused) = browser.token("wiki", &secret, &fields).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_page_is_shown_can_also_be_signed_in_for() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    // What grows most when the form carries the query as one of its values.
    let (state, nonce) = ("%".repeat(2048), "ä".repeat(256));
    let mut text = changed("state", &state);
    text.push('&');
    text.push_str(&form(&[("x", &"&".repeat(1000))]));
    let text = text.replace("nonce=the+nonce", &form(&[("nonce", &nonce)]));
    let page = browser.get(&format!("/authorize?{text}")).await;
    assert_eq!(page.status, StatusCode::OK, "{} bytes", text.len());
    let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{} bytes: {}", text.len(), page.text);
    assert_eq!(page.parameter("state").as_ref(), Some(&state));
    // State and nonce both come back, the nonce in the code. Servers take URLs of 8 KiB.
    let length = page.location().as_str().len();
    assert!((6 * 1024..8 * 1024).contains(&length), "{length} bytes");
    let page = browser.get(&format!("/authorize?{}", changed("nonce", &format!("{nonce}x")))).await;
    assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_kind_or_size_is_refused_and_no_answer_repeats_a_password() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    let (csrf, carried) = (page.hidden("csrf"), page.hidden("request"));
    let body =
        form(&[("csrf", &csrf), ("request", &carried), ("name", ALICE), ("password", "S3cret-of-alice")]);
    let post = |kind: &str, body: String| {
        let request = Request::post("/sign-in").header(HOST, browser::HOST_NAME).header(CONTENT_TYPE, kind);
        request.body(Full::from(body)).unwrap()
    };
    let usual = "application/x-www-form-urlencoded";
    for (what, request, expected) in [
        ("text", post("text/plain", body.clone()), StatusCode::BAD_REQUEST),
        ("JSON", post("application/json", body.clone()), StatusCode::BAD_REQUEST),
        ("parts", post("multipart/form-data; boundary=x", body.clone()), StatusCode::BAD_REQUEST),
        ("bytes that are no text", post(usual, format!("{body}&x=%ff")), StatusCode::BAD_REQUEST),
        (
            "65 fields",
            post(usual, format!("{body}{}", (0..65).map(|n| format!("&f{n}=1")).collect::<String>())),
            StatusCode::BAD_REQUEST,
        ),
        (
            "100 KiB",
            post(usual, format!("{body}&x={}", "x".repeat(100 << 10))),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "the usual kind with its charset",
            post(&format!("{usual}; charset=UTF-8"), body.clone()),
            StatusCode::FORBIDDEN,
        ),
    ] {
        let page = browser.clone().send(request).await;
        assert_eq!(page.status, expected, "{what}");
        assert!(!page.text.contains("S3cret"), "{what}");
        assert_eq!(page.set_cookie(&format!("{SESSION}=")), None, "{what}");
    }
    // Names and passwords at their limits: the page for a wrong one.
    for (name, password) in [
        (ALICE.to_owned(), String::new()),
        (String::new(), RIGHT.to_owned()),
        ("   ".to_owned(), RIGHT.to_owned()),
        ("x".repeat(1025), RIGHT.to_owned()),
        (ALICE.to_owned(), "x".repeat(2000)),
        (format!("{ALICE}\0"), RIGHT.to_owned()),
        (ALICE.to_owned(), format!("{RIGHT}\0")),
    ] {
        let answer =
            browser.clone().submit(&page, "/sign-in", &[("name", &name), ("password", &password)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {}", name.len(), password.len());
        assert!(!answer.text.contains("horse"));
    }
}
