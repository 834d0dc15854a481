//! The door for agents: `POST /v1/enroll`, `/v1/renew`, `/v1/upload…`, and `GET /v1/agent`, which becomes a WebSocket.
//! Every answer is a frame. It holds [`landbridge_tenant_core::agents::Agents`] and nothing else.
//!
//! # Files
//!
//! - `door.rs`: the door and its clients: what the other files share
//! - `lib.rs`: this list, and the paths
//! - `requests.rs`: the requests of agents: frames in, frames out
//! - `frames.rs`: answers and refusals as frames
//! - `websocket.rs`: the WebSocket of an agent that answers sign-ins

mod door;
mod frames;
mod requests;
mod websocket;

pub use door::{AgentClient, AgentsDoor};

use frames::problem;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use landbridge_door_listen::body::{Answer, drain};
use landbridge_door_listen::listener::Connection;
use landbridge_wire::problem::{Problem, ProblemCode};
use std::sync::Arc;

/// Whether a request to this path is an agent's, also if this tenant does not have the path: then the answer is a
/// frame, which an agent reads.
pub fn is_for_agents(path: &str) -> bool {
    matches!(path, "/v1/enroll" | "/v1/renew" | "/v1/upload")
        || path.starts_with("/v1/upload/")
        || path == landbridge_wire::signin::PATH
}

impl AgentsDoor {
    /// Answers one request.
    pub async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<AgentClient>>,
        request: Request<Incoming>,
    ) -> Answer {
        if !connection.client.process.is_tls_13() {
            return problem(&Problem::new(ProblemCode::UnsupportedVersion, "agents use TLS 1.3 alone"));
        }
        let path = request.uri().path();
        if path == landbridge_wire::signin::PATH && request.method() == Method::GET {
            return requests::attend(&self, &connection, request).await;
        }
        let route = match path {
            "/v1/enroll" => Route::Enroll,
            "/v1/renew" => Route::Renew,
            "/v1/upload/hello" => Route::Hello,
            "/v1/upload/offer" => Route::Offer,
            "/v1/upload" => Route::Upload,
            "/v1/upload/heartbeat" => Route::Heartbeat,
            _ => return no_such_path(),
        };
        if request.method() != Method::POST {
            return post_only();
        }
        let (head, mut incoming) = request.into_parts();
        let (proof, incoming) = (requests::proof(&head.headers), &mut incoming);
        let answer = match route {
            Route::Enroll => requests::enroll(&self, &connection, incoming).await,
            Route::Renew => requests::renew(&self, &connection, proof, incoming).await,
            Route::Hello => requests::hello(&self, &connection, proof, incoming).await,
            Route::Offer => requests::offer(&self, &connection, proof, incoming).await,
            Route::Upload => requests::upload(&self, &connection, proof, incoming).await,
            Route::Heartbeat => requests::heartbeat(&self, &connection, proof, incoming).await,
        };
        if !answer.status().is_success() {
            drain(incoming).await;
        }
        answer
    }
}

enum Route {
    Enroll,
    Renew,
    Hello,
    Offer,
    Upload,
    Heartbeat,
}

/// The answer for a path that the tenant does not have.
fn no_such_path() -> Answer {
    problem(&Problem::new(ProblemCode::NotFound, "there is no such path here"))
}

/// The answer for a method other than POST.
fn post_only() -> Answer {
    let mut answer = problem(&Problem::new(ProblemCode::NotFound, "this path accepts only POST"));
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    answer
}
