//! A lying tenant locks no account of the domain, and learns nothing of a protected one: in memory with the agent's
//! session and bounds beside a model of AD, and over the real link with the real DC as the oracle.

use crate::stage::Stage;
use crate::times::welch;
use landbridge_pta_agent::directory::DefenceConfig;
use landbridge_pta_agent::directory::LockoutPolicy;
use landbridge_pta_agent::directory::bind::departure;
use landbridge_pta_agent::directory::failed_binds::{BindKey, Counts, FailedBinds, outcome};
use landbridge_pta_agent::session::{Output, Session, Settled};
use landbridge_pta_agent::status::{ChangeStatus, Status};
use landbridge_tests::lab::lying_tenant::{LyingTenant, Named, Said};
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{Person, PtaAgent, PtaSettings, Try, person};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::signin::{
    AT_BOUND, Decline, DirectoryVerdict, FromAgent, FromTenant, Hello, SignInRequest, Welcome,
};
use serde_json::json;
use std::time::{Duration, Instant};
use uuid::Uuid;

const AGENTS: u64 = 2;

/// AD as far as it matters: it counts bad passwords of each account, and locks at the threshold.
struct Directory {
    threshold: u32,
    window: Duration,
    counts: Vec<(u32, Instant)>,
    locked: bool,
}

impl Directory {
    fn bind(&mut self, account: usize, right: bool, now: Instant) -> DirectoryVerdict {
        let (count, last) = &mut self.counts[account];
        if now.saturating_duration_since(*last) >= self.window || right {
            *count = 0;
        }
        if right {
            return DirectoryVerdict::Valid;
        }
        (*count, *last) = (*count + 1, now);
        self.locked |= *count >= self.threshold;
        DirectoryVerdict::Wrong
    }
}

/// One agent: the real session and the real bounds, without sockets.
struct Inside {
    session: Session,
    bounds: FailedBinds,
}

impl Inside {
    fn start(now: Instant) -> Self {
        let bounds = FailedBinds::new(DefenceConfig::default());
        Self { session: connected(now), bounds }
    }

    /// What the agent says to one request, and when. `old`: it names the account by objectGUID alone, as a tenant of
    /// version 0.1 does.
    fn requested(
        &mut self,
        directory: &mut Directory,
        account: usize,
        old: bool,
        right: bool,
        now: Instant,
    ) -> (Vec<FromAgent>, Instant) {
        // 1. The request, over a new connection: it may come hours after the last one.
        self.session = connected(now);
        let (request, object) = (Uuid::new_v4(), Uuid::from_u128(u128::try_from(account).unwrap()));
        let rid = u32::try_from(account).unwrap();
        let (encapsulated, sealed) = (Blob::new([0; 32]).unwrap(), Blob::new([0; 144]).unwrap());
        let sid = (!old).then(|| Text::new(format!("S-1-5-21-1-2-3-{rid}")).unwrap());
        let asked = SignInRequest { request, object, sid, due: 10_000, encapsulated, sealed };
        self.session.heard(FromTenant::SignIn(Box::new(asked)), now);
        // 2. A bind within the bounds. The right password takes longer, since entries are read after it.
        let key = if old { BindKey::Object(object) } else { BindKey::Rid(rid) };
        let (settled, done) = match self.bounds.reserve(key, now) {
            Err(why) => (Settled::Declined { why, tried: false }, now),
            Ok(()) => {
                let said = directory.bind(account, right, now);
                let (verdict, counts) = outcome(said, is_protected(account));
                let done = now + Duration::from_millis(if right { 9 } else { 3 });
                if counts == Counts::Accepted {
                    self.bounds.note_names(object, rid);
                }
                self.bounds.settle(key, counts, done);
                if counts == Counts::Accepted {
                    let seconds = i64::try_from(directory.window.as_secs()).unwrap();
                    self.bounds.learn(LockoutPolicy::of(directory.threshold, Some(-seconds * 10_000_000)));
                }
                let leaves = if verdict == DirectoryVerdict::Valid { done } else { departure(now, done) };
                (Settled::Verdict { verdict, tag: [0; 32] }, leaves)
            }
        };
        // 3. What goes back.
        self.session.settled(request, settled, done);
        let mut said = Vec::new();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(FromAgent::Answer(answer)) => {
                    said.push(FromAgent::Answer(landbridge_wire::signin::Answer {
                        request: Uuid::nil(),
                        ..answer
                    }));
                }
                Output::Send(FromAgent::Declined(declined)) => {
                    said.push(FromAgent::Declined(landbridge_wire::signin::Declined {
                        request: Uuid::nil(),
                        ..declined
                    }));
                }
                Output::Send(_)
                | Output::Validate { .. }
                | Output::Change { .. }
                | Output::Nodes(_)
                | Output::Welcomed { .. } => {}
                Output::Close(why) => panic!("{why:?}"),
            }
        }
        (said, done)
    }
}

