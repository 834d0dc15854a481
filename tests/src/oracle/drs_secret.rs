//! Sealed password attributes: hostile ones are refused, and what another implementation of both layers
//! sealed opens to the right hash. That implementation is here, written from MS-DRSR and MS-SAMR anew.

use des::cipher::{Array, BlockCipherEncrypt, KeyInit, StreamCipher};
use landbridge_crypto::drs_secret::{DrsSecretError, SEALED, SessionKeys, open_nt_hash};
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use md4::{Digest, Md4};
use md5::Md5;

/// Of the inputs whose top bit is set, one in this many goes on to the costly part: two derivations of 1,000 iterations,
/// the only way to see which hash an [`NtHash`](landbridge_crypto::nt_hash::NtHash) holds. They take some hundred times
/// as long as all the rest, and left a fuzzer little time for that.
const COSTLY_ONE_IN: u32 = 16;

/// Layout: how many keys (low three bits) and whether the costly part is wanted (top bit), the RID, keys of 16 bytes, and
/// the sealed value, which serves as the password too.
pub fn drs_secret(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Some((rid, mut rest)) = rest.split_first_chunk() else { return };
    let rid = u32::from_le_bytes(*rid);
    let (mut keys, mut newest) = (SessionKeys::new(), None);
    for _ in 0..first & 7 {
        let Some((key, after)) = rest.split_first_chunk::<16>() else { break };
        keys.push_newest(key.to_vec());
        newest = Some(*key);
        rest = after;
    }
    let refused = open_nt_hash(&keys, rid, rest).err();
    if rest.len() != SEALED {
        assert_eq!(refused, Some(DrsSecretError::Length(rest.len())));
    } else if keys.count() == 0 {
        assert_eq!(refused, Some(DrsSecretError::NoSessionKey));
    } else {
        assert!(matches!(refused, None | Some(DrsSecretError::NoKeyFits(_))), "{refused:?}");
    }
    if let Some(key) = newest {
        round_trip(&keys, &key, rid, rest, is_costly(*first, data));
    }
}

/// By the whole input, and not by a byte of it: a fuzzer would keep that byte.
fn is_costly(first: u8, data: &[u8]) -> bool {
    first & 0x80 != 0 && crc32fast::hash(data).is_multiple_of(COSTLY_ONE_IN)
}

/// What is sealed under the newest key opens, and not once a bit of it is flipped.
fn round_trip(keys: &SessionKeys, key: &[u8], rid: u32, data: &[u8], costly: bool) {
    let password = String::from_utf8_lossy(data);
    let units: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut salt = [0; 16];
    for (to, from) in salt.iter_mut().zip(data) {
        *to = *from;
    }
    let sealed = seal(key, salt, rid, Md4::digest(units).into());
    let opened = open_nt_hash(keys, rid, &sealed).expect("what was sealed opens");
    if costly {
        let digest = SaltedDigest::derive(opened, Profile::Entra);
        assert!(digest.verify(&Password::new(password.into_owned())), "opened to another hash");
    }
    // The CRC32 in the ciphertext sees every single flipped bit of it.
    let bit = usize::from(*data.first().unwrap_or(&0)) % ((SEALED - 16) * 8);
    let mut bent = sealed;
    if let Some(byte) = bent.get_mut(16 + bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    assert!(open_nt_hash(keys, rid, &bent).is_err(), "a flipped bit went unnoticed");
}

/// Both layers, from the inside out.
pub(crate) fn seal(key: &[u8], salt: [u8; 16], rid: u32, hash: [u8; 16]) -> Vec<u8> {
    // MS-SAMR 2.2.11.1.3: the RID's four bytes over and over, cut into two keys of seven.
    let mut cycle = rid.to_le_bytes().into_iter().cycle();
    let mut wrapped = Vec::with_capacity(16);
    for half in hash.as_chunks::<8>().0 {
        let seven: [u8; 7] = std::array::from_fn(|_| cycle.next().unwrap_or_default());
        let mut block = Array(*half);
        des::Des::new(&Array(spread(seven))).encrypt_block(&mut block);
        wrapped.extend_from_slice(&block);
    }
    // MS-DRSR 4.1.10.6.15.
    let mut body = crc32fast::hash(&wrapped).to_le_bytes().to_vec();
    body.extend_from_slice(&wrapped);
    let key = Md5::new().chain_update(key).chain_update(salt).finalize();
    rc4::Rc4::new_from_slice(&key).expect("16 bytes are a key").apply_keystream(&mut body);
    [&salt[..], &body].concat()
}

/// MS-SAMR 2.2.11.1.2, step by step as it stands there. The parity bit is left out: DES ignores it.
fn spread(k: [u8; 7]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = k;
    [
        a >> 1,
        (a & 0x01) << 6 | b >> 2,
        (b & 0x03) << 5 | c >> 3,
        (c & 0x07) << 4 | d >> 4,
        (d & 0x0f) << 3 | e >> 5,
        (e & 0x1f) << 2 | f >> 6,
        (f & 0x3f) << 1 | g >> 7,
        g & 0x7f,
    ]
    .map(|byte| byte << 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_seeds_that_want_the_costly_part_get_it() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/drs_secret");
        let seeds =
            std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        let wanted: Vec<_> =
            seeds.filter(|seed| seed.first().is_some_and(|first| first & 0x80 != 0)).collect();
        assert_eq!(wanted.len(), 6);
        assert!(wanted.iter().all(|seed| is_costly(seed[0], seed)));
    }
}
