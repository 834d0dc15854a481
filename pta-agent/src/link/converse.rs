//! One connection, from the first packet to the last: WebSocket on TLS, and a session on it.

use super::{Ended, Links, SOFTWARE, Shown, raised, unix_now};
use crate::directory::NoVerdict;
use crate::session::{Closing, Output, Session, Settled};
use crate::status::{LinkStatus, OLDER_TENANT};
use futures_util::{SinkExt as _, StreamExt as _};
use landbridge_agent::AgentError;
use landbridge_agent::dial::{Address, dial};
use landbridge_host::tls_error::{self, Server};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::change::{CHANGE_PASSWORD, ChangeRequest};
use landbridge_wire::frame;
use landbridge_wire::problem::Problem;
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::signin::{
    BY_SID, Decline, DirectoryVerdict, FromAgent, Hello, MAX_MESSAGE, PATH, SILENCE, SignInRequest,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use uuid::Uuid;

/// Limit on open sign-ins on one connection, which the hello announces.
const CAPACITY: u16 = 64;
/// Limit on the WebSocket handshake, and on sending a message.
const PATIENCE: Duration = Duration::from_millis(SILENCE);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

impl Links {
    /// Connects and exchanges messages until the connection ends. Returns why it ended, and how long it lasted.
    pub(super) async fn converse(
        self: Arc<Self>,
        node: String,
        address: Address,
        shown: Arc<Shown>,
        draining: watch::Receiver<bool>,
    ) -> (Ended, Duration) {
        let mut socket = match self.connect(&address, &shown).await {
            Ok(socket) => socket,
            Err(error) => return (Ended::Broken(error), Duration::ZERO),
        };
        let began = Instant::now();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut talk = Talk { links: &self, shown, node, number, connection: Uuid::new_v4() };
        let ended = talk.run(&mut socket, draining).await;
        self.board.change(|status| drop(status.links.remove(&number)));
        self.nodes.send_modify(|known| known.ended(number, Instant::now()));
        let _ = tokio::time::timeout(Duration::from_millis(500), socket.close(None)).await;
        (ended, began.elapsed())
    }

    pub(crate) async fn connect(&self, address: &Address, shown: &Shown) -> Result<Socket, AgentError> {
        let stream = dial(address, shown.tls.clone(), self.proxy.as_ref()).await?;
        let host = address.authority.clone();
        let lost = |why: String| AgentError::Unreachable { host: host.clone(), why };
        let mut request =
            format!("wss://{host}{PATH}").into_client_request().map_err(|e| lost(in_words(&e)))?;
        let proof = self.process.prove(shown.agent, stream.get_ref().1)?;
        let proof = HeaderValue::try_from(proof).map_err(|_| AgentError::Unfit("the proof is no header"))?;
        request.headers_mut().insert(HEADER, proof);
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = 4 * 1024;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = 4 * MAX_MESSAGE;
        config.max_message_size = Some(MAX_MESSAGE);
        config.max_frame_size = Some(MAX_MESSAGE);
        let shaking = client_async_with_config(request, stream, Some(config));
        match tokio::time::timeout(PATIENCE, shaking).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Err(match frame::decode::<Problem>(body) {
                    Ok(problem) => AgentError::Refused(problem),
                    Err(_) => AgentError::NotATenant { host, status: answer.status().as_u16() },
                })
            }
            Ok(Err(error)) => Err(lost(in_words(&error))),
            Err(_) => Err(AgentError::Timeout { host, limit: PATIENCE }),
        }
    }
}

struct Talk<'a> {
    links: &'a Arc<Links>,
    shown: Arc<Shown>,
    node: String,
    number: u64,
    connection: Uuid,
}

