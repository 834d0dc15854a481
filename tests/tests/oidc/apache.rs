//! People in a real Chromium before sites that are behind mod_auth_openidc.

use crate::stage::{Stage, browser};
use landbridge_tests::lab::browser::{Browser, Seen, Typed, Visitor};
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::protected_site::ASK_EACH_TIME;
use landbridge_tests::lab::{Person, ProtectedSite};

/// The numbers of the people of these tests.
const KINDS: u32 = 1;
const SITES: u32 = 2;
const FORMS: u32 = 4;
const NOTICES: u32 = 10;

const WRONG: &str = "The user name or the password is wrong. Check both and try again. If both are right, wait a few minutes: \
     after too many tries an account is locked for a while.";
const TOO_MANY: &str = "There were too many tries. Wait a few minutes, then try again.";
const PASSWORD_EXPIRED: &str = "Your password has expired or must be changed.";
const ACCOUNT_EXPIRED: &str = "Your account has expired.";

/// With the mouse, by the UPN.
fn typed<'a>(who: &'a Person, password: &'a str) -> Typed<'a> {
    Typed { name: Some(&who.upn), password, keyboard: false }
}

/// The browser shows the site's own page, and the site knows this person.
#[track_caller]
fn expect_in(seen: &Seen, site: &ProtectedSite, who: &Person) {
    assert_eq!((seen.status, seen.at.as_str()), (200, site.url("/").as_str()), "{seen:?} {}", site.log());
    assert!(seen.text.contains(&format!("as {}, groups: Staff.", who.sam)), "{}", seen.text);
}

/// The browser shows the sign-in page.
#[track_caller]
fn expect_page(seen: &Seen, stage: &Stage) {
    assert_eq!((seen.status, seen.at.clone()), (200, format!("{}/authorize", stage.issuer.url)), "{seen:?}");
    assert!(seen.heading.starts_with("Sign in to "), "{seen:?}");
}

#[test]
fn each_kind_of_person_types_into_the_page_and_gets_in_or_reads_why_not() {
    let stage = Stage::shared();
    let cast = stage.cast(KINDS);
    let site = stage.site("kinds", "<Location \"/team.html\">\nRequire claim groups:Team\n</Location>");
    let mut browser = browser(stage, &[&site]);
    let visit = |browser: &mut Browser| {
        browser.visit(&Visitor::default()).unwrap();
        let page = browser.open(&site.url("/")).unwrap();
        expect_page(&page, stage);
        assert_eq!(page.focus, "name", "the page sets the focus");
    };
    // 1. Who gets in: with each kind of name, with the mouse and with the keyboard alone.
    for (who, name, keyboard) in [
        (&cast.direct, cast.direct.upn.clone(), false),
        (&cast.direct, format!("CORP\\{}", cast.direct.sam), true),
        (&cast.nested, cast.nested.upn.clone(), true),
    ] {
        visit(&mut browser);
        let page = browser.sign_in(Typed { name: Some(&name), password: &who.password, keyboard }).unwrap();
        expect_in(&page, &site, who);
        // The groups are those that the application may see: Staff, to which it is assigned.
        assert_eq!(browser.open(&site.url("/staff.html")).unwrap().status, 200);
        assert_eq!(browser.open(&site.url("/team.html")).unwrap().status, 401);
    }
    // 2. Who does not, with the reason that only the right password brings.
    for (who, right, notice) in [
        (&cast.direct, false, WRONG),
        (&cast.account_expired, false, WRONG),
        (&cast.account_expired, true, ACCOUNT_EXPIRED),
        (&cast.password_expired, true, PASSWORD_EXPIRED),
        (&cast.must_change, true, PASSWORD_EXPIRED),
    ] {
        visit(&mut browser);
        let password = if right { who.password.clone() } else { who.wrong_password() };
        let page = browser.sign_in(typed(who, &password)).unwrap();
        assert_eq!((page.status, page.focus.as_str()), (403, "password"), "{page:?}");
        assert!(page.notice.starts_with(notice), "{}: {}", who.sam, page.notice);
    }
    visit(&mut browser);
    let page = browser.sign_in(typed(&cast.stranger, &cast.stranger.password)).unwrap();
    assert_eq!((page.status, page.heading.as_str()), (403, "No access to kinds"), "{page:?}");
    // 3. Once wrong, then right, by the keyboard: the name is still there.
    let who = &cast.direct;
    visit(&mut browser);
    let wrong = who.wrong_password();
    browser.sign_in(Typed { name: Some(&who.upn), password: &wrong, keyboard: true }).unwrap();
    let page = browser.sign_in(Typed { name: None, password: &who.password, keyboard: true }).unwrap();
    expect_in(&page, &site, who);
    // 4. Too many tries: the right password is not looked at.
    let who = &cast.locked;
    visit(&mut browser);
    for number in 0..10 {
        let guess = format!("guess {number}");
        let page = browser.sign_in(typed(who, &guess)).unwrap();
        assert_eq!(page.notice, WRONG);
    }
    let page = browser.sign_in(typed(who, &who.password)).unwrap();
    assert_eq!((page.status, page.notice.as_str()), (403, TOO_MANY));
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
}

