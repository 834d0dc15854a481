//! One connection: reads requests, answers them in their order, and closes within its limits.
//!
//! Requests are read while another one is answered, so that Abandon and Unbind are noticed; at most 16 wait.
//! Neighbours: `worker` answers them, `public` answers what everybody may ask.

use super::bind::Session;
use super::door::LdapDoor;
use super::framing::{NoMessage, message_length};
use super::message::{self, Extended, Message, Request};
use super::public::{is_public, public};
use super::response::{self, Operation, Outcome, ResultCode, answer};
use super::root_dse::START_TLS;
use super::worker::{Waiting, Worker};
use landbridge_door_listen::limits::Limits;
use landbridge_door_listen::listener::{Arrival, Protocol, stopped};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroize as _;

/// Requests of one connection that wait for an answer.
const PENDING: usize = 16;
/// Limit on the bytes of a request before somebody is signed in: a name, a password, controls.
const MAX_STRANGERS_MESSAGE: usize = 16 * 1024;
/// Limit on the bytes of a request: a filter of 1,000 terms.
const MAX_MESSAGE: usize = 256 * 1024;
/// The prefix of a message that is always enough to know its length.
const PREFIX: usize = 6;

/// An address where TLS comes first (LDAPS).
pub struct Ldaps(pub Arc<LdapDoor>);

/// An address where TLS is requested (StartTLS). Before it nothing is answered that needs a name or a password.
pub struct StartTls(pub Arc<LdapDoor>);

impl Protocol for Ldaps {
    async fn talk(self: Arc<Self>, stream: TcpStream, mut arrival: Arrival) {
        if let Some(tls) = arrival.tls(stream).await {
            serve(&self.0, tls, arrival).await;
        }
    }
}

