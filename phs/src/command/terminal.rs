//! Results on standard output. Neighbours: every command prints through here.

use crate::error::PhsError;
use landbridge_agent::AgentError;
use landbridge_agent::key::FileError;
use std::io::{self, Write as _};

/// Prints one or more lines. Control characters are replaced: names and addresses in the directory may contain them,
/// and a terminal would act on them.
pub(super) fn say(line: &str) -> Result<(), PhsError> {
    let is_harmless = |c: char| c == '\n' || !c.is_control();
    let line: String =
        line.chars().map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => Ok(()),
        // The reader has closed the pipe, which is no error.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(why) => {
            Err(AgentError::from(FileError::Io { path: "standard output".into(), what: "write", why }).into())
        }
    }
}
