//! How long to wait before the next try, and when to stop trying. Pure: chance is an argument.
//! Neighbours: `phs::send` waits as it says.

use std::time::Duration;

/// Doubling waits between `first` and `longest`, for so many tries. Half of each wait is left to
/// chance, so that many agents do not come back in one moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
    left: u32,
}

impl Backoff {
    /// `tries` waits at most; the first is `first`, none is over `longest`.
    pub fn new(first: Duration, longest: Duration, tries: u32) -> Self {
        Self { next: first.min(longest), longest, left: tries }
    }

    /// The wait before the next try, or none when it is time to give up.
    ///
    /// `chance` is in 0..1; `asked` is what the peer asked for: it is honoured up to `longest`.
    pub fn wait(&mut self, chance: f64, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 1.0 };
        let wait = self.next.mul_f64(0.5 + chance / 2.0);
        self.next = self.next.saturating_mul(2).min(self.longest);
        Some(wait.max(asked.unwrap_or_default()).min(self.longest))
    }
}

/// A number in 0..1 from the system's randomness; for the callers that live with sockets.
pub fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the longest wait is the careful one.
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_then_end() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500), 5);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.wait(1.0, None)).map(|w| w.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 500, 500]);
    }

    #[test]
    fn chance_takes_at_most_half_of_a_wait() {
        for (chance, milliseconds) in
            [(0.0, 50), (0.5, 75), (1.0, 100), (-3.0, 50), (7.0, 100), (f64::NAN, 100)]
        {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1), 1);
            assert_eq!(backoff.wait(chance, None).unwrap().as_millis(), milliseconds);
        }
    }

    #[test]
    fn a_peer_may_ask_for_more_time_but_not_for_ever() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 2);
        assert_eq!(backoff.wait(0.0, Some(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(backoff.wait(0.0, Some(Duration::from_secs(900))), Some(Duration::from_secs(5)));
    }
}
