//! Derivations under way side by side on one thread. Whoever is done makes room for the next, whatever the others still
//! have before them.
//! Neighbours: [`super::processor`] iterates; [`crate::lanes`] says what is derived and what for.

use super::processor::{Kernel, MOST};
use super::{Midstates, Slot, write};
use crate::secret::Secret;
use zeroize::Zeroize;

/// What is under way, each with what its owner knows it by.
pub(crate) struct UnderWay<T> {
    kernel: Kernel,
    /// Those that are in use come first. On the heap and of one size for good, so that nothing is left behind by growing.
    slots: Box<[Slot; MOST]>,
    /// For each that is in use: the iterations before it, and its owner's.
    owners: Vec<(u32, T)>,
}

impl<T> UnderWay<T> {
    /// Nothing is under way yet.
    pub(crate) fn new() -> Self {
        Self::on(Kernel::of_this_processor())
    }

    pub(super) fn on(kernel: Kernel) -> Self {
        Self { kernel, slots: Box::default(), owners: Vec::with_capacity(MOST) }
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether one more is taken: so many at once as it takes to be fast.
    pub(crate) fn has_room(&self) -> bool {
        self.owners.len() < self.kernel.width()
    }

    /// Begins one, if there is room; else it is dropped.
    pub(crate) fn enter(&mut self, key: &Midstates, salt: &[u8], iterations: u32, owner: T) {
        if let Some(slot) =
            self.slots.get_mut(self.owners.len()).filter(|_| self.owners.len() < self.kernel.width())
        {
            key.begin(salt, 1, slot);
            self.owners.push((iterations.saturating_sub(1), owner));
        }
    }

    /// Takes all of them at most so many iterations further, and hands out who is done.
    pub(crate) fn advance(&mut self, most: u32, mut done: impl FnMut(T, Secret<32>)) {
        let Some(least) = self.owners.iter().map(|(left, _)| *left).min() else { return };
        let step = least.min(most);
        if let Some(used) = self.slots.get_mut(..self.owners.len()) {
            self.kernel.iterate(used, step);
        }
        // From the end, so that whoever takes an empty place was looked at.
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
