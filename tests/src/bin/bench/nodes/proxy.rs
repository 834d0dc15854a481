//! A distance to a PostgreSQL server: passes connections of its Unix socket on, each direction later by half of a round trip,
//! and counts how often a client waited for an answer.

use landbridge_tests::lab::LabError;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The socket of PostgreSQL's usual port.
const SOCKET: &str = ".s.PGSQL.5432";
/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// The proxy. New connections are refused when it is dropped; those that are open end with their client.
pub(super) struct Proxy {
    folder: TempDir,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    /// Nanoseconds that each direction takes.
    delay: AtomicU64,
    trips: AtomicU64,
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    /// In front of the server whose socket is in this folder.
    pub(super) fn start(server: &Path) -> Result<Self, LabError> {
        let failed = |why: io::Error| LabError::said("a proxy before PostgreSQL", &why);
        let folder = tempfile::tempdir().map_err(failed)?;
        let listener = UnixListener::bind(folder.path().join(SOCKET)).map_err(failed)?;
        let (shared, server) = (Arc::new(Shared::default()), server.join(SOCKET));
        let state = shared.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                if state.stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A server that is gone closes the connection.
                let _ = pass_on(client, &server, &state);
            }
        });
        Ok(Self { folder, shared })
    }

    /// The folder of its socket.
    pub(super) fn socket_folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Lets a round trip take this much longer from now on.
    pub(super) fn set_round_trip(&self, round_trip: Duration) {
        let each = u64::try_from(round_trip.as_nanos() / 2).unwrap_or(u64::MAX);
        self.shared.delay.store(each, Ordering::Relaxed);
    }

    /// Round trips so far: answers, or parts of them, that are the first after bytes of the client. What a client sends before
    /// it has the answer to what it sent before is part of the same round trip.
    pub(super) fn round_trips(&self) -> u64 {
        self.shared.trips.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = UnixStream::connect(self.folder.path().join(SOCKET));
    }
}

fn pass_on(client: UnixStream, server: &Path, shared: &Arc<Shared>) -> io::Result<()> {
    let server = UnixStream::connect(server)?;
    let is_waiting = Arc::new(AtomicBool::new(false));
    let ways = [
        (Direction::ToServer, client.try_clone()?, server.try_clone()?),
        (Direction::ToClient, server, client),
    ];
    for (direction, mut from, to) in ways {
        let (shared, is_waiting) = (shared.clone(), is_waiting.clone());
        let (queue, due) = channel();
        spawn(move || write(&due, to));
        spawn(move || {
            let mut chunk = vec![0; CHUNK];
            while let Ok(read @ 1..) = from.read(&mut chunk) {
                match direction {
                    Direction::ToServer => is_waiting.store(true, Ordering::Relaxed),
                    Direction::ToClient => {
                        if is_waiting.swap(false, Ordering::Relaxed) {
                            shared.trips.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                let at = Instant::now() + Duration::from_nanos(shared.delay.load(Ordering::Relaxed));
                if queue.send((at, chunk[..read].to_vec())).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// Writes each part when it is due. The end of the queue is the end of the connection.
fn write(queue: &Receiver<(Instant, Vec<u8>)>, mut to: UnixStream) {
    for (at, part) in queue {
        sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&part).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
