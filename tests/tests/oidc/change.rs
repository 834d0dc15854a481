//! The change of a password on the pages, by a real Chromium, a real agent and a real domain controller.

use crate::stage::{DIRECT, LATER, NESTED, Stage, browser};
use landbridge_tests::lab::browser::{Browser, Seen, Typed, Visitor};
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::silence::{Needle, search};
use landbridge_tests::lab::{Person, PtaAgent, person};

/// A stage whose people change their passwords, and its people by number.
struct Changing {
    stage: Stage,
    agent: PtaAgent,
    _phs: Running,
}

impl Changing {
    fn start() -> Self {
        Self::logging("info")
    }

    fn logging(level: &'static str) -> Self {
        let (stage, agent, phs) = Stage::changing(level, |domain| {
            domain.age_password(&person(DIRECT).sam, 400).unwrap();
            domain.must_change(&person(NESTED).sam).unwrap();
        });
        Self { stage, agent, _phs: phs }
    }

    /// The person is at the page for the change: a password that must be changed leads there.
    #[track_caller]
    fn at_the_form(&self, browser: &mut Browser, url: &str, who: &Person, password: &str) -> Seen {
        browser.visit(&Visitor::default()).unwrap();
        browser.open(url).unwrap();
        let page = browser.sign_in(Typed { name: Some(&who.upn), password, keyboard: false }).unwrap();
        assert_eq!((page.heading.as_str(), page.status), ("Change password", 403), "{page:?}");
        page
    }

    /// A sign-in at the own page. True: accepted.
    fn signs_in(&self, browser: &mut Browser, who: &Person, password: &str) -> bool {
        browser.visit(&Visitor::default()).unwrap();
        browser.open(&format!("{}/", self.stage.issuer.url)).unwrap();
        let typed = Typed { name: Some(&who.upn), password, keyboard: false };
        browser.sign_in(typed).unwrap().heading == "Your account"
    }

    /// Number of audit entries with this action.
    fn entries(&self, action: &str) -> i64 {
        let database = self.stage.tenant.open_database().unwrap();
        let sql = "SELECT count(*) FROM audit WHERE action = ?1";
        database.query_row(sql, [action], |row| row.get(0)).unwrap()
    }
}

const EXPIRED: &str = "Your password has expired or must be changed. Choose a new one to go on.";

#[test]
fn passwords_that_must_be_changed_are_changed_on_the_way_to_an_application_and_ad_says_why_not() {
    let changing = Changing::start();
    let site = changing.stage.site("wiki", "");
    let mut browser = browser(&changing.stage, &[&site]);
    let (expired, must_change) = (person(DIRECT), person(NESTED));
    // 1. AD's rules are shown before anything is typed.
    let page = changing.at_the_form(&mut browser, &site.url("/"), &expired, &expired.password);
    assert_eq!(page.notice, EXPIRED);
    for rule in ["At least 7 characters", "None of your last 24 passwords", "Three of these four"] {
        assert!(page.text.contains(rule), "{rule}: {}", page.text);
    }
    // 2. What is wrong without a domain controller: nothing is sent to one.
    let new = "Ein-langer-Satz-1";
    for (old, typed, notice) in [
        (expired.password.as_str(), [new, "another one"], "The two new passwords are not the same."),
        (&expired.password, [&expired.password, &expired.password], "The new password is the present one."),
    ] {
        let page = browser.change_password(old, typed).unwrap();
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.notice.starts_with(notice) && page.text.contains("At least 7 characters"), "{page:?}");
    }
    assert_eq!(changing.entries("password-not-changed"), 0);
    // 3. The present password is wrong: refused as at the sign-in.
    let page = browser.change_password(&expired.wrong_password(), [new, new]).unwrap();
    assert_eq!(
        (page.status, page.notice.as_str()),
        (403, "The present password is wrong. Nothing was changed.")
    );
    // 4. AD refuses, in words.
    for (typed, notice) in [
        ("Ab1-x", "The new password is too short. It needs at least 7 characters."),
        ("lowercaseonly", "The new password is too simple, or your name is in it."),
    ] {
        let page = browser.change_password(&expired.password, [typed, typed]).unwrap();
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.notice.starts_with(notice), "{page:?}");
    }
    assert_eq!(changing.entries("password-not-changed"), 2);
    // 5. Changed, and on into the application at once, before phs has brought anything.
    let page = browser.change_password(&expired.password, [new, new]).unwrap();
    assert_eq!((page.status, page.at.as_str()), (200, site.url("/").as_str()), "{page:?}");
    assert!(page.text.contains(&format!("as {}, groups: Staff.", expired.sam)), "{}", page.text);
    let page = changing.at_the_form(&mut browser, &site.url("/"), &must_change, &must_change.password);
    assert_eq!(page.notice, EXPIRED);
    let page = browser.change_password(&must_change.password, [new, new]).unwrap();
    assert_eq!((page.status, page.at.as_str()), (200, site.url("/").as_str()), "{page:?}");
    assert_eq!(changing.entries("password-changed"), 2);
    // 6. The session goes on when phs has brought the new password, by which a sign-in works; the old one does not.
    changing.stage.await_digest(&must_change);
    let page = browser.open(&format!("{}/", changing.stage.issuer.url)).unwrap();
    assert_eq!(page.heading, "Your account", "{page:?}");
    // 180 whole days remain in the second of the change itself, 179 from the next one on.
    let days = |days| page.text.contains(&format!("Days until your password expires: {days}"));
    assert!(days(180) || days(179), "{}", page.text);
    for who in [&expired, &must_change] {
        changing.stage.await_digest(who);
        assert!(changing.signs_in(&mut browser, who, new));
        assert!(!changing.signs_in(&mut browser, who, &who.password));
    }
    // 7. The password of before the last one is in AD's history.
    changing.stage.domain.must_change(&expired.sam).unwrap();
    let back = || !changing.signs_in(&mut browser, &expired, new);
    wait_until("a password that must be changed", 30, back, String::new).unwrap();
    let page = browser.change_password(new, [&expired.password, &expired.password]).unwrap();
    assert!(page.notice.starts_with("You had this password before."), "{page:?}");
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
}

