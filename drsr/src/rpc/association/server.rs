//! The PDUs of a server, for tests only: as a DC writes them, or as it should not. `seal` is the caller's: of a context
//! that a test pretends, or of a real one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::rpc::pdu::{self, NDR};

/// The length of a token beside sealed data.
pub const TOKEN: usize = 76;

/// A PDU as a server writes it.
#[derive(Debug, Clone)]
pub struct Made {
    /// `PTYPE`
    pub kind: u8,
    /// `pfc_flags`
    pub flags: u8,
    /// `call_id`
    pub call_id: u32,
    /// What follows the common header, up to the trailer.
    pub body: Vec<u8>,
    /// `sec_trailer`, if there is a token.
    pub trailer: Option<[u8; 8]>,
    /// The token.
    pub token: Vec<u8>,
}

impl Made {
    /// The PDU's bytes.
    pub fn bytes(&self) -> Vec<u8> {
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

    /// Without trailer and token.
    #[must_use]
    pub fn unprotected(self) -> Self {
        Self { trailer: None, token: Vec::new(), ..self }
    }
}

/// A bind_ack that signs headers, with a token that is none.
pub fn ack() -> Made {
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

/// A fragment of an answer to this call, without its stub.
pub fn response(flags: u8, call_id: u32) -> Made {
    Made { kind: 2, flags, call_id, body: vec![0; 8], trailer: None, token: Vec::new() }
}

/// A fault with this status instead of an answer to this call.
pub fn fault(call_id: u32, status: u32) -> Made {
    let body = [&[0; 8][..], &status.to_le_bytes(), &[0; 4]].concat();
    Made { kind: 3, flags: 3, call_id, body, trailer: None, token: Vec::new() }
}

/// The request to hang up (C706 12.6.4.11).
pub fn shutdown() -> Made {
    Made { kind: 17, flags: 3, call_id: 0, body: Vec::new(), trailer: None, token: Vec::new() }
}

/// This fragment with a stub that `seal` seals: it is given what comes before, the padded stub and what comes after, and
/// returns the sealed stub and the token.
pub fn sealed(
    mut made: Made,
    stub: &[u8],
    seal: impl FnOnce(&[u8], &[u8], &[u8]) -> (Vec<u8>, Vec<u8>),
) -> Made {
    let padded = stub.len().next_multiple_of(16);
    let mut body = stub.to_vec();
    body.resize(padded, 0);
    let trailer = [16, 6, u8::try_from(padded - stub.len()).unwrap(), 0, 1, 0, 0, 0];
    let mut whole = made.body.clone();
    whole.extend(&body);
    let shape = Made { body: whole, trailer: Some(trailer), token: vec![0; TOKEN], ..made.clone() };
    let (data, token) = seal(&shape.bytes()[..pdu::CALL_HEAD], &body, &trailer);
    made.body.extend(data);
    Made { trailer: Some(trailer), token, ..made }
}

/// An answer that nothing protects.
pub fn plain(flags: u8, stub: &[u8]) -> Made {
    let body = [&[0; 8][..], stub].concat();
    Made { body, ..response(flags, 2) }
}

#[cfg(test)]
pub(crate) use pretended::{KEY, fragment, fragment_of};

/// Fragments of a security context that the tests of this crate pretend.
#[cfg(test)]
mod pretended {
    use super::{Made, response, sealed};
    use landbridge_kerberos::enctype::Enctype;
    use landbridge_kerberos::key::Key;
    use landbridge_kerberos::wrap::seal_as_acceptor;

    /// The key of the context.
    pub(crate) const KEY: [u8; 32] = [3; 32];

    /// A sealed fragment of an answer to the first call.
    pub(crate) fn fragment(flags: u8, sequence: u64, stub: &[u8]) -> Made {
        fragment_of(response(flags, 2), sequence, stub)
    }

    /// The same in another shape.
    pub(crate) fn fragment_of(made: Made, sequence: u64, stub: &[u8]) -> Made {
        let key = Key::new(Enctype::Aes256Sha1, &KEY).unwrap();
        sealed(made, stub, |before, body, after| seal_as_acceptor(&key, sequence, before, body, after))
    }
}
