//! The envelope around a password on its way to one agent: HPKE (RFC 9180) in base mode with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, and no other suite.
//!
//! What it is about (request, connection, agent, certificate, tenant, domain, account by objectGUID and SID, deadline)
//! is authenticated with it: an envelope that was moved opens nowhere. Whoever opened it, and nobody else, can say a
//! verdict that the sealer believes: both hold the [`VerdictKey`] that HPKE exports (RFC 9180, section 5.3).
//! Neighbours: the tenant's `relay` seals, the agent's `unseal` opens. An envelope with two passwords, for a change, is
//! [`change`]. Not for what is stored (`seal`).

pub mod bundle;
pub mod change;

use crate::secret::{Password, Secret};
use aws_lc_rs::hmac;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use std::fmt;
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;
type Kdf = HkdfSha256;
type Aead = ChaCha20Poly1305;
type Public = <Kem as hpke::Kem>::PublicKey;
type Private = <Kem as hpke::Kem>::PrivateKey;
type Encapsulated = <Kem as hpke::Kem>::EncappedKey;

/// Binds every key of ours to its use; another use has another text. Version 1 names the account by objectGUID alone.
const INFO: &[u8] = b"landbridge sign-in envelope, version 1";
/// The same for an envelope whose account is named by SID as well. Neither version opens as the other.
const INFO_WITH_SID: &[u8] = b"landbridge sign-in envelope, version 2";
/// The exporter context of the key that authenticates the verdict.
const VERDICT: &[u8] = b"landbridge verdict, version 1";
/// The most bytes of a password.
pub const MAX_PASSWORD: usize = 1024;
/// Sealed passwords come in multiples of so many bytes, so that their length says little.
const STEP: usize = 128;
const TAG: usize = 16;
/// The most bytes of a sealed password.
pub const MAX_SEALED: usize = (2 /* length */ + MAX_PASSWORD).next_multiple_of(STEP) + TAG;

/// Why an envelope was not made or not opened. Says nothing of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a public key: the certificate must not be used.
    #[error("not a public key of X25519")]
    NotAKey,
    /// The password is over [`MAX_PASSWORD`].
    #[error("the password is too long")]
    TooLong,
    /// It was sealed to another key, changed, or is about something else.
    #[error("the envelope does not open here")]
    DoesNotOpen,
}

/// What an envelope is about: authenticated with it, and not sent along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// This one delivery; never used again.
    pub request: [u8; 16],
    /// The connection that it is sent over, as the agent named it.
    pub connection: [u8; 16],
    /// The agent.
    pub agent: [u8; 16],
    /// Serial number of the agent's certificate, without leading zeros.
    pub serial: &'a [u8],
    /// The tenant.
    pub tenant: [u8; 16],
    /// SID of the domain, as text.
    pub domain_sid: &'a str,
    /// objectGUID of the account.
    pub object: [u8; 16],
    /// SID of the account, as text. None: the other end is of version 0.1, which names accounts by objectGUID alone.
    pub sid: Option<&'a str>,
    /// The deadline, on the connection's clock, in milliseconds.
    pub due: u64,
}

impl About<'_> {
    /// Everything, each part with its length before it where that can differ.
    fn bytes(&self) -> Vec<u8> {
        let Self { request, connection, agent, serial, tenant, domain_sid, object, sid, due } = self;
        let mut bytes = Vec::with_capacity(192);
        for id in [request, connection, agent, tenant, object] {
            bytes.extend_from_slice(id);
        }
        bytes.extend_from_slice(&due.to_be_bytes());
        for part in [Some(*serial), Some(domain_sid.as_bytes()), sid.map(str::as_bytes)].into_iter().flatten()
        {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// The version of the envelope, which the presence of the account's SID decides.
    fn info(&self) -> &'static [u8] {
        if self.sid.is_some() { INFO_WITH_SID } else { INFO }
    }
}

/// A sealed password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// HPKE's `enc`.
    pub encapsulated: [u8; 32],
    /// The ciphertext, at most [`MAX_SEALED`] bytes.
    pub sealed: Vec<u8>,
}

/// The public key that passwords are sealed to; stands in the agent's certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvelopePublic(Public);

impl EnvelopePublic {
    /// Takes the 32 bytes of RFC 7748.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Public::from_bytes(bytes).map(Self).map_err(|_| EnvelopeError::NotAKey)
    }

    /// The 32 bytes of RFC 7748.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// Seals a password to this key. The verdict key is for this one envelope.
    pub fn seal(
        &self,
        about: &About<'_>,
        password: &Password,
    ) -> Result<(Envelope, VerdictKey), EnvelopeError> {
        self.seal_padded(&padded(&[password])?, about.info(), &about.bytes(), VERDICT)
    }

    /// Seals bytes with these three texts: HPKE's `info`, the authenticated data, and the exporter context of the key
    /// that authenticates the answer.
    fn seal_padded(
        &self,
        padded: &[u8],
        info: &[u8],
        about: &[u8],
        answer: &[u8],
    ) -> Result<(Envelope, VerdictKey), EnvelopeError> {
        let (encapsulated, mut context) = hpke::setup_sender::<Aead, Kdf, Kem>(&OpModeS::Base, &self.0, info)
            .map_err(|_| EnvelopeError::NotAKey)?;
        let sealed = context.seal(padded, about).map_err(|_| EnvelopeError::NotAKey)?;
        let key = VerdictKey::exported(|into| context.export(answer, into))?;
        Ok((Envelope { encapsulated: encapsulated.to_bytes().into(), sealed }, key))
    }
}