/// The agent's end of a connection that the tenant has just accepted.
fn connected(now: Instant) -> Session {
    let software = Text::new("test").unwrap();
    let (connection, abilities) = (Uuid::nil(), List::default());
    let hello = Hello { connection, instance: Uuid::nil(), software, capacity: 64, abilities };
    let mut session = Session::new(hello, now);
    let abilities = List::new(vec![Text::new(AT_BOUND).unwrap()]).unwrap();
    session.heard(FromTenant::Welcome(Welcome { nodes: List::default(), abilities }), now);
    while session.poll_output().is_some() {}
    session
}

const ACCOUNTS: usize = 6;

/// The last two accounts are protected.
fn is_protected(account: usize) -> bool {
    account >= ACCOUNTS - 2
}

/// A lying tenant requests what it likes for some simulated weeks. `knows` is whether the passwords that it tries for
/// protected accounts are right now and then. Returns all that it received, and when; and whether AD locked an account.
///
/// It names accounts by SID, or by objectGUID alone, or in turn by both.
fn lies(seed: u64, threshold: u32, knows: bool) -> (Vec<(Vec<FromAgent>, Duration)>, bool) {
    let (mut draw, began) = (Draw::new(seed), Instant::now());
    let window = Duration::from_secs(600 + 60 * u64::try_from(draw.below(200)).unwrap());
    let counts = vec![(0, began); ACCOUNTS];
    let mut directory = Directory { threshold, window, counts, locked: false };
    let mut agents: Vec<Inside> = (0..AGENTS).map(|_| Inside::start(began)).collect();
    let (mut now, mut heard) = (began, Vec::new());
    // Of a hundred requests so many are those of a tenant of version 0.1.
    let old_ones = [0, 100, 50, 3][draw.below(4)];
    for _ in 0..1_000 {
        let most = usize::try_from(window.as_secs()).unwrap();
        let idle = match draw.below(8) {
            0 => Duration::from_secs(u64::try_from(draw.below(most)).unwrap()),
            // Just before AD resets its count.
            1 => window - Duration::from_secs(5),
            2 => Duration::from_secs(60),
            other => Duration::from_millis([0, 1, 50, 700, 1_500][other - 3]),
        };
        now += idle;
        let (agent, account, luck) = (draw.below(agents.len()), draw.below(ACCOUNTS), draw.below(4) == 0);
        let right = luck && (knows || !is_protected(account));
        let old = draw.below(100) < old_ones;
        let (said, at) = agents[agent].requested(&mut directory, account, old, right, now);
        heard.push((said, at - began));
        now = now.max(at);
    }
    (heard, directory.locked)
}

#[test]
fn whatever_a_lying_tenant_requests_of_two_agents_no_account_is_locked() {
    let first = seed();
    println!("from seed {first}");
    let mut declined = 0;
    for seed in first..first + size(30, 1_000) {
        for threshold in [3, 4, 5, 10, 50] {
            let (heard, locked) = lies(seed, threshold, true);
            assert!(!locked, "seed {seed}, threshold {threshold}");
            let at_bound =
                |said: &FromAgent| matches!(said, FromAgent::Declined(d) if d.why == Decline::AtBound);
            declined += heard.iter().filter(|(said, _)| said.iter().any(at_bound)).count();
        }
    }
    assert!(declined > 1_000, "the bounds were reached: {declined}");
}

