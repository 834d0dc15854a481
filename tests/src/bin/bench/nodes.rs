//! The database in a file and on a PostgreSQL server, with one node and with two: sign-ins by digest at each door, uploads,
//! and what the distance to the server costs.
//!
//! PostgreSQL has its default settings and is reached by Unix sockets, without TLS. Clients, nodes and PostgreSQL share all
//! cores: a second node on the same cores adds no cores, so these figures show what it costs and not what it brings.

mod proxy;

use crate::ingest::{self, ACCOUNTS, Sender};
use crate::ldap;
use crate::ldap::client::{Connection, Target};
use crate::oidc::{Browsers, CALLBACK};
use crate::population::{self, PASSWORD};
use crate::report::{Comparison, median};
use crate::signins::accepted;
use crate::sync::joined_on;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::cluster::url;
use landbridge_tests::lab::{Application, Cluster, Domain, LabError, Phs, Population, RunningTenant, Try};
use proxy::Proxy;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ROUNDS: usize = 9;
/// Rounds of uploads: each makes two tenants.
const UPLOAD_ROUNDS: usize = 5;
/// Sign-ins in one round, and how many at once.
const SIGN_INS: u32 = 960;
const AT_ONCE: usize = 32;
/// Sign-ins one after the other in one round, and the time before each: longer than the tenant uses a connection again
/// without a check that it still works.
const ALONE: u32 = 30;
const PAUSE: Duration = Duration::from_millis(30);
/// What a round trip to the database takes longer.
const DISTANCES: [(&str, Duration); 3] =
    [("0 ms", Duration::ZERO), ("1 ms", Duration::from_millis(1)), ("5 ms", Duration::from_millis(5))];
/// How long the round trips of a node are counted that does nothing for anybody.
const IDLE: Duration = Duration::from_secs(2);
/// The client at the issuer.
const CLIENT: &str = "bench";
/// The port of the issuer at the second node, at the address of the first: an issuer has one host.
const SECOND_ISSUER: u16 = 1443;

/// How people sign in.
#[derive(Debug, Clone, Copy)]
enum Door {
    Api,
    Ldap,
    Page,
}

impl Door {
    const ALL: [Self; 3] = [Self::Api, Self::Ldap, Self::Page];

    fn name(self) -> &'static str {
        match self {
            Self::Api => "by the API",
            Self::Ldap => "LDAP binds",
            Self::Page => "at the page: form, password, code",
        }
    }
}

/// All of it.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(50))?;
    let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
    let cluster = Cluster::alone()?;
    let world = World { domain, runtime, cluster };
    let mut all = Vec::from(world.uploads()?);
    all.extend(world.sign_ins()?);
    all.extend(world.distances()?);
    Ok(all)
}

/// What all tenants share.
struct World {
    domain: Domain,
    runtime: Runtime,
    cluster: Cluster,
}

/// A tenant whose accounts have digests.
struct Served {
    nodes: Vec<Node>,
    /// For the client at the issuer.
    secret: String,
    issuer_ca: PathBuf,
    _phs: Phs,
}

/// A node, and where it serves.
struct Node {
    app: Application,
    ldap: Target,
    issuer: SocketAddr,
    tenant: RunningTenant,
}

impl World {
    /// Uploads into new tenants, of whole accounts and then of digests alone.
    fn uploads(&self) -> Result<[Comparison; 2], LabError> {
        let table = |what: &str| {
            let what = format!("Uploads, {ACCOUNTS} {what}: the database in a file, and on PostgreSQL");
            Comparison::new(what, "/s", "0.7×", &["SQLite", "PostgreSQL"])
        };
        let (mut whole, mut digests) =
            (table("whole new accounts"), table("new digests of the same accounts"));
        for round in 0..UPLOAD_ROUNDS {
            let mut rates = [[f64::NAN; 2]; 2];
            for side in [0, 1].map(|turn| (round + turn) % 2) {
                let database = if side == 0 { None } else { Some(self.cluster.new_database()?) };
                rates[side] = ingest::tenant(&self.domain, &self.runtime, database)?;
            }
            whole.round(&rates.map(|[whole, _]| whole));
            digests.round(&rates.map(|[_, digests]| digests));
            eprintln!("    nodes: round {} of {UPLOAD_ROUNDS} of uploads", round + 1);
        }
        Ok([whole, digests])
    }

