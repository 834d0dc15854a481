//! Access tokens: the id of a grant or of an application and a time, under a keyed hash. Only this server can read them, and
//! it reads the grant or the application again at each use. So they need no row of their own, and they end with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::bearer::same;
use landbridge_crypto::seal::SealKeys;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of the id of the grant or the application; of the time at which the token ends, in seconds since 1970, big-endian; of
/// what tells two tokens apart that end in the same second; and of the hash.
const ID: usize = 16;
const TIME: usize = 8;
const RANDOM: usize = 8;
const HASH: usize = 32;

/// What a token is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A person, by a grant.
    Grant(Uuid),
    /// An application itself, and no person.
    App(Uuid),
}

impl Subject {
    /// What the keyed hash is for. A token of one kind is none of the other.
    fn purpose(self) -> &'static str {
        match self {
            Self::Grant(_) => "access token",
            Self::App(_) => "access token of an application",
        }
    }

    fn id(self) -> Uuid {
        match self {
            Self::Grant(id) | Self::App(id) => id,
        }
    }
}

/// A token, good until `ends_at`.
pub(super) fn write(keys: &SealKeys, subject: Subject, ends_at: i64) -> Zeroizing<String> {
    let (id, ends_at) = (subject.id(), ends_at.to_be_bytes());
    let random: [u8; RANDOM] = Uuid::new_v4().as_bytes().first_chunk().copied().unwrap_or_default();
    let hash = keys.hashes(subject.purpose(), &[id.as_bytes(), &ends_at, &random]);
    let hash = hash.into_iter().next().unwrap_or_default();
    Zeroizing::new(URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &ends_at, &random, &hash].concat()))
}

/// What a token is of that was written here, under any of the keys, and when it ends. None: it is none, or has ended at `now`.
pub(super) fn read(keys: &SealKeys, token: &str, now: i64) -> Option<(Subject, i64)> {
    let octets: [u8; ID + TIME + RANDOM + HASH] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let (id, rest) = octets.split_first_chunk::<ID>()?;
    let (ends_at, rest) = rest.split_first_chunk::<TIME>()?;
    let (random, hash) = rest.split_first_chunk::<RANDOM>()?;
    let hash: &[u8; HASH] = hash.try_into().ok()?;
    let is_ours = |subject: &Subject| {
        keys.hashes(subject.purpose(), &[id, ends_at, random]).iter().any(|own| same(own, hash))
    };
    let (named, ends_at) = (Uuid::from_bytes(*id), i64::from_be_bytes(*ends_at));
    let subject = [Subject::Grant(named), Subject::App(named)].into_iter().find(is_ours)?;
    (now < ends_at).then_some((subject, ends_at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use landbridge_crypto::seal::SealKey;

    const NOW: i64 = 1_795_996_800;

    fn keys(ids: &[u8]) -> SealKeys {
        SealKeys::new(ids.iter().map(|id| SealKey::from_bytes(u32::from(*id), [*id; 32])).collect())
    }

    #[test]
    fn a_token_is_read_until_its_time_under_each_key_that_is_there() {
        let grant = Subject::Grant(Uuid::from_u128(7));
        let token = write(&keys(&[1]), grant, NOW + 300);
        assert_eq!(read(&keys(&[1]), &token, NOW + 299), Some((grant, NOW + 300)));
        assert_eq!(read(&keys(&[1, 2]), &token, NOW), Some((grant, NOW + 300)), "a key was added");
        assert_eq!(read(&keys(&[1]), &token, NOW + 300), None, "its time is over");
        assert_eq!(read(&keys(&[2]), &token, NOW), None, "its key is gone");
        assert_ne!(write(&keys(&[1]), grant, NOW + 300), token, "each is another one");
    }

    #[test]
    fn no_other_text_is_a_token() {
        let (keys, id) = (keys(&[1]), Uuid::from_u128(7));
        let grant = Subject::Grant(id);
        let token = write(&keys, grant, NOW + 300);
        let octets = URL_SAFE_NO_PAD.decode(token.as_str()).unwrap();
        // Each bit counts.
        for bit in 0..octets.len() * 8 {
            let mut forged = octets.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&keys, &URL_SAFE_NO_PAD.encode(&forged), NOW), None, "bit {bit}");
        }
        for forged in [
            String::new(),
            format!("{}=", token.as_str()),
            format!(" {}", token.as_str()),
            token[..token.len() - 1].to_owned(),
            format!("{}A", token.as_str()),
            URL_SAFE_NO_PAD.encode(&octets[..octets.len() - 1]),
            URL_SAFE_NO_PAD.encode([&octets[..], &[0]].concat()),
            "a".repeat(100_000),
        ] {
            assert_eq!(read(&keys, &forged, NOW), None, "{} bytes", forged.len());
        }
        // A hash for another purpose is none for this one.
        let ends_at = (NOW + 300).to_be_bytes();
        let random = [0; RANDOM];
        let other = keys.hashes("known source", &[id.as_bytes(), &ends_at, &random]);
        let forged = [&id.as_bytes()[..], &ends_at, &random, &other[0]].concat();
        assert_eq!(read(&keys, &URL_SAFE_NO_PAD.encode(forged), NOW), None);
    }

    #[test]
    fn a_token_of_an_application_is_none_of_a_grant_with_the_same_id() {
        let (keys, id) = (keys(&[1, 2]), Uuid::from_u128(7));
        for subject in [Subject::Grant(id), Subject::App(id)] {
            let token = write(&keys, subject, NOW + 300);
            assert_eq!(read(&keys, &token, NOW), Some((subject, NOW + 300)));
        }
    }
}
