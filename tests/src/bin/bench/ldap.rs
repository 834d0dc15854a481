//! The tenant's LDAP beside Debian's slapd: the same people and groups, the same client, the same certificate, in turns.

pub(crate) mod client;
mod load;
mod prepared;

use crate::population::{
    self, BASE, GROUPS, NESTED, Objects, PASSWORD, PEOPLE, SLAPD_NAME, SLAPD_PASSWORD, WITH_DIGEST,
};
use crate::proc;
use crate::report::{Comparison, median};
use client::{Connection, Scope, Search, Target, equality};
use landbridge_tests::lab::slapd::MemberOf;
use landbridge_tests::lab::{Application, LabError, RunningTenant, Slapd, TenantSettings, Try};
use load::{By, Run, Side};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ROUNDS: usize = 15;
/// Rounds of what takes long: with a start of each server, or a dump.
const LONG_ROUNDS: usize = 5;
/// Connections that search at once.
const BUSY: [usize; 3] = [1, 8, 64];
const MOST_BUSY: usize = 64;
const IDLE: usize = 1_000;
/// For one kind of search, one side and one round.
const TIME: Duration = Duration::from_millis(400);
/// The same at half load: the 99th of a hundred counts.
const HALF_LOAD_TIME: Duration = Duration::from_secs(1);
/// Entries of a page of a dump.
const PAGE: u16 = 1_000;
/// Reads of memberOf in one round. With dynlist one takes long.
const READS: usize = 200;
const NESTED_READS: usize = 5;
/// Sign-ins in one round, and how many at once.
const SIGN_INS: u32 = 960;
const SIGN_INS_AT_ONCE: usize = 32;

/// A part failed.
pub(crate) fn failed(step: &str, why: &(impl std::fmt::Display + ?Sized)) -> LabError {
    LabError::said(step, &why.to_string())
}

/// A start of a server.
#[derive(Clone, Copy, Default)]
struct Start {
    /// Seconds until it has answered a first search.
    seconds: f64,
    /// MiB resident before and after that search.
    before: f64,
    after: f64,
}

/// Both servers.
struct World {
    runtime: Runtime,
    tenant: RunningTenant,
    /// With memberOf stored, as the overlay `memberof` does, and with groups in groups, as `dynlist` follows them.
    stored: Slapd,
    nested: Slapd,
    ca: PathBuf,
    address: SocketAddr,
    /// The application that reads memberOf as it is in AD, and the one that reads it with groups around groups.
    direct: String,
    effective: String,
}

/// All of it.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut world = World::make()?;
    let mut all = world.start()?;
    all.extend(world.searches()?);
    all.extend(world.half_load()?);
    all.extend(world.member_of()?);
    all.extend(world.dump()?);
    all.extend(world.idle()?);
    all.push(world.sign_ins()?);
    Ok(all)
}

impl World {
    fn make() -> Result<Self, LabError> {
        let runtime = Runtime::new().map_err(|why| failed("a runtime", &why))?;
        let objects = Objects::new();
        let tenant = RunningTenant::start(&TenantSettings { level: "warn", ..TenantSettings::default() })?;
        tenant.add_domain(population::sid(), &[])?;
        let served = tenant.serve_ldap()?;
        let ca = served.ca;
        let folder = ca.parent().unwrap_or(&ca);
        tenant.stop()?;
        let began = Instant::now();
        objects.fill(&tenant)?;
        eprintln!("    ldap: the tenant's database is filled after {:.0} s", began.elapsed().as_secs_f64());
        let began = Instant::now();
        let load = |member_of| {
            let stored = member_of == MemberOf::Stored;
            Slapd::load(folder, member_of, |to| objects.write_ldif(to, stored))
        };
        let (stored, nested) = (load(MemberOf::Stored)?, load(MemberOf::Nested)?);
        eprintln!("    ldap: slapd's databases are filled after {:.0} s", began.elapsed().as_secs_f64());
        tenant.serve()?;
        let application = |name: &str, member_of: &str| -> Result<String, LabError> {
            let credential = tenant.ldap_application(name, &["--everybody"])?;
            let set = ["apps", "ldap", name, "--all-groups", "--member-of", member_of];
            tenant.run(&set, None)?.expect_code(0);
            Ok(credential)
        };
        let (direct, effective) = (application("direct", "direct")?, application("effective", "effective")?);
        let address = SocketAddr::new(served.ip, 636);
        let mut world = Self { runtime, tenant, stored, nested, ca, address, direct, effective };
        world.stored.serve()?;
        Ok(world)
    }