    /// Sign-ins at each door.
    fn sign_ins(&self) -> Result<Vec<Comparison>, LabError> {
        let database = || self.cluster.new_database().map(Some);
        let sides = [
            ("one node, SQLite", self.serve(None, 1)?),
            ("one node, PostgreSQL", self.serve(database()?, 1)?),
            ("two nodes, PostgreSQL", self.serve(database()?, 2)?),
        ];
        let names = sides.each_ref().map(|(name, _)| *name);
        let mut all = Vec::new();
        for door in Door::ALL {
            let what = format!("Sign-ins by digest, entra, {AT_ONCE} at once, {}", door.name());
            let mut rates = Comparison::new(what, "/s", "", &names);
            for (_, served) in &sides {
                self.at_full_load(served, door, ROUNDS)?;
            }
            for round in 0..ROUNDS {
                let mut values = [f64::NAN; 3];
                for side in [0, 1, 2].map(|turn| (round + turn) % 3) {
                    values[side] = self.at_full_load(&sides[side].1, door, round)?;
                }
                rates.round(&values);
            }
            eprintln!("    nodes: {ROUNDS} rounds of sign-ins, {}", door.name());
            all.push(rates);
        }
        Ok(all)
    }

    /// Round trips of a sign-in, and sign-ins at distances from the database.
    fn distances(&self) -> Result<Vec<Comparison>, LabError> {
        let proxy = Proxy::start(&self.cluster.socket_folder())?;
        let database = self.cluster.new_database()?;
        let database = database.rsplit('/').next().unwrap_or_default();
        let served = self.serve(Some(url(&[proxy.socket_folder()], database)), 1)?;
        let mut all = vec![self.round_trips(&proxy, &served)?];
        let names = DISTANCES.map(|(name, _)| name);
        for door in Door::ALL {
            let table = |what: &str, unit| {
                let what = format!("Sign-ins {}, by the round trip to the database: {what}", door.name());
                Comparison::new(what, unit, "", &names)
            };
            let mut rates = table(&format!("{AT_ONCE} at once"), "/s");
            let mut alone = table("alone, p50", "ms");
            for round in 0..ROUNDS {
                let (mut rate, mut p50) = ([f64::NAN; 3], [f64::NAN; 3]);
                for side in [0, 1, 2].map(|turn| (round + turn) % 3) {
                    proxy.set_round_trip(DISTANCES[side].1);
                    rate[side] = self.at_full_load(&served, door, round)?;
                    p50[side] = median(self.one_by_one(&served, door, round)?);
                }
                rates.round(&rate);
                alone.round(&p50);
            }
            eprintln!("    nodes: {ROUNDS} rounds at distances, {}", door.name());
            all.extend([rates, alone]);
        }
        Ok(all)
    }

