//! Which object an account's name is: IDL_DRSCrackNames with DRS_MSG_CRACKREQ_V1 (MS-DRSR 4.1.4).
//! Asked for the delegated account alone, of which nothing but the name is known.
//! Before it: `bind`. After it: `request`, for the object that was named.

use crate::drs::bind::Handle;
use crate::error::Error;
use crate::rpc::ndr::{Malformed, Reader, Writer};
use uuid::Uuid;

/// The operation's number.
pub const CRACK_NAMES: u16 = 12;

/// DS_USER_PRINCIPAL_NAME (MS-DRSR 4.1.4.1.3): `sAMAccountName@domain` is one of every account.
const PRINCIPAL_NAME: u32 = 8;
/// DS_UNIQUE_ID_NAME: the objectGUID in braces.
const UNIQUE_ID: u32 = 6;
/// DS_NAME_NO_ERROR (MS-DRSR 4.1.4.1.2)
const NO_ERROR: u32 = 0;
/// DS_NAME_ERROR_NOT_FOUND and _NOT_UNIQUE
const NOT_FOUND: u32 = 2;
const NOT_UNIQUE: u32 = 3;
/// The most UTF-16 units of a name in the answer.
const MAX_TEXT: usize = 1024;

/// The stub that asks for the objectGUID of `account@domain`.
pub fn encode(handle: Handle, principal: &str) -> Vec<u8> {
    let text: Vec<u16> = principal.encode_utf16().chain([0]).collect();
    let mut stub = Writer::new();
    stub.raw(&handle.0);
    stub.u32(1); // version
    stub.u32(1); // union switch
    stub.u32(0); // code page
    stub.u32(0); // locale
    stub.u32(0); // flags
    stub.u32(PRINCIPAL_NAME);
    stub.u32(UNIQUE_ID);
    stub.u32(1); // names
    stub.pointer(true);
    stub.u32(1);
    stub.pointer(true);
    stub.count(text.len());
    stub.u32(0);
    stub.count(text.len());
    text.iter().for_each(|unit| stub.u16(*unit));
    stub.into_bytes()
}

/// Reads the answer (DRS_MSG_CRACKREPLY_V1).
pub fn decode(stub: &[u8], principal: &str) -> Result<Uuid, Error> {
    let mut reader = Reader::new(stub);
    let (version, switch, present) = (reader.u32()?, reader.u32()?, reader.pointer()?);
    if version != 1 || switch != 1 {
        return Err(Error::Unsupported("names of another version"));
    }
    let unknown = || Error::UnknownObject { object: principal.to_owned() };
    let mut found = None;
    if present {
        let announced = reader.u32()?;
        if reader.pointer()? {
            let count = reader.same_count(announced, 4 /* status */ + 4 /* domain */ + 4 /* name */)?;
            if count != 1 {
                return Err(Error::Protocol("more names than were asked for".to_owned()));
            }
            let (status, domain, name) = (reader.u32()?, reader.pointer()?, reader.pointer()?);
            if domain {
                text(&mut reader)?;
            }
            let name = if name { text(&mut reader)? } else { String::new() };
            found = Some((status, name));
        }
    }
    let code = reader.u32()?;
    reader.end()?;
    if code != 0 {
        return Err(Error::Refused { operation: "the question for a name", code });
    }
    match found {
        Some((NO_ERROR, name)) => {
            let inner = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let guid = inner.and_then(|inner| Uuid::try_parse(inner).ok()).filter(|guid| !guid.is_nil());
            guid.ok_or_else(|| Error::Protocol("an objectGUID that is none".to_owned()))
        }
        Some((NOT_FOUND | NOT_UNIQUE, _)) | None => Err(unknown()),
        Some((code, _)) => Err(Error::Refused { operation: "the question for a name", code }),
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let room = reader.count(2)?;
    let wrong = reader.malformed("a name of a wrong length");
    let offset = reader.u32()?;
    let count = reader.count(2)?;
    if offset != 0 || count > room || count > MAX_TEXT {
        return Err(wrong);
    }
    let bytes = reader.raw(2 * count)?;
    reader.align(4);
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let text: Result<String, _> = char::decode_utf16(units.take_while(|unit| *unit != 0)).collect();
    text.map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GUID: Uuid = Uuid::from_u128(0x5540_e0ef_d1cb_4957_8d9b_21d0_831d_0ba1);

    fn answer(status: u32, domain: Option<&str>, name: Option<&str>) -> Vec<u8> {
        let mut stub = Writer::new();
        stub.u32(1);
        stub.u32(1);
        stub.pointer(true);
        stub.u32(1);
        stub.pointer(true);
        stub.u32(1);
        stub.u32(status);
        stub.pointer(domain.is_some());
        stub.pointer(name.is_some());
        for text in [domain, name].into_iter().flatten() {
            let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
            stub.count(units.len());
            stub.u32(0);
            stub.count(units.len());
            units.iter().for_each(|unit| stub.u16(*unit));
            stub.align(4);
        }
        stub.u32(0);
        stub.into_bytes()
    }

    #[test]
    fn a_name_becomes_a_guid_or_is_said_to_be_nobodys() {
        let braces = format!("{{{GUID}}}");
        let good = answer(NO_ERROR, Some("corp.example.com"), Some(&braces));
        assert_eq!(decode(&good, "a@b"), Ok(GUID));
        for status in [NOT_FOUND, NOT_UNIQUE] {
            let unknown = Err(Error::UnknownObject { object: "a@b".to_owned() });
            assert_eq!(decode(&answer(status, Some("corp"), None), "a@b"), unknown);
        }
        assert!(decode(&answer(NO_ERROR, None, Some("Administrator")), "a@b").is_err());
        assert!(decode(&answer(1, None, None), "a@b").is_err());
    }

    #[test]
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let braces = format!("{{{GUID}}}");
        let good = answer(NO_ERROR, Some("corp.example.com"), Some(&braces));
        for end in 0..good.len() {
            assert!(decode(good.get(..end).unwrap(), "a@b").is_err(), "{end}");
        }
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut changed = good.clone();
                *changed.get_mut(at).unwrap() = value;
                let _ = decode(&changed, "a@b");
            }
        }
    }
}
