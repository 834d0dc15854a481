//! The door for agents: `POST /v1/enroll`, `/v1/renew`, `/v1/upload…`, and `GET /v1/agent`, which becomes a WebSocket.
//! It holds [`Agents`] and nothing else.
//!
//! # Files
//!
//! - `lib.rs`: this list, the paths, and the client of a connection
//! - `requests.rs`: the requests of agents: frames in, frames out
//! - `frames.rs`: answers and refusals as frames
//! - `websocket.rs`: the WebSocket of an agent that answers sign-ins

mod frames;
mod requests;
mod websocket;

use frames::problem;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use landbridge_door_listen::body::{Answer, drain};
use landbridge_door_listen::listener::{Client, Connection};
use landbridge_tenant_core::agents::Agents;
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_tenant_core::agents::open_connections::OpenConnection;
use landbridge_wire::problem::{Problem, ProblemCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Limit on uploads held in memory. Each is at most 8 MiB, so 4 cost 32 MiB.
const UPLOADS: usize = 4;

/// The door.
#[derive(Debug)]
pub struct AgentsDoor {
    agents: Agents,
    /// Permits for uploads that are held in memory.
    uploads: Semaphore,
    /// The time for a request's body.
    body_time: Duration,
}

/// The client of a connection: the names in its certificate, and its entry among the open connections.
#[derive(Debug)]
pub struct AgentClient {
    /// Its certificate, whose chain is verified; none: it sent none, or one without an agent's names.
    pub shown: Option<Shown>,
    open: Option<OpenConnection>,
}

impl Client for AgentClient {
    async fn cut(&self) {
        match &self.open {
            Some(open) => open.cut().await,
            None => std::future::pending().await,
        }
    }
}

impl AgentsDoor {
    /// Creates the door. The body of a request must arrive within `body_time`.
    pub fn new(agents: Agents, body_time: Duration) -> Self {
        Self { agents, uploads: Semaphore::new(UPLOADS), body_time }
    }

    /// The client of a new connection, from its certificate in DER.
    pub fn identify(&self, certificate: Option<&[u8]>) -> AgentClient {
        let shown = certificate.and_then(Shown::read);
        let open = shown.as_ref().map(|shown| self.agents.enter(shown.name.agent));
        AgentClient { shown, open }
    }

    /// Answers one request.
    pub async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<AgentClient>>,
        request: Request<Incoming>,
    ) -> Answer {
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
            _ => return no_such_path(),
        };
        if request.method() != Method::POST {
            return post_only();
        }
        let mut incoming = request.into_body();
        let incoming = &mut incoming;
        let answer = match route {
            Route::Enroll => requests::enroll(&self, incoming).await,
            Route::Renew => requests::renew(&self, &connection, incoming).await,
            Route::Hello => requests::hello(&self, &connection, incoming).await,
            Route::Offer => requests::offer(&self, &connection, incoming).await,
            Route::Upload => requests::upload(&self, &connection, incoming).await,
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
}

/// The answer for a path that the tenant does not have.
pub fn no_such_path() -> Answer {
    problem(&Problem::new(ProblemCode::NotFound, "there is no such path here"))
}

/// The answer for a method other than POST.
pub fn post_only() -> Answer {
    let mut answer = problem(&Problem::new(ProblemCode::NotFound, "this path accepts only POST"));
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    answer
}
