//! Writes sign-ins into the audit log, as many as are at hand in one transaction: each waits until it is on the
//! disk, and all of them wait together.
//! Before it: `decide`. The entries of changes are written with the changes themselves.

use landbridge_tenant_rules::model::AuditEntry;
use landbridge_tenant_store::Store;
use landbridge_tenant_store::tables::audit::append;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// So many entries wait; whoever comes then waits for a place.
const QUEUE: usize = 1024;
/// So many are written in one transaction.
const AT_ONCE: usize = 256;

/// The entry is not in the log: the database fails, which the log of the program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct NotWritten;

struct Waiting {
    entry: AuditEntry,
    written: oneshot::Sender<()>,
}

/// Where entries are handed in. Dropped, it waits until the thread behind it has written what was handed in.
#[derive(Debug)]
pub struct Recorder {
    /// Some, until it is dropped.
    queue: Option<mpsc::Sender<Waiting>>,
    /// Some, until it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread that writes.
    pub fn start(store: Arc<Store>) -> std::io::Result<Self> {
        let (queue, entries) = mpsc::channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(&store, entries))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands an entry in. Blocks while too many wait.
    pub fn record(&self, entry: AuditEntry) -> Written {
        let (written, done) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // If the thread is gone, so is the other end: the entry is not written.
            let _ = queue.blocking_send(Waiting { entry, written });
        }
        Written(done)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The thread ends with the queue.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An entry on its way to the disk.
#[derive(Debug)]
pub struct Written(oneshot::Receiver<()>);

impl Written {
    /// Ends when it is there.
    pub async fn wait(self) -> Result<(), NotWritten> {
        self.0.await.map_err(|_| NotWritten)
    }
}

fn write(store: &Store, mut entries: mpsc::Receiver<Waiting>) {
    while let Some(first) = entries.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < AT_ONCE
            && let Ok(next) = entries.try_recv()
        {
            batch.push(next);
        }
        let written = store.write("audit-append", |tx| {
            let one = |Waiting { entry, .. }: &Waiting| {
                append(tx, entry.at, &entry.actor, &entry.action, &entry.subject, &entry.detail)
            };
            batch.iter().try_for_each(one)
        });
        match written {
            // Whoever went away in the meantime has its entry all the same.
            Ok(()) => {
                for waiting in batch {
                    let _ = waiting.written.send(());
                }
            }
            Err(error) => {
                tracing::error!(%error, entries = batch.len(), "audit entries could not be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::audit::*;
    use landbridge_crypto::seal::{SealKey, SealKeys};
    use landbridge_tenant_store::tables::audit::newest;

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_are_all_written_before_they_are_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SealKeys::new(vec![SealKey::generate(1)]);
        let path = folder.path().join("tenant.db");
        let store = Arc::new(Store::create(&path, keys, uuid::Uuid::from_u128(1), 0).unwrap());
        let recorder = Arc::new(Recorder::start(store.clone()).unwrap());
        let entry = |at| AuditEntry {
            at,
            actor: "app test".to_owned(),
            action: "signin-accepted".to_owned(),
            subject: "x".to_owned(),
            detail: String::new(),
        };
        let tasks: Vec<_> = (0..300)
            .map(|at| {
                let recorder = recorder.clone();
                tokio::task::spawn_blocking(move || recorder.record(entry(at)))
            })
            .collect();
        for task in tasks {
            task.await.unwrap().wait().await.unwrap();
        }
        assert_eq!(store.read(|conn| newest(conn, 1000)).unwrap().len(), 300);
    }
}
