//! An administrator's confirmation of removals that are held back: how many, and when. The running daemon holds the
//! lock on the state, so the confirmation waits in a file beside it and is applied with the daemon's next cycle.
//! Neighbours: `command::once` writes it, `daemon` applies it, `cycle::guard` holds removals back without it.

use landbridge_agent::key::{self, FileError};
use std::path::{Path, PathBuf};

const FILE: &str = "confirm-removals";
/// Limit on the file's bytes: two numbers of 20 digits each, a space and a line end, with some to spare.
const LONGEST: usize = 48;
/// A confirmation is valid for this many seconds: accounts that leave later were not looked at.
const VALID: i64 = 3_600;

/// A confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// How many accounts may leave.
    pub accounts: u64,
    /// When it was given: seconds since 1970.
    pub at: i64,
}

fn file(state_directory: &Path) -> PathBuf {
    state_directory.join(FILE)
}

/// Writes a confirmation for the daemon; it replaces an earlier one.
pub fn leave(state_directory: &Path, confirmation: Confirmation) -> Result<(), FileError> {
    let _ = std::fs::remove_file(file(state_directory));
    key::write_secret(
        &file(state_directory),
        format!("{} {}\n", confirmation.accounts, confirmation.at).as_bytes(),
    )
}

fn read(state_directory: &Path) -> Option<Confirmation> {
    let text = key::read_secret(&file(state_directory), LONGEST).ok()?;
    let (accounts, at) = std::str::from_utf8(&text).ok()?.trim().split_once(' ')?;
    Some(Confirmation { accounts: accounts.parse().ok()?, at: at.parse().ok()? })
}

/// The confirmation that waits, if it is still valid.
pub fn waiting(state_directory: &Path, now: i64) -> Option<Confirmation> {
    read(state_directory).filter(|confirmation| (0..=VALID).contains(&now.saturating_sub(confirmation.at)))
}

/// Removes the confirmation that was applied; a newer one stays.
pub fn done(state_directory: &Path, applied: Confirmation) {
    if read(state_directory) == Some(applied) {
        let _ = std::fs::remove_file(file(state_directory));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mirror::tests::directory;

    #[test]
    fn a_confirmation_waits_until_it_is_applied_and_the_last_one_counts() {
        let directory = directory();
        let state = directory.path();
        assert_eq!(waiting(state, 5), None);
        let (first, last) =
            (Confirmation { accounts: 612, at: 5 }, Confirmation { accounts: u64::MAX, at: 6 });
        leave(state, first).unwrap();
        leave(state, last).unwrap();
        done(state, first);
        assert_eq!(waiting(state, 6), Some(last), "what was taken is not what came meanwhile");
        done(state, last);
        assert_eq!(waiting(state, 6), None);
        std::fs::write(file(state), "7 6").unwrap();
        assert_eq!(waiting(state, 6), None, "a file that others may write says nothing");
    }

    #[test]
    fn a_confirmation_is_good_for_an_hour() {
        let directory = directory();
        let confirmation = Confirmation { accounts: 12, at: i64::MAX - 3_601 };
        leave(directory.path(), confirmation).unwrap();
        assert_eq!(waiting(directory.path(), i64::MAX - 1), Some(confirmation));
        assert_eq!(waiting(directory.path(), i64::MAX), None);
        assert_eq!(waiting(directory.path(), confirmation.at - 1), None, "a clock that went back");
    }
}
