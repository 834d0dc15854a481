//! Remembers which wrong passwords an account was tried with lately, so that one client that repeats an old
//! password all night counts once. Keyed hashes under a key that dies with the process, in bounded memory.
//! What it does not protect against: whoever reads this process's memory can try guesses against it.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use landbridge_crypto::secret::Password;
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// How many accounts are remembered; the oldest is forgotten first, and its repeats count again.
const ACCOUNTS: usize = 10_000;
/// How many wrong passwords an account; as many as Entra keeps of them, and a few.
const PASSWORDS: usize = 8;

/// Absent on purpose: `Clone`, `Debug` of its content, and any way out of it.
pub struct Remembered {
    key: Key,
    tags: HashMap<Uuid, VecDeque<Tag>>,
    order: VecDeque<Uuid>,
}

type Tag = [u8; 32];

/// The keyed hash of a try, worth nothing outside this process.
pub struct Mark(Tag);

impl Remembered {
    /// Remembers nothing yet, under a new random key. None: the system gives no randomness.
    pub fn new() -> Option<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, tags: HashMap::new(), order: VecDeque::new() })
    }

    /// The mark of this try.
    pub fn mark(&self, object: Uuid, password: &Password) -> Mark {
        let tag = password.lend(|text| {
            let mut context = aws_lc_rs::hmac::Context::with_key(&self.key);
            context.update(object.as_bytes());
            context.update(text.as_bytes());
            context.sign()
        });
        let mut mark = [0; 32];
        mark.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Mark(mark)
    }

    /// Notes a wrong password. Says whether it was noted before.
    pub fn again(&mut self, object: Uuid, mark: Mark) -> bool {
        if let Some(tags) = self.tags.get_mut(&object) {
            if tags.contains(&mark.0) {
                return true;
            }
            if tags.len() >= PASSWORDS {
                tags.pop_front();
            }
            tags.push_back(mark.0);
            return false;
        }
        while self.order.len() >= ACCOUNTS {
            if let Some(oldest) = self.order.pop_front() {
                self.tags.remove(&oldest);
            }
        }
        self.order.push_back(object);
        self.tags.insert(object, VecDeque::from([mark.0]));
        false
    }

    /// A pseudonym for a name that nobody has, so that it can be counted like an account's.
    pub fn stranger(&self, folded: &str) -> Uuid {
        let tag = sign(&self.key, folded.as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Uuid::from_bytes(bytes)
    }

    /// How many accounts are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").field("accounts", &self.order.len()).finish_non_exhaustive()
    }
}
