//! Executes a command line. Before it: `main.rs`. After it: the file of the command, or `serve.rs`.

use super::{Command, CommandLine, ask, backup, init, log, migrate, nodes, restore};
use crate::config::Config;
use crate::error::TenantError;
use landbridge_tenant_core::sign_ins::Settings;

/// Limit on open files and sockets that the program requests: 1,024 connections at each door, and room for the
/// database.
const OPEN_FILES: u64 = 4096;
/// Limit on threads that may block, beside those of sign-ins that wait for a derivation.
const OTHER_THREADS: usize = 512;

/// Executes the command.
pub fn run(line: &CommandLine) -> Result<(), TenantError> {
    // This applies to every command: `init` creates keys, others read passwords or print credentials and tokens.
    close_the_process()?;
    match &line.command {
        Command::Init(init) => ask::print(&init::init(&line.config, init)?),
        Command::Serve => {
            let config = Config::load(&line.config)?;
            log::start(config.log.format, line.log_level.unwrap_or(config.log.level));
            open_files();
            // Sign-ins that wait in their queue keep as many threads. The others stay for all else.
            let threads = OTHER_THREADS + Settings::most_at_once(crate::serve::cores());
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime
                .enable_all()
                .max_blocking_threads(threads)
                .build()
                .map_err(|e| TenantError::Defect(format!("the system gives no threads: {e}")))?;
            runtime.block_on(crate::serve::serve(&config))
        }
        Command::Backup(flags) => ask::print(&backup::backup(&line.config, flags)?),
        Command::Restore(flags) => ask::print(&restore::restore(&line.config, flags)?),
        Command::Migrate(flags) => ask::print(&migrate::migrate(&line.config, flags)?),
        Command::Nodes(command) => ask::print(&nodes::run(&line.config, command)?),
        Command::Domains(_)
        | Command::Token(_)
        | Command::Agents(_)
        | Command::Apps(_)
        | Command::Users(_)
        | Command::Groups(_)
        | Command::Sessions(_)
        | Command::Keys(_)
        | Command::SignIn(_) => ask::run(&Config::load(&line.config)?, &line.command),
    }
}

/// Raises the limit of open files to what the listeners may need, if the system allows it.
fn open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
    {
        tracing::warn!(%error, wanted, "the limit of open files cannot be raised");
    }
}

/// Turns off core dumps and debuggers of other users, because this process holds keys and passwords.
fn close_the_process() -> Result<(), TenantError> {
    landbridge_host::dumps::forbid()
        .map_err(|e| TenantError::Defect(format!("the process cannot be closed to debuggers: {e}")))
}
