//! An administrator's yes to removals that are held back: how many were looked at, and when. The running daemon has the
//! state, so the yes waits for it in a file beside it, and is taken with its next cycle.
//! Neighbours: `commands` writes it, `daemon` takes it, `guard` asks for it.

use landbridge_agent::key::{self, FileError};
use std::path::{Path, PathBuf};

const FILE: &str = "confirm-removals";
/// Two numbers of 20 digits each, a space and a line's end.
const LONGEST: usize = 48;
/// A yes is good for so long, in seconds: who leaves later is not who was looked at.
const GOOD: i64 = 3_600;

/// A yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yes {
    /// So many accounts were looked at.
    pub accounts: u64,
    /// When it was said: seconds since 1970.
    pub at: i64,
}

fn file(state_directory: &Path) -> PathBuf {
    state_directory.join(FILE)
}

/// Leaves it for the daemon; an earlier one gives way.
pub fn leave(state_directory: &Path, yes: Yes) -> Result<(), FileError> {
    let _ = std::fs::remove_file(file(state_directory));
    key::write_secret(&file(state_directory), format!("{} {}\n", yes.accounts, yes.at).as_bytes())
}

fn read(state_directory: &Path) -> Option<Yes> {
    let text = key::read_secret(&file(state_directory), LONGEST).ok()?;
    let (accounts, at) = std::str::from_utf8(&text).ok()?.trim().split_once(' ')?;
    Some(Yes { accounts: accounts.parse().ok()?, at: at.parse().ok()? })
}

/// The yes that waits, if it is a good one still.
pub fn waiting(state_directory: &Path, now: i64) -> Option<Yes> {
    read(state_directory).filter(|yes| (0..=GOOD).contains(&now.saturating_sub(yes.at)))
}

/// This one was taken; a newer one stays.
pub fn done(state_directory: &Path, taken: Yes) {
    if read(state_directory) == Some(taken) {
        let _ = std::fs::remove_file(file(state_directory));
    }
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
        assert_eq!(waiting(state, 5), None);
        let (first, last) = (Yes { accounts: 612, at: 5 }, Yes { accounts: u64::MAX, at: 6 });
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
    fn a_yes_is_good_for_an_hour() {
        let directory = directory();
        let yes = Yes { accounts: 12, at: i64::MAX - 3_601 };
        leave(directory.path(), yes).unwrap();
        assert_eq!(waiting(directory.path(), i64::MAX - 1), Some(yes));
        assert_eq!(waiting(directory.path(), i64::MAX), None);
        assert_eq!(waiting(directory.path(), yes.at - 1), None, "a clock that went back");
    }
}