#[test]
fn two_sites_share_a_sign_in_follow_a_rotated_key_and_end_with_the_session_and_the_account() {
    let stage = Stage::shared();
    let cast = stage.cast(SITES);
    // The first asks the issuer with each request, the second one only when its own session is over.
    let (first, second) =
        (stage.site("first", ASK_EACH_TIME), stage.site("second", "OIDCSessionMaxDuration 0"));
    let mut browser = browser(stage, &[&first, &second]);
    let who = &cast.direct;
    // 1. One password for both.
    browser.visit(&Visitor::default()).unwrap();
    expect_page(&browser.open(&first.url("/")).unwrap(), stage);
    expect_in(&browser.sign_in(typed(who, &who.password)).unwrap(), &first, who);
    expect_in(&browser.open(&second.url("/")).unwrap(), &second, who);
    // 2. The first one refreshes, also by a key that signs from now on.
    let signed = || stage.tenant.metric("landbridge_tokens_signed_total").unwrap().unwrap();
    let before = signed();
    expect_in(&browser.open(&first.url("/")).unwrap(), &first, who);
    assert!(signed() >= before + 1.0, "a refresh signs an ID token");
    stage.rotate_keys();
    expect_in(&browser.open(&first.url("/")).unwrap(), &first, who);
    // 3. The second one ends the session with an ID token of the older key, without a question. The first one notices.
    expect_in(&browser.open(&second.url("/")).unwrap(), &second, who);
    let page = browser.click("Sign out").unwrap();
    assert_eq!(page.heading, "Bye", "{page:?}");
    let page = browser.open(&first.url("/")).unwrap();
    assert_eq!(page.heading, "Bye", "Apache has ended its session: {page:?}");
    expect_page(&browser.open(&second.url("/")).unwrap(), stage);
    // 4. Both sign in by the new key. With the sign-out the browser has forgotten the name.
    expect_in(&browser.sign_in(typed(who, &who.password)).unwrap(), &second, who);
    expect_in(&browser.open(&first.url("/")).unwrap(), &first, who);
    // 5. An account that is disabled is out.
    let who = &cast.later;
    browser.visit(&Visitor::default()).unwrap();
    browser.open(&first.url("/")).unwrap();
    expect_in(&browser.sign_in(typed(who, &who.password)).unwrap(), &first, who);
    stage.domain.set_enabled(&who.sam, false).unwrap();
    stage.sync();
    let page = browser.open(&first.url("/")).unwrap();
    assert_eq!(page.heading, "Bye", "Apache has ended its session: {page:?}");
    expect_page(&browser.open(&first.url("/")).unwrap(), stage);
    let page = browser.sign_in(Typed { name: None, password: &who.password, keyboard: true }).unwrap();
    assert_eq!(page.notice, WRONG);
}

