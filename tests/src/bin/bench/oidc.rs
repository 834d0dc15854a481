//! The tenant's issuer beside npm's oidc-provider: the same requests by the same client, tokens by ES256, in turns. The peer
//! keeps everything in memory; the tenant has 100,000 sessions in its database, and each write is on the disk before the answer.

pub(crate) mod change;
mod http;
mod load;
mod page;
mod sessions;

use crate::population::{self, Objects, PASSWORD, PEOPLE, WITH_DIGEST};
use crate::proc;
use crate::report::Comparison;
use http::Connection;
use landbridge_tests::lab::{
    Application, LabError, OidcProvider, ProviderClient, RunningTenant, TenantSettings, Try, trusting,
};
pub(crate) use load::CALLBACK;
use load::{Cookies, Issuer, Operation, Run, Side};
pub(crate) use page::Browsers;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ROUNDS: usize = 15;
/// Starts of the tenant whose memory is measured.
const STARTS: usize = 3;
/// Workers at once. Each has two connections.
const BUSY: [usize; 3] = [1, 8, 32];
const MOST_BUSY: usize = 32;
/// For one operation, one side and one round.
const TIME: Duration = Duration::from_millis(800);
/// Sessions at the peer in one round. Its adapter keeps the 1,000 entries that were used last.
const PEER_SESSIONS: usize = 64;
/// Sessions of the tenant before and after the large number is written.
const FEW: u32 = 64;
/// Sign-ins in one round, and how many at once.
const SIGN_INS: u32 = 960;
const SIGN_INS_AT_ONCE: usize = 32;
/// The client at both issuers.
const CLIENT: &str = "bench";
/// Its secret at the peer, of the length of ours.
const PEER_SECRET: &str =
    "bench.00000000-0000-0000-0000-000000000000.0000000000000000000000000000000000000000000";
const SIDES: [&str; 2] = ["oidc-provider, in memory", "the tenant, on disk"];

/// All of it.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut world = World::make()?;
    let mut all = vec![world.memory()?];
    all.extend(world.rates()?);
    all.push(world.sign_ins()?);
    Ok(all)
}

/// Both issuers.
struct World {
    runtime: Runtime,
    tenant: RunningTenant,
    address: SocketAddr,
    ca: PathBuf,
    secret: String,
    objects: Objects,
    sessions: Vec<Cookies>,
}

impl World {
    fn make() -> Result<Self, LabError> {
        let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
        let tenant = RunningTenant::start(&TenantSettings { level: "warn", ..TenantSettings::default() })?;
        tenant.add_domain(population::sid(), &[])?;
        let (issuer, ca) = tenant.serve_oidc()?;
        let ip = issuer.trim_start_matches("https://").parse();
        let ip = ip.map_err(|why| LabError::said("the issuer's address", &why))?;
        let create = ["apps", "create", "--name", CLIENT, "--everybody", "--rate", "1000000"];
        let secret = tenant.run(&create, None)?.expect_code(0).word("lba1.");
        let set = ["apps", "oidc", CLIENT, "--redirect-uri", CALLBACK, "--algorithm", "ES256"];
        tenant.run(&set, None)?.expect_code(0);
        tenant.stop()?;
        let (objects, began) = (Objects::new(), Instant::now());
        objects.fill(&tenant)?;
        eprintln!("    oidc: the tenant's database is filled after {:.0} s", began.elapsed().as_secs_f64());
        let address = SocketAddr::new(ip, 443);
        Ok(Self { runtime, tenant, address, ca, secret, objects, sessions: Vec::new() })
    }

    /// The tenant, which serves, with the sessions that are there.
    fn ours(&self) -> Result<Side, LabError> {
        let process =
            self.tenant.process().ok_or_else(|| LabError::said("the tenant", &"it does not run"))?;
        let paths = ("/authorize", "/userinfo");
        let issuer = Issuer::new((self.address, process), trusting(&self.ca)?, paths, (CLIENT, &self.secret));
        Ok(Side::new(issuer, self.sessions.clone()))
    }

    /// The peer.
    fn peers(provider: &OidcProvider) -> Result<Side, LabError> {
        let issuer = Issuer::new(
            (provider.address(), provider.process()),
            trusting(&provider.ca())?,
            ("/auth", "/me"),
            (CLIENT, PEER_SECRET),
        );
        Ok(Side::new(issuer, Vec::new()))
    }

