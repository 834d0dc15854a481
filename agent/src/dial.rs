//! The way to the tenant: TCP, directly or through a proxy, and TLS on it. Whatever is in between, TLS is with the tenant
//! alone (`tls`). Each part of the way has its own limit, so that an error names the part that is silent.
//! Neighbours: `connect` tries the addresses of a name, `proxy` speaks with a proxy; `http` and the pta-agent's `link` use
//! the session.

use crate::connect::{self, CONNECT};
use crate::error::AgentError;
use crate::proxy::Proxy;
use crate::tls;
use landbridge_host::system_error;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Limit on the TLS handshake with the tenant.
const HANDSHAKE: Duration = Duration::from_secs(4);

/// Where a tenant is: from `https://host:port`.
#[derive(Debug, Clone)]
pub struct Address {
    host: String,
    port: u16,
    /// As it stands in a `Host` header and in errors.
    pub authority: String,
    name: ServerName<'static>,
}

impl Address {
    /// The URL with its port, written in one form.
    pub fn url(&self) -> String {
        format!("https://{}", self.authority)
    }

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

/// A TLS session with the tenant at this address.
pub async fn dial(
    address: &Address,
    config: Arc<ClientConfig>,
    proxy: Option<&Proxy>,
) -> Result<TlsStream<TcpStream>, AgentError> {
    let Some(proxy) = proxy else { return directly(address, config).await };
    let stream = proxy.connect(&address.authority).await?;
    let session = handshake(address, config, stream).await;
    // The tenant's certificate is the tenant's matter. All else happened behind the proxy.
    session.map_err(|error| {
        if matches!(error, AgentError::ForeignCertificate { .. } | AgentError::BadCertificate { .. }) {
            return error;
        }
        let why = format!("it reports a connection to {}, and then: {error}", address.authority);
        AgentError::Proxy { proxy: proxy.authority(), why, passes: true }
    })
}

/// At the first address of the tenant with which TCP and TLS succeed.
async fn directly(address: &Address, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, AgentError> {
    let unreachable = |why: String| AgentError::Unreachable { host: address.authority.clone(), why };
    let found = connect::addresses(&address.host, address.port).await;
    let found = found.map_err(|why| unreachable(why.to_string()))?;
    let attempt = |at: SocketAddr| {
        let (address, config) = (address.clone(), config.clone());
        async move {
            let host = address.authority.clone();
            let stream = connect::tcp(at, CONNECT).await;
            let stream =
                stream.map_err(|why| AgentError::Unreachable { host, why: system_error::words(&why) })?;
            handshake(&address, config, stream).await
        }
    };
    let failed = match connect::first(&address.host, found, attempt).await {
        Ok((_, session)) => return Ok(session),
        Err(failed) => failed,
    };
    // An address that was reached says more than those that were not.
    let (not_reached, reached): (Vec<_>, Vec<_>) =
        failed.into_iter().partition(|(_, error)| matches!(error, AgentError::Unreachable { .. }));
    match reached.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Err(unreachable(connect::summary(&not_reached, AgentError::reason))),
    }
}

/// TLS with the tenant on a connection that reaches it.
async fn handshake(
    address: &Address,
    config: Arc<ClientConfig>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, AgentError> {
    let shaking = TlsConnector::from(config).connect(address.name.clone(), stream);
    match tokio::time::timeout(HANDSHAKE, shaking).await {
        Ok(session) => session.map_err(|e| tls::explain(&address.authority, &e)),
        Err(_) => Err(AgentError::Timeout { host: address.authority.clone(), limit: HANDSHAKE }),
    }
}
