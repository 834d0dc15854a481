//! An HTTP proxy on the way to the tenant: CONNECT (RFC 9110, section 9.3.6), with a name and a password if it wants them
//! (Basic, RFC 7617). Every error names the proxy; nothing that a proxy sends is repeated.
//! Neighbours: `dial` sets up TLS with the tenant on the connection that the proxy makes.

use crate::connect::{self, CONNECT};
use crate::error::AgentError;
use crate::key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_host::system_error;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// Limit on a proxy's answer, during which it connects to the tenant.
const ANSWER: Duration = Duration::from_secs(8);
/// Limit on the bytes of a proxy's answer. What is offered for Negotiate may take several thousand.
const MAX_ANSWER: usize = 32 * 1024;
/// Limit on answers before the final one (RFC 9110, section 15.2).
const MAX_INTERIM: usize = 5;

/// The proxy, as `[tenant]` of a configuration names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// `http://host:port`.
    pub proxy: Option<String>,
    /// The name for the proxy.
    pub proxy_user: Option<String>,
    /// The file with the password for it: 0600.
    pub proxy_password_file: Option<PathBuf>,
}

/// A proxy, ready to be used. `Debug` shows no password.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl ProxyConfig {
    /// Checks it and reads the password; none: no proxy is configured.
    pub fn open(&self) -> Result<Option<Proxy>, AgentError> {
        let wrong = |why: &str| AgentError::Proxy {
            proxy: "[tenant]".to_owned(),
            why: why.to_owned(),
            passes: false,
        };
        let Some(text) = &self.proxy else {
            let more = self.proxy_user.is_some() || self.proxy_password_file.is_some();
            return if more { Err(wrong("`proxy_user` without `proxy`")) } else { Ok(None) };
        };
        let url = url::Url::parse(text).map_err(|_| wrong("`proxy` must read http://host:port"))?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(wrong(
                    "`proxy` must read http://host:port: TLS with the proxy itself (https://) is not supported, and \
                     nothing is lost, since TLS with the tenant goes through the proxy unread",
                ));
            }
            scheme if scheme.starts_with("socks") => {
                return Err(wrong(
                    "`proxy` must read http://host:port: SOCKS is not supported, name an HTTP proxy",
                ));
            }
            _ => return Err(wrong("`proxy` must read http://host:port")),
        }
        let bare = matches!(url.path(), "" | "/") && url.username().is_empty() && url.password().is_none();
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("`proxy` must read http://host:port, with no name or password in it"));
        }
        let host = match url.host().ok_or_else(|| wrong("`proxy` names no host"))? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let authorization = match (&self.proxy_user, &self.proxy_password_file) {
            (None, None) => None,
            (Some(user), Some(file)) if !user.contains(':') => {
                let password = key::read_password(file)?;
                let plain = Zeroizing::new(format!("{user}:{}", *password));
                Some(Zeroizing::new(STANDARD.encode(plain.as_bytes())))
            }
            (Some(_), Some(_)) => return Err(wrong("`proxy_user` must not contain a colon")),
            (Some(_), None) | (None, Some(_)) => {
                return Err(wrong("`proxy_user` and `proxy_password_file` come together"));
            }
        };
        Ok(Some(Proxy { host, port: url.port_or_known_default().unwrap_or(80), authorization }))
    }
}

impl Proxy {
    /// Host and port, as errors name it.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// A connection to the tenant at `to` (host and port) that the proxy has made.
    pub(crate) async fn connect(&self, to: &str) -> Result<TcpStream, AgentError> {
        let resolved = connect::addresses(&self.host, self.port).await;
        let mut left = resolved.map_err(|why| self.error(why.to_string(), true))?;
        loop {
            // 1. TCP with the first address of the proxy that accepts.
            let attempt = |address: SocketAddr| connect::tcp(address, CONNECT);
            let connected = connect::first(&self.host, left.clone(), attempt).await;
            let (address, mut stream) = connected.map_err(|failed| {
                let why = connect::summary(&failed, system_error::words);
                self.error(format!("no connection to the proxy: {why}"), true)
            })?;
            // 2. What it answers to CONNECT.
            let exchange = tokio::time::timeout(ANSWER, self.exchange(&mut stream, to)).await;
            let error = match exchange {
                Ok(Ok(())) => return Ok(stream),
                Ok(Err(Answered::Final(error))) => return Err(error),
                Ok(Err(Answered::Nothing(why))) => self.error(why.to_owned(), true),
                Err(_) => {
                    let seconds = ANSWER.as_secs();
                    let why = format!(
                        "no whole answer within {seconds} s to the request to connect to {to}: it hangs, or does not \
                         reach {to}"
                    );
                    self.error(why, true)
                }
            };
            // 3. Another address of the proxy may be another machine.
            connect::failed(&self.host, address.ip());
            left.retain(|one| *one != address);
            if left.is_empty() {
                return Err(error);
            }
        }
    }

    fn error(&self, why: String, passes: bool) -> AgentError {
        AgentError::Proxy { proxy: self.authority(), why, passes }
    }