    fn ours(&self) -> Result<Target, LabError> {
        Target::new(self.address, "cn=direct,ou=applications", &self.direct, &self.ca)
    }

    fn slapds(&self) -> Result<Target, LabError> {
        Target::new(self.stored.address(), SLAPD_NAME, SLAPD_PASSWORD, &self.ca)
    }

    /// The processes of slapd and of the tenant.
    fn processes(&self) -> Result<[u32; 2], LabError> {
        let process = |process: Option<u32>| process.ok_or_else(|| failed("a server", "it does not run"));
        Ok([process(self.stored.process())?, process(self.tenant.process())?])
    }

    /// Connections to both, slapd's first.
    fn sides(&self, connections: usize) -> Result<[Side; 2], LabError> {
        let [slapd, tenant] = self.processes()?;
        self.runtime.block_on(async {
            Ok([
                Side::new(&self.slapds()?, slapd, connections).await?,
                Side::new(&self.ours()?, tenant, connections).await?,
            ])
        })
    }

    /// Starts slapd and the tenant again.
    fn start_again(&mut self) -> Result<[Start; 2], LabError> {
        let mut starts = [Start::default(); 2];
        for (side, start) in starts.iter_mut().enumerate() {
            if side == 0 {
                self.stored.stop()?;
            } else {
                self.tenant.stop()?;
            }
            let began = Instant::now();
            let target = if side == 0 {
                self.stored.serve()?;
                self.slapds()?
            } else {
                self.tenant.serve()?;
                self.ours()?
            };
            let process = self.processes()?[side];
            start.before = proc::memory(process).0;
            let search = Search::new(BASE, Scope::Subtree, &equality("uid", &population::uid(1)), &["uid"]);
            self.runtime.block_on(async { Connection::open(&target).await?.search(&search, false).await })?;
            start.seconds = began.elapsed().as_secs_f64();
            start.after = proc::memory(process).0;
        }
        Ok(starts)
    }

    /// From the start to the first search, and the memory of all objects.
    fn start(&mut self) -> Result<Vec<Comparison>, LabError> {
        let what = format!("LDAP, {PEOPLE} people and {GROUPS} groups");
        let sides = ["slapd", "the tenant"];
        let mut starts =
            Comparison::new(format!("{what}: from the start to the first search"), "s", "", &sides);
        let sides = ["slapd", "slapd, after a search", "the tenant", "the tenant, after a search"];
        let mut resident = Comparison::new(format!("{what}: memory after the start"), "MiB", "", &sides);
        let mut each = Vec::new();
        for _ in 0..LONG_ROUNDS {
            let [slapd, tenant] = self.start_again()?;
            starts.round(&[slapd.seconds, tenant.seconds]);
            resident.round(&[slapd.before, slapd.after, tenant.before, tenant.after]);
            each.push((tenant.after - tenant.before) * 1024.0 / f64::from(PEOPLE + GROUPS));
        }
        resident.note = format!(
            "The tenant: {:.2} KiB for each object, with its {:.1} memberships. slapd's pages of its file count as \
             soon as they are read.",
            median(each),
            f64::from(population::GROUPS_OF_A_PERSON)
        );
        eprintln!("    ldap: {LONG_ROUNDS} starts");
        Ok(vec![starts, resident])
    }

