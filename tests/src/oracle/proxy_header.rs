//! What a balancer may send before TLS: a header of PROXY protocol version 2 names a client or nobody, exactly its own bytes
//! are read, and everything else is refused.

use futures_util::FutureExt as _;
use landbridge_door_listen::proxy_protocol::{NoHeader, read};
use std::net::IpAddr;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
const HEAD: usize = 16;

/// Takes what a balancer sends before it closes.
pub fn proxy_header(data: &[u8]) {
    let mut rest = data;
    let Some(outcome) = read(&mut rest).now_or_never() else { panic!("it waits") };
    let taken = data.len() - rest.len();
    let announced =
        data.first_chunk::<HEAD>().map(|[.., high, low]| usize::from(u16::from_be_bytes([*high, *low])));
    match outcome {
        Ok(client) => {
            assert!(data.starts_with(&SIGNATURE));
            assert_eq!(
                Some(taken),
                announced.map(|length| HEAD + length),
                "other bytes than its own were read"
            );
            let [_, _, _, _, _, _, _, _, _, _, _, _, command, family, ..] =
                *data.first_chunk::<HEAD>().unwrap_or(&[0; HEAD]);
            let addresses = data.get(HEAD..).unwrap_or_default();
            match client {
                None => assert_eq!(command, 0x20),
                Some(client) => {
                    assert_eq!(command, 0x21);
                    let own = match family {
                        0x11 => addresses.get(..4),
                        0x21 => addresses.get(..16),
                        other => panic!("family {other:x}"),
                    };
                    let own = own.unwrap_or_default();
                    let octets = match client.ip() {
                        IpAddr::V4(four) => four.octets().to_vec(),
                        IpAddr::V6(six) => six.octets().to_vec(),
                    };
                    // An IPv4 address inside an IPv6 one is the IPv4 address.
                    assert!(own.ends_with(&octets), "{client} is not in the header");
                }
            }
        }
        Err(NoHeader::NotThere) => assert!(!data.starts_with(&SIGNATURE)),
        Err(NoHeader::Ended) => assert!(rest.is_empty() || data.len() < SIGNATURE.len()),
        Err(NoHeader::NoTcp | NoHeader::Length) => assert!(data.starts_with(&SIGNATURE)),
    }
}