#[test]
fn a_person_changes_the_password_by_free_will_and_all_other_sessions_end() {
    let changing = Changing::start();
    let who = person(LATER);
    let own = format!("{}/", changing.stage.issuer.url);
    let (mut here, mut there) = (browser(&changing.stage, &[]), browser(&changing.stage, &[]));
    assert!(changing.signs_in(&mut there, &who, &who.password));
    assert!(changing.signs_in(&mut here, &who, &who.password));
    // 1. From the person's own page, and back to it.
    let page = here.click("Change password").unwrap();
    assert_eq!((page.status, page.heading.as_str()), (200, "Change password"));
    assert!(page.text.contains("At least 7 characters"), "{}", page.text);
    let new = "Aus-freien-Stuecken-2";
    let page = here.change_password(&who.password, [new, new]).unwrap();
    assert_eq!((page.status, page.heading.as_str()), (200, "Your account"), "{page:?}");
    assert!(page.text.contains("Your password was changed. All your other sessions have ended."), "{page:?}");
    // 2. This session goes on, before and after phs has brought the change; the other one has ended.
    assert!(there.open(&own).unwrap().heading.starts_with("Sign in"));
    assert_eq!(here.open(&own).unwrap().heading, "Your account");
    changing.stage.await_digest(&who);
    assert_eq!(here.open(&own).unwrap().heading, "Your account");
    // 3. A password that an administrator sets afterwards ends it.
    changing.stage.domain.set_password(&who.sam, "Vom-Administrator-3").unwrap();
    let over = || here.open(&own).unwrap().heading.starts_with("Sign in");
    wait_until("the end of the session", 30, over, String::new).unwrap();
    // 4. Where the policy is against it, the page has no way there and says whom to ask.
    assert!(changing.signs_in(&mut here, &who, "Vom-Administrator-3"));
    let policy = ["domains", "policy", changing.stage.domain.name(), "--change-passwords", "when-required"];
    changing.stage.tenant.run(&policy, None).unwrap().expect_code(0);
    assert!(!here.open(&own).unwrap().text.contains("Change password"));
    let page = here.open(&format!("{own}change-password")).unwrap();
    assert!(page.text.contains("You cannot change your password here."), "{page:?}");
    // 5. The same while no agent is connected.
    let policy = ["domains", "policy", changing.stage.domain.name(), "--change-passwords", "on"];
    changing.stage.tenant.run(&policy, None).unwrap().expect_code(0);
    assert!(here.open(&own).unwrap().text.contains("Change password"));
    changing.agent.kill();
    let gone = || !here.open(&own).unwrap().text.contains("Change password");
    wait_until("the agent is gone", 30, gone, String::new).unwrap();
    assert_eq!(here.troubles().unwrap(), [""; 0]);
}