    /// Searches a second, and what each costs.
    fn searches(&self) -> Result<Vec<Comparison>, LabError> {
        let sides = ["slapd", "the tenant"];
        let new =
            |what: String, unit, aim| Comparison::new(format!("LDAP searches {what}"), unit, aim, &sides);
        let mut rates = Vec::new();
        for busy in BUSY {
            let plural = if busy == 1 { "" } else { "s" };
            for by in By::ALL {
                rates.push((
                    busy,
                    by,
                    new(format!("by {}, {busy} connection{plural}", by.name()), "/s", "1×"),
                ));
            }
        }
        let cpu_sides = ["slapd", "the tenant", "the client of slapd", "the client of the tenant"];
        let mut cpu = By::ALL.map(|by| {
            let what = format!("CPU of an LDAP search by {}, {MOST_BUSY} connections", by.name());
            (by, Comparison::new(what, "µs", "", &cpu_sides), Vec::new())
        });
        let mut both = self.sides(MOST_BUSY)?;
        for round in 0..ROUNDS {
            for (busy, by, table) in &mut rates {
                let [slapd, tenant] =
                    self.in_turns(round, &mut both, async |side| side.at_full_load(*by, *busy, TIME).await)?;
                table.round(&[slapd.rate, tenant.rate]);
                if let Some((_, cpu, bytes)) = cpu.iter_mut().find(|(of, ..)| *busy == MOST_BUSY && of == by)
                {
                    cpu.round(&[slapd.server, tenant.server, slapd.client, tenant.client]);
                    bytes.push((slapd.bytes, tenant.bytes));
                }
            }
            eprintln!("    ldap: round {} of {ROUNDS} of searches", round + 1);
        }
        let cpu = cpu.into_iter().map(|(_, mut table, bytes)| {
            let (slapd, tenant): (Vec<_>, Vec<_>) = bytes.into_iter().unzip();
            table.note =
                format!("Bytes of an answer: slapd {:.0}, the tenant {:.0}.", median(slapd), median(tenant));
            table
        });
        Ok(rates.into_iter().map(|(.., table)| table).chain(cpu).collect())
    }

    /// How long each search takes at half of the full load: with servers and clients on one core, where no wake-up crosses
    /// cores, and on all.
    fn half_load(&self) -> Result<Vec<Comparison>, LabError> {
        let all_cores = proc::cores_allowed();
        let first_core: String = all_cores.chars().take_while(char::is_ascii_digit).collect();
        let servers = self.processes()?;
        let place = |cores: &str| {
            servers
                .into_iter()
                .chain([std::process::id()])
                .try_for_each(|process| proc::place(process, cores))
        };
        // 1. A server that answers without looking, with an entry as the tenant's.
        let ours = self.ours()?;
        let prepared = self.runtime.block_on(async {
            let search = By::Uid.search(1);
            let entry = Connection::open(&ours).await?.search(&search, false).await?.last;
            prepared::serve(self.ca.parent().unwrap_or(&self.ca), entry).await
        })?;
        let [slapd, tenant] = self.sides(MOST_BUSY)?;
        let prepared = Target { address: prepared, ..ours };
        let prepared = self.runtime.block_on(Side::new(&prepared, servers[1], MOST_BUSY))?;
        let mut all = [slapd, tenant, prepared];
        let mut tables = Vec::new();
        for (placed, cores) in [("all on one core", &first_core), ("on all cores", &all_cores)] {
            place(cores)?;
            // 2. The full load there.
            let mut full = [f64::NAN; 2];
            for (side, full) in all.iter_mut().zip(&mut full) {
                let mut rates = Vec::new();
                for _ in 0..LONG_ROUNDS {
                    rates.push(self.runtime.block_on(side.at_full_load(By::Uid, MOST_BUSY, TIME))?.rate);
                }
                *full = median(rates);
            }
            // 3. Half of it: of the own, of slapd's, and without looking.
            let half = full.map(|rate| rate / 2.0);
            let runs = [(0, half[0]), (1, half[1]), (1, half[0]), (2, half[1])];
            let sides = [
                "slapd",
                "the tenant",
                "the tenant, at slapd's rate",
                "prepared answers, at the tenant's rate",
            ];
            let new = |what, aim| {
                let what = format!(
                    "LDAP searches by uid at half of the full load, {MOST_BUSY} connections, {placed}: {what}"
                );
                Comparison::new(what, "ms", aim, &sides)
            };
            let (mut p50, mut p99) = (new("p50", ""), new("p99", "the tenant at most 5 ms"));
            for round in 0..ROUNDS {
                let mut values = [[f64::NAN; 2]; 4];
                for turn in [0, 1, 2, 3].map(|turn| (round + turn) % 4) {
                    let (side, rate) = runs[turn];
                    let run = self.runtime.block_on(all[side].at_rate(By::Uid, rate, HALF_LOAD_TIME))?;
                    values[turn] = [run.p50, run.p99];
                }
                p50.round(&values.map(|[p50, _]| p50));
                p99.round(&values.map(|[_, p99]| p99));
            }
            p99.note = format!("Rates: slapd {:.0}/s, the tenant {:.0}/s.", half[0], half[1]);
            tables.extend([p50, p99]);
            eprintln!("    ldap: half load, {placed}");
        }
        Ok(tables)
    }

