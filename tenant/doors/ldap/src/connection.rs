//! One connection: reads requests, answers them in their order, and closes within its limits.
//!
//! Requests are read while another one is answered, so that Abandon and Unbind are noticed; at most 16 wait. They
//! are answered one after the other, so a bind comes after all that was requested before it, and before all behind it.
//! Neighbours: `bind` and `search` do what is requested.

use super::bind::{Session, policy_control};
use super::controls::{ResponseControl, SortResult};
use super::cookie::{Binding, Position};
use super::door::LdapDoor;
use super::framing::{NoMessage, message_length};
use super::message::{self, Extended, Message, Request, Scope, Search};
use super::response::{self, Operation, Outcome, ResultCode, ReturnedAttribute};
use super::root_dse::{RootDse, START_TLS, SUBSCHEMA, WHO_AM_I};
use super::schema::classes::View;
use super::schema::{Selection, attribute};
use super::search::{self, AnswerLimits, Run, Step};
use super::subschema::Subschema;
use super::tree::{Tree, no_photo};
use landbridge_door_listen::limits::Limits;
use landbridge_door_listen::listener::{Arrival, Protocol, stopped};
use landbridge_wire::distinguished_name::DistinguishedName;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

fn answer(id: u32, operation: Operation, outcome: &Outcome, controls: &[ResponseControl]) -> Option<Vec<u8>> {
    response::outcome(id, operation, outcome, controls).ok().flatten()
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

/// The requests of a connection that were read and not answered yet.
#[derive(Default)]
struct Waiting(Mutex<Vec<(u32, bool)>>);

impl Waiting {
    fn held(&self) -> MutexGuard<'_, Vec<(u32, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, id: u32) {
        self.held().push((id, false));
    }

    fn abandon(&self, id: u32) {
        self.held()
            .iter_mut()
            .filter(|(waiting, _)| *waiting == id)
            .for_each(|(_, abandoned)| *abandoned = true);
    }

    fn is_abandoned(&self, id: u32) -> bool {
        self.held().iter().any(|(waiting, abandoned)| *waiting == id && *abandoned)
    }

    fn remove(&self, id: u32) {
        let mut held = self.held();
        if let Some(place) = held.iter().position(|(waiting, _)| *waiting == id) {
            held.remove(place);
        }
    }

    fn is_empty(&self) -> bool {
        self.held().is_empty()
    }
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

/// Answers the requests of a connection.
struct Worker<'a, W> {
    door: &'a LdapDoor,
    write: &'a mut W,
    limits: Limits,
    number: u64,
    session: Session,
    waiting: &'a Waiting,
    signed_in: &'a (dyn Fn(bool) + Send + Sync),
}

/// The client does not read what is written to it, or is gone.
struct NotRead;

