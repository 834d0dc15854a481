//! The envelope around the keys of a tenant, on their way to a new node: the same suite as for a password, and a use of its
//! own, so that neither opens as the other.
//! Neighbours: the program's commands `nodes add` and `nodes join` seal and open it.

use super::{Encapsulated, Envelope, EnvelopeError, EnvelopeKey, EnvelopePublic};
use hpke::Serializable as _;
use zeroize::Zeroizing;

/// Binds every key of this use to it.
const INFO: &[u8] = b"landbridge node bundle, version 1";
/// The exporter context of the key that authenticates an answer. A bundle has none.
const NO_ANSWER: &[u8] = b"landbridge node bundle, no answer";
/// The most bytes that are sealed.
pub const MAX_BUNDLE: usize = 64 * 1024;
/// Bytes of HPKE's `enc`.
const ENCAPSULATED: usize = 32;

/// The public key of a new node, which a bundle is sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePublic(EnvelopePublic);

/// The private key of a new node. Wiped on drop; `Debug` shows nothing.
#[derive(Debug)]
pub struct BundleKey(EnvelopeKey);

impl BundlePublic {
    /// Takes the 32 bytes of RFC 7748.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        EnvelopePublic::from_bytes(bytes).map(Self)
    }

    /// The 32 bytes of RFC 7748.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Seals a text to this key, for the node with this id. Returns HPKE's `enc` and the ciphertext.
    pub fn seal(&self, node: &[u8; 16], text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if text.len() > MAX_BUNDLE {
            return Err(EnvelopeError::TooLong);
        }
        let (envelope, _) = self.0.seal_padded(text, INFO, node, NO_ANSWER)?;
        Ok([&envelope.encapsulated[..], &envelope.sealed].concat())
    }
}

impl BundleKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(EnvelopeKey::generate())
    }

    /// Takes the 32 bytes of RFC 7748.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        EnvelopeKey::from_bytes(bytes).map(Self)
    }

    /// Lends the 32 bytes, for the key's file.
    pub fn lend<R>(&self, to: impl FnOnce(&[u8]) -> R) -> R {
        self.0.lend(to)
    }

    /// The public half.
    pub fn public(&self) -> BundlePublic {
        BundlePublic(self.0.public())
    }

    /// Opens what [`BundlePublic::seal`] sealed to this key for this node.
    pub fn open(&self, node: &[u8; 16], bundle: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let (encapsulated, sealed) =
            bundle.split_first_chunk::<ENCAPSULATED>().ok_or(EnvelopeError::DoesNotOpen)?;
        let envelope = Envelope { encapsulated: *encapsulated, sealed: sealed.to_vec() };
        self.0.open_padded(&envelope, INFO, node, NO_ANSWER).map(|(text, _)| text)
    }
}

/// A change of the suite would change the length of `enc`.
const _: fn(&Encapsulated) -> [u8; ENCAPSULATED] = |encapsulated| encapsulated.to_bytes().into();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_opens_with_its_key_for_its_node_and_unchanged() {
        let (key, other) = (BundleKey::generate(), BundleKey::generate());
        let bundle = key.public().seal(&[1; 16], b"keys").unwrap();
        assert_eq!(key.open(&[1; 16], &bundle).unwrap().as_slice(), b"keys");
        assert_eq!(key.open(&[2; 16], &bundle), Err(EnvelopeError::DoesNotOpen), "another node");
        assert_eq!(other.open(&[1; 16], &bundle), Err(EnvelopeError::DoesNotOpen), "another key");
        for cut in 0..bundle.len() {
            assert_eq!(key.open(&[1; 16], &bundle[..cut]), Err(EnvelopeError::DoesNotOpen), "{cut}");
        }
        for at in 0..bundle.len() {
            let mut changed = bundle.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&[1; 16], &changed), Err(EnvelopeError::DoesNotOpen), "{at}");
        }
        assert_eq!(key.public().seal(&[1; 16], &[0; MAX_BUNDLE + 1]), Err(EnvelopeError::TooLong));
    }
}
