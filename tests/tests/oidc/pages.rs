//! Every page of the issuer in a real Chromium: in both languages, in three widths, light and dark.

use crate::stage::{DIRECT, NESTED, Stage, browser};
use landbridge_tests::lab::browser::{Browser, Seen, Typed, Visitor};
use landbridge_tests::lab::person;
use landbridge_tests::lab::program::build_folder;
use std::fs;
use std::path::PathBuf;

/// The number of this test's people.
const CAST: u32 = 3;
/// Where people return. Nothing listens there.
const CALLBACK: &str = "https://wiki.example.com/callback";

/// One person's way past all pages, and what was wrong with them.
struct Tour<'a> {
    stage: &'a Stage,
    browser: Browser,
    language: &'static str,
    pictures: PathBuf,
    wrong: Vec<String>,
}

impl Tour<'_> {
    /// A new person. No page may request anything of another host.
    fn person(&mut self) {
        self.troubles("the last page");
        let host = self.stage.issuer.url.trim_start_matches("https://").to_owned();
        let visitor =
            Visitor { language: self.language, hosts: &[&host], posts: false, ..Visitor::default() };
        self.browser.visit(&visitor).unwrap();
    }

    /// An authorization request of an application, with further parameters.
    fn authorize(&self, application: &str, further: &str) -> String {
        let challenge = "A".repeat(43);
        format!(
            "{}/authorize?client_id={application}&redirect_uri={CALLBACK}&response_type=code&scope=openid\
             &code_challenge={challenge}&code_challenge_method=S256{further}",
            self.stage.issuer.url
        )
    }

    fn open(&mut self, url: &str) -> Seen {
        self.browser.open(url).unwrap()
    }

    fn sign_in(&mut self, name: &str, password: &str) -> Seen {
        self.browser.sign_in(Typed { name: Some(name), password, keyboard: false }).unwrap()
    }

    /// Inspects the page that is there. It has this name and this status.
    #[track_caller]
    fn inspect(&mut self, name: &str, status: u16, seen: &Seen) {
        assert_eq!(seen.status, status, "{name}: {seen:?}");
        assert!(!seen.title.is_empty() && !seen.heading.is_empty(), "{name}: {seen:?}");
        let found = self.browser.inspect(&self.pictures.join(format!("{name}-{}", self.language))).unwrap();
        self.wrong.extend(found.into_iter().map(|what| format!("{name} {}: {what}", self.language)));
        self.troubles(name);
    }

    fn troubles(&mut self, name: &str) {
        let troubles = self.browser.troubles().unwrap();
        self.wrong.extend(troubles.into_iter().map(|what| format!("{name} {}: {what}", self.language)));
    }
}

#[test]
fn every_page_is_free_of_findings_in_each_width_colour_and_language() {
    let stage = Stage::shared();
    let cast = stage.cast(CAST);
    for (name, rate) in [("tour", "100000"), ("tour-slow", "1")] {
        stage.register(name, &["--rate", rate], &["--redirect-uri", CALLBACK]);
    }
    let flags = ["--device-code", "yes", "--public", "yes"];
    let screen = stage.register("tour-device", &["--rate", "100000"], &flags).without_secret();
    let pictures = build_folder().unwrap().join("pages");
    fs::create_dir_all(&pictures).unwrap();
    let mut browser = browser(stage, &[]);
    browser.visit(&Visitor::default()).unwrap();
    let mut tour = Tour { stage, browser, language: "en", pictures, wrong: Vec::new() };
    for language in ["en", "de"] {
        tour.language = language;
        // 1. The sign-in page and its notices.
        tour.person();
        let url = tour.authorize("tour", "");
        let page = tour.open(&url);
        tour.inspect("sign-in", 200, &page);
        let page = tour.sign_in(&cast.direct.upn, &cast.direct.wrong_password());
        tour.inspect("wrong-password", 403, &page);
        let page = tour.sign_in(&cast.must_change.upn, &cast.must_change.password);
        tour.inspect("password-expired", 403, &page);
        let page = tour.sign_in(&cast.account_expired.upn, &cast.account_expired.password);
        tour.inspect("account-expired", 403, &page);
        let page = tour.sign_in(&cast.stranger.upn, &cast.stranger.password);
        tour.inspect("no-access", 403, &page);
        let url = tour.authorize("tour", "");
        tour.open(&url);
        for number in 0..10 {
            tour.sign_in(&cast.locked.upn, &format!("{language} guess {number}"));
        }
        let page = tour.sign_in(&cast.locked.upn, &cast.locked.password);
        tour.inspect("too-many-tries", 403, &page);
        // 2. Requests that are wrong.
        let url = tour.authorize("nobody", "");
        let page = tour.open(&url);
        tour.inspect("unknown-application", 400, &page);
        let url = tour.authorize("tour", "").replace("wiki.example.com", "evil.example.com");
        let page = tour.open(&url);
        tour.inspect("wrong-return", 400, &page);
        let page = tour.open(&format!("{}/nothing-is-here", stage.issuer.url));
        tour.inspect("not-found", 404, &page);
        // 3. The own page, with another open session.
        let own = format!("{}/", stage.issuer.url);
        tour.person();
        let page = tour.open(&own);
        tour.inspect("sign-in-own-page", 200, &page);
        tour.sign_in(&cast.direct.upn, &cast.direct.password);
        tour.person();
        tour.open(&own);
        let page = tour.sign_in(&cast.direct.upn, &cast.direct.password);
        tour.inspect("own-page", 200, &page);
        // 4. The name that the browser remembers, and too many requests of one application.
        let url = tour.authorize("tour-slow", "&prompt=login");
        let page = tour.open(&url);
        tour.inspect("remembered", 200, &page);
        let wrong = cast.direct.wrong_password();
        for _ in 0..2 {
            tour.browser.sign_in(Typed { name: None, password: &wrong, keyboard: true }).unwrap();
        }
        let page = tour.browser.see().unwrap();
        tour.inspect("cannot-check", 503, &page);
        // 5. What an application receives by a form, the question before the sign-out, and the end.
        let url = tour.authorize("tour", "&response_mode=form_post");
        let page = tour.open(&url);
        tour.inspect("form-post", 200, &page);
        let page = tour.open(&format!("{}/sign-out", stage.issuer.url));
        tour.inspect("sign-out", 200, &page);
        let words = if language == "de" { "Abmelden" } else { "Sign out" };
        let page = tour.browser.click(words).unwrap();
        tour.inspect("signed-out", 200, &page);
        // 6. A device without a browser: its code, wrong and right, the question, both answers, and who has no access.
        let device = format!("{}/device", stage.issuer.url);
        let code = || stage.runs_device("begin", &screen, |_| ())["code"].as_str().unwrap().to_owned();
        let [allow, refuse] = if language == "de" { ["Erlauben", "Ablehnen"] } else { ["Allow", "Refuse"] };
        tour.person();
        let page = tour.open(&device);
        tour.inspect("sign-in-device", 200, &page);
        let page = tour.sign_in(&cast.direct.upn, &cast.direct.password);
        tour.inspect("device-code", 200, &page);
        let page = tour.browser.type_code("BBBB-BBBB").unwrap();
        tour.inspect("device-code-wrong", 403, &page);
        for (words, name) in [(allow, "device-allowed"), (refuse, "device-refused")] {
            tour.open(&device);
            let page = tour.browser.type_code(&code()).unwrap();
            tour.inspect("device-question", 200, &page);
            let page = tour.browser.click(words).unwrap();
            tour.inspect(name, 200, &page);
        }
        tour.person();
        tour.open(&device);
        tour.sign_in(&cast.stranger.upn, &cast.stranger.password);
        let page = tour.browser.type_code(&code()).unwrap();
        tour.inspect("device-no-access", 403, &page);
        // 7. A session that an administrator has ended.
        tour.person();
        tour.open(&own);
        tour.sign_in(&cast.direct.upn, &cast.direct.password);
        stage.tenant.run(&["sessions", "end", "--user", &cast.direct.upn], None).unwrap().expect_code(0);
        let page = tour.open(&own);
        tour.inspect("session-ended", 200, &page);
    }
    tour.troubles("the last page");
    assert!(tour.wrong.is_empty(), "{:#?}", tour.wrong);
}