#[test]
fn an_agent_that_is_killed_half_way_leaves_it_unknown_and_phs_brings_the_digest_that_holds() {
    let changing = Changing::start();
    let who = person(LATER);
    let mut browser = browser(&changing.stage, &[]);
    assert!(changing.signs_in(&mut browser, &who, &who.password));
    browser.click("Change password").unwrap();
    let object = changing.stage.domain.identity(&who.sam).unwrap().guid;
    assert!(changing.stage.tenant.holds_digest(object).unwrap());
    // 1. The domain controller stands still, so the change is at the agent when it is killed.
    let under_way =
        || changing.stage.tenant.metrics_of(&["landbridge_agent_events_total".to_owned()]).unwrap();
    let before = under_way();
    let new = "Halb-geaendert-4";
    changing.stage.domain.freeze_controller(true);
    let page = std::thread::scope(|scope| {
        scope.spawn(|| {
            let delivered =
                |lines: &[String]| lines.iter().find(|line| line.contains("\"delivered\"")).cloned();
            let has_left = || delivered(&under_way()) != delivered(&before);
            wait_until("the change at the agent", 30, has_left, String::new).unwrap();
            changing.agent.kill();
        });
        browser.change_password(&who.password, [new, new]).unwrap()
    });
    assert_eq!(page.status, 503, "{page:?}");
    assert!(page.notice.starts_with("It is not known whether your password was changed."), "{page:?}");
    assert_eq!(changing.entries("password-change-not-known"), 1);
    // 2. The digest is dropped at once, and phs sends the one that holds: that of the password of before.
    assert!(!changing.stage.tenant.holds_digest(object).unwrap());
    changing.stage.domain.freeze_controller(false);
    changing.stage.await_digest(&who);
    assert!(changing.signs_in(&mut browser, &who, &who.password));
    assert!(!changing.signs_in(&mut browser, &who, new));
}

#[test]
fn a_program_that_keeps_trying_the_old_password_locks_nobody() {
    let changing = Changing::start();
    let (stage, who) = (&changing.stage, person(LATER));
    // 1. Agents decide, so that the old password could reach AD.
    stage.tenant.run(&["domains", "policy", stage.domain.name(), "pta"], None).unwrap().expect_code(0);
    let mut browser = browser(stage, &[]);
    assert!(changing.signs_in(&mut browser, &who, &who.password));
    browser.click("Change password").unwrap();
    let new = "Am-Rechner-geaendert-5";
    let page = browser.change_password(&who.password, [new, new]).unwrap();
    assert_eq!(page.heading, "Your account", "{page:?}");
    // 2. Another browser is the phone: the old password, again and again.
    let mut phone = self::browser(stage, &[]);
    for _ in 0..12 {
        assert!(!changing.signs_in(&mut phone, &who, &who.password));
    }
    // 3. More tries than AD's threshold: it has locked nobody, and has seen the old password a few times at most.
    assert_eq!(stage.domain.locked_at(&who.sam).unwrap(), 0);
    assert!(stage.domain.bad_passwords(&who.sam).unwrap() < 5);
    assert!(changing.signs_in(&mut browser, &who, new), "the person is not locked out here either");
}

#[test]
fn neither_password_of_a_change_is_in_a_log_or_a_file_of_the_tenant_or_the_agent() {
    let changing = Changing::logging("trace");
    let who = person(DIRECT);
    let mut browser = browser(&changing.stage, &[]);
    let own = format!("{}/", changing.stage.issuer.url);
    changing.at_the_form(&mut browser, &own, &who, &who.password);
    // 1. Refused by the page, by the tenant and by AD; then changed; and with no domain controller.
    let (wrong, short, new) = (who.wrong_password(), "Kz9-q", "Geheim-und-lang-6");
    let different = "Anders-geschrieben-7";
    for (old, typed) in [
        (who.password.as_str(), [new, different]),
        (&wrong, [new, new]),
        (&who.password, [short, short]),
        (&who.password, [new, new]),
    ] {
        browser.change_password(old, typed).unwrap();
    }
    assert_eq!(changing.entries("password-changed"), 1);
    changing.stage.await_digest(&who);
    changing.stage.domain.kill_controller().unwrap();
    let after = "Ohne-Domaenencontroller-8";
    browser.open(&format!("{own}change-password")).unwrap();
    let page = browser.change_password(new, [after, after]).unwrap();
    assert_eq!(page.status, 503, "{page:?}");
    changing.agent.stop().unwrap().expect_code(0);
    // 2. The search, which finds what is there.
    let mut needles = Vec::new();
    for (what, password) in [
        ("the old password", who.password.as_str()),
        ("a wrong one", &wrong),
        ("a short one", short),
        ("the new one", new),
        ("another repetition", different),
        ("one that was never set", after),
    ] {
        needles.extend(Needle::password(what, password));
    }
    let folders = [changing.stage.tenant.folder(), changing.agent.folder()];
    let found = search(&needles, &folders).unwrap();
    println!("{} secrets searched in {} files", needles.len(), found.files);
    assert!(found.found.is_empty(), "{:#?}", found.found);
    std::fs::write(changing.agent.folder().join("planted"), new).unwrap();
    assert!(!search(&needles, &folders).unwrap().found.is_empty(), "a planted one is found");
}
