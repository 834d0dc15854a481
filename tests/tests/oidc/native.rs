//! A native application: the browser returns to a port of 127.0.0.1 that was free.

use crate::stage::{Stage, browser};
use landbridge_tests::lab::browser::{Typed, Visitor};

/// The number of this test's people.
const CAST: u32 = 5;

#[test]
fn a_native_application_receives_the_code_at_a_free_port_of_127_0_0_1() {
    let stage = Stage::shared();
    let who = stage.cast(CAST).direct;
    stage.register("native", &[], &["--public", "yes", "--redirect-uri", "http://127.0.0.1/callback"]);
    let mut browser = browser(stage, &[]);
    browser.visit(&Visitor::default()).unwrap();
    let said = stage.runs_native("native", |url, callback| {
        browser.open(url).unwrap();
        let typed = Typed { name: Some(&who.upn), password: &who.password, keyboard: true };
        let page = browser.sign_in(typed).unwrap();
        assert_eq!((page.at.as_str(), page.heading.as_str()), (callback, "Close this window"));
        assert_eq!(page.parameters, ["code", "state", "iss"]);
    });
    assert_eq!(said["preferred_username"], who.sam.as_str(), "{said}");
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
}
