//! A machine of its own for a packaged program, as far as files go: folders of the lab lie over the machine's, so that the
//! program is configured under the paths that its package gave it, and the machine's files stay as they are.

use super::error::{Doing as _, LabError, failed};
use super::view::View;
use super::{view, watchdog};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Mounts and starts: the root of the folders, their paths, `--`, the program and its arguments.
const SCRIPT: &str = r#"
root=$1; shift
while [ "$1" != -- ]; do mount --bind "$root$1" "$1" || exit 125; shift; done
shift
exec "$@""#;

/// The first process of a daemon's own processes. When it is killed, all of them are: a daemon that changes its user or
/// its group of processes would survive otherwise.
const FIRST: &str = r#""$@"; exit $?"#;

/// Folders and files over those of the machine. Removed when dropped.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    paths: Vec<&'static str>,
    view: Option<View>,
}

impl Machine {
    /// Its own folders at these paths, which exist on the machine: first those with a copy of what the packages installed
    /// there, then those that begin empty.
    pub fn with(copied: &[&'static str], empty: &[&'static str]) -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-machine-")?;
        let machine = Self { folder, paths: [copied, empty].concat(), view: None };
        for path in empty {
            let own = machine.file(path);
            fs::create_dir_all(&own).doing(format!("make {}", own.display()))?;
        }
        for path in copied {
            let own = machine.file(path);
            let parent = own.parent().unwrap_or(machine.folder.path());
            fs::create_dir_all(parent).doing(format!("make {}", parent.display()))?;
            machine.run("cp", &[OsStr::new("--archive"), OsStr::new(path), own.as_os_str()])?;
        }
        Ok(machine)
    }

    /// Lets its programs see this view.
    #[must_use]
    pub fn seeing(mut self, view: View) -> Self {
        self.view = Some(view);
        self
    }

    /// Where a file of this path really is.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// A folder outside of what its programs see.
    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// Writes a file with this mode.
    pub fn write(&self, path: &str, text: &str, mode: u32) -> Result<(), LabError> {
        let file = self.file(path);
        fs::write(&file, text).doing(format!("write {path}"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).doing(format!("set the mode of {path}"))
    }

    /// Replaces a text wherever the file has it, as an administrator does with an editor. Mode and owner stay.
    pub fn edit(&self, path: &str, old: &str, new: &str) -> Result<(), LabError> {
        let file = self.file(path);
        let text = fs::read_to_string(&file).doing(format!("read {path}"))?;
        if !text.contains(old) {
            return Err(failed(format!("editing {path}"), format!("it does not have this: {old}")));
        }
        fs::write(&file, text.replace(old, new)).doing(format!("write {path}"))
    }

    /// Gives a file or a folder to a user and group of the machine.
    pub fn give(&self, path: &str, owner: &str) -> Result<(), LabError> {
        self.run("chown", &[OsStr::new("--recursive"), OsStr::new(owner), self.file(path).as_os_str()])
    }

    /// A program that sees these folders.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        self.start(&[program.as_ref()])
    }

    /// The same for a program that starts others: none of them lives longer than it does.
    pub fn daemon(&self, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", FIRST, "sh"];
        let alone = alone.map(OsStr::new);
        self.start(&[&alone[..], &[program.as_ref()]].concat())
    }

    fn start(&self, words: &[&OsStr]) -> Result<Command, LabError> {
        let mut command = match &self.view {
            Some(view) => view.command("sh")?,
            None => view::command("sh")?,
        };
        command.args(["-c", SCRIPT, "sh"]).arg(self.folder.path()).args(&self.paths).arg("--").args(words);
        Ok(command)
    }

    fn run(&self, program: &str, arguments: &[&OsStr]) -> Result<(), LabError> {
        let done = Command::new(program).args(arguments).output().doing(format!("start {program}"))?;
        let said = || String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(failed(program, said())) }
    }
}
