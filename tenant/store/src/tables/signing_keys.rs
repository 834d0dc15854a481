//! The table `signing_keys`: the keys that sign tokens, sealed. A row that was copied or edited does not open, because the
//! seal is bound to the table and the key's name.
//! Neighbours: the tenant's core makes, rotates and revokes them.

use crate::engine::params;
use crate::tables::changes;
use crate::{Reading, StoreError, Writing};
use landbridge_crypto::seal::{CellAddress, SealKeys};
use landbridge_tenant_rules::model::SigningAlgorithm;
use zeroize::Zeroizing;

/// A key. Times are in seconds since 1970.
#[derive(Clone)]
pub struct SigningKey {
    /// Its name: its thumbprint (RFC 7638).
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// When it was made.
    pub made_at: i64,
    /// Since when it signs; none: it comes next.
    pub signs_at: Option<i64>,
    /// Since when another one signs.
    pub retired_at: Option<i64>,
    sealed: Vec<u8>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("signs_at", &self.signs_at)
            .field("retired_at", &self.retired_at)
            .finish_non_exhaustive()
    }
}

/// The seal of a key does not open: a seal key is missing, or another program wrote to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key cannot be opened: a seal key is missing, or the database was tampered with")]
pub struct Unreadable;

impl SigningKey {
    /// The private key (PKCS #8).
    pub fn open(&self, keys: &SealKeys) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        keys.open(&place(&self.kid), &self.sealed).map_err(|_| Unreadable)
    }
}

fn place(kid: &str) -> CellAddress<'_> {
    CellAddress { table: "signing_keys", row: kid.as_bytes(), column: "sealed" }
}

/// All keys, the newest first.
pub fn all(reading: &Reading<'_>) -> Result<Vec<SigningKey>, StoreError> {
    let mut statement = reading.prepare_cached(
        "SELECT kid, algorithm, made_at, signs_at, retired_at, sealed FROM signing_keys
         ORDER BY made_at DESC, kid",
    )?;
    let mut rows = statement.query(())?;
    let mut all = Vec::new();
    while let Some(row) = &rows.next()? {
        let algorithm: String = row.get(1)?;
        all.push(SigningKey {
            kid: row.get(0)?,
            algorithm: SigningAlgorithm::parse(&algorithm)
                .ok_or(StoreError::Foreign { what: "algorithm of a signing key" })?,
            made_at: row.get(2)?,
            signs_at: row.get(3)?,
            retired_at: row.get(4)?,
            sealed: row.get(5)?,
        });
    }
    Ok(all)
}

/// Stores a new key, which comes next. `private` is PKCS #8.
pub fn insert(
    writing: &Writing<'_>,
    keys: &SealKeys,
    (kid, algorithm): (&str, SigningAlgorithm),
    private: &[u8],
    now: i64,
) -> Result<(), StoreError> {
    let sealed = keys.seal(&place(kid), private).map_err(StoreError::Seal)?;
    writing.send(
        "INSERT INTO signing_keys (kid, algorithm, sealed, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![kid, algorithm.as_str(), sealed, now],
    )?;
    changes::note_settings(writing)
}

/// Lets a key sign from now on, and none else of its algorithm.
pub fn sign_with(
    writing: &Writing<'_>,
    kid: &str,
    algorithm: SigningAlgorithm,
    now: i64,
) -> Result<(), StoreError> {
    writing.send(
        "UPDATE signing_keys SET retired_at = ?2
         WHERE algorithm = ?1 AND signs_at IS NOT NULL AND retired_at IS NULL AND kid <> ?3",
        params![algorithm.as_str(), now, kid],
    )?;
    writing.send(
        "UPDATE signing_keys SET signs_at = ?2 WHERE kid = ?1 AND signs_at IS NULL",
        params![kid, now],
    )?;
    changes::note_settings(writing)
}

/// Deletes a key.
pub fn delete(writing: &Writing<'_>, kid: &str) -> Result<(), StoreError> {
    writing.send("DELETE FROM signing_keys WHERE kid = ?1", [kid])?;
    changes::note_settings(writing)
}

/// Deletes the keys that were retired before a time.
pub fn forget(writing: &Writing<'_>, retired_before: i64) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM signing_keys WHERE retired_at < ?1", [retired_before])
}
