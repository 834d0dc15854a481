//! Reads the configuration file and checks all of it before anything starts.
//! The file contains no secrets: it names key files and systemd credentials, which [`landbridge_host::key_file`] reads.

use crate::error::TenantError;
use landbridge_door_listen::limits::Limits;
use landbridge_door_pages::colour::Colour;
use landbridge_door_pages::link::Link;
use landbridge_host::key_file::KeySource;
use landbridge_host::log::Format;
use landbridge_tenant_core::provider::Lives;
use landbridge_tenant_rules::model::Network;
use landbridge_tenant_store::server::{CONNECTIONS, MOST_CONNECTIONS};
use landbridge_tenant_store::{Location, ServerAddress};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Path of the configuration file, unless a flag or an environment variable names another.
pub const DEFAULT_PATH: &str = "/etc/landbridge/tenant.toml";
/// Default of `data_directory`.
pub const DEFAULT_DATA_DIRECTORY: &str = "/var/lib/landbridge-tenant";
/// Default of `listen`: loopback, so that nothing is exposed before an administrator decides.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8443";
/// Default of `observe`: the usual port of the Prometheus exporter of OpenTelemetry.
pub const DEFAULT_OBSERVE: &str = "127.0.0.1:9464";

/// Default of `back_channel_roots`: the CAs that the system trusts, as Debian has them.
pub const DEFAULT_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Limit on `drain_seconds`.
const MOST_DRAIN: u16 = 300;

/// Limit on the bytes of a configuration file. A larger one is another file.
const MAX_FILE: u64 = 256 * 1024;

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL that agents connect to: `https://host[:port]`.
    pub url: TenantUrl,
    /// The address for agents and applications.
    pub listen: SocketAddr,
    /// The balancers that alone may connect to that address; none: agents and applications connect themselves.
    pub balancers: Option<Vec<Network>>,
    /// An address for applications alone.
    pub applications: Option<Applications>,
    /// Addresses for LDAP.
    pub ldap: Option<Ldap>,
    /// The issuer of OpenID Connect, if there is one.
    pub oidc: Option<Oidc>,
    /// The address of `/healthz` and `/metrics`.
    pub observe: SocketAddr,
    /// The directory of the database, the administration socket and the root certificate.
    pub data_directory: PathBuf,
    /// The PostgreSQL server that holds the database; none: a file in the data directory does.
    pub database: Option<DatabaseServer>,
    /// The CA's key.
    pub ca_key: KeySource,
    /// The keys that digests are sealed with: the first seals, all open.
    pub seal_keys: Vec<KeySource>,
    /// Sign-in.
    pub signin: SignIn,
    /// Smart lockout.
    pub lockout: Lockout,
    /// The limits on connections, for each address that the tenant listens at.
    pub connections: Connections,
    /// How long the program serves on after it was told to stop, while it says that it is not ready.
    pub drain: Duration,
    /// Time for which audit entries are kept, in seconds.
    pub audit_kept: i64,
    /// Days after which an object that was deleted or left the scope is erased.
    pub grace_days: i64,
    /// Logging.
    pub log: Log,
}

/// A PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseServer {
    /// `postgres://user@host:port/database`
    pub url: String,
    /// The password of the user; none: the server knows the process otherwise.
    pub password: Option<KeySource>,
    /// The certificates of the CAs that the server's certificate may be of, PEM.
    pub roots: PathBuf,
    /// Limit on connections.
    pub connections: u16,
}

/// An address for applications alone, with a certificate that the administrator provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applications {
    /// The address.
    pub listen: SocketAddr,
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: KeySource,
    /// The balancers that alone may connect there; none: applications connect themselves.
    pub balancers: Option<Vec<Network>>,
}

/// Addresses for LDAP, with a certificate that the administrator provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ldap {
    /// The address where TLS comes first.
    pub listen: Option<SocketAddr>,
    /// The address where TLS is requested with StartTLS.
    pub start_tls: Option<SocketAddr>,
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: KeySource,
    /// The balancers that alone may connect there; none: clients connect themselves.
    pub balancers: Option<Vec<Network>>,
    /// Limit on the entries of one answer, or of one page.
    pub entries: usize,
    /// Time after which a connection is closed on which nothing is requested.
    pub idle: Duration,
    /// The limits on connections of each of these addresses.
    pub connections: Connections,
}

