//! Results on standard output. Neighbours: every command prints through here.

use crate::error::PhsError;
use landbridge_agent::AgentError;
use landbridge_agent::key::FileError;
use landbridge_wire::printable;
use std::io::{self, Write as _};

/// Prints one line. Names and addresses in the directory may contain what a terminal would obey: it is replaced.
pub(super) fn say(line: &str) -> Result<(), PhsError> {
    write(&printable::one_line(line))
}

/// Prints a JSON text, its values as they are, in a form that a terminal does not obey. The error names `what` it is.
pub(super) fn say_json(json: serde_json::Result<String>, what: &'static str) -> Result<(), PhsError> {
    write(&printable::json(&json.map_err(|_| PhsError::Defect(what))?))
}

fn write(text: &str) -> Result<(), PhsError> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(()),
        // The reader has closed the pipe, which is no error.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(why) => {
            Err(AgentError::from(FileError::Io { path: "standard output".into(), what: "write", why }).into())
        }
    }
}
