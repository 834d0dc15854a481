//! A client of LDAP that costs little beside a server: it writes requests from bytes that are prepared, and counts
//! entries without decoding their attributes.

use landbridge_door_ldap::framing::message_length;
use landbridge_tests::lab::{LabError, trusting};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Limit on the bytes of an answer's message.
pub(super) const MAX_MESSAGE: usize = 1 << 24;
const PAGED_RESULTS: &[u8] = b"1.2.840.113556.1.4.319";
/// Tags (RFC 4511).
const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;

/// A server, and who binds there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Target {
    /// `ca` is the file of the CA that is trusted.
    pub(crate) fn new(address: SocketAddr, name: &str, password: &str, ca: &Path) -> Result<Self, LabError> {
        Ok(Self { address, name: name.to_owned(), password: password.to_owned(), tls: trusting(ca)? })
    }
}

/// A search without its message's number.
pub(crate) struct Search(Vec<u8>);

/// Where a search begins, and how far it goes.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    Base = 0,
    Subtree = 2,
}

impl Search {
    pub(crate) fn new(base: &str, scope: Scope, filter: &[u8], attributes: &[&str]) -> Self {
        let list: Vec<u8> =
            attributes.iter().flat_map(|name| element(OCTET_STRING, &[name.as_bytes()])).collect();
        // After the scope: no aliases, no limits, types and values.
        let options = [0x0a, 1, scope as u8, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
        let base = element(OCTET_STRING, &[base.as_bytes()]);
        Self(element(0x63, &[&base, &options, filter, &element(SEQUENCE, &[&list])]))
    }

    /// With the control for a page of at most 32,767 entries.
    pub(crate) fn paged(&self, size: u16, cookie: &[u8]) -> Self {
        let size = element(0x02, &[&size.to_be_bytes()]);
        let value = element(SEQUENCE, &[&size, &element(OCTET_STRING, &[cookie])]);
        let control =
            element(SEQUENCE, &[&element(OCTET_STRING, &[PAGED_RESULTS]), &element(OCTET_STRING, &[&value])]);
        Self([&self.0[..], &element(0xa0, &[&control])].concat())
    }
}

/// `(attribute=value)`.
pub(crate) fn equality(attribute: &str, value: &str) -> Vec<u8> {
    let [attribute, value] = [attribute, value].map(|text| element(OCTET_STRING, &[text.as_bytes()]));
    element(0xa3, &[&attribute, &value])
}

/// What a search found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) cookie: Vec<u8>,
    /// The last entry, as it came.
    pub(crate) last: Vec<u8>,
    /// The names of all entries.
    pub(crate) names: Vec<String>,
}

impl Found {
    /// The values of all attributes of the last entry.
    pub(crate) fn values(&self) -> usize {
        let attributes = split(&self.last).and_then(|(_, _, rest)| split(rest)).map(|(_, list, _)| list);
        let values = elements(attributes.unwrap_or_default()).map(|(_, attribute)| {
            let (_, _, set) = split(attribute)?;
            Some(elements(split(set)?.1).count())
        });
        values.map(Option::unwrap_or_default).sum()
    }
}

