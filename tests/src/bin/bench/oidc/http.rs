//! A client of HTTP/1.1 over TLS that costs little beside a server: one kept connection, answers of a stated length.

use landbridge_tests::lab::LabError;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An answer, as far as these clients need it.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where it leads. Empty: nowhere.
    pub(super) location: String,
    /// `name=value` of each cookie that it sets.
    pub(super) cookies: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status.
    pub(super) fn expect(self, what: &str, status: u16) -> Result<Self, LabError> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body).chars().take(200).collect::<String>();
        Err(LabError::said(what, &format!("status {} instead of {status}: {body}", self.status)))
    }
}

/// A connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    host: String,
    /// What was received and not read yet.
    held: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self, LabError> {
        let failed = |why: std::io::Error| LabError::said("a connection", &why);
        let tcp = TcpStream::connect(address).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(failed)?;
        Ok(Self { stream, host: address.ip().to_string(), held: Vec::new() })
    }

    /// `headers` are whole lines.
    pub(super) async fn get(&mut self, path: &str, headers: &str) -> Result<Answer, LabError> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host);
        self.exchange(head.as_bytes()).await
    }

    /// Sends a form.
    pub(super) async fn post(&mut self, path: &str, headers: &str, form: &str) -> Result<Answer, LabError> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n{headers}\r\n{form}",
            self.host,
            form.len()
        );
        self.exchange(request.as_bytes()).await
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer, LabError> {
        let failed = |why: std::io::Error| LabError::said("an exchange", &why);
        self.stream.write_all(request).await.map_err(failed)?;
        self.stream.flush().await.map_err(failed)?;
        // 1. The head.
        let end = loop {
            if let Some(end) = self.held.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.receive().await?;
        };
        let head = String::from_utf8_lossy(self.held.get(..end).unwrap_or_default()).into_owned();
        let broken = || LabError::said("an answer", &"its head cannot be read");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let mut answer = Answer { status: status.ok_or_else(broken)?, ..Answer::default() };
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse::<usize>().ok(),
                "location" => value.clone_into(&mut answer.location),
                "set-cookie" => answer.cookies.extend(value.split(';').next().map(str::to_owned)),
                _ => {}
            }
        }
        // 2. The body.
        let length = length.ok_or_else(broken)?;
        while self.held.len() < end + length {
            self.receive().await?;
        }
        answer.body = self.held.drain(..end + length).skip(end).collect();
        Ok(answer)
    }

    async fn receive(&mut self) -> Result<(), LabError> {
        let failed = |why: &dyn std::fmt::Display| LabError::said("an answer", &why.to_string());
        match self.stream.read_buf(&mut self.held).await {
            Ok(0) => Err(failed(&"the server closed the connection")),
            Ok(_) => Ok(()),
            Err(why) => Err(failed(&why)),
        }
    }
}
