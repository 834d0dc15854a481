//! The salted digest: what leaves the company network in place of a password.
//! Before it on the road: [`crate::nt_hash`]. After it: `wire::upload`, and then the tenant, which verifies
//! passwords against it and never names an NT hash.

use crate::derivation::Midstates;
use crate::hex;
use crate::nt_hash::NtHash;
use crate::secret::{Password, Secret};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The bytes of salt that a digest may have.
pub const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=32;
/// The iterations that a digest may have. The upper bound is about three times `strong`: who uploads digests must not
/// make each sign-in cost seconds of the verifier's processors.
pub const ITERATIONS: std::ops::RangeInclusive<u32> = 1..=2_000_000;

/// What a new digest costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// 600,000 iterations and 16 bytes of salt: OWASP's figure for this derivation.
    #[default]
    Strong,
    /// 1,000 iterations and 10 bytes of salt: bit for bit what Entra Connect uploads.
    Entra,
}

impl Profile {
    /// Iterations of PBKDF2.
    pub fn iterations(self) -> u32 {
        match self {
            Self::Strong => 600_000,
            Self::Entra => 1000,
        }
    }

    /// Bytes of random salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Strong => 16,
            Self::Entra => 10,
        }
    }

    /// Its name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Entra => "entra",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The configuration names a profile that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password profile is `strong` or `entra`")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "strong" => Ok(Self::Strong),
            "entra" => Ok(Self::Entra),
            _ => Err(UnknownProfile),
        }
    }
}

/// PBKDF2-HMAC-SHA256 over the NT hash's 32 upper-case hexadecimal digits in UTF-16LE, with salt and cost.
///
/// Wiped on drop. A weak password can be guessed from it, so it is a secret too. Absent on purpose: `Clone`,
/// `Copy`, `Display`, `==`; `Debug` shows nothing.
///
/// ```
/// use landbridge_crypto::{salted_digest::SaltedDigest, secret::Password};
/// let digest = SaltedDigest::parse(
///     "v1;PPH1_MD4,181a3024085fcee2f70e,1000,b39525c3bc72a1136fcf7c8a338e0c14313d0450d1a4c98ef0a6ddada3bc5b0a;",
/// )?;
/// assert!(digest.verify(&Password::new("Pa$$w0rd".to_owned())));
/// assert!(!digest.verify(&Password::new("pa$$w0rd".to_owned())));
/// assert_eq!(format!("{digest:?}"), "SaltedDigest(..)");
/// # Ok::<(), landbridge_crypto::salted_digest::DigestError>(())
/// ```
/// ```compile_fail,E0277
/// use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
/// let digest = SaltedDigest::decoy(Profile::Entra);
/// let _ = SaltedDigest::clone(&digest);
/// ```
/// ```compile_fail,E0277
/// use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
/// let digest = SaltedDigest::decoy(Profile::Entra);
/// println!("{digest}");
/// ```
/// ```compile_fail,E0369
/// use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
/// let digest = SaltedDigest::decoy(Profile::Entra);
/// let _ = digest == SaltedDigest::decoy(Profile::Entra);
/// ```
pub struct SaltedDigest {
    salt: Vec<u8>,
    iterations: u32,
    hash: Secret<32>,
}

/// Why a text is no salted digest. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Another version or another algorithm.
    #[error("not a salted digest of the form v1;PPH1_MD4")]
    Form,
    /// The salt is not lower-case hexadecimal of 8 to 32 bytes.
    #[error("the salt of a salted digest is not 8 to 32 bytes in lower-case hex")]
    Salt,
    /// Not a plain decimal number from 1 to 2,000,000.
    #[error("the iterations of a salted digest are not a number from 1 to 2000000")]
    Iterations,
    /// The hash is not lower-case hexadecimal of 32 bytes.
    #[error("the hash of a salted digest is not 32 bytes in lower-case hex")]
    Hash,
}