#[test]
fn all_that_a_lying_tenant_receives_is_the_same_whether_its_passwords_of_protected_accounts_are_right_or_wrong()
 {
    let first = seed();
    println!("from seed {first}");
    for seed in first..first + size(30, 1_000) {
        for threshold in [3, 5, 10, 50] {
            let (right, wrong) = (lies(seed, threshold, true).0, lies(seed, threshold, false).0);
            assert_eq!(right.len(), wrong.len());
            for (n, (right, wrong)) in right.iter().zip(&wrong).enumerate() {
                assert_eq!(right, wrong, "seed {seed}, threshold {threshold}, request {n}");
            }
        }
    }
}

/// Two agents with these lines in `[defence]`, whose tenant was taken over by a lying one.
fn betrayed(stage: &Stage, defence: &str, of_this_version: bool) -> (Vec<PtaAgent>, LyingTenant) {
    let settings = PtaSettings { defence: defence.to_owned(), ..PtaSettings::for_domain(&stage.domain) };
    betrayed_with(stage, &settings, of_this_version)
}

fn betrayed_with(
    stage: &Stage,
    settings: &PtaSettings,
    of_this_version: bool,
) -> (Vec<PtaAgent>, LyingTenant) {
    let agents: Vec<PtaAgent> =
        (0..AGENTS).map(|_| PtaAgent::start(settings, &stage.tenant).unwrap()).collect();
    stage.tenant.wait_for_connections(2 * AGENTS, 30).unwrap();
    stage.tenant.kill();
    let lying = LyingTenant::take_over(&stage.tenant, &agents, of_this_version).unwrap();
    (agents, lying)
}

/// Signs a person in through the agent, so that it reads AD's policy. Before it knows that, it tries one password of
/// each account, also if its answer is lost: so each person is tried once. `as_named`: the names that are sent.
fn sign_somebody_in(stage: &Stage, lying: &LyingTenant, agent: &PtaAgent, as_named: impl Fn(Named) -> Named) {
    let mut all = (40..45).map(person).map(|own| {
        let account = as_named(named(stage, &own.sam));
        lying.guess(agent, &account, &own.password).unwrap().0
    });
    assert_eq!(all.find(|said| *said != Said::Nothing), Some(Said::Verdict(DirectoryVerdict::Valid)));
}

/// The agent's words to this password: again if the connection broke meanwhile. AD may then have counted it twice, and
/// the agent counts it twice as well.
fn words(lying: &LyingTenant, agent: &PtaAgent, account: &Named, password: &str) -> Said {
    let mut all = (0..5).map(|_| lying.guess(agent, account, password).unwrap().0);
    all.find(|said| *said != Said::Nothing).expect("a connection that lasts")
}

/// Both names of an account.
fn named(stage: &Stage, sam: &str) -> Named {
    let identity = stage.domain.identity(sam).unwrap();
    Named { object: identity.guid, sid: Some(identity.sid) }
}

#[test]
fn a_lying_tenant_locks_no_account_of_the_domain_and_agents_say_that_they_are_at_their_bound() {
    let stage = Stage::new(50, 0);
    for (threshold, base) in [(3, 0), (5, 10), (10, 20)] {
        let policy = json!({
            "lockoutThreshold": threshold.to_string(),
            "lockOutObservationWindow": "-18000000000",
            "lockoutDuration": "-18000000000",
        });
        stage.domain.set_policy(policy).unwrap();
        stage.tenant.serve().unwrap();
        let (agents, lying) = betrayed(&stage, "", true);
        let admin = person(base + 3);
        stage.domain.set_member("Domain Admins", &admin.sam, true).unwrap();
        let mut declined = 0;
        // Before any good sign-in, and after one at each agent.
        for (round, first) in [(0, base), (1, base + 1)] {
            for agent in agents.iter().filter(|_| round == 1) {
                sign_somebody_in(&stage, &lying, agent, |account| account);
            }
            for who in [person(first), admin.clone()] {
                let both = named(&stage, &who.sam);
                for n in 0..6 * threshold {
                    let agent = &agents[(n % 2) as usize];
                    // By both names, by the objectGUID alone as version 0.1 does, and by the SID with any objectGUID.
                    let account = match n / 2 % 3 {
                        0 => both.clone(),
                        1 => Named { sid: None, ..both.clone() },
                        _ => Named { object: Uuid::new_v4(), ..both.clone() },
                    };
                    // A lost guess comes again by the same name. By another, it would count for both kinds of name.
                    match words(&lying, agent, &account, &format!("guess {n}")) {
                        Said::Verdict(DirectoryVerdict::Wrong) => {}
                        Said::Declined(Decline::AtBound, false) => declined += 1,
                        said @ (Said::Verdict(_) | Said::Change(_) | Said::Declined(..) | Said::Nothing) => {
                            panic!("{said:?}")
                        }
                    }
                }
                let counted = stage.domain.bad_passwords(&who.sam).unwrap();
                println!("threshold {threshold}, round {round}, {}: AD counts {counted}", who.sam);
                assert!(0 < counted && counted < threshold, "{counted} of {threshold}");
                assert_eq!(stage.domain.locked_at(&who.sam).unwrap(), 0);
            }
        }
        assert!(declined > 0);
        for who in [person(base), person(base + 1), admin] {
            assert_eq!(stage.domain.bare_bind(&who.upn, &who.password).unwrap(), None, "{}", who.sam);
        }
        // `check` computes what all agents together may do, by what the running agent has written down.
        let knows = || {
            let status = agents[0].status();
            status.is_some_and(|status| status.lockout.is_some())
        };
        wait_until("the agent to write down AD's policy", 10, knows, String::new).unwrap();
        let checked = agents[0].run_to_end(&["check"], None).unwrap();
        let figure = format!("{} through 2 agents; AD locks at {threshold}", (threshold - 1) / 2 * 2);
        assert!(checked.to_string().contains(&figure), "{checked}");
    }
}