impl Protocol for StartTls {
    async fn talk(self: Arc<Self>, stream: TcpStream, mut arrival: Arrival) {
        let Some(stream) = until_start_tls(&self.0, stream, &mut arrival).await else { return };
        if let Some(tls) = arrival.tls(stream).await {
            serve(&self.0, tls, arrival).await;
        }
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client ended it, or does not read.
    Client,
    /// The client does not speak LDAP as this server does.
    Protocol(&'static str),
    /// Nothing was requested for too long, or a request took too long to arrive.
    Slow,
    /// The server has no place for it any more.
    Full,
    /// The program stops.
    Stopped,
}

/// Reads messages.
struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Waits until the first byte of a message is there.
    async fn begin(&mut self) -> Result<(), End> {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        Ok(())
    }

    /// Reads one whole message of at most `limit` bytes.
    async fn message(&mut self, limit: usize) -> Result<Vec<u8>, End> {
        loop {
            let prefix = self.buffer.get(..PREFIX.min(self.buffer.len())).unwrap_or_default();
            let length = message_length(prefix, limit).map_err(|why| match why {
                NoMessage::TooLong => End::Protocol("the message is too long"),
                NoMessage::OtherProtocol | NoMessage::Length => {
                    End::Protocol("the bytes are no LDAP message")
                }
            })?;
            match length {
                Some(length) if self.buffer.len() >= length => {
                    let rest = self.buffer.split_off(length);
                    return Ok(std::mem::replace(&mut self.buffer, rest));
                }
                Some(_) | None => self.more().await?,
            }
        }
    }

    async fn more(&mut self) -> Result<(), End> {
        let mut chunk = [0; 4096];
        let read = self.stream.read(&mut chunk).await;
        let outcome = match read {
            Ok(0) | Err(_) => Err(End::Client),
            Ok(count) => {
                self.keep(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
        };
        // It may hold a password.
        chunk.zeroize();
        outcome
    }
}

impl<S> Reader<S> {
    /// Adds bytes to the buffer. Where it must grow, no copy of what it held is left behind.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.buffer.capacity()));
            larger.extend_from_slice(&self.buffer);
            self.buffer.zeroize();
            self.buffer = larger;
        }
        self.buffer.extend_from_slice(bytes);
    }
}

impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// Decodes a message and wipes its bytes. The error is the answer to what cannot be decoded, or the end.
fn decoded(mut bytes: Vec<u8>) -> Result<Message, Result<Vec<u8>, End>> {
    let decoded = message::decode(&bytes, &message::Limits::DEFAULT);
    bytes.zeroize();
    decoded.map_err(|refusal| match refusal.answer {
        Some((id, operation)) if refusal.code != ResultCode::ProtocolError => {
            answer(id, operation, &Outcome::new(refusal.code, refusal.what), &[])
                .ok_or(End::Protocol(refusal.what))
        }
        Some(_) | None => Err(End::Protocol(refusal.what)),
    })
}

/// Speaks without TLS until the client requests it: the root DSE, the subschema and StartTLS, and nothing else. None: the
/// connection has ended.
async fn until_start_tls(door: &LdapDoor, mut stream: TcpStream, arrival: &mut Arrival) -> Option<TcpStream> {
    let Limits { stranger_idle, head, write, .. } = arrival.limits;
    let session = Session::new(arrival.address.ip());
    loop {
        // 1. A message.
        let mut reader = Reader::new(&mut stream);
        let read = async {
            timeout(stranger_idle, reader.begin()).await.unwrap_or(Err(End::Slow))?;
            timeout(head, reader.message(MAX_STRANGERS_MESSAGE)).await.unwrap_or(Err(End::Slow))
        };
        let place = &arrival.place;
        let read = tokio::select! {
            read = read => read,
            () = place.cut() => return None,
        };
        // Bytes behind a request were sent before TLS and must not count as sent in it.
        let pipelined = !reader.buffer.is_empty();
        drop(reader);
        let message = match read.map(decoded) {
            Ok(Ok(message)) => message,
            Ok(Err(Ok(refusal))) => {
                timeout(write, stream.write_all(&refusal)).await.ok()?.ok()?;
                continue;
            }
            Ok(Err(Err(end))) | Err(end) => {
                notify(&mut stream, end, arrival.limits).await;
                return None;
            }
        };
        if pipelined {
            notify(&mut stream, End::Protocol("requests before TLS are sent one at a time"), arrival.limits)
                .await;
            return None;
        }
        // 2. Its answer.
        let id = message.id;
        let refuse = |operation| {
            let words = "this address needs TLS before anything else: request StartTLS";
            door.count(operation, ResultCode::ConfidentialityRequired);
            answer(id, operation, &Outcome::new(ResultCode::ConfidentialityRequired, words), &[])
        };
        let bytes = match message.request {
            Request::Unbind => return None,
            Request::Abandon(_) => continue,
            Request::Extended(Extended { oid, .. }) if oid == START_TLS => {
                let bytes =
                    response::extended(id, &Outcome::new(ResultCode::Success, ""), Some(START_TLS), None)
                        .ok()?;
                timeout(write, stream.write_all(&bytes)).await.ok()?.ok()?;
                return Some(stream);
            }
            Request::Search(search)
                if is_public(&search) && message.controls.unknown_critical().is_none() =>
            {
                Some(public(door, &session, id, &search, true).await)
            }
            Request::Search(_) => refuse(Operation::Search),
            Request::Bind(_) => refuse(Operation::Bind),
            Request::Compare(_) => refuse(Operation::Compare),
            Request::Extended(_) => refuse(Operation::Extended),
            Request::Write(operation) => refuse(operation),
        };
        timeout(write, stream.write_all(&bytes?)).await.ok()?.ok()?;
    }
}

/// Sends the notice of disconnection, if the client may read it.
async fn notify(stream: &mut (impl AsyncWrite + Unpin), end: End, limits: Limits) {
    let (code, words) = match end {
        End::Client => return,
        End::Protocol(words) => (ResultCode::ProtocolError, words),
        End::Slow => (ResultCode::Unavailable, "nothing was requested for too long"),
        End::Full => (ResultCode::Busy, "the server is full"),
        End::Stopped => {
            (ResultCode::Unavailable, "the server stops: use another one, or connect again later")
        }
    };
    if let Ok(bytes) = response::notice_of_disconnection(code, words) {
        let _ = timeout(limits.write, stream.write_all(&bytes)).await;
    }
    let _ = timeout(limits.write, stream.shutdown()).await;
}

/// Serves a connection with TLS to its end.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(door: &LdapDoor, stream: S, arrival: Arrival) {
    let (read, mut write) = tokio::io::split(stream);
    let mut stop = arrival.stop();
    let (sender, receiver) = mpsc::channel(PENDING);
    let waiting = Waiting::default();
    let limits = arrival.limits;
    let signed_in = std::sync::atomic::AtomicBool::new(false);
    let set = |yes: bool| {
        signed_in.store(yes, std::sync::atomic::Ordering::Relaxed);
        arrival.place.set_stranger(!yes);
    };
    let mut worker = Worker {
        door,
        write: &mut write,
        limits,
        number: door.number_connection(),
        session: Session::new(arrival.address.ip()),
        waiting: &waiting,
        signed_in: &set,
    };
    let reading = read_requests(read, sender, &waiting, door, limits, &signed_in);
    // Whatever ends first ends the connection. After the last request was read, those before it are answered.
    let end = {
        let (mut reading, mut working) = (std::pin::pin!(reading), std::pin::pin!(worker.run(receiver)));
        let place = &arrival.place;
        tokio::select! {
            end = &mut reading => {
                if end != End::Client {
                    let _ = timeout(limits.stop, working).await;
                }
                end
            }
            () = &mut working => End::Client,
            () = place.cut() => End::Full,
            () = stopped(&mut stop) => {
                // What was requested is answered first.
                let _ = timeout(limits.stop, async {
                    while !waiting.is_empty() {
                        tokio::select! {
                            () = &mut working => break,
                            () = tokio::time::sleep(Duration::from_millis(10)) => {}
                        }
                    }
                }).await;
                End::Stopped
            }
        }
    };
    notify(&mut write, end, limits).await;
}