    /// Runs both sides, each first in every other round.
    fn in_turns(
        &self,
        round: usize,
        both: &mut [Side; 2],
        run: impl AsyncFn(&mut Side) -> Result<Run, LabError>,
    ) -> Result<[Run; 2], LabError> {
        let mut runs = [None, None];
        for side in [0, 1].map(|turn| (round + turn) % 2) {
            runs[side] = Some(self.runtime.block_on(run(&mut both[side]))?);
        }
        match runs {
            [Some(slapd), Some(tenant)] => Ok([slapd, tenant]),
            _ => Err(failed("searching", "a side did not run")),
        }
    }

    /// memberOf of one person: the own groups, and all of 200 groups in groups.
    fn member_of(&mut self) -> Result<Vec<Comparison>, LabError> {
        let own = u64::from(population::GROUPS_OF_A_PERSON);
        let (slapd, ours) = (self.slapds()?, self.ours()?);
        let mut direct = Comparison::new(
            "LDAP: reads of memberOf, a person's own groups",
            "/s",
            "",
            &["slapd, memberof", "the tenant"],
        );
        let read = async |connection: &mut Connection, person: u32, reads: usize, expected: u64| {
            let search = Search::new(&population::dn(person), Scope::Base, &present(), &["memberOf"]);
            let began = Instant::now();
            for _ in 0..reads {
                let values = connection.search(&search, false).await?.values();
                if values as u64 != expected {
                    return Err(failed("memberOf", &format!("{values} values instead of {expected}")));
                }
            }
            Ok(reads as f64 / began.elapsed().as_secs_f64())
        };
        self.runtime.block_on(async {
            let mut both = [Connection::open(&slapd).await?, Connection::open(&ours).await?];
            for round in 0..ROUNDS {
                let mut values = [f64::NAN; 2];
                for side in [0, 1].map(|turn| (round + turn) % 2) {
                    values[side] = read(&mut both[side], 1, READS, own).await?;
                }
                direct.round(&values);
            }
            Ok::<_, LabError>(())
        })?;
        // Groups in groups: the same, and what a client does on a server that does not follow them.
        self.nested.serve()?;
        let peer = Target::new(self.nested.address(), SLAPD_NAME, SLAPD_PASSWORD, &self.ca)?;
        let ours = Target::new(self.address, "cn=effective,ou=applications", &self.effective, &self.ca)?;
        let sides = ["slapd, dynlist", "a search on slapd for each group", "the tenant, effective"];
        let what = format!("LDAP: reads of memberOf, a person in {NESTED} groups in groups");
        let mut nested = Comparison::new(what, "/s", "", &sides);
        self.runtime.block_on(async {
            let mut peer = Connection::open(&peer).await?;
            let mut plain = Connection::open(&slapd).await?;
            let mut ours = Connection::open(&ours).await?;
            for _ in 0..ROUNDS {
                nested.round(&[
                    read(&mut peer, 0, NESTED_READS, NESTED.into()).await?,
                    one_by_one(&mut plain).await?,
                    read(&mut ours, 0, READS, NESTED.into()).await?,
                ]);
            }
            Ok::<_, LabError>(())
        })?;
        self.nested.stop()?;
        eprintln!("    ldap: memberOf");
        Ok(vec![direct, nested])
    }