#[test]
fn an_account_under_a_stricter_policy_of_its_own_is_not_locked_once_it_has_signed_in() {
    let who = person(1);
    let stage = Stage::prepared(50, 0, "pta", |domain| {
        domain.set_policy(json!({"lockoutThreshold": "10"})).unwrap();
        // It locks after three.
        domain.create_password_settings("Strict", 1, &[&who.sam]).unwrap();
    });
    let (agents, lying) = betrayed(&stage, "", true);
    let id = named(&stage, &who.sam);
    for agent in &agents {
        sign_somebody_in(&stage, &lying, agent, |account| account);
        let said = words(&lying, agent, &id, &who.password);
        assert_eq!(said, Said::Verdict(DirectoryVerdict::Valid));
    }
    let said: Vec<Said> =
        (0..8).map(|n| lying.guess(&agents[n % 2], &id, &format!("guess {n}")).unwrap().0).collect();
    assert!(said.contains(&Said::Declined(Decline::AtBound, false)), "{said:?}");
    let counted = stage.domain.bad_passwords(&who.sam).unwrap();
    assert!(0 < counted && counted <= 2, "one at each agent: {counted}");
    assert_eq!(stage.domain.bare_bind(&who.upn, &who.password).unwrap(), None, "it is not locked");
}

#[test]
fn a_sid_of_another_domain_or_of_another_account_than_the_objectguid_has_no_verdict_and_is_in_the_log() {
    let stage = Stage::new(50, 0);
    // A domain that locks nobody counts nothing.
    stage.domain.set_policy(json!({"lockoutThreshold": "10"})).unwrap();
    let (agents, lying) = betrayed(&stage, "", true);
    let (who, other) = (person(1), person(2));
    let [own, others] = [&who, &other].map(|who| named(&stage, &who.sam));
    let none = Said::Declined(Decline::OtherAccount, false);
    // No bind is sent as an account of another domain, nor as a name that is no SID.
    for sid in [
        "S-1-5-21-1-2-3-1105",
        "S-1-5-32-544",
        "S-1-5-18",
        &format!("{}-01105", stage.domain.sid()),
        stage.domain.sid(),
        &who.upn,
        &format!("CORP\\{}", who.sam),
        "",
    ] {
        let account = Named { sid: Some(sid.to_owned()), ..own.clone() };
        assert_eq!(words(&lying, &agents[0], &account, &who.password), none, "{sid:?}");
    }
    // The right password of the SID's account, and the objectGUID of another: a bind, and no verdict.
    let crossed = Named { object: others.object, ..own.clone() };
    let none = Said::Declined(Decline::OtherAccount, true);
    assert_eq!(words(&lying, &agents[0], &crossed, &who.password), none);
    // The password of the objectGUID's account is wrong: the bind is by the SID.
    let crossed = Named { object: own.object, ..others };
    let wrong = Said::Verdict(DirectoryVerdict::Wrong);
    assert_eq!(words(&lying, &agents[1], &crossed, &who.password), wrong);
    assert_eq!(stage.domain.bad_passwords(&other.sam).unwrap(), 1);
    assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), 0, "the right password was the last one");
    let counted = || {
        let status = agents[0].status();
        status.is_some_and(|status| {
            let counted = |(words, count): (&String, &u64)| {
                words.contains("another account than the SID's") && *count >= 9
            };
            status.answers.iter().any(counted)
        })
    };
    wait_until("the agent to write down what it declined", 10, counted, String::new).unwrap();
}

