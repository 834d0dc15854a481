//! Seals what the tenant stores: AES-256-GCM under keys that are not in the database, bound to the table, row
//! and column, so that a sealed value moved to another account's row does not open. The same keys make keyed hashes of
//! what the tenant must recognise and need not read.
//! Not for messages: only the holder of a [`SealKey`] reads what it wrote.

use crate::hex;
use crate::secret::Secret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use std::fmt;
use zeroize::Zeroizing;

/// A sealing key and the number that sealed values name it by.
///
/// Wiped on drop; `Debug` shows the number. Absent on purpose: `Clone`, `Copy`, `Display`, `==`.
pub struct SealKey {
    id: u32,
    key: Secret<32>,
}

/// Why something was not sealed or not opened. Says nothing of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The operator gave no seal key.
    #[error("there is no key to seal with")]
    NoKey,
    /// The value was sealed with a key that the operator no longer gives.
    #[error("sealed with key {0}, which is not among the seal keys")]
    UnknownKey(u32),
    /// The value is no sealed one at all: the database is damaged, or newer than this program.
    #[error("not a sealed value of a form known here")]
    NotSealed,
    /// The value was changed, moved to another cell, or sealed with another key of the same number.
    #[error("the sealed value does not belong here or was changed")]
    DoesNotOpen,
    /// A key file's content is no seal key.
    #[error("not a seal key: it is one line, `lbsk1.`, a number, a dot, and 64 hexadecimal digits")]
    NotAKey,
}

/// The table cell that holds a sealed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellAddress<'a> {
    /// The table.
    pub table: &'a str,
    /// The row: its key, in bytes that never change.
    pub row: &'a [u8],
    /// The column.
    pub column: &'a str,
}

const KEY_PREFIX: &str = "lbsk1.";
/// What the keys of keyed hashes are made with, and those of texts with a key of their own: none is the other.
const KEYED_HASH: &[u8] = b"landbridge keyed hash v1";
const ONE_TEXT: &[u8] = b"landbridge sealed text v1";

impl SealKey {
    /// A new random key.
    pub fn generate(id: u32) -> Self {
        Self { id, key: Secret::random() }
    }

    /// Takes the key's bytes.
    pub fn from_bytes(id: u32, bytes: [u8; 32]) -> Self {
        Self { id, key: Secret::new(bytes) }
    }

    /// The number that sealed values name it by; unique among a tenant's keys.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The content of its key file, without a line end: `lbsk1.<id>.<key, lower hex>`.
    pub fn to_text(&self) -> Zeroizing<String> {
        let id = self.id.to_string();
        let mut text = Zeroizing::new(String::with_capacity(KEY_PREFIX.len() + id.len() + 1 + 64));
        text.push_str(KEY_PREFIX);
        text.push_str(&id);
        text.push('.');
        self.key.lend(|key| hex::push_lower(key, &mut text));
        text
    }

