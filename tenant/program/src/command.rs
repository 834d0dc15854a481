//! The command line: what can be said, and who does it.
//! Results on stdout, logs and errors on stderr. Not here: what the tenant does (`serve`, `admin::act`).

pub mod ask;
pub mod backup;
mod card;
pub mod init;
pub mod log;
pub mod place;
pub mod restore;
pub mod table;

use crate::config::{Config, DEFAULT_DATA_DIRECTORY, DEFAULT_LISTEN, DEFAULT_PATH, LogLevel};
use crate::error::TenantError;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_wire::enroll::Role;
use std::net::SocketAddr;
use std::path::PathBuf;
use uuid::Uuid;

const AFTER_HELP: &str = "\
Exit codes:
  0   done
  1   a defect of the program
  2   the command line is wrong
  3   the configuration or a local file is wrong (a key, a certificate, a backup), something is there already, or an
      address is taken
  4   the tenant refused (no such domain, no such agent, …)
  5   the tenant is not running
  8   the database fails (disk full, damaged, written by a newer version)
  10  the sign-in was refused

Examples:
  landbridge-tenant init --url https://tenant.example.com:8443
  landbridge-tenant serve
  landbridge-tenant domains add --name corp.example.com --netbios CORP --sid S-1-5-21-1004336348-1177238915-682003330
  landbridge-tenant token create --role phs --domain corp.example.com > token
  landbridge-tenant agents list
  landbridge-tenant agents approve 6f1c2a52-6f0e-4d5e-9b0e-0f6f3a1c9d11
  landbridge-tenant apps create --name mail --domain corp.example.com --rate 600
  landbridge-tenant domains policy corp.example.com refuse
  landbridge-tenant domains policy corp.example.com phs --group Pilot
  landbridge-tenant signin alice@corp.example.com
  printf %s \"$password\" | landbridge-tenant signin alice@corp.example.com --password-stdin
  landbridge-tenant backup /backup/2026-11-26 --keys /safe/landbridge-keys
  landbridge-tenant restore /backup/2026-11-26 --keys /safe/landbridge-keys

A flag beats an environment variable, which beats the configuration file.
All commands but init, serve, backup and restore talk to the running tenant over its administration socket; they are
for root and for the user that the tenant runs as.";

/// So many files and sockets are wanted.
const OPEN_FILES: u64 = 4096;

/// The cloud end of Landbridge: receives password digests, signs people in, issues agent identities.
#[derive(Debug, Parser)]
#[command(name = "landbridge-tenant", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct CommandLine {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "LANDBRIDGE_TENANT_CONFIG", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// How much is logged; beats the configuration.
    #[arg(long, global = true, value_name = "LEVEL", env = "LANDBRIDGE_LOG")]
    pub log_level: Option<LogLevel>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a tenant: configuration (if there is none), keys, database. Overwrites nothing.
    Init(Init),
    /// Serve agents, applications and administrators until SIGTERM. SIGHUP: the applications' certificate is read anew.
    Serve,
    /// The Active Directory domains that this tenant serves.
    #[command(subcommand)]
    Domains(Domains),
    /// One-time tokens that agents enrol with.
    #[command(subcommand)]
    Token(Token),
    /// The agents.
    #[command(subcommand)]
    Agents(Agents),
    /// The applications that may ask for sign-ins.
    #[command(subcommand)]
    Apps(Apps),
    /// The people.
    #[command(subcommand)]
    Users(Users),
    /// The groups.
    #[command(subcommand)]
    Groups(Groups),
    /// Copy the database, whether it is served or not, and with --keys the keys, into new directories.
    Backup(Backup),
    /// Make the data directory from a backup, where there is none. Overwrites nothing.
    Restore(Restore),
    /// Try a sign-in as an application would, and be told the true reason. It counts for the lockout.
    #[command(name = "signin")]
    SignIn(SignIn),
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// How agents will reach the tenant: https://host or https://host:port. Needed when there is no configuration yet.
    #[arg(long)]
    pub url: Option<String>,
    /// Where to serve agents and applications.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Where to keep the database and the keys.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_DATA_DIRECTORY)]
    pub data_directory: PathBuf,
}

