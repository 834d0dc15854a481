//! IDL_DRSBind and IDL_DRSUnbind (MS-DRSR 4.1.3, 4.1.25): a handle, and what either side can do.
//! A DC accepts a bind with another replication epoch than its own, names its own in the answer, and then refuses every
//! call (ERROR_DS_DIFFERENT_REPL_EPOCHS). After a rename of the domain the epoch is not 0.
//! Before it: an authenticated association. After it: `request`.

use crate::error::Error;
use crate::rpc::ndr::{Reader, Writer};
use crate::rpc::pdu::Syntax;
use uuid::Uuid;

/// The interface DRSUAPI.
pub const INTERFACE: Syntax =
    Syntax { uuid: Uuid::from_u128(0xe3514235_4b06_11d1_ab04_00c04fc2dcd2), version: 4 };
/// Its first operation.
pub const BIND: u16 = 0;
/// Its second operation.
pub const UNBIND: u16 = 1;

/// NTDSAPI_CLIENT_GUID: a client that is no DC.
pub(crate) const CLIENT: Uuid = Uuid::from_u128(0xe24d201a_4fd6_11d1_a3da_0000f875ae0d);

/// DRS_EXT_BASE
const BASE: u32 = 0x0000_0001;
/// DRS_EXT_LINKED_VALUE_REPLICATION
const LINKED_VALUES: u32 = 0x0000_0400;
/// DRS_EXT_STRONG_ENCRYPTION: without it secrets are not sent at all.
const STRONG_ENCRYPTION: u32 = 0x0000_8000;
/// DRS_EXT_GETCHGREQ_V8
const REQUEST_V8: u32 = 0x0100_0000;
/// DRS_EXT_GETCHGREPLY_V6
const REPLY_V6: u32 = 0x0400_0000;

/// Of `dwFlagsExt`: DRS_EXT_GETCHGREPLY_V9, whose links may have an end.
const REPLY_V9: u32 = 0x0000_0100;
/// Of `dwFlagsExt`: DRS_EXT_PAM: the forest has the optional feature by which memberships end by themselves.
const ENDING_LINKS: u32 = 0x0000_0200;

/// The most bytes of DRS_EXTENSIONS_INT: MS-DRSR allows no more.
const MAX_EXTENSIONS: usize = 10_000;

/// A context handle. Means something only on its association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(pub [u8; 20]);

/// The DC's answer to the bind. Each field of its DRS_EXTENSIONS_INT (MS-DRSR 5.39) is there only if the structure's
/// length reaches it: Windows 2003 sends 28 bytes, 2008 48, newer ones 52. A field beyond the end is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// For every later call.
    pub handle: Handle,
    /// `dwFlags`
    pub flags: u32,
    /// `SiteObjGuid`: the objectGUID of the DC's site. Nil if it is not known.
    pub site: Uuid,
    /// `dwReplEpoch`: the epoch that a bind must repeat.
    pub epoch: u32,
    /// `dwFlagsExt`
    pub more_flags: u32,
    /// `cb`: the bytes of the structure, 0 to 10,000.
    pub length: usize,
}

impl Bound {
    /// Whether memberships may end by themselves in this forest. The DC says when only if the client offers to read it.
    pub fn has_ending_links(&self) -> bool {
        self.more_flags & ENDING_LINKS != 0
    }
}

/// The stub of IDL_DRSBind, with this replication epoch. `ending_links`: offers to read replies of version 9, which no DC
/// needs to know before it has said that its forest has such links.
pub fn encode(epoch: u32, ending_links: bool) -> Vec<u8> {
    let mut extensions = Writer::new();
    extensions.u32(BASE | LINKED_VALUES | STRONG_ENCRYPTION | REQUEST_V8 | REPLY_V6);
    extensions.raw(&[0; 16]); // site
    extensions.u32(0); // process
    extensions.u32(epoch);
    extensions.u32(if ending_links { REPLY_V9 | ENDING_LINKS } else { 0 }); // more flags
    extensions.raw(&[0; 16]); // configuration
    extensions.u32(u32::MAX); // capabilities that are understood
    let extensions = extensions.into_bytes();

    let mut stub = Writer::new();
    stub.pointer(true);
    stub.uuid(CLIENT);
    stub.pointer(true);
    stub.count(extensions.len());
    stub.count(extensions.len());
    stub.raw(&extensions);
    stub.into_bytes()
}

