//! Sign-ins through tenant and agent, beside bare LDAPS binds on as many kept connections.
//!
//! The peer is the same bind as the agent's, by the SID; what a bind by UPN costs the DC is shown beside it. Samba
//! spreads connections over processes by chance, so every side makes its connections anew in every round.
//!
//! Twice: with the DC on a core of its own, as it is on a machine of its own (what tenant and agent add to it), and
//! with all on the same cores (what tenant and agent cost in CPU, for they take it from the DC).

use crate::proc;
use crate::report::Comparison;
use crate::signins::{accepted, people, tries};
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::{
    Application, Domain, LabError, Person, Population, PtaAgent, PtaSettings, RunningTenant, Try, trusting,
};
use ldap3::{LdapConnAsync, LdapConnSettings};
use rustls::ClientConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const USERS: u32 = 500;
const ROUNDS: usize = 9;
/// Sign-ins of one side in one round; when alone, a quarter.
const EACH: usize = 480;
/// At once, and kept connections.
pub(crate) const AT_ONCE: usize = 8;
/// Before a sign-in that is alone, on every side: a machine that was idle for a moment is slower at the next one.
const ALONE: Duration = Duration::from_millis(5);

struct Run {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// How much of the machine's cores was used meanwhile, in per cent.
    busy: f64,
}

/// Who binds, and with which password.
type Binds = Arc<Vec<(String, String)>>;

/// Domain, tenant and agent.
struct Road<'a> {
    domain: &'a Domain,
    tenant: &'a RunningTenant,
    agent: &'a PtaAgent,
    app: Application,
    people: Vec<Person>,
}

/// Both placements, alone and many at once.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(USERS))?;
    let (tenant, agent) = through_an_agent(&domain)?;
    let people = people(USERS);
    let app = Application::of(&tenant, "bench")?;
    let road = Road { domain: &domain, tenant: &tenant, agent: &agent, app, people };
    let runtime = Runtime::new().map_err(|why| LabError::said("a runtime", &why))?;
    let mine = proc::cores_allowed();
    let mut all = Vec::new();
    for (placed, theirs, ours) in [("DC on a core of its own", "0", "1"), ("all on two cores", "0-1", "0-1")]
    {
        road.place(theirs, ours)?;
        for at_once in [1, AT_ONCE] {
            all.extend(of(&road, &runtime, placed, at_once)?);
        }
    }
    road.place(&mine, &mine)?;
    Ok(all)
}

/// A tenant that asks an agent for every sign-in, and that agent.
pub(crate) fn through_an_agent(domain: &Domain) -> Result<(RunningTenant, PtaAgent), LabError> {
    let (tenant, phs) = joined(domain, Profile::Entra)?;
    phs.once(&[])?.expect_code(0);
    tenant.set_policy("pta")?.expect_code(0);
    let kept = u16::try_from(AT_ONCE).unwrap_or(8);
    let settings = PtaSettings { level: "warn", kept, ..PtaSettings::for_domain(domain) };
    let agent = PtaAgent::start(&settings, &tenant)?;
    tenant.wait_for_connections(2, 30)?;
    Ok((tenant, agent))
}

fn of(road: &Road<'_>, runtime: &Runtime, placed: &str, at_once: usize) -> Result<Vec<Comparison>, LabError> {
    let each = if at_once == 1 { EACH / 4 } else { EACH };
    let sides = ["bare binds by SID", "bare binds by UPN", "through tenant and agent"];
    let alone = if at_once == 1 { "alone".to_owned() } else { format!("{at_once} at once") };
    let table = |what: &str, unit, aim, sides: &[&str]| {
        Comparison::new(format!("Sign-ins through agents, {alone}, {placed}: {what}"), unit, aim, sides)
    };
    let mut rates = table("a second", "/s", "0.9×", &sides);
    let mut p50 = table("p50", "ms", if at_once == 1 { "2 ms more" } else { "" }, &sides);
    let mut p99 = table("p99", "ms", "", &sides);
    let mut busy = table("busy cores meanwhile", "%", "", &sides);
    let mut cpu = table("CPU of one", "ms", "", &["tenant", "agent"]);
    let tls = trusting(&road.domain.ca())?;
    let [sids, upns] = road.binds()?;
    let bare = |binds: &Binds| runtime.block_on(bare(&tls, road.domain, binds, at_once, each));
    for round in 0..ROUNDS {
        let mut runs = [None, None, None];
        for side in [0, 1, 2].map(|turn| (round + turn) % 3) {
            runs[side] = Some(match side {
                0 => bare(&sids)?,
                1 => bare(&upns)?,
                _ => road.through(at_once, each, &mut cpu)?,
            });
        }
        let take = |table: &mut Comparison, of: fn(&Run) -> f64| {
            table.round(&runs.each_ref().map(|run| run.as_ref().map_or(f64::NAN, of)));
        };
        take(&mut rates, |run| run.per_second);
        take(&mut p50, |run| run.p50);
        take(&mut p99, |run| run.p99);
        take(&mut busy, |run| run.busy);
    }
    eprintln!("    pta, {placed}, {alone}: {ROUNDS} rounds");
    Ok(if at_once == 1 { vec![p50, p99] } else { vec![rates, p50, p99, busy, cpu] })
}

