//! The endpoint mapper (C706 appendix O): at which TCP port an interface is served.
//! Its answers are not authenticated; who answers at that port is, so a lie here only costs a connection.

use crate::error::Error;
use crate::rpc::ndr::{Malformed, Reader, Writer};
use crate::rpc::pdu::{NDR, Syntax};
use uuid::Uuid;

/// The port that the mapper itself is at.
pub const PORT: u16 = 135;
/// Its interface.
pub const INTERFACE: Syntax =
    Syntax { uuid: Uuid::from_u128(0xe1af8308_5d1f_11c9_91a4_08002b14a0fa), version: 3 };
/// `ept_map`
pub const MAP: u16 = 3;

/// The most towers that are asked for, and read.
const MAX_TOWERS: u32 = 4;
const MAX_FLOORS: u16 = 16;
const PROTOCOL_UUID: u8 = 0x0d;
const PROTOCOL_RPC: u8 = 0x0b;
const PROTOCOL_TCP: u8 = 0x07;
const PROTOCOL_IP: u8 = 0x09;

/// Asks for an interface over TCP.
pub fn encode(interface: Syntax) -> Vec<u8> {
    let mut tower = 5u16.to_le_bytes().to_vec();
    for syntax in [interface, NDR] {
        let mut left = vec![PROTOCOL_UUID];
        left.extend(syntax.uuid.to_bytes_le());
        left.extend(syntax.version.to_le_bytes());
        floor(&mut tower, &left, &0u16.to_le_bytes());
    }
    floor(&mut tower, &[PROTOCOL_RPC], &[0; 2]);
    floor(&mut tower, &[PROTOCOL_TCP], &PORT.to_be_bytes());
    floor(&mut tower, &[PROTOCOL_IP], &[0; 4]);

    let mut stub = Writer::new();
    stub.pointer(false); // object
    stub.pointer(true);
    stub.count(tower.len());
    stub.count(tower.len());
    stub.raw(&tower);
    stub.align(4);
    stub.raw(&[0; 20]); // entry handle
    stub.u32(MAX_TOWERS);
    stub.into_bytes()
}

fn floor(tower: &mut Vec<u8>, left: &[u8], right: &[u8]) {
    for side in [left, right] {
        tower.extend(u16::try_from(side.len()).unwrap_or(u16::MAX).to_le_bytes());
        tower.extend_from_slice(side);
    }
}

/// The port of the first tower that goes over TCP.
pub fn decode(stub: &[u8]) -> Result<u16, Error> {
    let mut reader = Reader::new(stub);
    reader.raw(20)?; // entry handle
    reader.u32()?; // count, repeated by the array
    reader.u32()?; // max
    reader.u32()?; // offset
    let count = reader.count(4)?;
    if count > usize::try_from(MAX_TOWERS).unwrap_or(0) {
        return Err(reader.malformed("more towers than were asked for").into());
    }
    let present = (0..count).map(|_| reader.pointer()).collect::<Result<Vec<_>, _>>()?;
    for _ in present.into_iter().filter(|present| *present) {
        let length = reader.count(1)?;
        if reader.count(1)? != length {
            return Err(reader.malformed("a tower of two lengths").into());
        }
        if let Some(port) = tcp_port(reader.raw(length)?)? {
            return Ok(port);
        }
    }
    Err(Error::NotAController)
}

fn tcp_port(tower: &[u8]) -> Result<Option<u16>, Malformed> {
    let mut reader = Reader::new(tower);
    let floors = u16_unaligned(&mut reader)?;
    if floors > MAX_FLOORS {
        return Err(reader.malformed("a tower of too many floors"));
    }
    for _ in 0..floors {
        let left = usize::from(u16_unaligned(&mut reader)?);
        let left = reader.raw(left)?;
        let right = usize::from(u16_unaligned(&mut reader)?);
        let right = reader.raw(right)?;
        if let ([PROTOCOL_TCP], [high, low]) = (left, right) {
            return Ok(Some(u16::from_be_bytes([*high, *low])).filter(|port| *port != 0));
        }
    }
    Ok(None)
}

fn u16_unaligned(reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    let early = reader.malformed("an early end");
    reader.raw(2)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes)).ok_or(early)
}
