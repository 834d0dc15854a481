//! `make bench-pta`: sign-ins a second and their latency through tenant and agent, beside bare LDAPS binds on as many
//! kept connections, in turns in one run. Every figure is a ratio to the peer of the same round; the machine is shared.
//!
//! The peer is the same bind as the agent's, by `<GUID=…>`; what a bind by UPN costs the DC is printed beside it. Samba
//! spreads connections over processes by chance, so every side makes its connections anew in every round.
//!
//! Twice: with the DC on a core of its own, as it is on a machine of its own (what tenant and agent add to it), and with
//! all on the same cores (what tenant and agent cost in CPU, for they take it from the DC).

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
const ROUNDS: usize = 12;
/// Sign-ins of one side in one round.
const EACH: usize = 480;
/// At once, and kept connections.
const AT_ONCE: usize = 8;
/// Before a sign-in that is alone, on every side: a machine that was idle for a moment is slower at the next one.
const ALONE: Duration = Duration::from_millis(5);

struct Run {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// What the machine's cores did not do meanwhile, of all.
    idle: f64,
}

/// The sides of one round.
struct Round {
    by_upn: Run,
    by_guid: Run,
    through: Run,
    /// Of tenant and agent for one sign-in, in milliseconds.
    cpu: f64,
}

/// Who binds, and with which password.
type Binds = Arc<Vec<(String, String)>>;

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
    let upns = people.iter().map(|who| (who.upn.clone(), who.password.clone())).collect();
    let [upns, guids]: [Binds; 2] = [Arc::new(upns), Arc::new(by_guid(&app, &people)?)];

    println!(
        "\n  {ROUNDS} rounds of {EACH} sign-ins each way in turns, right passwords of {} people\n",
        people.len()
    );
    for (apart, at_once) in [(true, 1), (true, AT_ONCE), (false, 1), (false, AT_ONCE)] {
        place(&domain, &tenant, &agent, apart)?;
        let each = if at_once == 1 { EACH / 4 } else { EACH };
        let bare = |binds: &Binds| bare(&runtime, &tls, &domain, binds, at_once, each);
        let through = || {
            agent.kill();
            agent.run()?;
            tenant.wait_for_connections(2, 30)?;
            // Its connections to the DC are made before anything is measured, as the peers' are.
            through(&app, &people, at_once, 4 * at_once)?;
            let busy = || [tenant.process(), agent.process()].into_iter().flatten().map(cpu).sum::<f64>();
            let before = busy();
            let run = through(&app, &people, at_once, each)?;
            Ok::<_, LabError>((run, (busy() - before) / each as f64 * 1e3))
        };
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let (by_upn, by_guid, (through, cpu)) = match round % 3 {
                0 => (bare(&upns)?, bare(&guids)?, through()?),
                1 => {
                    let (through, by_upn) = (through()?, bare(&upns)?);
                    (by_upn, bare(&guids)?, through)
                }
                _ => {
                    let (by_guid, through) = (bare(&guids)?, through()?);
                    (bare(&upns)?, by_guid, through)
                }
            };
            rounds.push(Round { by_upn, by_guid, through, cpu });
        }
        report(apart, at_once, each, &rounds);
    }
    let memory = agent.process().and_then(resident).unwrap_or(0);
    println!("  agent's resident memory after all of it: {memory} KiB\n");
    Ok(())
}

/// How the agent binds: the tenant tells each person's objectGUID with a sign-in.
fn by_guid(app: &Application, people: &[Person]) -> Result<Vec<(String, String)>, LabError> {
    let tries: Vec<Try> = people.iter().map(|who| Try::from(who.index, &who.upn, &who.password)).collect();
    let answers = app.sign_all_in(&tries, AT_ONCE)?;
    let named = people.iter().zip(&answers).map(|(who, answer)| {
        let object = answer.body["object"].as_str().ok_or_else(|| step("a sign-in", &answer.body))?;
        Ok((format!("<GUID={object}>"), who.password.clone()))
    });
    named.collect()
}

/// The DC on the first core and everything else on the second, or all on all.
fn place(domain: &Domain, tenant: &Tenant, agent: &PtaAgent, apart: bool) -> Result<(), LabError> {
    let (theirs, ours) = if apart { ("0", "1") } else { ("0-1", "0-1") };
    let ours = [Some(std::process::id()), tenant.process(), agent.process()].map(|process| (process, ours));
    let theirs = group(domain.process()).into_iter().map(|process| (Some(process), theirs));
    for (process, cores) in theirs.chain(ours) {
        let Some(process) = process else { continue };
        let set = std::process::Command::new("taskset").args(["-acp", cores, &process.to_string()]).output();
        let set = set.map_err(|why| step("taskset", why))?;
        // A process of the DC's may just have ended.
        if !set.status.success() && std::path::Path::new(&format!("/proc/{process}")).exists() {
            return Err(step("taskset", String::from_utf8_lossy(&set.stderr)));
        }
    }
    Ok(())
}

