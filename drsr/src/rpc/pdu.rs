//! The PDUs of connection-oriented DCE/RPC (C706 12.6, MS-RPCE 2.2.2): read with every length checked, and
//! written. Says what a PDU is, not whether it may come now: that is `association`'s business.

use crate::rpc::ndr::{Malformed, Reader, Writer};
use uuid::Uuid;

/// The bytes of the common header.
pub const HEAD: usize = 16;
/// The bytes of a request's or response's header.
pub const CALL_HEAD: usize = HEAD + 4 /* alloc_hint */ + 2 /* context id */ + 2 /* opnum, or cancels */;
/// The bytes of `sec_trailer`.
pub const TRAILER: usize = 8;
/// The largest fragment that is offered and taken.
pub const MAX_FRAGMENT: usize = 5840;
/// The smallest that every implementation must take (C706 12.6.3.1).
pub const MIN_FRAGMENT: usize = 1432;

/// `pfc_flags`: the first fragment of a call.
pub const FIRST: u8 = 0x01;
/// `pfc_flags`: the last fragment of a call.
pub const LAST: u8 = 0x02;
/// `pfc_flags` of bind and bind_ack: headers are signed as well (MS-RPCE 2.2.2.3).
pub const HEADER_SIGN: u8 = 0x04;

/// `RPC_C_AUTHN_LEVEL_PKT_PRIVACY`: the only level in use.
pub const PRIVACY: u8 = 6;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;
const AUTH3: u8 = 16;
/// `PTYPE`: the server asks the client to hang up (C706 12.6.4.11).
pub(crate) const SHUTDOWN: u8 = 17;

/// An interface or a transfer syntax (`p_syntax_id_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syntax {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its major version.
    pub version: u16,
}

/// NDR 2.0, the only transfer syntax in use.
pub const NDR: Syntax = Syntax { uuid: Uuid::from_u128(0x8a885d04_1ceb_11c9_9fe8_08002b104860), version: 2 };

/// The common header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// `PTYPE`
    pub kind: u8,
    /// `pfc_flags`
    pub flags: u8,
    /// Of the whole fragment, this header included: [`HEAD`] to [`MAX_FRAGMENT`].
    pub length: usize,
    /// Of the authentication token, without its trailer.
    pub auth_length: usize,
    /// `call_id`
    pub call_id: u32,
}

impl Head {
    /// Reads the first 16 bytes; what they announce is bounded.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let early = reader.malformed("an early end");
        let [major, minor, kind, flags, drep @ ..] = *reader.raw(8)?.first_chunk::<8>().ok_or(early)?;
        let length = usize::from(reader.u16()?);
        let auth_length = usize::from(reader.u16()?);
        let call_id = reader.u32()?;
        if major != 5 || minor > 1 || drep != [0x10, 0, 0, 0] {
            return Err(Malformed { at: 0, what: "a PDU of another version or byte order" });
        }
        if !(HEAD..=MAX_FRAGMENT).contains(&length) {
            return Err(Malformed { at: 8, what: "a fragment length out of bounds" });
        }
        Ok(Self { kind, flags, length, auth_length, call_id })
    }
}

/// A PDU that a server sends to a client.
#[derive(Debug)]
pub enum Pdu<'a> {
    /// A part of an answer.
    Response(Response<'a>),
    /// The answer is a failure.
    Fault {
        /// `nca_…` or Win32 status.
        status: u32,
    },
    /// Bound.
    BindAck(BindAck<'a>),
    /// Not bound.
    BindNak {
        /// C706 12.6.3.1, MS-RPCE 2.2.2.5.
        reason: u16,
    },
}

/// A fragment of an answer, as it came: sealed if there is `auth`.
#[derive(Debug)]
pub struct Response<'a> {
    /// How much the server believes is still to come. A hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// The first 24 bytes, which are signed.
    pub head: &'a [u8],
    /// Stub and padding.
    pub body: &'a [u8],
    /// What protects it.
    pub auth: Option<Auth<'a>>,
}

/// `auth_verifier_co_t` (MS-RPCE 2.2.2.11).
#[derive(Debug)]
pub struct Auth<'a> {
    /// The security package.
    pub kind: u8,
    /// The level of protection.
    pub level: u8,
    /// Bytes of padding before the trailer.
    pub padding: usize,
    /// Which security context.
    pub context_id: u32,
    /// The trailer's 8 bytes, which are signed.
    pub trailer: &'a [u8],
    /// The package's token.
    pub token: &'a [u8],
}

/// The server took the bind, or says why not.
#[derive(Debug)]
pub struct BindAck<'a> {
    /// The largest fragment that the server takes.
    pub max_receive: usize,
    /// Per presentation context that was offered: result, reason, transfer syntax.
    pub results: Vec<(u16, u16, Uuid, u32)>,
    /// The package's token.
    pub auth: Option<Auth<'a>>,
}

/// The most presentation contexts in an answer; one is offered.
const MAX_RESULTS: usize = 8;