    /// How often one sign-in waits for the database.
    fn round_trips(&self, proxy: &Proxy, served: &Served) -> Result<Comparison, LabError> {
        let sides = Door::ALL
            .map(|door| [format!("{}, alone", door.name()), format!("{}, {AT_ONCE} at once", door.name())]);
        let sides: Vec<&str> = sides.as_flattened().iter().map(String::as_str).collect();
        let what = "Round trips to the database of a sign-in by digest";
        let mut all = Comparison::new(what, "", "at most 3", &sides);
        let (mut idle, mut runs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // 1. What the node does in any case.
            let before = proxy.round_trips();
            std::thread::sleep(IDLE);
            idle.push((proxy.round_trips() - before) as f64 / IDLE.as_secs_f64());
            // 2. With sign-ins.
            let during = |count: u32, run: &mut dyn FnMut() -> Result<(), LabError>| {
                let (before, began) = (proxy.round_trips(), Instant::now());
                run()?;
                let seconds = began.elapsed().as_secs_f64();
                Ok::<_, LabError>(((proxy.round_trips() - before) as f64, seconds, f64::from(count)))
            };
            let mut values = Vec::new();
            for door in Door::ALL {
                values.push(during(ALONE, &mut || self.one_by_one(served, door, round).map(drop))?);
                values.push(during(SIGN_INS, &mut || self.at_full_load(served, door, round).map(drop))?);
            }
            runs.push(values);
        }
        // 3. What sign-ins add. A chore in one idle moment is not in all, so the median is taken off.
        let each_second = median(idle);
        for run in runs {
            let added = |(trips, seconds, count): (f64, f64, f64)| (trips - each_second * seconds) / count;
            all.round(&run.into_iter().map(added).collect::<Vec<_>>());
        }
        all.note = format!(
            "Bytes to the server, and the answer to them. The {:.1} round trips a second of a node that nobody uses are not \
             counted. Alone means {PAUSE:?} after the one before: the node first asks whether its connection still works.",
            each_second
        );
        eprintln!("    nodes: {ROUNDS} rounds of round trips");
        Ok(all)
    }

    /// A tenant of `count` nodes, one or two, filled by uploads.
    fn serve(&self, database: Option<String>, count: usize) -> Result<Served, LabError> {
        // 1. The first node, with accounts.
        let joined = joined_on(&self.domain, Profile::Entra, database.clone())?;
        let mut sender = Sender::of(&self.domain, &self.runtime, &joined)?;
        sender.send(&ingest::accounts(0..ACCOUNTS), 1)?;
        sender.commit()?;
        let (first, phs) = joined;
        // 2. Its doors.
        let api = Application::of(&first, "api")?;
        let credential = first.ldap_application("directory", &["--everybody"])?;
        let create = ["apps", "create", "--name", CLIENT, "--everybody", "--rate", "1000000"];
        let secret = first.run(&create, None)?.expect_code(0).word("lba1.");
        let set = ["apps", "oidc", CLIENT, "--redirect-uri", CALLBACK, "--algorithm", "ES256"];
        first.run(&set, None)?.expect_code(0);
        let ldap = |tenant: &RunningTenant| {
            let served = tenant.serve_ldap()?;
            Target::new(
                SocketAddr::new(served.ip, 636),
                "cn=directory,ou=applications",
                &credential,
                &served.ca,
            )
        };
        let (issuer, issuer_ca) = first.serve_oidc()?;
        let host = issuer.trim_start_matches("https://").parse::<IpAddr>();
        let host = host.map_err(|why| LabError::said("the issuer's address", &why))?;
        let mut nodes =
            vec![Node { app: api, ldap: ldap(&first)?, issuer: SocketAddr::new(host, 443), tenant: first }];
        // 3. The other node, whose doors are part of the same.
        if count == 2
            && let Some(node) = nodes.first()
        {
            let listen = Some(node.tenant.address_of_second());
            let settings = crate::sync::settings(database, listen);
            let tenant = node.tenant.start_node("second", &settings)?;
            let issuer_at = SocketAddr::new(host, SECOND_ISSUER);
            let lines = format!("issuer = \"{issuer}\"\nlisten = \"{issuer_at}\"");
            tenant.serve_with("oidc", &lines, issuer_ca.parent().unwrap_or(&issuer_ca))?;
            let app = node.app.at(tenant.bound(), &tenant.root_certificate())?;
            nodes.push(Node { app, ldap: ldap(&tenant)?, issuer: issuer_at, tenant });
        }
        Ok(Served { nodes, secret, issuer_ca, _phs: phs })
    }

