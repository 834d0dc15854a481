//! What the commands do, up to the library's door. Neighbours: `main` parses, the library works.
#![allow(unreachable_pub, reason = "a module of the binary")]

use clap::Args;
use landbridge_agent::http::Client;
use landbridge_agent::key::{self, FileError};
use landbridge_agent::{AgentError, Identity, enroll, renew, tls};
use landbridge_phs::check;
use landbridge_phs::config::{Config, ConfigError};
use landbridge_phs::cycle::{Cycle, Order, Tally};
use landbridge_phs::directory::{Alone, feed};
use landbridge_phs::error::PhsError;
use landbridge_phs::mirror::Mirror;
use landbridge_phs::progress::{Lines, Screen, Witness};
use landbridge_phs::send::{Sender, Tenant};
use landbridge_phs::stop::Stop;
use landbridge_wire::enroll::Role;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use uuid::Uuid;
use zeroize::Zeroizing;

const SOFTWARE: &str = concat!("landbridge-phs ", env!("CARGO_PKG_VERSION"));
const MAX_TOKEN: usize = 4096;

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
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Enroll {
    pub fn run(&self, config: &Config) -> Result<u8, PhsError> {
        let token = match &self.token_file {
            Some(path) => token_of_file(path)?,
            None => token_of_terminal()?,
        };
        let (runtime, stop) = runtime()?;
        let enrolled = runtime.block_on(async {
            tokio::select! {
                enrolled = enroll::enroll(&config.state_directory, token, Role::Phs, SOFTWARE, self.replace, None) => {
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
pub fn check(config: &Config, json: bool) -> Result<u8, PhsError> {
    let (runtime, stop) = runtime()?;
    let mut asking = |identity: &Identity| -> Result<Box<dyn Tenant>, PhsError> {
        let client = Client::new(&identity.url, tls::enrolled(identity)?)?;
        Ok(Box::new(Sender::new(client, runtime.handle().clone(), stop.clone())))
    };
    let findings = check::check(config, Uuid::new_v4(), now(), &mut asking);
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

impl Once {
    pub fn run(&self, config: &Config, screen: &Screen) -> Result<u8, PhsError> {
        let started = Instant::now();
        let mut identity = Identity::load(&config.state_directory)?;
        if !identity.domain.eq_ignore_ascii_case(&config.directory.domain) {
            let (enrolled, configured) = (identity.domain.clone(), config.directory.domain.clone());
            return Err(PhsError::OtherDomain { enrolled, configured });
        }
        let domain =
            identity.domain_sid.parse().map_err(|_| PhsError::Defect("the identity's domain SID is none"))?;
        let (runtime, stop) = runtime()?;
        let mirror = if self.dry_run {
            Mirror::scratch(&config.state_directory)?
        } else {
            Mirror::open(&config.state_directory)?
        };
        let mut sender = None;
        if !self.dry_run {
            identity =
                runtime.block_on(renew::renew_if_due(&config.state_directory, identity, None, now()))?;
            let client = Client::new(&identity.url, tls::enrolled(&identity)?)?;
            sender = Some(Sender::new(client, runtime.handle().clone(), stop.clone()));
        }
        let mut alone = Alone::open(&config.directory)?;
        if !alone.holds(&domain)? {
            return Err(PhsError::OtherSid { sid: domain.to_string() });
        }
        let controller = alone.controller().clone();
        let order = Order {
            full: self.full,
            domain,
            include: config.privileged.include.clone(),
            profile: config.passwords.profile,
            instance: Uuid::new_v4(),
            cycle: Uuid::new_v4(),
            now: now(),
        };
        let witness: Box<dyn Witness> = if io::stderr().is_terminal() {
            Box::new(screen.bar())
        } else {
            Box::new(Lines::new(Duration::from_secs(5)))
        };
        let cycle = Cycle {
            order: &order,
            mirror: &mirror,
            singles: &mut alone,
            source: &mut |start| feed(&config.directory, &controller, start, !self.dry_run),
            tenant: sender.as_mut().map(|sender| sender as &mut dyn Tenant),
            witness: witness.as_ref(),
            stop: &stop,
        };
        let tally = cycle.run()?;
        drop(witness);
        self.report(&tally, started.elapsed())?;
        Ok(0)
    }

    fn report(&self, tally: &Tally, took: Duration) -> Result<(), PhsError> {
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        if self.json {
            #[derive(serde::Serialize)]
            struct Summary<'a> {
                #[serde(flatten)]
                tally: &'a Tally,
                dry_run: bool,
                seconds: f64,
                peak_memory_kib: u64,
            }
            let summary = Summary {
                tally,
                dry_run: self.dry_run,
                seconds,
                peak_memory_kib: peak_memory_kib().unwrap_or(0),
            };
            let text = serde_json::to_string(&summary);
            return say(&text.map_err(|_| PhsError::Defect("the summary cannot be written as JSON"))?);
        }
        let sent = if self.dry_run { "would be sent" } else { "sent" };
        let mode = if tally.mode == "full" { "full compare" } else { "incremental" };
        say(&format!("{mode}: {} objects read in {seconds:.1} s", tally.read))?;
        for (number, what) in [
            (tally.in_scope, "accounts in the cloud among them".to_owned()),
            (tally.privileged, "held back as privileged".to_owned()),
            (tally.removed, "left the cloud".to_owned()),
            (tally.records_sent, format!("records {sent}")),
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
                if self.dry_run { sent } else { "was sent" }
            ))?;
        }
        if tally.records_sent == 0 && !tally.policy_sent {
            say("  nothing to send")?;
        }
        Ok(())
    }
}

fn token_of_file(path: &Path) -> Result<Zeroizing<String>, PhsError> {
    let content = |why: &str| FileError::Content { path: path.to_owned(), why: why.to_owned() };
    let bytes = key::read_secret(path, MAX_TOKEN).map_err(ConfigError::from)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ConfigError::from(content("not a token")))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Standard input; a terminal is asked without echo. Other lines around the token do no harm, so that the whole
/// output of `token create` may be piped in.
fn token_of_terminal() -> Result<Zeroizing<String>, PhsError> {
    let unreadable = |why: io::Error| ConfigError::Unreadable { path: "standard input".into(), why };
    if io::stdin().is_terminal() {
        let token = rpassword::prompt_password("Token: ").map_err(unreadable)?;
        return Ok(Zeroizing::new(token));
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN));
    io::stdin().take(MAX_TOKEN as u64).read_to_string(&mut text).map_err(unreadable)?;
    let token = text.split_whitespace().find(|word| word.starts_with("lbt1.")).unwrap_or_default();
    Ok(Zeroizing::new(token.to_owned()))
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
            tracing::warn!("stopping after this page");
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

fn say(line: &str) -> Result<(), PhsError> {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => Ok(()),
        // Whoever listened has heard enough.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(why) => {
            Err(AgentError::from(FileError::Io { path: "standard output".into(), what: "write", why }).into())
        }
    }
}
