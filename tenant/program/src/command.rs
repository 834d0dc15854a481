//! The command line: its commands, their flags and their help.
//! Results go to stdout, logs and errors to stderr. Neighbours: `run.rs` executes a command; the running tenant serves
//! in `serve.rs`.

mod apps;
pub mod ask;
pub mod backup;
mod card;
pub mod init;
mod issuer;
mod listing;
pub mod log;
pub mod migrate;
pub mod new_directory;
pub mod nodes;
pub mod progress;
pub mod restore;
mod run;
pub mod table;

pub use issuer::{Keys, Sessions};
pub use listing::Listing;
pub use run::run;

use crate::config::{DEFAULT_DATA_DIRECTORY, DEFAULT_LISTEN, DEFAULT_OBSERVE, DEFAULT_PATH, LogLevel};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use landbridge_tenant_rules::model::{ChangePolicy, SigninPolicy};
use landbridge_wire::enroll::Role;
use std::net::SocketAddr;
use std::path::PathBuf;
use uuid::Uuid;

const AFTER_HELP: &str = "\
Exit codes:
  0   done
  1   a defect of the program
  2   the command line is wrong
  3   the configuration or a local file is wrong (a key, a certificate, a backup), a file exists already, or an
      address is in use
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
  landbridge-tenant apps assign mail --group 'CORP\\Mail users'
  landbridge-tenant apps explain mail alice@corp.example.com
  landbridge-tenant domains suffix add corp.example.com example.com
  landbridge-tenant domains move-objects corp.example.com lab.example.com
  landbridge-tenant domains policy corp.example.com refuse
  landbridge-tenant domains policy corp.example.com phs --group Pilot
  landbridge-tenant domains policy corp.example.com --min-iterations 600000
  landbridge-tenant domains policy corp.example.com --change-passwords when-required
  landbridge-tenant domains remove corp.example.com
  landbridge-tenant sessions list --user alice@corp.example.com
  landbridge-tenant sessions end --user alice@corp.example.com
  landbridge-tenant keys rotate
  landbridge-tenant signin alice@corp.example.com
  printf %s \"$password\" | landbridge-tenant signin alice@corp.example.com --password-stdin
  landbridge-tenant nodes list
  landbridge-tenant backup /backup/2026-11-26 --keys /safe/landbridge-keys
  landbridge-tenant restore /backup/2026-11-26 --keys /safe/landbridge-keys

A flag overrides an environment variable, which overrides the configuration file.
All commands except init, serve, backup, restore, migrate and nodes use the administration socket of the running tenant. Only root and the
user that the tenant runs as may use it.";

/// The cloud end of Landbridge: stores password digests, verifies sign-ins, issues the identities of agents.
#[derive(Debug, Parser)]
#[command(name = "landbridge-tenant", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct CommandLine {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "LANDBRIDGE_TENANT_CONFIG", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// The lowest level that is logged; overrides the configuration.
    #[arg(long, global = true, value_name = "LEVEL", env = "LANDBRIDGE_LOG")]
    pub log_level: Option<LogLevel>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a tenant: configuration (if there is none), keys, database. Overwrites nothing.
    Init(Init),
    /// Serve agents, applications and administrators until SIGTERM. SIGHUP reads certificates again.
    Serve,
    /// Manage the Active Directory domains that this tenant serves.
    #[command(subcommand)]
    Domains(Domains),
    /// Create one-time tokens that agents enrol with.
    #[command(subcommand)]
    Token(Token),
    /// List, approve and revoke agents.
    #[command(subcommand)]
    Agents(Agents),
    /// Manage the applications that may sign people in.
    #[command(subcommand)]
    Apps(Apps),
    /// Show, search and erase accounts.
    #[command(subcommand)]
    Users(Users),
    /// List and show groups.
    #[command(subcommand)]
    Groups(Groups),
    /// List and end the sessions of people who are signed in at the pages.
    #[command(subcommand)]
    Sessions(Sessions),
    /// List, rotate and revoke the keys that sign tokens.
    #[command(subcommand)]
    Keys(Keys),
    /// Copy the database, and with --keys the keys, into new directories. The tenant may be running.
    Backup(Backup),
    /// Create the data directory from a backup. Overwrites nothing.
    Restore(Restore),
    /// Move the database to the PostgreSQL server of the configuration, or back into a file. The tenant is stopped meanwhile.
    Migrate(Migrate),
    /// List, add and remove the machines that serve this tenant together. Its database is on a PostgreSQL server.
    #[command(subcommand, visible_alias = "node")]
    Nodes(Nodes),
    /// Try a sign-in as an application would, and print the true reason. It counts for the lockout.
    #[command(name = "signin")]
    SignIn(SignIn),
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The URL that agents connect to: https://host or https://host:port. Required if there is no configuration yet.
    #[arg(long)]
    pub url: Option<String>,
    /// Address for agents and applications.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Loopback address for health and metrics. A second tenant on this machine needs a port of its own.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_OBSERVE)]
    pub observe: SocketAddr,
    /// Directory for the database and the keys.
    #[arg(long, value_name = "DIRECTORY", default_value = DEFAULT_DATA_DIRECTORY)]
    pub data_directory: PathBuf,
}

