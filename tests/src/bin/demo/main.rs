//! `make demo`: a disposable real domain, a tenant, a phs and two pta-agents on loopback, from the first password to
//! the last refusal; with the word `ldap` or `oidc`, the act of that name alone. With the word `nodes` it is `make demo-nodes`.
//! Every line is a real outcome. Whatever ends this program, nothing of it is left.

#![allow(clippy::print_stdout, reason = "it is all for a person to read")]
#![allow(clippy::indexing_slicing, reason = "of JSON values, which give null for what is not there")]

mod agents;
mod ldap;
mod nodes;
mod oidc;
mod scope;

use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::{
    Answer, Application, Domain, LabError, Person, Phs, PhsSettings, Population, RunningTenant,
    TenantSettings, Try, person,
};
use serde_json::json;
use std::io::IsTerminal as _;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

const USERS: u32 = 500;
/// Wide enough for every line.
const WHAT: usize = 50;
const OUTCOME: usize = 32;

fn main() -> ExitCode {
    let began = Instant::now();
    let mut board = Board { rows: Vec::new(), colour: std::io::stdout().is_terminal() };
    let played = if std::env::args().nth(1).as_deref() == Some("nodes") {
        nodes::play(&mut board)
    } else {
        play(&mut board)
    };
    board.summary();
    let seconds = began.elapsed().as_secs_f64();
    let wrong = board.rows.iter().filter(|row| !row.holds()).count();
    match played {
        Err(error) => {
            println!("\n  The demo could not go on: {error}");
            ExitCode::from(3)
        }
        Ok(()) if wrong == 0 => {
            println!(
                "\n  All {} as they must be, in {seconds:.0} s. Stopped and removed.\n",
                board.rows.len()
            );
            ExitCode::SUCCESS
        }
        Ok(()) => {
            println!("\n  {wrong} of {} not as it must be, in {seconds:.0} s.\n", board.rows.len());
            ExitCode::FAILURE
        }
    }
}

/// The accounts with a condition of their own. All others have a password and no more.
struct Cast {
    disabled: Person,
    account_expired: Person,
    password_expired: Person,
    must_change: Person,
    privileged: Person,
    changing: Person,
    odd_title: Person,
}

fn play(board: &mut Board) -> Result<(), LabError> {
    board.title("Landbridge: the passwords of a real domain sign in at the tenant");

    let step = Instant::now();
    board.working(&format!("a Samba AD domain with {USERS} users: made once, kept under target/lab"));
    let domain = Domain::start(Population::of(USERS))?;
    let cast = stage(&domain)?;
    board.done("domain", &format!("{} at {}, {USERS} users", domain.name(), domain.address()), step);

    let step = Instant::now();
    let tenant = RunningTenant::start_for(&domain, &TenantSettings::default())?;
    board.done("tenant", &tenant.url(), step);

    let step = Instant::now();
    let settings = PhsSettings { level: "warn", ..PhsSettings::for_domain(&domain, "strong") };
    let phs = Phs::install(&settings)?;
    phs.join(&tenant)?;
    board.done("phs", "enrolled by a one-time token, approved", step);

    let step = Instant::now();
    let first = once(&phs, &["--full"])?;
    let sent = format!("{} passwords, each derived with 600,000 iterations, and sent", first["digests_sent"]);
    board.done("sync", &sent, step);
    println!();

    match std::env::args().nth(1).as_deref() {
        Some("ldap") => return ldap::play(board, &domain, &tenant, &phs, &cast),
        Some("oidc") => return oidc::play(board, &domain, &tenant, &phs),
        _ => {}
    }
    let app = Application::of(&tenant, "demo")?;
    let mut tries = Tries { board, app: &app, number: 0 };
    sign_ins(&mut tries, &cast)?;
    let stored = tenant.holds_digest(domain.identity(&cast.privileged.sam)?.guid)?;
    tries.board.line("… and the tenant's digest of it", "none", if stored { "there" } else { "none" });
    let reader = Person { upn: format!("{}@{}", settings.account, domain.name()), ..person(1) };
    tries.line("the account that phs reads with, right password", &reader, &settings.password, "refused")?;
    odd_objects(&mut tries, &phs, &cast.odd_title)?;
    guesses(&mut tries)?;
    a_change(&mut tries, &domain, &tenant, &phs, &cast.changing)?;
    continuously(&mut tries, &domain, &phs, &cast.changing)?;
    scope::play(&mut tries, &domain, &phs, &settings)?;
    ldap::play(board, &domain, &tenant, &phs, &cast)?;
    oidc::play(board, &domain, &tenant, &phs)?;
    agents::play(board, &domain, &tenant, &app)
}

