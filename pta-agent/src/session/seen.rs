//! Which deliveries were handed out: one is opened once, however often it comes. Bounded by time and number.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A delivery is remembered so long after its deadline: nothing with that deadline is taken any more.
const MARGIN: Duration = Duration::from_secs(60);
/// So many are remembered; while there are more, nothing new is taken.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Seen {
    until: HashMap<Uuid, Instant>,
    /// When there may be something to forget.
    sweep: Option<Instant>,
}

impl Seen {
    /// Whether this delivery comes for the first time, and there is room to remember it.
    pub(super) fn first(&mut self, request: Uuid, by: Instant, now: Instant) -> bool {
        if self.sweep.is_none_or(|at| now >= at) || self.until.len() >= MOST {
            self.until.retain(|_, until| now < *until);
            self.sweep = Some(now + MARGIN);
        }
        if self.until.contains_key(&request) || self.until.len() >= MOST {
            return false;
        }
        self.until.insert(request, by + MARGIN);
        true
    }
}
