//! Writes the audit entries of sign-ins and of [`crate::events`]. Entries that wait at the same time share one
//! transaction, and so one wait for the disk.
//! Before it: [`crate::sign_ins`] and [`crate::events`]. The audit entry of a change is written in the transaction of
//! that change, not here.

use landbridge_tenant_rules::model::AuditEntry;
use landbridge_tenant_store::Store;
use landbridge_tenant_store::tables::audit::append;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Limit on entries that wait to be written: four transactions. With more, [`Recorder::record`] blocks.
const QUEUE: usize = 1024;
/// Limit on entries in one transaction. One wait for the disk serves up to 256 sign-ins, and the transaction stays
/// short, so that uploads do not wait long for the writer.
const BATCH: usize = 256;

/// The entry is not in the audit log, because the database fails. The reason is in the log of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct NotWritten;

struct Waiting {
    entry: AuditEntry,
    written: oneshot::Sender<()>,
}

/// Receives entries and passes them to the thread that writes. When it is dropped, it waits until all of them are
/// written.
#[derive(Debug)]
pub struct Recorder {
    /// Some, until it is dropped.
    queue: Option<mpsc::Sender<Waiting>>,
    /// Some, until it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the writing thread.
    pub fn start(store: Arc<Store>) -> std::io::Result<Self> {
        let (queue, entries) = mpsc::channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(&store, entries))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues an entry if fewer than 1024 wait, and does not wait for the disk. False: it is lost.
    pub fn offer(&self, entry: AuditEntry) -> bool {
        let (written, _) = oneshot::channel();
        self.queue.as_ref().is_some_and(|queue| queue.try_send(Waiting { entry, written }).is_ok())
    }

    /// Queues an entry. Blocks while 1024 entries wait.
    pub fn record(&self, entry: AuditEntry) -> Written {
        let (written, done) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // Without the thread, `written` is dropped here, and the caller receives `NotWritten`.
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

/// An entry that is queued.
#[derive(Debug)]
pub struct Written(oneshot::Receiver<()>);

impl Written {
    /// Returns when the entry is on the disk.
    pub async fn wait(self) -> Result<(), NotWritten> {
        self.0.await.map_err(|_| NotWritten)
    }
}

fn write(store: &Store, mut entries: mpsc::Receiver<Waiting>) {
    while let Some(first) = entries.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = entries.try_recv()
        {
            batch.push(next);
        }
        let written = store.write_short("audit-append", |writing| {
            let one = |Waiting { entry, .. }: &Waiting| {
                append(writing, entry.at, &entry.actor, &entry.action, &entry.subject, &entry.detail)
            };
            batch.iter().try_for_each(one)
        });
        match written {
            // The receiver is gone when the caller gave up. Its entry is written anyway.
            Ok(()) => {
                for waiting in batch {
                    let _ = waiting.written.send(());
                }
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    entries = batch.len(),
                    "audit entries could not be written: the sign-ins among them are answered as unavailable"
                );
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
    async fn many_entries_at_once_are_all_written_before_record_reports_it() {
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
        assert_eq!(store.read(|reading| newest(reading, 1000)).unwrap().len(), 300);
    }
}
