//! The commands. `main` parses the command line and calls one of them.

use crate::config::Config;
use crate::directory::bind::Validator;
use crate::directory::{AFTER_STOP, AccountName, Checked, Finding, Usable};
use crate::error::PtaError;
use crate::link::known_nodes::KnownNodes;
use crate::link::{Links, SOFTWARE, unix_now};
use crate::status::{Board, ChangeStatus, OLDER_TENANT, Status};
use crate::unseal::make_key;
use clap::Args;
use landbridge_agent::enroll::Means;
use landbridge_agent::error::must_act;
use landbridge_agent::key::{self, FileError};
use landbridge_agent::{AgentError, Identity, ProcessKey, enroll, nodes, status, token};
use landbridge_crypto::secret::Password;
use landbridge_host::signals;
use landbridge_wire::enroll::Role;
use landbridge_wire::printable;
use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Interval at which the status file is written and systemd's watchdog is notified.
const STATUS: Duration = Duration::from_secs(1);

/// Limit on a typed password, in bytes. AD accepts 256 characters, at most 4 bytes each in UTF-8.
const MAX_PASSWORD: usize = 1024;

/// `enroll`
#[derive(Debug, Args)]
pub struct Enroll {
    /// Read the token from this file (0600) instead of standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Replace the present identity, if there is one
    #[arg(long)]
    replace: bool,
}

impl Enroll {
    /// Runs the command; returns the exit status.
    pub fn run(&self, config: &Config) -> Result<u8, PtaError> {
        let means = Means { proxy: config.tenant.proxy().open()?, second: Some(make_key) };
        let token = token::read(self.token_file.as_deref())?;
        let enrolling =
            enroll::enroll(&config.state_directory, token, Role::Pta, SOFTWARE, self.replace, &means);
        let enrolled = runtime()?.block_on(enrolling)?;
        let identity = &enrolled.identity;
        say(&format!("enrolled as agent {} for {} at {}", identity.agent, identity.domain, identity.url))?;
        say(&format!("key {}", identity.key_fingerprint))?;
        if !enrolled.approved {
            let agent = identity.agent;
            say(&format!(
                "The tenant's administrator must approve it: landbridge-tenant agents approve {agent}"
            ))?;
        }
        Ok(0)
    }
}

/// `run`
pub fn run(config: &Config) -> Result<u8, PtaError> {
    let identity = identity(config)?;
    let _lock = lock(&config.state_directory)?.ok_or(PtaError::Running(config.state_directory.clone()))?;
    let links = Arc::new(links(config, &identity)?);
    runtime()?.block_on(async {
        let (stopper, stop) = watch::channel(false);
        let stopped = signals::stop().map_err(|_| PtaError::Defect("signals cannot be caught"))?;
        tokio::spawn(async move {
            stopped.await;
            tracing::info!("stopping: open sign-ins are answered first");
            notify(&[sd_notify::NotifyState::Stopping]);
            let _ = stopper.send(true);
        });
        let reporting = tokio::spawn(report(links.clone()));
        tracing::info!(agent = %identity.agent, domain = identity.domain, tenant = identity.url, "running");
        let outcome = links.clone().run(identity, stop).await;
        reporting.abort();
        links.board.remove();
        tracing::info!("stopped");
        outcome.map(|()| 0)
    })
}

