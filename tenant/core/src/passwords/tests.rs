//! Changes of password, with a database, and with agents in memory in the place of real ones.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::lock::lock;
use crate::numbers::Numbers;
use crate::sign_ins::{AnswerOnItsWay, Settings, Source};
use landbridge_tenant_fixture::{NOW, Tenant, digest, full, object, page, sent, stamp, user, with, written};
use landbridge_tenant_rules::account_state::EPOCH_SECONDS;
use landbridge_tenant_rules::lockout::{Rules, Spent};
use landbridge_tenant_rules::model::ChangePolicy;
use landbridge_tenant_rules::sign_in::Subject;
use landbridge_tenant_store::tables::password_changes::BELIEVED;
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{ad_budget, blocks};
use landbridge_wire::signin::DirectoryVerdict;
use landbridge_wire::upload::{AttributeValue, Password as Uploaded, Record};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NAME: &str = "user1@corp.example.com";
const OLD: &str = "one";

/// What happens while the agent works.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// Stands for agents that change passwords: it gives one outcome, and counts how often it was asked.
#[derive(Default)]
struct FakeAgents {
    outcome: Mutex<Option<Result<ChangeOutcome, NoAnswer>>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    asked: AtomicUsize,
    absent: std::sync::atomic::AtomicBool,
}

impl AskAgents for FakeAgents {
    fn unable(&self, _: i64) -> Option<NoAnswer> {
        None
    }

    fn typical_delay(&self, _: i64) -> Option<Duration> {
        None
    }

    fn ask(self: Arc<Self>, _: i64, _: Principal, _: Arc<Password>, _: u32) -> AnswerOnItsWay {
        panic!("the digest decides here")
    }

    fn changes_passwords(&self, _: i64) -> bool {
        !self.absent.load(Ordering::SeqCst)
    }

    fn change(self: Arc<Self>, _: i64, _: Principal, pair: PasswordPair) -> AnswerOnItsWay<ChangeOutcome> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!(pair.account, "user1");
        if let Some(meanwhile) = lock(&self.meanwhile).take() {
            meanwhile();
        }
        let outcome = lock(&self.outcome).clone().unwrap();
        Box::pin(async move { AgentAnswer { outcome, agent: Some(Uuid::from_u128(77)), tried: 1 } })
    }
}

struct Bench {
    tenant: Arc<Tenant>,
    agents: Arc<FakeAgents>,
    passwords: Passwords,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        Self::of(Tenant::new())
    }

    fn of(tenant: Tenant) -> Self {
        let tenant = Arc::new(tenant);
        tenant.sends(vec![user(1, OLD)]);
        let numbers = Arc::new(Numbers { counts: tenant.counts.clone(), ..Numbers::default() });
        let agents = Arc::new(FakeAgents::default());
        let settings = Settings::for_cores(2, Rules::new(10, 60), Duration::ZERO);
        let sign_ins = SignIns::new(&tenant.store, &numbers, agents.clone(), settings).unwrap();
        let passwords = Passwords::new(tenant.store.clone(), sign_ins, agents.clone(), tenant.counts.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let bench = Self { tenant, agents, passwords, runtime };
        bench.policy(ChangePolicy::On);
        bench
    }

    fn policy(&self, policy: ChangePolicy) {
        let set = |writing: &Writing<'_>| {
            let domain = facts::known_account(writing, object(1), None)?.unwrap().domain.id;
            landbridge_tenant_store::tables::domains::set_change_policy(writing, domain, policy)
        };
        self.tenant.store.write("test", set).unwrap();
    }

    /// Sets the time of the change, and of the wish if there is one.
    fn dates(&self, at: i64) {
        let sql = "UPDATE password_changes SET changed_at = ?1,
                   wanted_at = CASE WHEN wanted_at IS NULL THEN NULL ELSE ?1 END";
        self.tenant.store.write("test", |writing| Ok(writing.raw().execute(sql, [at])?)).unwrap();
    }

    /// Two sessions of the account, with the ids 1 and 2.
    fn has_two_sessions(&self) {
        let session = |n: u128| WebSession {
            id: Uuid::from_u128(n),
            object: object(1),
            password_set: Some(1),
            awaits_until: None,
            made_at: 0,
            seen_at: unix_now(),
            ends_at: unix_now() + 3600,
            device: String::new(),
            address: String::new(),
        };
        let insert = |writing: &Writing<'_>| {
            web_sessions::insert(writing, &session(1), &[1; 32])?;
            web_sessions::insert(writing, &session(2), &[2; 32]).map(drop)
        };
        self.tenant.store.write("test", insert).unwrap();
    }

    /// A change with this outcome at the agent.
    fn changes(&self, old: &str, outcome: Result<ChangeOutcome, NoAnswer>) -> Changed {
        self.changes_in(None, old, outcome)
    }

    /// The same in a session.
    fn changes_in(
        &self,
        session: Option<Uuid>,
        old: &str,
        outcome: Result<ChangeOutcome, NoAnswer>,
    ) -> Changed {
        *lock(&self.agents.outcome) = Some(outcome);
        let password = |text: &str| Arc::new(Password::new(text.to_owned()));
        let attempt = Attempt {
            user: NAME.to_owned(),
            password: password(old),
            now: unix_now(),
            arrived: Instant::now(),
        };
        let caller = Caller {
            door: "test",
            actor: "app test".to_owned(),
            source: Source::parse("203.0.113.7").unwrap(),
            address: None,
            application: None,
            domains: None,
        };
        let change = Change { attempt, new: password("new"), caller, session };
        let changing = self.passwords.change(change, || Ok::<_, std::convert::Infallible>(()));
        self.runtime.block_on(changing).unwrap()
    }

    fn asked(&self) -> usize {
        self.agents.asked.load(Ordering::SeqCst)
    }

    fn has_digest(&self) -> bool {
        self.tenant.has_digest(object(1))
    }

    fn audited(&self, action: &str) -> usize {
        self.tenant.audit().iter().filter(|(_, entry, _)| entry == action).count()
    }
}