/// The processes of a group (proc(5), `/proc/pid/stat`: field 5).
fn group(leader: Option<u32>) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|process| leader.is_some() && stat(*process).get(2).and_then(|f| f.parse().ok()) == leader)
        .collect()
}

/// What `/proc/pid/stat` says after the name: from field 3 on.
fn stat(process: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().map(str::to_owned).collect()
}

fn report(apart: bool, at_once: usize, each: usize, rounds: &[Round]) {
    let over = |of: &dyn Fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let line = |what: &str, unit: &str, (median, least, most): (f64, f64, f64)| {
        println!("  {what:<58}{median:>9.2} {unit:<4} ({least:.2} to {most:.2})");
    };
    let cores = if apart { "the DC on a core of its own" } else { "all on the same two cores" };
    println!("  {cores}; {at_once} at once, {each} sign-ins a side and round, N = {} rounds", rounds.len());
    if at_once > 1 {
        line("bare binds by UPN", "/s", over(&|r| r.by_upn.per_second));
        line("bare binds by GUID", "/s", over(&|r| r.by_guid.per_second));
        line("through tenant and agent", "/s", over(&|r| r.through.per_second));
        let ratio = |r: &Round| r.through.per_second / r.by_guid.per_second;
        line("ratio, through to bare by GUID (aim 0.9)", "", over(&ratio));
        line("ratio, through to bare by UPN", "", over(&|r| r.through.per_second / r.by_upn.per_second));
    }
    line("bare by UPN, p50", "ms", over(&|r| r.by_upn.p50));
    line("bare by GUID, p50", "ms", over(&|r| r.by_guid.p50));
    line("bare by GUID, p99", "ms", over(&|r| r.by_guid.p99));
    line("through, p50", "ms", over(&|r| r.through.p50));
    line("through, p99", "ms", over(&|r| r.through.p99));
    line("added at p50 to a bind by GUID (aim 2)", "ms", over(&|r| r.through.p50 - r.by_guid.p50));
    line("share of the time that is the DC's, at p50", "", over(&|r| r.by_guid.p50 / r.through.p50));
    line("CPU of tenant and agent, a sign-in", "ms", over(&|r| r.cpu));
    if at_once > 1 {
        line("idle cores while bare by GUID", "%", over(&|r| 100.0 * r.by_guid.idle));
        line("idle cores while through", "%", over(&|r| 100.0 * r.through.idle));
    }
    println!();
}

fn through(app: &Application, people: &[Person], at_once: usize, each: usize) -> Result<Run, LabError> {
    let tries: Vec<Try> =
        people.iter().cycle().take(each).map(|who| Try::from(who.index, &who.upn, &who.password)).collect();
    let (began, cores) = (Instant::now(), cores());
    let answers =
        if at_once == 1 { app.sign_in_one_by_one(&tries, ALONE)? } else { app.sign_all_in(&tries, at_once)? };
    let took = began.elapsed();
    if let Some(amiss) = answers.iter().find(|answer| !answer.accepted()) {
        return Err(step("a sign-in", format!("{} {}", amiss.status, amiss.body)));
    }
    Ok(run(answers.iter().map(|answer| answer.took).collect(), took, cores))
}

fn bare(
    runtime: &tokio::runtime::Runtime,
    tls: &Arc<ClientConfig>,
    domain: &Domain,
    binds: &Binds,
    at_once: usize,
    each: usize,
) -> Result<Run, LabError> {
    let url = format!("ldaps://{}:636", domain.address());
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
        let (began, cores) = (Instant::now(), cores());
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
        Ok(run(times, began.elapsed(), cores))
    })
}

fn run(mut times: Vec<Duration>, took: Duration, before: (f64, f64)) -> Run {
    let (idle, all) = cores();
    let idle = (idle - before.0) / (all - before.1).max(1.0);
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Run { per_second: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99), idle }
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

/// Idle and all ticks of the machine's cores (proc(5), `/proc/stat`).
fn cores() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = ticks.filter_map(|tick| tick.parse().ok()).collect();
    (ticks.get(3..5).unwrap_or_default().iter().sum(), ticks.iter().sum())
}

/// Seconds of CPU that a process has used (proc(5), `/proc/pid/stat`: fields 14 and 15, in hundredths).
fn cpu(process: u32) -> f64 {
    stat(process).iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn step(what: &str, why: impl std::fmt::Display) -> LabError {
    LabError::Step { step: what.to_owned(), said: why.to_string() }
}