impl<W: AsyncWrite + Unpin> Worker<'_, W> {
    async fn run(&mut self, mut requests: mpsc::Receiver<Result<(Message, Instant), Vec<u8>>>) {
        while let Some(request) = requests.recv().await {
            let written = match request {
                Err(refusal) => self.send(&refusal).await,
                Ok((message, arrived)) => {
                    let id = message.id;
                    let written = if self.waiting.is_abandoned(id) {
                        Ok(())
                    } else {
                        self.answer(message, arrived).await
                    };
                    self.waiting.remove(id);
                    written
                }
            };
            if written.is_err() {
                return;
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), NotRead> {
        let written = timeout(self.limits.write, async {
            self.write.write_all(bytes).await?;
            self.write.flush().await
        });
        written.await.map_err(|_| NotRead)?.map_err(|_| NotRead)
    }

    async fn finish(
        &mut self,
        id: u32,
        operation: Operation,
        outcome: &Outcome,
        controls: &[ResponseControl],
    ) -> Result<(), NotRead> {
        self.door.count(operation, outcome.code);
        match answer(id, operation, outcome, controls) {
            Some(bytes) => self.send(&bytes).await,
            None => Ok(()),
        }
    }

    async fn answer(&mut self, message: Message, arrived: Instant) -> Result<(), NotRead> {
        let Message { id, request, controls } = message;
        let operation = match &request {
            Request::Bind(_) => Operation::Bind,
            Request::Search(_) => Operation::Search,
            Request::Compare(_) => Operation::Compare,
            Request::Extended(_) => Operation::Extended,
            Request::Write(operation) => *operation,
            Request::Unbind | Request::Abandon(_) => return Ok(()),
        };
        // 1. A control that must be obeyed and is unknown.
        if let Some(oid) = controls.unknown_critical() {
            let words = format!("the control {oid} is critical and unknown here");
            let outcome = Outcome::new(ResultCode::UnavailableCriticalExtension, words);
            return self.finish(id, operation, &outcome, &[]).await;
        }
        match request {
            Request::Bind(bind) => {
                let (outcome, policy) = self.door.bind(&mut self.session, bind, arrived).await;
                let is_bound = !matches!(self.session.bound, super::bind::Bound::Nobody);
                (self.signed_in)(is_bound);
                let controls = policy_control(controls.password_policy, policy);
                self.finish(id, Operation::Bind, &outcome, &controls).await
            }
            Request::Search(search) if is_public(&search) => {
                let bytes = public(self.door, &self.session, id, &search, false).await;
                self.send(&bytes).await
            }
            Request::Search(search) => self.search(id, search, &controls).await,
            Request::Compare(compare) => {
                if self.door.follow().await.is_err() {
                    return self.finish(id, Operation::Compare, &unreadable(), &[]).await;
                }
                let outcome = self.door.directory.image(|image| match self.session.reader(image) {
                    Ok(reader) => search::compare(image, &reader, &compare),
                    Err(refused) => refused,
                });
                self.finish(id, Operation::Compare, &outcome.unwrap_or_else(unreadable), &[]).await
            }
            Request::Extended(Extended { oid, .. }) if oid == WHO_AM_I => {
                if self.door.follow().await.is_err() {
                    return self.finish(id, Operation::Extended, &unreadable(), &[]).await;
                }
                let name =
                    self.door.directory.image(|image| self.session.who_am_i(image)).unwrap_or_default();
                let success = Outcome::new(ResultCode::Success, "");
                self.door.count(Operation::Extended, success.code);
                match response::extended(id, &success, None, Some(name.as_bytes())) {
                    Ok(bytes) => self.send(&bytes).await,
                    Err(_) => Ok(()),
                }
            }
            Request::Extended(Extended { oid, .. }) if oid == START_TLS => {
                let outcome = Outcome::new(ResultCode::OperationsError, "TLS is in use already");
                self.finish(id, Operation::Extended, &outcome, &[]).await
            }
            Request::Extended(_) => {
                let outcome = Outcome::new(ResultCode::ProtocolError, "this operation is unknown here");
                self.finish(id, Operation::Extended, &outcome, &[]).await
            }
            Request::Write(operation) => {
                let words = "the directory is read only: change the entry in Active Directory";
                let outcome = Outcome::new(ResultCode::UnwillingToPerform, words);
                self.finish(id, operation, &outcome, &[]).await
            }
            Request::Unbind | Request::Abandon(_) => Ok(()),
        }
    }

    async fn search(
        &mut self,
        id: u32,
        search: Box<Search>,
        controls: &super::controls::Controls,
    ) -> Result<(), NotRead> {
        // 1. Who searches.
        if self.door.follow().await.is_err() {
            return self.finish(id, Operation::Search, &unreadable(), &[]).await;
        }
        let reader = self.door.directory.image(|image| self.session.reader(image));
        let reader = match reader {
            Some(Ok(reader)) => reader,
            Some(Err(refused)) => return self.finish(id, Operation::Search, &refused, &[]).await,
            None => return self.finish(id, Operation::Search, &unreadable(), &[]).await,
        };
        // 2. Where it begins.
        let Ok(base) = DistinguishedName::parse(&search.base) else {
            let (code, words) = if search.base.is_empty() {
                (
                    ResultCode::NoSuchObject,
                    "no entry has an empty name: begin at a naming context of the root DSE",
                )
            } else {
                (ResultCode::InvalidDnSyntax, "the base is no distinguished name")
            };
            return self.finish(id, Operation::Search, &Outcome::new(code, words), &[]).await;
        };
        // 3. The order.
        let (order, sorted) = match controls.sort.as_ref().map(|sort| (search::order(sort), sort.critical)) {
            None => (Vec::new(), None),
            Some((Ok(order), _)) => (order, Some(SortResult::Success)),
            Some((Err(why), true)) => {
                let words = "the entries cannot be sorted so, and the control is critical";
                let outcome = Outcome::new(ResultCode::UnavailableCriticalExtension, words);
                return self.finish(id, Operation::Search, &outcome, &[ResponseControl::Sorted(why)]).await;
            }
            Some((Err(why), false)) => (Vec::new(), Some(why)),
        };
        // 4. The page.
        let identity = self.session.identity();
        let hash = search.hash;
        let binding = Binding { connection: self.number, identity: &identity, search: &hash };
        let position = match controls.paged.as_ref() {
            None => None,
            Some(paged) if paged.cookie.is_empty() => Some(Position::default()),
            Some(paged) => match self.door.cookies.open(&binding, &paged.cookie) {
                Some(position) => Some(position),
                None => {
                    let words = "the cookie is not of this search on this connection: begin the search again";
                    let outcome = Outcome::new(ResultCode::UnwillingToPerform, words);
                    return self.finish(id, Operation::Search, &outcome, &[]).await;
                }
            },
        };
        let mut closing = Vec::new();
        closing.extend(sorted.map(ResponseControl::Sorted));
        if controls.paged.as_ref().is_some_and(|paged| paged.size == 0 && !paged.cookie.is_empty()) {
            closing.push(ResponseControl::Paged { estimate: 0, cookie: Vec::new() });
            return self
                .finish(id, Operation::Search, &Outcome::new(ResultCode::Success, ""), &closing)
                .await;
        }
        // 5. The entries, and the outcome.
        let limits = AnswerLimits {
            entries: self.door.settings.entries,
            page: controls.paged.as_ref().map(|paged| paged.size),
        };
        let application = reader.app.application.id;
        let mut run = Run::new(id, reader, (search, base), order, position, limits);
        let mut large = None;
        loop {
            if self.waiting.is_abandoned(id) {
                return Ok(());
            }
            let step = self
                .door
                .directory
                .image(|image| run.step(image, &|object| self.door.directory.photo(object)));
            match step {
                Some(Step::Entries(bytes)) => {
                    if !bytes.is_empty() {
                        self.send(&bytes).await?;
                    }
                    tokio::task::yield_now().await;
                }
                Some(Step::Large(bytes)) => {
                    self.send(&bytes).await?;
                    let mut place = std::pin::pin!(self.door.large_search(application));
                    while large.is_none() && !run.is_over() && !self.waiting.is_abandoned(id) {
                        tokio::select! {
                            permit = &mut place => large = Some(permit),
                            () = tokio::time::sleep(Duration::from_millis(50)) => {}
                        }
                    }
                    run.may_be_large();
                }
                Some(Step::Done(mut bytes, outcome, next)) => {
                    if controls.paged.is_some() {
                        let cookie =
                            next.map(|next| self.door.cookies.seal(&binding, &next)).unwrap_or_default();
                        closing.push(ResponseControl::Paged { estimate: 0, cookie });
                    }
                    self.door.count(Operation::Search, outcome.code);
                    bytes.extend(answer(id, Operation::Search, &outcome, &closing).unwrap_or_default());
                    return self.send(&bytes).await;
                }
                None => return self.finish(id, Operation::Search, &unreadable(), &[]).await,
            }
        }
    }
}

fn unreadable() -> Outcome {
    Outcome::new(ResultCode::Unavailable, "the directory cannot be read now: try another server")
}

/// Whether a search is for the root DSE or the subschema, which everybody may read.
fn is_public(search: &Search) -> bool {
    search.scope == Scope::Base && (search.base.is_empty() || search.base.eq_ignore_ascii_case(SUBSCHEMA))
}

/// The whole answer to a search for the root DSE or the subschema.
async fn public(door: &LdapDoor, session: &Session, id: u32, search: &Search, start_tls: bool) -> Vec<u8> {
    door.count(Operation::Search, ResultCode::Success);
    // 1. The attributes. Without a readable directory there are no naming contexts.
    let _ = door.follow().await;
    let (contexts, view, last_change) = door
        .directory
        .image(|image| {
            let Some(app) = session.application(image) else { return (Vec::new(), View::Rfc2307Bis, None) };
            let seen = image.seen_by(&app);
            let heads = Tree::new(image, &app, &seen, &no_photo).heads;
            let last_change = session.reader(image).is_ok().then(|| image.last_change());
            let contexts = heads.into_iter().map(|head| head.text).collect();
            (contexts, super::entry::view(app.access.view), last_change)
        })
        .unwrap_or((Vec::new(), View::Rfc2307Bis, None));
    let (name, attributes) = if search.base.is_empty() {
        let dse = RootDse {
            naming_contexts: &contexts,
            last_change,
            start_tls,
            password_modify: false,
            version: env!("CARGO_PKG_VERSION"),
        };
        ("", dse.attributes())
    } else {
        (SUBSCHEMA, subschema(view))
    };
    // 2. Those that were requested, if the filter fits.
    let selection = Selection::of(&search.attributes);
    let wanted = |one: &ReturnedAttribute| {
        let Some(found) = attribute(&one.name) else { return false };
        selection.named.iter().any(|named| named.attribute == found.attribute)
            || if found.attribute.operational { selection.all_operational } else { selection.all_user }
    };
    let fits = search.filter.evaluate(&Fixed(&attributes)) == super::filter::Truth::True;
    let mut returned: Vec<ReturnedAttribute> = attributes.into_iter().filter(wanted).collect();
    if search.types_only {
        returned.iter_mut().for_each(|one| one.values.clear());
    }
    let mut bytes = Vec::new();
    if fits {
        bytes.extend(response::entry(id, name, returned).unwrap_or_default());
    }
    let success = Outcome::new(ResultCode::Success, "");
    bytes.extend(answer(id, Operation::Search, &success, &[]).unwrap_or_default());
    bytes
}

/// An entry that is made up here as a filter sees it.
struct Fixed<'a>(&'a [ReturnedAttribute]);

