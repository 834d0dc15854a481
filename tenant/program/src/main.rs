//! `landbridge-tenant`: reads the command line, runs it, and turns the outcome into an exit status.

use clap::Parser as _;
use landbridge_tenant::command::{CommandLine, run};
use landbridge_tenant::error::TenantError;
use landbridge_wire::printable;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    match run(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A refused sign-in is printed on stdout and is no error of the program.
            if !matches!(error, TenantError::SignInRefused) {
                let mut to = std::io::stderr().lock();
                // What was typed, or came from the directory, may be in it.
                let _ = writeln!(to, "error: {}", printable::lines(&error.to_string()));
                if let Some(todo) = error.todo() {
                    let _ = writeln!(to, "to do: {}", printable::lines(&todo));
                }
            }
            ExitCode::from(error.exit_code())
        }
    }
}