const PREFIX: &str = "v1;PPH1_MD4,";

impl SaltedDigest {
    /// Derives the digest of a password with a fresh random salt; the NT hash is gone afterwards.
    /// Costs about 100 ns an iteration: not for a thread that others wait on.
    pub fn derive(hash: NtHash, profile: Profile) -> Self {
        Self::salted(&hash, Self::random_salt(profile), profile.iterations())
    }

    /// A digest that nobody's password fits, so that an unknown user costs as much time as a known one.
    pub fn decoy(profile: Profile) -> Self {
        Self { salt: Self::random_salt(profile), iterations: profile.iterations(), hash: Secret::random() }
    }

    fn salted(hash: &NtHash, salt: Vec<u8>, iterations: u32) -> Self {
        let key = Midstates::new(&hash.to_digits());
        let hash = Secret::written(|to| key.derive(&salt, 1, iterations, to));
        Self { salt, iterations, hash }
    }

    /// Whether this is the password. Takes the time of one derivation at this digest's cost, right or wrong.
    ///
    /// An empty password is verified like any other; whoever signs people in refuses it before.
    pub fn verify(&self, password: &Password) -> bool {
        let tried = Self::salted(&NtHash::of_password(password), self.salt.clone(), self.iterations);
        self.has(&tried.hash)
    }

    /// Whether this is the hash, in the same time for every one.
    pub(crate) fn has(&self, tried: &Secret<32>) -> bool {
        self.hash.lend(|right| tried.lend(|tried| right.ct_eq(tried).into()))
    }

    /// What was derived.
    pub(crate) fn of(salt: Vec<u8>, iterations: u32, hash: Secret<32>) -> Self {
        Self { salt, iterations, hash }
    }

    /// The salt.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(crate) fn random_salt(profile: Profile) -> Vec<u8> {
        let mut salt = vec![0; profile.salt_len()];
        aws_lc_rs::rand::fill(&mut salt).expect("the system gives random bytes");
        salt
    }

    /// Iterations of PBKDF2.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Bytes of salt.
    pub fn salt_len(&self) -> usize {
        self.salt.len()
    }

    /// `v1;PPH1_MD4,<salt, lower hex>,<iterations>,<hash, lower hex>;`
    pub fn to_text(&self) -> Zeroizing<String> {
        let iterations = self.iterations.to_string();
        let length = PREFIX.len() + self.salt.len() * 2 + 1 + iterations.len() + 1 + 64 + 1;
        // Room for all from the start: a text that grew would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(PREFIX);
        hex::push_lower(&self.salt, &mut text);
        text.push(',');
        text.push_str(&iterations);
        text.push(',');
        self.hash.lend(|hash| hex::push_lower(hash, &mut text));
        text.push(';');
        text
    }

    /// Reads exactly what [`Self::to_text`] writes: no space, no upper-case digit, no leading zero.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let body =
            text.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(';')).ok_or(DigestError::Form)?;
        let mut fields = body.split(',');
        let (Some(salt), Some(iterations), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(DigestError::Form);
        };
        if !SALT_BYTES.contains(&(salt.len() / 2)) {
            return Err(DigestError::Salt);
        }
        let mut salt_bytes = vec![0; salt.len() / 2];
        if !hex::read_lower(salt, &mut salt_bytes) {
            return Err(DigestError::Salt);
        }
        let iterations = read_iterations(iterations).ok_or(DigestError::Iterations)?;
        let mut good = false;
        let hash = Secret::written(|to| good = hex::read_lower(hash, to));
        if good { Ok(Self { salt: salt_bytes, iterations, hash }) } else { Err(DigestError::Hash) }
    }
}

impl fmt::Debug for SaltedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltedDigest(..)")
    }
}

/// Digits alone, none of them a leading zero: `u32::from_str` would take a sign.
fn read_iterations(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|n| plain && ITERATIONS.contains(n))
}

#[cfg(test)]
mod tests;
