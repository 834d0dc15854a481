//! `landbridge-tenant`: reads the command line, runs it, and turns the outcome into an exit status.

use clap::Parser as _;
use landbridge_tenant::command::{CommandLine, run};
use landbridge_tenant::error::TenantError;
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
                let _ = writeln!(to, "error: {error}");
                if let Some(todo) = error.todo() {
                    let _ = writeln!(to, "to do: {todo}");
                }
            }
            ExitCode::from(error.exit_code())
        }
    }
}