/// `domains`.
#[derive(Debug, Subcommand)]
pub enum Domains {
    /// Add a domain.
    Add {
        /// Its DNS name, as corp.example.com.
        #[arg(long)]
        name: String,
        /// Its NetBIOS name, as CORP.
        #[arg(long)]
        netbios: String,
        /// Its SID: S-1-5-21-… with three numbers behind. It cannot be changed later.
        ///
        /// `landbridge-phs check` prints it before phs is enrolled; so do `(Get-ADDomain).DomainSID.Value` in
        /// PowerShell and `net getdomainsid` on a Samba domain controller.
        #[arg(long)]
        sid: String,
        /// Accept the digests of privileged accounts too, if its phs sends them.
        #[arg(long)]
        allow_privileged: bool,
    },
    /// List the domains.
    List(Listing),
    /// Stop serving a domain, and erase everything that is stored of it. Shows what goes, and asks.
    ///
    /// Its agents are cut off, and applications that may sign in its people alone are revoked. The audit log stays.
    Remove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// Do not ask: for scripts.
        #[arg(long)]
        yes: bool,
    },
    /// Show or set the sign-in policy of a domain or of a group.
    Policy {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The policy to set. Without it the present policies are printed.
        #[arg(value_parser = signin_policy())]
        policy: Option<SigninPolicy>,
        /// Set the policy for the members of this group: its name, SID or objectGUID. Members through other groups
        /// count. An account in several such groups signs in by the policy of the first.
        #[arg(long, conflicts_with = "approve_agents")]
        group: Option<String>,
        /// Remove the policy of the group.
        #[arg(long, requires = "group", conflicts_with_all = ["policy", "place"])]
        remove: bool,
        /// Position of the group in the order, from 1. Default: its present position, or the last.
        #[arg(long, value_name = "N", requires = "group", value_parser = clap::value_parser!(u32).range(1..=64))]
        place: Option<u32>,
        /// Whether a newly enrolled pta-agent must be approved with `agents approve`: yes in a new domain.
        #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
        approve_agents: Option<bool>,
        /// Whether people may change their passwords on the sign-in page, by way of a pta-agent that does so.
        #[arg(long, value_parser = change_policy(), conflicts_with = "group")]
        change_passwords: Option<ChangePolicy>,
        /// Refuse digests with fewer iterations: 600000 accepts the profile `strong` of phs alone. Asks if accounts
        /// have such a digest: they sign in by it until their phs sends another.
        #[arg(long, value_name = "N", conflicts_with_all = ["policy", "group", "approve_agents", "change_passwords"])]
        min_iterations: Option<u32>,
        /// Do not ask about --min-iterations: for scripts.
        // clap waives what is required if it conflicts with what is given.
        #[arg(long, requires = "min_iterations", conflicts_with_all = ["policy", "group", "approve_agents", "change_passwords"])]
        yes: bool,
    },
    /// Manage UPN suffixes. An account gets a name user@suffix only if its domain has the suffix.
    #[command(subcommand)]
    Suffix(Suffix),
    /// Move objects that AD moved to another domain. Lists them, and asks.
    ///
    /// An objectGUID belongs to its domain for ever. What another domain uploads of it is refused until it is moved here.
    MoveObjects {
        /// The domain that they belong to: DNS or NetBIOS name.
        from: String,
        /// The domain that they moved to: DNS or NetBIOS name.
        to: String,
        /// Their objectGUIDs. Default: all that can be moved.
        #[arg(value_name = "OBJECT")]
        objects: Vec<Uuid>,
        /// Do not ask: for scripts that have looked at the list themselves.
        #[arg(long)]
        yes: bool,
    },
    /// Manage canaries: accounts that no person uses. The tenant tests agents with wrong passwords for them.
    #[command(subcommand)]
    Canary(Canary),
}