/// The issuer of OpenID Connect, with a certificate that the administrator provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// What applications know it by: `https://` and a host, with a port if it is not 443.
    pub issuer: Url,
    /// The address.
    pub listen: SocketAddr,
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: KeySource,
    /// The balancers that alone may connect there; none: browsers connect themselves.
    pub balancers: Option<Vec<Network>>,
    /// How long sessions, refresh tokens and keys last.
    pub lives: Lives,
    /// The name on the pages.
    pub name: String,
    /// The colour on the pages, as `#0b5fff`.
    pub colour: Option<Colour>,
    /// Where people get help: a link.
    pub help: Option<Link>,
    /// A PNG or SVG image that stands in place of the name.
    pub logo: Option<PathBuf>,
    /// The domain of names that are typed without one: its DNS name.
    pub domain: Option<String>,
    /// The certificates of the CAs that are trusted when applications are notified of the end of a session, PEM.
    pub back_channel_roots: PathBuf,
    /// The networks of this machine or its link in which applications may be notified.
    pub back_channel_networks: Vec<Network>,
}

/// How sign-ins are answered.
#[derive(Debug, Clone, Copy)]
pub struct SignIn {
    /// A refusal is sent at a multiple of this time after its arrival, so its delay reveals nothing.
    pub grid: Duration,
}

/// When an account is locked against a source.
#[derive(Debug, Clone, Copy)]
pub struct Lockout {
    /// Number of wrong passwords that locks.
    pub threshold: u32,
    /// Length of the first lock in seconds.
    pub seconds: u32,
}

/// How many connections there are at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// In all.
    pub most: u32,
    /// Those among them that only clients with a certificate or a right credential may have.
    pub kept: u32,
    /// From one IPv4 address, or from one IPv6 network of 64 bits.
    pub per_address: u32,
    /// From one IPv6 network of 56 bits.
    pub per_56: u32,
    /// From one IPv6 network of 48 bits.
    pub per_48: u32,
}

impl Default for Connections {
    fn default() -> Self {
        let usual = Limits::default();
        Self {
            most: usual.connections,
            kept: usual.kept,
            per_address: usual.connections_per_address,
            per_56: usual.connections_per_56,
            per_48: usual.connections_per_48,
        }
    }
}

impl Connections {
    /// The limits of a listener.
    pub fn limits(self) -> Limits {
        self.within(Limits::default())
    }

    /// The same with the limits on time of another listener.
    pub fn within(self, times: Limits) -> Limits {
        let Self { most, kept, per_address, per_56, per_48 } = self;
        Limits {
            connections: most,
            kept,
            connections_per_address: per_address,
            connections_per_56: per_56,
            connections_per_48: per_48,
            ..times
        }
    }

    fn check(self) -> Result<Self, (&'static str, String)> {
        let Self { most, kept, per_address, per_56, per_48 } = self;
        if !(16..=65_536).contains(&most) {
            return Err(("most", format!("{most} is not between 16 and 65536")));
        }
        if kept >= most {
            return Err(("kept", format!("{kept} leaves none of {most} connections to new clients")));
        }
        for (key, share) in [("per_address", per_address), ("per_56", per_56), ("per_48", per_48)] {
            if !(1..=most).contains(&share) {
                return Err((key, format!("{share} is not between 1 and {most}")));
            }
        }
        Ok(self)
    }
}

/// How the program logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// For people or for programs.
    pub format: Format,
    /// The lowest level that is logged.
    pub level: LogLevel,
}

/// The lowest level that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// Events that an operator should act on.
    Warn,
    /// Starts, stops, connections of agents, certificates.
    #[default]
    Info,
    /// Single requests and connections.
    Debug,
    /// Everything.
    Trace,
}

