//! Limits the time that a client may take: seconds for a request's head, minutes between two requests, seconds to
//! read a response. The body of a request has a deadline of its own in [`super::body`].

use crate::limits::Limits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The state of a connection, set by the service that answers its requests.
#[derive(Debug, Clone)]
pub struct Rhythm(Arc<State>);

#[derive(Debug)]
struct State {
    phase: AtomicU8,
    stranger: AtomicBool,
}

/// The connection waits for a request.
const IDLE: u8 = 0;
/// The head of a request is arriving.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;

/// Marks the connection as answering a request until it is dropped.
#[derive(Debug)]
pub struct Busy(Rhythm);

impl Rhythm {
    /// The state of a new connection: the head of its first request must arrive.
    pub fn new() -> Self {
        Self(Arc::new(State { phase: AtomicU8::new(HEAD), stranger: AtomicBool::new(true) }))
    }

    /// Marks whether the client is a stranger: it has no certificate, and its last request no right credential.
    pub fn set_stranger(&self, stranger: bool) {
        self.0.stranger.store(stranger, Ordering::Release);
    }

    fn idle(&self, limits: &Limits) -> Duration {
        if self.0.stranger.load(Ordering::Acquire) { limits.stranger_idle } else { limits.idle }
    }

    /// Marks that a request's head has arrived.
    pub fn busy(&self) -> Busy {
        self.0.phase.store(BUSY, Ordering::Release);
        Busy(self.clone())
    }
}

impl Default for Rhythm {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.phase.store(IDLE, Ordering::Release);
    }
}

/// A stream whose reads and writes fail when the client is too slow.
pub struct Paced<S> {
    stream: S,
    rhythm: Rhythm,
    limits: Limits,
    seen: u8,
    read_by: Pin<Box<Sleep>>,
    write_by: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// Wraps the stream of a new connection. The time for its first head starts now.
    pub fn new(stream: S, rhythm: Rhythm, limits: Limits) -> Self {
        let read_by = Box::pin(tokio::time::sleep(limits.head));
        Self { stream, rhythm, limits, seen: HEAD, read_by, write_by: None }
    }

    fn restart(&mut self, state: u8, after: Duration) {
        self.seen = state;
        self.read_by.as_mut().reset(Instant::now() + after);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let state = this.rhythm.0.phase.load(Ordering::Acquire);
        if state != this.seen {
            let idle = this.rhythm.idle(&this.limits);
            this.restart(state, if state == HEAD { this.limits.head } else { idle });
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if state == IDLE && buf.filled().len() > before {
                    // This is the first byte of the next request, unless the service has received the whole head
                    // already.
                    let begun = this
                        .rhythm
                        .0
                        .phase
                        .compare_exchange(IDLE, HEAD, Ordering::AcqRel, Ordering::Acquire)
                        .is_ok();
                    if begun {
                        let head = this.limits.head;
                        this.restart(HEAD, head);
                    }
                }
                Poll::Ready(read)
            }
            // A body has its own deadline, and the time of an answer is not limited.
            Poll::Pending if state == BUSY => Poll::Pending,
            Poll::Pending => match this.read_by.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    fn paced<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match poll(Pin::new(&mut self.stream), cx) {
            Poll::Ready(done) => {
                self.write_by = None;
                Poll::Ready(done)
            }
            Poll::Pending => {
                let limit = self.limits.write;
                let by = self.write_by.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                match by.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.paced(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.paced(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.paced(cx, AsyncWrite::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::pace::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn limits() -> Limits {
        Limits { head: Duration::from_millis(40), idle: Duration::from_secs(60), ..Limits::default() }
    }

    #[tokio::test]
    async fn a_head_that_arrives_slowly_times_out_although_bytes_keep_coming() {
        let (mut client, ours) = tokio::io::duplex(1024);
        let mut paced = Paced::new(ours, Rhythm::new(), limits());
        let reading = tokio::spawn(async move { paced.read_to_end(&mut Vec::new()).await });
        let trickle = async {
            loop {
                if client.write_all(b"x").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let deadline = Duration::from_secs(10);
        tokio::time::timeout(deadline, trickle).await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_request_that_is_being_answered_has_no_time_limit() {
        let (mut client, ours) = tokio::io::duplex(1024);
        let rhythm = Rhythm::new();
        let mut paced = Paced::new(ours, rhythm.clone(), limits());
        let busy = rhythm.busy();
        let reading = tokio::spawn(async move {
            let mut one = [0; 1];
            paced.read_exact(&mut one).await
        });
        tokio::time::sleep(Duration::from_millis(120)).await;
        client.write_all(b"x").await.unwrap();
        reading.await.unwrap().unwrap();
        drop(busy);
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_times_out() {
        let (_client, ours) = tokio::io::duplex(8);
        let limits = Limits { write: Duration::from_millis(30), ..limits() };
        let mut paced = Paced::new(ours, Rhythm::new(), limits);
        let written = paced.write_all(&[0; 64]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
