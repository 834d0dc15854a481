//! Remembers which wrong passwords an account was tried with lately, so that one client that repeats an old
//! password all night counts once. Keyed hashes under a key that dies with the process, in bounded memory.
//! What it does not protect against: whoever reads this process's memory can try guesses against it.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use landbridge_crypto::secret::Password;
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// How many accounts are remembered; the oldest is forgotten first, and its repeats count again.
const MAX_ACCOUNTS: usize = 10_000;
/// How many wrong passwords an account; as many as Entra keeps of them, and a few.
const MAX_PASSWORDS: usize = 8;

/// Absent on purpose: `Clone`, `Debug` of its content, and any way out of it.
pub struct Remembered {
    key: Key,
    tags: HashMap<Uuid, VecDeque<(Tag, RefusedAt)>>,
    order: VecDeque<Uuid>,
}

type Tag = [u8; 32];

/// A password that the directory refused is not tried there again for so long, in seconds: a device that repeats an
/// old one adds nothing to AD's count. A password that was changed meanwhile is tried at once (`RefusedAt::password_set`);
/// the time is for a change that has not been replicated to the tenant.
const REFUSED_FOR_SECONDS: i64 = 3600;

/// When a password was refused, and which password the account had then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedAt {
    /// Seconds since 1970.
    pub at: i64,
    /// pwdLastSet, as it was known; none: not looked at, or not known.
    pub password_set: Option<i64>,
}

/// The keyed hash of a try, worth nothing outside this process.
pub struct PasswordMark(Tag);

impl Remembered {
    /// Remembers nothing yet, under a new random key. None: the system gives no randomness.
    pub fn new() -> Option<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, tags: HashMap::new(), order: VecDeque::new() })
    }

    /// The mark of this try.
    pub fn mark(&self, object: Uuid, password: &Password) -> PasswordMark {
        let tag = password.lend(|text| {
            let mut context = aws_lc_rs::hmac::Context::with_key(&self.key);
            context.update(object.as_bytes());
            context.update(text.as_bytes());
            context.sign()
        });
        let mut mark = [0; 32];
        mark.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        PasswordMark(mark)
    }

    /// Notes a wrong password. Says whether it was noted before.
    pub fn note_wrong(&mut self, object: Uuid, mark: PasswordMark, refused: RefusedAt) -> bool {
        if let Some(tags) = self.tags.get_mut(&object) {
            if let Some((_, before)) = tags.iter_mut().find(|(tag, _)| *tag == mark.0) {
                *before = refused;
                return true;
            }
            if tags.len() >= MAX_PASSWORDS {
                tags.pop_front();
            }
            tags.push_back((mark.0, refused));
            return false;
        }
        while self.order.len() >= MAX_ACCOUNTS {
            if let Some(oldest) = self.order.pop_front() {
                self.tags.remove(&oldest);
            }
        }
        self.order.push_back(object);
        self.tags.insert(object, VecDeque::from([(mark.0, refused)]));
        false
    }

    /// Whether the directory refused this password lately, for the password that the account still has.
    pub fn refused_before(&self, object: Uuid, mark: &PasswordMark, now: RefusedAt) -> bool {
        let tags = self.tags.get(&object).into_iter().flatten();
        let before = tags.filter(|(tag, _)| *tag == mark.0).map(|(_, refused)| refused).next();
        before.is_some_and(|before| {
            let age = now.at.saturating_sub(before.at);
            let same = before.password_set.is_some() && before.password_set == now.password_set;
            same && (0..REFUSED_FOR_SECONDS).contains(&age)
        })
    }

    /// A pseudonym for a name that nobody has, so that it can be counted like an account's.
    pub fn pseudonym(&self, folded: &str) -> Uuid {
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
