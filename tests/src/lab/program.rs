//! Runs programs as a person at a shell would, and keeps their output in files.

use super::error::{Doing as _, LabError, last_of};
use super::{view, watchdog};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The folder of the build that this program belongs to: the one that cargo marks with `CACHEDIR.TAG`.
pub fn build_folder() -> Result<PathBuf, LabError> {
    let me = std::env::current_exe().doing("find this program")?;
    let found = me.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    found.map(Path::to_path_buf).ok_or_else(|| LabError::NotBuilt { path: me.clone() })
}

/// A program of this workspace, built in the same profile as this one.
pub fn built(name: &str) -> Result<PathBuf, LabError> {
    let me = std::env::current_exe().doing("find this program")?;
    let folder = me.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(name);
    if path.exists() { Ok(path) } else { Err(LabError::NotBuilt { path }) }
}

/// The folder of the programs that an installation runs: this build's, unless another was set.
#[derive(Debug, Default)]
pub struct ProgramFolder(Mutex<Option<PathBuf>>);

impl ProgramFolder {
    /// Runs the programs of another version from now on; none: those of this build.
    pub fn set(&self, folder: Option<&Path>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = folder.map(Path::to_path_buf);
    }

    /// The program of this name.
    pub fn program(&self, name: &str) -> Result<PathBuf, LabError> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(folder) => Ok(folder.join(name)),
            None => built(name),
        }
    }
}

/// Waits until `is` is true.
///
/// # Errors
/// [`LabError::Deadline`] with the text of `said`, when it is not true within `seconds`.
pub fn wait_until(
    what: &str,
    seconds: u64,
    mut is: impl FnMut() -> bool,
    said: impl FnOnce() -> String,
) -> Result<(), LabError> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !is() {
        if Instant::now() > until {
            return Err(LabError::Deadline { what: what.to_owned(), seconds, said: last_of(&said()) });
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// How a program ended, and its output.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub seconds: f64,
}

impl Finished {
    /// The exit code is this one, or the test fails and shows all.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(self.stdout.trim()) {
            Ok(value) => value,
            Err(why) => panic!("no JSON on standard output ({why}): {self}"),
        }
    }

    /// The first word of standard output that starts with this.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn word(&self, prefix: &str) -> String {
        let word = self.stdout.split_whitespace().find(|word| word.starts_with(prefix));
        word.unwrap_or_else(|| panic!("no {prefix}… on standard output: {self}")).to_owned()
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, signal, stdout, stderr, seconds } = self;
        write!(f, "{command}: exit {code:?}, signal {signal:?}, {seconds:.2} s")?;
        write!(f, "\n--- standard output\n{}\n--- standard error\n{}", last_of(stdout), last_of(stderr))
    }
}

/// A running program in a process group of its own. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    ended: Option<ExitStatus>,
    started: Instant,
    stdout: PathBuf,
    stderr: PathBuf,
}

static RUNS: AtomicU32 = AtomicU32::new(0);

impl Running {
    /// Starts it. `input` is written to its standard input, and its output goes to files in `folder`.
    /// Without input its standard input is empty.
    pub fn start(command: Command, input: Option<&[u8]>, folder: &Path) -> Result<Self, LabError> {
        Self::start_showing(command, input, folder, None)
    }

    /// The same; its standard error goes to `shown` when that is given, and to no file.
    pub fn start_showing(
        mut command: Command,
        input: Option<&[u8]>,
        folder: &Path,
        shown: Option<Stdio>,
    ) -> Result<Self, LabError> {
        let words = view::words(&command);
        let name = words.first().and_then(|program| Path::new(program).file_name()).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let line = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ");
        fs::create_dir_all(folder).doing(format!("make {}", folder.display()))?;
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] = ["stdout", "stderr"].map(|s| folder.join(format!("{name}-{run}.{s}")));
        let create = |path: &Path| File::create(path).doing(format!("create {}", path.display()));
        command
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(create(&stdout)?)
            .stderr(match shown {
                Some(shown) => shown,
                None => create(&stderr)?.into(),
            })
            .process_group(0);
        let mut child = command.spawn().doing(format!("start {line}"))?;
        watchdog::watch_group(child.id())?;
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            // A program that ends before it has read everything prints the reason.
            let _ = pipe.write_all(input);
        }
        Ok(Self { command: line, child, ended: None, started: Instant::now(), stdout, stderr })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
            if self.ended.is_some() {
                watchdog::forget_group(self.child.id());
            }
        }
        self.ended.is_some()
    }

    /// The file with its standard error.
    pub fn said_in(&self) -> PathBuf {
        self.stderr.clone()
    }

    /// Its standard error so far.
    pub fn said(&self) -> String {
        text_of(&self.stderr)
    }

    /// Its standard output so far.
    pub fn printed(&self) -> String {
        text_of(&self.stdout)
    }

    /// SIGKILL to the whole group, and waits for the end.
    pub fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        if self.ended.is_none() {
            self.ended = self.child.wait().ok();
            watchdog::forget_group(self.child.id());
        }
    }

    /// A signal to the whole group, when it still runs.
    pub fn signal(&mut self, signal: rustix::process::Signal) {
        if self.has_ended() {
            return;
        }
        let group = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`LabError::Deadline`] when it does not end; it is killed then.
    pub fn finish(mut self, seconds: u64) -> Result<Finished, LabError> {
        let (command, stderr) = (self.command.clone(), self.stderr.clone());
        wait_until(&command, seconds, || self.has_ended(), || text_of(&stderr))?;
        let status = self.ended;
        Ok(Finished {
            command: self.command.clone(),
            code: status.and_then(|s| s.code()),
            signal: status.and_then(|s| s.signal()),
            stdout: text_of(&self.stdout),
            stderr: text_of(&self.stderr),
            seconds: self.started.elapsed().as_secs_f64(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
