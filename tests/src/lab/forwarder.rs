//! A further address of a server: passes connections on, byte by byte, until it is dropped; then the address refuses
//! connections, as that of a machine that is gone. Passes on to nothing: it closes each connection, as the address of a
//! machine whose program is gone behind a balancer.

use super::error::{Doing as _, LabError};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Both ends of each connection.
    open: Mutex<Vec<TcpStream>>,
}

impl Forwarder {
    /// At a free port of this address, to `server` or to nothing.
    pub fn start(ip: IpAddr, server: Option<SocketAddr>) -> Result<Self, LabError> {
        let listener = TcpListener::bind((ip, 0)).doing("bind a forwarder")?;
        let address = listener.local_addr().doing("bind a forwarder")?;
        let shared = Arc::new(Shared::default());
        let state = shared.clone();
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.stopped.load(Ordering::Relaxed) {
                    return;
                }
                state.accepted.fetch_add(1, Ordering::Relaxed);
                if let Some(server) = server {
                    // A server that is gone closes the connection.
                    let _ = state.pass_on(client, server);
                }
            }
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
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
    fn pass_on(&self, client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let server = TcpStream::connect(server)?;
        let ends = [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)];
        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend([client, server]);
        for (mut from, mut to) in ends {
            std::thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread, which then closes the socket.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
