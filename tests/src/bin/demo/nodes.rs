//! `make demo-nodes`, an act of its own: two nodes on a PostgreSQL with a synchronous replica, behind HAProxy. People sign in
//! all the time, by digest and by agents, while one part after the other is lost.

use super::{Board, Row};
use landbridge_tests::lab::haproxy::Haproxy;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::trial::{Draw, seed};
use landbridge_tests::lab::{
    Application, Cluster, Domain, LabError, Person, Phs, PhsSettings, Population, PtaAgent, PtaSettings,
    RunningTenant, TenantSettings, Try, person,
};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// People of the domain. The first ones sign in by digest, the next ones by agents, and then there are those who type wrong
/// passwords: one half by each road.
const USERS: u32 = 50;
const BY_DIGEST: u32 = 20;
const RIGHT: u32 = 40;
/// The last one types nothing until the password has changed.
const CHANGING: u32 = USERS - 1;
/// The group whose members sign in by digest. All others sign in by agents.
const GROUP: &str = "By digest";
/// People who sign in at the same time.
const CLIENTS: usize = 8;
/// Time until what was killed is started again.
const GONE: Duration = Duration::from_secs(3);
/// Sign-ins of each road that begin within one event, at least. Fewer only if they take longer than [`LONGEST`].
const EACH: u32 = 25;
const LONGEST: Duration = Duration::from_secs(10);
/// How long a sign-in is tried again before it counts as lost: a part that is gone is noticed within seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// What an event must come to.
const RIGHT_ANSWERS: &str = "none wrong, none lost";

/// What was counted during one event, of the sign-ins that began in it.
#[derive(Debug, Default, Clone)]
struct Counts {
    by_digest: u32,
    by_agents: u32,
    refused: u32,
    /// Attempts without an answer, or with "unavailable", which were made again.
    repeated: u32,
    /// Wrong passwords that were accepted.
    wrong_yes: u32,
    /// Right passwords that were refused, and answers of no known kind.
    wrong_no: u32,
    /// Sign-ins without an answer for [`PATIENCE`].
    lost: u32,
    longest: Duration,
}

impl Counts {
    fn verdict(&self) -> String {
        if (self.wrong_yes, self.wrong_no, self.lost) == (0, 0, 0) {
            return RIGHT_ANSWERS.to_owned();
        }
        format!("{} wrong yes, {} wrong no, {} lost", self.wrong_yes, self.wrong_no, self.lost)
    }

    fn add(&mut self, other: &Self) {
        self.by_digest += other.by_digest;
        self.by_agents += other.by_agents;
        self.refused += other.refused;
        self.repeated += other.repeated;
        self.wrong_yes += other.wrong_yes;
        self.wrong_no += other.wrong_no;
        self.lost += other.lost;
        self.longest = self.longest.max(other.longest);
    }
}

/// All that runs.
struct Stage {
    agents: [PtaAgent; 2],
    phs: Phs,
    nodes: [RunningTenant; 2],
    /// By way of the balancer.
    app: Application,
    /// At each node itself.
    at_nodes: [Application; 2],
    haproxy: Haproxy,
    cluster: Cluster,
    database: String,
    domain: Domain,
    _certificate: tempfile::TempDir,
}

pub(super) fn play(board: &mut Board) -> Result<(), LabError> {
    board.title("Landbridge: two nodes on one database, and people sign in whatever is lost");
    let stage = Stage::make(board)?;
    let daemon = stage.phs.run_daemon()?;
    println!();
    let accepted = events(board, &stage)?;
    println!();
    afterwards(board, &stage, &daemon, accepted)
}

