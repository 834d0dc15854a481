//! Takes TLS connections and passes their requests on. Everything about a connection is bounded here, before a byte of
//! a body is read.
//! Neighbours: [`super::pace`] bounds the time, [`super::address_shares`] the connections of one address. A door answers the
//! requests as [`Serve`]; who may do what is decided behind it.

use crate::address_shares::{AddressShares, Share};
use crate::pace::{Busy, Paced, Rhythm};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. More wait in the kernel's queue.
    pub connections: u32,
    /// Connections from one address at the same time. More are closed at once.
    pub connections_per_address: u32,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// Time between two requests.
    pub idle: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// Time for the peer to read what is written to it.
    pub write: Duration,
    /// Time for requests in hand when the program stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(20),
        }
    }
}

/// The most bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// What a door knows of the program at the other end of a connection.
pub trait Client: Send + Sync + 'static {
    /// Returns when the connection must be cut. It may never return.
    fn cut(&self) -> impl Future<Output = ()> + Send;
}

/// A peer of whom nothing is known, and whose connection is never cut.
#[derive(Debug, Clone, Copy)]
pub struct AnonymousClient;

impl Client for AnonymousClient {
    async fn cut(&self) {
        std::future::pending().await
    }
}

/// One open connection. Whoever holds this holds the connection's place, also when HTTP is over on it and a WebSocket goes
/// on.
#[derive(Debug)]
pub struct Connection<C> {
    /// The peer's address.
    pub address: SocketAddr,
    /// What the door knows of the peer.
    pub client: C,
    rhythm: Rhythm,
    _place: (OwnedSemaphorePermit, Share),
}

impl<C> Connection<C> {
    /// While this is held, the connection may be silent for any time.
    pub fn busy(&self) -> Busy {
        self.rhythm.busy()
    }
}

/// Answers the requests of a listener: a door.
pub trait Serve: Send + Sync + 'static {
    /// What the door knows of a peer, as long as the connection is open.
    type Client: Client;

    /// The peer of a new connection. `certificate` is the client certificate, DER, whose chain was proved; none: the
    /// client showed none.
    fn identify(&self, certificate: Option<&[u8]>) -> Self::Client;

    /// Answers one request.
    fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<Self::Client>>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A socket, its TLS and its limits.
pub struct Listener {
    /// The bound socket.
    pub socket: TcpListener,
    /// Its TLS.
    pub tls: Arc<ServerConfig>,
    /// The limits on its connections.
    pub limits: Limits,
}

impl Listener {
    /// Serves until `stop` is set, then finishes the requests in hand, for at most [`Limits::stop`].
    pub async fn run<D: Serve>(self, door: Arc<D>, mut stop: watch::Receiver<bool>) {
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(1024)));
        let shares = AddressShares::new(limits.connections_per_address);
        let acceptor = TlsAcceptor::from(self.tls);
        loop {
            let place = tokio::select! {
                () = stopped(&mut stop) => break,
                place = places.clone().acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(share) = shares.acquire(address.ip()) else {
                        tracing::debug!(%address, "this address has its share of connections");
                        continue;
                    };
                    let accepting =
                        Accepting { acceptor: acceptor.clone(), limits, stop: stop.clone(), address };
                    tokio::spawn(accepting.serve(stream, door.clone(), (place, share)));
                }
                Err(error) => {
                    // Out of descriptors, most likely: let some connections end first.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.socket);
        if tokio::time::timeout(limits.stop, places.acquire_many(limits.connections)).await.is_err() {
            tracing::warn!("some requests were not finished in time and are dropped");
        }
    }
}

/// A connection before its TLS session.
struct Accepting {
    acceptor: TlsAcceptor,
    limits: Limits,
    stop: watch::Receiver<bool>,
    address: SocketAddr,
}

impl Accepting {
    async fn serve<D: Serve>(
        mut self,
        stream: TcpStream,
        door: Arc<D>,
        place: (OwnedSemaphorePermit, Share),
    ) {
        let address = self.address;
        let _ = stream.set_nodelay(true);
        let greeted = tokio::select! {
            () = stopped(&mut self.stop) => return,
            greeted = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream)) => greeted,
        };
        let tls = match greeted {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(%address, %error, "no TLS session came about"),
            Err(_) => return tracing::debug!(%address, "the TLS handshake took too long"),
        };
        let certificates = tls.get_ref().1.peer_certificates();
        let client = door.identify(certificates.and_then(|chain| chain.first()).map(AsRef::as_ref));
        let rhythm = Rhythm::new();
        let connection = Arc::new(Connection { address, client, rhythm: rhythm.clone(), _place: place });
        let serving = connection.clone();

        let paced = Paced::new(tls, rhythm.clone(), self.limits);
        let service = service_fn(move |request| {
            let (door, connection) = (door.clone(), serving.clone());
            async move {
                let busy = connection.busy();
                let response = door.serve(connection.clone(), request).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.idle);
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD).half_close(false);
        let serving = http.serve_connection(TokioIo::new(paced), service).with_upgrades();
        let mut serving = std::pin::pin!(serving);
        let mut cut = std::pin::pin!(connection.client.cut());
        let ended = tokio::select! {
            () = &mut cut => return tracing::warn!(%address, "a revoked agent's connection was cut"),
            ended = &mut serving => ended,
            () = stopped(&mut self.stop) => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    () = &mut cut => return,
                    ended = &mut serving => ended,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "a connection ended early");
        }
    }
}

/// Returns when the stop signal is set, or when its sender is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
