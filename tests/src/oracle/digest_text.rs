//! The text form of a salted digest is canonical: what is read prints as it was, or it is refused.

use landbridge_crypto::salted_digest::{DigestError, ITERATIONS, SALT_BYTES, SaltedDigest};
use landbridge_crypto::secret::Password;

/// Above this a verification takes longer than fuzzing allows.
const CHEAP: u32 = 100;

// The error has no room to repeat what it refused.
const _: () = assert!(size_of::<DigestError>() == 1);

/// Takes the bytes as the text of a digest.
pub fn digest_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match SaltedDigest::parse(text) {
        Ok(digest) => {
            assert_eq!(&*digest.to_text(), text, "a digest has two texts");
            assert!(SALT_BYTES.contains(&digest.salt_len()) && ITERATIONS.contains(&digest.iterations()));
            assert_eq!(format!("{digest:?}"), "SaltedDigest(..)");
            if digest.iterations() <= CHEAP {
                let fits = |password: &str| digest.verify(&Password::new(password.to_owned()));
                assert!(!(fits("one password") && fits("another")), "two passwords fit one digest");
            }
        }
        Err(error) => assert!(error.to_string().len() < 100),
    }
}
