//! Who has left a queue lately. A sign-in that enters one without waiting need not read its facts again, if no other of its
//! account was in it since they were read.
//! Neighbours: [`super::queue`] and [`super::turns`] note who leaves.

use std::collections::VecDeque;
use std::time::Instant;

/// Limit on those that are remembered. When more leave while facts are read, the facts are read again.
const MOST: usize = 256;

/// The last ones that left, oldest first.
#[derive(Debug)]
pub(super) struct Leavers<K>(VecDeque<(K, Instant)>);

impl<K> Default for Leavers<K> {
    fn default() -> Self {
        Self(VecDeque::with_capacity(MOST))
    }
}

impl<K: PartialEq> Leavers<K> {
    pub(super) fn note(&mut self, who: K) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((who, Instant::now()));
    }

    /// Whether this one may have left since then.
    pub(super) fn may_have_left(&self, who: &K, since: Instant) -> bool {
        let forgot = self.0.len() == MOST && self.0.front().is_some_and(|(_, at)| *at >= since);
        forgot || self.0.iter().rev().take_while(|(_, at)| *at >= since).any(|(one, _)| one == who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_left_since_then_is_found_and_over_the_limit_each_may_be_one() {
        let before = Instant::now();
        let mut leavers = Leavers::default();
        leavers.note(1);
        let after = Instant::now();
        assert!(leavers.may_have_left(&1, before));
        assert!(!leavers.may_have_left(&2, before));
        while Instant::now() == after {}
        assert!(!leavers.may_have_left(&1, Instant::now()));
        (0..MOST).for_each(|_| leavers.note(3));
        assert!(leavers.may_have_left(&2, before), "it is not known any more");
        assert!(!leavers.may_have_left(&2, Instant::now()));
    }
}