/// `domains suffix`.
#[derive(Debug, Clone, Subcommand)]
pub enum Suffix {
    /// Give a suffix to a domain, and to its accounts the names that end in it.
    Add {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The suffix: what follows the @.
        suffix: String,
        /// The suffix may be another domain's: then both have it, and a name that two accounts hold signs neither in.
        #[arg(long)]
        shared: bool,
    },
    /// Take a suffix from a domain, and from its accounts the names that end in it. Asks.
    Remove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The suffix: what follows the @.
        suffix: String,
        /// Do not ask: for scripts.
        #[arg(long)]
        yes: bool,
    },
    /// List the suffixes of the domains, and those that accounts use although their domain does not have them.
    List {
        /// The domain: DNS or NetBIOS name. Default: all domains.
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `domains canary`.
#[derive(Debug, Clone, Subcommand)]
pub enum Canary {
    /// Use an account as a canary.
    Add {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The account's sign-in name.
        user: String,
    },
    /// Stop using an account as a canary.
    Remove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The account's sign-in name, or its objectGUID as `list` shows it.
        user: String,
    },
    /// List the canaries of a domain.
    List {
        /// The domain: DNS or NetBIOS name.
        name: String,
    },
}

/// Reads a sign-in policy, and lists each one with its meaning in the help.
fn signin_policy() -> impl TypedValueParser<Value = SigninPolicy> {
    let value = |policy: SigninPolicy| {
        PossibleValue::new(policy.as_str()).help(match policy {
            SigninPolicy::Phs => "Verify passwords by the digest that the tenant stores",
            SigninPolicy::Pta => "Verify passwords by an agent, at a domain controller",
            SigninPolicy::PtaThenPhs => "By an agent; by the digest while no agent answers",
            SigninPolicy::Refuse => {
                "Refuse every sign-in, for a rollout in stages: groups then have policies of their own"
            }
        })
    };
    PossibleValuesParser::new(SigninPolicy::ALL.map(value))
        .try_map(|text| SigninPolicy::parse(&text).ok_or("not a sign-in policy"))
}

