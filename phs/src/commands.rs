//! What the commands do, up to the library's door. Neighbours: `main` parses, the library works.
#![allow(unreachable_pub, reason = "a module of the binary")]

use clap::Args;
use landbridge_agent::http::Client;
use landbridge_agent::key::FileError;
use landbridge_agent::{AgentError, Identity, enroll, status, tls, token};
use landbridge_phs::check;
use landbridge_phs::config::Config;
use landbridge_phs::confirm::{self, Yes};
use landbridge_phs::cycle::{Difference, Sign, Tally};
use landbridge_phs::daemon::{Daemon, Wake};
use landbridge_phs::directory::Session;
use landbridge_phs::error::PhsError;
use landbridge_phs::explain::{self, Explanation};
use landbridge_phs::findings::{Findings, Oddity};
use landbridge_phs::job::{self, Job, Kept, means};
use landbridge_phs::mirror::{Mirror, StateError};
use landbridge_phs::progress::{Lines, Screen, Witness};
use landbridge_phs::pull::Reading;
use landbridge_phs::send::{Sender, Tenant};
use landbridge_phs::status::Status;
use landbridge_phs::stop::Stop;
use landbridge_wire::enroll::Role;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use uuid::Uuid;

const SOFTWARE: &str = concat!("landbridge-phs ", env!("CARGO_PKG_VERSION"));

/// `enroll`
#[derive(Debug, Args)]
pub struct Enroll {
    /// Read the token from this file (0600) instead of standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Give up the present identity, if there is one
    #[arg(long)]
    replace: bool,
}

