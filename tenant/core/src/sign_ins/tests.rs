//! Sign-ins, by their sentences: with a database, and with a directory in memory in the place of agents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod by_agents;
mod by_digest;
mod by_source;
mod contradicting;
mod round_trips;
mod two_nodes;

use super::*;
use crate::lock::lock;
use landbridge_crypto::secret::Password;
use landbridge_tenant_fixture::{Tenant, password, user};
use landbridge_tenant_rules::lockout::Rules;
use landbridge_tenant_rules::model::Principal;
use landbridge_tenant_rules::relay::{AgentAnswer, PasswordPair};
use landbridge_wire::change::ChangeOutcome;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use tokio::runtime::Runtime;
use uuid::Uuid;

const HOME: &str = "203.0.113.7";

/// A database that writes everything except the audit log.
const NO_AUDIT: &str = "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";

/// Stands for the agents and their domain controllers: it gives the answers that a test puts in.
#[derive(Default)]
struct FakeDirectory {
    unable: Mutex<Option<NoAnswer>>,
    answers: Mutex<VecDeque<AgentAnswer>>,
    reached: AtomicUsize,
    /// The limit on binds of the last question.
    binds: AtomicU32,
    /// The account of the last question.
    account: Mutex<Option<Principal>>,
}

impl AskAgents for FakeDirectory {
    fn unable(&self, _: i64) -> Option<NoAnswer> {
        *lock(&self.unable)
    }

    fn typical_delay(&self, _: i64) -> Option<Duration> {
        None
    }

    fn ask(self: Arc<Self>, _: i64, account: Principal, _: Arc<Password>, binds: u32) -> AnswerOnItsWay {
        *lock(&self.account) = Some(account);
        self.binds.store(binds, Ordering::SeqCst);
        self.reached.fetch_add(1, Ordering::SeqCst);
        let answer = lock(&self.answers).pop_front();
        Box::pin(async move { answer.expect("the test expects no question here") })
    }

    fn changes_passwords(&self, _: i64) -> bool {
        false
    }

    fn change(self: Arc<Self>, _: i64, _: Principal, _: PasswordPair) -> AnswerOnItsWay<ChangeOutcome> {
        panic!("the test expects no change of password here")
    }
}

/// Sign-ins over a tenant's database.
struct Bench {
    sign_ins: SignIns,
    directory: Arc<FakeDirectory>,
    runtime: Runtime,
}

/// The source of sign-ins whose caller cannot state one.
const OF_APPLICATION: &str = "(the application)";

fn settings() -> Settings {
    Settings::for_cores(2, Rules::new(10, 60), Duration::ZERO)
}

fn signin(tenant: &Tenant) -> Bench {
    with_settings(tenant, settings())
}

fn with_settings(tenant: &Tenant, settings: Settings) -> Bench {
    let numbers = Numbers { counts: tenant.counts.clone(), ..Numbers::default() };
    let directory = Arc::new(FakeDirectory::default());
    let sign_ins = SignIns::new(&tenant.store, &Arc::new(numbers), directory.clone(), settings).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    Bench { sign_ins, directory, runtime }
}

impl Bench {
    fn decide(&self, user: &str, password: &Password, from: &str, domain: Option<i64>, now: i64) -> Verdict {
        self.decide_at("app test", user, password, from, domain, now)
    }

    fn decide_at(
        &self,
        application: &str,
        user: &str,
        password: &Password,
        from: &str,
        domain: Option<i64>,
        now: i64,
    ) -> Verdict {
        let password = password.lend(|text| Password::new(text.to_owned()));
        let attempt =
            Attempt { user: user.to_owned(), password: Arc::new(password), now, arrived: Instant::now() };
        let source = match from {
            OF_APPLICATION => Source::Application,
            from => Source::parse(from).unwrap_or(Source::Unstated),
        };
        let (door, actor, domains) = ("test", application.to_owned(), domain.map(|domain| vec![domain]));
        let caller = Caller { door, actor, source, address: None, application: None, domains };
        let deciding = self.sign_ins.sign_in(attempt, || Ok::<_, std::convert::Infallible>(caller));
        self.runtime.block_on(deciding).unwrap()
    }

    fn inner(&self) -> &Inner {
        &self.sign_ins.0
    }

    fn reached(&self) -> usize {
        self.directory.reached.load(Ordering::SeqCst)
    }
}

/// A tenant with `user1` … `user3`, whose passwords are `right1` … `right3`.
fn three() -> Tenant {
    let tenant = Tenant::new();
    tenant.sends((1..=3).map(|n| user(n, &format!("right{n}"))).collect());
    tenant
}

fn tries(signin: &Bench, name: &str, secret: &str) -> Verdict {
    signin.decide(name, &password(secret), HOME, None, landbridge_tenant_fixture::NOW)
}

fn why(verdict: &Verdict) -> Why {
    match verdict {
        Verdict::Refused { why, .. } => *why,
        Verdict::Accepted(_) | Verdict::Unavailable(_) => panic!("{verdict:?}"),
    }
}

fn disclosed(verdict: &Verdict) -> Option<Disclosable> {
    match verdict {
        Verdict::Refused { disclosed, .. } => *disclosed,
        Verdict::Accepted(_) | Verdict::Unavailable(_) => panic!("{verdict:?}"),
    }
}

fn is_accepted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accepted(_))
}

/// How many sign-ins the metrics count with this outcome.
fn signed_in(signin: &Bench, outcome: &str) -> u64 {
    signin.inner().numbers.metrics.signins.get_or_create(&vec![("outcome", outcome.to_owned())]).get()
}

fn derivations(tenant: &Tenant) -> u64 {
    tenant.counts.derivations.now()
}
