//! `landbridge-phs once`: one cycle, and its summary.

use super::process::{now, peak_memory_kib, runtime};
use super::terminal::{say, say_json};
use crate::config::Config;
use crate::cycle::job::{self, Job, Kept};
use crate::cycle::{Counts, Difference, Sign, warnings};
use crate::daemon::confirm::{self, Confirmation};
use crate::daemon::status::Status;
use crate::error::PhsError;
use crate::mirror::{Mirror, StateError};
use crate::progress::{Lines, Screen, Witness};
use clap::Args;
use landbridge_agent::{NodeChoice, ProcessKey, status};
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Exit status of a cycle that is complete and carries nobody.
const NOBODY: u8 = 10;

/// `once`
#[derive(Debug, Args)]
pub struct Once {
    /// Compare all accounts instead of sending only what changed
    #[arg(long)]
    full: bool,
    /// Show what would be sent. Sends and stores nothing, and requests no passwords from the domain controller
    ///
    /// `+` enters the tenant, `-` leaves it, `~` changes; `!` would leave it, or lose its password, and is held back.
    #[arg(long)]
    dry_run: bool,
    /// Let this number of accounts leave the scope: the number that `status` or `--dry-run` shows as held back
    ///
    /// If more have left since, all stay held back. While the daemon runs, it applies this with its next cycle; after
    /// an hour without one the confirmation is void.
    #[arg(long, value_name = "ACCOUNTS", conflicts_with = "dry_run")]
    confirm_removals: Option<u64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Once {
    /// Runs the command; returns the exit status.
    pub fn run(&self, config: &Config, screen: &Screen) -> Result<u8, PhsError> {
        let started = Instant::now();
        // 1. Load the identity first: a machine that is not enrolled gets no state directory.
        job::identity(config)?;
        let (runtime, stop) = runtime()?;
        // 2. Open the state, or leave a confirmation for the daemon that holds it.
        let mirror = if self.dry_run {
            Mirror::scratch(&config.state_directory)?
        } else {
            match (Mirror::open(&config.state_directory), self.confirm_removals) {
                (Err(StateError::Busy { .. }), Some(accounts)) if !self.full && is_daemon_running(config) => {
                    return leave_for_daemon(config, accounts);
                }
                (mirror, _) => mirror?,
            }
        };
        // 3. Run the cycle. Where many objects enter, each cycle carries some of them.
        let witness: Box<dyn Witness> = if io::stderr().is_terminal() {
            Box::new(screen.bar())
        } else {
            Box::new(Lines::new(Duration::from_secs(5)))
        };
        let process = Arc::new(ProcessKey::generate()?);
        let nodes = Arc::new(NodeChoice::new(&config.state_directory));
        let mut job = Job {
            config,
            mirror: &mirror,
            runtime: runtime.handle(),
            stop: &stop,
            witness: witness.as_ref(),
            process: &process,
            nodes: &nodes,
            full: self.full,
            dry_run: self.dry_run,
            confirmed: self.confirm_removals,
            now: now(),
        };
        let mut kept = Kept::default();
        let mut counts = job.run(&mut kept)?.counts;
        (job.full, job.confirmed) = (false, None);
        while counts.unfinished {
            job.now = now();
            counts.add(job.run(&mut kept)?.counts);
        }
        // 4. Report, once the progress bar is gone.
        drop(witness);
        self.report(config, &counts, started.elapsed())?;
        Ok(if counts.nobody { NOBODY } else { 0 })
    }

    fn report(&self, config: &Config, counts: &Counts, took: Duration) -> Result<(), PhsError> {
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        if self.json {
            #[derive(serde::Serialize)]
            struct Summary<'a> {
                #[serde(flatten)]
                counts: &'a Counts,
                dry_run: bool,
                staging: bool,
                seconds: f64,
                peak_memory_kib: u64,
            }
            let summary = Summary {
                counts,
                dry_run: self.dry_run,
                staging: config.staging,
                seconds,
                peak_memory_kib: peak_memory_kib().unwrap_or(0),
            };
            return say_json(serde_json::to_string(&summary), "the summary cannot be written as JSON");
        }
        let only_looked = self.dry_run || config.staging;
        let sent = if only_looked { "would be sent" } else { "sent" };
        for Difference { sign, name, what } in &counts.differences {
            let sign = match sign {
                Sign::Enters => '+',
                Sign::Leaves => '-',
                Sign::Changes => '~',
                Sign::Held => '!',
            };
            say(&format!("{sign} {name:<40} {what}"))?;
        }
        let named = counts.differences.iter().filter(|difference| difference.sign != Sign::Held).count();
        let named = u64::try_from(named).unwrap_or(u64::MAX);
        if only_looked && counts.records_sent > named {
            say(&format!("  and {} more", counts.records_sent - named))?;
        }
        let mode = if counts.mode == "full" { "full compare" } else { "incremental" };
        say(&format!("{mode}: {} objects read in {seconds:.1} s", counts.read))?;
        for (number, what) in [
            (counts.in_scope, "accounts in the cloud among them".to_owned()),
            (counts.privileged, "held back as privileged".to_owned()),
            (counts.never, "never carried: `check` names them, and the right that each has".to_owned()),
            (counts.removed, "left the cloud".to_owned()),
            (
                counts.held,
                format!(
                    "left the scope, or the groups whose passwords are carried, and are held back: `once --confirm-removals {}` lets them go",
                    counts.held
                ),
            ),
            (counts.records_sent, format!("records {sent}")),
            (counts.links_sent, format!("links {sent}")),
            (counts.digests_sent, format!("digests {sent}, {} derived", counts.digests_derived)),
            (counts.digests_again, "of these were derived again, because the tenant held fewer iterations".to_owned()),
            (counts.digests_left, "passwords are left to be derived again: the next cycle continues".to_owned()),
            (counts.reserved_sent, "names of accounts that are not carried, sent as keyed hashes".to_owned()),
            (
                counts.ambiguous,
                "have a name that an account that is not carried also has, so it signs nobody in: `check --objects`"
                    .to_owned(),
            ),
            (counts.quarantined, "in quarantine: `check` names them".to_owned()),
            (counts.left_out, "attributes or links left out, sign-in works: `check` names them".to_owned()),
            (counts.without_hash, format!("enabled accounts have {}. `check` names them", warnings::NO_HASH)),
            (counts.refused, "refused by the tenant: the log says why".to_owned()),
        ] {
            if number > 0 {
                say(&format!("  {number:>8}  {what}"))?;
            }
        }
        if counts.policy_sent {
            say(&format!(
                "  the domain's password and lockout policy {}",
                if only_looked { sent } else { "was sent" }
            ))?;
        }
        if counts.records_sent + counts.links_sent + counts.reserved_sent == 0 && !counts.policy_sent {
            say("  nothing to send")?;
        }
        if config.staging {
            say("staging = true: nothing was sent")?;
        }
        counts.warnings.iter().try_for_each(|warning| say(&format!("warn: {warning}")))
    }
}

/// Whether the daemon holds the state. Another `once` would not apply a confirmation.
fn is_daemon_running(config: &Config) -> bool {
    let status: Option<Status> = status::read(&config.state_directory);
    status.is_some_and(|status| status.is_alive(now()))
}

/// Leaves a confirmation for the daemon, which looks for one every second and applies it with a cycle of its own.
fn leave_for_daemon(config: &Config, accounts: u64) -> Result<u8, PhsError> {
    confirm::leave(&config.state_directory, Confirmation { accounts, at: now() })
        .map_err(StateError::from)?;
    say(&format!("{accounts} removals are confirmed: the running daemon takes it with its next cycle"))?;
    Ok(0)
}