/// `domains`.
#[derive(Debug, Subcommand)]
pub enum Domains {
    /// Serve a domain.
    Add {
        /// Its DNS name.
        #[arg(long)]
        name: String,
        /// Its NetBIOS name.
        #[arg(long)]
        netbios: String,
        /// Its SID: S-1-5-21-… It is fixed from now on.
        #[arg(long)]
        sid: String,
        /// Take the passwords of privileged accounts too, if its phs sends them.
        #[arg(long)]
        allow_privileged: bool,
    },
    /// Show the domains.
    List(Listing),
    /// Show or set how a domain's people sign in.
    Policy {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// What decides: the digest (phs), an agent (pta), or the digest while no agent can answer (pta-then-phs); or
        /// nobody signs in (refuse), for a rollout in stages.
        #[arg(value_parser = signin_policy())]
        policy: Option<SigninPolicy>,
        /// Set it for the members of a group alone, also through other groups: its name, SID or objectGUID. Who is in
        /// several such groups signs in as the first of them says.
        #[arg(long, conflicts_with = "approve_agents")]
        group: Option<String>,
        /// Members of the group sign in as others do again.
        #[arg(long, requires = "group", conflicts_with_all = ["policy", "place"])]
        remove: bool,
        /// Where in the order of the groups, from 1 on; else where it was, or last.
        #[arg(long, value_name = "N", requires = "group", value_parser = clap::value_parser!(u32).range(1..=64))]
        place: Option<u32>,
        /// Whether a newly enrolled pta-agent waits for `agents approve`.
        #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
        approve_agents: Option<bool>,
    },
    /// Accounts that nobody uses: agents are tried with wrong passwords for them.
    #[command(subcommand)]
    Canary(Canary),
}

/// `domains canary`.
#[derive(Debug, Clone, Subcommand)]
pub enum Canary {
    /// Name one.
    Add {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The account's sign-in name.
        user: String,
    },
    /// It is none any more.
    Remove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The account's sign-in name, or its objectGUID as `list` shows it.
        user: String,
    },
    /// Show them.
    List {
        /// The domain: DNS or NetBIOS name.
        name: String,
    },
}

/// Reads a sign-in policy, and lists each one with its meaning in the help.
fn signin_policy() -> impl TypedValueParser<Value = SigninPolicy> {
    let value = |policy: SigninPolicy| {
        PossibleValue::new(policy.as_str()).help(match policy {
            SigninPolicy::Phs => "By the digest that the tenant holds",
            SigninPolicy::Pta => "By an agent that asks a domain controller",
            SigninPolicy::PtaThenPhs => "By an agent; by the digest while no agent can answer",
            SigninPolicy::Refuse => {
                "Not at all: for a rollout in stages, where groups have policies of their own"
            }
        })
    };
    PossibleValuesParser::new(SigninPolicy::ALL.map(value))
        .try_map(|text| SigninPolicy::parse(&text).ok_or("not a sign-in policy"))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Print a new token, alone on stdout. Whoever has it can enrol one agent.
    Create {
        /// What the agent may become.
        #[arg(long)]
        role: RoleName,
        /// The domain that it may serve: DNS or NetBIOS name.
        #[arg(long)]
        domain: String,
        /// How long it can be used.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10))]
        minutes: u32,
    },
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Password hash synchronization.
    Phs,
    /// Pass-through authentication.
    Pta,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Phs => Self::Phs,
            RoleName::Pta => Self::Pta,
        }
    }
}

/// `agents`.
#[derive(Debug, Subcommand)]
pub enum Agents {
    /// Show the agents.
    List(Listing),
    /// Let an agent work. A phs could write any digest: check its host first.
    Approve {
        /// Its id.
        agent: Uuid,
    },
    /// Stop an agent for good; its connections are cut.
    Revoke {
        /// Its id.
        agent: Uuid,
    },
}

