//! A derivation under way, and its iterations one after the other.
//! Neighbours: [`super::Midstates`] begins it; the kernels of [`super::processor`] advance many at once.

use super::constants::State;
use sha2::block_api::compress256;
use std::slice;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A derivation that has begun: the midstates of its key, the result of the last iteration, and the sum of all
/// results so far. As good as the key. Wiped on drop; copies in registers and in spilled registers on the stack are
/// not wiped.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub(super) struct Slot {
    pub(super) inner: State,
    pub(super) outer: State,
    pub(super) last: State,
    pub(super) sum: State,
}

impl Slot {
    /// Advances it by this number of iterations.
    pub(super) fn iterate(&mut self, iterations: u32) {
        let mut message = Zeroizing::new(PADDED_DIGEST);
        for _ in 0..iterations {
            for midstate in [&self.inner, &self.outer] {
                write(&self.last, &mut *message);
                self.last = *midstate;
                compress256(&mut self.last, slice::from_ref(&message));
            }
            for (sum, last) in self.sum.iter_mut().zip(&self.last) {
                *sum ^= last;
            }
        }
    }
}

/// The block that ends a hash of one pad and one digest; the digest goes into its first half.
pub(super) const PADDED_DIGEST: [u8; 64] = {
    let mut block = [0; 64];
    block[32] = 0x80;
    // 64 + 32 bytes are 0x0300 bits.
    block[62] = 3;
    block
};

/// Writes a state big-endian into the first 32 bytes of `to`.
pub(super) fn write(state: &State, to: &mut [u8]) {
    for (to, word) in to.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
}