    /// Memory of the tenant after code flows in few sessions, and after as many in 100,000. The tenant serves with these
    /// afterwards.
    fn memory(&mut self) -> Result<Comparison, LabError> {
        let sides = [format!("{FEW} sessions"), format!("{PEOPLE} sessions")];
        let sides = sides.each_ref().map(String::as_str);
        let mut all = Comparison::new("OpenID Connect: memory of the tenant", "MiB", "", &sides);
        let (mut resident, mut sizes) = ([Vec::new(), Vec::new()], [f64::NAN; 2]);
        for (side, people) in [0..FEW, FEW..PEOPLE].into_iter().enumerate() {
            let (cookies, size) = sessions::write(&self.tenant, &self.objects, people, CLIENT)?;
            self.sessions.extend(cookies);
            sizes[side] = size;
            for _ in 0..STARTS {
                self.tenant.serve()?;
                let mut ours = self.ours()?;
                let load = async |side: &mut Side| {
                    side.begin(MOST_BUSY).await?;
                    side.at_full_load(Operation::CodeFlow, 2 * TIME).await
                };
                self.runtime.block_on(load(&mut ours))?;
                resident[side].push(proc::memory(ours.issuer.process).0);
                drop(ours);
                self.tenant.stop()?;
            }
        }
        let [few, many] = &resident;
        for (few, many) in few.iter().zip(many) {
            all.round(&[*few, *many]);
        }
        let each = (sizes[1] - sizes[0]) * f64::from(1 << 20) / f64::from(PEOPLE - FEW);
        all.note = format!(
            "After a start and code flows of {MOST_BUSY} workers. On the disk: {:.1} MiB for {PEOPLE} people, {:.1} MiB with a \
             session and a grant of each, {each:.0} bytes for both.",
            sizes[0], sizes[1]
        );
        self.tenant.serve()?;
        eprintln!("    oidc: memory");
        Ok(all)
    }

    /// Code flows, refreshes and userinfo.
    fn rates(&self) -> Result<Vec<Comparison>, LabError> {
        let provider =
            OidcProvider::start(&ProviderClient { id: CLIENT, secret: PEER_SECRET, callback: CALLBACK })?;
        let mut both = [Self::peers(&provider)?, self.ours()?];
        let operations = Operation::ALL.map(|what| {
            let rate = |workers: usize| {
                let what = format!("OpenID Connect: {}, {workers} at once", what.name());
                Comparison::new(what, "/s", "3×", &SIDES)
            };
            let cpu = format!("OpenID Connect: CPU of the server, {}, {MOST_BUSY} at once", what.name());
            (what, BUSY.map(rate), Comparison::new(cpu, "µs", "", &SIDES), [Vec::new(), Vec::new()])
        });
        let mut operations = Vec::from(operations);
        for round in 0..ROUNDS {
            for (what, rates, cpu, clients) in &mut operations {
                for (rate, workers) in rates.iter_mut().zip(BUSY) {
                    let runs = self.in_turns(round, &mut both, *what, workers)?;
                    rate.round(&runs.map(|run| run.rate));
                    if workers == MOST_BUSY {
                        cpu.round(&runs.map(|run| run.server));
                        clients.iter_mut().zip(runs).for_each(|(all, run)| all.push(run.client));
                    }
                }
            }
            eprintln!("    oidc: round {} of {ROUNDS}", round + 1);
        }
        let mut all = Vec::new();
        for (_, rates, mut cpu, clients) in operations {
            let [peer, ours] = clients.map(crate::report::median);
            cpu.note = format!("The client needs {peer:.0} µs with the peer, {ours:.0} µs with the tenant.");
            all.extend(rates);
            all.push(cpu);
        }
        Ok(all)
    }

    /// The same load on the one and then on the other; who is first changes with the rounds.
    fn in_turns(
        &self,
        round: usize,
        both: &mut [Side; 2],
        what: Operation,
        workers: usize,
    ) -> Result<[Run; 2], LabError> {
        let mut runs = [None, None];
        for side in [0, 1].map(|turn| (round + turn) % 2) {
            let run = async {
                // What the peer has from the run before may be gone from its memory.
                if side == 0 {
                    both[side].begin_anew(workers, PEER_SESSIONS).await?;
                } else {
                    both[side].begin(workers).await?;
                }
                both[side].at_full_load(what, TIME).await
            };
            runs[side] = Some(self.runtime.block_on(run)?);
        }
        match runs {
            [Some(peer), Some(ours)] => Ok([peer, ours]),
            _ => Err(LabError::said("a load", &"a side did not run")),
        }
    }

    /// Sign-ins at the page, beside sign-ins of the same people by the API.
    fn sign_ins(&self) -> Result<Comparison, LabError> {
        let what = format!("Sign-ins by digest, entra, {SIGN_INS_AT_ONCE} at once: the API and the page");
        let mut all = Comparison::new(what, "/s", "", &["by the API", "at the page: form, password, code"]);
        let app = Application::of(&self.tenant, "api")?;
        let issuer = self.ours()?.issuer;
        let mut connections = self.runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..SIGN_INS_AT_ONCE {
                connections.push(Connection::open(issuer.address, &issuer.tls).await?);
            }
            Ok::<_, LabError>(connections)
        })?;
        for round in 0..ROUNDS {
            let people = move |nth: u32| (round as u32 * SIGN_INS + nth) % WITH_DIGEST;
            let tries: Vec<Try> = (0..SIGN_INS)
                .map(people)
                .map(|who| Try::from(who, &population::mail(who), PASSWORD))
                .collect();
            let mut rates = [f64::NAN; 2];
            for side in [0, 1].map(|turn| (round + turn) % 2) {
                let began = Instant::now();
                if side == 0 {
                    crate::signins::accepted(&app.sign_all_in(&tries, SIGN_INS_AT_ONCE)?)?;
                } else {
                    let signed_in = page::sign_in(connections, &issuer, SIGN_INS, people);
                    connections = self.runtime.block_on(signed_in)?;
                }
                rates[side] = f64::from(SIGN_INS) / began.elapsed().as_secs_f64();
            }
            all.round(&rates);
        }
        eprintln!("    oidc: {ROUNDS} rounds of sign-ins");
        Ok(all)
    }
}
