//! Accepts TLS connections and passes their requests to a door. Everything about a connection is limited here, before
//! a byte of a body is read. HTTP is spoken here; a door that speaks something else implements [`Protocol`].
//! Neighbours: [`super::pace`] limits the time, [`super::places`] the connections. A door implements [`Serve`].

use crate::limits::Limits;
use crate::pace::{Busy, Paced, Rhythm};
use crate::places::{ConnectionPlace, Places};
use crate::proxy_protocol::{self, Balancers};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ServerConfig, ServerConnection};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Limit on the bytes of a request's head. The longest header is a credential of about 100 bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Limit on the headers of a request. Clients and proxies send ten to twenty.
const MAX_HEADERS: usize = 64;
/// Time for a balancer's PROXY header. Balancers send it with the first packet.
const PROXY_HEADER: Duration = Duration::from_secs(5);
/// Time between two warnings about balancers: each refused connection could cause one.
const WARNED: Duration = Duration::from_secs(60);

/// A door's knowledge of the client of a connection.
pub trait Client: Send + Sync + 'static {
    /// Returns when the connection must be cut. It may never return.
    fn cut(&self) -> impl Future<Output = ()> + Send;

    /// Whether it has shown a certificate that the door knows.
    fn has_certificate(&self) -> bool;
}

/// An extension of a response: the request had a right credential.
#[derive(Debug, Clone, Copy)]
pub struct RightCredential;

/// A client without a certificate. Its connection is never cut.
#[derive(Debug, Clone, Copy)]
pub struct AnonymousClient;

impl Client for AnonymousClient {
    async fn cut(&self) {
        std::future::pending().await
    }

    fn has_certificate(&self) -> bool {
        false
    }
}

/// One open connection. Its place among the connections is occupied until the last clone is dropped, so a WebSocket
/// that follows the HTTP request still counts.
#[derive(Debug)]
pub struct Connection<C> {
    /// The client's address. Behind a balancer it is the one that the balancer names.
    pub address: SocketAddr,
    /// The client, as the door knows it.
    pub client: C,
    alive_at: Mutex<Instant>,
    rhythm: Rhythm,
    place: ConnectionPlace,
}

impl<C> Connection<C> {
    /// Suspends the limits on silence until the returned value is dropped.
    pub fn busy(&self) -> Busy {
        self.rhythm.busy()
    }

    /// A time at which the client was certainly alive: when the connection was accepted, or when its last request was
    /// answered. The request that is being served may have been under way since.
    pub fn alive_at(&self) -> Instant {
        *self.alive_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_answer(&self) {
        *self.alive_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn set_stranger(&self, stranger: bool) {
        self.rhythm.set_stranger(stranger);
        self.place.set_stranger(stranger);
    }
}

/// Answers the requests of a listener: a door.
pub trait Serve: Send + Sync + 'static {
    /// The door's knowledge of a client, kept while the connection is open.
    type Client: Client;

    /// The client of a new connection, whose handshake is complete. The chain of the session's client certificate, if
    /// it has one, is verified.
    fn identify(&self, session: &ServerConnection) -> Self::Client;

    /// Answers one request.
    fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<Self::Client>>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// What is spoken on the connections of a listener.
pub trait Protocol: Send + Sync + 'static {
    /// Serves one connection to its end. The place of the connection is free when `arrival` is dropped.
    fn talk(self: Arc<Self>, stream: TcpStream, arrival: Arrival) -> impl Future<Output = ()> + Send;
}

/// A new connection, before its TLS session.
pub struct Arrival {
    /// The client's address. Behind a balancer it is the one that the balancer names.
    pub address: SocketAddr,
    /// The limits of the listener.
    pub limits: Limits,
    /// The place of the connection.
    pub place: ConnectionPlace,
    acceptor: TlsAcceptor,
    stop: watch::Receiver<bool>,
}

impl Arrival {
    /// The signal that the program stops.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// Establishes a TLS session, within the time for it. None: the connection must end.
    pub async fn tls(&mut self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let address = self.address;
        let greeted = tokio::select! {
            () = stopped(&mut self.stop) => return None,
            () = self.place.cut() => return None,
            greeted = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream)) => greeted,
        };
        match greeted {
            Ok(Ok(tls)) => return Some(tls),
            Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS session was established"),
            Err(_) => tracing::debug!(%address, "the TLS handshake took too long"),
        }
        None
    }
}

/// HTTP, whose requests a door answers.
struct Http<D>(Arc<D>);

/// A socket, its TLS and its limits.
pub struct Listener {
    /// The bound socket.
    pub socket: TcpListener,
    /// Its TLS.
    pub tls: Arc<ServerConfig>,
    /// The limits on its connections.
    pub limits: Limits,
    /// The balancers that alone may connect, each with a PROXY header; none: clients connect themselves.
    pub balancers: Option<Balancers>,
}

impl Listener {
    /// Serves HTTP until `stop` is set, then finishes the requests that are being answered, for at most [`Limits::stop`].
    pub async fn run<D: Serve>(self, door: Arc<D>, stop: watch::Receiver<bool>) {
        self.speak(Arc::new(Http(door)), stop).await;
    }

