//! The requests of agents: enrolment, renewal, uploads, and a connection for sign-ins. A request and its answer are
//! frames. The agent is admitted before a byte of the body is read.

use crate::door::{AgentClient, AgentsDoor};
use crate::frames::{framed, problem};
use crate::websocket;
use hyper::Request;
use hyper::body::Incoming;
use landbridge_door_listen::body::{Answer, BodyTrouble, body};
use landbridge_door_listen::listener::Connection;
use landbridge_tenant_core::agents::admission::Purpose;
use landbridge_tenant_core::agents::{Agent, Agents, Writer};
use landbridge_tenant_core::clock::unix_now;
use landbridge_wire::enroll::{EnrollRequest, RenewRequest};
use landbridge_wire::frame::{self, FrameError, MAX_FRAME};
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::{Hello, Offer, Upload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Limit on the bytes of a message that is not an upload. The largest holds a certificate request and a few names.
const MAX_SMALL: usize = 32 * 1024;

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
    incoming: &mut Incoming,
) -> Answer {
    let outcome = async {
        let agent = admitted(door, connection, Purpose::Renewal).await?;
        let request: RenewRequest = read(door, incoming, MAX_SMALL).await?;
        let id = agent.id;
        let serial = connection.client.shown.as_ref().map(|shown| shown.serial.clone()).unwrap_or_default();
        let made = blocking(door, move |agents| agents.renew(&agent, &serial, &request)).await?;
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
    let outcome = match admitted(door, connection, Purpose::SignIn).await {
        Ok(agent) => websocket::welcome(&door.agents, connection, &agent, request, unix_now()),
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
    incoming: &mut Incoming,
) -> Answer {
    uploading(door, connection, incoming, MAX_SMALL, |agents, writer, hello: Hello| {
        agents.hello(writer, &hello)
    })
    .await
}

/// `POST /v1/upload/offer`.
pub(super) async fn offer(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    incoming: &mut Incoming,
) -> Answer {
    uploading(door, connection, incoming, MAX_FRAME, |agents, writer, offer: Offer| {
        agents.offer(writer, &offer)
    })
    .await
}

/// `POST /v1/upload`.
pub(super) async fn upload(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    incoming: &mut Incoming,
) -> Answer {
    uploading(door, connection, incoming, MAX_FRAME, |agents, writer, upload: Upload| {
        agents.upload(writer, &upload)
    })
    .await
}

/// Admits the agent, reads a message of at most `max` bytes, and answers with what `apply` returns.
async fn uploading<M, R>(
    door: &AgentsDoor,
    connection: &Arc<Connection<AgentClient>>,
    incoming: &mut Incoming,
    max: usize,
    apply: fn(&Agents, &Writer, M) -> Result<R, Problem>,
) -> Answer
where
    M: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    let outcome = async {
        let agent = admitted(door, connection, Purpose::Upload).await?;
        // All agents together share this limit.
        let _permit = door.uploads.acquire().await.map_err(|_| overloaded())?;
        let message: M = read(door, incoming, max).await?;
        let writer = Writer { agent: agent.id, domain: agent.domain };
        blocking(door, move |agents| apply(agents, &writer, message)).await
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
    purpose: Purpose,
) -> Result<Agent, Problem> {
    let (served, from) = (connection.clone(), connection.address.ip());
    let agent =
        blocking(door, move |agents| agents.admit(served.client.shown.as_ref(), purpose, from)).await?;
    connection.client.note_admitted(agent.id, from);
    Ok(agent)
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
