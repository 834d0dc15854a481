//! What a running daemon says of itself: one JSON file in its state directory, for the command `status`. Agents listen
//! on nothing.
//! Neighbours: each daemon has a status of its own, and whoever has the clock writes it down.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write as _};
use std::path::Path;

const FILE: &str = "status.json";
const DRAFT: &str = "status.json.new";
/// A status that is older than this, in seconds, is not of a running process.
const STALE: i64 = 20;

/// Writes it, whole or not at all; 0600.
pub fn write(state_directory: &Path, status: &impl Serialize) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = serde_json::to_vec_pretty(status)?;
    let draft = state_directory.join(DRAFT);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?.write_all(&text)?;
    std::fs::rename(&draft, state_directory.join(FILE))
}

/// What was last written in this state directory.
pub fn read<S: DeserializeOwned>(state_directory: &Path) -> Option<S> {
    let text = std::fs::read(state_directory.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether a status that was written at this time may be of a running process. Both in seconds since 1970.
pub fn is_fresh(written_at: i64, now: i64) -> bool {
    now.saturating_sub(written_at) <= STALE
}

/// The process ends.
pub fn remove(state_directory: &Path) {
    let _ = std::fs::remove_file(state_directory.join(FILE));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_status_is_read_as_it_was_written_and_gone_when_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &vec![1, 2]).unwrap();
        write(folder.path(), &vec![3]).unwrap();
        assert_eq!(read::<Vec<u8>>(folder.path()), Some(vec![3]));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        remove(folder.path());
        assert_eq!(read::<Vec<u8>>(folder.path()), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