impl Stage {
    fn make(board: &Board) -> Result<Self, LabError> {
        let step = Instant::now();
        board.working(&format!("a Samba AD domain with {USERS} users: made once, kept under target/lab"));
        let domain = Domain::start(Population::of(USERS))?;
        domain.create_group(GROUP)?;
        let is_by_digest = |n: &u32| *n < BY_DIGEST || *n >= RIGHT && *n % 2 == 1;
        let members: Vec<String> = (0..USERS).filter(is_by_digest).map(|n| person(n).sam).collect();
        domain.set_members(GROUP, &members, true)?;
        board.done("domain", &format!("{} at {}, {USERS} users", domain.name(), domain.address()), step);

        let step = Instant::now();
        let cluster = Cluster::with_replica()?;
        let url = cluster.new_database()?;
        let database = url.rsplit('/').next().unwrap_or_default().to_owned();
        board.done("data", "PostgreSQL, and a replica that has each commit on its disk too", step);

        // The tenant's CA signs for the host of the first node.
        let step = Instant::now();
        let settings = TenantSettings {
            level: "warn",
            lockout_threshold: 1000,
            database: Some(url),
            ..Default::default()
        };
        let first = RunningTenant::start_for(&domain, &settings)?;
        let listen = Some(first.address_of_second());
        let second = first.start_node("second", &TenantSettings { listen, ..settings })?;
        let port = second.bound().port();
        let made = format!("{} and port {port}, by `nodes key`, `add` and `join`", first.url());
        board.done("nodes", &made, step);

        let step = Instant::now();
        let certificate = tempfile::tempdir().map_err(|why| LabError::said("a folder", &why))?;
        let (haproxy, folder) = (Haproxy::claim()?, certificate.path().join("applications"));
        let addresses = [
            first.serve_applications_behind(haproxy.ip(), &folder)?,
            second.serve_applications_behind(haproxy.ip(), &folder)?,
        ];
        haproxy.start_before_nodes(&addresses)?;
        board.done("HAProxy", &format!("{}, which asks each node for /readyz", haproxy.listen()), step);

        let step = Instant::now();
        let phs = Phs::install(&PhsSettings { level: "warn", ..PhsSettings::for_domain(&domain, "entra") })?;
        phs.join(&first)?;
        phs.once(&[])?.expect_code(0);
        first.set_policy("pta")?.expect_code(0);
        let group = format!("{}\\{GROUP}", domain.names().netbios);
        let policy = ["domains", "policy", domain.name(), "phs", "--group", group.as_str()];
        first.run(&policy, None)?.expect_code(0);
        board.done("phs", &format!("has sent all passwords; members of {GROUP} sign in by digest"), step);

        let step = Instant::now();
        let defence = "failed_binds_per_minute = 100000".to_owned();
        let agent = PtaSettings { level: "warn", defence, ..PtaSettings::for_domain(&domain) };
        let agents = [PtaAgent::start(&agent, &first)?, PtaAgent::start(&agent, &first)?];
        let at_first = Application::of(&first, "demo")?;
        let at_second = at_first.at(second.bound(), &second.root_certificate())?;
        let app = at_first.at(haproxy.listen(), &folder.join("ca.pem"))?;
        let (nodes, at_nodes) = ([first, second], [at_first, at_second]);
        let stage = Self {
            agents,
            phs,
            nodes,
            app,
            at_nodes,
            haproxy,
            cluster,
            database,
            domain,
            _certificate: certificate,
        };
        stage.wait_for_all()?;
        board.done("agents", "two, which have learned both nodes and are connected to each", step);
        Ok(stage)
    }

    /// Waits until the balancer finds both nodes, and each agent is connected to both.
    fn wait_for_all(&self) -> Result<(), LabError> {
        for agent in &self.agents {
            agent.wait_for_nodes(2)?;
        }
        wait_until("HAProxy to find both nodes", 60, || self.haproxy.nodes_up() == 2, String::new)
    }
}

/// What the threads of the clients share with the one that kills.
struct Clients {
    seed: u64,
    stopped: AtomicBool,
    /// Number of the event that is under way.
    event: AtomicUsize,
    /// Of each client: the event in which the sign-in began that is under way.
    began_in: [AtomicUsize; CLIENTS],
    /// Sign-ins that have begun in this event, by digest and by agents.
    begun: [AtomicU32; 2],
    counts: Mutex<Vec<Counts>>,
}

