//! `landbridge-phs status`: the status of the running daemon, for people or as JSON.

use super::process::now;
use super::terminal::{say, say_json};
use crate::config::Config;
use crate::cycle::warnings::NO_HASH;
use crate::daemon::status::{Health, Status};
use crate::error::PhsError;
use landbridge_agent::{Identity, status};
use std::fmt::Display;

/// `status`
pub fn status(config: &Config, json: bool) -> Result<u8, PhsError> {
    let now = now();
    let status: Option<Status> = status::read(&config.state_directory);
    let Some(status) = status.filter(|status| status.is_alive(now)) else {
        return Err(PhsError::NotRunning(config.state_directory.clone()));
    };
    let health = status.health(now);
    let (state, why) = match &health {
        Health::Healthy => ("healthy", None),
        Health::Warn(why) => ("warn", Some(why.as_str())),
        Health::Unhealthy(why) => ("unhealthy", Some(why.as_str())),
    };
    let key = Identity::load(&config.state_directory)?.key_fingerprint;
    if json {
        #[derive(serde::Serialize)]
        struct StatusReport<'a> {
            healthy: bool,
            /// `healthy`, `warn` or `unhealthy`.
            state: &'a str,
            why: Option<&'a str>,
            key: &'a str,
            seconds_since_last_complete_cycle: i64,
            #[serde(flatten)]
            status: &'a Status,
        }
        let report = StatusReport {
            healthy: health == Health::Healthy,
            state,
            why,
            key: &key,
            seconds_since_last_complete_cycle: status.staleness(now),
            status: &status,
        };
        say_json(serde_json::to_string_pretty(&report), "the status cannot be written as JSON")?;
    } else {
        say(&why.map_or_else(|| state.to_owned(), |why| format!("{state}: {why}")))?;
        print(&status, &key, now)?;
    }
    Ok(if health == Health::Healthy { 0 } else { 10 })
}

fn print(status: &Status, key: &str, now: i64) -> Result<(), PhsError> {
    let ago = |at: i64| now.saturating_sub(at).max(0);
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
    if let [in_use, others @ ..] = &status.nodes[..] {
        say(&format!("requests go to {in_use}"))?;
        if !others.is_empty() {
            say(&format!("  and to the next of these when it cannot be reached: {}", others.join(", ")))?;
        }
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
    if status.digests_left > 0 {
        say(&format!(
            "{} passwords are held with fewer iterations than the profile has: the next cycles derive them again",
            status.digests_left
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
    if status.without_hash > 0 {
        say(&format!("{} enabled accounts have {NO_HASH}:", status.without_hash))?;
        named(status.without_hash_names.iter(), status.without_hash)?;
    }
    let flaws = status.quarantined + status.left_out;
    if flaws > 0 {
        let (quarantined, left_out) = (status.quarantined, status.left_out);
        say(&format!("{quarantined} objects in quarantine, {left_out} attributes or links left out:"))?;
        named(status.flaws.iter(), flaws)?;
    }
    Ok(())
}

/// Prints the first of `number`, a line each.
fn named<T: Display>(first: impl ExactSizeIterator<Item = T>, number: u64) -> Result<(), PhsError> {
    let more = number.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX));
    for one in first {
        say(&format!("  {one}"))?;
    }
    if more > 0 {
        say(&format!("  and {more} more"))?;
    }
    Ok(())
}
