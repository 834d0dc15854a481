//! Two nodes over one database of a PostgreSQL server, and one AD: what both count together. On SQLite there is one node,
//! and these tests do nothing.
#![allow(clippy::print_stdout, reason = "the duration of the rounds")]

use super::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::lockout::{AdBudget, Spent};
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_rules::sign_in::QUESTION_SECONDS;
use landbridge_tenant_store::tables::{ad_budget, domains};
use landbridge_tenant_store::{RawValue, Store};
use landbridge_wire::signin::DirectoryVerdict;
use landbridge_wire::upload::Record;
use tokio::sync::Semaphore;

const USER: &str = "CORP\\user1";
const UNKNOWN: &str = "CORP\\unknown";
/// Seconds after which nothing of an earlier round counts any more.
const ROUND: i64 = 10_000;

/// Stands for the agents of all nodes and the DCs behind them: it knows the right password, and counts the bad ones.
struct Ad {
    right: Mutex<String>,
    bad: AtomicU32,
    asked: AtomicUsize,
    /// A question is answered when it gets a permit, which it gives back.
    answers: Semaphore,
    /// Every second question's first delivery is lost, if it may be repeated.
    loses: bool,
}

impl Ad {
    fn new(loses: bool) -> Arc<Self> {
        let right = Mutex::new("right1".to_owned());
        let (bad, asked, answers) = (AtomicU32::new(0), AtomicUsize::new(0), Semaphore::new(100));
        Arc::new(Self { right, bad, asked, answers, loses })
    }

    /// From now on no question is answered, until permits are added.
    fn holds_its_answers(&self) {
        self.answers.forget_permits(100);
    }
}

impl AskAgents for Ad {
    fn unable(&self, _: i64) -> Option<NoAnswer> {
        None
    }

    fn typical_delay(&self, _: i64) -> Option<Duration> {
        None
    }

    fn ask(self: Arc<Self>, _: i64, _: Principal, password: Arc<Password>, binds: u32) -> AnswerOnItsWay {
        assert!(binds > 0, "a question without a bind");
        Box::pin(async move {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            let permit = self.answers.acquire().await.unwrap();
            tokio::task::yield_now().await;
            let right = password.lend(|text| text == lock(&self.right).as_str());
            let tried = if self.loses && binds > 1 && number % 2 == 1 { 2 } else { 1 };
            if !right {
                self.bad.fetch_add(tried, Ordering::SeqCst);
            }
            drop(permit);
            let said = if right { DirectoryVerdict::Valid } else { DirectoryVerdict::Wrong };
            AgentAnswer { outcome: Ok(said), agent: None, tried }
        })
    }

    fn changes_passwords(&self, _: i64) -> bool {
        false
    }

    fn change(self: Arc<Self>, _: i64, _: Principal, _: PasswordPair) -> AnswerOnItsWay<ChangeOutcome> {
        panic!("the test expects no change of password here")
    }
}

/// Two nodes of one tenant, whose domain has this policy, and this lockout threshold in AD.
struct Nodes {
    tenant: Tenant,
    ad: Arc<Ad>,
    nodes: [SignIns; 2],
    runtime: Runtime,
}

/// None: these tests run on SQLite.
fn nodes(policy: SigninPolicy, threshold: i64, loses: bool) -> Option<Nodes> {
    if !landbridge_tenant_fixture::postgres::is_chosen() {
        return None;
    }
    let tenant = three();
    tenant
        .store
        .write("test", |writing| {
            domains::set_signin(writing, tenant.domain, policy, false)?;
            writing.raw_commands(&format!(
                "UPDATE domains SET lockout_threshold = {threshold}, lockout_observation_window = -18000000000"
            ))
        })
        .unwrap();
    let ad = Ad::new(loses);
    let other = Arc::new(Store::open(tenant.location.clone(), keys()).unwrap());
    let nodes = [tenant.store.clone(), other].map(|store| node(&store, &ad));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    Some(Nodes { tenant, ad, nodes, runtime })
}

fn node(store: &Arc<Store>, ad: &Arc<Ad>) -> SignIns {
    SignIns::new(store, &Arc::default(), ad.clone(), settings()).unwrap()
}

/// A sign-in at a node.
async fn sign_in(node: SignIns, user: &str, secret: &str, from: &str, now: i64) -> Verdict {
    let password = Arc::new(Password::new(secret.to_owned()));
    let attempt = Attempt { user: user.to_owned(), password, now, arrived: Instant::now() };
    let caller = Caller {
        door: "test",
        actor: "app test".to_owned(),
        source: Source::parse(from).unwrap(),
        address: None,
        application: None,
        domains: None,
    };
    node.sign_in(attempt, || Ok::<_, std::convert::Infallible>(caller)).await.unwrap()
}