    /// Asks for a connection to the tenant at `to` (host and port) on a stream from the proxy, and reads the answer to its end
    /// and not a byte more. At most six answers of 32 KiB are read; the caller limits the time.
    pub async fn exchange<S>(&self, stream: &mut S, to: &str) -> Result<(), Answered>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut head = Zeroizing::new(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n"));
        if let Some(authorization) = &self.authorization {
            head.reserve(authorization.len() + 64);
            head.push_str("Proxy-Authorization: Basic ");
            head.push_str(authorization);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let closed = |_| {
            Answered::Nothing(
                "it closed the connection without an answer: is this the port of an HTTP proxy? SOCKS and TLS with the \
                 proxy (https://) are not supported",
            )
        };
        stream.write_all(head.as_bytes()).await.map_err(closed)?;
        for _ in 0..=MAX_INTERIM {
            let mut answer = Vec::new();
            // A byte at a time: what follows the head is TLS, and not to be read here.
            while !(answer.ends_with(b"\r\n\r\n") || answer.ends_with(b"\n\n")) {
                if answer.len() >= MAX_ANSWER {
                    return Err(self.refused(&format!("its answer is longer than {MAX_ANSWER} bytes")));
                }
                answer.push(stream.read_u8().await.map_err(closed)?);
                if let Some(why) = not_http(&answer) {
                    return Err(self.refused(why));
                }
            }
            match status(&answer) {
                None => {
                    return Err(self.refused("it does not speak HTTP/1: is this the port of an HTTP proxy?"));
                }
                // An interim answer: the final one follows.
                Some(100..=199) => {}
                Some(200..=299) => return Ok(()),
                Some(status) => {
                    let (why, passes) = self.meaning(status, &answer, to);
                    return Err(Answered::Final(self.error(why, passes)));
                }
            }
        }
        Err(self.refused("it sends interim answers (1xx) without end"))
    }

    fn refused(&self, why: &str) -> Answered {
        Answered::Final(self.error(why.to_owned(), false))
    }

    /// What a status other than success means, and whether it may pass without anybody acting.
    fn meaning(&self, status: u16, answer: &[u8], to: &str) -> (String, bool) {
        let refuses = match status {
            407 => return (format!("{} (407)", self.wants(answer)), false),
            300..=399 => {
                "it redirects to another page: a sign-in page for people stands in the way; let this machine pass \
                 without it"
            }
            400 => "it does not accept the request to connect (is this the port of an HTTP proxy?)",
            401 | 403 => {
                "it forbids the connection: let it allow CONNECT from this machine to that host and port, unread"
            }
            404 | 405 | 501 => "it does not support CONNECT: name an HTTP proxy, not a web server",
            429 | 500..=599 => {
                return (
                    format!(
                        "it does not reach {to} now ({status}): look whether it resolves that name, may \
                                 connect to that port, and whether the tenant runs"
                    ),
                    true,
                );
            }
            _ => "it refuses the connection",
        };
        (format!("{refuses}: {to} ({status})"), false)
    }

    /// What a proxy wants that answers with 407.
    fn wants(&self, answer: &[u8]) -> String {
        let offered = schemes(answer);
        if offered.contains(&"Basic") || offered.is_empty() {
            let text = match self.authorization {
                Some(_) => "it refuses this name and password: see `proxy_user` and `proxy_password_file`",
                None => "it wants a name and a password: set `proxy_user` and `proxy_password_file`",
            };
            return text.to_owned();
        }
        format!(
            "it offers {} and not Basic, the one way of signing in that is supported here: let it allow Basic for this \
             machine, or connections to this host without signing in",
            offered.join(", ")
        )
    }
}

/// Why an exchange with a proxy gave no connection.
#[derive(Debug)]
pub enum Answered {
    /// It answered. Another address of the proxy would answer the same.
    Final(AgentError),
    /// It did not answer.
    Nothing(&'static str),
}

/// What speaks there instead of HTTP, as soon as its first bytes show it.
fn not_http(answer: &[u8]) -> Option<&'static str> {
    let usual = b"HTTP/1.";
    if answer.iter().zip(usual).all(|(byte, usual)| byte == usual) {
        return None;
    }
    Some(match answer.first() {
        Some(0x14..=0x17) => "it speaks TLS (https://), which is not supported: name its port for plain HTTP",
        Some(0x00 | 0x04 | 0x05) => "it speaks SOCKS, which is not supported: name an HTTP proxy",
        Some(_) | None => "it does not speak HTTP/1: is this the port of an HTTP proxy?",
    })
}

/// The status of an answer: `HTTP/1.1 200 Connection established`, with or without the words (RFC 9112, section 4).
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let version = words.next()?.strip_prefix("HTTP/1.")?;
    let status = words.next()?;
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(version, 1) && digits(status, 3)) {
        return None;
    }
    status.parse().ok().filter(|status| *status >= 100)
}

/// The ways of signing in that an answer offers (`Proxy-Authenticate`, RFC 9110, section 11.7.1), by their known names.
fn schemes(answer: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let offered: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("proxy-authenticate:")).collect();
    let known = [
        ("basic", "Basic"),
        ("negotiate", "Negotiate"),
        ("ntlm", "NTLM"),
        ("digest", "Digest"),
        ("bearer", "Bearer"),
    ];
    // A name is followed by its parameters or by the next name.
    let names = |line: &str, name: &str| line.split([' ', ',', '\t']).any(|word| word == name);
    let mut found: Vec<&str> = known
        .into_iter()
        .filter(|(name, _)| offered.iter().any(|line| names(line, name)))
        .map(|(_, shown)| shown)
        .collect();
    if found.is_empty() && !offered.is_empty() {
        found.push("another way of signing in");
    }
    found
}

#[cfg(test)]
mod tests;
