//! An administrator's yes to removals that are held back: how many were looked at. The running daemon has the state, so the
//! yes waits for it in a file beside it, and is taken with its next cycle.
//! Neighbours: `commands` writes it, `daemon` takes it, `guard` asks for it.

use landbridge_agent::key::{self, FileError};
use std::path::{Path, PathBuf};

const FILE: &str = "confirm-removals";
/// A number of 20 digits and a line's end.
const LONGEST: usize = 32;

fn file(state_directory: &Path) -> PathBuf {
    state_directory.join(FILE)
}

/// Leaves it for the daemon; an earlier one gives way.
pub fn leave(state_directory: &Path, accounts: u64) -> Result<(), FileError> {
    done(state_directory);
    key::write_secret(&file(state_directory), format!("{accounts}\n").as_bytes())
}

/// So many accounts were looked at, if a yes waits.
pub fn waiting(state_directory: &Path) -> Option<u64> {
    let text = key::read_secret(&file(state_directory), LONGEST).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// It was taken.
pub fn done(state_directory: &Path) {
    let _ = std::fs::remove_file(file(state_directory));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mirror::tests::directory;

    #[test]
    fn a_yes_waits_until_it_is_taken_and_the_last_one_counts() {
        let directory = directory();
        let state = directory.path();
        assert_eq!(waiting(state), None);
        leave(state, 612).unwrap();
        leave(state, u64::MAX).unwrap();
        assert_eq!(waiting(state), Some(u64::MAX));
        done(state);
        assert_eq!(waiting(state), None);
        std::fs::write(file(state), "7").unwrap();
        assert_eq!(waiting(state), None, "a file that others may write says nothing");
    }
}
