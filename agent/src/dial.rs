//! The way to the tenant: TCP, directly or through a proxy (CONNECT, RFC 9110 section 9.3.6), and TLS on it.
//! Whatever stands in between, TLS is with the tenant alone (`tls`).
//! Neighbours: `http` asks over it, the pta-agent's `link` talks over it.

use crate::error::AgentError;
use crate::key;
use crate::tls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

/// All of the way within this.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Each address of a name has so long.
const ADDRESS: Duration = Duration::from_secs(4);
/// The most bytes of a proxy's answer.
const MAX_ANSWER: usize = 8 * 1024;
/// The most bytes of a proxy's password.
const MAX_PASSWORD: usize = 1024;

/// Where a tenant is: from `https://host:port`.
#[derive(Debug, Clone)]
pub struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it stands in a `Host` header and in errors.
    pub authority: String,
    pub(crate) name: ServerName<'static>,
}

/// The proxy, as `[tenant]` of a configuration names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// `http://host:port`.
    pub proxy: Option<String>,
    /// Whom the proxy knows.
    pub proxy_user: Option<String>,
    /// Where the password for it is: 0600.
    pub proxy_password_file: Option<PathBuf>,
}

/// A proxy, ready to be asked. `Debug` shows no password.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Address {
    /// Takes `https://host[:port]` and nothing else.
    pub fn parse(url: &str) -> Result<Self, AgentError> {
        let bad = || AgentError::Url(url.chars().filter(|c| !c.is_control()).take(200).collect());
        let parsed = url::Url::parse(url).map_err(|_| bad())?;
        if parsed.scheme() != "https" || !parsed.username().is_empty() || !matches!(parsed.path(), "" | "/") {
            return Err(bad());
        }
        let port = parsed.port_or_known_default().ok_or_else(bad)?;
        let (host, name) = match parsed.host().ok_or_else(bad)? {
            url::Host::Domain(name) => {
                (name.to_owned(), ServerName::try_from(name.to_owned()).map_err(|_| bad())?)
            }
            url::Host::Ipv4(address) => {
                (address.to_string(), ServerName::from(std::net::IpAddr::from(address)))
            }
            url::Host::Ipv6(address) => {
                (address.to_string(), ServerName::from(std::net::IpAddr::from(address)))
            }
        };
        let authority = format!("{}:{port}", parsed.host_str().unwrap_or_default());
        Ok(Self { host, port, authority, name })
    }
}

impl ProxyConfig {
    /// Checks it and reads the password; none: no proxy is configured.
    pub fn open(&self) -> Result<Option<Proxy>, AgentError> {
        let wrong = |why: &str| AgentError::Proxy { proxy: "[tenant]".to_owned(), why: why.to_owned() };
        let Some(text) = &self.proxy else {
            let more = self.proxy_user.is_some() || self.proxy_password_file.is_some();
            return if more { Err(wrong("`proxy_user` without `proxy`")) } else { Ok(None) };
        };
        let url = url::Url::parse(text).map_err(|_| wrong("`proxy` must read http://host:port"))?;
        let bare = matches!(url.path(), "" | "/") && url.username().is_empty() && url.password().is_none();
        if url.scheme() != "http" || !bare {
            return Err(wrong("`proxy` must read http://host:port, with no name or password in it"));
        }
        let host = match url.host().ok_or_else(|| wrong("`proxy` names no host"))? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let authorization = match (&self.proxy_user, &self.proxy_password_file) {
            (None, None) => None,
            (Some(user), Some(file)) if !user.contains(':') => {
                let password = key::read_secret(file, MAX_PASSWORD)?;
                let password =
                    std::str::from_utf8(&password).map_err(|_| wrong("the password is not UTF-8"))?;
                let line = password.lines().next().unwrap_or_default();
                let plain = Zeroizing::new(format!("{user}:{line}"));
                Some(Zeroizing::new(STANDARD.encode(plain.as_bytes())))
            }
            (Some(_), Some(_)) => return Err(wrong("`proxy_user` must not contain a colon")),
            (Some(_), None) | (None, Some(_)) => {
                return Err(wrong("`proxy_user` and `proxy_password_file` come together"));
            }
        };
        Ok(Some(Proxy { host, port: url.port_or_known_default().unwrap_or(80), authorization }))
    }
}

/// A TLS session with the tenant at this address.
pub async fn dial(
    address: &Address,
    config: Arc<ClientConfig>,
    proxy: Option<&Proxy>,
) -> Result<TlsStream<TcpStream>, AgentError> {
    let timeout = || AgentError::Timeout { host: address.authority.clone(), limit: CONNECT };
    let dialling = async {
        let stream = match proxy {
            None => connect(&address.host, address.port).await.map_err(|why| AgentError::Unreachable {
                host: address.authority.clone(),
                why: why.to_string(),
            })?,
            Some(proxy) => proxy.connect(address).await?,
        };
        let connector = TlsConnector::from(config);
        let session = connector.connect(address.name.clone(), stream).await;
        session.map_err(|e| tls::explain(&address.authority, &e))
    };
    tokio::time::timeout(CONNECT, dialling).await.map_err(|_| timeout())?
}

/// The first address of the name that takes a connection.
async fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host((host, port)).await?.take(8) {
        match tokio::time::timeout(ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(why)) => failed = why,
            Err(_) => failed = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

impl Proxy {
    async fn connect(&self, to: &Address) -> Result<TcpStream, AgentError> {
        let named = format!("{}:{}", self.host, self.port);
        let wrong = |why: String| AgentError::Proxy { proxy: named.clone(), why };
        let broken = |why: std::io::Error| wrong(why.to_string());
        let mut stream = connect(&self.host, self.port).await.map_err(broken)?;
        let mut head = Zeroizing::new(format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", to.authority));
        if let Some(authorization) = &self.authorization {
            head.reserve(authorization.len() + 64);
            head.push_str("Proxy-Authorization: Basic ");
            head.push_str(authorization);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        // A byte at a time: what follows the head is TLS, and not ours to take.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER {
                return Err(wrong("its answer has no end".to_owned()));
            }
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let status = std::str::from_utf8(line).ok().and_then(|line| {
            let mut words = line.split(' ');
            words.next()?.starts_with("HTTP/1.").then(|| words.next()?.parse::<u16>().ok())?
        });
        match status {
            Some(200..=299) => Ok(stream),
            Some(407) => Err(wrong(
                "it wants another name or password (407): see `proxy_user` and `proxy_password_file`"
                    .to_owned(),
            )),
            Some(status) => Err(wrong(format!("it does not connect to {} ({status})", to.authority))),
            None => Err(wrong("it does not speak HTTP".to_owned())),
        }
    }
}