fn stage(domain: &Domain) -> Result<Cast, LabError> {
    let cast = Cast {
        disabled: person(11),
        account_expired: person(12),
        password_expired: person(13),
        must_change: person(14),
        privileged: person(15),
        changing: person(16),
        odd_title: person(17),
    };
    domain.set_enabled(&cast.disabled.sam, false)?;
    domain.account_ends_in(&cast.account_expired.sam, -3600)?;
    domain.age_password(&cast.password_expired.sam, 400)?;
    domain.must_change(&cast.must_change.sam)?;
    domain.set_member("Domain Admins", &cast.privileged.sam, true)?;
    // Half an emoji, written past the DC's checks as a faulty program writes it. It replicates only if it was set before.
    domain.set_attributes(&cast.odd_title.sam, json!({"title": "Countess"}))?;
    domain.force_values(&cast.odd_title.sam, "title", &json!({"hex": "436f756e74657373eda0bd"}))?;
    Ok(cast)
}

fn sign_ins(tries: &mut Tries, cast: &Cast) -> Result<(), LabError> {
    let (user, odd) = (person(0), person(7));
    tries.line("right password", &user, &user.password, "accepted")?;
    tries.line("wrong password", &user, &user.wrong_password(), "refused")?;
    tries.line(&format!("right password of {}", odd.sam), &odd, &odd.password, "accepted")?;
    let nobody = Person { upn: "nobody@corp.example.com".into(), ..person(1) };
    tries.line("unknown user", &nobody, "whatever it is", "refused")?;
    tries.line("disabled account, right password", &cast.disabled, &cast.disabled.password, "refused")?;
    for (what, who, reason) in [
        ("expired account", &cast.account_expired, "refused: account-expired"),
        ("expired password", &cast.password_expired, "refused: password-expired"),
        ("must change", &cast.must_change, "refused: must-change-password"),
    ] {
        tries.line(&format!("{what}, right password"), who, &who.password, reason)?;
        tries.line(&format!("{what}, wrong password"), who, &who.wrong_password(), "refused")?;
    }
    let admin = &cast.privileged;
    tries.line("member of Domain Admins, right password", admin, &admin.password, "refused")
}

/// What is odd in the directory ends no sign-in, and is listed; what is odd in how a name is typed does not count.
fn odd_objects(tries: &mut Tries, phs: &Phs, odd: &Person) -> Result<(), LabError> {
    tries.line("half an emoji in the title, right password", odd, &odd.password, "accepted")?;
    let listed = phs.run(&["check", "--objects", "--json"], None)?.json();
    let listed: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|one| one["attribute"].as_str()).collect();
    tries.board.line("what `check --objects` lists", "title", &listed.join(", "));
    let who = person(7);
    let typed = Person { upn: format!(" {} ", who.upn.to_uppercase()), ..who };
    tries.line("a name in capitals, with blanks around it", &typed, &typed.password, "accepted")
}

/// Strangers guess at an account from everywhere, and its owner signs in where the owner did before.
fn guesses(tries: &mut Tries) -> Result<(), LabError> {
    let owner = person(480);
    let at_home = Try::from(0x80_0000, &owner.upn, &owner.password);
    let elsewhere = Try::from(0x80_0001, &owner.upn, &owner.password);
    tries.app.sign_in(&at_home)?;
    let guesses: Vec<_> =
        (0..200).map(|n| Try::from(0x90_0000 + n, &owner.upn, &format!("guess {n}"))).collect();
    let answers = tries.app.sign_all_in(&guesses, 16)?;
    let refused = answers.iter().filter(|answer| answer.refused()).count();
    tries.board.line("200 guesses from as many addresses", "200 refused", &format!("{refused} refused"));
    let answer = tries.app.sign_in(&elsewhere)?;
    tries.board.line("the right password from a new place: it waits", "refused", &words(&answer));
    let answer = tries.app.sign_in(&at_home)?;
    tries.board.line("the owner, at a known place", "accepted", &words(&answer));
    Ok(())
}

fn a_change(
    tries: &mut Tries,
    domain: &Domain,
    tenant: &RunningTenant,
    phs: &Phs,
    who: &Person,
) -> Result<(), LabError> {
    let new = "Neues Wort, Köln & 北京";
    domain.set_password(&who.sam, new)?;
    let before = records(tenant)?;
    let dry = once(phs, &["--dry-run"])?;
    let sent = format!("{} in scope, {} records sent", dry["in_scope"], records(tenant)? - before);
    tries.board.line("a password changed in AD; once --dry-run", "1 in scope, 0 records sent", &sent);
    let second = once(phs, &[])?;
    tries.board.line("once", "1 digest sent", &format!("{} digest sent", second["digests_sent"]));
    tries.line("the new password", who, new, "accepted")?;
    tries.line("the old password", who, &who.password, "refused")?;

    let before = records(tenant)?;
    let third = once(phs, &[])?;
    let sent = format!("{} uploads, {} records sent", third["uploads"], records(tenant)? - before);
    tries.board.line("once again, with nothing new", "0 uploads, 0 records sent", &sent);
    Ok(())
}