/// A record with a password that was set at this version and time.
fn at(version: u32, time: u64, text: &str) -> Record {
    let stamp = Stamp { time, ..stamp(version) };
    let password = Some(Uploaded { stamp, digest: digest(text) });
    Record { password, ..with(1, vec![]) }
}

/// Now, in seconds since 1601, and as a FILETIME.
fn now() -> (u64, i64) {
    let seconds = unix_now() + EPOCH_SECONDS;
    (u64::try_from(seconds).unwrap(), seconds * 10_000_000)
}

/// Whether the old password was not accepted.
fn is_refused(changed: &Changed) -> bool {
    matches!(changed, Changed::NotSignedIn(Verdict::Refused { disclosed: None, .. }))
}

#[test]
fn after_a_change_the_digest_is_gone_and_none_of_that_password_or_an_older_one_comes_back() {
    let bench = Bench::new();
    let (seconds, password_set) = now();
    let changed = bench.changes(OLD, Ok(ChangeOutcome::Changed { password_set: Some(password_set) }));
    assert_eq!(
        changed,
        Changed::Done { object: object(1), session_goes_on: false, password_set: Some(password_set) }
    );
    assert!(!bench.has_digest());
    assert_eq!((bench.audited("password-changed"), bench.tenant.counts.digests_erased.now()), (1, 1));
    // 1. An upload under way: the digest that was dropped, an older one, and one of a version in between.
    let held = sent(1, OLD).unwrap().stamp;
    for record in [
        Record { password: sent(1, OLD), ..with(1, vec![]) },
        at(held.version, held.time - 1, "older"),
        at(held.version + 1, seconds - 1, "between"),
    ] {
        bench.tenant.sends(vec![record]);
        assert!(!bench.has_digest());
    }
    // 2. The new one.
    bench.tenant.sends(vec![at(held.version + 1, seconds, "new")]);
    assert!(bench.has_digest());
}

#[test]
fn an_agent_that_says_it_changed_a_password_and_did_not_is_believed_for_a_day_and_doubted_after_an_hour() {
    let bench = Bench::new();
    bench.changes(OLD, Ok(ChangeOutcome::Changed { password_set: Some(now().1) }));
    let held = || Record { password: sent(1, OLD), ..with(1, vec![]) };
    let wanted =
        || bench.tenant.store.read(|r| password_changes::wanted(r, bench.tenant.domain, 10)).unwrap();
    let doubt = |later: i64| doubt_unconfirmed(&bench.tenant.store, unix_now() + later).unwrap();
    // 1. Within the hour nothing is doubted. Then it is noted, once. Domain controllers may replicate slowly, so the digest
    //    of before stays out.
    assert_eq!((doubt(CONFIRMED), bench.audited("password-change-unconfirmed")), (0, 0));
    assert_eq!((doubt(CONFIRMED + 60), bench.audited("password-change-unconfirmed")), (1, 1));
    assert_eq!((doubt(2 * CONFIRMED), wanted().len()), (0, 0));
    bench.tenant.sends(vec![held()]);
    assert!(!bench.has_digest());
    // 2. After a day the digest that holds is wanted, and phs still has that of the old password.
    assert_eq!((doubt(BELIEVED + 60), wanted()), (0, vec![object(1)]));
    assert_eq!(bench.audited("password-change-unconfirmed"), 2);
    bench.tenant.sends(vec![held()]);
    assert!(bench.has_digest());
    assert_eq!((doubt(10 * BELIEVED), wanted().len()), (0, 0));
}

