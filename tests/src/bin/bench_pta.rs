//! `make bench-pta`: sign-ins a second and their latency through tenant and agent, beside bare LDAPS binds on as many
//! kept connections, in turns in one run. Every figure is a ratio to the peer of the same round; the machine is shared.

#![allow(clippy::print_stdout, reason = "it is all for a person to read")]
#![allow(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "a benchmark's arithmetic")]

use landbridge_tests::lab::{
    Application, Domain, LabError, Person, Phs, PhsSettings, Population, PtaAgent, PtaSettings, Tenant,
    TenantSettings, Try, person,
};
use ldap3::{LdapConnAsync, LdapConnSettings};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const USERS: u32 = 500;
const ROUNDS: usize = 10;
/// Sign-ins of one side in one round.
const EACH: usize = 600;
/// At once, and kept connections.
const AT_ONCE: usize = 8;

struct Run {
    per_second: f64,
    p50: f64,
    p99: f64,
}

fn main() -> Result<(), LabError> {
    let people: Vec<Person> = (0..USERS).map(person).filter(|p| p.index % 10 != 6).collect();
    let domain = Domain::start(Population::of(USERS))?;
    let tenant = Tenant::start_for(&domain, &TenantSettings { level: "warn", ..TenantSettings::default() })?;
    let phs = Phs::install(&PhsSettings { level: "warn", ..PhsSettings::for_domain(&domain, "entra") })?;
    phs.join(&tenant)?;
    phs.once(&[])?.expect_code(0);
    tenant.set_policy("pta")?.expect_code(0);
    let kept = u16::try_from(AT_ONCE).unwrap_or(8);
    let settings = PtaSettings { level: "warn", kept, ..PtaSettings::for_domain(&domain) };
    let agent = PtaAgent::start(&settings, &tenant)?;
    tenant.wait_for_connections(2, 30)?;
    let app = Application::of(&tenant, "bench")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|why| step("a runtime", why))?;
    let tls = trusting(&domain)?;

    println!(
        "\n  {ROUNDS} rounds of {EACH} sign-ins each way in turns, right passwords of {} people\n",
        people.len()
    );
    for at_once in [1, AT_ONCE] {
        let each = if at_once == 1 { EACH / 4 } else { EACH };
        // Both roads are walked once before anything is measured.
        bare(&runtime, &tls, &domain, &people, at_once, each / 4)?;
        through(&app, &people, at_once, each / 4)?;
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let (peer, ours) = if round % 2 == 0 {
                let peer = bare(&runtime, &tls, &domain, &people, at_once, each)?;
                (peer, through(&app, &people, at_once, each)?)
            } else {
                let ours = through(&app, &people, at_once, each)?;
                (bare(&runtime, &tls, &domain, &people, at_once, each)?, ours)
            };
            rounds.push((peer, ours));
        }
        report(at_once, each, &rounds);
    }
    let memory = agent.process().and_then(resident).unwrap_or(0);
    println!("  agent's resident memory after all of it: {memory} KiB\n");
    Ok(())
}

fn report(at_once: usize, each: usize, rounds: &[(Run, Run)]) {
    let over = |of: &dyn Fn(&(Run, Run)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let line = |what: &str, unit: &str, (median, least, most): (f64, f64, f64)| {
        println!("  {what:<58}{median:>9.2} {unit:<4} ({least:.2} to {most:.2})");
    };
    println!("  {at_once} at once, {each} sign-ins a side and round, N = {} rounds", rounds.len());
    line("bare binds", "/s", over(&|r| r.0.per_second));
    line("through tenant and agent", "/s", over(&|r| r.1.per_second));
    line("ratio, through to bare (aim 0.9)", "", over(&|r| r.1.per_second / r.0.per_second));
    line("bare, p50", "ms", over(&|r| r.0.p50));
    line("bare, p99", "ms", over(&|r| r.0.p99));
    line("through, p50", "ms", over(&|r| r.1.p50));
    line("through, p99", "ms", over(&|r| r.1.p99));
    line("added at p50 (aim 2)", "ms", over(&|r| r.1.p50 - r.0.p50));
    line("share of the time that is the DC's, at p50", "", over(&|r| r.0.p50 / r.1.p50));
    println!();
}

fn through(app: &Application, people: &[Person], at_once: usize, each: usize) -> Result<Run, LabError> {
    let tries: Vec<Try> =
        people.iter().cycle().take(each).map(|who| Try::from(who.index, &who.upn, &who.password)).collect();
    let began = Instant::now();
    let answers = app.sign_all_in(&tries, at_once)?;
    let took = began.elapsed();
    if let Some(amiss) = answers.iter().find(|answer| !answer.accepted()) {
        return Err(step("a sign-in", format!("{} {}", amiss.status, amiss.body)));
    }
    Ok(run(answers.iter().map(|answer| answer.took).collect(), took))
}

fn bare(
    runtime: &tokio::runtime::Runtime,
    tls: &Arc<ClientConfig>,
    domain: &Domain,
    people: &[Person],
    at_once: usize,
    each: usize,
) -> Result<Run, LabError> {
    let url = format!("ldaps://{}:636", domain.address());
    let people: Arc<Vec<Person>> = Arc::new(people.to_vec());
    runtime.block_on(async {
        let mut kept = Vec::new();
        for _ in 0..at_once {
            let settings = LdapConnSettings::new().set_config(tls.clone());
            let (driver, ldap) = LdapConnAsync::with_settings(settings, &url)
                .await
                .map_err(|why| step("a connection", why))?;
            tokio::spawn(driver.drive());
            kept.push(ldap);
        }
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let binding = kept.into_iter().map(|mut ldap| {
            let (people, next) = (people.clone(), next.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= each {
                        return Ok::<_, LabError>(took);
                    }
                    let who = &people[at % people.len()];
                    let began = Instant::now();
                    let bound = ldap.simple_bind(&who.upn, &who.password).await;
                    let bound = bound.and_then(ldap3::LdapResult::success);
                    bound.map_err(|why| step("a bare bind", why))?;
                    took.push(began.elapsed());
                }
            })
        });
        let binding: Vec<_> = binding.collect();
        let mut times = Vec::new();
        for one in binding {
            times.extend(one.await.map_err(|why| step("a bare bind", why))??);
        }
        Ok(run(times, began.elapsed()))
    })
}

fn run(mut times: Vec<Duration>, took: Duration) -> Run {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Run { per_second: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
}

fn trusting(domain: &Domain) -> Result<Arc<ClientConfig>, LabError> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(domain.ca()).map_err(|why| step("the domain's CA", why))?;
    roots.add(ca).map_err(|why| step("the domain's CA", why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|why| step("TLS", why))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn step(what: &str, why: impl std::fmt::Display) -> LabError {
    LabError::Step { step: what.to_owned(), said: why.to_string() }
}