    /// A dump of everybody in pages, and the memory meanwhile.
    fn dump(&mut self) -> Result<Vec<Comparison>, LabError> {
        let what = format!("LDAP: a dump of {PEOPLE} people in pages of {PAGE}");
        let mut seconds = Comparison::new(what.clone(), "s", "", &["slapd", "the tenant"]);
        let sides = [
            "slapd, before",
            "slapd, at the peak",
            "slapd, after",
            "the tenant, before",
            "the tenant, at the peak",
            "the tenant, after",
        ];
        let mut memory =
            Comparison::new(format!("{what}, memory"), "MiB", "the tenant at most 200 MiB", &sides);
        let search = Search::new(BASE, Scope::Subtree, &equality("objectClass", "inetOrgPerson"), &["*"]);
        let mut bytes = [0; 2];
        for round in 0..LONG_ROUNDS {
            self.start_again()?;
            let processes = self.processes()?;
            let mut took = [f64::NAN; 2];
            let mut resident = [[f64::NAN; 3]; 2];
            for side in [0, 1].map(|turn| (round + turn) % 2) {
                let target = if side == 0 { self.slapds()? } else { self.ours()? };
                resident[side][0] = proc::memory(processes[side]).0;
                proc::forget_peak(processes[side])?;
                let began = Instant::now();
                bytes[side] = self.runtime.block_on(dumped(&target, &search))?;
                took[side] = began.elapsed().as_secs_f64();
                (resident[side][2], resident[side][1]) = proc::memory(processes[side]);
            }
            seconds.round(&took);
            memory.round(resident.as_flattened());
        }
        seconds.note = format!("Bytes: slapd {} MiB, the tenant {} MiB.", bytes[0] >> 20, bytes[1] >> 20);
        eprintln!("    ldap: {LONG_ROUNDS} dumps");
        Ok(vec![seconds, memory])
    }

    /// Connections that wait: their memory, and the searches of others beside them.
    fn idle(&mut self) -> Result<Vec<Comparison>, LabError> {
        let sides = ["slapd", "the tenant"];
        let mut each = Comparison::new("LDAP: memory of an idle connection", "KiB", "at most 40 KiB", &sides);
        let what = format!("LDAP searches by uid, {MOST_BUSY} connections beside {IDLE} idle ones");
        let mut rates = Comparison::new(what, "/s", "1×", &sides);
        for round in 0..LONG_ROUNDS {
            self.start_again()?;
            let processes = self.processes()?;
            let mut both = self.sides(MOST_BUSY)?;
            let targets = [self.slapds()?, self.ours()?];
            // Threads and buffers of the busy ones are there before the idle ones are counted.
            self.in_turns(round, &mut both, async |side| side.at_full_load(By::Uid, MOST_BUSY, TIME).await)?;
            let (mut waiting, mut kib) = (Vec::new(), Vec::new());
            for (target, process) in targets.iter().zip(processes) {
                let before = proc::memory(process).0;
                self.runtime.block_on(async {
                    for _ in 0..IDLE {
                        waiting.push(Connection::open(target).await?);
                    }
                    Ok::<_, LabError>(())
                })?;
                kib.push((proc::memory(process).0 - before) * 1024.0 / IDLE as f64);
            }
            each.round(&kib);
            let runs = self
                .in_turns(round, &mut both, async |side| side.at_full_load(By::Uid, MOST_BUSY, TIME).await)?;
            rates.round(&runs.map(|run| run.rate));
            eprintln!("    ldap: round {} of {LONG_ROUNDS} of idle connections", round + 1);
        }
        Ok(vec![each, rates])
    }

