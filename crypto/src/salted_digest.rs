//! The salted digest of a password (stub until the real one lands; its signatures stay).

/// A salted digest.
pub struct SaltedDigest(zeroize::Zeroizing<String>);

impl std::fmt::Debug for SaltedDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltedDigest(..)")
    }
}

/// Not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a salted digest")]
pub struct DigestError;

impl SaltedDigest {
    /// Its text.
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        self.0.clone()
    }
    /// Reads its text.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        Ok(Self(zeroize::Zeroizing::new(text.to_owned())))
    }
}
