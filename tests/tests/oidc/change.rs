//! The change of a password on the pages, by a real Chromium, a real agent and a real domain controller.

use crate::stage::{DIRECT, NESTED, Stage, browser};
use landbridge_tests::lab::browser::{Typed, Visitor};
use landbridge_tests::lab::person;

#[test]
fn an_expired_password_is_changed_on_the_way_to_an_application() {
    let (stage, _agent, _phs) = Stage::changing(|domain| {
        domain.age_password(&person(DIRECT).sam, 400).unwrap();
        domain.must_change(&person(NESTED).sam).unwrap();
    });
    let site = stage.site("wiki", "");
    let mut browser = browser(&stage, &[&site]);
    for number in [DIRECT, NESTED] {
        let who = person(number);
        browser.visit(&Visitor::default()).unwrap();
        browser.open(&site.url("/")).unwrap();
        let typed = Typed { name: Some(&who.upn), password: &who.password, keyboard: false };
        let page = browser.sign_in(typed).unwrap();
        assert_eq!((page.heading.as_str(), page.status), ("Change password", 403), "{page:?}");
        let new = format!("Neu-{number}-und-lang!");
        let page = browser.change_password(&who.password, [&new, &new]).unwrap();
        println!("{page:?}");
        assert!(page.at.starts_with(&site.url("/")), "{page:?}");
    }
    assert_eq!(browser.troubles().unwrap(), [""; 0]);
}