    /// Serves another protocol in the same way.
    pub async fn speak<P: Protocol>(self, protocol: Arc<P>, mut stop: watch::Receiver<bool>) {
        let limits = self.limits;
        let places = Places::new(limits);
        let acceptor = TlsAcceptor::from(self.tls);
        // Connections of balancers whose client is not known yet have no place.
        let headers = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
        let warnings = Arc::new(Warnings::default());
        loop {
            // 1. Wait for a connection.
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = self.socket.accept() => accepted,
            };
            // 2. Serve it in a task of its own, if there is a place for its network.
            match accepted {
                Ok((stream, address)) => {
                    let acceptor = acceptor.clone();
                    let accepting = Accepting { acceptor, limits, stop: stop.clone(), address };
                    let Some(balancers) = &self.balancers else {
                        if let Some(place) = place(&places, address) {
                            tokio::spawn(accepting.serve(stream, protocol.clone(), place));
                        }
                        continue;
                    };
                    if !balancers.has(address.ip()) {
                        warnings.warn(address, "it is not one of `balancers`, which alone may connect here");
                        continue;
                    }
                    match headers.clone().try_acquire_owned() {
                        Ok(waits) => {
                            let (places, warnings) = (places.clone(), warnings.clone());
                            let passed_on =
                                accepting.passed_on(stream, protocol.clone(), places, warnings, waits);
                            tokio::spawn(passed_on);
                        }
                        Err(_) => warnings.warn(address, "too many connections wait for their PROXY header"),
                    }
                }
                Err(error) => {
                    // The process is probably out of file descriptors. Some connections may end during the delay.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        // 3. After `stop`: close the socket, and wait until the last connection has freed its place.
        drop(self.socket);
        if tokio::time::timeout(limits.stop, places.empty()).await.is_err() {
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

/// Warnings about balancers, at most one a minute.
#[derive(Default)]
struct Warnings(Mutex<Option<Instant>>);

impl Warnings {
    fn warn(&self, peer: SocketAddr, why: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WARNED) {
            *last = Some(Instant::now());
            tracing::warn!(%peer, why, "a connection is refused, and others may have been");
        }
    }
}

/// A place for a client of this address, if there is one.
fn place(places: &Arc<Places>, address: SocketAddr) -> Option<ConnectionPlace> {
    let place = places.enter(address.ip());
    if place.is_none() {
        tracing::debug!(%address, "there is no place for another connection of this network");
    }
    place
}

impl Accepting {
    /// Serves the client of whom a balancer's header says that the connection is, or the balancer's own health check.
    async fn passed_on<P: Protocol>(
        mut self,
        mut stream: TcpStream,
        protocol: Arc<P>,
        places: Arc<Places>,
        warnings: Arc<Warnings>,
        waits: OwnedSemaphorePermit,
    ) {
        let header = tokio::select! {
            () = stopped(&mut self.stop) => return,
            header = tokio::time::timeout(PROXY_HEADER, proxy_protocol::read(&mut stream)) => header,
        };
        match header {
            Ok(Ok(client)) => self.address = client.unwrap_or(self.address),
            Ok(Err(why)) => return warnings.warn(self.address, &why.to_string()),
            Err(_) => return warnings.warn(self.address, "its PROXY header did not come in time"),
        }
        if let Some(place) = place(&places, self.address) {
            drop(waits);
            self.serve(stream, protocol, place).await;
        }
    }

    async fn serve<P: Protocol>(self, stream: TcpStream, protocol: Arc<P>, place: ConnectionPlace) {
        let _ = stream.set_nodelay(true);
        let Self { acceptor, limits, stop, address } = self;
        protocol.talk(stream, Arrival { address, limits, place, acceptor, stop }).await;
    }
}

impl<D: Serve> Protocol for Http<D> {
    async fn talk(self: Arc<Self>, stream: TcpStream, mut arrival: Arrival) {
        // 1. TLS.
        let accepted = Instant::now();
        let Some(tls) = arrival.tls(stream).await else { return };
        let Arrival { address, limits, place, mut stop, .. } = arrival;
        let door = self.0.clone();
        // 2. The client, and the limits on its time.
        let client = door.identify(tls.get_ref().1);
        let (rhythm, alive_at) = (Rhythm::new(), Mutex::new(accepted));
        let connection = Arc::new(Connection { address, client, alive_at, rhythm: rhythm.clone(), place });
        connection.set_stranger(!connection.client.has_certificate());
        let serving = connection.clone();

        let paced = Paced::new(tls, rhythm.clone(), limits);
        // 3. HTTP, until the connection ends, is cut, or the program stops.
        let service = service_fn(move |request| {
            let (door, connection) = (door.clone(), serving.clone());
            async move {
                let busy = connection.busy();
                let response = door.serve(connection.clone(), request).await;
                let right = response.extensions().get::<RightCredential>().is_some();
                connection.set_stranger(!right && !connection.client.has_certificate());
                connection.note_answer();
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.idle);
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD).half_close(false);
        let serving = http.serve_connection(TokioIo::new(paced), service).with_upgrades();
        let mut serving = std::pin::pin!(serving);
        let mut cut = std::pin::pin!(connection.client.cut());
        let ended = tokio::select! {
            () = &mut cut => return tracing::warn!(%address, "a revoked agent's connection was cut"),
            () = connection.place.cut() => return,
            ended = &mut serving => ended,
            () = stopped(&mut stop) => {
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
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
