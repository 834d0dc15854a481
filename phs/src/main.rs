//! `landbridge-phs`: the command line. Reads the one clock, raises the stop, prints results on standard output;
//! everything else happens in the library.

use clap::{Parser, Subcommand};
use landbridge_agent::error::must_act;
use landbridge_phs::command::enroll::Enroll;
use landbridge_phs::command::once::Once;
use landbridge_phs::command::{run as daemon, show, status};
use landbridge_phs::config::Config;
use landbridge_phs::error::PhsError;
use landbridge_phs::progress::Screen;
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
 10  for `status`: it runs, and somebody should look; for `check --objects`: something is odd

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
file, what the account needs in the directory, and every error with its way out.";

/// Carries the salted digests of a domain's passwords to a Landbridge tenant.
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
    /// The token comes from the tenant's `token create --role phs`. It is read from standard input, so that no
    /// shell history and no process list has it. All of the identity is stored, or nothing.
    #[command(after_help = EXIT_CODES)]
    Enroll(Enroll),
    /// Look at every prerequisite and say what to do about those that fail; changes nothing
    #[command(after_help = EXIT_CODES)]
    Check {
        /// Look at the objects of the directory instead: names that nobody can sign in with from outside, addresses that
        /// are none, and what two objects claim
        ///
        /// Reads all of the domain, without passwords. Ends with 10 if something is odd.
        #[arg(long)]
        objects: bool,
        /// Print one JSON list
        #[arg(long)]
        json: bool,
    },
    /// Synchronise once
    ///
    /// Sends what changed since the last run; everything, if it is the first or if either side lost its place.
    #[command(after_help = EXIT_CODES)]
    Once(Once),
    /// Synchronise until a signal says stop
    ///
    /// At once when a domain controller has committed something, and on a timer in any case. Whatever fails is tried
    /// again. SIGHUP reads the configuration again.
    #[command(after_help = EXIT_CODES)]
    Run,
    /// Say why an account, a group or a contact is in the cloud, or is not
    ///
    /// By sAMAccountName, userPrincipalName, objectGUID or objectSid. Asks nobody: what the last cycle knew decides.
    #[command(after_help = EXIT_CODES)]
    Explain {
        /// Whom
        #[arg(value_name = "USER")]
        who: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say how the running daemon is
    #[command(after_help = EXIT_CODES)]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // Memory holds secrets: no core file, and no debugger of another process of this user.
    let undumpable = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let result = match undumpable {
        Ok(()) => run(&command_line),
        Err(_) => Err(PhsError::Defect("the system does not let this process forbid memory dumps")),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "landbridge-phs: {error}\n  {}", must_act(error.who()));
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
    landbridge_agent::log::init(config.log.format, level, writer)
        .map_err(|_| PhsError::Defect("logging was set up twice"))?;
    match &command_line.command {
        Command::Enroll(enroll) => enroll.run(&config),
        Command::Check { objects: true, json } => show::check_objects(&config, *json),
        Command::Check { objects: false, json } => show::check(&command_line.config, &config, *json),
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
