//! Which deliveries were handed out: each is opened once, however often it arrives. Limited in time and number.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A delivery is remembered for this long after its deadline, after which it is refused anyway.
const MARGIN: Duration = Duration::from_secs(10);
/// Least interval between removals of old deliveries, each of which visits all of them.
const SWEEP: Duration = Duration::from_secs(1);
/// Limit on remembered deliveries. At the limit new ones are refused.
const MOST: usize = 65_536;

/// Whether a delivery arrives for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// It arrives for the first time.
    Yes,
    /// It arrived before.
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