/// Reads requests until the connection ends. Abandon and Unbind take effect at once.
async fn read_requests<S: AsyncRead + Unpin>(
    stream: S,
    sender: mpsc::Sender<Result<(Message, Instant), Vec<u8>>>,
    waiting: &Waiting,
    door: &LdapDoor,
    limits: Limits,
    signed_in: &std::sync::atomic::AtomicBool,
) -> End {
    let is_signed_in = || signed_in.load(std::sync::atomic::Ordering::Relaxed);
    let mut reader = Reader::new(stream);
    loop {
        // 1. A message. While an answer is on its way the client may be silent.
        loop {
            let was_signed_in = is_signed_in();
            let idle = if was_signed_in { door.settings.idle } else { limits.stranger_idle };
            match timeout(idle, reader.begin()).await {
                Ok(Ok(())) => break,
                Ok(Err(end)) => return end,
                // Somebody signed in after the wait began: a bind is answered after the next message is awaited.
                Err(_) if !waiting.is_empty() || (!was_signed_in && is_signed_in()) => {}
                Err(_) => return End::Slow,
            }
        }
        let limit = if is_signed_in() { MAX_MESSAGE } else { MAX_STRANGERS_MESSAGE };
        let bytes = match timeout(limits.head, reader.message(limit)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(end)) => return end,
            Err(_) => return End::Slow,
        };
        // 2. What it is.
        let work = match decoded(bytes) {
            Ok(Message { request: Request::Unbind, .. }) => return End::Client,
            Ok(Message { request: Request::Abandon(id), .. }) => {
                waiting.abandon(id);
                continue;
            }
            Ok(message) => {
                waiting.add(message.id);
                Ok((message, Instant::now()))
            }
            Err(Ok(refusal)) => Err(refusal),
            Err(Err(end)) => return end,
        };
        if sender.send(work).await.is_err() {
            return End::Client;
        }
    }
}