impl fmt::Debug for EnvelopePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopePublic(..)")
    }
}

/// The private key that opens envelopes: as good as every password that is sealed to it.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`,
/// ```compile_fail,E0277
/// let key = landbridge_crypto::envelope::EnvelopeKey::generate();
/// let _ = landbridge_crypto::envelope::EnvelopeKey::clone(&key);
/// ```
/// `Copy`, `Display`,
/// ```compile_fail,E0277
/// let key = landbridge_crypto::envelope::EnvelopeKey::generate();
/// println!("{key}");
/// ```
/// `==`.
/// ```
/// let key = landbridge_crypto::envelope::EnvelopeKey::generate();
/// assert_eq!(format!("{key:?}"), "EnvelopeKey(..)");
/// ```
pub struct EnvelopeKey(Private);

impl EnvelopeKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Kem::gen_keypair().0)
    }

    /// Takes the 32 bytes of RFC 7748.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Private::from_bytes(bytes).map(Self).map_err(|_| EnvelopeError::NotAKey)
    }

    /// Lends the 32 bytes, for the key's file.
    pub fn lend<R>(&self, to: impl FnOnce(&[u8]) -> R) -> R {
        to(Zeroizing::new(self.0.to_bytes()).as_slice())
    }

    /// The public half.
    pub fn public(&self) -> EnvelopePublic {
        EnvelopePublic(Kem::sk_to_pk(&self.0))
    }

    /// Opens an envelope that was sealed to this key and is about this.
    pub fn open(
        &self,
        about: &About<'_>,
        envelope: &Envelope,
    ) -> Result<(Password, VerdictKey), EnvelopeError> {
        if envelope.sealed.len() > MAX_SEALED {
            return Err(EnvelopeError::DoesNotOpen);
        }
        let (padded, key) = self.open_padded(envelope, about.info(), &about.bytes(), VERDICT)?;
        let [password] = unpadded(&padded).ok_or(EnvelopeError::DoesNotOpen)?;
        Ok((password, key))
    }

    /// Opens what [`EnvelopePublic::seal_padded`] sealed with these three texts.
    fn open_padded(
        &self,
        envelope: &Envelope,
        info: &[u8],
        about: &[u8],
        answer: &[u8],
    ) -> Result<(Zeroizing<Vec<u8>>, VerdictKey), EnvelopeError> {
        let no = |_| EnvelopeError::DoesNotOpen;
        let encapsulated = Encapsulated::from_bytes(&envelope.encapsulated).map_err(no)?;
        let mut context =
            hpke::setup_receiver::<Aead, Kdf, Kem>(&OpModeR::Base, &self.0, &encapsulated, info)
                .map_err(no)?;
        let padded = Zeroizing::new(context.open(&envelope.sealed, about).map_err(no)?);
        Ok((padded, VerdictKey::exported(|into| context.export(answer, into))?))
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopeKey(..)")
    }
}

/// What both ends of one envelope hold and nobody else: authenticates the verdict on it.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`, `Copy`, `Display`, `==`, and any way out.
pub struct VerdictKey(Secret<32>);

impl VerdictKey {
    fn exported(by: impl FnOnce(&mut [u8]) -> Result<(), hpke::HpkeError>) -> Result<Self, EnvelopeError> {
        let mut done = Ok(());
        let key = Secret::written(|into| done = by(into));
        done.map(|()| Self(key)).map_err(|_| EnvelopeError::DoesNotOpen)
    }

    /// HMAC-SHA256 over a message.
    pub fn tag(&self, message: &[u8]) -> [u8; 32] {
        let tag = self.0.lend(|key| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message));
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Whether a tag is the one of this message; in a time that does not depend on where they differ.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        self.0.lend(|key| hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).is_ok())
    }
}

impl fmt::Debug for VerdictKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerdictKey(..)")
    }
}

/// Of each password its length (u16, big-endian) and its text; then zeros up to the next multiple of [`STEP`].
fn padded(passwords: &[&Password]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let whole = passwords.iter().map(|one| 2 + one.lend(str::len)).sum::<usize>().next_multiple_of(STEP);
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    for password in passwords {
        password.lend(|text| {
            let length = u16::try_from(text.len()).ok().filter(|_| text.len() <= MAX_PASSWORD);
            padded.extend_from_slice(&length.ok_or(EnvelopeError::TooLong)?.to_be_bytes());
            padded.extend_from_slice(text.as_bytes());
            Ok(())
        })?;
    }
    padded.resize(whole, 0);
    Ok(padded)
}

