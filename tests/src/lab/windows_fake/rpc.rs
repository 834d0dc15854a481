//! The sockets of the fake: a KDC, and two servers of DCE/RPC that take fragments apart and put answers together.

use super::answers::{self, Answer};
use super::{PORT, Shared, lock, realm};
use landbridge_drsr::drs::bind;
use landbridge_drsr::rpc::association::server::{self, Made};
use landbridge_drsr::rpc::ndr::Writer;
use landbridge_drsr::rpc::pdu::{self, NDR, Syntax};
use landbridge_kerberos::realm::HonestAcceptor;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Kinds of PDU that a client sends (C706 12.6).
const REQUEST: u8 = 0;
const BIND: u8 = 11;
/// The bytes of a stub in one fragment of an answer.
const PART: usize = 4_096;

/// Answers requests for tickets, each on a connection of its own.
pub(super) fn serve_kdc(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || ticket(stream));
    }
}

fn ticket(mut stream: TcpStream) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0)];
    stream.read_exact(&mut request)?;
    let reply = realm().kdc(&request);
    stream.write_all(&u32::try_from(reply.len()).unwrap_or(0).to_be_bytes())?;
    stream.write_all(&reply)
}

/// Names the port of the replication interface.
pub(super) fn serve_mapper(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || converse(stream, None, &mut |_, _| mapped(&shared)));
    }
}

/// Serves directory replication.
pub(super) fn serve_replication(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        *lock(&shared.connections) += 1;
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut session = answers::Session::default();
            let key = std::cell::RefCell::new(Vec::new());
            converse(stream, Some(&key), &mut |operation, stub| {
                answers::answer(&shared, &mut session, &key.borrow(), operation, stub)
            })
        });
    }
}

/// The answer of the endpoint mapper: four towers, of which the last goes over TCP, as a DC with several protocols has
/// them; or access denied.
fn mapped(shared: &Shared) -> Answer {
    if lock(&shared.behaviour).mapper_closed {
        return Answer::Fault(5);
    }
    let towers: Vec<Vec<u8>> = [
        (0x0f, b"\\pipe\\lsass".to_vec()),
        (0x1f, vec![0, 80]),
        (0x08, vec![0, 0]),
        (0x07, PORT.to_be_bytes().to_vec()),
    ]
    .map(|(protocol, address)| tower(bind::INTERFACE, protocol, &address))
    .into();
    let mut stub = Writer::new();
    stub.raw(&[0; 20]);
    stub.count(towers.len());
    stub.count(towers.len());
    stub.u32(0);
    stub.count(towers.len());
    towers.iter().for_each(|_| stub.pointer(true));
    for tower in &towers {
        stub.count(tower.len());
        stub.count(tower.len());
        stub.raw(tower);
        stub.align(4);
    }
    stub.u32(0);
    Answer::Stub(stub.into_bytes())
}

fn tower(interface: Syntax, protocol: u8, address: &[u8]) -> Vec<u8> {
    let mut floors: Vec<(Vec<u8>, Vec<u8>)> = [interface, NDR]
        .map(|syntax| {
            let name = [&[0x0d][..], &syntax.uuid.to_bytes_le(), &syntax.version.to_le_bytes()].concat();
            (name, vec![0, 0])
        })
        .into();
    floors.extend([
        (vec![0x0b], vec![0, 0]),
        (vec![protocol], address.to_vec()),
        (vec![0x09], vec![127, 0, 0, 1]),
    ]);
    let mut tower = 5u16.to_le_bytes().to_vec();
    for side in floors.into_iter().flat_map(|(left, right)| [left, right]) {
        tower.extend(u16::try_from(side.len()).unwrap_or(0).to_le_bytes());
        tower.extend(side);
    }
    tower
}

/// One connection to its end. With `key` it is authenticated and sealed; the session's key is put there.
fn converse(
    mut stream: TcpStream,
    key: Option<&std::cell::RefCell<Vec<u8>>>,
    answer: &mut dyn FnMut(u16, &[u8]) -> Answer,
) -> io::Result<()> {
    let (mut acceptor, mut stub) = (None::<HonestAcceptor>, Vec::new());
    loop {
        let pdu = receive(&mut stream)?;
        let [kind, flags] = [pdu[2], pdu[3]];
        let call_id = u32::from_le_bytes([pdu[12], pdu[13], pdu[14], pdu[15]]);
        let token = usize::from(u16::from_le_bytes([pdu[10], pdu[11]]));
        match kind {
            BIND => {
                let mut ack = Made { call_id, flags: 3, ..server::ack() }.unprotected();
                if let Some(key) = key {
                    let (proof, begun) = realm().service(&pdu[pdu.len() - token..]);
                    key.replace(begun.session_key());
                    acceptor = Some(begun);
                    ack = Made { call_id, token: proof, ..server::ack() };
                }
                stream.write_all(&ack.bytes())?;
            }
            REQUEST => {
                stub.extend(opened(&pdu, token, acceptor.as_mut()).ok_or(io::ErrorKind::InvalidData)?);
                if flags & pdu::LAST == 0 {
                    continue;
                }
                let operation = u16::from_le_bytes([pdu[22], pdu[23]]);
                let stub = std::mem::take(&mut stub);
                match answer(operation, &stub) {
                    Answer::Stub(stub) => send(&mut stream, call_id, &stub, acceptor.as_mut())?,
                    Answer::Fault(status) => stream.write_all(&server::fault(call_id, status).bytes())?,
                    Answer::Shutdown => return stream.write_all(&server::shutdown().bytes()),
                    // Until the client gives up.
                    Answer::Nothing => return stream.read_to_end(&mut Vec::new()).map(drop),
                }
            }
            // The third leg: the client has proved itself with the first.
            _ => {}
        }
    }
}

/// One fragment.
fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut pdu = vec![0; pdu::HEAD];
    stream.read_exact(&mut pdu)?;
    let length = usize::from(u16::from_le_bytes([pdu[8], pdu[9]]));
    pdu.resize(length.max(pdu::CALL_HEAD), 0);
    stream.read_exact(&mut pdu[pdu::HEAD..length.max(pdu::HEAD)])?;
    Ok(pdu)
}

/// The part of a stub in a request; none if it was altered.
fn opened(pdu: &[u8], token: usize, acceptor: Option<&mut HonestAcceptor>) -> Option<Vec<u8>> {
    let Some(acceptor) = acceptor else { return Some(pdu[pdu::CALL_HEAD..].to_vec()) };
    let (rest, token) = pdu.split_at(pdu.len() - token);
    let (rest, trailer) = rest.split_at(rest.len() - pdu::TRAILER);
    let (head, sealed) = rest.split_at(pdu::CALL_HEAD);
    let mut body = acceptor.open(head, sealed, trailer, token)?;
    body.truncate(body.len() - usize::from(trailer[2]));
    Some(body)
}

fn send(
    stream: &mut TcpStream,
    call_id: u32,
    stub: &[u8],
    acceptor: Option<&mut HonestAcceptor>,
) -> io::Result<()> {
    let Some(acceptor) = acceptor else {
        return stream.write_all(&Made { call_id, ..server::plain(3, stub) }.bytes());
    };
    let parts = stub.len().div_ceil(PART);
    for (at, part) in stub.chunks(PART).enumerate() {
        let first = if at == 0 { pdu::FIRST } else { 0 };
        let last = if at + 1 == parts { pdu::LAST } else { 0 };
        let made = server::response(first | last, call_id);
        let made = server::sealed(made, part, |before, body, after| acceptor.seal(before, body, after));
        stream.write_all(&made.bytes())?;
    }
    Ok(())
}
