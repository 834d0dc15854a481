//! One agent's WebSocket (RFC 6455): `GET /v1/agent`, a frame a message, nothing else.

use crate::AgentClient;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_door_listen::body::Answer;
use landbridge_door_listen::listener::{Client as _, Connection};
use landbridge_tenant_core::agents::{Agent, Agents, Facts, Link};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::signin::{FromAgent, FromTenant, MAX_MESSAGE, SILENCE};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use uuid::Uuid;

/// An agent that does not take what it is sent for so long is not there.
const SENDING: Duration = Duration::from_millis(SILENCE);
/// Messages are small: buffers too, for there are many connections.
const BUFFER: usize = 4 * 1024;

/// Takes an agent that `admit` let in. The answer is what its HTTP request is told; the WebSocket goes on by itself.
pub(crate) fn welcome(
    agents: &Agents,
    connection: &Arc<Connection<AgentClient>>,
    agent: &Agent,
    mut request: Request<Incoming>,
    now: i64,
) -> Result<Answer, Problem> {
    let malformed = |what| Problem::new(ProblemCode::Malformed, what);
    let accept =
        accept_key(request.headers()).ok_or_else(|| malformed("this path speaks WebSocket, version 13"))?;
    let shown = connection.client.shown.as_ref().ok_or_else(|| malformed("no certificate was shown"))?;
    let key = shown.name.envelope.and_then(|key| EnvelopePublic::from_bytes(&key).ok());
    let key = key.ok_or_else(|| {
        Problem::new(
            ProblemCode::CertificateRequired,
            "the certificate names no usable envelope key: enrol again",
        )
    })?;
    let left = u64::try_from(shown.not_after.saturating_sub(now)).unwrap_or(0);
    let facts = Facts {
        agent: agent.id,
        domain: agent.domain,
        domain_sid: agent.domain_sid.clone(),
        serial: shown.serial.clone(),
        key,
        until: Instant::now() + Duration::from_secs(left.min(366 * 86_400)),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (agents, connection) = (agents.clone(), connection.clone());
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(&agents, &connection, facts, upgraded).await,
            Err(error) => tracing::debug!(%error, "an agent went away before its WebSocket began"),
        }
    });
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let is = |name, wanted: &str| {
        let values = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        values.split(',').any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    if !is(CONNECTION, "upgrade") || !is(UPGRADE, "websocket") || !is(SEC_WEBSOCKET_VERSION, "13") {
        return None;
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() <= 64)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Carries messages in both directions until either side has enough.
async fn serve(agents: &Agents, connection: &Connection<AgentClient>, facts: Facts, upgraded: Upgraded) {
    let _busy = connection.busy();
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = BUFFER;
    config.write_buffer_size = 0;
    config.max_write_buffer_size = 4 * MAX_MESSAGE;
    config.max_message_size = Some(MAX_MESSAGE);
    config.max_frame_size = Some(MAX_MESSAGE);
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let agent = facts.agent;
    let (link, outgoing, closed) = agents.join(facts);
    // Whatever the conversation is waiting for: a peer that does not read outlasts nothing.
    let (why, at_once) = tokio::select! {
        () = connection.client.cut() => ("it was cut", true),
        () = closed.notified() => ("the tenant has done with it", true),
        why = converse(agents, link, agent, &mut socket, outgoing) => (why, false),
    };
    agents.leave(link);
    tracing::info!(%agent, link = link.0, why, "an agent's connection is over");
    if !at_once {
        // For an agent that still listens: an end, and not a silence.
        let _ = tokio::time::timeout(Duration::from_millis(500), socket.close(None)).await;
    }
}

/// Sends what there is to send and hears what comes; says why it ends.
async fn converse(
    agents: &Agents,
    link: Link,
    agent: Uuid,
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
    mut outgoing: mpsc::Receiver<FromTenant>,
) -> &'static str {
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some(message) = message else { return "the tenant stops" };
                if let Err(why) = send(socket, &message).await {
                    return why;
                }
            }
            came = socket.next() => match came {
                Some(Ok(Message::Binary(bytes))) => match frame::decode(&bytes) {
                    Ok(message) => agents.receive(link, message),
                    Err(error) => {
                        tracing::warn!(%agent, %error, "an agent's message cannot be read");
                        return "it sent what cannot be read";
                    }
                },
                // Answered by the library as it reads on; heartbeats are ours to send. They count as messages.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => agents.receive(link, FromAgent::Unknown),
                Some(Ok(Message::Close(_))) | None => return "it closed",
                Some(Ok(Message::Text(_) | Message::Frame(_))) => return "it sent what is no frame",
                Some(Err(error)) => {
                    tracing::debug!(%agent, %error, "an agent's connection broke");
                    return "it broke";
                }
            },
        }
    }
}

async fn send(
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
    message: &FromTenant,
) -> Result<(), &'static str> {
    let frame = frame::encode(message).map_err(|_| "a message for it could not be made")?;
    let sending = socket.send(Message::Binary(Bytes::copy_from_slice(&frame)));
    match tokio::time::timeout(SENDING, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("it broke"),
        Err(_) => Err("it does not take what it is sent"),
    }
}