/// Reads whether people may change their passwords, and lists each value with its meaning in the help.
fn change_policy() -> impl TypedValueParser<Value = ChangePolicy> {
    let value = |policy: ChangePolicy| {
        PossibleValue::new(policy.as_str()).help(match policy {
            ChangePolicy::Off => "No",
            ChangePolicy::On => "At any time",
            ChangePolicy::WhenRequired => "Only a password that has expired or must be changed",
        })
    };
    PossibleValuesParser::new(ChangePolicy::ALL.map(value))
        .try_map(|text| ChangePolicy::parse(&text).ok_or("not a policy for the change of passwords"))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Create a token and print it, alone, on stdout. Anyone who has it can enrol one agent.
    Create {
        /// Role of the agent.
        #[arg(long)]
        role: RoleName,
        /// Domain of the agent: DNS or NetBIOS name.
        #[arg(long)]
        domain: String,
        /// Minutes until the token expires.
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
    /// List the agents.
    List(Listing),
    /// Approve an agent, also to end a quarantine. Shows its host, address and key, and asks.
    Approve {
        /// Id of the agent, as `agents list` prints it.
        agent: Uuid,
        /// Do not ask: for scripts that have compared the key themselves.
        #[arg(long)]
        yes: bool,
    },
    /// Revoke an agent permanently, and cut its connections.
    Revoke {
        /// Id of the agent, as `agents list` prints it.
        agent: Uuid,
    },
}

/// `apps`.
#[derive(Debug, Subcommand)]
pub enum Apps {
    /// Create an application and print its credential, alone, on stdout. It cannot be printed again.
    Create {
        /// Its name: letters, digits, `-`, `_` and `.`.
        #[arg(long)]
        name: String,
        /// A domain whose accounts it may sign in; may be repeated. Default: every domain.
        #[arg(long = "domain", value_name = "DOMAIN")]
        domains: Vec<String>,
        /// A group whose members are assigned to it, also through other groups; may be repeated. Default: everybody, or
        /// with --ldap nobody.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Assign everybody of its domains: for --ldap, where nobody is without it.
        #[arg(long, conflicts_with = "groups")]
        everybody: bool,
        /// Let it read the directory by LDAP. It binds as cn=NAME,ou=applications with its credential as the password.
        #[arg(long)]
        ldap: bool,
        /// A network that it may send from, as 192.0.2.0/24; may be repeated. Default: everywhere.
        #[arg(long = "network", value_name = "NETWORK")]
        networks: Vec<String>,
        /// Limit on sign-ins a minute.
        #[arg(long, default_value_t = landbridge_tenant_core::applications::DEFAULT_RATE,
              value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rate: u32,
    },
    /// List the applications.
    List(Listing),
    /// Show an application: its domains, who is assigned, its networks and when its secrets were used.
    Show {
        /// Its name.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Assign everybody or groups to an application. An account that is not assigned does not sign in through it.
    #[command(group(ArgGroup::new("who").args(["group", "remove", "everybody"]).required(true).multiple(true)))]
    Assign {
        /// Name of the application.
        name: String,
        /// Assign everybody of its domains.
        #[arg(long, conflicts_with_all = ["group", "remove"])]
        everybody: bool,
        /// Assign the members of this group, also through other groups: its name, SID or objectGUID. May be repeated.
        #[arg(long, value_name = "GROUP")]
        group: Vec<String>,
        /// End the assignment of this group. May be repeated.
        #[arg(long, value_name = "GROUP")]
        remove: Vec<String>,
    },
    /// Change the networks that an application may send from. Without any it may send from everywhere.
    #[command(group(ArgGroup::new("change").args(["add", "remove"]).required(true).multiple(true)))]
    Networks {
        /// Name of the application.
        name: String,
        /// A network to add, as 192.0.2.0/24 or 2001:db8::/32. May be repeated.
        #[arg(long, value_name = "NETWORK")]
        add: Vec<String>,
        /// A network to remove. May be repeated.
        #[arg(long, value_name = "NETWORK")]
        remove: Vec<String>,
    },
    /// Let an application read the directory by LDAP, or change what it sees. What is not named stays.
    ///
    /// It binds as cn=NAME,ou=applications with its credential as the password. It sees the people who are assigned to it.
    Ldap(Box<Ldap>),
    /// Let an application sign people in by OpenID Connect, or change how it does. What is not named stays.
    ///
    /// Its client_id is its name, and its client_secret is its credential.
    Oidc(Box<Oidc>),
    /// Say whether a person may sign in through an application, and why.
    Explain {
        /// Name of the application.
        name: String,
        /// The person: a sign-in name, a bare sAMAccountName, a SID or an objectGUID.
        user: String,
    },
    /// Print the settings of all applications, without their secrets, as TOML for `apply`.
    Export,
    /// Make the applications as a file has them. Those that it does not name are left alone.
    ///
    /// An application that is created so has no secret: make one with `apps secret add`.
    Apply {
        /// The file, as `export` prints it.
        file: PathBuf,
        /// Print what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Make and remove the secrets of an application. It has at most two.
    #[command(subcommand)]
    Secret(Secret),
    /// Print a new credential for an application. All old ones stop working at once.
    Rotate {
        /// Name of the application.
        name: String,
    },
    /// Revoke an application permanently.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// `apps ldap`.
#[derive(Debug, clap::Args)]
pub struct Ldap {
    /// Name of the application.
    pub name: String,
    /// End its access by LDAP. Its sign-ins by the API go on.
    #[arg(long, conflicts_with_all = ["view", "tree", "member_of", "people_connect", "groups", "all_groups",
        "assigned_groups", "attributes", "all_attributes", "usual_attributes"])]
    pub off: bool,
    /// Classes and attributes of entries: inetOrgPerson with RFC 2307bis or RFC 2307, or AD's.
    #[arg(long, value_parser = ["rfc2307bis", "rfc2307", "ad"])]
    pub view: Option<String>,
    /// Where entries stand: ou=people and ou=groups, or the organizational units of AD.
    #[arg(long, value_parser = ["flat", "ad"])]
    pub tree: Option<String>,
    /// What memberOf lists: the groups of which an entry is a member itself, or also those around them and the primary
    /// group.
    #[arg(long, value_parser = ["direct", "effective"])]
    pub member_of: Option<String>,
    /// Whether its people connect themselves, as with SSSD on laptops: then the address of a connection is the person's.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub people_connect: Option<bool>,
    /// A group that it sees beside those that are assigned to it. May be repeated; the list replaces the one of before.
    #[arg(long = "see-group", value_name = "GROUP", conflicts_with_all = ["all_groups", "assigned_groups"])]
    pub groups: Vec<String>,
    /// Let it see all groups of its domains.
    #[arg(long, conflicts_with = "assigned_groups")]
    pub all_groups: bool,
    /// Let it see the groups alone that are assigned to it.
    #[arg(long)]
    pub assigned_groups: bool,
    /// An attribute that it sees beside the usual ones, by its name in AD, as telephoneNumber. May be repeated; the list
    /// replaces the one of before.
    #[arg(long = "see", value_name = "ATTRIBUTE", conflicts_with_all = ["all_attributes", "usual_attributes"])]
    pub attributes: Vec<String>,
    /// Let it see all attributes.
    #[arg(long, conflicts_with = "usual_attributes")]
    pub all_attributes: bool,
    /// Let it see the usual attributes alone.
    #[arg(long)]
    pub usual_attributes: bool,
}

/// `apps oidc`.
#[derive(Debug, clap::Args)]
pub struct Oidc {
    /// Name of the application.
    pub name: String,
    /// Sign nobody in any more, and end what was granted.
    #[arg(long, conflicts_with_all = ["redirect_uris", "signed_out_uris", "public", "no_pkce", "pkce", "algorithm",
        "subject", "groups", "all_groups", "assigned_groups", "roles", "client_credentials",
        "introspect_others", "jwks", "par", "back_channel_logout", "no_back_channel_logout", "device_code"])]
    pub off: bool,
    /// Where people return with a code, exactly as the application sends it. May be repeated; the list replaces the one
    /// of before.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub redirect_uris: Vec<String>,
    /// Where people may return after a sign-out. May be repeated; the list replaces the one of before.
    #[arg(long = "signed-out-uri", value_name = "URI")]
    pub signed_out_uris: Vec<String>,
    /// Where it is notified of the end of a session (OpenID Connect Back-Channel Logout), an https URI.
    #[arg(long, value_name = "URI")]
    pub back_channel_logout: Option<String>,
    /// Notify it of the end of sessions no more.
    #[arg(long, conflicts_with = "back_channel_logout")]
    pub no_back_channel_logout: bool,
    /// Whether it runs on people's machines or in their browsers, and can keep no secret.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub public: Option<bool>,
    /// Let it send requests without a code challenge. For applications that cannot.
    #[arg(long, conflicts_with = "pkce")]
    pub no_pkce: bool,
    /// Require a code challenge again.
    #[arg(long)]
    pub pkce: bool,
    /// What its tokens are signed with.
    #[arg(long, value_parser = ["ES256", "RS256"])]
    pub algorithm: Option<String>,
    /// What `sub` is: the objectGUID, or another one for each application.
    #[arg(long, value_parser = ["objectguid", "pairwise"])]
    pub subject: Option<String>,
    /// A group that `groups` may name beside those that are assigned to it. May be repeated; the list replaces the one of
    /// before.
    #[arg(long = "see-group", value_name = "GROUP", conflicts_with_all = ["all_groups", "assigned_groups"])]
    pub groups: Vec<String>,
    /// Let `groups` name all groups of its domains.
    #[arg(long, conflicts_with = "assigned_groups")]
    pub all_groups: bool,
    /// Let `groups` name the groups alone that are assigned to it.
    #[arg(long)]
    pub assigned_groups: bool,
    /// A role and the group whose members have it, as admin=CORP\\Admins. May be repeated; the list replaces the one of
    /// before.
    #[arg(long = "role", value_name = "ROLE=GROUP")]
    pub roles: Vec<String>,
    /// Whether it gets access tokens of its own, which are of no person. Default: no.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub client_credentials: Option<bool>,
    /// Whether it may introspect the access tokens of other clients, as an API does. Default: no.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub introspect_others: Option<bool>,
    /// Whether it must push its authorization requests (RFC 9126). Default: it may.
    #[arg(long, value_parser = ["allowed", "required"])]
    pub par: Option<String>,
    /// Whether devices without a browser sign people in by codes that people type (RFC 8628). Default: no.
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub device_code: Option<bool>,
    /// A file with a JWK set: the public keys by which it proves itself (`private_key_jwt`). `-`: standard input. The set
    /// replaces the one of before; one without keys removes them.
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
}

