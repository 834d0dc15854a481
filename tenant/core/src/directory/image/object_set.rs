//! A set of objects, by their numbers in the directory in memory.

/// The set: a bit for each number.
#[derive(Debug, Default)]
pub(super) struct ObjectSet(Vec<u64>);

impl ObjectSet {
    /// Whether an object is in it.
    pub(super) fn has(&self, object: u32) -> bool {
        let (word, bit) = place(object);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn insert(&mut self, object: u32) {
        let (word, bit) = place(object);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }
}

fn place(object: u32) -> (usize, u64) {
    (usize::try_from(object / 64).unwrap_or(usize::MAX), 1 << (object % 64))
}