impl Nodes {
    /// A sign-in at the node with this number.
    fn at(&self, node: usize, user: &str, secret: &str, now: i64) -> Verdict {
        self.runtime.block_on(sign_in(self.nodes[node].clone(), user, secret, HOME, now))
    }

    fn without_digest(self) -> Self {
        self.tenant.sends(vec![Record { erase_password: true, ..bare(1) }]);
        self
    }

    fn spent(&self) -> Option<Spent> {
        self.tenant.store.read(|reading| ad_budget::find(reading, object(1))).unwrap()
    }

    fn asked(&self) -> usize {
        self.ad.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn racing_nodes_never_send_ad_more_than_its_budget_and_charge_what_they_sent() {
    let Some(nodes) = nodes(SigninPolicy::Pta, 5, true) else { return };
    let nodes = nodes.without_digest();
    let rounds: i64 = if std::env::var_os("LANDBRIDGE_SOAK").is_some() { 10_000 } else { 100 };
    let (began, mut both_asked) = (Instant::now(), 0);
    let budget = AdBudget::Bounded { threshold: 5, most: 2, memory: 31 * 60 * 3 };
    for round in 0..rounds {
        let now = NOW + round * ROUND;
        let (bad, asked) = (nodes.ad.bad.load(Ordering::SeqCst), nodes.asked());
        // 1. Two sign-ins at each node at once, all from sources that are not known.
        let racing = (0..4).map(|n| {
            let node = nodes.nodes[n % 2].clone();
            let (secret, from) = (format!("guess {round} {n}"), format!("198.51.100.{n}"));
            nodes.runtime.spawn(async move { sign_in(node, USER, &secret, &from, now).await })
        });
        let racing: Vec<_> = racing.collect();
        for verdict in racing {
            let verdict = nodes.runtime.block_on(verdict).unwrap();
            assert!(matches!(why(&verdict), Why::WrongPassword | Why::HeldBack), "{round}: {verdict:?}");
        }
        // 2. What AD counted, and what the row says.
        let bad = nodes.ad.bad.load(Ordering::SeqCst) - bad;
        assert!((1..=2).contains(&bad), "{round}: AD counted {bad} of 2");
        let spent = nodes.spent();
        let counted = budget.counted(spent.as_ref(), now);
        assert_eq!((counted.unknown, counted.known), (bad, 0), "{round}: {spent:?}");
        assert!(!counted.is_asked_about(now), "{round}: everything else was given back");
        both_asked += usize::from(nodes.asked() - asked > 1);
    }
    println!("{rounds} rounds, {both_asked} with two questions, in {:?}", began.elapsed());
}

#[test]
fn wrong_passwords_in_turns_at_both_nodes_lock_after_as_many_as_at_one() {
    for policy in [SigninPolicy::Phs, SigninPolicy::Pta] {
        for name in [USER, UNKNOWN] {
            let Some(nodes) = nodes(policy, 10, false) else { return };
            let locked_after = (0..20).position(|n| {
                let verdict = nodes.at(n % 2, name, &format!("wrong{n}"), NOW);
                why(&verdict) == Why::UnknownSourcesLocked
            });
            assert_eq!(locked_after, Some(10), "{name}, {policy:?}");
            for node in 0..2 {
                assert_eq!(why(&nodes.at(node, name, "right1", NOW)), Why::UnknownSourcesLocked);
            }
        }
    }
}

#[test]
fn an_unknown_name_leaves_the_rows_that_an_account_leaves() {
    let Some(nodes) = nodes(SigninPolicy::Pta, 10, false) else { return };
    for n in 0..7 {
        for name in [USER, UNKNOWN] {
            nodes.at(n % 2, name, &format!("wrong{n}"), NOW);
        }
    }
    let rows = |sql: &str| nodes.tenant.store.read(|reading| reading.raw_rows(sql, &[])).unwrap();
    for sql in [
        "SELECT known, unknown, last_at, held_known, held_unknown, asked_until FROM ad_budget ORDER BY unknown_name",
        "SELECT source, failures, first_at, last_at, locked_until, locks FROM lockouts ORDER BY unknown_name",
    ] {
        let rows = rows(sql);
        assert_eq!(rows.len(), 2, "{sql}");
        assert_eq!(rows[0], rows[1], "{sql}");
    }
    assert_eq!(rows("SELECT unknown FROM ad_budget")[0], [RawValue::Integer(4)]);
    // Both reserve, settle and write their audit entry equally often.
    let counts = nodes.tenant.store.transactions();
    let reserved = counts.iter().find(|(name, _)| *name == "sign-in-reserve").unwrap().1;
    assert_eq!(reserved.committed % 2, 0, "{counts:?}");
}

#[test]
fn a_right_password_waits_while_another_node_holds_the_last_of_the_budget_and_is_let_in() {
    let Some(nodes) = nodes(SigninPolicy::Pta, 3, false) else { return };
    let nodes = nodes.without_digest();
    nodes.ad.holds_its_answers();
    let at = |node: usize| {
        let node = nodes.nodes[node].clone();
        nodes.runtime.spawn(async move { sign_in(node, USER, "right1", HOME, NOW).await })
    };
    let first = at(0);
    nodes.runtime.block_on(async {
        while nodes.asked() == 0 {
            tokio::task::yield_now().await;
        }
    });
    let mut second = at(1);
    let early =
        nodes.runtime.block_on(async { tokio::time::timeout(Duration::from_millis(500), &mut second).await });
    assert!(early.is_err(), "it is not refused while the question is under way: {early:?}");
    assert_eq!(nodes.asked(), 1, "there is one bind");
    nodes.ad.answers.add_permits(100);
    for verdict in [first, second] {
        let verdict = nodes.runtime.block_on(verdict).unwrap();
        assert!(is_accepted(&verdict), "{verdict:?}");
    }
    assert_eq!(nodes.spent(), None, "all of it was given back");
}

#[test]
fn what_a_node_that_died_had_reserved_is_charged_for_one_window() {
    let Some(nodes) = nodes(SigninPolicy::Pta, 5, false) else { return };
    let nodes = nodes.without_digest();
    // 1. A node ends while AD has its question.
    nodes.ad.holds_its_answers();
    let dying = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let node = nodes.nodes[0].clone();
    drop(dying.spawn(async move { sign_in(node, USER, "guess", HOME, NOW).await }));
    while nodes.asked() == 0 {
        std::thread::yield_now();
    }
    dying.shutdown_background();
    nodes.ad.answers.add_permits(100);
    let held = Spent { held_unknown: 2, asked_until: NOW + QUESTION_SECONDS, ..Spent::default() };
    assert_eq!(nodes.spent(), Some(held));
    // 2. The other one waits for the answer, and no longer than for a turn.
    assert_eq!(why(&nodes.at(1, USER, "right1", NOW)), Why::HeldBack);
    // 3. The charge ends with its window, which begins at the end of the question.
    let end = NOW + QUESTION_SECONDS + 31 * 60 * 3;
    for (now, secret, asks) in [(NOW + QUESTION_SECONDS, "a", false), (end - 1, "b", false), (end, "c", true)]
    {
        let asked = nodes.asked();
        let verdict = nodes.at(1, USER, secret, now);
        assert_eq!(nodes.asked() > asked, asks, "{verdict:?}");
    }
}

#[test]
fn a_reservation_that_cannot_be_written_asks_no_agent() {
    let Some(nodes) = nodes(SigninPolicy::Pta, 10, false) else { return };
    let broken = "ALTER TABLE ad_budget ADD CONSTRAINT broken CHECK (known < 0)";
    nodes.tenant.store.write("test", |writing| writing.raw_commands(broken)).unwrap();
    for name in [USER, UNKNOWN] {
        let verdict = nodes.at(0, name, "right1", NOW);
        assert_eq!(verdict, Verdict::Unavailable(Unavailable::Storage), "{name}");
    }
    assert_eq!(nodes.asked(), 0);
}

#[test]
fn wrong_passwords_of_different_accounts_rarely_undo_each_other() {
    const ACCOUNTS: u128 = 20;
    const ROUNDS: i64 = 20;
    let Some(nodes) = nodes(SigninPolicy::Phs, 10, false) else { return };
    nodes.tenant.sends((1..=ACCOUNTS).map(|n| user(n, "right")).collect());
    // A guess at each account at once, at both nodes: each is counted in a row of its own.
    for round in 0..ROUNDS {
        let guess = |n: u128| {
            let (node, from) =
                (nodes.nodes[usize::from(n.is_multiple_of(2))].clone(), format!("198.51.100.{n}"));
            let (name, secret, now) =
                (format!("CORP\\user{n}"), format!("guess {round}"), NOW + round * ROUND);
            nodes.runtime.spawn(async move { sign_in(node, &name, &secret, &from, now).await })
        };
        let guesses: Vec<_> = (1..=ACCOUNTS).map(guess).collect();
        for guess in guesses {
            assert_eq!(why(&nodes.runtime.block_on(guess).unwrap()), Why::WrongPassword);
        }
    }
    let counts = nodes.tenant.store.transactions();
    let counts = counts.iter().find(|(name, _)| *name == "sign-in").unwrap().1;
    println!("{counts:?}");
    assert_eq!(counts.committed, 200);
    // With an index on a column that each try changes, two of three are repeated.
    assert!(counts.repeated < 50, "{counts:?}");
}
