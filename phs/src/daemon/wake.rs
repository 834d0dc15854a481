//! What wakes the daemon, from any thread: a change at a DC, SIGHUP, a signal to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

/// Reasons to look again, and the thread that looks. Each reason is kept until the daemon has read it.
#[derive(Debug)]
pub struct Wake {
    moved: AtomicBool,
    reload: AtomicBool,
    lost: Mutex<Option<String>>,
    thread: Thread,
}

impl Wake {
    /// Wakes the calling thread, which must be the one that runs the daemon.
    pub fn this_thread() -> Arc<Self> {
        let thread = std::thread::current();
        let (moved, reload) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { moved, reload, lost: Mutex::new(None), thread })
    }

    /// Has the configuration read again.
    pub fn reload(&self) {
        self.reload.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }

    /// A DC has committed a change.
    pub fn moved(&self) {
        self.moved.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }

    /// This DC stopped answering the watch.
    pub(super) fn lost(&self, controller: String) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(controller);
        self.thread.unpark();
    }

    /// Wakes the daemon without a reason of its own, so that it sees the signal to stop.
    pub fn up(&self) {
        self.thread.unpark();
    }

    /// Whether the configuration is to be read again; clears the request.
    pub(super) fn is_reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }

    /// Whether a DC has committed a change since the last call; clears it.
    pub(super) fn has_moved(&self) -> bool {
        self.moved.swap(false, Ordering::SeqCst)
    }

    /// The DC that stopped answering since the last call; clears it.
    pub(super) fn lost_controller(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
