//! Stamps and GUIDs in the form in which the database stores them. A stamp has 28 big-endian bytes, so that the
//! database, which compares bytes, orders stamps as replication does.
//! Neighbours: every table with a stamp or a GUID uses this.

use super::StoreError;
use crate::engine::Row;
use landbridge_wire::upload::Stamp;
use uuid::Uuid;

/// Bytes of a stamp's version.
const VERSION: usize = 4;
/// Bytes of a stamp's time.
const TIME: usize = 8;
/// Bytes of a stamp's invocation id.
const INVOCATION: usize = 16;
/// The size of a stamp in bytes.
pub const SIZE: usize = VERSION + TIME + INVOCATION;

/// A stamp in the form that is stored.
pub fn to_bytes(stamp: &Stamp) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let (version, rest) = bytes.split_at_mut(VERSION);
    let (time, invocation) = rest.split_at_mut(TIME);
    version.copy_from_slice(&stamp.version.to_be_bytes());
    time.copy_from_slice(&stamp.time.to_be_bytes());
    invocation.copy_from_slice(stamp.invocation_id.as_bytes());
    bytes
}

/// Reads a stored stamp.
pub fn from_bytes(bytes: &[u8]) -> Result<Stamp, StoreError> {
    let foreign = || StoreError::Foreign { what: "stamp" };
    let (version, rest) = bytes.split_first_chunk::<VERSION>().ok_or_else(foreign)?;
    let (time, rest) = rest.split_first_chunk::<TIME>().ok_or_else(foreign)?;
    let invocation = <[u8; INVOCATION]>::try_from(rest).map_err(|_| foreign())?;
    Ok(Stamp {
        version: u32::from_be_bytes(*version),
        time: u64::from_be_bytes(*time),
        invocation_id: Uuid::from_bytes(invocation),
    })
}

/// Reads a GUID column.
pub(crate) fn guid(row: &Row<'_>, column: usize) -> Result<Uuid, StoreError> {
    row.get(column).map(Uuid::from_bytes)
}

/// Reads a GUID column that may be NULL.
pub(crate) fn guid_or_none(row: &Row<'_>, column: usize) -> Result<Option<Uuid>, StoreError> {
    Ok(row.get::<Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stored_stamps_sort_as_stamps_do() {
        let stamp = |version, time, last| Stamp { version, time, invocation_id: Uuid::from_u128(last) };
        let mut stamps = Vec::new();
        for version in [0, 1, 255, 256, u32::MAX] {
            for time in [0, 1, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
                for last in [0, 1, u128::MAX >> 1, u128::MAX] {
                    stamps.push(stamp(version, time, last));
                }
            }
        }
        for a in &stamps {
            assert_eq!(from_bytes(&to_bytes(a)).unwrap(), *a);
            for b in &stamps {
                assert_eq!(a.cmp(b), to_bytes(a).cmp(&to_bytes(b)), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_stamp_of_another_size_is_foreign() {
        for size in [0, 27, 29] {
            assert!(from_bytes(&vec![0; size]).is_err());
        }
    }
}