/// The daemon: a change in AD is synchronised without a command.
fn continuously(tries: &mut Tries, domain: &Domain, phs: &Phs, who: &Person) -> Result<(), LabError> {
    let mut daemon = phs.run_daemon()?;
    let new = "Noch ein Wort, Zürich & 東京";
    domain.set_password(&who.sam, new)?;
    let since = Instant::now();
    let is_in = || tries.app.sign_in(&Try::from(0, &who.upn, new)).is_ok_and(|answer| answer.accepted());
    wait_until("the new password to be in force", 30, is_in, || daemon.said())?;
    let later = format!("`run`: a password changed in AD, {:.1} s later", since.elapsed().as_secs_f64());
    tries.line(&later, who, new, "accepted")?;
    daemon.signal(rustix::process::Signal::TERM);
    let ended = daemon.finish(20)?;
    if ended.code == Some(0) { Ok(()) } else { Err(LabError::said("landbridge-phs run", &ended)) }
}

/// `once --json`, with its progress on this terminal.
fn once(phs: &Phs, more: &[&str]) -> Result<serde_json::Value, LabError> {
    let command = phs.command(&[&["once", "--json"], more].concat())?;
    let finished = phs.show(command, Stdio::inherit())?;
    if finished.code == Some(0) {
        Ok(finished.json())
    } else {
        Err(LabError::said("landbridge-phs once", &finished))
    }
}

/// How many records the tenant has received, by its own counters.
fn records(tenant: &RunningTenant) -> Result<f64, LabError> {
    let of = |outcome| tenant.metric(&format!("landbridge_records_{outcome}_total"));
    let counts = [of("applied")?, of("unchanged")?, of("refused")?];
    Ok(counts.into_iter().flatten().sum())
}

struct Tries<'a> {
    board: &'a mut Board,
    app: &'a Application,
    number: u32,
}

impl Tries<'_> {
    fn line(&mut self, what: &str, who: &Person, password: &str, must: &str) -> Result<(), LabError> {
        self.number += 1;
        let answer = self.app.sign_in(&Try::from(self.number, &who.upn, password))?;
        self.board.line(what, must, &words(&answer));
        Ok(())
    }
}

fn words(answer: &Answer) -> String {
    match answer.body["reason"].as_str() {
        None if answer.accepted() => "accepted".to_owned(),
        None if answer.refused() => "refused".to_owned(),
        None | Some(_) if agents::unavailable(answer) => "unavailable".to_owned(),
        Some(reason) if answer.refused_for(reason) => format!("refused: {reason}"),
        None | Some(_) => format!("HTTP {} {}", answer.status, answer.body),
    }
}

struct Row {
    what: String,
    must: String,
    was: String,
}

impl Row {
    fn holds(&self) -> bool {
        self.must == self.was
    }
}

/// What a person sees.
struct Board {
    rows: Vec<Row>,
    colour: bool,
}

impl Board {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn title(&self, text: &str) {
        println!("\n  {}\n", self.paint("1", text));
    }

    fn working(&self, on: &str) {
        println!("  {}", self.paint("2", on));
    }

    fn done(&self, name: &str, is: &str, since: Instant) {
        let seconds = self.paint("2", &format!("{:5.1} s", since.elapsed().as_secs_f64()));
        println!("  {name:<8}{is:<width$}{seconds}", width = WHAT + OUTCOME - 6);
    }

    fn mark(&self, row: &Row) -> String {
        if row.holds() { self.paint("32", "✓") } else { self.paint("31", "✗") }
    }

    fn line(&mut self, what: &str, must: &str, was: &str) {
        let row = Row { what: what.to_owned(), must: must.to_owned(), was: was.to_owned() };
        println!("  {} {what:<WHAT$}{was}", self.mark(&row));
        self.rows.push(row);
    }

    fn summary(&self) {
        if self.rows.is_empty() {
            return;
        }
        let rule = "─".repeat(2 + WHAT + 2 * OUTCOME);
        let head = format!("{:<what$}{:<OUTCOME$}{}", "what", "must be", "was", what = WHAT + 2);
        println!("\n  {}\n  {rule}", self.paint("1", &head));
        for row in &self.rows {
            println!("  {} {:<WHAT$}{:<OUTCOME$}{}", self.mark(row), row.what, row.must, row.was);
        }
        println!("  {rule}");
    }
}
