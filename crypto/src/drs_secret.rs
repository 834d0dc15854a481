//! Removes the two layers that a DC puts around a password attribute.
//! Nothing else that is shipped names these ciphers.
//! Before it on the road: `drsr::drs::change`. After it: [`crate::nt_hash`], and then `phs::rehash`.

use crate::nt_hash::NtHash;
use crate::secret::Secret;
use des::Des;
use des::cipher::{Array, BlockCipherDecrypt, KeyInit};
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most session keys that a connection's replies are tried with.
pub const MAX_SESSION_KEYS: usize = 8;

/// The session keys seen on one connection, newest first. A connection that authenticates again during a long
/// replication changes its key, and a page may carry values sealed under the one before.
///
/// Each is wiped when the last list that holds it is dropped. Absent on purpose: `Clone`, `==`, a way to read
/// them; `Debug` shows how many there are.
#[derive(Default)]
pub struct SessionKeys(VecDeque<Arc<Zeroizing<Vec<u8>>>>);

impl SessionKeys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the key that is in force from now on; of more than [`MAX_SESSION_KEYS`] the oldest goes.
    pub fn push_newest(&mut self, key: impl Into<Zeroizing<Vec<u8>>>) {
        self.0.truncate(MAX_SESSION_KEYS - 1);
        self.0.push_front(Arc::new(key.into()));
    }

    /// These keys and a newer one, for a list that is already shared. Copies no key.
    pub fn with_newest(&self, key: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        let mut keys = Self(self.0.clone());
        keys.push_newest(key);
        keys
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({})", self.0.len())
    }
}

/// Why a password attribute could not be opened. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrsSecretError {
    /// The DC sent something else than a sealed NT hash: the object is to be quarantined.
    #[error("a sealed password of {0} bytes, where {SEALED} are due")]
    Length(usize),
    /// The caller has not handed over the connection's session key: a fault of ours.
    #[error("no session key is known for the connection")]
    NoSessionKey,
    /// The checksum is wrong under each key: damaged by the DC, or sealed under a key never seen here.
    #[error("the password opens under none of the {0} session keys of the connection")]
    NoKeyFits(usize),
}

const SALT: usize = 16;
const CRC: usize = 4;
const HASH: usize = 16;
/// The bytes of a sealed NT hash: `ENCRYPTED_PAYLOAD` (MS-DRSR 4.1.10.2.18).
pub const SEALED: usize = SALT + CRC + HASH;

/// Opens a `unicodePwd` value: the envelope of the connection (MS-DRSR 4.1.10.6.15), tried with each session
/// key from the newest on until its CRC32 fits, then the DES layer of the account's RID (MS-SAMR 2.2.11.1).
///
/// A wrong `rid` cannot be noticed: it gives a wrong hash. A key that is not the right one fits by chance once
/// in 2³².
pub fn open_nt_hash(keys: &SessionKeys, rid: u32, sealed: &[u8]) -> Result<NtHash, DrsSecretError> {
    let wrong_length = || DrsSecretError::Length(sealed.len());
    let (salt, body) = sealed.split_first_chunk::<SALT>().ok_or_else(wrong_length)?;
    let body: &[u8; CRC + HASH] = body.try_into().map_err(|_| wrong_length())?;
    if keys.0.is_empty() {
        return Err(DrsSecretError::NoSessionKey);
    }
    let mut hash = keys
        .0
        .iter()
        .find_map(|key| open_envelope(key, salt, body))
        .ok_or(DrsSecretError::NoKeyFits(keys.count()))?;
    remove_rid_layer(&mut hash, rid);
    Ok(NtHash::new(Secret::written(|to| to.copy_from_slice(&*hash))))
}

/// RC4 under MD5(session key ‖ salt) over CRC32 (little-endian) ‖ payload.
fn open_envelope(key: &[u8], salt: &[u8; SALT], body: &[u8; CRC + HASH]) -> Option<Zeroizing<[u8; HASH]>> {
    let mut rc4_key = Zeroizing::new([0; 16]);
    Md5::new().chain_update(key).chain_update(salt).finalize_into((&mut *rc4_key).into());
    let mut plain = Zeroizing::new(*body);
    Rc4::new_from_slice(&*rc4_key).ok()?.apply_keystream(&mut *plain);
    let (crc, payload) = plain.split_first_chunk::<CRC>()?;
    if crc32fast::hash(payload) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut hash = Zeroizing::new([0; HASH]);
    hash.copy_from_slice(payload);
    Some(hash)
}

/// Decrypts each half in place under a key made of the RID.
fn remove_rid_layer(hash: &mut [u8; HASH], rid: u32) {
    for (half, key) in hash.as_chunks_mut::<8>().0.iter_mut().zip(rid_keys(rid)) {
        Des::new(&Array(des_key(key))).decrypt_block(half.into());
    }
}

/// The RID's bytes, repeated over two keys of 7 (MS-SAMR 2.2.11.1.3).
fn rid_keys(rid: u32) -> [[u8; 7]; 2] {
    let [a, b, c, d] = rid.to_le_bytes();
    [[a, b, c, d, a, b, c], [d, a, b, c, d, a, b]]
}

/// 56 bits spread over 8 bytes; the lowest bit of each is DES's parity (MS-SAMR 2.2.11.1.2).
fn des_key(key: [u8; 7]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = key.map(u64::from);
    let bits = a << 48 | b << 40 | c << 32 | d << 24 | e << 16 | f << 8 | g;
    [49, 42, 35, 28, 21, 14, 7, 0].map(|shift| {
        let [.., seven] = (bits >> shift & 0x7f).to_be_bytes();
        let bits = seven << 1;
        bits | u8::from(bits.count_ones() % 2 == 0)
    })
}

#[cfg(test)]
mod tests;