/// The passwords that [`padded`] joined. None: these are not so many.
fn unpadded<const N: usize>(padded: &[u8]) -> Option<[Password; N]> {
    let mut rest = padded;
    let mut next = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        std::str::from_utf8(text).ok().map(|text| Password::new(text.to_owned()))
    };
    let found: [Option<Password>; N] = std::array::from_fn(|_| next());
    let found: Vec<Password> = found.into_iter().collect::<Option<_>>()?;
    found.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    fn about(serial: &[u8]) -> About<'_> {
        About {
            request: [1; 16],
            connection: [2; 16],
            agent: [3; 16],
            serial,
            tenant: [4; 16],
            domain_sid: "S-1-5-21-1-2-3",
            object: [5; 16],
            sid: Some("S-1-5-21-1-2-3-1105"),
            due: 10_000,
        }
    }

    /// RFC 9180, appendix A.2.1: the suite that this file names, in base mode.
    #[test]
    fn the_suite_is_the_one_of_rfc_9180_a_2_1() {
        let private =
            Private::from_bytes(&bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"))
                .unwrap();
        let public = Kem::sk_to_pk(&private).to_bytes();
        assert_eq!(
            public.as_slice(),
            bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
        );
        let encapsulated = Encapsulated::from_bytes(&bytes(
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
        ))
        .unwrap();
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let mut context =
            hpke::setup_receiver::<Aead, Kdf, Kem>(&OpModeR::Base, &private, &encapsulated, &info).unwrap();
        let sealed = bytes(
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        );
        let opened = context.open(&sealed, b"Count-0").unwrap();
        assert_eq!(opened, b"Beauty is truth, truth beauty");
        let mut exported = [0; 32];
        context.export(b"", &mut exported).unwrap();
        assert_eq!(
            exported.as_slice(),
            bytes("4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e")
        );
    }

    #[test]
    fn what_is_sealed_opens_and_both_ends_agree_on_the_verdict() {
        let key = EnvelopeKey::generate();
        for text in ["", "x", "pässwörd 北京", &"x".repeat(MAX_PASSWORD)] {
            let (envelope, ours) = key.public().seal(&about(b"s"), &Password::new(text.to_owned())).unwrap();
            assert!(envelope.sealed.len() <= MAX_SEALED && envelope.sealed.len() % STEP == TAG);
            let (password, theirs) = key.open(&about(b"s"), &envelope).unwrap();
            password.lend(|p| assert_eq!(p, text));
            assert!(ours.verify(b"yes", &theirs.tag(b"yes")) && !ours.verify(b"no", &theirs.tag(b"yes")));
        }
        let long = Password::new("x".repeat(MAX_PASSWORD + 1));
        assert_eq!(key.public().seal(&about(b"s"), &long).unwrap_err(), EnvelopeError::TooLong);
    }

    #[test]
    fn short_passwords_have_one_length_on_the_wire() {
        let key = EnvelopeKey::generate();
        let length = |text: &str| {
            key.public().seal(&about(b"s"), &Password::new(text.to_owned())).unwrap().0.sealed.len()
        };
        assert_eq!(length("x"), length(&"x".repeat(126)));
    }

    #[test]
    fn an_envelope_about_anything_else_does_not_open() {
        let key = EnvelopeKey::generate();
        let right = about(b"serial");
        let (envelope, _) = key.public().seal(&right, &Password::new("p".to_owned())).unwrap();
        let others = [
            About { request: [9; 16], ..right },
            About { connection: [9; 16], ..right },
            About { agent: [9; 16], ..right },
            About { serial: b"seria", ..right },
            About { tenant: [9; 16], ..right },
            About { domain_sid: "S-1-5-21-1-2-4", ..right },
            About { object: [9; 16], ..right },
            About { sid: Some("S-1-5-21-1-2-3-1106"), ..right },
            About { sid: Some(""), ..right },
            About { sid: None, ..right },
            About { due: 10_001, ..right },
        ];
        for other in others {
            assert_eq!(key.open(&other, &envelope).unwrap_err(), EnvelopeError::DoesNotOpen, "{other:?}");
        }
        assert!(EnvelopeKey::generate().open(&right, &envelope).is_err());
        for at in [0, envelope.sealed.len() - 1] {
            let mut flipped = envelope.clone();
            flipped.sealed[at] ^= 1;
            assert!(key.open(&right, &flipped).is_err());
        }
        // A sign-in of version 0.1 does not open as one with a SID, whatever the SID.
        let old = About { sid: None, ..right };
        let (of_old, _) = key.public().seal(&old, &Password::new("p".to_owned())).unwrap();
        key.open(&old, &of_old).unwrap();
        for sid in ["", "S-1-5-21-1-2-3-1105"] {
            assert!(key.open(&About { sid: Some(sid), ..right }, &of_old).is_err(), "{sid:?}");
        }
        let zero = Envelope { encapsulated: [0; 32], ..envelope };
        assert!(key.open(&right, &zero).is_err(), "a shared secret of zeros");
    }
}
