//! `landbridge-pta-agent`: the command line. Results on standard output; everything else happens in the library.

use clap::{Parser, Subcommand};
use landbridge_agent::error::must_act;
use landbridge_pta_agent::command::{self, Enroll};
use landbridge_pta_agent::config::Config;
use landbridge_pta_agent::error::PtaError;
use landbridge_wire::printable;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit status:
  0  done; for `run`, stopped by a signal after open sign-ins were answered
  1  defect of this program
  2  wrong command line
  3  configuration, identity or local files; for `status`, no agent runs
  5  no domain controller can be used
  6  the tenant refused, or is older than this agent
  7  the tenant cannot be reached

Examples:
  landbridge-tenant token create --role pta --domain corp.example.com | landbridge-pta-agent enroll
  landbridge-pta-agent check
  landbridge-pta-agent run
  landbridge-pta-agent status

It listens on no port: it makes every connection itself. Logs go to standard error, results to
standard output. docs/pta-agent.md has the configuration file, and what to do about each error.";

/// Answers the sign-ins of a Landbridge tenant by trying the password at a domain controller.
#[derive(Debug, Parser)]
#[command(name = "landbridge-pta-agent", version, after_help = EXIT_CODES, max_term_width = 110)]
struct CommandLine {
    /// Configuration file
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDBRIDGE_PTA_AGENT_CONFIG",
        default_value = "/etc/landbridge/pta-agent.toml",
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
    /// The token comes from the tenant's `token create --role pta`. It is read from standard input, so that it is in no
    /// shell history and no process list. The whole identity is stored, or nothing.
    #[command(after_help = EXIT_CODES)]
    Enroll(Enroll),
    /// Check every prerequisite, and show what to do about those that fail. Touches no account but that of --as
    #[command(after_help = EXIT_CODES)]
    Check {
        /// Sign in as this account at one domain controller: user@suffix, DOMAIN\user or S-1-5-21-…
        ///
        /// The password is asked for, or read from standard input; it is stored nowhere. A wrong one is one bad
        /// password of the account for AD's lockout.
        #[arg(long = "as", value_name = "USER")]
        account: Option<String>,
        /// Print one JSON list
        #[arg(long)]
        json: bool,
    },
    /// Answer sign-ins until a signal says stop
    #[command(after_help = EXIT_CODES)]
    Run,
    /// Show the status of the running agent
    #[command(after_help = EXIT_CODES)]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // Memory holds passwords for a moment, and the key that opens them. So this process writes no core file and accepts
    // no debugger.
    let result = match landbridge_host::dumps::forbid() {
        Ok(()) => run(&command_line),
        Err(_) => Err(PtaError::Defect("the system does not let this process forbid memory dumps")),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // What a DC or the tenant said may be in it.
            let text =
                printable::lines(&format!("landbridge-pta-agent: {error}\n  {}", must_act(error.who())));
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command_line: &CommandLine) -> Result<u8, PtaError> {
    let config = Config::load(&command_line.config)?;
    let level = command_line.log_level.unwrap_or(config.log.level);
    landbridge_agent::log::settings(config.log.format, level)
        .start(std::io::stderr)
        .map_err(|_| PtaError::Defect("logging was set up twice"))?;
    match &command_line.command {
        Command::Enroll(enroll) => enroll.run(&config),
        Command::Check { account, json } => command::check(&config, account.as_deref(), *json),
        Command::Run => command::run(&config),
        Command::Status { json } => command::status(&config, *json),
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
        for status in [0, 1, 2, 3, 5, 6, 7] {
            assert!(help.contains(&format!("\n  {status}  ")), "{status}");
        }
        assert!(
            CommandLine::try_parse_from(["landbridge-pta-agent", "enroll", "--token", "lbt1.x"]).is_err()
        );
        let password = ["landbridge-pta-agent", "check", "--as", "ada@corp.example.com", "secret"];
        assert!(CommandLine::try_parse_from(password).is_err());
        assert!(CommandLine::try_parse_from(["landbridge-pta-agent", "enroll", "lbt1.x"]).is_err());
    }
}
