//! The envelope around the old and the new password, on their way to the agent that makes the change. Its HPKE texts
//! differ from those of a sign-in's envelope, so that an envelope of one kind does not open as the other, and the
//! answer to one kind is not valid for the other.
//! Neighbours: [`super`] has the suite and the keys.

use super::{
    About, Envelope, EnvelopeError, EnvelopeKey, EnvelopePublic, MAX_PASSWORD, STEP, TAG, VerdictKey,
};
use super::{padded, unpadded};
use crate::secret::Password;

/// HPKE's `info`: binds the keys to changes of password.
const INFO: &[u8] = b"landbridge change of password envelope, version 1";
/// The exporter context of the key that authenticates the answer.
const ANSWER: &[u8] = b"landbridge change of password answer, version 1";
/// Limit on the bytes of a sealed pair of passwords.
pub const MAX_SEALED_CHANGE: usize = (2 * (2 /* length */ + MAX_PASSWORD)).next_multiple_of(STEP) + TAG;

/// The facts that an envelope with two passwords authenticates as HPKE's `aad`. Both sides know them; the envelope does
/// not contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AboutChange<'a> {
    /// The delivery, as for a sign-in. Its SID is never absent.
    pub delivery: About<'a>,
    /// sAMAccountName of the account.
    pub account: &'a str,
}

impl AboutChange<'_> {
    /// All facts as bytes: the length of the name, the name, the delivery.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = u64::try_from(self.account.len()).unwrap_or(u64::MAX).to_be_bytes().to_vec();
        bytes.extend_from_slice(self.account.as_bytes());
        bytes.extend_from_slice(&[u8::from(self.delivery.sid.is_some())]);
        bytes.extend(self.delivery.bytes());
        bytes
    }
}

impl EnvelopePublic {
    /// Seals the old and the new password of an account to this key. Also returns the key that authenticates the answer
    /// to this one envelope.
    ///
    /// # Errors
    /// A password is longer than [`MAX_PASSWORD`], or the key is invalid.
    pub fn seal_change(
        &self,
        about: &AboutChange<'_>,
        old: &Password,
        new: &Password,
    ) -> Result<(Envelope, VerdictKey), EnvelopeError> {
        self.seal_padded(&padded(&[old, new])?, INFO, &about.bytes(), ANSWER)
    }
}

impl EnvelopeKey {
    /// Opens an envelope of [`EnvelopePublic::seal_change`]: the old password, the new one, and the key of the answer.
    ///
    /// # Errors
    /// The envelope was sealed to another key, was altered, or authenticates other facts.
    pub fn open_change(
        &self,
        about: &AboutChange<'_>,
        envelope: &Envelope,
    ) -> Result<([Password; 2], VerdictKey), EnvelopeError> {
        if envelope.sealed.len() > MAX_SEALED_CHANGE {
            return Err(EnvelopeError::DoesNotOpen);
        }
        let (padded, key) = self.open_padded(envelope, INFO, &about.bytes(), ANSWER)?;
        Ok((unpadded(&padded).ok_or(EnvelopeError::DoesNotOpen)?, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> AboutChange<'static> {
        let delivery = About {
            request: [1; 16],
            connection: [2; 16],
            agent: [3; 16],
            serial: b"serial",
            tenant: [4; 16],
            domain_sid: "S-1-5-21-1-2-3",
            object: [5; 16],
            sid: Some("S-1-5-21-1-2-3-1105"),
            due: 10_000,
        };
        AboutChange { delivery, account: "anna" }
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn both_passwords_open_in_their_order_and_both_ends_agree_on_the_answer() {
        let key = EnvelopeKey::generate();
        let long = "x".repeat(MAX_PASSWORD);
        for (old, new) in [("old", "new"), ("", "x"), ("pässwörd 北京", ""), (&long, &long)] {
            let sealed = key.public().seal_change(&about(), &password(old), &password(new));
            let (envelope, ours) = sealed.unwrap();
            assert!(envelope.sealed.len() <= MAX_SEALED_CHANGE && envelope.sealed.len() % STEP == TAG);
            let (both, theirs) = key.open_change(&about(), &envelope).unwrap();
            let opened = both.each_ref().map(|one| one.lend(str::to_owned));
            assert_eq!(opened, [old, new]);
            assert!(ours.verify(b"changed", &theirs.tag(b"changed")));
        }
        let too_long = password(&"x".repeat(MAX_PASSWORD + 1));
        for (old, new) in [(&too_long, &password("x")), (&password("x"), &too_long)] {
            let sealed = key.public().seal_change(&about(), old, new);
            assert_eq!(sealed.unwrap_err(), EnvelopeError::TooLong);
        }
    }

    #[test]
    fn short_passwords_have_one_length_on_the_wire() {
        let key = EnvelopeKey::generate();
        let length = |old: &str, new: &str| {
            key.public().seal_change(&about(), &password(old), &password(new)).unwrap().0.sealed.len()
        };
        assert_eq!(length("x", "y"), length(&"x".repeat(60), &"y".repeat(64)));
    }

    #[test]
    fn an_envelope_about_anything_else_or_changed_does_not_open() {
        let key = EnvelopeKey::generate();
        let right = about();
        let delivery = right.delivery;
        let (envelope, _) = key.public().seal_change(&right, &password("o"), &password("n")).unwrap();
        let others = [
            AboutChange { account: "anne", ..right },
            AboutChange { account: "", ..right },
            AboutChange { delivery: About { request: [9; 16], ..delivery }, ..right },
            AboutChange { delivery: About { connection: [9; 16], ..delivery }, ..right },
            AboutChange { delivery: About { agent: [9; 16], ..delivery }, ..right },
            AboutChange { delivery: About { serial: b"seria", ..delivery }, ..right },
            AboutChange { delivery: About { tenant: [9; 16], ..delivery }, ..right },
            AboutChange { delivery: About { domain_sid: "S-1-5-21-1-2-4", ..delivery }, ..right },
            AboutChange { delivery: About { object: [9; 16], ..delivery }, ..right },
            AboutChange { delivery: About { sid: Some("S-1-5-21-1-2-3-1106"), ..delivery }, ..right },
            AboutChange { delivery: About { sid: Some(""), ..delivery }, ..right },
            AboutChange { delivery: About { sid: None, ..delivery }, ..right },
            AboutChange { delivery: About { due: 10_001, ..delivery }, ..right },
        ];
        for other in others {
            let opened = key.open_change(&other, &envelope);
            assert_eq!(opened.unwrap_err(), EnvelopeError::DoesNotOpen, "{other:?}");
        }
        assert!(EnvelopeKey::generate().open_change(&right, &envelope).is_err());
        for at in [0, envelope.sealed.len() - 1] {
            let mut flipped = envelope.clone();
            flipped.sealed[at] ^= 1;
            assert!(key.open_change(&right, &flipped).is_err());
        }
        // A character that moves from the name to the SID makes other bytes.
        let moved = AboutChange { account: "anna\x01", delivery: About { sid: None, ..delivery } };
        assert!(key.open_change(&moved, &envelope).is_err());
    }

    #[test]
    fn a_sign_in_is_no_change_and_a_change_is_no_sign_in() {
        let key = EnvelopeKey::generate();
        let right = about();
        let (change, of_change) = key.public().seal_change(&right, &password("o"), &password("n")).unwrap();
        let (sign_in, of_sign_in) = key.public().seal(&right.delivery, &password("o")).unwrap();
        assert!(key.open(&right.delivery, &change).is_err());
        assert!(key.open_change(&right, &sign_in).is_err());
        assert!(!of_sign_in.verify(b"x", &of_change.tag(b"x")));
    }
}
