//! Where a PostgreSQL server is, and how its connections are verified.
//! Neighbours: the program's configuration makes the address; `database.rs` connects to it.

use crate::error::{ServerTrouble, StoreError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

/// How long one host may take until a connection is open.
const CONNECT: Duration = Duration::from_secs(3);
/// How long data may stay unacknowledged, and how long a connection may be silent before it is probed.
const SILENCE: Duration = Duration::from_secs(5);
/// Limit on the connections of one process, and their default number.
pub const MOST_CONNECTIONS: u16 = 200;
/// The usual number of connections.
pub const CONNECTIONS: u16 = 10;

/// A database of a PostgreSQL server, and what a connection to it needs.
#[derive(Clone)]
pub struct ServerAddress {
    /// How each server of the cluster is connected to, in the order of the URL.
    pub(super) servers: Vec<Config>,
    pub(super) tls: MakeRustlsConnect,
    pub(super) connections: usize,
    /// The servers and the database, without user and secret.
    pub(super) name: Arc<str>,
}

impl ServerAddress {
    /// `url` is `postgres://user@host:port/database`, with several hosts between commas for a cluster; a host that begins
    /// with `/`, percent-encoded, is the directory of a Unix socket. Over TCP the server proves its name by a
    /// certificate that one of the roots issued: `roots` is PEM.
    pub fn parse(url: &str, password: Option<&[u8]>, roots: &[u8]) -> Result<Self, StoreError> {
        let wrong = |what: &str| address_error(url_without_secret(url), what);
        // 1. The parts of the URL.
        let (config, database) = parts(url).map_err(wrong)?;
        // 2. TLS, or the kernel between processes of one machine.
        let all_sockets = are_sockets(&config);
        let mut store = RootCertStore::empty();
        if !all_sockets {
            for root in CertificateDer::pem_slice_iter(roots) {
                let root = root.map_err(|_| wrong("`roots` is no file of certificates (PEM)"))?;
                // A bundle of a system may hold one that this build cannot read.
                let _ = store.add(root);
            }
            if store.is_empty() {
                return Err(wrong("`roots` holds no certificate"));
            }
        }
        let mode = if all_sockets { SslMode::Disable } else { SslMode::Require };
        // 3. Each server. What all connections share is the same for each.
        let servers = (0..config.get_hosts().len()).filter_map(|at| {
            let mut server = server(&config, at)?;
            if let Some(password) = password {
                server.password(password);
            }
            server.ssl_mode(mode);
            Some(server)
        });
        let servers = servers.collect();
        let name = Arc::from(name_of(&config, &database));
        Ok(Self { servers, tls: connector(store)?, connections: usize::from(CONNECTIONS), name })
    }

    /// The servers and the database, without user and secret.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks the text of a URL, without connecting. The error says what is wrong, and repeats nothing of it.
    pub fn check(url: &str) -> Result<(), &'static str> {
        parts(url).map(drop)
    }

    /// Whether a URL names Unix sockets, so that there is no TLS.
    pub fn is_socket(url: &str) -> bool {
        parts(url).is_ok_and(|(config, _)| are_sockets(&config))
    }

    /// Limits the connections of this process to the server.
    pub fn with_connections(mut self, connections: u16) -> Result<Self, StoreError> {
        if !(2..=MOST_CONNECTIONS).contains(&connections) {
            let what = format!("`connections` must be between 2 and {MOST_CONNECTIONS}");
            return Err(address_error(self.name.to_string(), &what));
        }
        self.connections = usize::from(connections);
        Ok(self)
    }
}

/// What a URL says, and its database.
fn parts(url: &str) -> Result<(Config, String), &'static str> {
    const FORM: &str = "it is no postgres://user@host:port/database";
    if !url.starts_with("postgres://") {
        return Err(FORM);
    }
    let config = Config::from_str(url).map_err(|_| FORM)?;
    if config.get_password().is_some() {
        return Err("it holds a password: put it into a file and name that as `password_file`");
    }
    if config.get_user().is_none() {
        return Err("it names no user: postgres://user@host:port/database");
    }
    let Some(database) = config.get_dbname().map(str::to_owned) else {
        return Err("it names no database: postgres://user@host:port/database");
    };
    if config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty() {
        return Err("it names no host: postgres://user@host:port/database");
    }
    let sockets = config.get_hosts().iter().filter(|host| matches!(host, Host::Unix(_))).count();
    if sockets > 0 && sockets < config.get_hosts().len() {
        return Err("it names sockets and hosts: name one kind");
    }
    Ok((config, database))
}

/// How one of the servers is connected to. Each has a configuration of its own, because the library's time limit ends when a
/// server's kernel accepts the connection: one whose processes are frozen would keep the others from being tried.
fn server(config: &Config, at: usize) -> Option<Config> {
    let mut server = Config::new();
    match config.get_hosts().get(at)? {
        Host::Tcp(host) => server.host(host),
        Host::Unix(directory) => server.host_path(directory),
    };
    server.port(port(config, at));
    server.user(config.get_user()?);
    server.dbname(config.get_dbname()?);
    if let Some(options) = config.get_options() {
        server.options(options);
    }
    server.channel_binding(config.get_channel_binding());
    server.ssl_negotiation(config.get_ssl_negotiation());
    server.application_name("landbridge-tenant");
    server.connect_timeout(CONNECT);
    server.tcp_user_timeout(SILENCE);
    server.keepalives_idle(SILENCE);
    server.keepalives_interval(Duration::from_secs(1));
    server.keepalives_retries(3);
    server.target_session_attrs(TargetSessionAttrs::ReadWrite);
    Some(server)
}

fn port(config: &Config, at: usize) -> u16 {
    let ports = config.get_ports();
    ports.get(at).or(ports.first()).copied().unwrap_or(5432)
}

fn are_sockets(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)))
}

fn connector(roots: RootCertStore) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| StoreError::Defect("TLS has no protocol version".to_owned()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// `postgres://host:port,host:port/database`
fn name_of(config: &Config, database: &str) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| match host {
        Host::Tcp(host) => format!("{host}:{}", port(config, at)),
        Host::Unix(directory) => directory.display().to_string(),
    });
    format!("postgres://{}/{database}", hosts.collect::<Vec<_>>().join(","))
}

/// What is before the `@` may hold a password that was put there by mistake.
fn url_without_secret(url: &str) -> String {
    let url = Zeroizing::new(url.to_owned());
    let place = url.rsplit_once('@').map_or("…", |(_, place)| place);
    format!("postgres://{}", place.split('?').next().unwrap_or_default())
}

fn address_error(server: String, what: &str) -> StoreError {
    StoreError::Server { server, trouble: ServerTrouble::Address(what.to_owned()) }
}

impl std::fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerAddress").field("name", &self.name).finish_non_exhaustive()
    }
}