/// Stops the clients, however the events end.
struct StopAtEnd<'a>(&'a Clients);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// Loses one part after the other while people sign in. Returns how many were accepted.
fn events(board: &mut Board, stage: &Stage) -> Result<u32, LabError> {
    let clients = Clients {
        seed: seed(),
        stopped: AtomicBool::new(false),
        event: AtomicUsize::new(0),
        began_in: Default::default(),
        begun: Default::default(),
        counts: Mutex::default(),
    };
    head(board);
    std::thread::scope(|threads| {
        let stop = StopAtEnd(&clients);
        for client in 0..CLIENTS {
            let (clients, app) = (&clients, &stage.app);
            threads.spawn(move || clients.sign_people_in(client, app));
        }
        let mut event =
            |what: &str, happens: &dyn Fn() -> Result<(), LabError>| clients.event(board, what, happens);
        let wait = || {
            std::thread::sleep(GONE);
            Ok(())
        };
        let [first, second] = &stage.nodes;
        event("all is there", &|| Ok(()))?;
        event("the first node is killed", &|| {
            first.kill();
            wait()
        })?;
        event("the first node is started again", &|| {
            first.serve()?;
            stage.wait_for_all()
        })?;
        event("an agent is killed", &|| {
            stage.agents[0].kill();
            wait()
        })?;
        event("the agent is started again", &|| {
            stage.agents[0].run()?;
            stage.wait_for_all()
        })?;
        event("PostgreSQL is killed, 3 s later failed over", &|| {
            stage.cluster.kill_primary();
            std::thread::sleep(GONE);
            stage.cluster.promote_replica()?;
            stage.wait_for_all()
        })?;
        event("the second node is killed", &|| {
            second.kill();
            wait()
        })?;
        event("the second node is started again", &|| {
            second.serve()?;
            stage.wait_for_all()
        })?;
        drop(stop);
        Ok::<_, LabError>(())
    })?;
    let counts = clients.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    rule();
    Ok(counts.iter().map(|counts| counts.by_digest + counts.by_agents).sum())
}

impl Clients {
    /// Lets something happen while people sign in, and prints the row of it.
    fn event(
        &self,
        board: &mut Board,
        what: &str,
        happens: &dyn Fn() -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let event = self.event.load(Ordering::Relaxed);
        self.lock().resize(event + 1, Counts::default());
        for begun in &self.begun {
            begun.store(0, Ordering::Relaxed);
        }
        let began = Instant::now();
        happens()?;
        let enough = || self.begun.iter().all(|begun| begun.load(Ordering::Relaxed) >= EACH);
        while !enough() && began.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(20));
        }
        // The row is complete when each client has begun a sign-in after the event.
        self.lock().resize(event + 2, Counts::default());
        self.event.store(event + 1, Ordering::Relaxed);
        let is_over = || self.began_in.iter().all(|began_in| began_in.load(Ordering::Relaxed) > event);
        wait_until("the sign-ins of an event to end", 3 * PATIENCE.as_secs(), is_over, String::new)?;
        let counts = self.lock().get(event).cloned().unwrap_or_default();
        row(board, what, &counts);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One client: people of all kinds, one after the other.
    fn sign_people_in(&self, client: usize, app: &Application) {
        let mut draw = Draw::new(self.seed ^ (u64::try_from(client).unwrap_or(0) << 32));
        let mut number = u32::try_from(client + 1).unwrap_or(1) << 16;
        while !self.stopped.load(Ordering::Relaxed) {
            let event = self.event.load(Ordering::Relaxed);
            self.began_in[client].store(event, Ordering::Relaxed);
            let n = u32::try_from(draw.below(CHANGING as usize)).unwrap_or(0);
            self.begun[usize::from(n >= BY_DIGEST)].fetch_add(1, Ordering::Relaxed);
            number += 1;
            let counts = one(n, number, app);
            if let Some(all) = self.lock().get_mut(event) {
                all.add(&counts);
            }
        }
    }
}

