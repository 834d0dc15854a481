//! The WebSocket of one agent (RFC 6455) at `GET /v1/agent`. Each message is one frame in a binary message.
//! Before it: [`super::requests`] admits the agent. After it: the relay, behind [`Agents`].

use crate::door::AgentClient;
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
use landbridge_door_listen::body::Answer;
use landbridge_door_listen::listener::{Client as _, Connection};
use landbridge_tenant_core::agents::{Admitted, Agents, Facts, Link, link_facts};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::signin::{FromAgent, FromTenant, MAX_MESSAGE, SILENCE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use uuid::Uuid;

/// Limit on the time of one write. An agent that reads nothing for as long as it may be silent counts as lost.
const SENDING: Duration = Duration::from_millis(SILENCE);
/// Bytes of the read buffer of a connection. Most messages fit, and there may be many connections.
const BUFFER: usize = 4 * 1024;

/// Starts the WebSocket of an admitted agent in a task of its own. Returns the answer to the HTTP request.
pub(crate) fn welcome(
    agents: &Agents,
    connection: &Arc<Connection<AgentClient>>,
    admitted: &Admitted,
    mut request: Request<Incoming>,
    now: i64,
) -> Result<Answer, Problem> {
    // 1. Check the request and the certificate.
    let malformed = |what| Problem::new(ProblemCode::Malformed, what);
    let accept = accept_key(request.headers())
        .ok_or_else(|| malformed("this path accepts only WebSocket, version 13"))?;
    let shown =
        connection.client.shown.as_ref().ok_or_else(|| malformed("the client sent no certificate"))?;
    let facts = link_facts(&admitted.agent, shown, now)?;
    let process = admitted.process;
    // 2. Serve the WebSocket when hyper has sent the answer.
    let upgrade = hyper::upgrade::on(&mut request);
    let (agents, connection) = (agents.clone(), connection.clone());
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(&agents, &connection, facts, process, upgraded).await,
            Err(error) => tracing::debug!(%error, "an agent disconnected before its WebSocket began"),
        }
    });
    // 3. Answer.
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

/// Serves one WebSocket until it ends or is cut. `process` is the one that the connection has proved.
async fn serve(
    agents: &Agents,
    connection: &Connection<AgentClient>,
    facts: Facts,
    process: Option<Uuid>,
    upgraded: Upgraded,
) {
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
    // A cut ends the connection even while a write waits for an agent that does not read.
    let (why, at_once) = tokio::select! {
        () = connection.client.cut() => ("the agent was revoked or quarantined", true),
        () = closed.notified() => ("the relay closed it", true),
        why = exchange_messages(agents, link, (agent, process), &mut socket, outgoing) => (why, false),
    };
    agents.leave(link);
    tracing::info!(%agent, link = link.0, why, "an agent's connection has ended");
    if !at_once {
        // A close frame tells the agent at once that the connection ends.
        let _ = tokio::time::timeout(Duration::from_millis(500), socket.close(None)).await;
    }
}

/// Sends the messages of the relay and passes received messages to it. Returns why the connection ends.
async fn exchange_messages(
    agents: &Agents,
    link: Link,
    (agent, process): (Uuid, Option<Uuid>),
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
            received = socket.next() => match received {
                Some(Ok(Message::Binary(bytes))) => match frame::decode(&bytes) {
                    Ok(message) => {
                        if let FromAgent::Hello(hello) = &message
                            && let Err(refusal) = introduce(agents, agent, process, hello.instance).await
                        {
                            tracing::warn!(%agent, code = %refusal.code, detail = %refusal.detail, "an agent's process was refused");
                            return "the agent's process was refused";
                        }
                        agents.receive(link, message);
                    }
                    Err(error) => {
                        tracing::warn!(%agent, %error, "an agent's message cannot be read");
                        return "the agent sent a malformed message";
                    }
                },
                // The library answers pings at its next read. Both kinds show that the agent is alive.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => agents.receive(link, FromAgent::Unknown),
                Some(Ok(Message::Close(_))) | None => return "the agent closed it",
                Some(Ok(Message::Text(_) | Message::Frame(_))) => return "the agent sent a message that is not binary",
                Some(Err(error)) => {
                    tracing::debug!(%agent, %error, "an agent's connection broke");
                    return "it broke";
                }
            },
        }
    }
}

/// Checks the process that a hello names.
async fn introduce(
    agents: &Agents,
    agent: Uuid,
    process: Option<Uuid>,
    instance: Uuid,
) -> Result<(), Problem> {
    let agents = agents.clone();
    let checked = spawn_blocking(move || agents.introduce(agent, process, instance)).await;
    checked.unwrap_or_else(|_| Err(Problem::new(ProblemCode::Internal, "the tenant failed")))
}

async fn send(
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
    message: &FromTenant,
) -> Result<(), &'static str> {
    let frame = frame::encode(message).map_err(|_| "a message could not be encoded")?;
    let sending = socket.send(Message::Binary(Bytes::copy_from_slice(&frame)));
    match tokio::time::timeout(SENDING, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("it broke"),
        Err(_) => Err("the agent does not read"),
    }
}