#[test]
fn a_full_compare_brings_back_no_digest_of_before_a_change_that_is_younger_than_a_day() {
    let bench = Bench::new();
    let (seconds, password_set) = now();
    bench.changes(OLD, Ok(ChangeOutcome::Changed { password_set: Some(password_set) }));
    let held = sent(1, OLD).unwrap().stamp;
    let of_before = || Record { password: sent(1, OLD), ..with(1, vec![]) };
    bench.dates(NOW - BELIEVED);
    bench.tenant.send(&full(40, vec![of_before()], Some("a")));
    bench.tenant.send(&full(41, vec![at(held.version + 1, seconds - 1, "between")], Some("b")));
    assert!(!bench.has_digest());
    // A domain that was put back from a backup has the older password for good.
    bench.dates(NOW - BELIEVED - 1);
    bench.tenant.send(&full(42, vec![of_before()], Some("c")));
    assert!(bench.has_digest());
}

#[test]
fn a_wish_for_a_digest_lasts_until_a_full_compare_that_does_not_fulfil_it() {
    let bench = Bench::new();
    bench.changes(OLD, Ok(ChangeOutcome::NotKnown));
    let wanted =
        || bench.tenant.store.read(|r| password_changes::wanted(r, bench.tenant.domain, 10)).unwrap();
    bench.dates(NOW - BELIEVED);
    bench.tenant.send(&full(40, vec![with(1, vec![])], Some("a")));
    assert_eq!(wanted(), [object(1)], "it may have come after its record was read");
    bench.dates(NOW - BELIEVED - 1);
    assert_eq!(doubt_unconfirmed(&bench.tenant.store, unix_now() + 10 * BELIEVED).unwrap(), 0);
    assert_eq!(wanted(), [object(1)], "time alone fulfils nothing");
    bench.tenant.send(&full(41, vec![with(1, vec![])], Some("b")));
    assert!(wanted().is_empty());
}

#[test]
fn a_change_whose_digest_has_arrived_or_of_which_there_was_none_is_not_doubted() {
    let bench = Bench::new();
    let (seconds, password_set) = now();
    let version = sent(1, OLD).unwrap().stamp.version + 1;
    bench.changes(OLD, Ok(ChangeOutcome::Changed { password_set: Some(password_set) }));
    bench.tenant.sends(vec![at(version, seconds, "new")]);
    assert_eq!(doubt_unconfirmed(&bench.tenant.store, unix_now() + 2 * CONFIRMED).unwrap(), 0);
    let none = |writing: &Writing<'_>| password_changes::note(writing, object(1), None, None, 0);
    bench.tenant.store.write("test", none).unwrap();
    assert_eq!(doubt_unconfirmed(&bench.tenant.store, unix_now()).unwrap(), 0);
    assert_eq!(bench.audited("password-change-unconfirmed"), 0);
}

#[test]
fn a_digest_that_phs_brings_while_the_agent_works_stays_unless_it_is_of_before_the_change() {
    for (known, since, stays) in [(true, 0, true), (false, 0, true), (true, 1, false)] {
        let bench = Bench::new();
        let (seconds, password_set) = now();
        let tenant = bench.tenant.clone();
        *lock(&bench.agents.meanwhile) =
            Some(Box::new(move || drop(tenant.sends(vec![at(9, seconds - since, "other")]))));
        let outcome = if known {
            ChangeOutcome::Changed { password_set: Some(password_set) }
        } else {
            ChangeOutcome::NotKnown
        };
        bench.changes(OLD, Ok(outcome));
        assert_eq!(bench.has_digest(), stays, "{known} {since}");
        assert_eq!(bench.tenant.counts.digests_erased.now(), u64::from(!stays));
    }
}