/// `once`
#[derive(Debug, Args)]
pub struct Once {
    /// Compare all accounts, not only what changed
    #[arg(long)]
    full: bool,
    /// Say what would be sent; send nothing, remember nothing, and have the controller withhold all passwords
    ///
    /// `+` enters the cloud, `-` leaves it, `~` changes; `!` would leave it, or lose its password, and is held back.
    #[arg(long)]
    dry_run: bool,
    /// Let so many accounts leave the scope at once: as many as `status` or `--dry-run` said are held back
    ///
    /// If more have left meanwhile, they stay. While the daemon runs, it takes this with its next cycle, within an
    /// hour.
    #[arg(long, value_name = "ACCOUNTS", conflicts_with = "dry_run")]
    confirm_removals: Option<u64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Enroll {
    pub fn run(&self, config: &Config) -> Result<u8, PhsError> {
        let means = means(config)?;
        let token = token::read(self.token_file.as_deref())?;
        let (runtime, stop) = runtime()?;
        let enrolled = runtime.block_on(async {
            tokio::select! {
                enrolled = enroll::enroll(&config.state_directory, token, Role::Phs, SOFTWARE, self.replace, &means) => {
                    enrolled.map_err(PhsError::from)
                }
                () = stop.raised() => Err(PhsError::Interrupted),
            }
        })?;
        let identity = &enrolled.identity;
        say(&format!("enrolled as agent {} for {} at {}", identity.agent, identity.domain, identity.url))?;
        if !enrolled.approved {
            say(&format!(
                "The tenant's administrator must approve it: landbridge-tenant agents approve {}",
                identity.agent
            ))?;
        }
        Ok(0)
    }
}

/// `check`
pub fn check(file: &Path, config: &Config, json: bool) -> Result<u8, PhsError> {
    let (runtime, stop) = runtime()?;
    let mut asking = |identity: &Identity| -> Result<Box<dyn Tenant>, PhsError> {
        let client = Client::through(&identity.url, tls::enrolled(identity)?, config.tenant.open()?)?;
        Ok(Box::new(Sender::new(client, runtime.handle().clone(), stop.clone())))
    };
    let findings = check::check(file, config, Uuid::nil(), now, &mut asking);
    if json {
        let list = serde_json::to_string_pretty(&findings);
        say(&list.map_err(|_| PhsError::Defect("the findings cannot be written as JSON"))?)?;
    } else {
        for finding in &findings {
            let word = if finding.ok { "ok  " } else { "FAIL" };
            say(&format!("{word}  {:<15} {}", finding.what, finding.detail))?;
        }
    }
    Ok(findings.iter().find(|finding| !finding.ok).map_or(0, |finding| finding.exit_code))
}

/// `check --objects`
pub fn check_objects(config: &Config, json: bool) -> Result<u8, PhsError> {
    let (_runtime, stop) = runtime()?;
    let domain = job::domain(&job::identity(config)?)?;
    let session = Session::open(&config.directory, &config.scope, &domain, &[], None)?;
    let unkept = |_| PhsError::Defect("the temporary file for what was seen cannot be written");
    let mut findings = Findings::new().map_err(unkept)?;
    let pages = session.pages().from(None, Reading::WithoutSecrets)?;
    while let Ok(page) = pages.recv() {
        let page = page?;
        for change in &page.changes {
            findings.look(change).map_err(unkept)?;
        }
        if stop.is_raised() {
            return Err(PhsError::Interrupted);
        }
    }
    if json {
        let list = serde_json::to_string_pretty(findings.oddities());
        say(&list.map_err(|_| PhsError::Defect("the findings cannot be written as JSON"))?)?;
    } else {
        for Oddity { name, attribute, value, what, .. } in findings.oddities() {
            say(&format!("{name}\n  {attribute} {value}: {what}"))?;
        }
        let (found, looked_at) = (findings.found(), findings.looked_at());
        say(&format!("{found} odd among {looked_at} accounts, groups and contacts"))?;
    }
    Ok(if findings.found() > 0 { 10 } else { 0 })
}

impl Once {
    pub fn run(&self, config: &Config, screen: &Screen) -> Result<u8, PhsError> {
        let started = Instant::now();
        // Before the state is made: a machine that is not enrolled has none.
        job::identity(config)?;
        let (runtime, stop) = runtime()?;
        let mirror = if self.dry_run {
            Mirror::scratch(&config.state_directory)?
        } else {
            match (Mirror::open(&config.state_directory), self.confirm_removals) {
                (Err(StateError::Busy { .. }), Some(accounts)) if !self.full && daemon_lives(config) => {
                    return tell_daemon(config, accounts);
                }
                (mirror, _) => mirror?,
            }
        };
        let witness: Box<dyn Witness> = if io::stderr().is_terminal() {
            Box::new(screen.bar())
        } else {
            Box::new(Lines::new(Duration::from_secs(5)))
        };
        let mut job = Job {
            config,
            mirror: &mirror,
            runtime: runtime.handle(),
            stop: &stop,
            witness: witness.as_ref(),
            instance: Uuid::new_v4(),
            full: self.full,
            dry_run: self.dry_run,
            confirmed: self.confirm_removals,
            now: now(),
        };
        let mut kept = Kept::default();
        let mut tally = job.run(&mut kept)?.tally;
        // Where many enter each cycle takes some of them.
        (job.full, job.confirmed) = (false, None);
        while tally.unfinished {
            job.now = now();
            tally.add(job.run(&mut kept)?.tally);
        }
        drop(witness);
        self.report(config, &tally, started.elapsed())?;
        Ok(0)
    }

    fn report(&self, config: &Config, tally: &Tally, took: Duration) -> Result<(), PhsError> {
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        if self.json {
            #[derive(serde::Serialize)]
            struct Summary<'a> {
                #[serde(flatten)]
                tally: &'a Tally,
                dry_run: bool,
                staging: bool,
                seconds: f64,
                peak_memory_kib: u64,
            }
            let summary = Summary {
                tally,
                dry_run: self.dry_run,
                staging: config.staging,
                seconds,
                peak_memory_kib: peak_memory_kib().unwrap_or(0),
            };
            let text = serde_json::to_string(&summary);
            return say(&text.map_err(|_| PhsError::Defect("the summary cannot be written as JSON"))?);
        }
        let only_looked = self.dry_run || config.staging;
        let sent = if only_looked { "would be sent" } else { "sent" };
        for Difference { sign, name, what } in &tally.differences {
            let sign = match sign {
                Sign::Enters => '+',
                Sign::Leaves => '-',
                Sign::Changes => '~',
                Sign::Held => '!',
            };
            say(&format!("{sign} {name:<40} {what}"))?;
        }
        let named = tally.differences.iter().filter(|difference| difference.sign != Sign::Held).count();
        let named = u64::try_from(named).unwrap_or(u64::MAX);
        if only_looked && tally.records_sent > named {
            say(&format!("  and {} more", tally.records_sent - named))?;
        }
        let mode = if tally.mode == "full" { "full compare" } else { "incremental" };
        say(&format!("{mode}: {} objects read in {seconds:.1} s", tally.read))?;
        for (number, what) in [
            (tally.in_scope, "accounts in the cloud among them".to_owned()),
            (tally.privileged, "held back as privileged".to_owned()),
            (tally.removed, "left the cloud".to_owned()),
            (
                tally.held,
                format!(
                    "left the scope, or the groups whose passwords are carried, and are held back: `once --confirm-removals {}` lets them go",
                    tally.held
                ),
            ),
            (tally.records_sent, format!("records {sent}")),
            (tally.links_sent, format!("links {sent}")),
            (tally.digests_sent, format!("digests {sent}, {} derived", tally.digests_derived)),
            (tally.quarantined, "in quarantine: `check` names them".to_owned()),
            (tally.refused, "refused by the tenant: the log says why".to_owned()),
        ] {
            if number > 0 {
                say(&format!("  {number:>8}  {what}"))?;
            }
        }
        if tally.policy_sent {
            say(&format!(
                "  the domain's password and lockout policy {}",
                if only_looked { sent } else { "was sent" }
            ))?;
        }
        if tally.records_sent == 0 && tally.links_sent == 0 && !tally.policy_sent {
            say("  nothing to send")?;
        }
        if config.staging {
            say("staging = true: nothing was sent")?;
        }
        Ok(())
    }
}

