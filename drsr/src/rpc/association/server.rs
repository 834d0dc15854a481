//! A server in memory, for tests: writes PDUs as a DC would, or as it should not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::rpc::pdu::{self, NDR};
use landbridge_kerberos::enctype::Enctype;
use landbridge_kerberos::key::Key;
use landbridge_kerberos::wrap::seal_as_acceptor;

/// The key of its pretended security context.
pub(crate) const KEY: [u8; 32] = [3; 32];
/// The length of its tokens.
pub(crate) const TOKEN: usize = 76;

/// A PDU as a server writes it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) call_id: u32,
    pub(crate) body: Vec<u8>,
    pub(crate) trailer: Option<[u8; 8]>,
    pub(crate) token: Vec<u8>,
}

impl Made {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let auth = self.trailer.map_or(0, |trailer| trailer.len() + self.token.len());
        let mut bytes = vec![5, 0, self.kind, self.flags, 0x10, 0, 0, 0];
        bytes.extend(u16::try_from(16 + self.body.len() + auth).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(self.token.len()).unwrap().to_le_bytes());
        bytes.extend(self.call_id.to_le_bytes());
        bytes.extend(&self.body);
        bytes.extend(self.trailer.iter().flatten());
        bytes.extend(&self.token);
        bytes
    }
}

/// A bind_ack that signs headers.
pub(crate) fn ack() -> Made {
    let mut body = Vec::new();
    body.extend(5840u16.to_le_bytes());
    body.extend(5840u16.to_le_bytes());
    body.extend([1, 0, 0, 0]);
    body.extend([4, 0]);
    body.extend(b"135\0");
    body.extend([0, 0]); // to a multiple of 4
    body.extend([1, 0, 0, 0]);
    body.extend([0, 0, 0, 0]);
    body.extend(NDR.uuid.to_bytes_le());
    body.extend(2u32.to_le_bytes());
    Made {
        kind: 12,
        flags: 7,
        call_id: 1,
        body,
        trailer: Some([16, 6, 0, 0, 1, 0, 0, 0]),
        token: vec![2; 16],
    }
}

/// A sealed fragment of an answer to the first call.
pub(crate) fn fragment(flags: u8, sequence: u64, stub: &[u8]) -> Made {
    fragment_of(
        Made { kind: 2, flags, call_id: 2, body: vec![0; 8], trailer: None, token: Vec::new() },
        sequence,
        stub,
    )
}

/// The same in another shape.
pub(crate) fn fragment_of(mut made: Made, sequence: u64, stub: &[u8]) -> Made {
    let padded = stub.len().next_multiple_of(16);
    let mut body = stub.to_vec();
    body.resize(padded, 0);
    let trailer = [16, 6, u8::try_from(padded - stub.len()).unwrap(), 0, 1, 0, 0, 0];
    let mut whole = made.body.clone();
    whole.extend(&body);
    let shape = Made { body: whole, trailer: Some(trailer), token: vec![0; TOKEN], ..made.clone() };
    let key = Key::new(Enctype::Aes256Sha1, &KEY).unwrap();
    let (data, token) = seal_as_acceptor(&key, sequence, &shape.bytes()[..pdu::CALL_HEAD], &body, &trailer);
    made.body.extend(data);
    Made { trailer: Some(trailer), token, ..made }
}

/// An answer that nothing protects.
pub(crate) fn plain(flags: u8, stub: &[u8]) -> Made {
    let body = [&[0; 8][..], stub].concat();
    Made { kind: 2, flags, call_id: 2, body, trailer: None, token: Vec::new() }
}
