//! The requests of agents: enrolment, renewal, uploads, and a connection for sign-ins. A request and its answer are
//! frames. The agent is admitted before a byte of the body is read.

use crate::door::{AgentClient, AgentsDoor};
use crate::frames::{framed, problem};
use crate::websocket;
use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use landbridge_door_listen::body::{Answer, BodyTrouble, body};
use landbridge_door_listen::listener::Connection;
use landbridge_tenant_core::agents::admission::Purpose;
use landbridge_tenant_core::agents::{Admitted, Agents, Arrival};
use landbridge_tenant_core::clock::unix_now;
use landbridge_wire::enroll::{EnrollRequest, RenewRequest};
use landbridge_wire::frame::{self, FrameError, MAX_FRAME};
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::upload::{Hello, Offer, PhsHeartbeat, Upload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Limit on the bytes of a message that is not an upload. The largest holds a certificate request and a few names.
const MAX_SMALL: usize = 32 * 1024;

/// The proof of the agent's process in the head of a request. A value that is no text is an empty one, which is no
/// proof.
pub(super) fn proof(headers: &HeaderMap) -> Option<String> {
    headers.get(HEADER).map(|value| value.to_str().unwrap_or_default().to_owned())
}

/// `POST /v1/enroll`.
pub(super) async fn enroll(
    door: &AgentsDoor,
    connection: &Connection<AgentClient>,
    incoming: &mut Incoming,
) -> Answer {
    let from = connection.address.ip();
    let outcome = async {
        let request: EnrollRequest = read(door, incoming, MAX_SMALL).await?;
        blocking(door, move |agents| agents.enroll(&request, from)).await
    };
    let outcome = outcome.await;
    let metrics = &door.agents.numbers().metrics;
    metrics.count(&metrics.enrollments, outcome.as_ref().err());
    match &outcome {
        Ok(made) => {
            tracing::info!(agent = %made.agent, domain = %made.domain, approved = made.approved, "enrolled")
        }
        Err(refusal) => tracing::warn!(code = %refusal.code, "an enrolment was refused"),
    }
    answered(&outcome)
}

/// `POST /v1/renew`.
pub(super) async fn renew(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    incoming: &mut Incoming,
) -> Answer {
    let outcome = async {
        let admitted = admitted(door, connection, proof, Purpose::Renewal).await?;
        let request: RenewRequest = read(door, incoming, MAX_SMALL).await?;
        let id = admitted.agent.id;
        let serial = connection.client.shown.as_ref().map(|shown| shown.serial.clone()).unwrap_or_default();
        let made = blocking(door, move |agents| agents.renew(&admitted, &serial, &request)).await?;
        tracing::info!(agent = %id, "certificate renewed");
        Ok(made)
    };
    let outcome = outcome.await;
    let metrics = &door.agents.numbers().metrics;
    metrics.count(&metrics.renewals, outcome.as_ref().err());
    answered(&outcome)
}

/// `GET /v1/agent`: the connection becomes a WebSocket, or the agent receives the reason why not.
pub(super) async fn attend(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    request: Request<Incoming>,
) -> Answer {
    let proof = proof(request.headers());
    let outcome = match admitted(door, connection, proof, Purpose::SignIn).await {
        Ok(admitted) => websocket::welcome(&door.agents, connection, &admitted, request, unix_now()),
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(|refusal| {
        let agent = connection.client.shown.as_ref().map(|shown| shown.name.agent);
        tracing::warn!(?agent, code = %refusal.code, detail = %refusal.detail, "an agent's connection was refused");
        problem(&refusal)
    })
}

/// `POST /v1/upload/hello`.
pub(super) async fn hello(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    incoming: &mut Incoming,
) -> Answer {
    let head = (connection, proof, Purpose::Hello);
    uploading(door, head, incoming, MAX_SMALL, |agents, admitted, hello: Hello| {
        agents.hello(admitted, &hello)
    })
    .await
}

/// `POST /v1/upload/offer`.
pub(super) async fn offer(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    incoming: &mut Incoming,
) -> Answer {
    let head = (connection, proof, Purpose::Upload);
    uploading(door, head, incoming, MAX_FRAME, |agents, admitted, offer: Offer| {
        agents.offer(admitted, &offer)
    })
    .await
}

/// `POST /v1/upload`.
pub(super) async fn upload(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    incoming: &mut Incoming,
) -> Answer {
    let head = (connection, proof, Purpose::Upload);
    uploading(door, head, incoming, MAX_FRAME, |agents, admitted, upload: Upload| {
        agents.upload(admitted, &upload)
    })
    .await
}

/// `POST /v1/upload/heartbeat`. It waits for no upload, and is no upload in the metrics.
pub(super) async fn heartbeat(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    incoming: &mut Incoming,
) -> Answer {
    let outcome = async {
        let admitted = admitted(door, connection, proof, Purpose::Upload).await?;
        let beat: PhsHeartbeat = read(door, incoming, MAX_SMALL).await?;
        blocking(door, move |agents| agents.heartbeat(&admitted, &beat)).await
    };
    answered(&outcome.await)
}

/// Admits the agent, reads a message of at most `max` bytes, and answers with what `apply` returns.
async fn uploading<M, R>(
    door: &AgentsDoor,
    (connection, proof, purpose): (&Arc<Connection<AgentClient>>, Option<String>, Purpose),
    incoming: &mut Incoming,
    max: usize,
    apply: fn(&Agents, &Admitted, M) -> Result<R, Problem>,
) -> Answer
where
    M: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    let outcome = async {
        let admitted = admitted(door, connection, proof, purpose).await?;
        // All agents together share this limit.
        let _permit = door.uploads.acquire().await.map_err(|_| overloaded())?;
        let message: M = read(door, incoming, max).await?;
        blocking(door, move |agents| apply(agents, &admitted, message)).await
    };
    let outcome = outcome.await;
    let metrics = &door.agents.numbers().metrics;
    metrics.count(&metrics.uploads, outcome.as_ref().err());
    if let Err(refusal) = &outcome {
        let agent = connection.client.shown.as_ref().map(|shown| shown.name.agent);
        tracing::warn!(?agent, code = %refusal.code, detail = %refusal.detail, "an upload was refused");
    }
    answered(&outcome)
}

/// The agent of the connection, if its row in the database permits this request now.
async fn admitted(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    proof: Option<String>,
    purpose: Purpose,
) -> Result<Admitted, Problem> {
    let (served, from, alive_at) = (connection.clone(), connection.address.ip(), connection.alive_at());
    let admitted = blocking(door, move |agents| {
        let AgentClient { shown, process, .. } = &served.client;
        let (shown, proof) = (shown.as_ref(), proof.as_deref());
        agents.admit(&Arrival { shown, process, proof, alive_at, from }, purpose)
    });
    let admitted = admitted.await?;
    connection.client.note_admitted(admitted.agent.id, from);
    Ok(admitted)
}

async fn read<M: DeserializeOwned>(
    door: &AgentsDoor,
    incoming: &mut Incoming,
    max: usize,
) -> Result<M, Problem> {
    let bytes = body(incoming, max, door.body_time).await.map_err(|trouble| match trouble {
        BodyTrouble::TooLarge => {
            Problem::new(ProblemCode::TooLarge, &format!("this path accepts {max} bytes at most"))
        }
        BodyTrouble::Slow => Problem::new(ProblemCode::Malformed, "the body did not arrive in time"),
        BodyTrouble::Broken => Problem::new(ProblemCode::Malformed, "the body is incomplete"),
    })?;
    frame::decode(&bytes).map_err(|error| {
        let code = match error {
            FrameError::Version(_) => ProblemCode::UnsupportedVersion,
            FrameError::TooLong(_) => ProblemCode::TooLarge,
            FrameError::Truncated { .. }
            | FrameError::Trailing(_)
            | FrameError::NotAFrame
            | FrameError::Malformed { .. } => ProblemCode::Malformed,
        };
        Problem::new(code, &error.to_string())
    })
}

async fn blocking<R: Send + 'static>(
    door: &AgentsDoor,
    work: impl FnOnce(&Agents) -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    let agents = door.agents.clone();
    let done = spawn_blocking(move || work(&agents)).await;
    done.unwrap_or_else(|_| {
        Err(Problem::new(ProblemCode::Internal, "the tenant failed; the reason is in its log"))
    })
}

fn answered<R: Serialize>(outcome: &Result<R, Problem>) -> Answer {
    match outcome {
        Ok(message) => framed(message),
        Err(refusal) => problem(refusal),
    }
}

fn overloaded() -> Problem {
    Problem {
        retry_after_seconds: Some(1),
        ..Problem::new(ProblemCode::Overloaded, "the tenant is stopping")
    }
}