/// `https://host[:port]` and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantUrl {
    text: String,
    host: url::Host<String>,
}

impl TenantUrl {
    /// Checks the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|e| format!("`{text}` is not a URL: {e}"))?;
        if url.scheme() != "https" {
            return Err(format!("`{text}` does not start with https://"));
        }
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(format!("`{text}` has more than a host and a port"));
        }
        let host = url.host().ok_or_else(|| format!("`{text}` names no host"))?.to_owned();
        let text = url.as_str().trim_end_matches('/').to_owned();
        if text.len() > 512 {
            Err("the URL is longer than 512 bytes".to_owned())
        } else {
            Ok(Self { text, host })
        }
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, which the server certificate names.
    pub fn host(&self) -> &url::Host<String> {
        &self.host
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    url: String,
    #[serde(default)]
    listen: Option<SocketAddr>,
    #[serde(default)]
    observe: Option<SocketAddr>,
    #[serde(default)]
    drain_seconds: u16,
    #[serde(default)]
    data_directory: Option<PathBuf>,
    #[serde(default)]
    database: Option<FileDatabase>,
    #[serde(default)]
    ca_key: Option<String>,
    #[serde(default)]
    seal_keys: Option<Vec<String>>,
    #[serde(default)]
    balancers: Option<Vec<String>>,
    #[serde(default)]
    applications: Option<FileApplications>,
    #[serde(default)]
    ldap: Option<FileLdap>,
    #[serde(default)]
    oidc: Option<FileOidc>,
    #[serde(default)]
    signin: FileSignIn,
    #[serde(default)]
    lockout: FileLockout,
    #[serde(default)]
    connections: Connections,
    #[serde(default)]
    audit: FileAudit,
    #[serde(default)]
    directory: FileDirectory,
    #[serde(default)]
    log: FileLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDatabase {
    url: String,
    #[serde(default)]
    password_file: Option<String>,
    #[serde(default)]
    roots: Option<PathBuf>,
    #[serde(default)]
    connections: Option<u16>,
}

impl FileDatabase {
    fn check(self) -> Result<DatabaseServer, (&'static str, String)> {
        ServerAddress::check(&self.url).map_err(|why| ("url", why.to_owned()))?;
        let password = self.password_file.as_deref().map(KeySource::parse).transpose();
        let roots = self.roots.unwrap_or_else(|| PathBuf::from(DEFAULT_ROOTS));
        if !roots.is_absolute() {
            return Err(("roots", format!("`{}` is not an absolute path", roots.display())));
        }
        let connections = self.connections.unwrap_or(CONNECTIONS);
        if !(2..=MOST_CONNECTIONS).contains(&connections) {
            return Err(("connections", format!("{connections} is not between 2 and {MOST_CONNECTIONS}")));
        }
        Ok(DatabaseServer {
            url: self.url,
            password: password.map_err(|why| ("password_file", why))?,
            roots,
            connections,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileApplications {
    listen: SocketAddr,
    certificate: PathBuf,
    key: String,
    #[serde(default)]
    balancers: Option<Vec<String>>,
}

impl FileApplications {
    fn check(self) -> Result<Applications, (&'static str, String)> {
        let Self { listen, certificate, key, balancers } = self;
        if !certificate.is_absolute() {
            return Err(("certificate", format!("`{}` is not an absolute path", certificate.display())));
        }
        let key = KeySource::parse(&key).map_err(|e| ("key", e))?;
        let balancers = networks(balancers).map_err(|why| ("balancers", why))?;
        Ok(Applications { listen, certificate, key, balancers })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLdap {
    #[serde(default)]
    listen: Option<SocketAddr>,
    #[serde(default)]
    start_tls: Option<SocketAddr>,
    certificate: PathBuf,
    key: String,
    #[serde(default)]
    balancers: Option<Vec<String>>,
    #[serde(default)]
    entries: Option<usize>,
    #[serde(default)]
    idle_seconds: Option<u64>,
}

impl FileLdap {
    fn check(self) -> Result<Ldap, (&'static str, String)> {
        let usual = landbridge_door_ldap::door::Settings::default();
        let Self { listen, start_tls, certificate, key, balancers, entries, idle_seconds } = self;
        if listen.is_none() && start_tls.is_none() {
            return Err((
                "listen",
                "[ldap] has neither `listen` nor `start_tls`: name an address".to_owned(),
            ));
        }
        if !certificate.is_absolute() {
            return Err(("certificate", format!("`{}` is not an absolute path", certificate.display())));
        }
        let entries = entries.unwrap_or(usual.entries);
        if !(1..=1_000_000).contains(&entries) {
            return Err(("entries", format!("{entries} is not between 1 and 1000000")));
        }
        let idle = idle_seconds.map_or(usual.idle, Duration::from_secs);
        if !(1..=86_400).contains(&idle.as_secs()) {
            return Err(("idle_seconds", format!("{} is not between 1 and 86400", idle.as_secs())));
        }
        let key = KeySource::parse(&key).map_err(|e| ("key", e))?;
        let balancers = networks(balancers).map_err(|why| ("balancers", why))?;
        // Few servers hold many connections each.
        let connections =
            Connections { most: 4096, kept: 3072, per_address: 2048, per_56: 2048, per_48: 2048 };
        Ok(Ldap { listen, start_tls, certificate, key, balancers, entries, idle, connections })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOidc {
    issuer: String,
    listen: SocketAddr,
    certificate: PathBuf,
    key: String,
    #[serde(default)]
    balancers: Option<Vec<String>>,
    #[serde(default)]
    idle_minutes: Option<i64>,
    #[serde(default)]
    session_hours: Option<i64>,
    #[serde(default)]
    refresh_days: Option<i64>,
    #[serde(default)]
    key_days: Option<i64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    colour: Option<String>,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    logo: Option<PathBuf>,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    back_channel_roots: Option<PathBuf>,
    #[serde(default)]
    back_channel_networks: Option<Vec<String>>,
}

impl FileOidc {
    fn check(self) -> Result<Oidc, (&'static str, String)> {
        // 1. The issuer: nothing but a host, so that its cookies are its own.
        let wrong = |why: &str| ("issuer", format!("`{}` {why}", self.issuer));
        let issuer = Url::parse(&self.issuer).map_err(|_| wrong("is no URL"))?;
        if issuer.scheme() != "https" || issuer.host_str().is_none() {
            return Err(wrong("does not begin with https://"));
        }
        let is_bare = issuer.path() == "/" && issuer.query().is_none() && issuer.fragment().is_none();
        if !is_bare || !issuer.username().is_empty() || issuer.password().is_some() {
            return Err(wrong("has more than a host and a port"));
        }
        if !self.certificate.is_absolute() {
            return Err(("certificate", format!("`{}` is not an absolute path", self.certificate.display())));
        }
        // 2. How long things last.
        let usual = Lives::default();
        let within = |name: &'static str, value: Option<i64>, usual: i64, unit: i64, most: i64| match value {
            None => Ok(usual),
            Some(value) if (1..=most).contains(&value) => Ok(value * unit),
            Some(value) => Err((name, format!("{value} is not between 1 and {most}"))),
        };
        let lives = Lives {
            idle: within("idle_minutes", self.idle_minutes, usual.idle, 60, 10_080)?,
            session: within("session_hours", self.session_hours, usual.session, 3600, 8760)?,
            refresh: within("refresh_days", self.refresh_days, usual.refresh, 86_400, 365)?,
            key: within("key_days", self.key_days, usual.key, 86_400, 3650)?,
        };
        // 3. What the pages show.
        let colour = self.colour.as_deref().map(str::parse::<Colour>).transpose();
        let help = self.help.as_deref().map(str::parse::<Link>).transpose();
        if let Some(logo) = self.logo.as_ref().filter(|logo| !logo.is_absolute()) {
            return Err(("logo", format!("`{}` is not an absolute path", logo.display())));
        }
        if let Some(domain) = self.domain.as_ref().filter(|domain| !domain.contains('.')) {
            return Err(("domain", format!("`{domain}` is not the DNS name of a domain")));
        }
        // 4. Notices to applications.
        let back_channel_roots = self.back_channel_roots.unwrap_or_else(|| PathBuf::from(DEFAULT_ROOTS));
        if !back_channel_roots.is_absolute() {
            let what = format!("`{}` is not an absolute path", back_channel_roots.display());
            return Err(("back_channel_roots", what));
        }
        let back_channel_networks =
            networks(self.back_channel_networks).map_err(|why| ("back_channel_networks", why))?;
        // 5. The rest.
        Ok(Oidc {
            issuer,
            listen: self.listen,
            certificate: self.certificate,
            key: KeySource::parse(&self.key).map_err(|e| ("key", e))?,
            balancers: networks(self.balancers).map_err(|why| ("balancers", why))?,
            lives,
            name: self.name.unwrap_or_else(|| "Landbridge".to_owned()),
            colour: colour.map_err(|why| ("colour", why.to_string()))?,
            help: help.map_err(|why| ("help", why.to_string()))?,
            logo: self.logo,
            domain: self.domain,
            back_channel_roots,
            back_channel_networks: back_channel_networks.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileSignIn {
    grid_milliseconds: u64,
}

impl Default for FileSignIn {
    fn default() -> Self {
        Self { grid_milliseconds: 250 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLockout {
    threshold: u32,
    seconds: u32,
}

impl Default for FileLockout {
    fn default() -> Self {
        Self { threshold: 10, seconds: 60 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileAudit {
    days: i64,
}

impl Default for FileAudit {
    fn default() -> Self {
        Self { days: 400 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileDirectory {
    grace_days: i64,
}

impl Default for FileDirectory {
    /// A week is enough to notice that an account is missing, and until then `users show` shows its state.
    fn default() -> Self {
        Self { grace_days: 7 }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FileLog {
    format: Format,
    level: LogLevel,
}

impl Config {
    /// Reads and checks the file.
    pub fn load(path: &Path) -> Result<Self, TenantError> {
        let todo = "create one with `landbridge-tenant init --url https://…`, or give its path with --config";
        Self::parse(path, &read_toml(path, todo)?)
    }

    /// Parses and checks a text. Errors name `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, TenantError> {
        let file: File = parse_toml(path, text)?;
        file.check().map_err(|(key, what)| TenantError::Configuration {
            file: path.to_owned(),
            line: line_with(text, key),
            what: format!("{key}: {what}"),
        })
    }

    /// Path of the database, if it is a file.
    pub fn database_file(&self) -> PathBuf {
        self.data_directory.join("tenant.db")
    }

    /// Where the database is. Reads the password and the roots of a server.
    pub fn location(&self) -> Result<Location, TenantError> {
        Ok(match self.server_address()? {
            Some(address) => Location::Server(Box::new(address)),
            None => Location::File(self.database_file()),
        })
    }

    /// The server that holds the database; none: a file does.
    pub fn server_address(&self) -> Result<Option<ServerAddress>, TenantError> {
        let Some(server) = &self.database else { return Ok(None) };
        let password = server.password.as_ref().map(KeySource::read).transpose()?;
        let password = password.as_ref().map(|text| text.trim_end_matches(['\r', '\n']).as_bytes());
        // Over a Unix socket no certificate is looked at.
        let roots = match std::fs::read(&server.roots) {
            Err(_) if ServerAddress::is_socket(&server.url) => Vec::new(),
            Err(why) => {
                let what = format!("cannot be read: {why}");
                return Err(TenantError::file(
                    &server.roots,
                    what,
                    "name a file of CA certificates (PEM) as `roots`",
                ));
            }
            Ok(roots) => roots,
        };
        let address = ServerAddress::parse(&server.url, password, &roots)?;
        Ok(Some(address.with_connections(server.connections)?))
    }

    /// Path of the administration socket.
    pub fn admin_socket(&self) -> PathBuf {
        self.data_directory.join("admin.sock")
    }

    /// Path of the root certificate, PEM, which agents pin.
    pub fn root_certificate(&self) -> PathBuf {
        self.data_directory.join("tls").join("root.pem")
    }
}

impl File {
    fn check(self) -> Result<Config, (&'static str, String)> {
        let data_directory = self.data_directory.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIRECTORY));
        if !data_directory.is_absolute() {
            return Err((
                "data_directory",
                format!("`{}` is not an absolute path", data_directory.display()),
            ));
        }
        let secrets = data_directory.join("secrets");
        let ca_key = match self.ca_key {
            Some(text) => KeySource::parse(&text).map_err(|e| ("ca_key", e))?,
            None => KeySource::File(secrets.join("ca.key")),
        };
        let seal_keys = match self.seal_keys {
            Some(texts) if texts.is_empty() || texts.len() > 16 => {
                return Err(("seal_keys", "name between 1 and 16 keys".to_owned()));
            }
            Some(texts) => texts
                .iter()
                .map(|text| KeySource::parse(text))
                .collect::<Result<_, _>>()
                .map_err(|e| ("seal_keys", e))?,
            None => vec![KeySource::File(secrets.join("seal.key"))],
        };
        let grid = self.signin.grid_milliseconds;
        if !(10..=10_000).contains(&grid) {
            return Err(("grid_milliseconds", format!("{grid} is not between 10 and 10000")));
        }
        let FileLockout { threshold, seconds } = self.lockout;
        if !(1..=1000).contains(&threshold) {
            return Err(("threshold", format!("{threshold} is not between 1 and 1000")));
        }
        if !(1..=86_400).contains(&seconds) {
            return Err(("seconds", format!("{seconds} is not between 1 and 86400")));
        }
        let days = self.audit.days;
        if !(1..=36_500).contains(&days) {
            return Err(("days", format!("{days} is not between 1 and 36500")));
        }
        let grace_days = self.directory.grace_days;
        if !(0..=3650).contains(&grace_days) {
            return Err(("grace_days", format!("{grace_days} is not between 0 and 3650")));
        }
        let observe = self.observe.or_else(|| DEFAULT_OBSERVE.parse().ok());
        let listen = self.listen.or_else(|| DEFAULT_LISTEN.parse().ok());
        let (Some(observe), Some(listen)) = (observe, listen) else {
            return Err(("listen", "not an address and a port".to_owned()));
        };
        if !observe.ip().is_loopback() {
            return Err((
                "observe",
                format!(
                    "{observe} is not a loopback address: the metrics are not protected, so only this machine may read them"
                ),
            ));
        }
        if self.drain_seconds > MOST_DRAIN {
            return Err((
                "drain_seconds",
                format!("{} is not between 0 and {MOST_DRAIN}", self.drain_seconds),
            ));
        }
        Ok(Config {
            url: TenantUrl::parse(&self.url).map_err(|e| ("url", e))?,
            listen,
            balancers: networks(self.balancers).map_err(|why| ("balancers", why))?,
            applications: self.applications.map(FileApplications::check).transpose()?,
            ldap: self.ldap.map(FileLdap::check).transpose()?,
            oidc: self.oidc.map(FileOidc::check).transpose()?,
            database: self.database.map(FileDatabase::check).transpose()?,
            observe,
            data_directory,
            ca_key,
            seal_keys,
            signin: SignIn { grid: Duration::from_millis(grid) },
            lockout: Lockout { threshold, seconds },
            connections: self.connections.check()?,
            drain: Duration::from_secs(u64::from(self.drain_seconds)),
            audit_kept: days * 86_400,
            grace_days,
            log: Log { format: self.log.format, level: self.log.level },
        })
    }
}

/// Reads a TOML file that an administrator wrote. `todo`: what to do if it cannot be read.
pub(crate) fn read_toml(path: &Path, todo: &str) -> Result<Zeroizing<String>, TenantError> {
    use std::io::Read as _;
    let unreadable = |e: std::io::Error| {
        let why = landbridge_host::system_error::sentence(&e);
        TenantError::file(path, format_args!("cannot read the file: {why}"), todo)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(TenantError::file(path, "too long", "name the right file"));
    }
    landbridge_host::text_file::decode(&bytes).map_err(|why| {
        TenantError::file(path, format_args!("no text: {why}"), "write the file again, as UTF-8")
    })
}

/// Parses a TOML text. Errors name `path` and the line.
pub(crate) fn parse_toml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, TenantError> {
    toml::from_str(text).map_err(|e| TenantError::Configuration {
        file: path.to_owned(),
        line: e.span().map(|span| line_of(text, span.start)),
        what: e.message().to_owned(),
    })
}

/// Reads the networks of balancers.
fn networks(texts: Option<Vec<String>>) -> Result<Option<Vec<Network>>, String> {
    let Some(texts) = texts else { return Ok(None) };
    if texts.is_empty() {
        return Err("it names none, so nothing could connect: name them, or take the key away".to_owned());
    }
    let read = |text: &String| Network::parse(text).map_err(|why| format!("`{text}`: {why}"));
    texts.iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

fn line_with(text: &str, key: &str) -> Option<usize> {
    let names = |line: &str| line.split('=').next().is_some_and(|name| name.trim() == key);
    text.lines().position(names).map(|at| at + 1)
}

/// The text that `init` writes: every key with its default and a comment.
pub fn template(url: &str, listen: SocketAddr, observe: SocketAddr, data_directory: &Path) -> String {
    format!(
        r#"# Configuration of landbridge-tenant. Unknown keys are refused. The file contains no secrets:
# name a file (mode 0600) or a systemd credential (`credential:NAME`) for each.

# The URL that agents connect to. The server certificate names its host.
url = {url}
# The address for agents and applications (TLS).
listen = {listen}
# The address of /healthz, /readyz and /metrics (plain HTTP, loopback only).
observe = "{observe}"
# Seconds for which the tenant serves on after SIGTERM while /readyz says no, so that a balancer sends nothing new.
#drain_seconds = 0
# The directory of the database, the administration socket and the keys.
data_directory = {data}

# A PostgreSQL server (13 or newer) in place of the file in the data directory: several nodes need one. Its certificate is
# verified. The password is a file (mode 0600) or a systemd credential; the user must own the database and be no superuser.
#[database]
#url = "postgres://landbridge@db.example.com:5432/landbridge"
#password_file = "/etc/landbridge/database.password"
#roots = "{roots}"
#connections = {connections}

# The key of the tenant's own CA.
#ca_key = "{secrets}/ca.key"
# The keys that password digests are sealed with: the first seals, all open.
#seal_keys = ["{secrets}/seal.key"]

# An address for applications alone, with a certificate of a CA that they trust: the file holds it and its chain (PEM).
# Certificate and key are read again on SIGHUP and every hour.
#[applications]
#listen = "0.0.0.0:8444"
#certificate = "/etc/landbridge/applications.pem"
#key = "/etc/landbridge/applications.key"

# Addresses for LDAP: with TLS from the first byte, and with StartTLS. One of both is enough. The certificate as above.
# Limits: entries of one answer or page, and seconds without a request.
#[ldap]
#listen = "0.0.0.0:636"
#start_tls = "0.0.0.0:389"
#certificate = "/etc/landbridge/ldap.pem"
#key = "/etc/landbridge/ldap.key"
#entries = 10000
#idle_seconds = 900

[signin]
# Refused sign-ins are answered at multiples of this time, so that the delay reveals nothing.
# Keep it longer than one derivation takes.
grid_milliseconds = 250

[lockout]
# Number of wrong passwords for one account that locks it: from one known source for that source,
# or from all unknown sources together for those. And the length of the first lock. Repeated locks last longer.
threshold = 10
seconds = 60

[connections]
# Connections at the same time, and those among them that are kept for clients with a certificate or a right credential.
most = 1024
kept = 256
# Connections from one IPv4 address or IPv6 /64, from one /56, and from one /48.
per_address = 256
per_56 = 384
per_48 = 512

[audit]
# Days for which audit entries are kept.
days = 400

[directory]
# Days after which an account that was deleted or left the scope is erased. Until then
# `users show` shows it. Its sign-ins and its digest end at once. 0: erased within an hour.
grace_days = 7

[log]
# "human" or "json"; error, warn, info, debug or trace.
format = "human"
level = "info"
"#,
        url = quoted(url),
        listen = quoted(&listen.to_string()),
        data = quoted(&data_directory.display().to_string()),
        secrets = data_directory.join("secrets").display(),
        roots = DEFAULT_ROOTS,
        connections = CONNECTIONS,
    )
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn parse(text: &str) -> Result<Config, TenantError> {
        Config::parse(Path::new("/etc/tenant.toml"), text)
    }

    #[test]
    fn the_text_that_init_writes_is_read_back() {
        let (listen, observe) = ("127.0.0.1:8443".parse().unwrap(), "[::1]:9465".parse().unwrap());
        let text = template("https://tenant.example.com:8443", listen, observe, Path::new("/srv/landbridge"));
        let config = parse(&text).unwrap();
        assert_eq!((config.listen, config.observe), (listen, observe));
        assert_eq!(config.url.as_str(), "https://tenant.example.com:8443");
        assert_eq!(config.data_directory, Path::new("/srv/landbridge"));
        assert_eq!(config.ca_key, KeySource::File("/srv/landbridge/secrets/ca.key".into()));
        assert_eq!(config.signin.grid, Duration::from_millis(250));
    }

    #[test]
    fn a_configuration_is_the_same_however_windows_saves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenant.toml");
        let text = "# Größe\r\nurl = \"https://tenant.example.com:8443\"\r\n";
        let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for saved in [format!("\u{feff}{text}").into_bytes(), wide] {
            std::fs::write(&path, saved).unwrap();
            assert_eq!(Config::load(&path).unwrap().url.as_str(), "https://tenant.example.com:8443");
        }
        std::fs::write(&path, b"url = \"\xe4\"").unwrap();
        let error = Config::load(&path).unwrap_err();
        assert!(error.to_string().contains("save it as UTF-8") && error.exit_code() == 3, "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        let error = parse("url = \"https://t\"\n\n[lockout]\nthreshhold = 3\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/etc/tenant.toml, line 4"), "{text}");
        assert!(text.contains("threshhold"), "{text}");
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn a_wrong_type_and_a_wrong_value_are_refused_with_their_line() {
        let text = parse("url = \"https://t\"\nlisten = 8443\n").unwrap_err().to_string();
        assert!(text.contains("line 2"), "{text}");
        let text = parse("url = \"https://t\"\n[signin]\ngrid_milliseconds = 0\n").unwrap_err().to_string();
        assert!(text.contains("line 3") && text.contains("between 10 and 10000"), "{text}");
        let text = parse("url = \"https://t\"\nobserve = \"0.0.0.0:9464\"\n").unwrap_err().to_string();
        assert!(text.contains("line 2") && text.contains("loopback"), "{text}");
        let own = "url = \"https://t\"\n[applications]\nlisten = \"127.0.0.1:1\"\ncertificate = \"a.pem\"\n";
        let text = parse(&format!("{own}key = \"/k\"\n")).unwrap_err().to_string();
        assert!(text.contains("line 4") && text.contains("not an absolute path"), "{text}");
        let text = parse(own).unwrap_err().to_string();
        assert!(text.contains("line 2") && text.contains("`key`"), "{text}");
    }

    #[test]
    fn a_url_is_https_with_a_host_and_nothing_more() {
        for bad in ["http://t", "https://", "https://t/path", "https://u:p@t", "https://t?x=1", "t:8443", ""]
        {
            assert!(TenantUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            TenantUrl::parse("https://T.Example.com:8443/").unwrap().as_str(),
            "https://t.example.com:8443"
        );
        assert_eq!(
            TenantUrl::parse("https://[::1]:8443").unwrap().host(),
            &url::Host::<String>::Ipv6([0, 0, 0, 0, 0, 0, 0, 1].into())
        );
    }
}
