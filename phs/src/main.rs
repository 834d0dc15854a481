//! `landbridge-phs`: the command line, and who must act after an error. Everything else is in the library.

use clap::{Parser, Subcommand};
use landbridge_agent::error::must_act;
use landbridge_phs::command::enroll::Enroll;
use landbridge_phs::command::once::Once;
use landbridge_phs::command::{run as daemon, show, status};
use landbridge_phs::config::Config;
use landbridge_phs::error::PhsError;
use landbridge_phs::progress::Screen;
use landbridge_wire::printable;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit status:
  0  done
  1  defect of this program
  2  wrong command line
  3  configuration, identity or local files; for `status`, no daemon runs
  4  the directory refused
  5  the directory cannot be reached
  6  the tenant refused
  7  the tenant cannot be reached
  8  state database: disk full, damaged, of a newer program
  9  stopped by a signal before the end; nothing is lost
 10  for `status`: the daemon runs, and an administrator should look; for `check --objects`: problems were found;
     for `once`: done, and nobody is carried

Examples:
  landbridge-tenant token create --role phs --domain corp.example.com | landbridge-phs enroll
  landbridge-phs check
  landbridge-phs check --objects
  landbridge-phs once --dry-run
  landbridge-phs once --json
  landbridge-phs run
  landbridge-phs explain ada@corp.example.com
  landbridge-phs status

Logs go to standard error, results to standard output. docs/phs.md has the configuration
file, what the account needs in the directory, and what to do about each error.";

/// Sends salted digests of a domain's passwords to a Landbridge tenant.
#[derive(Debug, Parser)]
#[command(name = "landbridge-phs", version, after_help = EXIT_CODES, max_term_width = 110)]
struct CommandLine {
    /// Configuration file
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDBRIDGE_PHS_CONFIG",
        default_value = "/etc/landbridge/phs.toml",
        global = true
    )]
    config: PathBuf,
    /// Least important level that is logged: error, warn, info, debug or trace [default: as configured]
    #[arg(long, value_name = "LEVEL", env = "LANDBRIDGE_LOG", global = true)]
    log_level: Option<tracing::Level>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get an identity with a one-time token
    ///
    /// The token comes from the tenant's `token create --role phs`. It is read from standard input, so that it is in no
    /// shell history and no process list. The whole identity is stored, or nothing.
    #[command(after_help = EXIT_CODES)]
    Enroll(Enroll),
    /// Check every prerequisite, and show what to do about those that fail. Changes nothing
    #[command(after_help = EXIT_CODES)]
    Check {
        /// Check the objects of the directory instead: names that cannot be used to sign in from outside, invalid
        /// addresses, and values that two objects have
        ///
        /// Reads the whole domain, without passwords. Ends with 10 if there is a problem.
        #[arg(long)]
        objects: bool,
        /// Print one JSON list
        #[arg(long)]
        json: bool,
        /// Also write a report for the project's developers to this new file: versions, features, errors, counts
        ///
        /// It holds no secret, and names that phs knows are replaced. Read it before you send it.
        #[arg(long, value_name = "FILE", conflicts_with = "objects")]
        report: Option<PathBuf>,
    },
    /// Synchronise once
    ///
    /// Sends what changed since the last run. The first run, or one after either side lost its state, compares
    /// everything.
    #[command(after_help = EXIT_CODES)]
    Once(Once),
    /// Synchronise until a signal says stop
    ///
    /// A cycle begins at once when a domain controller has committed a change, and on a timer in any case. A failed
    /// cycle is tried again. SIGHUP reads the configuration again.
    #[command(after_help = EXIT_CODES)]
    Run,
    /// Explain why an account, a group or a contact is at the tenant, or is not
    ///
    /// Uses what the last cycle stored; contacts neither the directory nor the tenant.
    #[command(after_help = EXIT_CODES)]
    Explain {
        /// sAMAccountName, userPrincipalName, objectGUID or objectSid
        #[arg(value_name = "USER")]
        who: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show the status of the running daemon
    #[command(after_help = EXIT_CODES)]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // Memory holds secrets, so this process writes no core file and accepts no debugger.
    let result = match landbridge_host::dumps::forbid() {
        Ok(()) => run(&command_line),
        Err(_) => Err(PhsError::Defect("the system does not let this process forbid memory dumps")),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // What a DC or the tenant said may be in it.
            let text = printable::lines(&format!("landbridge-phs: {error}\n  {}", must_act(error.who())));
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command_line: &CommandLine) -> Result<u8, PhsError> {
    let config = Config::load(&command_line.config)?;
    let level = command_line.log_level.unwrap_or(config.log.level);
    let screen = Screen::new();
    let writer = {
        let screen = screen.clone();
        move || screen.writer()
    };
    landbridge_agent::log::settings(config.log.format, level)
        .start(writer)
        .map_err(|_| PhsError::Defect("logging was set up twice"))?;
    match &command_line.command {
        Command::Enroll(enroll) => enroll.run(&config),
        Command::Check { objects: true, json, .. } => show::check_objects(&config, *json),
        Command::Check { objects: false, json, report } => {
            show::check(&command_line.config, &config, *json, report.as_deref())
        }
        Command::Once(once) => once.run(&config, &screen),
        Command::Run => daemon::run(&command_line.config, config),
        Command::Explain { who, json } => show::explain(&config, who, *json),
        Command::Status { json } => status::status(&config, *json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound_and_no_secret_is_an_argument() {
        CommandLine::command().debug_assert();
        let help = CommandLine::command().render_long_help().to_string();
        for status in 0..=10 {
            assert!(help.contains(&format!("\n {status:>2}  ")), "{status}");
        }
        assert!(CommandLine::try_parse_from(["landbridge-phs", "enroll", "--token", "lbt1.x"]).is_err());
        assert!(CommandLine::try_parse_from(["landbridge-phs", "enroll", "lbt1.x"]).is_err());
    }
}
