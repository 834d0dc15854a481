//! A script that answers one line of JSON with another, for as long as a test wants.

use super::error::{Doing as _, LabError, failed};
use super::watchdog;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running script. Killed when dropped.
#[derive(Debug)]
pub(super) struct Script {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Script {
    /// Starts it, with its whole command line and its standard error. `what` is said if it does not start.
    pub(super) fn start(mut command: Command, errors: Stdio, what: &str) -> Result<Self, LabError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut child = command.spawn().doing(format!("start {what}"))?;
        watchdog::watch_group(child.id())?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Self { child, to, from: BufReader::new(from) }),
            _ => Err(failed(format!("starting {what}"), "it has no standard input or output")),
        }
    }

    /// Sends a request and receives its answer. `step` is what is said if that fails.
    pub(super) fn send(&mut self, request: &Value, step: &str) -> Result<Value, LabError> {
        writeln!(self.to, "{request}").doing(step)?;
        let mut line = String::new();
        self.from.read_line(&mut line).doing(step)?;
        serde_json::from_str(&line).map_err(|_| failed(step, &line))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        watchdog::forget_group(self.child.id());
    }
}
