//! A connection to a host that may have several addresses (RFC 8305, "Happy Eyeballs"): an address that takes no
//! connection costs a quarter of a second, and the address that worked is tried first the next time.
//! One implementation for everything that connects: the tenant and a proxy (`dial`), LDAPS of the pta-agent, and the
//! blocking sockets of phs. Absent: TLS and protocols, which the caller adds as part of its attempt at one address.

use landbridge_host::system_error;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tracing::debug;

/// How long an attempt has the way for itself before the next address is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Limit on TCP with one address of the tenant or of a proxy.
pub(crate) const CONNECT: Duration = Duration::from_secs(4);
/// Limit on the addresses of a name that are tried at a time. Families take turns, so neither is left out.
const MOST_ADDRESSES: usize = 8;
/// Limit on resolving a name. The system's resolver asks its second server after 5 s.
const RESOLVE: Duration = Duration::from_secs(7);
/// Limit on the hosts whose address is remembered.
const MOST_HOSTS: usize = 256;

/// What is known of the addresses of each host, for all connections of this process. Lost with the process; then the
/// resolver's order holds.
static KNOWN: Mutex<BTreeMap<String, Known>> = Mutex::new(BTreeMap::new());

/// What is known of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// This address worked last.
    Worked(IpAddr),
    /// This address took a connection and then failed: the one after it comes first.
    Failed(IpAddr),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The name has no address, or the resolver fails: its words.
    Unresolved(String),
    /// This machine gives no socket.
    NoSocket(io::Error),
    /// No address works: each that was tried, with its error.
    Refused(Vec<(SocketAddr, io::Error)>),
}

impl ConnectError {
    /// Whether no address answered at all, as opposed to one that refused.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Unresolved(_) | Self::NoSocket(_) => false,
            Self::Refused(all) => all.iter().all(|(_, why)| why.kind() == io::ErrorKind::TimedOut),
        }
    }
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unresolved(why) => f.write_str(why),
            Self::NoSocket(why) => write!(f, "this machine gives no socket: {}", system_error::words(why)),
            Self::Refused(all) => f.write_str(&summary(all, system_error::words)),
        }
    }
}

/// The addresses of a host by the system's resolver, in its order. An IP address is its own. When the resolver fails
/// or is slow, the address that worked last.
pub async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    let why = match tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if !found.is_empty() {
                return Ok(found);
            }
            "the name has no address".to_owned()
        }
        Ok(Err(_)) => "the name cannot be resolved: is it right, does this machine's DNS work?".to_owned(),
        Err(_) => {
            format!("the name is not resolved within {} s: does this machine's DNS work?", RESOLVE.as_secs())
        }
    };
    match known(host) {
        Some(Known::Worked(address)) => Ok(vec![(address, port).into()]),
        Some(Known::Failed(_)) | None => Err(ConnectError::Unresolved(why)),
    }
}

/// Makes an attempt at the addresses of `host`, until one succeeds; the others are dropped. The next attempt begins
/// when the one before has failed, or has not ended within 250 ms. Each has its own limit, which `attempt` keeps. The
/// error has all addresses that were tried, in the order of their failures.
pub async fn first<T, E, F, A>(
    host: &str,
    addresses: Vec<SocketAddr>,
    attempt: F,
) -> Result<(SocketAddr, T), Vec<(SocketAddr, E)>>
where
    F: Fn(SocketAddr) -> A,
    A: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut waiting = in_order(addresses, known(host)).into_iter();
    let mut running = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        // 1. Each round begins one attempt, while there are addresses.
        if let Some(address) = waiting.next() {
            let attempt = attempt(address);
            running.spawn(async move { (address, attempt.await) });
        }
        // 2. The next round begins with a failure, or after the stagger.
        let more = !waiting.as_slice().is_empty();
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(Ok((address, Ok(made)))) => {
                    debug!(host, %address, "a connection is made");
                    note(host, Known::Worked(address.ip()));
                    return Ok((address, made));
                }
                Some(Ok((address, Err(why)))) => {
                    debug!(host, %address, "no connection at this address");
                    failed.push((address, why));
                }
                // The attempt panicked: a defect, which the panic has reported.
                Some(Err(_)) => {}
                None => return Err(failed),
            },
            () = tokio::time::sleep(STAGGER), if more => {
                debug!(host, "an address does not answer at once: the next one is tried beside it");
            }
        }
    }
}

/// A TCP connection to one address, within `limit`, for small messages.
pub async fn tcp(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let connected = tokio::time::timeout(limit, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A blocking connection to a host: to `address`, or else to the first of its addresses that accepts. `limit` is for
/// each address. Not for a thread of an async runtime.
pub fn blocking(
    host: &str,
    address: Option<IpAddr>,
    port: u16,
    limit: Duration,
) -> Result<std::net::TcpStream, ConnectError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ConnectError::NoSocket)?;
    let connected = runtime.block_on(std_stream(host, address, port, limit));
    // A resolver that hangs has a thread of its own, which is not waited for.
    runtime.shutdown_background();
    let stream = connected?;
    stream.set_nonblocking(false).map_err(ConnectError::NoSocket)?;
    Ok(stream)
}

/// A connection that belongs to no runtime.
async fn std_stream(
    host: &str,
    address: Option<IpAddr>,
    port: u16,
    limit: Duration,
) -> Result<std::net::TcpStream, ConnectError> {
    let found = match address {
        Some(address) => vec![(address, port).into()],
        None => addresses(host, port).await?,
    };
    let connected = first(host, found, |address| tcp(address, limit)).await;
    let (_, stream) = connected.map_err(ConnectError::Refused)?;
    stream.into_std().map_err(ConnectError::NoSocket)
}

/// Notes that this address of the host took a connection and then failed. The next attempt begins at another one.
pub fn failed(host: &str, address: IpAddr) {
    note(host, Known::Failed(address));
}

fn note(host: &str, what: Known) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST_HOSTS && !known.contains_key(host) {
        known.pop_first();
    }
    known.insert(host.to_owned(), what);
}

fn known(host: &str) -> Option<Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied()
}

/// The order of the attempts: the families in turns, beginning with the first address's (RFC 8305, section 4). The
/// address that worked last goes to the front. After one that failed the list begins with the one behind it, so that
/// each has its turn.
fn in_order(addresses: Vec<SocketAddr>, known: Option<Known>) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (ours, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let mut ordered: Vec<SocketAddr> = Vec::new();
    for at in 0..ours.len().max(others.len()) {
        for address in [ours.get(at), others.get(at)].into_iter().flatten() {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    match known {
        Some(Known::Worked(address)) => ordered.sort_by_key(|one| one.ip() != address),
        Some(Known::Failed(address)) => {
            if let Some(at) = ordered.iter().position(|one| one.ip() == address) {
                ordered.rotate_left(at + 1);
            }
        }
        None => {}
    }
    ordered.truncate(MOST_ADDRESSES);
    ordered
}

/// What failed at which addresses, in one line: addresses with the same words stand together.
pub fn summary<E>(failed: &[(SocketAddr, E)], words: impl Fn(&E) -> String) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (address, why) in failed {
        let why = words(why);
        match groups.iter_mut().find(|(same, _)| *same == why) {
            Some((_, addresses)) => addresses.push(address.to_string()),
            None => groups.push((why, vec![address.to_string()])),
        }
    }
    let lines: Vec<String> =
        groups.into_iter().map(|(why, addresses)| format!("{}: {why}", addresses.join(", "))).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests;