#[test]
fn where_it_is_not_known_the_digest_is_dropped_and_wanted_again() {
    let bench = Bench::new();
    assert_eq!(bench.changes(OLD, Ok(ChangeOutcome::NotKnown)), Changed::NotKnown);
    assert!(!bench.has_digest());
    assert_eq!(bench.audited("password-change-not-known"), 1);
    let wanted =
        || bench.tenant.store.read(|r| password_changes::wanted(r, bench.tenant.domain, 10)).unwrap();
    assert_eq!(wanted(), [object(1)]);
    // The same digest is taken, because the password may not have been changed.
    bench.tenant.sends(vec![Record { password: sent(1, OLD), ..with(1, vec![]) }]);
    assert!(bench.has_digest());
    assert!(wanted().is_empty());
}

#[test]
fn all_sessions_end_but_that_of_the_change_which_awaits_the_new_password() {
    let bench = Bench::new();
    let (_, password_set) = now();
    bench.has_two_sessions();
    let first = Some(Uuid::from_u128(1));
    let outcome = ChangeOutcome::Changed { password_set: Some(password_set) };
    let expected =
        Changed::Done { object: object(1), session_goes_on: true, password_set: Some(password_set) };
    assert_eq!(bench.changes_in(first, OLD, Ok(outcome)), expected);
    assert_eq!(bench.audited("session-ended"), 1);
    let left = || bench.tenant.store.read(|r| web_sessions::list(r, Some(object(1)), 10)).unwrap();
    let [kept] = &left()[..] else { panic!("one session") };
    assert_eq!((kept.id, kept.password_set), (Uuid::from_u128(1), Some(password_set)));
    assert!(kept.awaits_until.is_some());
    // An older pwdLastSet on its way changes nothing; the new one has arrived when it or a later one comes.
    let seconds = u64::try_from(password_set / 10_000_000).unwrap();
    for (version, time, awaits) in [(50, seconds - 1, true), (51, seconds, false)] {
        let mut attribute = written(version, AttributeValue::PwdLastSet(Some(password_set)));
        attribute.stamp.time = time;
        bench.tenant.send(&page(vec![with(1, vec![attribute])]));
        assert_eq!(left().first().unwrap().awaits_until.is_some(), awaits, "{version}");
    }
    // Without the new pwdLastSet nothing tells which password the session belongs to.
    let ended = bench
        .tenant
        .store
        .write("test", |writing| end_others_after_change(writing, (object(1), first), None, unix_now()));
    assert_eq!((ended.unwrap(), left().len()), ((false, 1), 0));
}

#[test]
fn a_session_of_the_change_that_phs_has_ended_before_or_of_another_account_does_not_go_on() {
    let bench = Bench::new();
    let (seconds, password_set) = now();
    bench.has_two_sessions();
    let tenant = bench.tenant.clone();
    *lock(&bench.agents.meanwhile) = Some(Box::new(move || {
        let mut attribute = written(50, AttributeValue::PwdLastSet(Some(password_set)));
        attribute.stamp.time = seconds;
        tenant.sends(vec![with(1, vec![attribute])]);
    }));
    let outcome = ChangeOutcome::Changed { password_set: Some(password_set) };
    let changed = bench.changes_in(Some(Uuid::from_u128(1)), OLD, Ok(outcome));
    let expected =
        Changed::Done { object: object(1), session_goes_on: false, password_set: Some(password_set) };
    assert_eq!(changed, expected);
    let bench = Bench::new();
    bench.has_two_sessions();
    let noted = bench.tenant.store.write("test", |writing| {
        end_others_after_change(
            writing,
            (object(2), Some(Uuid::from_u128(1))),
            Some(password_set),
            unix_now(),
        )
    });
    assert_eq!(noted.unwrap(), (false, 0));
}

#[test]
fn no_agent_is_asked_about_a_wrong_password_a_blocked_account_or_against_the_policy() {
    let bench = Bench::new();
    let changed = Ok(ChangeOutcome::Changed { password_set: None });
    assert!(is_refused(&bench.changes("wrong", changed.clone())));
    bench.policy(ChangePolicy::Off);
    assert_eq!(bench.changes(OLD, changed.clone()), Changed::Off);
    bench.policy(ChangePolicy::WhenRequired);
    assert_eq!(bench.changes(OLD, changed.clone()), Changed::Off, "it need not be changed");
    bench.policy(ChangePolicy::On);
    bench.agents.absent.store(true, Ordering::SeqCst);
    assert_eq!(bench.changes(OLD, changed.clone()), Changed::NoAnswer(NoAnswer::NoAgent));
    bench.agents.absent.store(false, Ordering::SeqCst);
    let block = |writing: &Writing<'_>| blocks::add(writing, bench.tenant.domain, object(1), 0);
    bench.tenant.store.write("test", block).unwrap();
    assert!(is_refused(&bench.changes(OLD, changed.clone())));
    let unblock = |writing: &Writing<'_>| blocks::remove(writing, object(1), 0);
    bench.tenant.store.write("test", unblock).unwrap();
    bench.tenant.sends(vec![with(1, vec![written(9, AttributeValue::AdminCount(Some(1)))])]);
    assert!(is_refused(&bench.changes(OLD, changed.clone())));
    assert_eq!(bench.asked(), 0);
    // A privileged account whose domain permits its digest signs in, and is not offered what it cannot have.
    let bench = Bench::of(Tenant::with(true));
    bench.tenant.sends(vec![with(1, vec![written(9, AttributeValue::AdminCount(Some(1)))])]);
    assert_eq!(bench.passwords.offer(object(1), false).unwrap(), Offer::Off);
    assert_eq!((bench.changes(OLD, changed), bench.asked()), (Changed::Off, 0));
    assert_eq!(bench.audited("password-changed"), 0);
}

