//! PBKDF2-HMAC-SHA256 (RFC 8018 5.2): both HMAC pads are compressed once, and each iteration is two compressions from
//! these midstates. This file has one derivation, [`batch`] has many side by side.
//! Neighbours: [`crate::salted_digest`] and [`crate::lanes`] call this, always with a key of 64 bytes and block 1.

#[cfg(target_arch = "x86_64")]
#[allow(clippy::indexing_slicing, reason = "by constants and bounded loops, which the compiler sees")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(clippy::indexing_slicing, reason = "by constants and bounded loops, which the compiler sees")]
mod avx512;
pub(crate) mod batch;
mod constants;
#[cfg(test)]
mod plain;
mod processor;
#[cfg(any(test, target_arch = "x86_64"))]
mod rounds;
mod slot;
#[cfg(target_arch = "x86_64")]
#[allow(clippy::indexing_slicing, reason = "by constants and bounded loops, which the compiler sees")]
mod streams;

use constants::{INITIAL, State};
pub(crate) use processor::Kernel;
pub use processor::{REPEATED, Workload};
use sha2::block_api::compress256;
use slot::{PADDED_DIGEST, Slot, write};
use std::slice;
use zeroize::{Zeroize, Zeroizing};

/// An HMAC-SHA256 key (RFC 2104) as its two midstates: as good as the key. Wiped on drop.
pub(crate) struct Midstates {
    inner: Zeroizing<State>,
    outer: Zeroizing<State>,
}

impl Midstates {
    /// The key fills one block; HMAC pads a shorter one with zeros.
    pub(crate) fn new(key: &[u8; 64]) -> Self {
        Self { inner: pad(key, 0x36), outer: pad(key, 0x5c) }
    }

    /// Block `number` (from 1) of the derived key. `iterations` below 1 count as 1.
    pub(crate) fn derive(&self, salt: &[u8], number: u32, iterations: u32, to: &mut [u8; 32]) {
        let mut slot = Slot::default();
        self.begin(salt, number, &mut slot);
        Kernel::of_this_processor().iterate(slice::from_mut(&mut slot), iterations.saturating_sub(1));
        write(&slot.sum, to);
    }

    /// The first iteration of that block.
    fn begin(&self, salt: &[u8], number: u32, slot: &mut Slot) {
        (slot.inner, slot.outer) = (*self.inner, *self.outer);
        let first = self.authenticate(&[salt, &number.to_be_bytes()].concat());
        (slot.last, slot.sum) = (*first, *first);
    }

    /// HMAC-SHA256 of a message.
    fn authenticate(&self, message: &[u8]) -> Zeroizing<State> {
        let mut inner = self.inner.clone();
        finish(&mut inner, message);
        let mut block = Zeroizing::new(PADDED_DIGEST);
        write(&inner, &mut *block);
        let mut outer = self.outer.clone();
        compress256(&mut outer, slice::from_ref(&block));
        outer
    }
}

fn pad(key: &[u8; 64], with: u8) -> Zeroizing<State> {
    let mut block = key.map(|byte| byte ^ with);
    let mut state = Zeroizing::new(INITIAL);
    compress256(&mut state, slice::from_ref(&block));
    block.zeroize();
    state
}

/// Completes a hash whose state contains one pad: adds the message, and the padding of FIPS 180-4 5.1.1.
fn finish(state: &mut State, message: &[u8]) {
    let (blocks, rest) = message.as_chunks::<64>();
    compress256(state, blocks);
    let mut tail = Zeroizing::new([[0; 64]; 2]);
    for (to, from) in tail.as_flattened_mut().iter_mut().zip(rest.iter().chain(&[0x80])) {
        *to = *from;
    }
    let used = if rest.len() + 1 + 8 <= 64 { 1 } else { 2 };
    let bits = (64 + message.len() as u64) * 8;
    if let Some(tail) = tail.get_mut(..used) {
        if let Some(end) = tail.as_flattened_mut().last_chunk_mut() {
            *end = bits.to_be_bytes();
        }
        compress256(state, tail);
    }
}

#[cfg(test)]
mod tests;