/// `check`. With an account it is signed in as at one domain controller.
pub fn check(config: &Config, account: Option<&str>, json: bool) -> Result<u8, PtaError> {
    let mut findings = Vec::new();
    let mut domain_sid = None;
    let mut code = 0;
    let mut add = |finding: Finding, failed: u8| {
        if !finding.good && code == 0 {
            code = failed;
        }
        findings.push(finding);
    };
    let running: Option<Status> = status::read(&config.state_directory);
    let running = running.filter(|status| status::is_fresh(status.written_at, unix_now()));
    let runtime = runtime()?;
    match identity(config) {
        Ok(identity) => {
            domain_sid = Some(identity.domain_sid.clone());
            let left = identity.not_after.saturating_sub(unix_now());
            add(
                if left > 0 {
                    Finding::good(
                        "identity",
                        format!("agent {}, certificate valid for {} min", identity.agent, left / 60),
                    )
                } else {
                    Finding::bad(
                        "identity",
                        "the certificate has ended",
                        "`run` renews it, up to 30 days after its end",
                    )
                },
                3,
            );
            match links(config, &identity) {
                Ok(links) => {
                    let nodes = links.nodes.borrow().wanted(Instant::now());
                    for node in nodes {
                        let reached = runtime.block_on(links.try_once(&identity, &node));
                        add(
                            match &reached {
                                Ok(()) => Finding::good("tenant", takes(&node, running.as_ref())),
                                Err(error) => {
                                    Finding::bad("tenant", error.to_string(), must_act(error.who()))
                                }
                            },
                            reached.as_ref().err().map_or(0, PtaError::exit_code),
                        );
                    }
                }
                Err(error) => {
                    add(Finding::bad("tenant", error.to_string(), must_act(error.who())), error.exit_code())
                }
            }
        }
        Err(error) => {
            add(Finding::bad("identity", error.to_string(), must_act(error.who())), error.exit_code())
        }
    }
    match Validator::new(&config.directory, config.defence) {
        Ok(validator) => {
            let domain_sid = domain_sid.as_deref();
            let Checked { findings, first } = runtime.block_on(validator.check(domain_sid));
            for finding in findings {
                add(finding, 5);
            }
            let (finding, failed) = accepts(&validator, &runtime, account, domain_sid, first.as_ref())?;
            add(finding, failed);
        }
        Err(error) => add(Finding::bad("trust", error.to_string(), "correct [directory]"), 3),
    }
    if running.as_ref().is_some_and(|status| status.links.values().any(|link| link.older)) {
        add(Finding::bad("names of accounts", OLDER_TENANT, "upgrade the tenant"), 6);
    }
    if let Some(stopped) = running.as_ref().and_then(|status| status.changes.stopped.as_ref()) {
        add(Finding::bad("changes of password", stopped.in_words(unix_now()), AFTER_STOP), 6);
    }
    add(bounds(config, running.as_ref()), 3);
    if json {
        say_json(serde_json::to_string_pretty(&findings), "the findings cannot be written as JSON")?;
    } else {
        for Finding { what, good, found, todo } in &findings {
            say(&format!("{}  {what}: {found}", if *good { "ok  " } else { "FAIL" }))?;
            if let Some(todo) = todo {
                say(&format!("      {todo}"))?;
            }
        }
    }
    Ok(code)
}

/// A node that takes this agent, and whether the agent that runs is connected to it.
fn takes(node: &str, running: Option<&Status>) -> String {
    let of_running = match running.and_then(|status| status.nodes.get(node)) {
        None => "",
        Some(node) if node.connected => "; the running agent is connected to it",
        Some(_) => "; the running agent is not connected to it",
    };
    format!("{node} takes this agent{of_running}")
}

/// Whether a domain controller accepts a right password: that of the account which was named, or a note that none was
/// tried. With the exit status if that is wrong.
fn accepts(
    validator: &Validator,
    runtime: &Runtime,
    account: Option<&str>,
    domain_sid: Option<&str>,
    at: Option<&Usable>,
) -> Result<(Finding, u8), PtaError> {
    // 1. Without an account nothing was shown.
    let what = "acceptance";
    let Some(account) = account else {
        let found = "not tried, so a domain controller that refuses everybody looks the same";
        let todo = Some("`check --as USER` tries one account with its password".to_owned());
        return Ok((Finding { todo, ..Finding::good(what, found) }, 5));
    };
    // 2. An account and a domain controller, before a password is asked for.
    let name = match AccountName::parse(account, domain_sid) {
        Ok(name) => name,
        Err(todo) => {
            let found = format!("not tried: {account} is not the name of an account of this domain");
            return Ok((Finding::bad(what, found, todo), 2));
        }
    };
    let Some(at) = at else {
        let found = "not tried: no domain controller can be used";
        return Ok((Finding::bad(what, found, "mend the domain controllers first"), 5));
    };
    // 3. The password, after a word on what it costs.
    warn(&format!(
        "{name} is signed in as at one domain controller. A wrong password is one bad password of the account for AD's \
         lockout. The password is stored nowhere."
    ));
    let password = password()?;
    Ok((runtime.block_on(validator.check_account(at, &name, &password)), 5))
}

