//! An act of its own: a browser before two web applications behind Apache's mod_auth_openidc, with one password for both.

use super::{Board, once};
use landbridge_tests::lab::browser::{Browser, Seen, Typed, Visitor};
use landbridge_tests::lab::program::build_folder;
use landbridge_tests::lab::protected_site::{ASK_EACH_TIME, Issuer};
use landbridge_tests::lab::{
    Domain, LabError, Person, Phs, ProtectedSite, PtaAgent, PtaSettings, RunningTenant, person,
};
use std::path::PathBuf;
use std::time::Instant;

const GROUP: &str = "Web users";
/// The password that the second person chooses.
const NEW_PASSWORD: &str = "Neu-und-lang-genug-1";

pub(super) fn play(
    board: &mut Board,
    domain: &Domain,
    tenant: &RunningTenant,
    phs: &Phs,
) -> Result<(), LabError> {
    println!();
    board.title("Now a browser signs in once for two web applications, by OpenID Connect");
    // 1. A group in AD, an issuer, and two sites to which the group is assigned.
    let step = Instant::now();
    let who = person(433);
    domain.create_group(GROUP)?;
    domain.set_member(GROUP, &who.sam, true)?;
    once(phs, &[])?;
    let (url, ca) = tenant.serve_oidc()?;
    let issuer = Issuer { url, ca };
    board.done("tenant", &format!("an issuer with a sign-in page at {}", issuer.url), step);

    let step = Instant::now();
    let group = format!("CORP\\{GROUP}");
    let create = ["--group", group.as_str()];
    let site = |name| ProtectedSite::start(tenant, &issuer, (name, &create, &[]), ASK_EACH_TIME);
    let (wiki, tickets) = (site("wiki")?, site("tickets")?);
    board.done("Apache", "two sites with mod_auth_openidc, set to ask the issuer at each request", step);

    let step = Instant::now();
    let authorities = [issuer.ca.clone(), wiki.ca(), tickets.ca()];
    let authorities: Vec<_> = authorities.iter().map(PathBuf::as_path).collect();
    let mut tab = Tab { browser: Browser::start(&authorities)?, pictures: folder()?, number: 0 };
    tab.browser.visit(&Visitor::default())?;
    board.done("browser", "Chromium, which types into the pages", step);
    println!();

    // 2. One password for both sites.
    let page = tab.open(&wiki)?;
    board.line("the wiki, opened for the first time", "Sign in to wiki", &page.heading);
    let page = tab.sign_in(Some(&who.upn), &who.wrong_password())?;
    board.line("wrong password", "refused", outcome(&page, &who));
    let page = tab.sign_in(Some(&who.upn), &who.password)?;
    board.line("right password: the wiki", "in", outcome(&page, &who));
    let page = tab.open(&tickets)?;
    board.line("the tickets, without a password", "in", outcome(&page, &who));

    // 3. Another person's password must be changed: on the page, and in AD at once.
    let other = person(434);
    let agent = changes_passwords(domain, tenant)?;
    domain.set_member(GROUP, &other.sam, true)?;
    domain.must_change(&other.sam)?;
    once(phs, &[])?;
    tab.browser.visit(&Visitor::default())?;
    tab.open(&wiki)?;
    let page = tab.sign_in(Some(&other.upn), &other.password)?;
    board.line("a password that must be changed", "Change password", &page.heading);
    let page = tab.change(&other.password, "Kz9-q")?;
    let said = page.notice.split('.').next().unwrap_or_default();
    board.line("… a short one: what AD says", "The new password is too short", said);
    let page = tab.change(&other.password, NEW_PASSWORD)?;
    board.line("… a long one: the wiki", "in", outcome(&page, &other));
    let (old, new) =
        (domain.bare_bind(&other.upn, &other.password)?, domain.bare_bind(&other.upn, NEW_PASSWORD)?);
    board.line(
        "… in AD: the old one, the new one",
        "52e, accepted",
        &format!("{}, {}", code(old), code(new)),
    );
    drop(agent);
    tab.browser.visit(&Visitor::default())?;
    tab.open(&wiki)?;
    tab.sign_in(Some(&who.upn), &who.password)?;
    tab.open(&tickets)?;

    // 4. The account is disabled in AD.
    domain.set_enabled(&who.sam, false)?;
    once(phs, &[])?;
    for (what, site) in [
        ("disabled in AD, and once: the wiki, next request", &wiki),
        ("… the tickets, next request", &tickets),
    ] {
        let page = tab.open(site)?;
        board.line(what, "signed out", outcome(&page, &who));
    }
    tab.open(&wiki)?;
    // The browser remembers the name.
    let page = tab.sign_in(None, &who.password)?;
    board.line("… right password again", "refused", outcome(&page, &who));
    board.done("images", &format!("{} of what the browser showed, in target/demo", tab.number), step);
    Ok(())
}

/// An agent that changes passwords, and a domain that allows it and demands long ones.
fn changes_passwords(domain: &Domain, tenant: &RunningTenant) -> Result<PtaAgent, LabError> {
    domain.set_policy(serde_json::json!({ "minPwdAge": "0", "minPwdLength": "12" }))?;
    let settings = PtaSettings {
        directory: "change_passwords = true".to_owned(),
        level: "warn",
        ..PtaSettings::for_domain(domain)
    };
    let agent = PtaAgent::start(&settings, tenant)?;
    tenant.wait_for_connections(2, 30)?;
    let policy = ["domains", "policy", domain.name(), "--change-passwords", "when-required"];
    tenant.run(&policy, None)?.expect_code(0);
    Ok(agent)
}

/// What AD answers to a bind.
fn code(answer: Option<String>) -> String {
    answer.unwrap_or_else(|| "accepted".to_owned())
}

/// Where the pictures go. Those of another run are removed.
fn folder() -> Result<PathBuf, LabError> {
    let folder = build_folder()?.join("demo");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|why| LabError::said("the folder of the pictures", &why))?;
    Ok(folder)
}

/// What became of the person, in a word.
fn outcome(page: &Seen, who: &Person) -> &'static str {
    match page.heading.as_str() {
        _ if page.text.contains(&format!("signed in as {}", who.sam)) => "in",
        "Bye" => "signed out",
        _ if !page.notice.is_empty() => "refused",
        _ => "another page",
    }
}

/// The browser, and a picture of each page that it shows.
struct Tab {
    browser: Browser,
    pictures: PathBuf,
    number: u32,
}

impl Tab {
    fn open(&mut self, site: &ProtectedSite) -> Result<Seen, LabError> {
        let page = self.browser.open(&site.url("/"))?;
        self.shown(page)
    }

    fn sign_in(&mut self, name: Option<&str>, password: &str) -> Result<Seen, LabError> {
        let page = self.browser.sign_in(Typed { name, password, keyboard: false })?;
        self.shown(page)
    }

    fn change(&mut self, old: &str, new: &str) -> Result<Seen, LabError> {
        let page = self.browser.change_password(old, [new, new])?;
        self.shown(page)
    }

    fn shown(&mut self, page: Seen) -> Result<Seen, LabError> {
        self.number += 1;
        let file = self.pictures.join(format!("{}.png", self.number));
        self.browser.write_picture(&file, (1280, 800))?;
        Ok(page)
    }
}