impl Talk<'_> {
    async fn run(&mut self, socket: &mut Socket, mut draining: watch::Receiver<bool>) -> Ended {
        let changes = self.links.validator.changes().is_on();
        let abilities = [Some(BY_SID), changes.then_some(CHANGE_PASSWORD)].into_iter().flatten();
        let hello = Hello {
            connection: self.connection,
            instance: self.links.process.name(),
            software: Text::cut(SOFTWARE),
            capacity: CAPACITY,
            abilities: List::new(abilities.map(Text::cut).collect()).unwrap_or_default(),
        };
        let mut session = Session::new(hello, Instant::now());
        let (settle, mut settled) = mpsc::channel(usize::from(CAPACITY));
        let mut drains = true;
        loop {
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Send(message) => {
                        if let Err(error) = self.send(socket, &message).await {
                            return Ended::Broken(error);
                        }
                    }
                    Output::Welcomed { nodes, by_sid } => self.welcomed(&nodes, by_sid),
                    Output::Nodes(nodes) => self.learn(&nodes),
                    Output::Validate { sign_in, by } => self.validate(sign_in, by, settle.clone()),
                    Output::Change { change, by } => self.change(change, by, settle.clone()),
                    Output::Close(why) => return Ended::Closed(why),
                }
            }
            let timeout = session.poll_timeout().unwrap_or_else(|| Instant::now() + PATIENCE);
            tokio::select! {
                came = socket.next() => match came {
                    Some(Ok(Message::Binary(bytes))) => match frame::decode(&bytes) {
                        Ok(message) => session.heard(message, Instant::now()),
                        Err(error) => return Ended::Broken(error.into()),
                    },
                    // The library answers pings; the protocol has heartbeats of its own.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_))) | None => return self.lost("it closed the connection"),
                    Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                        return Ended::Closed(Closing::Breach("a message that is no frame"));
                    }
                    Some(Err(error)) => return self.lost(&in_words(&error)),
                },
                Some((request, outcome)) = settled.recv() => session.settled(request, outcome, Instant::now()),
                () = tokio::time::sleep_until(timeout.into()) => session.timeout(Instant::now()),
                () = raised(&mut draining), if drains => {
                    drains = false;
                    session.drain(Instant::now());
                }
            }
        }
    }

    fn lost(&self, why: &str) -> Ended {
        Ended::Broken(AgentError::Unreachable { host: self.node.clone(), why: why.to_owned() })
    }

    async fn send(&self, socket: &mut Socket, message: &FromAgent) -> Result<(), AgentError> {
        let frame = frame::encode(message)?;
        let sending = socket.send(Message::Binary(frame.to_vec().into()));
        let lost = |why: String| AgentError::Unreachable { host: self.node.clone(), why };
        match tokio::time::timeout(PATIENCE, sending).await {
            Ok(sent) => sent.map_err(|e| lost(in_words(&e))),
            Err(_) => Err(AgentError::Timeout { host: self.node.clone(), limit: PATIENCE }),
        }
    }

    fn welcomed(&self, nodes: &[String], by_sid: bool) {
        tracing::info!(node = self.node, "connected to the tenant");
        if !by_sid {
            tracing::warn!(node = self.node, "{OLDER_TENANT}");
        }
        let status = LinkStatus { node: self.node.clone(), since: unix_now(), older: !by_sid };
        self.links.board.connected(self.number, status);
        self.learn(nodes);
    }

    /// The tenant sent its nodes.
    fn learn(&self, nodes: &[String]) {
        self.links.nodes.send_modify(|known| known.named(self.number, &self.node, nodes, Instant::now()));
    }

    fn validate(&self, sign_in: Box<SignInRequest>, by: Instant, settle: mpsc::Sender<(Uuid, Settled)>) {
        let (links, shown, connection) = (self.links.clone(), self.shown.clone(), self.connection);
        tokio::spawn(async move {
            let outcome = answer(&links, &shown, connection, &sign_in, by).await;
            // The connection may be gone; then the tenant sends the sign-in to another agent.
            let _ = settle.send((sign_in.request, outcome)).await;
        });
    }

    fn change(&self, change: Box<ChangeRequest>, by: Instant, settle: mpsc::Sender<(Uuid, Settled)>) {
        let (links, shown, connection) = (self.links.clone(), self.shown.clone(), self.connection);
        tokio::spawn(async move {
            let outcome = answer_change(&links, &shown, connection, &change, by).await;
            // The connection may be gone; then the tenant does not know whether the password was changed.
            let _ = settle.send((change.request, outcome)).await;
        });
    }
}

/// An error of the WebSocket library in words.
fn in_words(error: &Error) -> String {
    if let Error::Io(why) = error {
        return tls_error::of_session(why, Server::Tenant);
    }
    let closed = matches!(
        error,
        Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete
            )
    );
    let long = matches!(error, Error::Capacity(_) | Error::WriteBufferFull(_));
    match (closed, long) {
        (true, _) => "the connection was closed",
        (false, true) => "a message is over the limit",
        (false, false) => "what answers there does not speak WebSocket as a tenant does",
    }
    .to_owned()
}

/// Opens a sign-in, tries the password, and returns the outcome.
async fn answer(
    links: &Links,
    shown: &Shown,
    connection: Uuid,
    sign_in: &SignInRequest,
    by: Instant,
) -> Settled {
    let Ok((password, key)) = shown.unsealer.open(connection, sign_in) else { return unopened(links) };
    let Some(account) = shown.unsealer.account(sign_in) else {
        return of_no_account(links, sign_in.object);
    };
    match links.validator.validate(&account, &password, by).await {
        Ok(verdict) => {
            links.board.answered(verdict);
            if let DirectoryVerdict::Unknown(code) = verdict {
                tracing::warn!(
                    code = format!("{code:#x}"),
                    "the directory refused with a code that is not known here"
                );
            }
            Settled::Verdict { verdict, tag: key.tag(&verdict.authenticated(sign_in.request)) }
        }
        Err(none) => declined(links, none),
    }
}

/// Opens a change of password, makes it, and returns the outcome.
async fn answer_change(
    links: &Links,
    shown: &Shown,
    connection: Uuid,
    change: &ChangeRequest,
    by: Instant,
) -> Settled {
    let Ok((passwords, key)) = shown.unsealer.open_change(connection, change) else { return unopened(links) };
    let Some(account) = shown.unsealer.account_of_change(change) else {
        return of_no_account(links, change.object);
    };
    let changed = links.validator.change_password(&account, change.account.as_str(), passwords, by).await;
    match changed {
        Ok(outcome) => {
            links.board.changed(&outcome);
            let tag = key.tag(&outcome.authenticated(change.request));
            Settled::Changed { outcome, tag }
        }
        Err(none) => declined(links, none),
    }
}

/// The envelope does not open.
fn unopened(links: &Links) -> Settled {
    tracing::warn!("an envelope does not open: it was sealed to another key, changed, or sent again");
    declined(links, NoVerdict { why: Decline::Unopened, tried: false })
}

/// The tenant sent a SID that is no account's of this domain.
fn of_no_account(links: &Links, object: Uuid) -> Settled {
    tracing::error!(%object, "the tenant sent a SID that is malformed or of another domain: no bind was sent");
    declined(links, NoVerdict { why: Decline::OtherAccount, tried: false })
}

/// Counts a request that is not answered, and returns the reason for the tenant.
fn declined(links: &Links, none: NoVerdict) -> Settled {
    let NoVerdict { why, tried } = none;
    links.board.declined(why);
    Settled::Declined { why, tried }
}
