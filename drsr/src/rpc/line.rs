//! The seam between the protocol and whoever does the IO: the protocol is written as a straight async
//! function that asks, and is suspended until it is answered. No waker, no executor: one slot.
//! Nothing here opens a socket. Before it: `association`, `security`. After it: `phs::pull`.

use crate::drs::change::Page;
use crate::drs::request::Order;
use crate::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The most bytes of one KDC reply that is to be read: tickets with large PACs are tens of kilobytes.
pub const MAX_KDC_REPLY: usize = 1 << 20;

/// What the machine wants done. Do it, then give the [`Answer`].
#[derive(Debug)]
pub enum Ask {
    /// Leave the present connection, if any, and open one to this TCP port of the DC. Answer `Done`.
    Connect {
        /// The port.
        port: u16,
    },
    /// Send all of this over the connection. Answer `Done`.
    Send(Vec<u8>),
    /// Receive exactly so many bytes over the connection. Answer `Bytes`.
    Receive(usize),
    /// Send this to the KDC by TCP, as it is, and read one reply: 4 bytes of length (big-endian, at most
    /// [`MAX_KDC_REPLY`]) and so many bytes. Answer `Bytes`, with the length in front.
    Kdc(Vec<u8>),
    /// Nothing is under way: the session is bound. Answer `Order`.
    Ready,
    /// What an order brought. Answer `Done`.
    Page(Box<Page>),
    /// The DC said no to an order, and the session goes on. Answer `Done`.
    Refused(Error),
    /// The session is over; close the connection.
    Finished,
}

/// What was done.
#[derive(Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// These bytes came.
    Bytes(Vec<u8>),
    /// Do this next.
    Order(Order),
}

/// The protocol's end of the seam.
#[derive(Clone)]
pub(crate) struct Line(Arc<Mutex<Slot>>);

enum Slot {
    Empty,
    Asked(Ask),
    Taken,
    Answered(Answer),
}

impl Line {
    async fn ask(&self, ask: Ask) -> Answer {
        self.swap(Slot::Asked(ask));
        poll_fn(|_| match self.swap(Slot::Taken) {
            Slot::Answered(answer) => {
                self.swap(Slot::Empty);
                Poll::Ready(answer)
            }
            other @ (Slot::Empty | Slot::Asked(_) | Slot::Taken) => {
                self.swap(other);
                Poll::Pending
            }
        })
        .await
    }

    fn swap(&self, slot: Slot) -> Slot {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), slot)
    }

    async fn done(&self, ask: Ask) -> Result<(), Error> {
        match self.ask(ask).await {
            Answer::Done => Ok(()),
            Answer::Bytes(_) | Answer::Order(_) => {
                Err(Error::OutOfOrder("an answer that does not fit what was asked"))
            }
        }
    }

    async fn bytes(&self, ask: Ask) -> Result<Vec<u8>, Error> {
        match self.ask(ask).await {
            Answer::Bytes(bytes) => Ok(bytes),
            Answer::Done | Answer::Order(_) => {
                Err(Error::OutOfOrder("an answer that does not fit what was asked"))
            }
        }
    }

    pub(crate) async fn connect(&self, port: u16) -> Result<(), Error> {
        self.done(Ask::Connect { port }).await
    }

    pub(crate) async fn send(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.done(Ask::Send(bytes)).await
    }

    pub(crate) async fn receive(&self, count: usize) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes(Ask::Receive(count)).await?;
        if bytes.len() == count {
            Ok(bytes)
        } else {
            Err(Error::OutOfOrder("another count of bytes than was asked"))
        }
    }

    pub(crate) async fn kdc(&self, request: Vec<u8>) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes(Ask::Kdc(request)).await?;
        if bytes.len() <= MAX_KDC_REPLY + 4 { Ok(bytes) } else { Err(Error::TooLarge("a reply of the KDC")) }
    }

    pub(crate) async fn order(&self) -> Result<Order, Error> {
        match self.ask(Ask::Ready).await {
            Answer::Order(order) => Ok(order),
            Answer::Done | Answer::Bytes(_) => Err(Error::OutOfOrder("an order was expected")),
        }
    }

    pub(crate) async fn refused(&self, error: Error) -> Result<(), Error> {
        self.done(Ask::Refused(error)).await
    }

    pub(crate) async fn page(&self, page: Page) -> Result<(), Error> {
        self.done(Ask::Page(Box::new(page))).await
    }
}

/// A protocol under way, seen from the outside: ask, act, answer.
pub(crate) struct Machine {
    line: Line,
    protocol: Option<Protocol>,
}

type Protocol = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Machine {
    /// Nothing happens before the first [`Machine::ask`].
    pub(crate) fn new<F>(protocol: impl FnOnce(Line) -> F) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let line = Line(Arc::new(Mutex::new(Slot::Empty)));
        Self { protocol: Some(Box::pin(protocol(line.clone()))), line }
    }

    /// What is to be done next. After an error there is nothing left to ask.
    pub(crate) fn ask(&mut self) -> Result<Ask, Error> {
        let Some(protocol) = &mut self.protocol else { return Ok(Ask::Finished) };
        match protocol.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                self.protocol = None;
                outcome.map(|()| Ask::Finished)
            }
            Poll::Pending => match self.line.swap(Slot::Taken) {
                Slot::Asked(ask) => Ok(ask),
                Slot::Empty | Slot::Taken | Slot::Answered(_) => {
                    Err(Error::OutOfOrder("the last ask was not answered"))
                }
            },
        }
    }

    /// Gives the answer to the last ask.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.line.swap(Slot::Answered(answer));
    }
}
