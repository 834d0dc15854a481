//! The wish to stop, raised by a signal and heard between pages, between derivations and while waiting.
//! Neighbours: `main` raises it; `cycle`, `rehash` and `send` hear it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A wish to stop; all clones are one wish.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Nobody wishes to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wishes to stop.
    pub fn raise(&self) {
        let (raised, waiting) = &*self.0;
        raised.store(true, Ordering::SeqCst);
        waiting.notify_waiters();
    }

    /// Whether somebody wishes to stop.
    pub fn is_raised(&self) -> bool {
        let (raised, _) = &*self.0;
        raised.load(Ordering::SeqCst)
    }

    /// Waits for the wish.
    pub async fn raised(&self) {
        let (_, waiting) = &*self.0;
        // Listen first, then look, so that a wish in between is not missed.
        let mut listening = std::pin::pin!(waiting.notified());
        listening.as_mut().enable();
        if !self.is_raised() {
            listening.await;
        }
    }
}
