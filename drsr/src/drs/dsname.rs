//! DSNAME (MS-DRSR 5.50): how objects are named, inside a stub and inside a value.
//! The GUID names the object, the SID is for those that have one, the text is for people.
//! Used by `request`, `reply` and `page`.

use crate::drs::sid::Sid;
use crate::rpc::ndr::{Malformed, Reader, Writer};
use uuid::Uuid;

/// The bytes before the text.
const HEAD: usize = 4 /* structLen */ + 4 /* SidLen */ + 16 /* Guid */ + SID + 4 /* NameLen */;
/// NT4SID: always this long, whatever SidLen says.
const SID: usize = 28;
/// The most UTF-16 units of a name that is read: AD's own bound is far below.
const MAX_TEXT: usize = 16 * 1024;

/// The name of an object (DSNAME, MS-DRSR 5.50). The GUID is what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dsname {
    /// objectGUID.
    pub guid: Uuid,
    /// objectSid, for what has one.
    pub sid: Option<Sid>,
    /// Distinguished name, as the DC wrote it.
    pub dn: String,
}

/// A name as it came. Its text may have half characters, its SID may be no SID.
#[derive(Debug, Clone, Copy)]
pub struct RawName<'a> {
    /// objectGUID; may be nil.
    pub guid: Uuid,
    /// Empty, or the SID.
    pub sid: &'a [u8],
    /// UTF-16LE without its final zero.
    pub text: &'a [u8],
}

impl<'a> RawName<'a> {
    /// Reads a DSNAME inside a stub, with the array's size in front (NDR's conformant structure).
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let size = reader.count(2)?;
        reader.u32()?; // structLen
        let name = Self::fixed(reader, Some(size))?;
        let rest = reader.raw((size - name.text.len() / 2) * 2)?;
        debug_assert!(!rest.is_empty());
        Ok(name)
    }

    /// Reads a DSNAME that is a value: the structure itself, without NDR.
    pub fn from_value(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let length = reader.u32()?;
        if usize::try_from(length).map_or(true, |length| length > value.len().next_multiple_of(4)) {
            return Err(reader.malformed("a name of a wrong length"));
        }
        Self::fixed(&mut reader, None)
    }

    fn fixed(reader: &mut Reader<'a>, size: Option<usize>) -> Result<Self, Malformed> {
        let sid_length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        let guid = reader.uuid()?;
        let sid = reader.raw(SID)?.get(..sid_length).ok_or(reader.malformed("a SID that is too long"))?;
        let units = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        // The zero at the end is not counted by NameLen.
        if units > MAX_TEXT || size.is_some_and(|size| units >= size) {
            return Err(reader.malformed("a name that is too long"));
        }
        Ok(Self { guid, sid, text: reader.raw(2 * units)? })
    }

    /// Checked: an object has a GUID, a SID is one or is not there. What is no character in the text is U+FFFD: the
    /// text is for people.
    pub fn checked(&self) -> Result<Dsname, &'static str> {
        if self.guid.is_nil() {
            return Err("its name has no GUID");
        }
        let sid = match self.sid {
            [] => None,
            bytes => Some(Sid::from_bytes(bytes).ok_or("its SID is not one")?),
        };
        Ok(Dsname { guid: self.guid, sid, dn: self.dn() })
    }

    /// The text, with U+FFFD for what is no character.
    pub fn dn(&self) -> String {
        let units = self.text.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }
}

/// Writes a DSNAME into a stub. At least one of the three should say something.
pub fn write(writer: &mut Writer, guid: Uuid, sid: Option<&Sid>, dn: &str) {
    let text: Vec<u16> = dn.encode_utf16().collect();
    let sid = sid.map(Sid::to_bytes).unwrap_or_default();
    let mut padded = sid.clone();
    padded.resize(SID, 0);
    writer.count(text.len() + 1);
    writer.count(HEAD + 2 * (text.len() + 1));
    writer.count(sid.len());
    writer.uuid(guid);
    writer.raw(&padded);
    writer.count(text.len());
    text.iter().chain(&[0]).for_each(|unit| writer.u16(*unit));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written_in_a_stub_and_as_a_value() {
        let sid: Sid = "S-1-5-21-1-2-3-1105".parse().unwrap();
        let mut writer = Writer::new();
        write(&mut writer, Uuid::from_u128(9), Some(&sid), "CN=Zoë,DC=corp");
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let name = RawName::read(&mut reader).unwrap().checked().unwrap();
        assert_eq!(
            name,
            Dsname { guid: Uuid::from_u128(9), sid: Some(sid), dn: "CN=Zoë,DC=corp".to_owned() }
        );
        assert!(reader.end().is_ok());
        assert_eq!(RawName::from_value(&bytes[4..]).unwrap().checked().unwrap(), name);
        for end in 4..bytes.len() - 2 {
            assert!(RawName::read(&mut Reader::new(&bytes[..end])).is_err(), "{end}");
            assert!(RawName::from_value(&bytes[4..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_name_with_half_a_character_is_a_name_all_the_same() {
        let mut writer = Writer::new();
        write(&mut writer, Uuid::from_u128(9), None, "CN=a,DC=b");
        let mut bytes = writer.into_bytes();
        let at = 4 + HEAD + 2 * 3;
        assert_eq!(bytes[at], b'a');
        (bytes[at], bytes[at + 1]) = (0x3d, 0xd8);
        let name = RawName::read(&mut Reader::new(&bytes)).unwrap().checked().unwrap();
        assert_eq!(name.dn, "CN=\u{fffd},DC=b");
    }
}
