//! Objects that enter the tenant with an upload whose rows are not committed yet: a file beside the database, written
//! before the upload. If phs is killed in between, the database does not know that the tenant has them; the next cycle
//! reads the file, and those that left the scope meanwhile leave the tenant too.
//! Neighbours: `cycle::courier` writes it, `cycle::sweep` acts on it.

use super::{Mirror, StateError};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use uuid::Uuid;

/// The file's name under the state directory.
const FILE: &str = "sending";
/// Limit on bytes that are read: 100,000 objects. A cycle has some hundreds on the way.
const MOST: u64 = 3_700_000;

impl Mirror {
    /// Notes that these objects are about to enter the tenant. On the disk when this returns.
    pub fn note_sending(&self, objects: &[Uuid]) -> Result<(), StateError> {
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let write = || {
            let mut file =
                OpenOptions::new().create(true).append(true).mode(0o600).open(self.sending_file())?;
            file.write_all(lines.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|why| self.no_list(&why))
    }

    /// The objects that were on their way when phs ended. A line that was cut by a crash names none.
    pub fn left_sending(&self) -> Result<Vec<Uuid>, StateError> {
        let mut text = Vec::new();
        match File::open(self.sending_file()) {
            Ok(file) => file.take(MOST).read_to_end(&mut text).map_err(|why| self.no_list(&why))?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(self.no_list(&why)),
        };
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(|line| Uuid::parse_str(line).ok()).collect())
    }

    /// Their rows are committed.
    pub fn forget_sending(&self) -> Result<(), StateError> {
        match std::fs::remove_file(self.sending_file()) {
            Ok(()) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(why) => Err(self.no_list(&why)),
        }
    }

    fn sending_file(&self) -> PathBuf {
        self.path.with_file_name(FILE)
    }

    fn no_list(&self, why: &io::Error) -> StateError {
        let path = self.sending_file();
        let is = |kinds: &[io::ErrorKind]| kinds.contains(&why.kind());
        if is(&[io::ErrorKind::StorageFull]) {
            StateError::DiskFull { path }
        } else if is(&[io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem]) {
            StateError::Denied { path }
        } else {
            StateError::Failed { path, why: why.to_string() }
        }
    }
}
