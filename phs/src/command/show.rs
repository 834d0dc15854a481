//! `landbridge-phs check`, `check --objects` and `explain`: each looks up what was asked for, and prints it.

use super::check;
use super::explain::{self, Explanation};
use super::findings::{Findings, Oddity};
use super::process::{now, runtime};
use super::terminal::{say, say_json};
use crate::config::Config;
use crate::cycle::job;
use crate::cycle::send::{Sender, UploadApi};
use crate::error::PhsError;
use crate::mirror::Mirror;
use crate::read::pull::Reading;
use crate::read::session::Session;
use landbridge_agent::config::ConfigError;
use landbridge_agent::key::{self, FileError};
use landbridge_agent::{Identity, NodeChoice, NodeClient};
use landbridge_host::clock_text;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// `check`. With `report`, a file that must not exist yet is written as well.
pub fn check(file: &Path, config: &Config, json: bool, report: Option<&Path>) -> Result<u8, PhsError> {
    if let Some(path) = report.filter(|path| path.exists()) {
        let why = std::io::ErrorKind::AlreadyExists.into();
        return Err(ConfigError::from(FileError::Io {
            path: path.to_owned(),
            what: "write a report to",
            why,
        })
        .into());
    }
    let (runtime, stop) = runtime()?;
    let mut connect = |identity: &Identity, node: &str| -> Result<Box<dyn UploadApi>, PhsError> {
        let only = Arc::new(NodeChoice::only(node));
        let client = NodeClient::new(&only, identity, config.tenant.open()?)?;
        Ok(Box::new(Sender::new(client, runtime.handle().clone(), stop.clone())))
    };
    let findings = check::check(file, config, Uuid::nil(), now, &mut connect);
    if json {
        say_json(serde_json::to_string_pretty(&findings), "the findings cannot be written as JSON")?;
    } else {
        for finding in &findings {
            let word = match (finding.ok, finding.warn) {
                (true, false) => "ok  ",
                (true, true) => "warn",
                (false, _) => "FAIL",
            };
            say(&format!("{word}  {:<15} {}", finding.what, finding.detail))?;
        }
    }
    if let Some(path) = report {
        let report = serde_json::to_string_pretty(&check::report::report(config, &findings, now()));
        let report = report.map_err(|_| PhsError::Defect("the report cannot be written as JSON"))?;
        key::write_secret(path, format!("{report}\n").as_bytes()).map_err(ConfigError::from)?;
        if !json {
            say(&format!("report written to {}: read it before you send it", path.display()))?;
        }
    }
    Ok(findings.iter().find(|finding| !finding.ok).map_or(0, |finding| finding.exit_code))
}

/// `check --objects`
pub fn check_objects(config: &Config, json: bool) -> Result<u8, PhsError> {
    let (_runtime, stop) = runtime()?;
    let domain = job::domain(&job::identity(config)?)?;
    let session = Session::open(&config.directory, &config.scope, &domain, &[], &[], None, "")?;
    let unkept = |_| PhsError::Defect("the temporary file for what was seen cannot be written");
    let mut findings =
        Findings::new(&config.directory.domain, config.directory.alternate_login).map_err(unkept)?;
    // Since when phs has known of it, and what only opening a password shows.
    let mirror = Mirror::scratch(&config.state_directory)?;
    let pages = session.pages().from(None, Reading::WithoutSecrets)?;
    while let Ok(page) = pages.recv() {
        let page = page?;
        for one in &page.quarantined {
            let known = one.object.map(|object| mirror.flaws_of(object)).transpose()?;
            findings.look_at_unreadable(one, &known.unwrap_or_default());
        }
        for change in &page.changes {
            let known = mirror.flaws_of(change.object.guid)?;
            findings.look_at_password(&known);
            findings.look_at_attributes(change, &config.scope, &known);
            findings.look(change).map_err(unkept)?;
        }
        if stop.is_raised() {
            return Err(PhsError::Interrupted);
        }
    }
    if json {
        say_json(
            serde_json::to_string_pretty(findings.oddities()),
            "the findings cannot be written as JSON",
        )?;
    } else {
        for Oddity { name, attribute, value, what, since, .. } in findings.oddities() {
            say(name)?;
            let words: Vec<&str> =
                [*attribute, value.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
            let since = since.map(|at| format!(" (since {})", clock_text::utc(at))).unwrap_or_default();
            say(&format!("  {}: {what}{since}", words.join(" ")))?;
        }
        let (found, looked_at) = (findings.found(), findings.looked_at());
        say(&format!("{found} odd among {looked_at} accounts, groups and contacts"))?;
    }
    Ok(if findings.found() > 0 { 10 } else { 0 })
}

/// `explain`
pub fn explain(config: &Config, who: &str, json: bool) -> Result<u8, PhsError> {
    let identity = job::identity(config)?;
    let domain = job::domain(&identity)?;
    let mirror = Mirror::scratch(&config.state_directory)?;
    let now = now();
    let explained = explain::explain(config, &domain, &mirror, who, now)?;
    if json {
        say_json(serde_json::to_string_pretty(&explained), "the explanation cannot be written as JSON")?;
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
        say(&format!("its password was sent {} s ago", ago(at)))?;
    }
    if let Some(at) = explained.told_at {
        say(&format!("something of it was last sent {} s ago", ago(at)))?;
    }
    Ok(0)
}
