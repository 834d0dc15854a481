//! Bytes and passwords that are lent, never given: every other secret of this crate is made of these.
//! Not for what may be shown: salts, nonces and ids are plain bytes.

use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes.
///
/// Kept on the heap, so that moving the value copies a pointer and no secret; wiped on drop. Copies in
/// registers, in swap, or made by whoever borrows the bytes are not wiped.
///
/// ```
/// use landbridge_crypto::secret::Secret;
/// let secret = Secret::new([7; 4]);
/// assert_eq!(secret.lend(|bytes| bytes.len()), 4);
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
///
/// Absent on purpose: `Clone`,
/// ```compile_fail,E0277
/// use landbridge_crypto::secret::Secret;
/// let secret = Secret::new([7; 4]);
/// let _ = Secret::clone(&secret);
/// ```
/// `Copy`,
/// ```compile_fail,E0382
/// use landbridge_crypto::secret::Secret;
/// let secret = Secret::new([7; 4]);
/// let moved = secret;
/// drop(secret);
/// ```
/// `Display`,
/// ```compile_fail,E0277
/// use landbridge_crypto::secret::Secret;
/// let secret = Secret::new([7; 4]);
/// println!("{secret}");
/// ```
/// `==`.
/// ```compile_fail,E0369
/// use landbridge_crypto::secret::Secret;
/// let secret = Secret::new([7; 4]);
/// let _ = secret == Secret::new([7; 4]);
/// ```
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Takes the bytes; the argument is wiped, what the caller copied it from is not.
    pub fn new(mut bytes: [u8; N]) -> Self {
        let secret = Self::written(|to| to.copy_from_slice(&bytes));
        bytes.zeroize();
        secret
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done then.
    pub fn random() -> Self {
        Self::written(|to| aws_lc_rs::rand::fill(to).expect("the system gives random bytes"))
    }

    /// Lets `by` write the bytes where they stay, which leaves no copy behind.
    pub(crate) fn written(by: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        by(&mut secret.0);
        secret
    }

    /// Lends the bytes.
    pub fn lend<R>(&self, to: impl FnOnce(&[u8; N]) -> R) -> R {
        to(&self.0)
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A password as a person typed it.
///
/// Wiped on drop, with all that its `String` had room for. What the `String` left behind while it grew,
/// and copies made by whoever borrows the text, are not.
///
/// ```
/// use landbridge_crypto::secret::Password;
/// let password = Password::new("made up".to_owned());
/// assert_eq!(password.lend(str::len), 7);
/// assert_eq!(format!("{password:?}"), "Password(..)");
/// ```
///
/// Absent on purpose: `Clone`,
/// ```compile_fail,E0277
/// use landbridge_crypto::secret::Password;
/// let password = Password::new("made up".to_owned());
/// let _ = Password::clone(&password);
/// ```
/// `Copy`,
/// ```compile_fail,E0382
/// use landbridge_crypto::secret::Password;
/// let password = Password::new("made up".to_owned());
/// let moved = password;
/// drop(password);
/// ```
/// `Display`,
/// ```compile_fail,E0277
/// use landbridge_crypto::secret::Password;
/// let password = Password::new("made up".to_owned());
/// println!("{password}");
/// ```
/// `==`.
/// ```compile_fail,E0369
/// use landbridge_crypto::secret::Password;
/// let password = Password::new("made up".to_owned());
/// let _ = password == Password::new("made up".to_owned());
/// ```
pub struct Password(String);

impl Password {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Lends the text.
    pub fn lend<R>(&self, to: impl FnOnce(&str) -> R) -> R {
        to(&self.0)
    }

    /// Whether nothing was typed. A directory may take an empty password for an anonymous bind, so
    /// nobody signs in with one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_random_secrets_differ() {
        let (a, b) = (Secret::<32>::random(), Secret::<32>::random());
        assert!(a.lend(|a| b.lend(|b| a != b)));
    }

    #[test]
    fn debug_shows_nothing_of_the_content() {
        let password = Password::new("s3cr3t".to_owned());
        assert_eq!(format!("{password:?} {:#?}", Secret::new(*b"s3cr3t")), "Password(..) Secret(..)");
    }

    #[test]
    fn only_nothing_is_empty() {
        assert!(Password::new(String::new()).is_empty());
        assert!(!Password::new(" ".to_owned()).is_empty());
    }
}
