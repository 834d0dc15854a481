//! OpenID Connect on a real domain: clients that others wrote, and people who sign in at the page.
//! Not here: what is wrong with requests and forms, which the tenant's own tests hold (`edge`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod apache;
mod change;
mod device;
mod machine;
mod native;
mod pages;
mod stage;

use landbridge_tests::lab::person;
use landbridge_tests::lab::silence::{Needle, search};
use stage::{Stage, client};

/// The numbers of the people of two tests at the shared stage.
const ROTATED: u32 = 6;
const AUTHLIB: u32 = 7;

#[test]
fn openid_client_and_oauth4webapi_sign_people_in_refresh_and_sign_out() {
    let stage = Stage::start();
    for algorithm in ["RS256", "ES256"] {
        let wiki = stage.application(&format!("wiki-{algorithm}"), &["--algorithm", algorithm]);
        let right = person(stage::DIRECT);
        let said = stage.runs("flow", &wiki, &client(&right.sam, &right.upn, &right.password));
        assert_eq!(said["preferred_username"], right.sam.as_str(), "{algorithm}: {said}");
        assert_eq!(said["groups"], serde_json::json!(["Staff"]));
        assert_eq!(said["steps"], "signed in, refreshed, reuse refused, who, silent, signed out");
    }
}

#[test]
fn openid_client_and_oauth4webapi_follow_a_rotated_key() {
    let stage = Stage::shared();
    let who = stage.cast(ROTATED).direct;
    for algorithm in ["RS256", "ES256"] {
        let wiki = stage.application(&format!("rotated-{algorithm}"), &["--algorithm", algorithm]);
        let who = client(&who.sam, &who.upn, &who.password);
        let said = stage.runs_while("rotated", &wiki, &who, || stage.rotate_keys());
        assert_eq!(said["steps"], "followed");
    }
}

#[test]
fn authlib_signs_people_in_refreshes_follows_a_rotated_key_and_signs_out() {
    let stage = Stage::shared();
    let who = stage.cast(AUTHLIB).direct;
    for algorithm in ["RS256", "ES256"] {
        let wiki = stage.application(&format!("authlib-{algorithm}"), &["--algorithm", algorithm]);
        let said =
            stage.runs_authlib(&wiki, &client(&who.sam, &who.upn, &who.password), || stage.rotate_keys());
        assert_eq!(said["preferred_username"], who.sam.as_str(), "{algorithm}: {said}");
        assert_eq!(
            said["steps"],
            "signed in, refreshed, signed in by the next key, the older key is known, signed out"
        );
    }
}

#[test]
fn each_kind_of_person_is_let_in_or_told_why_not_and_is_out_when_the_account_is() {
    let stage = Stage::start();
    let wiki = stage.application("wiki", &[]);
    // 1. Who gets in, and what the page says to everybody else.
    for (number, password, expected) in [
        (stage::DIRECT, None, "code"),
        (stage::NESTED, None, "code"),
        (stage::DIRECT, Some("not this one"), "403 The name or the password is wrong"),
        (stage::DISABLED, None, "403 The name or the password is wrong"),
        (stage::EXPIRED, None, "403 account"),
        (stage::STRANGER, None, "403 access"),
    ] {
        let who = person(number);
        let password = password.unwrap_or(&who.password);
        let said = stage.runs("page", &wiki, &client(&who.sam, &who.upn, password));
        let page = said["page"].as_str().unwrap();
        let fits = match expected {
            "code" => page == "code",
            "403 account" => page.starts_with("403") && page.contains("expired"),
            "403 access" => page.starts_with("403") && page.contains("access"),
            _ => page.starts_with("403"),
        };
        assert!(fits, "{}: {expected}: {page}", who.sam);
    }
    // 2. Disabled while signed in: out with the next cycle of phs, and the refresh token with it.
    let who = person(stage::LATER);
    let said = stage.runs_while("disabled", &wiki, &client(&who.sam, &who.upn, &who.password), || {
        stage.domain.set_enabled(&who.sam, false).unwrap();
        stage.sync();
    });
    assert_eq!(said["after"], "login_required, invalid_grant, 401", "{said}");
}

#[test]
fn nothing_that_the_tenant_writes_holds_a_password_a_code_a_token_or_a_cookie() {
    let stage = Stage::logging("trace");
    let wiki = stage.application("wiki", &["--client-credentials", "yes", "--device-code", "yes"]);
    let further = serde_json::json!({ "key": machine::add_key(&stage, "wiki", "ES256") });
    let who = person(stage::DIRECT);
    let said = stage.runs_with("secrets", &wiki, (&client(&who.sam, &who.upn, &who.password), &further));
    let mut needles = vec![Needle::new("the client's secret", wiki.secret.as_str())];
    needles.extend(Needle::password("who signed in", &who.password));
    for (what, secret) in said["secrets"].as_object().unwrap() {
        needles.push(Needle::new(what, secret.as_str().unwrap()));
    }
    // Each kind of secret is among them.
    for (kind, least) in
        [("code", 6), ("access token", 5), ("refresh token", 5), ("assertion", 4), ("request_uri", 1)]
    {
        let found = needles.iter().filter(|needle| needle.what.contains(kind)).count();
        assert!(found >= least, "{kind}: {found}");
    }
    assert!(needles.len() >= 30, "{}", needles.len());
    // The command that makes an application prints its secret, alone.
    for file in std::fs::read_dir(stage.tenant.output()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.split_whitespace().count() == 1 && text.starts_with("lba1.") {
            std::fs::remove_file(&path).unwrap();
        }
    }
    let found = search(&needles, &[stage.tenant.folder()]).unwrap();
    println!("{} secrets searched in {} files", needles.len(), found.files);
    assert!(found.found.is_empty(), "{:#?}", found.found);
    std::fs::write(stage.tenant.folder().join("planted"), said["secrets"]["a code"].as_str().unwrap())
        .unwrap();
    assert!(!search(&needles, &[stage.tenant.folder()]).unwrap().found.is_empty(), "a planted one is found");
}
