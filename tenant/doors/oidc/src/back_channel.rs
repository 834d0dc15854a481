//! The only connections that the tenant opens: notices of ended sessions to applications (OpenID Connect Back-Channel Logout
//! 1.0, 2.5 to 2.8).
//!
//! They go to registered `https` URIs alone. A redirect is not followed, the certificate is verified, an address of this
//! machine or of its link is refused unless the configuration allows it: loopback, link-local, and one that this machine
//! has itself. Of the answer nothing but the status is read.
//! Neighbours: [`landbridge_tenant_core::provider::logout_notices`] keeps the notices until they are delivered.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::Provider;
use landbridge_tenant_core::provider::logout_notices::DueNotice;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::task::{Id, JoinSet};
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use uuid::Uuid;

/// Limit on the notices that are sent to one application at the same time, so that a slow one does not keep the others
/// waiting.
const AT_ONE: usize = 4;
/// Limit on the notices that are sent at the same time.
const AT_ONCE: usize = 64;
/// Limit on the time in which a notice is sent and answered.
const TIME: Duration = Duration::from_secs(10);
/// Limit on the time in which one address accepts a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Limit on the addresses of a host that are tried.
const ADDRESSES: usize = 4;
/// Time between two looks for notices.
const INTERVAL: Duration = Duration::from_secs(1);
/// Limit on the bytes of the file with the certificates of CAs.
const MAX_ROOTS: u64 = 4 * 1024 * 1024;

/// Why an address is refused.
const OF_THIS_MACHINE: &str =
    "its address is one of this machine or of its link: see `back_channel_networks`";

/// Whether an address of this machine or of its link may be connected to.
type Allowed = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Sends the notices.
pub struct BackChannel {
    provider: Provider,
    issuer: String,
    roots: PathBuf,
    allowed: Allowed,
    /// The client, and when the file that it is made of was written.
    tls: Mutex<Option<(SystemTime, Arc<ClientConfig>)>>,
}

impl std::fmt::Debug for BackChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackChannel").field("roots", &self.roots).finish_non_exhaustive()
    }
}

impl BackChannel {
    /// `roots`: a file with the certificates of the CAs that are trusted, PEM. `allowed`: whether an address of this machine
    /// or of its link may be connected to.
    pub fn new(
        provider: Provider,
        issuer: &Url,
        roots: PathBuf,
        allowed: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let issuer = issuer.as_str().trim_end_matches('/').to_owned();
        Self { provider, issuer, roots, allowed: Box::new(allowed), tls: Mutex::default() }
    }

    /// Sends notices as they become due, until `stop` is set. What is being sent then is sent again at the next start.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let mut sending: JoinSet<()> = JoinSet::new();
        // The application of each notice that is being sent.
        let mut to: HashMap<Id, Uuid> = HashMap::new();
        loop {
            // 1. The notices that are due, and for which there is room.
            let (from, busy, room) = (this.clone(), to.clone(), AT_ONCE.saturating_sub(to.len()));
            let claimed = tokio::task::spawn_blocking(move || {
                let free = |app| AT_ONE.saturating_sub(busy.values().filter(|one| **one == app).count());
                from.provider.due_notices(room, free, unix_now())
            });
            match claimed.await {
                Ok(Ok(due)) => {
                    for notice in due {
                        let app = notice.app();
                        to.insert(sending.spawn(this.clone().deliver(notice)).id(), app);
                    }
                }
                Ok(Err(error)) => tracing::error!(%error, "notices of ended sessions cannot be read"),
                Err(_) => {}
            }
            // 2. Until there may be more, or room for more.
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                Some(done) = sending.join_next_with_id() => {
                    let id = done.map_or_else(|failed| failed.id(), |(id, ())| id);
                    to.remove(&id);
                }
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Sends a notice, and writes down how that ended.
    async fn deliver(self: Arc<Self>, due: DueNotice) {
        let app = due.app();
        let sent = match tokio::time::timeout(TIME, self.send(&due)).await {
            Ok(sent) => sent,
            Err(_) => Err(format!("no answer within {} s", TIME.as_secs())),
        };
        if let Err(why) = &sent {
            tracing::warn!(%app, why, "an application could not be notified of the end of a session");
        }
        let noted = tokio::task::spawn_blocking(move || self.provider.note_sending(&due, &sent, unix_now()));
        if let Ok(Err(error)) = noted.await {
            tracing::error!(%app, %error, "the end of a notice cannot be written down: it is sent again");
        }
    }

    /// Returns the status of a confirmation, or why there is none.
    async fn send(self: &Arc<Self>, due: &DueNotice) -> Result<u16, String> {
        // 1. The token.
        let uri = due.uri().ok_or("the application has no URI for notices")?.clone();
        let (this, notice) = (self.clone(), due.clone());
        let token = tokio::task::spawn_blocking(move || {
            this.provider.logout_token(&notice, &this.issuer, unix_now()).map_err(|why| why.to_string())
        });
        let token = token.await.map_err(|_| "the logout token cannot be signed")??;
        // 2. A connection to an address that may be connected to. The address is not looked up again afterwards.
        let (name, addresses) = self.addresses(&uri).await?;
        let stream = connect(&addresses).await?;
        let ends = stream.local_addr().and_then(|own| Ok((own.ip(), stream.peer_addr()?.ip())));
        if !ends.is_ok_and(|(own, other)| own != other || (self.allowed)(other.to_canonical())) {
            return Err(OF_THIS_MACHINE.to_owned());
        }
        let tls = TlsConnector::from(self.tls().await?);
        let stream = tls.connect(name, stream).await.map_err(|why| format!("TLS: {why}"))?;
        // 3. One request.
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| format!("HTTP: {why}"))?;
        let connection = tokio::spawn(connection);
        let answer = match request(&uri, &token) {
            Ok(request) => sender.send_request(request).await.map_err(|why| format!("HTTP: {why}")),
            Err(why) => Err(why),
        };
        connection.abort();
        // 4. Nothing but the status of the answer is looked at.
        match answer?.status() {
            status if status.is_success() => Ok(status.as_u16()),
            status if status.is_redirection() => {
                Err(format!("{} is a redirect, and none is followed", code(status)))
            }
            status => Err(format!("answered with {}", code(status))),
        }
    }