    /// Reads the content of a key file; white space around it is no harm.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let body = text.trim().strip_prefix(KEY_PREFIX).ok_or(SealError::NotAKey)?;
        let (id, digits) = body.split_once('.').ok_or(SealError::NotAKey)?;
        let plain = id == "0" || !id.starts_with('0') && id.bytes().all(|c| c.is_ascii_digit());
        let id = id.parse().ok().filter(|_| plain).ok_or(SealError::NotAKey)?;
        let mut good = false;
        let key = Secret::written(|to| good = hex::read_lower(digits, to));
        if good { Ok(Self { id, key }) } else { Err(SealError::NotAKey) }
    }

    /// The keyed hash of these parts for this purpose, of one kind. The key of a purpose is a hash under the seal key itself.
    fn hash(&self, kind: &[u8], purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let of_purpose = self.key.lend(|key| {
            let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
            context.update(kind);
            context.update(purpose.as_bytes());
            context.sign()
        });
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, of_purpose.as_ref()));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    fn aead(&self) -> Option<LessSafeKey> {
        self.key.lend(|key| UnboundKey::new(&AES_256_GCM, key)).ok().map(LessSafeKey::new)
    }

    /// The cipher of one text: its key is a keyed hash of the text's name.
    fn aead_of(&self, purpose: &str, name: &[u8]) -> Option<LessSafeKey> {
        let key = Zeroizing::new(self.hash(ONE_TEXT, purpose, &[name]));
        UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// The keys in use: the first seals, all open. To rotate, put a new one first; to retire one, seal its values
/// anew and then take it away.
#[derive(Debug)]
pub struct SealKeys(Vec<SealKey>);

/// The form of a sealed value: this byte, key id (u32, big-endian), nonce, ciphertext, tag.
const FORM: u8 = 1;
const HEAD: usize = 1 /* form */ + 4 /* key id */ + NONCE;
const NONCE: usize = 12;
const TAG: usize = 16;
/// What a sealed value has over the plain one, in bytes.
pub const OVERHEAD: usize = HEAD + TAG;

impl SealKeys {
    /// Takes the keys.
    pub fn new(keys: Vec<SealKey>) -> Self {
        Self(keys)
    }

    /// Seals a value for its cell with the first key and a random nonce. Nonces of 96 bits: a key is to be
    /// rotated before it has sealed 2³² values.
    pub fn seal(&self, cell: &CellAddress<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random bytes");
        // Room for all from the start: plain text that moved would leave a copy behind.
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.push(FORM);
        sealed.extend_from_slice(&key.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let aead = key.aead().ok_or(SealError::DoesNotOpen)?;
        let body = sealed.get_mut(HEAD..).ok_or(SealError::DoesNotOpen)?;
        let tag = aead
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(key.id, cell)),
                body,
            )
            .map_err(|_| SealError::DoesNotOpen)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Keyed hashes (HMAC-SHA-256) of these parts for one purpose: one under each key, that of the sealing key first.
    /// What was stored under an older key is found by the others. A hash reveals nothing of its parts
    /// without the key, and a hash for one purpose is useless for another.
    pub fn hashes(&self, purpose: &str, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        self.0.iter().map(|key| key.hash(KEYED_HASH, purpose, parts)).collect()
    }

    /// Whether the value was sealed with the first key. Only its head is read.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        let head = sealed.first_chunk::<5>().map(|[form, id @ ..]| (*form, u32::from_be_bytes(*id)));
        self.0.first().is_some_and(|key| head == Some((FORM, key.id)))
    }

    /// Opens a value that was sealed for this cell.
    pub fn open(&self, cell: &CellAddress<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(SealError::NotSealed)?;
        let [form, i0, i1, i2, i3, nonce @ ..] = *head;
        if form != FORM || body.len() < TAG {
            return Err(SealError::NotSealed);
        }
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        let mut outcome = Err(SealError::UnknownKey(id));
        for key in self.0.iter().filter(|key| key.id == id) {
            let mut plain = Zeroizing::new(body.to_vec());
            let aead = key.aead().ok_or(SealError::DoesNotOpen)?;
            let nonce = Nonce::assume_unique_for_key(nonce);
            match aead.open_in_place(nonce, Aad::from(bound(id, cell)), &mut plain).map(|plain| plain.len()) {
                Ok(length) => {
                    plain.truncate(length);
                    return Ok(plain);
                }
                Err(_) => outcome = Err(SealError::DoesNotOpen),
            }
        }
        outcome
    }
}

/// What a sealed text has over the plain one, in bytes.
pub const TEXT_OVERHEAD: usize = TAG;

/// Texts that leave this server and come back soon. Each has a key of its own, made of the first seal key and of its name, so
/// their number does not wear the seal key out, and the text carries neither a nonce nor the number of a key.
impl SealKeys {
    /// Seals a text for one purpose under its name. A name is of one text only: it must be random or counted.
    pub fn seal_text(&self, purpose: &str, name: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let aead = key.aead_of(purpose, name).ok_or(SealError::DoesNotOpen)?;
        let mut sealed = Vec::with_capacity(plain.len() + TEXT_OVERHEAD);
        sealed.extend_from_slice(plain);
        // The key seals this text alone, so one nonce does for all.
        aead.seal_in_place_append_tag(
            Nonce::assume_unique_for_key([0; NONCE]),
            Aad::from(purpose.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| SealError::DoesNotOpen)?;
        Ok(sealed)
    }

    /// Opens a text that was sealed for this purpose under this name, with any of the keys. None: it is none, or was changed.
    pub fn open_text(&self, purpose: &str, name: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.iter().find_map(|key| {
            let mut plain = Zeroizing::new(sealed.to_vec());
            let (aead, nonce) = (key.aead_of(purpose, name)?, Nonce::assume_unique_for_key([0; NONCE]));
            let length = aead.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut plain).ok()?.len();
            plain.truncate(length);
            Some(plain)
        })
    }
}

/// What a sealed value is bound to. Each part has its length before it, so that no two addresses give the same bytes.
fn bound(id: u32, cell: &CellAddress<'_>) -> Vec<u8> {
    let mut aad = b"landbridge seal v1".to_vec();
    aad.extend_from_slice(&id.to_be_bytes());
    for part in [cell.table.as_bytes(), cell.row, cell.column.as_bytes()] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}

#[cfg(test)]
mod tests;
