//! Takes TLS connections and hands their requests on: everything about a connection is bounded here, before a
//! byte of a body is read.
//! After it on the road: `routes`. Not here: who may do what (`admit`).

pub mod applications;
pub mod client_certificate;
pub mod live;
pub mod pace;
pub mod share;

use crate::clock::stopped;
use crate::peer::Shown;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use live::{Entry, Live};
use pace::{Busy, Paced, Rhythm};
use rustls::ServerConfig;
use share::{Share, Shares};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many at once; more wait in the kernel's queue.
    pub connections: u32,
    /// So many at once from one address; more are closed at once.
    pub connections_per_address: u32,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For the peer to take what is written to it.
    pub write: Duration,
    /// For requests in hand when the program is told to stop.
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

/// Who is at the other end. Whoever holds this holds the connection's place: also when HTTP is over on it, and a
/// WebSocket goes on.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The certificate that it showed, its chain proved.
    pub shown: Option<Shown>,
    rhythm: Rhythm,
    entry: Option<Entry>,
    _place: (OwnedSemaphorePermit, Share),
}

impl Peer {
    /// Ends when the connection is to be cut.
    pub async fn cut(&self) {
        match &self.entry {
            Some(entry) => entry.cut().await,
            None => std::future::pending().await,
        }
    }

    /// While this is held, the connection may be silent for as long as it likes.
    pub fn busy(&self) -> Busy {
        self.rhythm.busy()
    }
}

/// Takes requests.
pub trait Take: Send + Sync + 'static {
    /// Answers one request.
    fn take(
        self: Arc<Self>,
        peer: Arc<Peer>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// The door: a socket, its TLS, its bounds.
pub struct Door {
    /// The bound socket.
    pub listener: TcpListener,
    /// Its TLS.
    pub tls: Arc<ServerConfig>,
    /// The bounds.
    pub limits: Limits,
    /// The agents' connections, to be cut.
    pub live: Arc<Live>,
}

impl Door {
    /// Serves until `stop` says true, then finishes what is in hand, for at most [`Limits::stop`].
    pub async fn run<T: Take>(self, taker: Arc<T>, mut stop: watch::Receiver<bool>) {
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(1024)));
        let shares = Shares::new(limits.connections_per_address);
        let acceptor = TlsAcceptor::from(self.tls);
        loop {
            let place = tokio::select! {
                () = stopped(&mut stop) => break,
                place = places.clone().acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(share) = shares.take(address.ip()) else {
                        tracing::debug!(%address, "this address has its share of connections");
                        continue;
                    };
                    let connection = Connection {
                        acceptor: acceptor.clone(),
                        limits,
                        live: self.live.clone(),
                        stop: stop.clone(),
                        address,
                    };
                    tokio::spawn(connection.serve(stream, taker.clone(), (place, share)));
                }
                Err(error) => {
                    // Out of descriptors, most likely: let some connections end first.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(limits.stop, places.acquire_many(limits.connections)).await.is_err() {
            tracing::warn!("some requests were not finished in time and are dropped");
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    limits: Limits,
    live: Arc<Live>,
    stop: watch::Receiver<bool>,
    address: SocketAddr,
}

impl Connection {
    async fn serve<T: Take>(
        mut self,
        stream: TcpStream,
        taker: Arc<T>,
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
        let shown = certificates.and_then(|chain| Shown::read(chain.first()?));
        let entry = shown.as_ref().map(|shown| self.live.enter(shown.name.agent));
        let rhythm = Rhythm::new();
        let peer = Peer { address, shown, rhythm: rhythm.clone(), entry, _place: place };
        let peer = Arc::new(peer);
        let serving = peer.clone();

        let paced = Paced::new(tls, rhythm.clone(), self.limits);
        let service = service_fn(move |request| {
            let (taker, peer) = (taker.clone(), serving.clone());
            async move {
                let busy = peer.busy();
                let response = taker.take(peer.clone(), request).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.idle);
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD).half_close(false);
        let connection = http.serve_connection(TokioIo::new(paced), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let mut cut = std::pin::pin!(peer.cut());
        let ended = tokio::select! {
            () = &mut cut => return tracing::warn!(%address, "a revoked agent's connection was cut"),
            ended = &mut connection => ended,
            () = stopped(&mut self.stop) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    () = &mut cut => return,
                    ended = &mut connection => ended,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "a connection ended early");
        }
    }
}
