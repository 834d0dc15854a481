//! Which object a name is: IDL_DRSCrackNames with DRS_MSG_CRACKREQ_V1 (MS-DRSR 4.1.4).
//! Every single object is read by its objectGUID, which is found here by an account's name, a SID or a distinguished
//! name. And a DC may answer "no such name" for an object that the account may not read: this call says whether the
//! object exists.
//! Before it: `bind`. After it: `request`, for the object that was named.

use crate::drs::bind::Handle;
use crate::error::Error;
use crate::rpc::ndr::{Malformed, Reader, Writer};
use uuid::Uuid;

/// The operation's number.
pub const CRACK_NAMES: u16 = 12;
/// The operation, for the texts of errors.
pub(crate) const OPERATION: &str = "the question for a name";

/// The form of a name that is looked up (DS_NAME_FORMAT, MS-DRSR 4.1.4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// DS_FQDN_1779_NAME: a distinguished name.
    Distinguished,
    /// DS_UNIQUE_ID_NAME: the objectGUID in braces.
    Guid,
    /// DS_USER_PRINCIPAL_NAME: `sAMAccountName@domain` is one of every account.
    Principal,
    /// DS_SID_OR_SID_HISTORY_NAME
    Sid,
}

impl Form {
    fn number(self) -> u32 {
        match self {
            Self::Distinguished => 1,
            Self::Guid => 6,
            Self::Principal => 8,
            Self::Sid => 11,
        }
    }
}

/// The objects that have a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One.
    One {
        /// Its objectGUID.
        guid: Uuid,
        /// DNS name of its domain, if the DC sent it.
        domain: Option<String>,
    },
    /// More than one.
    Several,
    /// None, as far as this DC knows.
    None,
}

/// DS_NAME_NO_ERROR (MS-DRSR 4.1.4.1.2)
const NO_ERROR: u32 = 0;
/// DS_NAME_ERROR_NOT_FOUND
const NOT_FOUND: u32 = 2;
/// DS_NAME_ERROR_NOT_UNIQUE
const NOT_UNIQUE: u32 = 3;
/// DS_NAME_ERROR_DOMAIN_ONLY: the name belongs to another domain.
const DOMAIN_ONLY: u32 = 5;
/// The most UTF-16 units of a name in the answer.
const MAX_TEXT: usize = 1024;

/// The stub that asks for the objectGUID of the object with this name.
pub fn encode(handle: Handle, form: Form, name: &str) -> Vec<u8> {
    let text: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let mut stub = Writer::new();
    stub.raw(&handle.0);
    stub.u32(1); // version
    stub.u32(1); // union switch
    stub.u32(0); // code page
    stub.u32(0); // locale
    stub.u32(0); // flags
    stub.u32(form.number());
    stub.u32(Form::Guid.number());
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
pub fn decode(stub: &[u8]) -> Result<Found, Error> {
    let mut reader = Reader::new(stub);
    let (version, switch, present) = (reader.u32()?, reader.u32()?, reader.pointer()?);
    if version != 1 || switch != 1 {
        return Err(Error::Unsupported("names of another version"));
    }
    let mut found = None;
    if present {
        let announced = reader.u32()?;
        if reader.pointer()? {
            let count = reader.same_count(announced, 4 /* status */ + 4 /* domain */ + 4 /* name */)?;
            if count != 1 {
                return Err(Error::Protocol("more names than were asked for".to_owned()));
            }
            let (status, domain, name) = (reader.u32()?, reader.pointer()?, reader.pointer()?);
            let domain = if domain { Some(text(&mut reader)?) } else { None };
            let name = if name { text(&mut reader)? } else { String::new() };
            found = Some((status, domain, name));
        }
    }
    let code = reader.u32()?;
    reader.end()?;
    if code != 0 {
        return Err(Error::Refused { operation: OPERATION, code });
    }
    match found {
        Some((NO_ERROR, domain, name)) => {
            let inner = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let guid = inner.and_then(|inner| Uuid::try_parse(inner).ok()).filter(|guid| !guid.is_nil());
            let guid = guid.ok_or_else(|| Error::Protocol("an objectGUID that is none".to_owned()))?;
            Ok(Found::One { guid, domain })
        }
        Some((NOT_UNIQUE, ..)) => Ok(Found::Several),
        Some((NOT_FOUND | DOMAIN_ONLY, ..)) => Ok(Found::None),
        // Another status does not say that there is no such object.
        Some((code, ..)) => Err(Error::Refused { operation: OPERATION, code }),
        None => Err(Error::Protocol("an answer without the name that was asked for".to_owned())),
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
    use crate::drs::made::name_reply as answer;

    const GUID: Uuid = Uuid::from_u128(0x5540_e0ef_d1cb_4957_8d9b_21d0_831d_0ba1);

    #[test]
    fn a_name_becomes_a_guid_with_its_domain() {
        let braces = format!("{{{GUID}}}");
        for domain in [Some("corp.example.com"), None] {
            let good = answer(NO_ERROR, domain, Some(&braces));
            let found = Found::One { guid: GUID, domain: domain.map(str::to_owned) };
            assert_eq!(decode(&good), Ok(found));
        }
    }

    #[test]
    fn only_an_answer_that_says_so_means_that_there_is_no_such_object() {
        assert_eq!(decode(&answer(NOT_FOUND, Some("corp"), None)), Ok(Found::None));
        assert_eq!(decode(&answer(DOMAIN_ONLY, Some("other.example.com"), None)), Ok(Found::None));
        assert_eq!(decode(&answer(NOT_UNIQUE, Some("corp"), None)), Ok(Found::Several));
        // DS_NAME_ERROR_RESOLVING, _NO_MAPPING, _NO_SYNTACTICAL_MAPPING, _TRUST_REFERRAL, and what nobody knows.
        for status in [1, 4, 6, 7, 99] {
            assert!(matches!(decode(&answer(status, None, None)), Err(Error::Refused { .. })), "{status}");
        }
        assert!(decode(&answer(NO_ERROR, None, Some("Administrator"))).is_err());
        assert!(decode(&answer(NO_ERROR, None, None)).is_err());
        let empty = [1u32, 1, 1, 0, 0, 0].map(u32::to_le_bytes).concat();
        assert!(matches!(decode(&empty), Err(Error::Protocol(_))), "{:?}", decode(&empty));
    }

    #[test]
    fn each_form_of_a_name_has_its_number_and_asks_for_a_guid() {
        for (form, number) in
            [(Form::Distinguished, 1), (Form::Guid, 6), (Form::Principal, 8), (Form::Sid, 11)]
        {
            let stub = encode(Handle([0; 20]), form, "a name");
            // Handle, version, union, code page, locale and flags stand before.
            let forms: Vec<u32> = stub
                .as_chunks::<4>()
                .0
                .iter()
                .skip(10)
                .take(2)
                .map(|four| u32::from_le_bytes(*four))
                .collect();
            assert_eq!(forms, [number, 6]);
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let braces = format!("{{{GUID}}}");
        let good = answer(NO_ERROR, Some("corp.example.com"), Some(&braces));
        for end in 0..good.len() {
            assert!(decode(good.get(..end).unwrap()).is_err(), "{end}");
        }
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut changed = good.clone();
                *changed.get_mut(at).unwrap() = value;
                let _ = decode(&changed);
            }
        }
    }
}
