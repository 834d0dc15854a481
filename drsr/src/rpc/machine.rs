//! Where the protocol and the caller, who does the IO, meet. The protocol is one async function, written from top to
//! bottom. It is suspended at each [`Step`] until the caller returns an [`Answer`]. No waker, no executor: one slot.
//! Nothing here opens a socket. Before it: `association`, `security`. After it: `phs::read::pull`.

use crate::drs::bind::Bound;
use crate::drs::change::Page;
use crate::drs::request::Order;
use crate::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Limit on the bytes of one KDC reply.
pub const MAX_KDC_REPLY: usize = landbridge_kerberos::limits::MAX_MESSAGE;

/// The next thing that the caller is to do. It returns an [`Answer`] when that is done.
#[derive(Debug)]
pub enum Step {
    /// Close the present connection, if there is one, and open one to this TCP port of the DC. Answer `Done`.
    Connect {
        /// The port.
        port: u16,
    },
    /// Send all of this over the connection. Answer `Done`.
    Send(Vec<u8>),
    /// Receive exactly this number of bytes over the connection. Answer `Bytes`.
    Receive(usize),
    /// Send this to the KDC over a TCP connection of its own, with its length in front (4 bytes, big-endian), and
    /// receive one reply in the same form, of at most [`MAX_KDC_REPLY`] bytes. Answer `Bytes`, without the length.
    Kdc(Vec<u8>),
    /// The session is bound, with this answer of the DC's, and idle. Answer `Order`.
    Ready(Bound),
    /// The result of an order. Answer `Done`.
    Page(Box<Page>),
    /// The DC refused an order; the session continues. Answer `Done`.
    Refused(Error),
    /// The session is over; close the connection.
    Finished,
}

/// The caller's answer to a [`Step`].
#[derive(Debug)]
pub enum Answer {
    /// The step is done.
    Done,
    /// The bytes that were received.
    Bytes(Vec<u8>),
    /// The next order.
    Order(Order),
}

/// The protocol's handle on the caller: each method suspends the protocol until the caller has acted.
#[derive(Clone)]
pub(crate) struct CallerIo(Arc<Mutex<Shared>>);

struct Shared {
    slot: Slot,
    /// The caller's clock at its last step, since 1970-01-01 UTC.
    now: Duration,
}

enum Slot {
    Empty,
    Requested(Step),
    Taken,
    Answered(Answer),
}

impl CallerIo {
    async fn perform(&self, step: Step) -> Answer {
        self.swap(Slot::Requested(step));
        poll_fn(|_| match self.swap(Slot::Taken) {
            Slot::Answered(answer) => {
                self.swap(Slot::Empty);
                Poll::Ready(answer)
            }
            other @ (Slot::Empty | Slot::Requested(_) | Slot::Taken) => {
                self.swap(other);
                Poll::Pending
            }
        })
        .await
    }

    fn swap(&self, slot: Slot) -> Slot {
        std::mem::replace(&mut self.shared().slot, slot)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, since 1970-01-01 UTC.
    pub(crate) fn now(&self) -> Duration {
        self.shared().now
    }

    async fn done(&self, step: Step) -> Result<(), Error> {
        match self.perform(step).await {
            Answer::Done => Ok(()),
            Answer::Bytes(_) | Answer::Order(_) => {
                Err(Error::OutOfOrder("an answer that does not fit the step"))
            }
        }
    }

    async fn bytes(&self, step: Step) -> Result<Vec<u8>, Error> {
        match self.perform(step).await {
            Answer::Bytes(bytes) => Ok(bytes),
            Answer::Done | Answer::Order(_) => Err(Error::OutOfOrder("an answer that does not fit the step")),
        }
    }

    pub(crate) async fn connect(&self, port: u16) -> Result<(), Error> {
        self.done(Step::Connect { port }).await
    }

    pub(crate) async fn send(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.done(Step::Send(bytes)).await
    }

    pub(crate) async fn receive(&self, count: usize) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes(Step::Receive(count)).await?;
        if bytes.len() == count {
            Ok(bytes)
        } else {
            Err(Error::OutOfOrder("another number of bytes than was requested"))
        }
    }

    pub(crate) async fn kdc(&self, request: Vec<u8>) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes(Step::Kdc(request)).await?;
        if bytes.len() <= MAX_KDC_REPLY { Ok(bytes) } else { Err(Error::TooLarge("a reply of the KDC")) }
    }

    pub(crate) async fn order(&self, bound: Bound) -> Result<Order, Error> {
        match self.perform(Step::Ready(bound)).await {
            Answer::Order(order) => Ok(order),
            Answer::Done | Answer::Bytes(_) => Err(Error::OutOfOrder("an order was expected")),
        }
    }

    pub(crate) async fn refused(&self, error: Error) -> Result<(), Error> {
        self.done(Step::Refused(error)).await
    }

    pub(crate) async fn page(&self, page: Page) -> Result<(), Error> {
        self.done(Step::Page(Box::new(page))).await
    }
}

/// A running protocol as its caller sees it: take the next step, act, answer.
pub(crate) struct Machine {
    io: CallerIo,
    protocol: Option<Protocol>,
}

type Protocol = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Machine {
    /// Nothing happens before the first [`Machine::next_step`].
    pub(crate) fn new<F>(protocol: impl FnOnce(CallerIo) -> F) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let io = CallerIo(Arc::new(Mutex::new(Shared { slot: Slot::Empty, now: Duration::ZERO })));
        Self { protocol: Some(Box::pin(protocol(io.clone()))), io }
    }

    /// The next step; `now` is since 1970-01-01 UTC. After an error there is none.
    pub(crate) fn next_step(&mut self, now: Duration) -> Result<Step, Error> {
        self.io.shared().now = now;
        let Some(protocol) = &mut self.protocol else { return Ok(Step::Finished) };
        match protocol.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                self.protocol = None;
                outcome.map(|()| Step::Finished)
            }
            Poll::Pending => match self.io.swap(Slot::Taken) {
                Slot::Requested(step) => Ok(step),
                Slot::Empty | Slot::Taken | Slot::Answered(_) => {
                    Err(Error::OutOfOrder("the last step was not answered"))
                }
            },
        }
    }

    /// Passes on the answer to the last step.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.io.swap(Slot::Answered(answer));
    }
}