#[test]
fn a_lying_tenant_of_version_0_1_is_told_that_the_agent_is_overloaded() {
    let stage = Stage::new(50, 0);
    stage.domain.set_policy(json!({"lockoutThreshold": "3"})).unwrap();
    let (agents, lying) = betrayed(&stage, "", false);
    let who = Named { sid: None, ..named(&stage, &person(1).sam) };
    let said: Vec<Said> =
        (0..5).map(|n| lying.guess(&agents[0], &who, &format!("guess {n}")).unwrap().0).collect();
    assert!(said.contains(&Said::Declined(Decline::Overloaded, false)), "{said:?}");
    assert!(!said.iter().any(|said| matches!(said, Said::Declined(Decline::AtBound, _))), "{said:?}");
    // It sends no SID, and the agent binds as version 0.1 did.
    sign_somebody_in(&stage, &lying, &agents[1], |account| Named { sid: None, ..account });
}

#[test]
fn a_right_and_a_wrong_password_of_a_protected_account_look_the_same_to_a_lying_tenant_in_words_and_time() {
    let admin = person(1);
    let nested = person(2);
    let guarded = person(3);
    let ordinary = person(4);
    // An agent lets 1,000 failed binds for each account through at most.
    let timed: Vec<Person> = (5..5 + size(1, 10)).map(person).collect();
    let stage = Stage::prepared(50, 0, "pta", |domain| {
        for who in timed.iter().chain([&admin]) {
            domain.set_member("Domain Admins", &who.sam, true).unwrap();
        }
        domain.create_group("Inner").unwrap();
        domain.set_member("Inner", &nested.sam, true).unwrap();
        domain.set_member("Backup Operators", "Inner", true).unwrap();
        domain.set_member("Protected Users", &guarded.sam, true).unwrap();
    });
    // The bounds are out of the way: this is about each single answer.
    let (agents, lying) = betrayed(&stage, "failed_binds = 1000\nfailed_binds_per_minute = 100000", true);
    let wrong = Said::Verdict(DirectoryVerdict::Wrong);
    // AD itself refuses members of Protected Users, after the right password and with a code of its own.
    for (who, code) in [(&admin, None), (&nested, None), (&guarded, Some("52f"))] {
        assert_eq!(stage.domain.bare_bind(&who.upn, &who.password).unwrap().as_deref(), code, "{}", who.sam);
        for password in [&who.password, &who.wrong_password()] {
            assert_eq!(
                lying.guess(&agents[0], &named(&stage, &who.sam), password).unwrap().0,
                wrong,
                "{}",
                who.sam
            );
        }
    }
    let administrator = named(&stage, "Administrator");
    let password = landbridge_tests::lab::population::ADMINISTRATOR_PASSWORD;
    // Its names do not belong together: that tells nothing of a protected account either.
    for odd in [
        administrator.clone(),
        Named { sid: None, ..administrator.clone() },
        Named { object: Uuid::new_v4(), ..administrator.clone() },
    ] {
        for password in [password, "guess"] {
            assert_eq!(words(&lying, &agents[0], &odd, password), wrong, "{odd:?}");
        }
    }
    let said = words(&lying, &agents[0], &named(&stage, &ordinary.sam), &ordinary.password);
    assert_eq!(said, Said::Verdict(DirectoryVerdict::Valid), "an ordinary account signs in");
    // Time: right and wrong in random order.
    let (seed, each) = (seed(), size(200, 2_000));
    let mut draw = Draw::new(seed);
    let mut times = [Vec::new(), Vec::new()];
    let ids: Vec<Named> = timed.iter().map(|who| named(&stage, &who.sam)).collect();
    while times.iter().any(|times| times.len() < each) {
        let kind = draw.below(2);
        if times[kind].len() == each {
            continue;
        }
        let at = draw.below(ids.len());
        let password = if kind == 0 { timed[at].password.clone() } else { timed[at].wrong_password() };
        let (said, took) = lying.guess(&agents[0], &ids[at], &password).unwrap();
        if said == Said::Nothing {
            continue;
        }
        assert_eq!(said, wrong);
        times[kind].push(took.as_secs_f64() * 1e3);
    }
    let t = welch(&times[0], &times[1]);
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    println!(
        "seed {seed}, N {each}: right {:.3} ms, wrong {:.3} ms, |t| {t:.2}",
        mean(&times[0]),
        mean(&times[1])
    );
    assert!(t < crate::times::LIMIT, "{t}");
    let status = agents[0].run_to_end(&["status", "--json"], None).unwrap().expect_code(0);
    assert!(!status.to_string().contains("\"withheld\": 0"), "the operator sees what was withheld: {status}");
}

