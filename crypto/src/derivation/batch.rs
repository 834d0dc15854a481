//! Derivations that run side by side on one thread. A derivation that is finished makes room for the next one,
//! however many iterations the others have left.
//! Neighbours: [`super::processor`] iterates; [`crate::lanes`] decides what is derived.

use super::Midstates;
use super::processor::{Kernel, MAX_WIDTH};
use super::slot::{Slot, write};
use crate::secret::Secret;
use zeroize::Zeroize;

/// Derivations that run side by side. Each has a value of type `T` by which its owner recognises the result.
pub(crate) struct Batch<T> {
    kernel: Kernel,
    /// The slots in use come first. On the heap and of fixed size, so that growing leaves no copy of a secret behind.
    slots: Box<[Slot; MAX_WIDTH]>,
    /// For each slot in use: the number of iterations left, and the owner's value.
    owners: Vec<(u32, T)>,
}

impl<T> Batch<T> {
    /// An empty batch for the fastest kernel of this processor.
    pub(crate) fn new() -> Self {
        Self::on(Kernel::of_this_processor())
    }

    /// An empty batch for this kernel.
    pub(super) fn on(kernel: Kernel) -> Self {
        Self { kernel, slots: Box::default(), owners: Vec::with_capacity(MAX_WIDTH) }
    }

    /// Number of derivations in the batch.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether the batch has fewer derivations than the kernel runs at once.
    pub(crate) fn has_room(&self) -> bool {
        self.owners.len() < self.kernel.width()
    }

    /// Adds a derivation. Without room, it drops the derivation and its owner's value.
    pub(crate) fn add(&mut self, key: &Midstates, salt: &[u8], iterations: u32, owner: T) {
        if let Some(slot) =
            self.slots.get_mut(self.owners.len()).filter(|_| self.owners.len() < self.kernel.width())
        {
            key.begin(salt, 1, slot);
            self.owners.push((iterations.saturating_sub(1), owner));
        }
    }

    /// Advances all derivations by the same number of iterations, `limit` at most, and passes those that are finished
    /// to `done`.
    pub(crate) fn advance(&mut self, limit: u32, mut done: impl FnMut(T, Secret<32>)) {
        let Some(least) = self.owners.iter().map(|(left, _)| *left).min() else { return };
        let step = least.min(limit);
        if let Some(used) = self.slots.get_mut(..self.owners.len()) {
            self.kernel.iterate(used, step);
        }
        // From the last to the first, so that the one that moves into a free place has been looked at already.
        for place in (0..self.owners.len()).rev() {
            let Some((left, _)) = self.owners.get_mut(place) else { continue };
            *left -= step;
            if *left > 0 {
                continue;
            }
            let (_, owner) = self.owners.swap_remove(place);
            self.slots.swap(place, self.owners.len());
            if let Some(slot) = self.slots.get_mut(self.owners.len()) {
                let derived = Secret::written(|to| write(&slot.sum, to));
                slot.zeroize();
                done(owner, derived);
            }
        }
    }
}

#[cfg(test)]
mod tests;