#[test]
fn the_pages_for_the_change_of_a_password_are_free_of_findings_in_each_width_colour_and_language() {
    let (stage, _agent, _phs) = Stage::changing("info", |domain| {
        domain.must_change(&person(NESTED).sam).unwrap();
    });
    stage.register("tour", &["--rate", "100000"], &["--redirect-uri", CALLBACK]);
    let pictures = build_folder().unwrap().join("pages");
    fs::create_dir_all(&pictures).unwrap();
    let mut browser = browser(&stage, &[]);
    browser.visit(&Visitor::default()).unwrap();
    let mut tour = Tour { stage: &stage, browser, language: "en", pictures, wrong: Vec::new() };
    let (must_change, free) = (person(NESTED), person(DIRECT));
    let mut password = free.password.clone();
    for language in ["en", "de"] {
        tour.language = language;
        // 1. On the way to an application, with what may be wrong.
        tour.person();
        let url = tour.authorize("tour", "");
        tour.open(&url);
        let page = tour.sign_in(&must_change.upn, &must_change.password);
        tour.inspect("change-required", 403, &page);
        for (name, old, new, status) in [
            ("change-different", must_change.password.as_str(), ["Neu-und-lang-1", "other"], 422),
            ("change-wrong", "no-such-password", ["Neu-und-lang-1", "Neu-und-lang-1"], 403),
            ("change-too-short", &must_change.password, ["Kz9-q", "Kz9-q"], 422),
            ("change-not-complex", &must_change.password, ["lowercaseonly", "lowercaseonly"], 422),
        ] {
            let page = tour.browser.change_password(old, new).unwrap();
            tour.inspect(name, status, &page);
        }
        // 2. From the own page, and back.
        tour.person();
        let own = format!("{}/", stage.issuer.url);
        tour.open(&own);
        let page = tour.sign_in(&free.upn, &password);
        tour.inspect("own-page-with-change", 200, &page);
        let page = tour.open(&format!("{own}change-password"));
        tour.inspect("change", 200, &page);
        let new = format!("Freiwillig-{language}-9");
        let page = tour.browser.change_password(&password, [&new, &new]).unwrap();
        tour.inspect("own-page-changed", 200, &page);
        password = new;
        stage.await_digest(&free);
    }
    // 3. On the way to the page for a device.
    tour.person();
    tour.open(&format!("{}/device", stage.issuer.url));
    let page = tour.sign_in(&must_change.upn, &must_change.password);
    tour.inspect("change-required-device", 403, &page);
    let page = tour.browser.change_password(&must_change.password, ["Neu-und-lang-1"; 2]).unwrap();
    assert_eq!((page.status, page.at.ends_with("/device")), (200, true), "{page:?}");
    tour.troubles("the last page");
    assert!(tour.wrong.is_empty(), "{:#?}", tour.wrong);
}
