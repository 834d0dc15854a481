//! `landbridge-phs status`: the status of the running daemon, for people or as JSON.

use super::process::now;
use super::terminal::{say, say_json};
use crate::config::Config;
use crate::daemon::status::Status;
use crate::error::PhsError;
use landbridge_agent::{Identity, status};

/// `status`
pub fn status(config: &Config, json: bool) -> Result<u8, PhsError> {
    let now = now();
    let status: Option<Status> = status::read(&config.state_directory);
    let Some(status) = status.filter(|status| status.is_alive(now)) else {
        return Err(PhsError::NotRunning(config.state_directory.clone()));
    };
    let unhealthy = status.unhealthy(now);
    let key = Identity::load(&config.state_directory)?.key_fingerprint;
    if json {
        #[derive(serde::Serialize)]
        struct StatusReport<'a> {
            healthy: bool,
            why: Option<&'a str>,
            key: &'a str,
            seconds_since_last_complete_cycle: i64,
            #[serde(flatten)]
            status: &'a Status,
        }
        let report = StatusReport {
            healthy: unhealthy.is_none(),
            why: unhealthy.as_deref(),
            key: &key,
            seconds_since_last_complete_cycle: status.staleness(now),
            status: &status,
        };
        say_json(serde_json::to_string_pretty(&report), "the status cannot be written as JSON")?;
    } else {
        print(&status, unhealthy.as_deref(), &key, now)?;
    }
    Ok(if unhealthy.is_some() { 10 } else { 0 })
}

fn print(status: &Status, unhealthy: Option<&str>, key: &str, now: i64) -> Result<(), PhsError> {
    let ago = |at: i64| now.saturating_sub(at).max(0);
    match unhealthy {
        None => say("healthy")?,
        Some(why) => say(&format!("unhealthy: {why}"))?,
    }
    say(&format!("agent {} for {}, running for {} s", status.agent, status.domain, ago(status.started_at)))?;
    say(&format!("key {key}"))?;
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
        say(&format!("last full compare {} min ago", ago(at) / 60))?;
    }
    if let Some(at) = status.heartbeat_at {
        say(&format!("the tenant answered a heartbeat {} s ago", ago(at)))?;
    }
    if let Some(since) = status.cycle_since {
        say(&format!("a cycle has been running for {} s", ago(since)))?;
    }
    match (&status.watching, &status.blind) {
        (Some(controller), _) => say(&format!("changes at {controller} start a cycle at once"))?,
        (None, Some(why)) => say(&format!("changes do not start a cycle: {why}"))?,
        (None, None) => {}
    }
    say(&format!("a cycle begins at least every {} s", status.poll_seconds))?;
    if let Some((requests, counted)) = status.replication_requests.a_day() {
        let minutes = status.replication_requests.seconds / 60;
        say(&if counted {
            format!("{requests} replication requests in the last day")
        } else {
            format!("about {requests} replication requests a day, extrapolated from the last {minutes} min")
        })?;
    }
    say(&format!("certificate valid for {} min", status.certificate_ends.saturating_sub(now) / 60))?;
    if status.staging {
        say("staging = true: nothing is sent")?;
    }
    if status.held > 0 {
        say(&format!("{} accounts left the scope and are held back", status.held))?;
    }
    if status.ambiguous > 0 {
        say(&format!(
            "{} accounts have a name that an account that is not carried also has, so it signs nobody in: \
             `check --objects` names them",
            status.ambiguous
        ))?;
    }
    if let Some(trouble) = &status.trouble {
        say(&format!(
            "{} cycles have failed in the last {} s: {}",
            status.failed_in_a_row,
            ago(trouble.since),
            trouble.what
        ))?;
        say(&format!("  {}", trouble.who))?;
    }
    if status.quarantined > 0 {
        say(&format!("{} objects in quarantine:", status.quarantined))?;
        for (object, why) in &status.quarantine {
            say(&format!("  {object}  {why}"))?;
        }
    }
    Ok(())
}