impl Road<'_> {
    /// As the agent binds, and by UPN.
    fn binds(&self) -> Result<[Binds; 2], LabError> {
        let sids =
            self.people.iter().map(|who| Ok((self.domain.identity(&who.sam)?.sid, who.password.clone())));
        let upns = self.people.iter().map(|who| (who.upn.clone(), who.password.clone()));
        Ok([Arc::new(sids.collect::<Result<_, LabError>>()?), Arc::new(upns.collect())])
    }

    fn tries(&self, count: usize) -> Vec<Try> {
        tries(&self.people, count)
    }

    /// The DC on these cores, and everything else on those.
    fn place(&self, theirs: &str, ours: &str) -> Result<(), LabError> {
        let us = [Some(std::process::id()), self.tenant.process(), self.agent.process()];
        let us = us.into_iter().flatten().map(|process| (process, ours));
        let them = self.domain.process().map(proc::group).unwrap_or_default();
        for (process, cores) in them.into_iter().map(|process| (process, theirs)).chain(us) {
            proc::place(process, cores)?;
        }
        Ok(())
    }

    /// With an agent that has just connected; and what one sign-in costs tenant and agent.
    fn through(&self, at_once: usize, each: usize, cpu: &mut Comparison) -> Result<Run, LabError> {
        self.agent.kill();
        self.agent.run()?;
        self.tenant.wait_for_connections(2, 30)?;
        // Its connections to the DC are made before anything is measured, as the peers' are.
        self.sign_in(at_once, 4 * at_once)?;
        let busy = || {
            [self.tenant.process(), self.agent.process()].map(|process| process.map_or(f64::NAN, proc::cpu))
        };
        let before = busy();
        let run = self.sign_in(at_once, each)?;
        let after = busy();
        cpu.round(&[0, 1].map(|of| (after[of] - before[of]) / each as f64 * 1e3));
        Ok(run)
    }

    fn sign_in(&self, at_once: usize, each: usize) -> Result<Run, LabError> {
        let tries = self.tries(each);
        let (began, cores) = (Instant::now(), proc::cores());
        let answers = if at_once == 1 {
            self.app.sign_in_one_by_one(&tries, ALONE)?
        } else {
            self.app.sign_all_in(&tries, at_once)?
        };
        let took = began.elapsed();
        accepted(&answers)?;
        Ok(run(answers.iter().map(|answer| answer.took).collect(), took, cores))
    }
}

async fn bare(
    tls: &Arc<ClientConfig>,
    domain: &Domain,
    binds: &Binds,
    at_once: usize,
    each: usize,
) -> Result<Run, LabError> {
    let url = format!("ldaps://{}:636", domain.address());
    let mut kept = Vec::new();
    for _ in 0..at_once {
        let settings = LdapConnSettings::new().set_config(tls.clone());
        let connected = LdapConnAsync::with_settings(settings, &url).await;
        let (driver, ldap) = connected.map_err(|why| LabError::said("a connection", &why))?;
        tokio::spawn(driver.drive());
        kept.push(ldap);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let (began, cores) = (Instant::now(), proc::cores());
    let binding = kept.into_iter().map(|mut ldap| {
        let (binds, next) = (binds.clone(), next.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= each {
                    return Ok::<_, LabError>(took);
                }
                let (who, password) = &binds[at % binds.len()];
                if at_once == 1 {
                    tokio::time::sleep(ALONE).await;
                }
                let began = Instant::now();
                let bound = ldap.simple_bind(who, password).await;
                let bound = bound.and_then(ldap3::LdapResult::success);
                bound.map_err(|why| LabError::said("a bare bind", &why))?;
                took.push(began.elapsed());
            }
        })
    });
    let binding: Vec<_> = binding.collect();
    let mut times = Vec::new();
    for one in binding {
        times.extend(one.await.map_err(|why| LabError::said("a bare bind", &why))??);
    }
    Ok(run(times, began.elapsed(), cores))
}

fn run(mut times: Vec<Duration>, took: Duration, before: (f64, f64)) -> Run {
    let (idle, all) = proc::cores();
    let busy = 100.0 * (1.0 - (idle - before.0) / (all - before.1).max(1.0));
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Run { per_second: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99), busy }
}
