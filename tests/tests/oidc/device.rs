//! Devices without a browser: openid-client is the device, and a real browser the person's.

use crate::stage::{Client, Stage, browser};
use landbridge_tests::lab::browser::{Browser, Seen, Typed, Visitor};
use serde_json::Value;

/// The number of this test's people.
const CAST: u32 = 9;

/// A device of this client shows its code, and the person goes to the page and answers.
fn device(stage: &Stage, course: &str, by: &Client, mut person: impl FnMut(&str, &str)) -> Value {
    stage.runs_device(course, by, |words| match words.split_once(' ') {
        Some((url, code)) => person(url, code),
        None => panic!("the device shows no address"),
    })
}

/// The person types the code and selects a button.
#[track_caller]
fn answers(browser: &mut Browser, application: &str, (code, words): (&str, &str)) -> Seen {
    let page = browser.type_code(code).unwrap();
    assert_eq!((page.status, page.heading), (200, format!("Sign in to {application} on a device?")));
    browser.click(words).unwrap()
}

#[test]
fn openid_client_on_a_device_signs_a_person_in_who_types_its_code_and_no_one_who_refuses() {
    let stage = Stage::shared();
    let cast = stage.cast(CAST);
    let screen = stage.register("screen", &[], &["--device-code", "yes"]);
    let printer =
        stage.register("printer", &[], &["--device-code", "yes", "--public", "yes"]).without_secret();
    let mut browser = browser(stage, &[]);
    browser.visit(&Visitor::default()).unwrap();
    // 1. The person signs in on the way, types the code in small letters, and allows it.
    let said = device(stage, "early", &screen, |url, code| {
        browser.open(url).unwrap();
        let typed = Typed { name: Some(&cast.direct.upn), password: &cast.direct.password, keyboard: true };
        let page = browser.sign_in(typed).unwrap();
        assert_eq!((page.at.as_str(), page.heading.as_str()), (url, "Sign in on a device"));
        let typed = code.to_lowercase().replace('-', "");
        let page = answers(&mut browser, "screen", (&typed, "Allow"));
        assert_eq!((page.status, page.heading.as_str()), (200, "The device may sign in to screen"));
    });
    assert_eq!(said["who"]["preferred_username"], cast.direct.sam.as_str(), "{}", said["seen"]);
    assert_eq!((&said["active"], &said["gone"]), (&Value::Bool(true), &Value::from("invalid_grant")));
    // It goes on after a request that was too early.
    let seen: Vec<&str> = said["seen"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(seen[..2], ["authorization_pending", "slow_down"], "{seen:?}");
    // 2. A public client, with the session that is open.
    let said = device(stage, "later", &printer, |url, code| {
        browser.open(url).unwrap();
        answers(&mut browser, "printer", (code, "Allow"));
    });
    assert_eq!(said["who"]["preferred_username"], cast.direct.sam.as_str(), "{}", said["seen"]);
    // 3. Refused.
    let said = device(stage, "later", &screen, |url, code| {
        browser.open(url).unwrap();
        let page = answers(&mut browser, "screen", (code, "Refuse"));
        assert_eq!((page.status, page.heading.as_str()), (200, "The device may not sign in to screen"));
    });
    assert_eq!(said["error"], "access_denied", "{}", said["seen"]);
    // 4. Disabled between the answer and the redemption.
    let later = &cast.later;
    let said = device(stage, "later", &screen, |url, code| {
        browser.visit(&Visitor::default()).unwrap();
        browser.open(url).unwrap();
        let typed = Typed { name: Some(&later.upn), password: &later.password, keyboard: false };
        browser.sign_in(typed).unwrap();
        answers(&mut browser, "screen", (code, "Allow"));
        stage.domain.set_enabled(&later.sam, false).unwrap();
        stage.sync();
    });
    assert_eq!(said["error"], "invalid_grant", "{}", said["seen"]);
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
}
