//! Encodes answers and refusals to agents as frames.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use landbridge_door_listen::body::Answer;
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};

/// The answer with this message in a frame.
pub(crate) fn framed<T: serde::Serialize>(message: &T) -> Answer {
    match frame::encode(message) {
        Ok(bytes) => answer(StatusCode::OK, FRAME, Bytes::copy_from_slice(&bytes)),
        Err(_) => problem(&Problem::new(ProblemCode::Internal, "the answer does not fit into a frame")),
    }
}

/// The answer with this problem in a frame, its HTTP status, and Retry-After where the problem has one.
pub(crate) fn problem(problem: &Problem) -> Answer {
    let status =
        StatusCode::from_u16(problem.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = frame::encode(problem).unwrap_or_default();
    let mut answer = answer(status, FRAME, Bytes::copy_from_slice(&bytes));
    if let Some(seconds) = problem.retry_after_seconds {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == ProblemCode::TooLarge {
        // The rest of the body is not read, so the connection cannot carry another request.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Content type of every frame.
const FRAME: &str = "application/vnd.landbridge";

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