impl<'a> Pdu<'a> {
    /// Reads one whole fragment. A kind that no server sends to a client is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<(Head, Self), Malformed> {
        let head = Head::parse(bytes)?;
        if bytes.len() != head.length {
            return Err(Malformed { at: 8, what: "a fragment of another length than it says" });
        }
        let (body, auth) = split_auth(bytes, head.auth_length)?;
        let mut reader = Reader::new(body);
        reader.raw(HEAD)?;
        let pdu = match head.kind {
            RESPONSE => {
                let alloc_hint = reader.u32()?;
                let context_id = reader.u16()?;
                reader.u16()?;
                let (head, stub) =
                    body.split_at_checked(CALL_HEAD).ok_or(reader.malformed("an early end"))?;
                Self::Response(Response { alloc_hint, context_id, head, body: stub, auth })
            }
            FAULT => {
                reader.raw(4 /* alloc_hint */ + 2 /* context id */ + 2 /* cancels, flags */)?;
                Self::Fault { status: reader.u32()? }
            }
            BIND_ACK => {
                reader.u16()?;
                let max_receive = usize::from(reader.u16()?);
                reader.u32()?;
                let address = usize::from(reader.u16()?);
                reader.raw(address)?;
                reader.align(4);
                let count = reader.raw(4)?.first().map_or(0, |count| usize::from(*count));
                if count > MAX_RESULTS {
                    return Err(reader.malformed("too many presentation contexts"));
                }
                let results = (0..count)
                    .map(|_| Ok((reader.u16()?, reader.u16()?, reader.uuid()?, reader.u32()?)))
                    .collect::<Result<_, Malformed>>()?;
                Self::BindAck(BindAck { max_receive, results, auth })
            }
            BIND_NAK => Self::BindNak { reason: reader.u16()? },
            _ => return Err(Malformed { at: 2, what: "a PDU of an unexpected type" }),
        };
        Ok((head, pdu))
    }
}

fn split_auth(bytes: &[u8], token_length: usize) -> Result<(&[u8], Option<Auth<'_>>), Malformed> {
    if token_length == 0 {
        return Ok((bytes, None));
    }
    let wrong = Malformed { at: 10, what: "an authentication token that does not fit" };
    let start =
        bytes.len().checked_sub(TRAILER + token_length).filter(|start| *start >= HEAD).ok_or(wrong)?;
    let (body, auth) = bytes.split_at_checked(start).ok_or(wrong)?;
    let (trailer, token) = auth.split_first_chunk::<TRAILER>().ok_or(wrong)?;
    let [kind, level, padding, _reserved, context_id @ ..] = *trailer;
    let context_id = u32::from_le_bytes(context_id);
    Ok((body, Some(Auth { kind, level, padding: usize::from(padding), context_id, trailer, token })))
}

/// The token of a security package, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    /// The security package.
    pub kind: u8,
    /// Which security context.
    pub context_id: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Token<'_> {
    /// The trailer that goes before it.
    pub fn trailer(&self, padding: u8) -> [u8; TRAILER] {
        let [a, b, c, d] = self.context_id.to_le_bytes();
        [self.kind, PRIVACY, padding, 0, a, b, c, d]
    }
}

/// Offers one interface in NDR, with or without authentication.
pub fn bind(call_id: u32, interface: Syntax, token: Option<Token<'_>>) -> Vec<u8> {
    let mut body = Writer::new();
    let largest = u16::try_from(MAX_FRAGMENT).unwrap_or(u16::MAX);
    body.u16(largest);
    body.u16(largest);
    body.u32(0); // a new association group
    body.raw(&[1 /* presentation contexts */, 0, 0, 0]);
    body.u16(0); // context id
    body.raw(&[1 /* transfer syntaxes */, 0]);
    for syntax in [interface, NDR] {
        body.uuid(syntax.uuid);
        body.u32(u32::from(syntax.version));
    }
    let flags = FIRST | LAST | if token.is_some() { HEADER_SIGN } else { 0 };
    negotiation(BIND, flags, call_id, body.into_bytes(), token)
}

/// The last leg of an authentication; the server does not answer it.
pub fn auth3(call_id: u32, token: Token<'_>) -> Vec<u8> {
    negotiation(AUTH3, FIRST | LAST, call_id, vec![0; 4], Some(token))
}

fn negotiation(kind: u8, flags: u8, call_id: u32, mut body: Vec<u8>, token: Option<Token<'_>>) -> Vec<u8> {
    let token_length = token.map_or(0, |token| token.bytes.len());
    if let Some(token) = token {
        body.extend(token.trailer(0));
        body.extend_from_slice(token.bytes);
    }
    let mut pdu = head(kind, flags, HEAD + body.len(), token_length, call_id);
    pdu.extend(body);
    pdu
}

/// The 24 bytes before a request's stub.
pub fn request_head(call: Call, flags: u8, length: usize, token_length: usize, left: usize) -> Vec<u8> {
    let mut bytes = head(REQUEST, flags, length, token_length, call.id);
    bytes.extend(u32::try_from(left).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(0u16.to_le_bytes()); // context id
    bytes.extend(call.operation.to_le_bytes());
    bytes
}

/// Which call a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// `call_id`
    pub id: u32,
    /// `opnum`
    pub operation: u16,
}

fn head(kind: u8, flags: u8, length: usize, token_length: usize, call_id: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    bytes.extend([5, 0, kind, flags, 0x10, 0, 0, 0]);
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(u16::try_from(token_length).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(call_id.to_le_bytes());
    bytes
}
