//! Ends every program of the lab, and removes its folders and mounts, when the process that made them ends: by
//! return, panic, SIGINT or SIGKILL. A shell waits for the end of its standard input, which this process alone holds
//! open. In the usual case the `Drop` of each owner has done this before.

use super::error::{Doing as _, LabError};
use rustix::fs::Mode;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

static WATCHDOG: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Has this process group killed when this process ends.
pub(crate) fn watch_group(group: u32) -> Result<(), LabError> {
    send(&format!("watch {group}"))
}

/// Takes back [`watch_group`] for a group that has ended, because the kernel may give its number to another one.
pub(crate) fn forget_group(group: u32) {
    let _ = send(&format!("forget {group}"));
}

/// A new folder of the lab's under the temporary folder. Removed when dropped, or else when this process ends.
/// Files that this process writes are readable by others from then on, whatever its umask was.
pub(crate) fn folder(prefix: &str) -> Result<TempDir, LabError> {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().doing("make a folder")?;
    send(&format!("folder {}", folder.path().display()))?;
    Ok(folder)
}

/// Has this unmounted when this process ends.
pub(crate) fn watch_mount(at: &Path) -> Result<(), LabError> {
    send(&format!("mount {}", at.display()))
}

fn send(line: &str) -> Result<(), LabError> {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = match watchdog.take() {
        Some(pipe) => watchdog.insert(pipe),
        None => {
            let mut shell = Command::new("/bin/sh")
                .args(["-c", include_str!("watchdog.sh")])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .doing("start the lab's watchdog")?;
            let pipe = shell.stdin.take().ok_or(LabError::Missing { program: "/bin/sh" })?;
            watchdog.insert(pipe)
        }
    };
    writeln!(pipe, "{line}").doing("write to the lab's watchdog")
}