#[test]
fn what_ad_refuses_changes_nothing_and_a_wrong_password_at_ad_counts_for_the_lockout() {
    let bench = Bench::new();
    let short = NewRefused::TooShort { minimum: 12 };
    let refused = bench.changes(OLD, Ok(ChangeOutcome::NewRefused(short.clone())));
    assert_eq!(refused, Changed::Refused(short));
    assert_eq!(bench.changes(OLD, Err(NoAnswer::NoDirectory)), Changed::NoAnswer(NoAnswer::NoDirectory));
    assert!(bench.has_digest());
    assert_eq!(bench.audited("password-not-changed"), 2);
    // AD has another password than the digest.
    let failures = || {
        let sql = "SELECT COALESCE(sum(failures), 0) FROM lockouts";
        let ask = |r: &landbridge_tenant_store::Reading<'_>| {
            Ok(r.raw().query_row(sql, [], |row| row.get::<_, i64>(0))?)
        };
        bench.tenant.store.read(ask).unwrap()
    };
    assert_eq!(failures(), 0);
    let wrong = Ok(ChangeOutcome::OldRefused(DirectoryVerdict::Wrong));
    assert!(is_refused(&bench.changes(OLD, wrong)));
    assert_eq!((failures(), bench.asked()), (1, 3));
}

#[test]
fn a_time_that_is_not_about_now_is_no_time_of_a_change() {
    let (_, filetime) = now();
    assert!(is_about_now(filetime, unix_now()));
    for odd in [0, -1, i64::MAX, filetime + 3600 * 10_000_000] {
        assert!(!is_about_now(odd, unix_now()), "{odd}");
    }
    let bench = Bench::new();
    let far = ChangeOutcome::Changed { password_set: Some(i64::MAX) };
    assert_eq!(
        bench.changes(OLD, Ok(far)),
        Changed::Done { object: object(1), session_goes_on: false, password_set: None }
    );
}

#[test]
fn a_change_reserves_a_bind_of_the_budget_that_two_nodes_share() {
    if !landbridge_tenant_fixture::postgres::is_chosen() {
        return;
    }
    let bench = Bench::new();
    let store = bench.tenant.store.clone();
    let spent = move || store.read(|reading| ad_budget::find(reading, object(1))).unwrap();
    // 1. While an agent works, one bind is reserved. It is given back when nothing was charged.
    let held = Arc::new(Mutex::new(None));
    let (seen, meanwhile) = (held.clone(), spent.clone());
    *lock(&bench.agents.meanwhile) = Some(Box::new(move || *lock(&seen) = meanwhile()));
    let short = NewRefused::TooShort { minimum: 12 };
    assert_eq!(bench.changes(OLD, Ok(ChangeOutcome::NewRefused(short.clone()))), Changed::Refused(short));
    assert_eq!(lock(&held).map(|held| (held.held_known, held.held_unknown)), Some((1, 0)));
    assert_eq!(spent(), None);
    // 2. With nothing left no agent is asked.
    let all = Spent { known: 4, unknown: 5, last_at: unix_now(), ..Spent::default() };
    let charge =
        |writing: &Writing<'_>| ad_budget::replace(writing, Subject::Account(object(1)), None, Some(&all));
    bench.tenant.store.write("test", charge).unwrap();
    let asked = bench.asked();
    let changed = bench.changes(OLD, Ok(ChangeOutcome::Changed { password_set: None }));
    assert_eq!(changed, Changed::NoAnswer(NoAnswer::AtBound));
    assert_eq!((bench.asked(), spent()), (asked, Some(all)));
}
