//! Nothing of the lab survives the process that made it, however that ends: return, panic, SIGINT or
//! SIGKILL. A small shell waits for the end of its standard input, which only this process holds open.
//! What is stopped in good order is stopped by its owner's `Drop`; this is for all else.

use super::error::{Doing as _, LabError};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

static WATCHDOG: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Kill this process group when this process ends.
pub(crate) fn watch_group(group: u32) -> Result<(), LabError> {
    say(&format!("watch {group}"))
}

/// This process group was seen to end: its number may be another's from now on.
pub(crate) fn forget_group(group: u32) {
    let _ = say(&format!("forget {group}"));
}

/// Remove this folder when this process ends.
pub(crate) fn watch_folder(folder: &Path) -> Result<(), LabError> {
    say(&format!("folder {}", folder.display()))
}

/// Unmount this when this process ends.
pub(crate) fn watch_mount(at: &Path) -> Result<(), LabError> {
    say(&format!("mount {}", at.display()))
}

fn say(line: &str) -> Result<(), LabError> {
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
    writeln!(pipe, "{line}").doing("tell the lab's watchdog")
}
