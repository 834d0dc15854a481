//! Answers the requests of one connection, one after the other: a bind comes after all that was requested before it, and
//! before all behind it.
//! Neighbours: [`super::connection`] reads the requests; `bind` and `search` do what is requested.

use super::bind::{Bound, Session, policy_control};
use super::controls::{ResponseControl, SortResult};
use super::cookie::{Binding, Position};
use super::door::LdapDoor;
use super::message::{Extended, Message, Request, Search};
use super::order::order;
use super::public::{is_public, public};
use super::response::{self, Operation, Outcome, ResultCode, answer};
use super::root_dse::{PASSWORD_MODIFY, START_TLS, WHO_AM_I};
use super::search::{self, AnswerLimits, Run, Step};
use landbridge_door_listen::limits::Limits;
use landbridge_wire::distinguished_name::DistinguishedName;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The requests of a connection that were read and not answered yet.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<(u32, bool)>>);

impl Waiting {
    fn held(&self) -> MutexGuard<'_, Vec<(u32, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, id: u32) {
        self.held().push((id, false));
    }

    pub(crate) fn abandon(&self, id: u32) {
        self.held()
            .iter_mut()
            .filter(|(waiting, _)| *waiting == id)
            .for_each(|(_, abandoned)| *abandoned = true);
    }

    pub(crate) fn is_abandoned(&self, id: u32) -> bool {
        self.held().iter().any(|(waiting, abandoned)| *waiting == id && *abandoned)
    }

    pub(crate) fn remove(&self, id: u32) {
        let mut held = self.held();
        if let Some(place) = held.iter().position(|(waiting, _)| *waiting == id) {
            held.remove(place);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }
}

/// Answers the requests of a connection.
pub(crate) struct Worker<'a, W> {
    pub(crate) door: &'a LdapDoor,
    pub(crate) write: &'a mut W,
    pub(crate) limits: Limits,
    /// Of the connection.
    pub(crate) number: u64,
    pub(crate) session: Session,
    pub(crate) waiting: &'a Waiting,
    /// Is called when somebody has signed in, or nobody is any more.
    pub(crate) signed_in: &'a (dyn Fn(bool) + Send + Sync),
}

/// The client does not read what is written to it, or is gone.
struct NotRead;

impl<W: AsyncWrite + Unpin> Worker<'_, W> {
    pub(crate) async fn run(&mut self, mut requests: mpsc::Receiver<Result<(Message, Instant), Vec<u8>>>) {
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
                self.note_signed_in();
                let wanted = controls.password_policy;
                let expires_in = if wanted { self.door.expires_in(&self.session).await } else { None };
                let controls = policy_control(wanted, expires_in, policy);
                self.finish(id, Operation::Bind, &outcome, &controls).await
            }
            Request::Search(search) if is_public(&search) => {
                let bytes = public(self.door, &self.session, id, &search, false).await;
                self.send(&bytes).await
            }
            Request::Search(search) => self.search(id, search, &controls).await,
            Request::Compare(compare) => {
                let outcome = match self.reader().await {
                    Ok(reader) => {
                        let compared =
                            self.door.directory.image(|image| search::compare(image, &reader, &compare));
                        compared.unwrap_or_else(unreadable)
                    }
                    Err(refused) => refused,
                };
                self.finish(id, Operation::Compare, &outcome, &[]).await
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
            Request::Extended(Extended { oid, value }) if oid == PASSWORD_MODIFY => {
                let value = value.as_ref().map(|value| value.as_slice());
                let (outcome, policy) = self.door.change_password(&mut self.session, value, arrived).await;
                self.note_signed_in();
                let controls = policy_control(controls.password_policy, None, policy);
                self.finish(id, Operation::Extended, &outcome, &controls).await
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

    /// Passes on whether somebody is signed in.
    fn note_signed_in(&self) {
        (self.signed_in)(!matches!(self.session.bound, Bound::Anonymous));
    }

    /// Who reads the directory as it is now. The error is the answer.
    async fn reader(&self) -> Result<search::Reader, Outcome> {
        self.door.follow().await.map_err(|_| unreadable())?;
        self.door.directory.image(|image| self.session.reader(image)).unwrap_or_else(|| Err(unreadable()))
    }

    async fn search(
        &mut self,
        id: u32,
        search: Box<Search>,
        controls: &super::controls::Controls,
    ) -> Result<(), NotRead> {
        // 1. Who searches.
        let reader = match self.reader().await {
            Ok(reader) => reader,
            Err(refused) => return self.finish(id, Operation::Search, &refused, &[]).await,
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
        let (order, sorted) = match controls.sort.as_ref().map(|sort| (order(sort), sort.critical)) {
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