impl super::filter::Entry for Fixed<'_> {
    fn any_value(
        &self,
        wanted: &'static super::schema::attribute_type::AttributeType,
        test: &mut dyn FnMut(&[u8]) -> bool,
    ) -> bool {
        let named =
            |one: &&ReturnedAttribute| attribute(&one.name).is_some_and(|found| found.attribute == wanted);
        self.0.iter().filter(named).flat_map(|one| &one.values).any(|value| test(value))
    }

    fn in_chain(
        &self,
        _: &'static super::schema::attribute_type::AttributeType,
        _: &DistinguishedName,
    ) -> bool {
        false
    }
}

/// The attributes of the subschema entry.
fn subschema(view: View) -> Vec<ReturnedAttribute> {
    let Subschema { attribute_types, object_classes, ldap_syntaxes, matching_rules, matching_rule_use } =
        Subschema::of(view);
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let rows = [
        ("objectClass", texts(&["top", "subentry", "subschema"])),
        ("cn", texts(&["subschema"])),
        ("subtreeSpecification", texts(&["{}"])),
        ("attributeTypes", attribute_types),
        ("objectClasses", object_classes),
        ("ldapSyntaxes", ldap_syntaxes),
        ("matchingRules", matching_rules),
        ("matchingRuleUse", matching_rule_use),
    ];
    let row = |(name, values): (&str, Vec<String>)| ReturnedAttribute {
        name: name.to_owned(),
        values: values.into_iter().map(String::into_bytes).collect(),
    };
    rows.into_iter().map(row).collect()
}