/// `apps secret`.
#[derive(Debug, Clone, Subcommand)]
pub enum Secret {
    /// Print a further credential, alone, on stdout. The other one keeps working.
    Add {
        /// Name of the application.
        name: String,
        /// Days until it ends. Default: it does not end.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// End a secret at once.
    Remove {
        /// Name of the application.
        name: String,
        /// Its number, as `apps show` prints it.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=2))]
        number: u8,
    },
}

/// `nodes`.
#[derive(Debug, Subcommand)]
pub enum Nodes {
    /// List the nodes, and when each was seen last.
    List(Listing),
    /// On the machine of a new node: make a key for its bundle, and print what `nodes add` needs.
    Key {
        /// New file for the private key. `nodes join` removes it.
        file: PathBuf,
    },
    /// On a node of the tenant: write a bundle with the tenant's keys, which only the new node can open.
    ///
    /// Compare the fingerprint with the one that `nodes key` printed. The bundle is good once, for ten minutes.
    Add {
        /// A name for the new node.
        name: String,
        /// Where agents reach the new node alone: https://host or https://host:port. The host is that of the first node, with
        /// another port, or a name below it: the tenant's CA signs for no other.
        #[arg(long)]
        url: String,
        /// The public key that `nodes key` printed.
        #[arg(long, value_name = "KEY")]
        key: String,
        /// New file for the bundle.
        bundle: PathBuf,
    },
    /// On the machine of the new node: create its data directory from the bundle.
    Join {
        /// The bundle.
        bundle: PathBuf,
        /// The file of the private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Remove a node. If it runs, it stops within a second.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `users`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// List the sign-in names that more than one account holds. No account signs in with such a name.
    Ambiguous(Listing),
    /// Block an account: it signs in by no road, whatever AD says, until `unblock`.
    Block {
        /// A sign-in name, a bare sAMAccountName, a SID or an objectGUID.
        name: String,
    },
    /// End the block of an account.
    Unblock {
        /// A sign-in name, a bare sAMAccountName, a SID or an objectGUID, as `users blocked` lists it.
        name: String,
    },
    /// List the blocked accounts.
    Blocked(Listing),
    /// Erase an account that was deleted or left the scope, at once and permanently.
    Purge {
        /// A name that the account had, or its objectGUID.
        name: String,
    },
    /// Show an account, and why its sign-in would be refused. The digest is never shown.
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
    /// List the groups.
    List(Listing),
    /// Show a group: its members, the groups that contain it, and the policies of its members.
    Show {
        /// The group's name (bare or as DOMAIN\name), its SID or its objectGUID.
        name: String,
        /// Everything that is known, as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `signin`.
#[derive(Debug, Args)]
pub struct SignIn {
    /// Sign-in name: user@domain or DOMAIN\user.
    pub user: String,
    /// Read the password from stdin, up to its end or the first line end. Default: prompt for it on the terminal.
    #[arg(long)]
    pub password_stdin: bool,
    /// Source of the sign-in, for the lockout: an address, or name: and a word.
    #[arg(long, default_value = "name:admin")]
    pub source: String,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// New directory for the backup: the database, the CA's certificate and the configuration. It must not exist.
    pub directory: PathBuf,
    /// Copy the keys too, into this new directory. Keep it apart from the backup. It must not exist.
    #[arg(long, value_name = "DIRECTORY")]
    pub keys: Option<PathBuf>,
}

/// `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Move from the server of the configuration into the file of the data directory.
    #[arg(long)]
    pub to_file: bool,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// Directory that `backup` created.
    pub directory: PathBuf,
    /// Directory that `backup --keys` created. Its keys are copied to the configured paths. Without it the keys must
    /// be at these paths already.
    #[arg(long, value_name = "DIRECTORY")]
    pub keys: Option<PathBuf>,
}