/// Signs a person in, and tries again until there is an answer.
fn one(n: u32, number: u32, app: &Application) -> Counts {
    let (who, is_right) = (person(n), n < RIGHT);
    let password = if is_right { who.password.clone() } else { format!("wrong {number}") };
    let what = Try::from(number, &who.upn, &password);
    let (began, mut counts) = (Instant::now(), Counts::default());
    loop {
        match app.sign_in(&what) {
            Ok(answer) if answer.accepted() => {
                match (is_right, n < BY_DIGEST) {
                    (true, true) => counts.by_digest = 1,
                    (true, false) => counts.by_agents = 1,
                    (false, _) => counts.wrong_yes = 1,
                }
                break;
            }
            Ok(answer) if answer.status == 403 && !is_right => {
                counts.refused = 1;
                break;
            }
            Ok(answer) if answer.status != 503 => {
                counts.wrong_no = 1;
                break;
            }
            // "Unavailable", or no answer.
            Ok(_) | Err(_) => {}
        }
        counts.repeated += 1;
        if began.elapsed() > PATIENCE {
            counts.lost = 1;
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    counts.longest = began.elapsed();
    counts
}

/// Width of the names of events.
const EVENT: usize = 45;
/// Widths of the columns after them.
const COLUMNS: [usize; 5] = [11, 11, 9, 8, 9];

fn columns(what: &str, cells: [&str; 5], verdict: &str) -> String {
    let cells: String = cells.iter().zip(COLUMNS).map(|(cell, width)| format!("{cell:>width$}")).collect();
    format!("{what:<EVENT$}{cells}  {verdict}")
}

fn head(board: &Board) {
    let above = columns("", ["accepted,", "accepted,", "refused", "tried", "longest"], "");
    let below = columns("while people sign in", ["by digest", "by agents", "", "again", "wait"], "verdict");
    for line in [above, below] {
        println!("  {}", board.paint("1", &format!("  {line}")));
    }
    rule();
}

fn rule() {
    let width = 4 + EVENT + COLUMNS.iter().sum::<usize>() + RIGHT_ANSWERS.len();
    println!("  {}", "─".repeat(width));
}

fn row(board: &mut Board, what: &str, counts: &Counts) {
    let verdict = counts.verdict();
    let row = Row { what: what.to_owned(), must: RIGHT_ANSWERS.to_owned(), was: verdict.clone() };
    let Counts { by_digest, by_agents, refused, repeated, longest, .. } = counts;
    let numbers = [by_digest, by_agents, refused, repeated].map(u32::to_string);
    let longest = format!("{:.1} s", longest.as_secs_f64());
    let [by_digest, by_agents, refused, repeated] = numbers.each_ref().map(String::as_str);
    let cells = [by_digest, by_agents, refused, repeated, &longest];
    println!("  {} {}", board.mark(&row), columns(what, cells, &verdict));
    board.rows.push(row);
}

/// What must hold when all of it is over.
fn afterwards(board: &mut Board, stage: &Stage, daemon: &Running, accepted: u32) -> Result<(), LabError> {
    // 1. What was acknowledged is in the database that took over.
    let sql = "SELECT count(*) FROM landbridge.audit WHERE action = 'signin-accepted'";
    let logged = stage.cluster.query(&stage.database, sql)?;
    let logged: u32 = logged.parse().map_err(|_| LabError::said("counting the audit log", &logged))?;
    let missing = accepted.saturating_sub(logged);
    let what = format!("{accepted} were let in: entries in the audit log");
    board.line(
        &what,
        "none missing",
        &if missing == 0 { "none missing".to_owned() } else { format!("{missing} missing") },
    );

    // 2. What an administrator sees.
    let listed = stage.nodes[1].run(&["nodes", "list"], None)?.expect_code(0).stdout;
    listed.lines().for_each(|line| board.working(&format!("  {line}")));
    let listed = stage.nodes[1].run(&["nodes", "list", "--json"], None)?.expect_code(0).json();
    let states: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|node| node["state"].as_str()).collect();
    board.line("`nodes list`", "serves, serves", &states.join(", "));

    // 3. Each password that is right, at each node.
    for (node, app) in ["the first node", "the second node"].into_iter().zip(&stage.at_nodes) {
        let tries: Vec<Try> = (0..RIGHT).map(|n| (0x00ff_0000 + n, person(n))).map(attempt).collect();
        let answers = app.sign_all_in(&tries, CLIENTS)?;
        let right = answers.iter().filter(|answer| answer.accepted()).count();
        board.line(
            &format!("right passwords of {RIGHT} people at {node}"),
            &format!("{RIGHT} accepted"),
            &format!("{right} accepted"),
        );
    }

    // 4. A change in AD arrives at both.
    let who = Person { password: "Danach ein neues Wort 1".to_owned(), ..person(CHANGING) };
    stage.domain.set_password(&who.sam, &who.password)?;
    let since = Instant::now();
    let tries = || attempt((0x00fe_0000, who.clone()));
    let is_in =
        || stage.at_nodes.iter().all(|app| app.sign_in(&tries()).is_ok_and(|answer| answer.accepted()));
    let arrived = wait_until("the new password to be in force", 60, is_in, || daemon.said());
    let what = format!("a password changed in AD, {:.1} s later", since.elapsed().as_secs_f64());
    let was = if arrived.is_ok() { "at both nodes" } else { "not at both nodes" };
    board.line(&what, "at both nodes", was);
    Ok(())
}

fn attempt((number, who): (u32, Person)) -> Try {
    Try::from(number, &who.upn, &who.password)
}
