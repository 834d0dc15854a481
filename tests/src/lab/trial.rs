//! How long a trial is: short in `make test`, whole in `make soak`. And chance that can be had again.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whether the long forms run: `LANDBRIDGE_SOAK=1`.
pub fn is_whole() -> bool {
    std::env::var("LANDBRIDGE_SOAK").is_ok_and(|value| value == "1")
}

/// The size of a trial.
pub fn size<T>(short: T, whole: T) -> T {
    if is_whole() { whole } else { short }
}

/// The seed of an earlier run that is to be repeated: `LANDBRIDGE_SEED`.
pub fn given_seed() -> Option<u64> {
    std::env::var("LANDBRIDGE_SEED").ok()?.parse().ok()
}

/// A seed: the given one, or the time. A trial that draws from it prints it.
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    given_seed().unwrap_or_else(|| u64::try_from(now.as_millis()).unwrap_or(1))
}

/// Draws from a seed (xorshift64*).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % bound.max(1)
    }
}