/// A connection, bound.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    /// Where the first byte that was not looked at is.
    begin: usize,
    id: u16,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, LabError> {
        let failed = |why: std::io::Error| LabError::said("a connection for LDAP", &why);
        let tcp = TcpStream::connect(target.address).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let name =
            ServerName::try_from("tenant.example.com").map_err(|why| LabError::said("a name", &why))?;
        let stream = TlsConnector::from(target.tls.clone()).connect(name, tcp).await.map_err(failed)?;
        let mut connection = Self { stream, buffer: Vec::new(), begin: 0, id: 0 };
        connection.bind(&target.name, &target.password).await?;
        Ok(connection)
    }

    /// A simple bind, which must succeed.
    pub(crate) async fn bind(&mut self, name: &str, password: &str) -> Result<(), LabError> {
        let name = element(OCTET_STRING, &[name.as_bytes()]);
        let password = element(0x80, &[password.as_bytes()]);
        self.send(&element(0x60, &[&[2, 1, 3], &name, &password])).await?;
        let (tag, content, _) = self.receive().await?;
        if tag == BIND_RESPONSE { succeeded("a bind", &content) } else { Err(unexpected(tag, &content)) }
    }

    /// A search, which must succeed. `names`: whether the names of entries are wanted.
    pub(crate) async fn search(&mut self, search: &Search, names: bool) -> Result<Found, LabError> {
        self.send(&search.0).await?;
        let mut found = Found::default();
        loop {
            let (tag, content, controls) = self.receive().await?;
            found.bytes += content.len() as u64;
            match tag {
                ENTRY => {
                    found.entries += 1;
                    if names && let Some((_, name, _)) = split(&content) {
                        found.names.push(String::from_utf8_lossy(name).into_owned());
                    }
                    found.last = content;
                }
                SEARCH_DONE => {
                    found.cookie = cookie(&controls).unwrap_or_default();
                    return succeeded("a search", &content).map(|()| found);
                }
                other => return Err(unexpected(other, &content)),
            }
        }
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), LabError> {
        self.id = self.id % 0x7fff + 1;
        let message = element(SEQUENCE, &[&element(0x02, &[&self.id.to_be_bytes()]), request]);
        let failed = |why: std::io::Error| LabError::said("sending an LDAP request", &why);
        self.stream.write_all(&message).await.map_err(failed)?;
        self.stream.flush().await.map_err(failed)
    }

    /// The operation of the next message: its tag, its content, and the controls behind it.
    async fn receive(&mut self) -> Result<(u8, Vec<u8>, Vec<u8>), LabError> {
        let failed =
            |why: &dyn std::fmt::Display| LabError::said("receiving an LDAP answer", &why.to_string());
        loop {
            let held = &self.buffer[self.begin..];
            let length =
                message_length(&held[..held.len().min(6)], MAX_MESSAGE).map_err(|why| failed(&why))?;
            if let Some(message) = length.and_then(|length| held.get(..length)) {
                let parts = || {
                    let (_, content, _) = split(message)?;
                    let (_, _, rest) = split(content)?;
                    split(rest)
                };
                let (tag, content, controls) = parts().ok_or_else(|| failed(&"it cannot be decoded"))?;
                let answer = (tag, content.to_vec(), controls.to_vec());
                self.begin += message.len();
                return Ok(answer);
            }
            self.buffer.drain(..self.begin);
            self.begin = 0;
            if self.stream.read_buf(&mut self.buffer).await.map_err(|why| failed(&why))? == 0 {
                return Err(failed(&"the server closed the connection"));
            }
        }
    }
}

fn unexpected(tag: u8, content: &[u8]) -> LabError {
    let said = String::from_utf8_lossy(content).escape_debug().to_string();
    LabError::said("an LDAP answer", &format!("an unexpected operation {tag:#x}: {said}"))
}

fn succeeded(what: &str, result: &[u8]) -> Result<(), LabError> {
    match result {
        [0x0a, 1, 0, ..] => Ok(()),
        other => Err(LabError::said(what, &String::from_utf8_lossy(other).escape_debug().to_string())),
    }
}

fn cookie(controls: &[u8]) -> Option<Vec<u8>> {
    let (_, list, _) = split(controls)?;
    let (_, control, _) = split(list)?;
    let value = elements(control).last()?.1;
    let (_, content, _) = split(value)?;
    Some(elements(content).last()?.1.to_vec())
}

/// An element of BER.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    match length {
        0..0x80 => bytes.push(length as u8),
        _ => bytes.extend([&[0x84], &(length as u32).to_be_bytes()[..]].concat()),
    }
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// The tag and the content of the first element, and what follows it.
pub(super) fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(*first), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = split(bytes)?;
        bytes = rest;
        Some((tag, content))
    })
}