#[test]
fn an_agent_at_its_bound_passes_a_sign_in_on_and_when_both_are_the_refusal_looks_like_any_other() {
    let stage = Stage::prepared(50, 2, "pta", |domain| {
        domain.set_policy(json!({"lockoutThreshold": "10"})).unwrap();
    });
    // Each agent has a bound of one before its first good sign-in, which is smaller than the tenant's budget.
    let who = person(1);
    let try_as = |password: &str| stage.app.sign_in(&Try::from(1, &who.upn, password)).unwrap();
    let wrong = [try_as("one"), try_as("two")];
    assert_eq!(stage.reasons().get("wrong-password"), Some(&2), "the second goes to the other agent");
    let right = try_as(&who.password);
    assert!(right.refused() && right.raw == wrong[0].raw && wrong[0].raw == wrong[1].raw, "{right:?}");
    assert_eq!(stage.reasons().get("held-back"), Some(&1));
    assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), 2);
}

#[test]
fn a_lying_tenant_changes_no_password_of_a_protected_account_and_one_that_expired_once_at_most() {
    let stage = Stage::new(50, 0);
    stage.domain.set_policy(json!({"lockoutThreshold": "10", "minPwdAge": "0"})).unwrap();
    let (admin, guarded, ordinary, expired, other) = (person(1), person(2), person(3), person(4), person(5));
    let victims = [person(8), person(9), person(10)];
    stage.domain.set_member("Domain Admins", &admin.sam, true).unwrap();
    stage.domain.set_member("Protected Users", &guarded.sam, true).unwrap();
    let settings = PtaSettings {
        directory: "change_passwords = true".to_owned(),
        defence: "failed_binds = 1000\nfailed_binds_per_minute = 100000".to_owned(),
        ..PtaSettings::for_domain(&stage.domain)
    };
    let (agents, lying) = betrayed_with(&stage, &settings, true);
    let agent = &agents[0];
    let change = |who: &Person, name: &str, passwords: [&str; 2]| {
        lying.change(agent, &named(&stage, &who.sam), name, passwords).unwrap().0
    };
    let wrong = Said::Change(ChangeOutcome::OldRefused(DirectoryVerdict::Wrong));
    let new = "Neu-und-lang-genug-1";
    // 1. Protected accounts: a right password and a wrong one have the same answer.
    for who in [&admin, &guarded] {
        for password in [&who.password, &who.wrong_password()] {
            assert_eq!(change(who, &who.sam, [password, new]), wrong, "{}", who.sam);
        }
    }
    // 2. An ordinary account: by the name in its own entry, whatever name the tenant sends.
    assert_eq!(change(&ordinary, &ordinary.sam, [&ordinary.wrong_password(), new]), wrong);
    let changed = |said: Said| matches!(said, Said::Change(ChangeOutcome::Changed { password_set: Some(_) }));
    assert!(changed(change(&ordinary, &other.sam, [&ordinary.password, new])));
    assert_eq!(stage.domain.bare_bind(&other.upn, &other.password).unwrap(), None, "another's stays");
    assert_eq!(stage.domain.bare_bind(&ordinary.upn, new).unwrap(), None);
    // 3. Of an account whose password must be changed the name is not known: only the tenant has it.
    stage.domain.must_change(&expired.sam).unwrap();
    let said = change(&expired, "no such name", [&expired.password, new]);
    assert_eq!(said, Said::Declined(Decline::OtherAccount, false));
    assert!(changed(change(&expired, &expired.sam, [&expired.password, new])));
    // 4. The administrator sees that changes are switched on, and how many there were.
    let status = || -> (Option<i32>, Status) {
        let done = agent.run_to_end(&["status", "--json"], None).unwrap();
        (done.code, serde_json::from_value(done.json()).unwrap())
    };
    let on = ChangeStatus { configured: true, changed: 2, old_refused: 5, ..ChangeStatus::default() };
    let shown = || status().1.changes == on;
    wait_until("the counts of changes", 10, shown, || format!("{:?}", status())).unwrap();
    assert_eq!(status().0, Some(0));
    // 5. A protected account whose password must be changed cannot show what it is before. Its change is noticed
    //    afterwards: this agent changes no password any more.
    stage.domain.must_change(&admin.sam).unwrap();
    let said = change(&admin, &admin.sam, [&admin.password, new]);
    assert_eq!(said, Said::Change(ChangeOutcome::Changed { password_set: None }));
    let said = change(&other, &other.sam, [&other.password, new]);
    assert_eq!(said, Said::Declined(Decline::ChangesNoPasswords, false));
    let files = std::fs::read_dir(agent.output()).unwrap().map(|file| file.unwrap().path());
    let log: String = files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
    assert!(log.contains("changes no further password"), "{log}");
    // 6. The administrator sees that they were stopped, after which change, and what was refused since.
    let refused = "not answered: a change of password, which this agent makes no longer";
    let shown = || status().1.answers.get(refused) == Some(&1);
    wait_until("the change that was refused", 10, shown, || format!("{:?}", status())).unwrap();
    let (code, Status { changes, written_at, started_at, .. }) = status();
    let stopped = changes.stopped.clone().unwrap();
    assert_eq!((stopped.object, &stopped.name), (named(&stage, &admin.sam).object, &admin.sam));
    assert!((started_at..=written_at).contains(&stopped.at), "{stopped:?}");
    assert_eq!(
        (code, ChangeStatus { stopped: None, ..changes }),
        (Some(6), ChangeStatus { changed: 3, ..on })
    );
    let shown = agent.run_to_end(&["status"], None).unwrap().stdout;
    assert!(shown.contains("changes of password: stopped ") && shown.contains(&admin.sam), "{shown}");
    let checked = agent.run_to_end(&["check", "--json"], None).unwrap().json();
    let is_stopped = |one: &serde_json::Value| one["what"] == "changes of password" && one["good"] == false;
    assert!(checked.as_array().unwrap().iter().any(is_stopped), "{checked}");
    // 7. Sign-ins go on.
    let said = words(&lying, agent, &named(&stage, &other.sam), &other.password);
    assert_eq!(said, Said::Verdict(DirectoryVerdict::Valid));
    // 6. Another agent. A name of another account costs that account one bad password, whatever is sent at the same time,
    //    and the agent changes no password any more.
    stage.domain.must_change(&expired.sam).unwrap();
    let expired_as = named(&stage, &expired.sam);
    let passwords = [new, "Noch-ein-neues-2"];
    let lie = |name: &str| lying.change(&agents[1], &expired_as, name, passwords).unwrap().0;
    let bad =
        || -> Vec<u32> { victims.iter().map(|who| stage.domain.bad_passwords(&who.sam).unwrap()).collect() };
    // A time that is too short for the answer tries no password at all.
    for due in (1000..4900).step_by(300) {
        let victim = &victims[usize::try_from(due).unwrap() % victims.len()];
        let said = lying.change_within(due, &agents[1], &expired_as, (&victim.sam, passwords)).unwrap().0;
        assert!(matches!(said, Said::Declined(_, false) | Said::Nothing), "{due}: {said:?}");
    }
    assert_eq!(bad(), [0; 3]);
    std::thread::scope(|threads| {
        for victim in victims.iter().cycle().take(24) {
            threads.spawn(|| lie(&victim.sam));
        }
    });
    assert_eq!(bad().iter().sum::<u32>(), 1, "{:?}", bad());
    assert_eq!(lie(&expired.sam), Said::Declined(Decline::ChangesNoPasswords, false));
}
