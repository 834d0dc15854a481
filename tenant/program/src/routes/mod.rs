//! From a request to the code that answers it: paths, methods, bodies within their bounds.
//! Before it on the road: `accept`. After it: [`agents`] (frames) and [`signin`] (JSON).

pub mod agents;
pub mod signin;

use crate::accept::{Peer, Take};
use crate::serve::Tenant;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// An answer, whole.
pub type Answer = Response<Full<Bytes>>;

impl Take for Tenant {
    async fn take(self: Arc<Self>, peer: Arc<Peer>, request: Request<Incoming>) -> Answer {
        let arrived = Instant::now();
        let path = request.uri().path();
        if path == landbridge_wire::signin::PATH && request.method() == Method::GET {
            return agents::attend(self, &peer, request).await;
        }
        let route = match path {
            "/v1/enroll" => Route::Enroll,
            "/v1/renew" => Route::Renew,
            "/v1/upload/hello" => Route::Hello,
            "/v1/upload/offer" => Route::Offer,
            "/v1/upload" => Route::Upload,
            SIGN_IN => Route::SignIn,
            _ => return problem(&Problem::new(ProblemCode::NotFound, "there is no such path here")),
        };
        if request.method() != Method::POST {
            let mut answer = problem(&Problem::new(ProblemCode::NotFound, "this path takes POST alone"));
            *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        let (head, mut incoming) = request.into_parts();
        let incoming = &mut incoming;
        let answer = match route {
            Route::Enroll => agents::enroll(self, incoming).await,
            Route::Renew => agents::renew(self, &peer, incoming).await,
            Route::Hello => agents::hello(self, &peer, incoming).await,
            Route::Offer => agents::offer(self, &peer, incoming).await,
            Route::Upload => agents::upload(self, &peer, incoming).await,
            Route::SignIn => signin::sign_in(self, &head.headers, incoming, arrived).await,
        };
        if !answer.status().is_success() {
            drain(incoming).await;
        }
        answer
    }
}

/// The tenant as applications see it at their own address: sign-ins, and nothing else.
pub struct Applications(pub Arc<Tenant>);

impl Take for Applications {
    async fn take(self: Arc<Self>, peer: Arc<Peer>, request: Request<Incoming>) -> Answer {
        if request.uri().path() == SIGN_IN {
            return self.0.clone().take(peer, request).await;
        }
        problem(&Problem::new(ProblemCode::NotFound, "there is no such path here"))
    }
}

const SIGN_IN: &str = "/v1/signin";

enum Route {
    Enroll,
    Renew,
    Hello,
    Offer,
    Upload,
    SignIn,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyTrouble {
    /// It is over its bound, or says that it will be.
    TooLarge,
    /// It did not come in time.
    Slow,
    /// The connection broke, or the body was not what its head promised.
    Broken,
}

/// Reads a body of at most `max` bytes. Wiped when dropped, and while it grows; what hyper and the kernel
/// buffered on the way is not.
pub async fn body(
    incoming: &mut Incoming,
    max: usize,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, BodyTrouble> {
    let promised = incoming.size_hint();
    let max_u64 = u64::try_from(max).unwrap_or(u64::MAX);
    if promised.lower() > max_u64 {
        return Err(BodyTrouble::TooLarge);
    }
    let whole = promised.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut read = Zeroizing::new(Vec::with_capacity(whole.min(FIRST_ROOM)));
    let reading = async {
        while let Some(piece) = incoming.frame().await {
            let piece = piece.map_err(|_| BodyTrouble::Broken)?;
            let Ok(piece) = piece.into_data() else { continue };
            let wanted = read.len().saturating_add(piece.len());
            if wanted > max {
                return Err(BodyTrouble::TooLarge);
            }
            if wanted > read.capacity() {
                // By hand, so that the smaller buffer is wiped.
                let room = wanted.max(read.capacity().saturating_mul(2)).min(max);
                let mut larger = Zeroizing::new(Vec::with_capacity(room));
                larger.extend_from_slice(&read);
                read = larger;
            }
            read.extend_from_slice(&piece);
        }
        Ok(read)
    };
    tokio::time::timeout(patience, reading).await.unwrap_or(Err(BodyTrouble::Slow))
}

/// A refusal finds an ear only when the body before it was taken: so much of it is, and thrown away,
const DRAINED: u64 = 8 * 1024 * 1024;
/// for so long.
const DRAINING: Duration = Duration::from_secs(2);

/// Takes the rest of a body that nobody wants, if it is not too long.
async fn drain(incoming: &mut Incoming) {
    if incoming.is_end_stream() || incoming.size_hint().lower() > DRAINED {
        return;
    }
    let taking = async {
        let mut taken = 0_u64;
        while taken <= DRAINED
            && let Some(Ok(piece)) = incoming.frame().await
        {
            let length = piece.data_ref().map_or(0, Bytes::len);
            taken = taken.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
    };
    let _ = tokio::time::timeout(DRAINING, taking).await;
}

/// Memory is given to a body before it comes up to so many bytes; after that as it comes.
const FIRST_ROOM: usize = 64 * 1024;

/// An answer in a frame.
fn framed<T: serde::Serialize>(message: &T) -> Answer {
    match frame::encode(message) {
        Ok(bytes) => answer(StatusCode::OK, FRAME, Bytes::copy_from_slice(&bytes)),
        Err(_) => problem(&Problem::new(ProblemCode::Internal, "the answer does not fit into a frame")),
    }
}

/// A refusal in a frame.
fn problem(problem: &Problem) -> Answer {
    let status =
        StatusCode::from_u16(problem.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = frame::encode(problem).unwrap_or_default();
    let mut answer = answer(status, FRAME, Bytes::copy_from_slice(&bytes));
    if let Some(seconds) = problem.retry_after_seconds {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == ProblemCode::TooLarge {
        // The rest of the body is not wanted.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

const FRAME: &str = "application/vnd.landbridge";
const JSON: &str = "application/json";

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