    /// Binds of people, beside sign-ins of the same people by the API.
    fn sign_ins(&self) -> Result<Comparison, LabError> {
        let what = format!("Sign-ins by digest, entra, {SIGN_INS_AT_ONCE} at once");
        let mut all = Comparison::new(what, "/s", "", &["by the API", "LDAP binds"]);
        let app = Application::of(&self.tenant, "bench")?;
        let mut connections = self.runtime.block_on(async {
            let target = self.ours()?;
            let mut connections = Vec::new();
            for _ in 0..SIGN_INS_AT_ONCE {
                connections.push(Connection::open(&target).await?);
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
                    connections = self.runtime.block_on(bound(connections, SIGN_INS, people))?;
                }
                rates[side] = f64::from(SIGN_INS) / began.elapsed().as_secs_f64();
            }
            all.round(&rates);
        }
        eprintln!("    ldap: {ROUNDS} rounds of sign-ins");
        Ok(all)
    }
}

/// `(objectClass=*)`.
fn present() -> Vec<u8> {
    [&[0x87, 11], &b"objectClass"[..]].concat()
}

/// How often a second a client could do what it does that wants all groups of person 0 from a server that does not follow groups: a
/// search for the groups around the person, and around each group that is found.
async fn one_by_one(connection: &mut Connection) -> Result<f64, LabError> {
    let began = Instant::now();
    let mut found = std::collections::BTreeSet::new();
    let mut open = vec![population::dn(0)];
    while let Some(member) = open.pop() {
        let search = Search::new(BASE, Scope::Subtree, &equality("member", &member), &["1.1"]);
        for group in connection.search(&search, true).await?.names {
            if found.insert(group.clone()) {
                open.push(group);
            }
        }
    }
    if found.len() == NESTED as usize {
        Ok(1.0 / began.elapsed().as_secs_f64())
    } else {
        Err(failed("groups one by one", &format!("{} groups", found.len())))
    }
}

/// Reads all pages. Returns their bytes.
async fn dumped(target: &Target, search: &Search) -> Result<u64, LabError> {
    let mut connection = Connection::open(target).await?;
    let (mut entries, mut bytes, mut cookie) = (0, 0, Vec::new());
    loop {
        let page = connection.search(&search.paged(PAGE, &cookie), false).await?;
        entries += page.entries;
        bytes += page.bytes;
        cookie = page.cookie;
        if cookie.is_empty() {
            break;
        }
    }
    if entries == u64::from(PEOPLE) {
        Ok(bytes)
    } else {
        Err(failed("a dump", &format!("{entries} entries")))
    }
}

/// Binds `count` people on these connections.
pub(crate) async fn bound(
    connections: Vec<Connection>,
    count: u32,
    people: impl Fn(u32) -> u32 + Copy + Send + 'static,
) -> Result<Vec<Connection>, LabError> {
    let next = Arc::new(AtomicU32::new(0));
    let task = |mut connection: Connection| {
        let next = next.clone();
        tokio::spawn(async move {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    return Ok::<_, LabError>(connection);
                }
                connection.bind(&population::dn(people(nth)), PASSWORD).await?;
            }
        })
    };
    let tasks: Vec<_> = connections.into_iter().map(task).collect();
    let mut connections = Vec::new();
    for task in tasks {
        connections.push(task.await.map_err(|why| failed("binding", &why))??);
    }
    Ok(connections)
}