#[test]
fn a_site_that_is_notified_ends_its_session_with_the_persons_whatever_ended_that() {
    let stage = Stage::shared();
    let cast = stage.cast(NOTICES);
    // Both keep sessions of their own for hours and ask the issuer for nothing meanwhile.
    let (notified, silent) = (stage.notified_site("notified"), stage.site("silent", ""));
    let mut browser = browser(stage, &[&notified, &silent]);
    let delivered = || {
        let lines = stage.tenant.metrics_of(&["landbridge_logout_notices_total".to_owned()]).unwrap();
        let count = |line: &String| {
            line.strip_prefix("landbridge_logout_notices_total{outcome=\"delivered\"} ")?.parse().ok()
        };
        lines.iter().find_map(count).unwrap_or(0)
    };
    let who = &cast.direct;
    type End<'a> = &'a dyn Fn(&mut Browser);
    let ends: [(&str, End<'_>); 4] = [
        ("the person signs out at the issuer", &|browser| {
            browser.open(&format!("{}/sign-out", stage.issuer.url)).unwrap();
            browser.click("Sign out").unwrap();
        }),
        ("an administrator ends the sessions", &|_| {
            stage.tenant.run(&["sessions", "end", "--user", &who.upn], None).unwrap().expect_code(0);
        }),
        ("the password changes in AD", &|_| {
            stage.domain.set_password(&who.sam, "An0ther-passw0rd").unwrap();
            stage.sync();
        }),
        ("the account is disabled in AD", &|_| {
            stage.domain.set_enabled(&who.sam, false).unwrap();
            stage.sync();
        }),
    ];
    let mut password = who.password.clone();
    for (what, end) in ends {
        // 1. At both sites, by one sign-in.
        browser.visit(&Visitor::default()).unwrap();
        expect_page(&browser.open(&notified.url("/")).unwrap(), stage);
        expect_in(&browser.sign_in(typed(who, &password)).unwrap(), &notified, who);
        expect_in(&browser.open(&silent.url("/")).unwrap(), &silent, who);
        expect_in(&browser.open(&notified.url("/")).unwrap(), &notified, who);
        // 2. The session ends, and Apache confirms that it has ended its own.
        let before = delivered();
        end(&mut browser);
        let log = || std::fs::read_to_string(stage.tenant.output()).unwrap_or_default() + &notified.log();
        wait_until(what, 30, || delivered() > before, log).unwrap();
        assert_eq!(delivered(), before + 1, "{what}: one notice");
        expect_page(&browser.open(&notified.url("/")).unwrap(), stage);
        expect_in(&browser.open(&silent.url("/")).unwrap(), &silent, who);
        if what.starts_with("the password") {
            password = "An0ther-passw0rd".to_owned();
        }
    }
}

#[test]
fn an_answer_by_a_form_arrives_with_scripts_and_without() {
    let stage = Stage::shared();
    let cast = stage.cast(FORMS);
    let site = stage.site("forms", "OIDCResponseMode form_post\nOIDCCookieSameSite Off");
    let mut browser = browser(stage, &[&site]);
    let who = &cast.direct;
    // 1. At once.
    browser.visit(&Visitor::default()).unwrap();
    browser.open(&site.url("/")).unwrap();
    let home = site.url("/");
    let page = browser.sign_in_until(typed(who, &who.password), Some(&home)).unwrap();
    expect_in(&page, &site, who);
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
    // 2. By a button, which the keyboard reaches first.
    browser.visit(&Visitor { scripts: false, ..Visitor::default() }).unwrap();
    browser.open(&site.url("/")).unwrap();
    let page = browser.sign_in(typed(who, &who.password)).unwrap();
    assert_eq!(page.at, format!("{}/sign-in", stage.issuer.url), "{page:?}");
    assert_eq!(browser.key("Tab").unwrap(), "Continue");
    expect_in(&browser.press("Enter").unwrap(), &site, who);
}
