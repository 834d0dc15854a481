//! Reserved names: sign-in names of accounts that are not carried, as keyed hashes. A name that such an account and a
//! person have signs nobody in. The names themselves, and all else of these accounts, stay at home.
//! Neighbours: [`crate::names`] has the forms of a name; [`crate::upload`] carries the messages.

use crate::bounded::{Blob, Text};
use crate::names::{of_sam, of_upn};
use landbridge_crypto::hex;
use landbridge_crypto::keyed_hash::keyed_hash;
use landbridge_crypto::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key under which a tenant hashes names; one for all of its domains, for its life.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`, `Copy`, `Display`, `==`.
#[derive(Debug)]
pub struct NameKey(Secret<32>);

impl NameKey {
    /// A new random key.
    pub fn random() -> Self {
        Self(Secret::random())
    }

    /// Takes the key's bytes. None: they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Secret::new(bytes.try_into().ok()?)))
    }

    /// Lends the key's bytes.
    pub fn lend<R>(&self, to: impl FnOnce(&[u8; 32]) -> R) -> R {
        self.0.lend(to)
    }

    /// The hash of a folded name.
    pub fn hash(&self, folded: &str) -> NameHash {
        NameHash(keyed_hash(&self.0, folded.as_bytes()))
    }
}

impl Serialize for NameKey {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        self.lend(|key| Blob::<32>::new(*key).map_err(serde::ser::Error::custom)?.serialize(into))
    }
}

impl<'de> Deserialize<'de> for NameKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = Blob::<32>::deserialize(from)?;
        Self::from_bytes(bytes.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a key of 32 bytes"))
    }
}

/// With what a phs reserves names: the tenant's key, and the names of the domain as the tenant has them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reserving {
    /// The key.
    pub key: NameKey,
    /// The domain's DNS name.
    pub dns_name: Text<256>,
    /// The domain's NetBIOS name.
    pub netbios_name: Text<64>,
}

impl Reserving {
    /// The hashes of the names that this value of an attribute yields. Empty: it yields none.
    pub fn hashes(&self, attribute: ReservedAttribute, value: &str) -> Vec<NameHash> {
        let names = match attribute {
            ReservedAttribute::SamAccountName => {
                of_sam(value, self.dns_name.as_str(), self.netbios_name.as_str())
            }
            ReservedAttribute::UserPrincipalName | ReservedAttribute::AlternateLogin => {
                of_upn(value).into_iter().collect()
            }
        };
        names.iter().map(|name| self.key.hash(name)).collect()
    }

    /// A text that differs for another key or other names of the domain. It reveals nothing of the key.
    pub fn print(&self) -> String {
        let of_key = self.key.hash("").0;
        let shown = hex::lower(of_key.get(..8).unwrap_or_default());
        format!("{} {} {shown}", self.dns_name, self.netbios_name)
    }
}

/// The keyed hash of a folded name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Blob<32>", try_from = "Blob<32>")]
pub struct NameHash([u8; 32]);

impl NameHash {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<NameHash> for Blob<32> {
    fn from(hash: NameHash) -> Self {
        Self::new(hash.0).unwrap_or_default()
    }
}

impl TryFrom<Blob<32>> for NameHash {
    type Error = &'static str;

    fn try_from(bytes: Blob<32>) -> Result<Self, Self::Error> {
        bytes.as_bytes().try_into().map(Self).map_err(|_| "not a hash of 32 bytes")
    }
}

/// An attribute that yields sign-in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservedAttribute {
    /// sAMAccountName: three names.
    SamAccountName,
    /// userPrincipalName.
    UserPrincipalName,
    /// The attribute that phs's administrator chose as a further sign-in name.
    AlternateLogin,
}

impl ReservedAttribute {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::SamAccountName, Self::UserPrincipalName, Self::AlternateLogin];

    /// Its name in the message, and in the tenant's table of attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SamAccountName => "sam_account_name",
            Self::UserPrincipalName => "user_principal_name",
            Self::AlternateLogin => "alternate_login",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reserving(key: u8, dns_name: &str, netbios_name: &str) -> Reserving {
        let key = NameKey::from_bytes(&[key; 32]).unwrap();
        Reserving { key, dns_name: Text::cut(dns_name), netbios_name: Text::cut(netbios_name) }
    }

    #[test]
    fn a_name_has_one_hash_in_whatever_case_and_attribute_it_comes() {
        let corp = reserving(7, "corp.example.com", "CORP");
        let sam = corp.hashes(ReservedAttribute::SamAccountName, "Ädministrator");
        let upn = |name| corp.hashes(ReservedAttribute::UserPrincipalName, name);
        assert_eq!(sam.len(), 3);
        assert_eq!(sam.get(2..), Some(upn("äDMINISTRATOR@Corp.Example.Com").as_slice()));
        assert_eq!(upn("a@b"), corp.hashes(ReservedAttribute::AlternateLogin, "A@B"));
        assert_eq!(upn("a@b"), [corp.key.hash("a@b")]);
        assert_ne!(upn("a@b"), [reserving(8, "", "").key.hash("a@b")]);
        for none in ["", "no form", "@b", "a@", "a\\b@c"] {
            assert!(upn(none).is_empty(), "{none}");
        }
        assert!(corp.hashes(ReservedAttribute::SamAccountName, "").is_empty());
    }

    #[test]
    fn the_print_differs_for_another_key_and_other_names_and_nothing_shows_the_key() {
        let here = reserving(7, "corp.example.com", "CORP");
        let others = [reserving(8, "corp.example.com", "CORP"), reserving(7, "corp.example.net", "CORP")];
        assert!(others.iter().all(|other| other.print() != here.print()));
        let shown = format!("{here:?} {}", here.print());
        assert!(shown.contains("Secret(..)") && !shown.contains("07070707"), "{shown}");
    }

    #[test]
    fn a_key_and_a_hash_have_32_bytes() {
        let short = serde_json::json!(Blob::<32>::new([1; 31]).unwrap());
        assert!(serde_json::from_value::<NameKey>(short.clone()).is_err());
        assert!(serde_json::from_value::<NameHash>(short).is_err());
    }

    #[test]
    fn an_attribute_is_called_in_a_message_as_in_the_table() {
        for attribute in ReservedAttribute::ALL {
            assert_eq!(serde_json::to_value(attribute).unwrap(), attribute.as_str());
        }
    }
}