/// Whether it is the daemon that is at work on the state: another `once` would take no yes.
fn daemon_lives(config: &Config) -> bool {
    let status: Option<Status> = status::read(&config.state_directory);
    status.is_some_and(|status| status.is_alive(now()))
}

/// The daemon has the state: it looks for this every second, and takes it with a cycle of its own.
fn tell_daemon(config: &Config, accounts: u64) -> Result<u8, PhsError> {
    confirm::leave(&config.state_directory, Yes { accounts, at: now() }).map_err(StateError::from)?;
    say(&format!("{accounts} removals are confirmed: the running daemon takes it with its next cycle"))?;
    Ok(0)
}

/// `explain`
pub fn explain(config: &Config, who: &str, json: bool) -> Result<u8, PhsError> {
    let identity = job::identity(config)?;
    let domain = job::domain(&identity)?;
    let mirror = Mirror::scratch(&config.state_directory)?;
    let now = now();
    let explained = explain::explain(config, &domain, &mirror, who, now)?;
    if json {
        let text = serde_json::to_string_pretty(&explained);
        say(&text.map_err(|_| PhsError::Defect("the explanation cannot be written as JSON"))?)?;
        return Ok(0);
    }
    let Explanation { object, kind, sam_account_name, user_principal_name, sid, place, groups, .. } =
        &explained;
    let names: Vec<&str> =
        [user_principal_name, sam_account_name, sid].into_iter().flatten().map(String::as_str).collect();
    say(&format!("{}: {kind} {object}", names.join(", ")))?;
    say(&format!("  in      {}", place.join(" in ")))?;
    if !groups.is_empty() {
        say(&format!("  groups  {}", groups.join(", ")))?;
    }
    say(if explained.in_the_cloud { "in the cloud:" } else { "not in the cloud:" })?;
    for because in &explained.because {
        say(&format!("  {because}"))?;
    }
    let ago = |at: i64| now.saturating_sub(at).max(0);
    if let Some(at) = explained.password_delivered_at {
        say(&format!("its password was delivered {} s ago", ago(at)))?;
    }
    if let Some(at) = explained.told_at {
        say(&format!("something of it was told {} s ago", ago(at)))?;
    }
    Ok(0)
}

/// `run`
pub fn run(config_file: &Path, config: Config) -> Result<u8, PhsError> {
    let (runtime, stop) = runtime()?;
    let wake = Wake::this_thread();
    {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        let hangups = signal(SignalKind::hangup());
        let mut hangups = hangups.map_err(|_| PhsError::Defect("signals cannot be listened to"))?;
        let (stop, wake) = (stop.clone(), wake.clone());
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = hangups.recv() => wake.reload(),
                    () = stop.raised() => return wake.up(),
                }
            }
        });
    }
    let handle = runtime.handle();
    Daemon { config_file, config, runtime: handle, stop: &stop, wake: &wake, now }.run()?;
    Ok(0)
}

