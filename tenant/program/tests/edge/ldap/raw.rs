//! LDAP byte by byte, for what no client sends.

use super::client::Client;
use crate::harness::{DEADLINE, trusting};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// An element of BER.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

fn integer(value: u32) -> Vec<u8> {
    element(2, &[&[0][..], &value.to_be_bytes()].concat())
}

/// A message with its number and controls.
pub(crate) fn message(id: u32, operation: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() { Vec::new() } else { element(0xa0, &controls.concat()) };
    element(0x30, &[&integer(id)[..], operation, &controls].concat())
}

pub(crate) fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let critical = element(1, &[if critical { 0xff } else { 0 }]);
    let value = value.map(|value| element(4, value)).unwrap_or_default();
    element(0x30, &[element(4, oid.as_bytes()), critical, value].concat())
}

/// The control of a page.
pub(crate) fn page(size: u32, cookie: &[u8]) -> Vec<u8> {
    let value = element(0x30, &[integer(size), element(4, cookie)].concat());
    control("1.2.840.113556.1.4.319", true, Some(&value))
}

pub(crate) fn bind(name: &[u8], password: &[u8]) -> Vec<u8> {
    bind_as(3, name, 0x80, password)
}

pub(crate) fn bind_as(version: u32, name: &[u8], method: u8, proof: &[u8]) -> Vec<u8> {
    element(0x60, &[integer(version), element(4, name), element(method, proof)].concat())
}

pub(crate) const ABANDON: u8 = 0x50;
pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

pub(crate) fn extended(oid: &str) -> Vec<u8> {
    element(0x77, &element(0x80, oid.as_bytes()))
}

/// `(attribute=value)`
pub(crate) fn equal(attribute: &str, value: &[u8]) -> Vec<u8> {
    element(0xa3, &[element(4, attribute.as_bytes()), element(4, value)].concat())
}

/// `(attribute=*)`
pub(crate) fn present(attribute: &str) -> Vec<u8> {
    element(0x87, attribute.as_bytes())
}

/// A search of the whole tree below a base.
pub(crate) fn search(base: &[u8], filter: &[u8]) -> Vec<u8> {
    search_in(base, 2, filter, &[])
}

pub(crate) fn search_in(base: &[u8], scope: u8, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = attributes.iter().map(|name| element(4, name.as_bytes())).collect();
    let numbers = [integer(0), integer(0), element(1, &[0])].concat();
    let head = [element(4, base), element(10, &[scope]), element(10, &[0]), numbers].concat();
    element(0x63, &[head, filter.to_vec(), element(0x30, &names.concat())].concat())
}

/// An answer: number, tag, result code (of those that have one) and the whole message.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: u32,
    pub(crate) tag: u8,
    pub(crate) code: u8,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) const BIND: u8 = 0x61;
pub(crate) const ENTRY: u8 = 0x64;
pub(crate) const DONE: u8 = 0x65;
pub(crate) const EXTENDED: u8 = 0x78;

impl Answer {
    /// The cookie in an answer with a page; empty: there is none.
    pub(crate) fn cookie(&self) -> Vec<u8> {
        let oid = b"1.2.840.113556.1.4.319";
        let Some(at) = self.bytes.windows(oid.len()).position(|part| part == oid) else { return Vec::new() };
        // The control's value: OCTET STRING, SEQUENCE, INTEGER, OCTET STRING.
        let mut rest = &self.bytes[at + oid.len()..];
        for _ in 0..2 {
            rest = inside(rest);
        }
        let (_, after) = split(rest);
        split(after).0.to_vec()
    }

    /// The name of an entry.
    pub(crate) fn name(&self) -> String {
        let (_, rest) = split(inside(&self.bytes));
        String::from_utf8(inside(inside(rest)).to_vec()).unwrap()
    }

    pub(crate) fn holds(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

fn head(bytes: &[u8]) -> (usize, usize) {
    match bytes[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let length = bytes[2..2 + count].iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
            (2 + count, length)
        }
    }
}

/// The content of the first element.
fn inside(bytes: &[u8]) -> &[u8] {
    let (skip, length) = head(bytes);
    &bytes[skip..skip + length]
}

/// The content of the first element, and what follows it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (skip, length) = head(bytes);
    (&bytes[skip..skip + length], &bytes[skip + length..])
}

/// A connection.
pub(crate) struct Raw<S>(pub(crate) S);

impl Raw<TlsStream<TcpStream>> {
    pub(crate) async fn connect(client: &Client) -> Self {
        Self::over(client, TcpStream::connect(client.ldaps).await.unwrap()).await
    }

    /// TLS over a connection that is open.
    pub(crate) async fn over(client: &Client, stream: TcpStream) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let certificate = CertificateDer::from_pem_file(&client.certificate).unwrap();
        Self(trusting(certificate).connect(name, stream).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next answer; none: the server has closed the connection.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        timeout(DEADLINE, self.read()).await.expect("the server neither answers nor closes")
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut bytes = vec![0; 2];
        self.0.read_exact(&mut bytes).await.ok()?;
        if bytes[1] > 0x7f {
            let mut more = vec![0; usize::from(bytes[1] & 0x7f)];
            self.0.read_exact(&mut more).await.ok()?;
            bytes.extend(more);
        }
        let (skip, length) = head(&bytes);
        let mut content = vec![0; length];
        self.0.read_exact(&mut content).await.ok()?;
        bytes.extend(content);
        let (id, rest) = split(&bytes[skip..]);
        let id = id.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        let (tag, code) = (rest[0], inside(rest).get(2).copied().unwrap_or_default());
        Some(Answer { id, tag, code, bytes })
    }

    /// Sends a request and returns its last answer, with the entries before it.
    pub(crate) async fn ask(
        &mut self,
        id: u32,
        operation: &[u8],
        controls: &[Vec<u8>],
    ) -> (Vec<Answer>, Answer) {
        self.send(&message(id, operation, controls)).await;
        let mut entries = Vec::new();
        loop {
            let answer = self.answer().await.expect("an answer");
            assert_eq!(answer.id, id, "{answer:?}");
            if answer.tag == ENTRY {
                entries.push(answer);
            } else {
                return (entries, answer);
            }
        }
    }

    /// The code of a request's outcome.
    pub(crate) async fn code(&mut self, id: u32, operation: &[u8]) -> u8 {
        self.ask(id, operation, &[]).await.1.code
    }

    /// Binds as the client's account.
    pub(crate) async fn bind(&mut self, client: &Client) {
        let (name, password) = client.account();
        assert_eq!(self.code(1, &bind(name.as_bytes(), password.as_bytes())).await, 0);
    }
}
