//! A further address of a server: passes connections on, byte by byte, until it is dropped; then the address refuses
//! connections, as that of a machine that is gone. Passes on to nothing: it closes each connection, as the address of a
//! machine whose program is gone behind a balancer. Silent: it takes connections and passes nothing on, as a network that
//! loses all packets behind something that answers for the server.

use super::error::{Doing as _, LabError};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The forwarder. Its address is gone when it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    accepted: AtomicU32,
    /// Where connections are passed on to.
    server: Mutex<Option<SocketAddr>>,
    /// Both ends of each connection.
    open: Mutex<Vec<TcpStream>>,
    /// Nothing is passed on.
    silent: Mutex<bool>,
    changed: Condvar,
}

impl Forwarder {
    /// At a free port of this address, to `server` or to nothing.
    pub fn start(ip: IpAddr, server: Option<SocketAddr>) -> Result<Self, LabError> {
        let listener = TcpListener::bind((ip, 0)).doing("bind a forwarder")?;
        let address = listener.local_addr().doing("bind a forwarder")?;
        let shared = Arc::new(Shared { server: Mutex::new(server), ..Shared::default() });
        let state = shared.clone();
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.stopped.load(Ordering::Relaxed) {
                    return;
                }
                state.accepted.fetch_add(1, Ordering::Relaxed);
                let server = *held(&state.server);
                if let Some(server) = server {
                    // A server that is gone closes the connection.
                    let _ = state.pass_on(client, server);
                }
            }
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Passes new connections on to another server, or to nothing. Those that are open end.
    pub fn lead_to(&self, server: Option<SocketAddr>) {
        *held(&self.shared.server) = server;
        self.shared.end_all();
    }

    /// Passes nothing on from now on, or goes on with it. Nothing is lost, and no connection ends.
    pub fn silence(&self, silent: bool) {
        *held(&self.shared.silent) = silent;
        self.shared.changed.notify_all();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As agents name it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> u32 {
        self.shared.accepted.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn pass_on(self: &Arc<Self>, client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let server = TcpStream::connect(server)?;
        let ends = [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)];
        held(&self.open).extend([client, server]);
        for (mut from, mut to) in ends {
            let shared = self.clone();
            std::thread::spawn(move || {
                let _ = shared.copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    /// Passes on what comes, when nothing is silent.
    fn copy(&self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let count = from.read(&mut bytes)?;
            let mut silent = held(&self.silent);
            while *silent && !self.stopped.load(Ordering::Relaxed) {
                silent = self.changed.wait(silent).unwrap_or_else(PoisonError::into_inner);
            }
            drop(silent);
            if count == 0 {
                return Ok(());
            }
            to.write_all(&bytes[..count])?;
        }
    }

    fn end_all(&self) {
        for stream in held(&self.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.silence(false);
        // Wakes the thread, which then closes the socket.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.shared.end_all();
    }
}