/// `status`
pub fn status(config: &Config, json: bool) -> Result<u8, PhsError> {
    let now = now();
    let status: Option<Status> = status::read(&config.state_directory);
    let Some(status) = status.filter(|status| status.is_alive(now)) else {
        return Err(PhsError::NotRunning(config.state_directory.clone()));
    };
    let unhealthy = status.unhealthy(now);
    if json {
        #[derive(serde::Serialize)]
        struct Told<'a> {
            healthy: bool,
            why: Option<&'a str>,
            seconds_since_last_complete_cycle: i64,
            #[serde(flatten)]
            status: &'a Status,
        }
        let told = Told {
            healthy: unhealthy.is_none(),
            why: unhealthy.as_deref(),
            seconds_since_last_complete_cycle: status.staleness(now),
            status: &status,
        };
        let text = serde_json::to_string_pretty(&told);
        say(&text.map_err(|_| PhsError::Defect("the status cannot be written as JSON"))?)?;
    } else {
        print(&status, unhealthy.as_deref(), now)?;
    }
    Ok(if unhealthy.is_some() { 10 } else { 0 })
}

fn print(status: &Status, unhealthy: Option<&str>, now: i64) -> Result<(), PhsError> {
    let ago = |at: i64| now.saturating_sub(at).max(0);
    match unhealthy {
        None => say("healthy")?,
        Some(why) => say(&format!("unhealthy: {why}"))?,
    }
    say(&format!("agent {} for {}, running for {} s", status.agent, status.domain, ago(status.started_at)))?;
    match &status.complete {
        None => say("no complete cycle yet")?,
        Some(complete) => {
            let mode = if complete.mode == "full" { "full compare" } else { "incremental" };
            say(&format!(
                "last complete cycle {} s ago: {mode} at {}, {} objects read, {} records and {} digests sent, {} ms",
                ago(complete.at),
                complete.controller,
                complete.read,
                complete.records_sent,
                complete.digests_sent,
                complete.milliseconds
            ))?;
        }
    }
    if let Some(at) = status.compared_at {
        say(&format!("all was compared {} min ago", ago(at) / 60))?;
    }
    if let Some(since) = status.cycle_since {
        say(&format!("a cycle runs since {} s", ago(since)))?;
    }
    match (&status.watching, &status.blind) {
        (Some(controller), _) => say(&format!("changes wake it at once, at {controller}"))?,
        (None, Some(why)) => say(&format!("changes do not wake it: {why}"))?,
        (None, None) => {}
    }
    say(&format!("it looks every {} s in any case", status.poll_seconds))?;
    say(&format!("certificate good for {} min", status.certificate_ends.saturating_sub(now) / 60))?;
    if status.staging {
        say("staging = true: nothing is sent")?;
    }
    if status.held > 0 {
        say(&format!("{} accounts left the scope and are held back", status.held))?;
    }
    if let Some(trouble) = &status.trouble {
        say(&format!(
            "{} cycles failed since {} s: {}\n  {}",
            status.failed_in_a_row,
            ago(trouble.since),
            trouble.what,
            trouble.who
        ))?;
    }
    if status.quarantined > 0 {
        say(&format!("{} objects in quarantine:", status.quarantined))?;
        for (object, why) in &status.quarantine {
            say(&format!("  {object}  {why}"))?;
        }
    }
    Ok(())
}

/// Sockets to the tenant live on two threads of their own; SIGINT and SIGTERM raise the stop.
fn runtime() -> Result<(Runtime, Stop), PhsError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|_| PhsError::Defect("the system gives no threads"))?;
    let stop = Stop::new();
    let raised = stop.clone();
    {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        let listening =
            signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
        let (mut interrupt, mut terminate) =
            listening.map_err(|_| PhsError::Defect("signals cannot be listened to"))?;
        runtime.spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
            raised.raise();
        });
    }
    Ok((runtime, stop))
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The most memory that this process ever had resident, as the kernel counts.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Prints a line, or some. The directory takes control characters in names and addresses; a terminal obeys them.
fn say(line: &str) -> Result<(), PhsError> {
    let is_harmless = |c: char| c == '\n' || !c.is_control();
    let line: String =
        line.chars().map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => Ok(()),
        // Whoever listened has heard enough.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(why) => {
            Err(AgentError::from(FileError::Io { path: "standard output".into(), what: "write", why }).into())
        }
    }
}
