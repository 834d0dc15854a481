//! A file system of a few hundred kilobytes, mounted by root: the full disk of the tests.

use super::error::{Doing as _, LabError, failed};
use super::watchdog;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Unmounted and removed when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of this many KiB.
    pub fn of(kib: u32) -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-disk-")?;
        let options = format!("size={kib}k,mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "landbridge-disk"]).arg(folder.path());
        watchdog::watch_mount(folder.path())?;
        run(&mut mount)?;
        Ok(Self { folder })
    }

    /// A folder on it, 0700, which is made when it is not there.
    pub fn folder(&self) -> Result<PathBuf, LabError> {
        let folder = self.folder.path().join("data");
        fs::create_dir_all(&folder).doing("make a folder on the small disk")?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).doing("set the mode of a folder")?;
        Ok(folder)
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<(), LabError> {
        let mut file = File::create(self.filler()).doing("create a file on the small disk")?;
        for size in [4096, 1] {
            while file.write_all(&vec![b'.'; size]).is_ok() {}
        }
        Ok(())
    }

    /// Removes what fills it.
    pub fn make_room(&self) -> Result<(), LabError> {
        fs::remove_file(self.filler()).doing("remove a file on the small disk")
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(self.folder.path()));
    }
}

fn run(command: &mut Command) -> Result<(), LabError> {
    let output = command.output().doing("mount a small disk")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(failed("mounting a small disk", said)) }
}
