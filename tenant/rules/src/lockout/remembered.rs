//! Recent wrong passwords of each account, so that a client that repeats an old password all night counts once.
//! They are keyed hashes under a key of this process alone, in bounded memory.
//! Limit: an attacker who can read this process's memory can test guesses against the hashes.

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;
use landbridge_crypto::secret::Password;
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// Limit on accounts. The oldest is deleted first, and its repeats count again. With 8 passwords each they cost about
/// 5 MiB.
const MAX_ACCOUNTS: usize = 10_000;
/// Limit on wrong passwords kept for each account: a few more than the three that Entra keeps.
const MAX_PASSWORDS: usize = 8;

/// The recent wrong passwords. Absent on purpose: `Clone`, `Debug` of the content, and any function that returns a
/// hash.
pub struct Remembered {
    key: Key,
    tags: HashMap<Uuid, VecDeque<(Tag, RefusedAt)>>,
    order: VecDeque<Uuid>,
}

type Tag = [u8; 32];

/// Seconds during which a password that a DC refused is not sent to a DC again, so that a device that repeats an old
/// password adds nothing to AD's count. After a known change of the password (`RefusedAt::password_set`) it is sent
/// immediately. An hour is the most that a change which has not reached the tenant can delay a sign-in.
const REFUSED_FOR_SECONDS: i64 = 3600;

/// When a password was refused, and since when the account had its password then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedAt {
    /// Seconds since 1970.
    pub at: i64,
    /// pwdLastSet of the account at that time; none: not known, or not looked at.
    pub password_set: Option<i64>,
}

/// The keyed hash of an account and a password. It has no use outside this process.
pub struct PasswordMark(Tag);

impl Remembered {
    /// An empty list under a new random key. None: the system gives no randomness.
    pub fn new() -> Option<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, tags: HashMap::new(), order: VecDeque::new() })
    }

    /// The keyed hash of this account and this password.
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

    /// Notes a wrong password. True: it was noted before. A refusal of a DC stays noted when the password is refused
    /// again without asking one.
    pub fn note_wrong(&mut self, object: Uuid, mark: PasswordMark, refused: RefusedAt) -> bool {
        if let Some(tags) = self.tags.get_mut(&object) {
            if let Some((_, before)) = tags.iter_mut().find(|(tag, _)| *tag == mark.0) {
                if refused.password_set.is_some() || before.password_set.is_none() {
                    *before = refused;
                }
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

    /// Whether a DC refused this password lately, and the account's password has not changed since.
    pub fn refused_before(&self, object: Uuid, mark: &PasswordMark, now: RefusedAt) -> bool {
        let tags = self.tags.get(&object).into_iter().flatten();
        let before = tags.filter(|(tag, _)| *tag == mark.0).map(|(_, refused)| refused).next();
        before.is_some_and(|before| {
            let age = now.at.saturating_sub(before.at);
            let same = before.password_set.is_some() && before.password_set == now.password_set;
            same && (0..REFUSED_FOR_SECONDS).contains(&age)
        })
    }

    /// Forgets what was refused for an account: its password is another one.
    pub fn forget(&mut self, object: Uuid) {
        if let Some(tags) = self.tags.get_mut(&object) {
            tags.clear();
        }
    }

    /// Number of accounts with a noted password.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no password is noted.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").field("accounts", &self.order.len()).finish_non_exhaustive()
    }
}