/// Reads a password: from a terminal without echo, or else the first line of standard input.
fn password() -> Result<Password, PtaError> {
    let invalid = |why: &'static str| PtaError::Password(io::Error::new(io::ErrorKind::InvalidData, why));
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").map(Password::new).map_err(PtaError::Password);
    }
    let limit = MAX_PASSWORD + 2;
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    let mut input = io::stdin().lock().take(u64::try_from(limit).unwrap_or(u64::MAX));
    input.read_until(b'\n', &mut line).map_err(PtaError::Password)?;
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > MAX_PASSWORD {
        return Err(invalid("a password has at most 1024 bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|_| invalid("the password is not UTF-8"))?;
    Ok(Password::new(text.to_owned()))
}

/// What a lying tenant could do to an account through all agents of the domain, and the figure to set. AD's policy is
/// what the running agent last read.
fn bounds(config: &Config, running: Option<&Status>) -> Finding {
    let (what, agents) = ("failed binds", config.defence.agents);
    let Some(policy) = running.and_then(|status| status.lockout) else {
        let each = config.defence.failed_binds.unwrap_or(1);
        let found = format!(
            "{each} for an account; AD's lockoutThreshold is not known before the running agent's first good sign-in"
        );
        return Finding::good(what, found);
    };
    let share = policy.share(agents);
    let each = config.defence.failed_binds.unwrap_or(share);
    let all = each.saturating_mul(agents);
    let found = format!(
        "{each} for an account, {all} through {agents} agents; AD locks at {} within {} min (0: never)",
        policy.threshold,
        policy.window_seconds / 60
    );
    if policy.threshold == 0 || (each > 0 && all < policy.threshold) {
        return Finding::good(what, found);
    }
    if share == 0 {
        let todo = "with these many agents AD's lockoutThreshold leaves none: raise it, or run fewer agents";
        return Finding::bad(what, found, todo);
    }
    Finding::bad(what, found, &format!("set [defence] failed_binds to {share} at most, at each agent"))
}

/// `status`
pub fn status(config: &Config, json: bool) -> Result<u8, PtaError> {
    let identity = identity(config)?;
    // If the lock is free, no agent runs.
    if lock(&config.state_directory)?.is_some() {
        return Err(PtaError::NotRunning);
    }
    let now = unix_now();
    let status: Option<Status> = status::read(&config.state_directory);
    let status = status.filter(|status| status::is_fresh(status.written_at, now));
    let mut status = status.ok_or(PtaError::NotRunning)?;
    status.key = identity.key_fingerprint;
    let connected = !status.links.is_empty();
    let answers = status.controllers.iter().any(|one| one.healthy);
    if json {
        say_json(serde_json::to_string_pretty(&status), "the status cannot be written as JSON")?;
    } else {
        print(&status, now)?;
    }
    Ok(if !connected {
        7
    } else if !answers && !status.controllers.is_empty() && status.controllers.iter().any(|c| c.why.is_some())
    {
        5
    } else if status.changes.stopped.is_some() {
        6
    } else {
        0
    })
}

fn print(status: &Status, now: i64) -> Result<(), PtaError> {
    say(&format!("agent {} for {}, running for {} s", status.agent, status.domain, now - status.started_at))?;
    say(&format!("key {}", status.key))?;
    say(&format!("certificate valid for {} min", status.certificate_ends.saturating_sub(now) / 60))?;
    for link in status.links.values() {
        say(&format!("connected to {} for {} s", link.node, now - link.since))?;
    }
    for (url, node) in status.nodes.iter().filter(|(_, node)| !node.connected) {
        say(&format!("not connected to {url}: {}", node.trouble.as_deref().unwrap_or("connecting")))?;
    }
    if status.links.values().any(|link| link.older) {
        say(OLDER_TENANT)?;
    }
    if status.links.is_empty() && status.nodes.is_empty() {
        let why = status.trouble.as_deref().unwrap_or("connecting");
        say(&format!("not connected to the tenant: {why}"))?;
    }
    for one in &status.controllers {
        let address = one.address.as_deref().unwrap_or("not reached yet");
        let how = match &one.why {
            None if one.healthy => "answers".to_owned(),
            None => "not asked yet".to_owned(),
            Some(why) => format!("cannot be used: {why}"),
        };
        say(&format!("domain controller {} ({address}): {how}", one.name))?;
    }
    match status.lockout {
        Some(policy) => say(&format!("AD locks at {} bad passwords (0: never)", policy.threshold))?,
        None => say("AD's lockout policy is not known yet: one failed bind for each account")?,
    }
    print_changes(&status.changes, now)?;
    for (what, count) in &status.answers {
        say(&format!("  {count:>8}  {what}"))?;
    }
    if status.withheld > 0 {
        say(&format!(
            "  {:>8}  of the wrong ones: right, and withheld for a protected account",
            status.withheld
        ))?;
    }
    if status.unknown_names > 0 {
        say(&format!(
            "  {:>8}  of the wrong ones: a domain controller knows no account of the name (canaries among them)",
            status.unknown_names
        ))?;
    }
    Ok(())
}

fn print_changes(changes: &ChangeStatus, now: i64) -> Result<(), PtaError> {
    let ChangeStatus { configured, stopped, changed, old_refused, new_refused, not_known } = changes;
    match (stopped, configured) {
        (Some(stopped), _) => {
            say(&format!("changes of password: {}. To do: {AFTER_STOP}", stopped.in_words(now)))?
        }
        (None, true) => say("changes of password: switched on")?,
        (None, false) => return say("changes of password: switched off"),
    }
    for (count, what) in [
        (changed, "passwords changed"),
        (old_refused, "not changed: the old password or the account was refused"),
        (new_refused, "not changed: the new password was refused"),
        (not_known, "not known whether the password was changed"),
    ] {
        say(&format!("  {count:>8}  {what}"))?;
    }
    Ok(())
}

/// Loads the identity, which must be a pta-agent's for the configured domain.
fn identity(config: &Config) -> Result<Identity, PtaError> {
    let identity = Identity::load(&config.state_directory)?;
    if identity.role != Role::Pta {
        return Err(PtaError::NotPta);
    }
    if !identity.domain.eq_ignore_ascii_case(&config.directory.domain) {
        let (enrolled, configured) = (identity.domain, config.directory.domain.clone());
        return Err(PtaError::OtherDomain { enrolled, configured });
    }
    Ok(identity)
}

fn links(config: &Config, identity: &Identity) -> Result<Links, PtaError> {
    let process = Arc::new(ProcessKey::generate()?);
    let stored = nodes::load(&config.state_directory, identity);
    let nodes = KnownNodes::new(&identity.url, stored, Instant::now());
    let status = Status {
        started_at: unix_now(),
        instance: process.name(),
        agent: identity.agent,
        domain: identity.domain.clone(),
        certificate_ends: identity.not_after,
        ..Status::default()
    };
    Ok(Links {
        state_directory: config.state_directory.clone(),
        connections: config.tenant.connections,
        proxy: config.tenant.proxy().open()?,
        validator: Validator::new(&config.directory, config.defence)?,
        board: Board::new(&config.state_directory, status),
        process,
        next: AtomicU64::new(0),
        nodes: watch::Sender::new(nodes),
    })
}

/// Writes the status file every second, and notifies systemd that the agent is ready and running.
async fn report(links: Arc<Links>) {
    let mut ready = false;
    loop {
        let controllers = links.validator.controllers();
        let (lockout, withheld) = (links.validator.lockout_policy(), links.validator.withheld());
        let unknown_names = links.validator.unknown_names();
        links.board.change(|status| {
            status.controllers = controllers.into_iter().map(Into::into).collect();
            (status.lockout, status.withheld) = (lockout, withheld);
            status.unknown_names = unknown_names;
            status.changes.copy_switch(links.validator.changes());
        });
        // Written on another thread: a slow disk must not delay a sign-in.
        let writing = links.clone();
        let _ = tokio::task::spawn_blocking(move || writing.board.write(unix_now())).await;
        let connected = links.board.links();
        if connected > 0 && !ready {
            ready = true;
            notify(&[sd_notify::NotifyState::Ready]);
        }
        let text = format!("{connected} connections to the tenant");
        notify(&[sd_notify::NotifyState::Status(&text), sd_notify::NotifyState::Watchdog]);
        tokio::time::sleep(STATUS).await;
    }
}

/// Notifies systemd, if the agent runs under it.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// Locks the state directory for this process. The lock ends with the process. None if another process holds it.
fn lock(state_directory: &Path) -> Result<Option<File>, PtaError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    key::check_private_directory(state_directory).map_err(AgentError::from)?;
    let path = state_directory.join("run.lock");
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|e| AgentError::from(FileError::io(&path, "open")(e)))?;
    let taken = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    Ok(taken.is_ok().then_some(file))
}

/// One thread: a sign-in passes through several tasks with little work each, and a switch between threads costs more
/// than that work. One core opens some ten thousand envelopes a second, more than a domain controller binds.
fn runtime() -> Result<Runtime, PtaError> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|_| PtaError::Defect("no threads"))
}

/// Prints one line. What a DC or the tenant said may contain what a terminal would obey: it is replaced.
fn say(line: &str) -> Result<(), PtaError> {
    write(&printable::one_line(line))
}

/// Prints a note to standard error: above a prompt, and outside the results.
fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable::one_line(text));
}

/// Prints a JSON text, its values as they are, in a form that a terminal does not obey. The error names `what` it is.
fn say_json(json: serde_json::Result<String>, what: &'static str) -> Result<(), PtaError> {
    write(&printable::json(&json.map_err(|_| PtaError::Defect(what))?))
}

fn write(text: &str) -> Result<(), PtaError> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(()),
        // The reader has closed the pipe, which is no error.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(_) => Err(PtaError::Defect("standard output cannot be written")),
    }
}