    /// The name in the certificate of a URI's host, and the addresses of that host that may be connected to.
    async fn addresses(&self, uri: &Url) -> Result<(ServerName<'static>, Vec<SocketAddr>), String> {
        let port = uri.port_or_known_default().unwrap_or(443);
        let no_name = |_| "its host cannot stand in a certificate".to_owned();
        let (name, found) = match uri.host() {
            Some(Host::Domain(host)) => {
                let found = tokio::net::lookup_host((host, port)).await;
                let found = found.map_err(|why| format!("{host} has no address: {why}"))?;
                (ServerName::try_from(host.to_owned()).map_err(no_name)?, found.collect())
            }
            Some(Host::Ipv4(address)) => (IpAddr::V4(address).into(), vec![(address, port).into()]),
            Some(Host::Ipv6(address)) => (IpAddr::V6(address).into(), vec![(address, port).into()]),
            None => return Err("its URI has no host".to_owned()),
        };
        let addresses: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address: &SocketAddr| {
                is_of_others(address.ip()) || (self.allowed)(address.ip().to_canonical())
            })
            .take(ADDRESSES)
            .collect();
        if addresses.is_empty() {
            return Err(OF_THIS_MACHINE.to_owned());
        }
        Ok((name, addresses))
    }

    /// A client that trusts the CAs of the file as it is now.
    async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let mut kept = self.tls.lock().await;
        let (path, known) = (self.roots.clone(), kept.as_ref().map(|(written, _)| *written));
        let read = tokio::task::spawn_blocking(move || client_config(&path, known));
        if let Some(newer) = read.await.map_err(|_| "the certificates of CAs cannot be read")?? {
            *kept = Some(newer);
        }
        kept.as_ref()
            .map(|(_, tls)| tls.clone())
            .ok_or_else(|| "the certificates of CAs cannot be read".to_owned())
    }
}

/// A client that trusts the CAs of a file, and when that was written. None: it was written at the time that is `known`.
fn client_config(
    roots: &Path,
    known: Option<SystemTime>,
) -> Result<Option<(SystemTime, Arc<ClientConfig>)>, String> {
    use std::io::Read as _;
    let unreadable = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", roots.display());
    let mut pem = Vec::new();
    let file = std::fs::File::open(roots).map_err(|why| unreadable(&why))?;
    let written = file.metadata().and_then(|file| file.modified()).map_err(|why| unreadable(&why))?;
    if known == Some(written) {
        return Ok(None);
    }
    file.take(MAX_ROOTS).read_to_end(&mut pem).map_err(|why| unreadable(&why))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let mut store = RootCertStore::empty();
    let (good, _) = store.add_parsable_certificates(certificates);
    if good == 0 {
        return Err(format!("{} has no certificate of a CA", roots.display()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Some((written, Arc::new(tls))))
}

/// The first connection that an address accepts.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut why = String::new();
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address}: no connection within {} s", CONNECT.as_secs()),
        }
    }
    Err(why)
}

/// The request (OpenID Connect Back-Channel Logout 1.0, 2.5).
fn request(uri: &Url, token: &str) -> Result<Request<Full<Bytes>>, String> {
    let target = match uri.query() {
        Some(query) => format!("{}?{query}", uri.path()),
        None => uri.path().to_owned(),
    };
    let host = match uri.port() {
        Some(port) => format!("{}:{port}", uri.host_str().unwrap_or_default()),
        None => uri.host_str().unwrap_or_default().to_owned(),
    };
    // A token is of letters, digits, `-`, `_` and `.`, which a form has as they are.
    let request = Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(HOST, host)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .body(Full::new(Bytes::from(format!("logout_token={token}"))));
    request.map_err(|_| "its URI cannot be requested".to_owned())
}

fn code(status: StatusCode) -> u16 {
    status.as_u16()
}

/// Whether an address can be one of another machine that is not on this link. An IPv4 address inside an IPv6 one counts as
/// the IPv4 address.
fn is_of_others(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            !(address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_multicast()
                || address.octets().first() == Some(&0))
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || inner(address).is_some_and(|inner| !is_of_others(IpAddr::V4(inner))))
        }
    }
}

/// The IPv4 address that a translator (64:ff9b::/96 of RFC 6052, 64:ff9b:1::/48 of RFC 8215), 6to4 (RFC 3056) or an old form (::/96) leads to.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] | [0, 0, 0, 0, 0, 0] => Some(four(high, low)),
        [0x2002, high, low, ..] => Some(four(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_address_of_this_machine_or_its_link_is_known_in_every_form() {
        for own in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "::7f00:1",
        ] {
            assert!(!is_of_others(own.parse().unwrap()), "{own}");
        }
        for other in ["10.1.2.3", "192.168.0.1", "192.0.2.1", "2001:db8::1", "fd00::1", "64:ff9b::c000:201"] {
            assert!(is_of_others(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn a_request_names_host_port_path_and_query() {
        let uri = Url::parse("https://wiki.example.com:8443/logout?realm=a%20b").unwrap();
        let request = request(&uri, "a.b-c_d").unwrap();
        assert_eq!(request.uri(), "/logout?realm=a%20b");
        assert_eq!(request.headers()[HOST], "wiki.example.com:8443");
        assert_eq!(request.method(), Method::POST);
    }
}