/// Reads the answer. A DC that lacks what is needed is unfit.
pub fn decode(stub: &[u8]) -> Result<Bound, Error> {
    let mut reader = Reader::new(stub);
    let mut extensions: &[u8] = &[];
    if reader.pointer()? {
        let length = reader.count(1)?;
        let announced = reader.u32()?;
        if length > MAX_EXTENSIONS || u32::try_from(length) != Ok(announced) {
            return Err(reader.malformed("extensions of a wrong length").into());
        }
        extensions = reader.raw(length)?;
        reader.align(4);
    }
    // Offsets: dwFlags 0, SiteObjGuid 4, Pid 20, dwReplEpoch 24, dwFlagsExt 28, ConfigObjGUID 32, dwExtCaps 48.
    let field = |at: usize| extensions.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let number = |at| field(at).map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (flags, epoch, more_flags) = (number(0), number(24), number(28));
    let site = extensions.get(4..).and_then(|rest| rest.first_chunk::<16>());
    let site = site.map_or(Uuid::nil(), |bytes| Uuid::from_bytes_le(*bytes));
    let early = reader.malformed("an early end");
    let handle = Handle(*reader.raw(20)?.first_chunk::<20>().ok_or(early)?);
    let code = reader.u32()?;
    reader.end()?;
    if code != 0 {
        return Err(Error::Refused { operation: "the replication bind", code });
    }
    let lacking = [
        (REQUEST_V8, "requests of version 8"),
        (REPLY_V6, "replies of version 6"),
        (STRONG_ENCRYPTION, "strong encryption of secrets"),
        (LINKED_VALUES, "replication of single links"),
    ];
    match lacking.into_iter().find(|(flag, _)| flags & flag == 0) {
        Some((_, what)) => Err(Error::Unfit { why: format!("it does not offer {what}") }),
        None => Ok(Bound { handle, flags, site, epoch, more_flags, length: extensions.len() }),
    }
}

/// The stub of IDL_DRSUnbind. Its answer is of no interest: the session is over either way.
pub fn encode_unbind(handle: Handle) -> Vec<u8> {
    handle.0.to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NEEDED: u32 = BASE | LINKED_VALUES | STRONG_ENCRYPTION | REQUEST_V8 | REPLY_V6;
    const SITE: Uuid = Uuid::from_u128(0x51fe);

    /// An answer with the first bytes of a DRS_EXTENSIONS_INT: epoch 3, more flags 0x100.
    fn answer(length: usize) -> Vec<u8> {
        let mut extensions = Writer::new();
        extensions.u32(NEEDED);
        extensions.uuid(SITE);
        for field in [4711, 3, 0x100] {
            extensions.u32(field);
        }
        extensions.raw(&[9; 20]);
        let mut extensions = extensions.into_bytes();
        extensions.resize(length, 0xee);
        let mut stub = Writer::new();
        stub.pointer(true);
        stub.count(length);
        stub.count(length);
        stub.raw(&extensions);
        stub.align(4);
        stub.raw(&[5; 20]);
        stub.u32(0);
        stub.into_bytes()
    }

    #[test]
    fn a_field_is_read_only_where_the_structure_reaches_it() {
        let read = |length| {
            let Bound { site, epoch, more_flags, handle, length: told, .. } =
                decode(&answer(length)).unwrap();
            assert_eq!((handle, told), (Handle([5; 20]), length));
            (site, epoch, more_flags)
        };
        // Windows 2003, 2008, 2012 and later, and what is longer than all that is known.
        assert_eq!(read(28), (SITE, 3, 0));
        for length in [48, 52, 56, 200] {
            assert_eq!(read(length), (SITE, 3, 0x100), "{length}");
        }
        // A field that is cut in the middle is none.
        for (length, expected) in
            [(4, (Uuid::nil(), 0, 0)), (19, (Uuid::nil(), 0, 0)), (20, (SITE, 0, 0)), (27, (SITE, 0, 0))]
        {
            assert_eq!(read(length), expected, "{length}");
        }
    }

    #[test]
    fn an_answer_without_what_is_needed_is_unfit_however_short_it_is() {
        let empty = [&[0; 4][..], &[5; 20], &[0; 4]].concat();
        for stub in [empty, answer(0), answer(3)] {
            assert!(matches!(decode(&stub), Err(Error::Unfit { .. })));
        }
    }

    #[test]
    fn the_epoch_goes_out_where_it_comes_in() {
        // Pointer, client, pointer and two lengths stand before the extensions.
        let stub = encode(7, false);
        let epoch = stub.get(4 + 16 + 4 + 8 + 24..).and_then(|rest| rest.first_chunk::<4>()).unwrap();
        assert_eq!(u32::from_le_bytes(*epoch), 7);
    }
}
