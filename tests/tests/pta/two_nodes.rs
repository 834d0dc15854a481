//! A tenant of two real nodes on a real PostgreSQL, behind a real HAProxy: people sign in while processes are killed.
//! `LANDBRIDGE_SEED=n` kills in the same order again; `LANDBRIDGE_SOAK=1` goes on for ten minutes.

use landbridge_pta_agent::status::Status;
use landbridge_tenant_fixture::postgres;
use landbridge_tests::lab::haproxy::Haproxy;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{
    Application, Domain, Person, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant,
    TenantSettings, Try, person,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// People of the domain. The last ones type wrong passwords.
const PEOPLE: u32 = 50;
const WRONG: u32 = 10;
/// Clients that sign people in at the same time.
const CLIENTS: u32 = 4;
/// Time until what was killed runs again.
const GONE: Duration = Duration::from_secs(2);
/// A client tries a sign-in that was lost again and again for this long: a node that is gone is found, and an agent asked
/// again, within seconds.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    agents: Vec<PtaAgent>,
    phs: Phs,
    nodes: [RunningTenant; 2],
    /// By way of the balancer, and at each node itself.
    app: Application,
    at_nodes: [Application; 2],
    haproxy: Haproxy,
    domain: Domain,
    _certificate: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let domain = Domain::start(Population::of(PEOPLE)).unwrap();
        let settings = || TenantSettings { lockout_threshold: 1000, ..TenantSettings::default() };
        let database = Some(postgres::database_url());
        let of_server = || TenantSettings { database: database.clone(), ..settings() };
        // 1. The nodes, and the balancer before their addresses for applications.
        let first = RunningTenant::start_for(&domain, &of_server()).unwrap();
        // The tenant's CA signs for the host of the first node, or for names below it.
        let at = first.bound();
        let listen = Some(SocketAddr::new(at.ip(), at.port() + 100));
        let second = first.start_node("second", &TenantSettings { listen, ..of_server() }).unwrap();
        let (haproxy, certificate) = (Haproxy::claim().unwrap(), tempfile::tempdir().unwrap());
        let folder = certificate.path().join("applications");
        let behind = |node: &RunningTenant| node.serve_applications_behind(haproxy.ip(), &folder).unwrap();
        let addresses = [behind(&first), behind(&second)];
        haproxy.start_before_nodes(&addresses).unwrap();
        // 2. phs and two agents, which enrol at the first node.
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&first).unwrap();
        phs.once(&[]).unwrap().expect_code(0);
        first.set_policy("pta").unwrap().expect_code(0);
        let defence = "failed_binds_per_minute = 100000".to_owned();
        let settings = PtaSettings { defence, ..PtaSettings::for_domain(&domain) };
        let agents = (0..2).map(|_| PtaAgent::start(&settings, &first).unwrap()).collect();
        // 3. An application: its credential is good at each address.
        let at_first = Application::of(&first, "two-nodes").unwrap();
        let at_second = at_first.at(second.bound(), &second.root_certificate()).unwrap();
        let app = at_first.at(haproxy.listen(), &folder.join("ca.pem")).unwrap();
        let (nodes, at_nodes) = ([first, second], [at_first, at_second]);
        let stage = Self { agents, phs, nodes, app, at_nodes, haproxy, domain, _certificate: certificate };
        stage.wait_for_all();
        stage
    }

    /// Each agent is connected to each node.
    #[track_caller]
    fn wait_for_all(&self) {
        for agent in &self.agents {
            let connected = || {
                let status: Option<Status> = landbridge_agent::status::read(&agent.state());
                status.map_or(0, |status| status.nodes.values().filter(|node| node.connected).count())
            };
            let said = || connected().to_string();
            wait_until("an agent to be connected to both nodes", 60, || connected() == 2, said).unwrap();
        }
        let up = || self.haproxy.nodes_up() == 2;
        wait_until("the balancer to find both nodes", 30, up, String::new).unwrap();
    }
}

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    accepted: AtomicU32,
    refused: AtomicU32,
    /// Sign-ins that had no answer, or "unavailable", and were tried again.
    lost: AtomicU32,
    /// The longest time that one person needed until the answer, in milliseconds.
    longest: AtomicU32,
}