    /// Sign-ins a second, in equal parts at each node.
    fn at_full_load(&self, served: &Served, door: Door, round: usize) -> Result<f64, LabError> {
        let people = people(round);
        let took = match door {
            Door::Api => {
                let share = served.nodes.len();
                let tries: Vec<Try> = (0..SIGN_INS).map(|nth| attempt(people(nth))).collect();
                let parts = tries.chunks(tries.len().div_ceil(share));
                let began = Instant::now();
                std::thread::scope(|threads| {
                    let work = |(node, part): (&Node, &[Try])| -> Result<(), LabError> {
                        accepted(&node.app.sign_all_in(part, AT_ONCE / share)?).map(drop)
                    };
                    let parts = served.nodes.iter().zip(parts);
                    let running: Vec<_> = parts.map(|both| threads.spawn(move || work(both))).collect();
                    running.into_iter().try_for_each(|one| {
                        one.join().map_err(|_| LabError::said("signing in", &"a thread panicked"))?
                    })
                })?;
                began.elapsed()
            }
            Door::Ldap => {
                let connections = self.runtime.block_on(self.bound(served, AT_ONCE))?;
                let began = Instant::now();
                self.runtime.block_on(ldap::bound(connections, SIGN_INS, people))?;
                began.elapsed()
            }
            Door::Page => {
                let browsers = self.runtime.block_on(self.browsers(served, AT_ONCE))?;
                let began = Instant::now();
                self.runtime.block_on(browsers.sign_in(SIGN_INS, people))?;
                began.elapsed()
            }
        };
        Ok(f64::from(SIGN_INS) / took.as_secs_f64())
    }

    /// Milliseconds of sign-ins one after the other, at the first node.
    fn one_by_one(&self, served: &Served, door: Door, round: usize) -> Result<Vec<f64>, LabError> {
        let people = people(round);
        let mut times = Vec::new();
        let mut timed = |began: Instant| times.push(began.elapsed().as_secs_f64() * 1e3);
        match door {
            Door::Api => {
                let tries: Vec<Try> = (0..ALONE).map(|nth| attempt(people(nth))).collect();
                if let Some(node) = served.nodes.first() {
                    times = accepted(&node.app.sign_in_one_by_one(&tries, PAUSE)?)?;
                }
            }
            Door::Ldap => self.runtime.block_on(async {
                let mut connections = self.bound(served, 1).await?;
                for nth in 0..ALONE {
                    tokio::time::sleep(PAUSE).await;
                    let began = Instant::now();
                    for connection in &mut connections {
                        connection.bind(&population::dn(people(nth)), PASSWORD).await?;
                    }
                    timed(began);
                }
                Ok::<_, LabError>(())
            })?,
            Door::Page => self.runtime.block_on(async {
                let mut browsers = self.browsers(served, 1).await?;
                for nth in 0..ALONE {
                    tokio::time::sleep(PAUSE).await;
                    let began = Instant::now();
                    browsers = browsers.sign_in(1, move |_| people(nth)).await?;
                    timed(began);
                }
                Ok::<_, LabError>(())
            })?,
        }
        Ok(times)
    }

    async fn bound(&self, served: &Served, count: usize) -> Result<Vec<Connection>, LabError> {
        let mut connections = Vec::new();
        for node in served.nodes.iter().cycle().take(count) {
            connections.push(Connection::open(&node.ldap).await?);
        }
        Ok(connections)
    }

    async fn browsers(&self, served: &Served, count: usize) -> Result<Browsers, LabError> {
        let nodes: Vec<SocketAddr> = served.nodes.iter().map(|node| node.issuer).collect();
        Browsers::open(&nodes, &served.issuer_ca, (CLIENT, &served.secret), count).await
    }
}

/// The people who sign in during a round, each once.
fn people(round: usize) -> impl Fn(u32) -> u32 + Copy + Send + 'static {
    move |nth| (round as u32 * SIGN_INS + nth) % ACCOUNTS as u32
}

fn attempt(person: u32) -> Try {
    Try::from(person, &population::mail(person), PASSWORD)
}