/// `apps`.
#[derive(Debug, Subcommand)]
pub enum Apps {
    /// Print a new credential, alone on stdout. It is shown this once.
    Create {
        /// Its name: letters, digits, `-`, `_` and `.`.
        #[arg(long)]
        name: String,
        /// The only domain whose people it may ask for; else every domain.
        #[arg(long)]
        domain: Option<String>,
        /// Sign-ins a minute.
        #[arg(long, default_value_t = landbridge_tenant_core::applications::DEFAULT_RATE,
              value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rate: u32,
    },
    /// Show the applications.
    List(Listing),
    /// Print a new credential for an application; its old one ends at once.
    Rotate {
        /// Its name.
        name: String,
    },
    /// No more sign-ins for an application, for good.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// `users`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Show the sign-in names that more than one account holds: they sign nobody in.
    Ambiguous(Listing),
    /// Erase now, for good, what is known of an account that was deleted or left the scope.
    Purge {
        /// A name that it had, or its objectGUID.
        name: String,
    },
    /// Show what the tenant knows of an account, and why it would be refused. Never its digest.
    Show {
        /// A sign-in name (user@domain or DOMAIN\user), a bare sAMAccountName, a SID or an objectGUID.
        name: String,
        /// Everything that is known, as JSON: also when and where each attribute was written.
        #[arg(long)]
        json: bool,
    },
}

/// `groups`.
#[derive(Debug, Subcommand)]
pub enum Groups {
    /// Show the groups.
    List(Listing),
    /// Show who is in a group, what it is in, and what holds for its members.
    Show {
        /// Its name, bare or as DOMAIN\name, its SID or its objectGUID.
        name: String,
        /// Everything that is known, as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `signin`.
#[derive(Debug, Args)]
pub struct SignIn {
    /// The name, as a person types it: user@domain or DOMAIN\user.
    pub user: String,
    /// Read the password from stdin, up to its end or the first line end; else it is asked for on the terminal.
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the sign-in is said to come from, for the lockout.
    #[arg(long, default_value = "admin")]
    pub source: String,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Where to: a directory that is not there yet. It will hold the database, the CA's certificate and the configuration.
    pub directory: PathBuf,
    /// Copy the keys too: into another directory that is not there yet. Keep the two apart.
    #[arg(long, value_name = "DIRECTORY")]
    pub keys: Option<PathBuf>,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// What `backup` made.
    pub directory: PathBuf,
    /// What `backup --keys` made: these keys are put where the configuration names them. Without it the keys must be
    /// there already.
    #[arg(long, value_name = "DIRECTORY")]
    pub keys: Option<PathBuf>,
}

/// How a list is shown.
#[derive(Debug, Args)]
pub struct Listing {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Does what was said.
pub fn run(line: &CommandLine) -> Result<(), TenantError> {
    // Every command, not `serve` alone: `init` makes the keys, others read passwords or print credentials and tokens.
    close_the_process()?;
    match &line.command {
        Command::Init(init) => ask::print(&init::init(&line.config, init)?),
        Command::Serve => {
            let config = Config::load(&line.config)?;
            log::start(config.log.format, line.log_level.unwrap_or(config.log.level));
            open_files();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime = runtime.map_err(|e| TenantError::Defect(format!("no threads to be had: {e}")))?;
            runtime.block_on(crate::serve::serve(&config))
        }
        Command::Backup(flags) => ask::print(&backup::backup(&line.config, flags)?),
        Command::Restore(flags) => ask::print(&restore::restore(&line.config, flags)?),
        Command::Domains(_)
        | Command::Token(_)
        | Command::Agents(_)
        | Command::Apps(_)
        | Command::Users(_)
        | Command::Groups(_)
        | Command::SignIn(_) => ask::run(&Config::load(&line.config)?, &line.command),
    }
}

/// Room for as many connections as `accept` takes, if the system allows it.
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

/// No core dumps and no debugger of another user: this process holds keys and passwords.
fn close_the_process() -> Result<(), TenantError> {
    landbridge_host::dumps::forbid()
        .map_err(|e| TenantError::Defect(format!("the process cannot be closed to debuggers: {e}")))
}