/// Signs people in until `done`. A right password is never refused and a wrong one never accepted; a sign-in that was lost is
/// tried again until it has an answer.
fn sign_in_until(done: &AtomicBool, app: &Application, client: u32, seed: u64, seen: &Seen) {
    let mut draw = Draw::new(seed ^ u64::from(client) << 32);
    let mut number = client << 16;
    while !done.load(Ordering::Relaxed) {
        let n = u32::try_from(draw.below(usize::try_from(PEOPLE).unwrap())).unwrap();
        let (who, is_wrong) = (person(n), n >= PEOPLE - WRONG);
        number += 1;
        let password = if is_wrong { format!("wrong {number}") } else { who.password.clone() };
        let what = Try::from(number, &who.upn, &password);
        let began = Instant::now();
        loop {
            match app.sign_in(&what) {
                Ok(answer) if answer.accepted() => {
                    assert!(!is_wrong, "seed {seed}: a wrong password of {} was accepted", who.sam);
                    seen.accepted.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Ok(answer) if answer.status == 403 => {
                    assert!(is_wrong, "seed {seed}: {} was refused: {:?}", who.sam, answer.body);
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "seed {seed}: {:?}", answer.body),
                // The connection ended without an answer.
                Err(_) => {}
            }
            seen.lost.fetch_add(1, Ordering::Relaxed);
            assert!(began.elapsed() < PATIENCE, "seed {seed}: {} had no answer for {PATIENCE:?}", who.sam);
            std::thread::sleep(Duration::from_millis(100));
        }
        let took = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        seen.longest.fetch_max(took, Ordering::Relaxed);
    }
}

#[test]
fn sign_ins_go_on_while_nodes_agents_and_phs_are_killed_and_all_agree_at_the_end() {
    let stage = Stage::new();
    let seed = seed();
    let (seen, done) = (Seen::default(), AtomicBool::new(false));
    let began = Instant::now();
    // Each is killed once, in an order of chance; in the long form again and again.
    let (pause, lasts) =
        size((Duration::from_secs(2), Duration::ZERO), (Duration::from_secs(5), Duration::from_secs(600)));
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut changed: Vec<Person> = Vec::new();
    let mut daemon = Some(stage.phs.run_daemon().unwrap());
    std::thread::scope(|threads| {
        for client in 1..=CLIENTS {
            let (app, seen, done) = (&stage.app, &seen, &done);
            threads.spawn(move || sign_in_until(done, app, client, seed, seen));
        }
        // A panic here must end the clients as well.
        let killing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut draw = Draw::new(seed);
            let mut left: Vec<usize> = (0..5).collect();
            while !left.is_empty() {
                std::thread::sleep(pause);
                let which = left.swap_remove(draw.below(left.len()));
                if left.is_empty() && began.elapsed() < lasts {
                    left = (0..5).collect();
                }
                let name = ["the first node", "the second node", "an agent", "an agent", "phs"][which];
                *killed.entry(name).or_default() += 1;
                match which {
                    0 | 1 => {
                        stage.nodes[which].kill();
                        std::thread::sleep(GONE);
                        stage.nodes[which].serve().unwrap();
                    }
                    2 | 3 => {
                        stage.agents[which - 2].kill();
                        std::thread::sleep(GONE);
                        stage.agents[which - 2].run().unwrap();
                    }
                    _ => {
                        // A password of the people who type wrong ones changes while phs is gone.
                        drop(daemon.take());
                        let mut who = person(PEOPLE - 1 - u32::try_from(changed.len()).unwrap() % WRONG);
                        who.password = format!("Changed-{}-while-phs-was-gone", changed.len());
                        stage.domain.set_password(&who.sam, &who.password).unwrap();
                        changed.retain(|other| other.sam != who.sam);
                        changed.push(who);
                        std::thread::sleep(GONE);
                        daemon = Some(stage.phs.run_daemon().unwrap());
                    }
                }
                stage.wait_for_all();
            }
        }));
        done.store(true, Ordering::Relaxed);
        killing.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    drop(daemon);
    println!(
        "seed {seed}, {} s, killed {killed:?}: {} accepted, {} refused, {} lost and tried again, {} ms at most until an answer",
        began.elapsed().as_secs(),
        seen.accepted.load(Ordering::Relaxed),
        seen.refused.load(Ordering::Relaxed),
        seen.lost.load(Ordering::Relaxed),
        seen.longest.load(Ordering::Relaxed),
    );
    assert!(seen.accepted.load(Ordering::Relaxed) > 0 && seen.refused.load(Ordering::Relaxed) > 0);
    // Tenant and domain agree, password by password, by agents and by digests, at each node.
    stage.phs.once(&[]).unwrap().expect_code(0);
    let everyone = |people: u32, number: u32| {
        (0..people).map(move |n| (number + n, person(n))).map(|(number, who)| {
            let changed = changed.iter().find(|other| other.sam == who.sam);
            Try::from(number, &who.upn, changed.map_or(&who.password, |changed| &changed.password))
        })
    };
    let everyone = &everyone;
    // Of those who typed wrong passwords AD's budget may be spent: no agent is asked about them.
    for (policy, people, number) in [("pta", PEOPLE - WRONG, 0x00ff_0000), ("phs", PEOPLE, 0x00fe_0000)] {
        stage.nodes[0].set_policy(policy).unwrap().expect_code(0);
        for (at, node) in stage.at_nodes.iter().enumerate() {
            let tries: Vec<Try> = everyone(people, number + 1000 * u32::try_from(at).unwrap()).collect();
            for (what, answer) in tries.iter().zip(node.sign_all_in(&tries, 4).unwrap()) {
                assert!(
                    answer.accepted(),
                    "seed {seed}, {policy}, node {at}: {} {:?}",
                    what.user,
                    answer.body
                );
            }
        }
    }
}
