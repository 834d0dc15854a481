//! The request to stop: raised by a signal, checked between pages, between derivations and while waiting.
//! Neighbours: `command::process` raises it; `cycle`, `rehash` and `send` check it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A request to stop. All clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// A request that is not raised yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the request.
    pub fn raise(&self) {
        let (raised, waiting) = &*self.0;
        raised.store(true, Ordering::SeqCst);
        waiting.notify_waiters();
    }

    /// Whether the request is raised.
    pub fn is_raised(&self) -> bool {
        let (raised, _) = &*self.0;
        raised.load(Ordering::SeqCst)
    }

    /// Waits until the request is raised.
    pub async fn raised(&self) {
        let (_, waiting) = &*self.0;
        // Listen first, then look: a request raised in between is not missed.
        let mut listening = std::pin::pin!(waiting.notified());
        listening.as_mut().enable();
        if !self.is_raised() {
            listening.await;
        }
    }
}
