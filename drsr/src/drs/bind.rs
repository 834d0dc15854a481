//! IDL_DRSBind and IDL_DRSUnbind (MS-DRSR 4.1.3, 4.1.25): a handle, and what either side can do.
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
const CLIENT: Uuid = Uuid::from_u128(0xe24d201a_4fd6_11d1_a3da_0000f875ae0d);

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

/// What the DC said to the bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// For every later call.
    pub handle: Handle,
    /// `dwFlags` of its DRS_EXTENSIONS_INT (MS-DRSR 5.39).
    pub flags: u32,
    /// `dwFlagsExt`; 0 where a DC is too old to have any.
    pub more_flags: u32,
}

impl Bound {
    /// Whether memberships may end by themselves in this forest. The DC says when only if the client offers to read it.
    pub fn has_ending_links(&self) -> bool {
        self.more_flags & ENDING_LINKS != 0
    }
}

/// The stub of IDL_DRSBind. `ending_links`: offers to read replies of version 9, which no DC needs to know before it
/// has said that its forest has such links.
pub fn encode(ending_links: bool) -> Vec<u8> {
    let mut extensions = Writer::new();
    extensions.u32(BASE | LINKED_VALUES | STRONG_ENCRYPTION | REQUEST_V8 | REPLY_V6);
    extensions.raw(&[0; 16]); // site
    extensions.u32(0); // process
    extensions.u32(0); // replication epoch
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
    let (mut flags, mut more_flags) = (0, 0);
    if reader.pointer()? {
        let length = reader.count(1)?;
        let announced = reader.u32()?;
        if length > MAX_EXTENSIONS || u32::try_from(length) != Ok(announced) {
            return Err(reader.malformed("extensions of a wrong length").into());
        }
        let mut extensions = Reader::new(reader.raw(length)?);
        flags = extensions.u32()?;
        // The site, the process and the epoch stand before; Windows 2003 ends there.
        if extensions.raw(16 + 4 + 4).is_ok() {
            more_flags = extensions.u32().unwrap_or(0);
        }
        reader.align(4);
    }
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
        None => Ok(Bound { handle, flags, more_flags }),
    }
}

/// The stub of IDL_DRSUnbind. Its answer is of no interest: the session is over either way.
pub fn encode_unbind(handle: Handle) -> Vec<u8> {
    handle.0.to_vec()
}
