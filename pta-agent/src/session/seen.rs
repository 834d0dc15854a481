//! Which deliveries were handed out: one is opened once, however often it comes. Bounded by time and number.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A delivery is remembered so long after its deadline: nothing with that deadline is taken any more.
const MARGIN: Duration = Duration::from_secs(10);
/// Forgetting goes through all of them, so it is done this often at most.
const SWEEP: Duration = Duration::from_secs(1);
/// So many are remembered; while there are more, nothing new is taken.
const MOST: usize = 65_536;

/// Whether a delivery comes for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// It does.
    Yes,
    /// It came before.
    No,
    /// There is no room to remember it.
    Full,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    until: HashMap<Uuid, Instant>,
    /// When there may be something to forget.
    sweep: Option<Instant>,
}

impl Seen {
    /// Notes a delivery.
    pub(super) fn first(&mut self, request: Uuid, by: Instant, now: Instant) -> First {
        if self.sweep.is_none_or(|at| now >= at) {
            self.until.retain(|_, until| now < *until);
            self.sweep = Some(now + SWEEP);
        }
        if self.until.contains_key(&request) {
            return First::No;
        }
        if self.until.len() >= MOST {
            return First::Full;
        }
        self.until.insert(request, by + MARGIN);
        First::Yes
    }

    /// So many are remembered now.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.until.len()
    }
}
