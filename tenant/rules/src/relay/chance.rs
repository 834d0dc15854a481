//! Random choices that need no secrecy, from a seed, so that a simulated run can be repeated exactly.
//! Neighbours: [`super::deliver`] chooses links by it, [`super::canary`] links and times.

/// xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators").
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// A generator for this seed. Zero would stay zero, so the lowest bit is set.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(drawn.checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}
