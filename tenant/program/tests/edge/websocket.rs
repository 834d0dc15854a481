//! The agents' WebSocket under clients that are none: hostile frames, floods, half messages, too many links.
//! The client here writes its own bytes, because a sound library cannot be made to send these.

use super::harness::{DEADLINE, Edge, Identity, Process, Tls, code, until};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_tenant_rules::relay::AgentView;
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::signin::{
    Answer, DirectoryVerdict, FromAgent, FromTenant, Heartbeat, Hello, MAX_MESSAGE, PATH,
};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use uuid::Uuid;

/// Who says nothing is let go after five seconds: what ends sooner was ended for what it said.
const UNHEARD: Duration = Duration::from_secs(5);

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const BEGIN: u8 = 0x02;
const MORE: u8 = 0x00;
const PING: u8 = 0x89;

async fn agent(edge: &Edge) -> Identity {
    edge.pta().await
}

const SOUND: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Asks for a WebSocket with these headers; the connection, and the head of the answer in lower case.
async fn asked(edge: &Edge, identity: &Identity, headers: &str) -> std::io::Result<(Tls, String)> {
    let mut tls = edge.connect(Some(identity)).await?;
    let proof = identity.header(&tls);
    let head = format!("GET {PATH} HTTP/1.1\r\nhost: tenant.example.com\r\n{proof}{headers}\r\n");
    tls.write_all(head.as_bytes()).await?;
    let mut came = Vec::new();
    loop {
        let mut some = [0; 4096];
        let read = tokio::time::timeout(DEADLINE, tls.read(&mut some)).await.unwrap()?;
        came.extend_from_slice(&some[..read]);
        if came.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok((tls, String::from_utf8_lossy(&came).to_ascii_lowercase()));
        }
        assert!(read > 0, "no answer");
    }
}

async fn opened(edge: &Edge, identity: &Identity) -> Tls {
    let (tls, head) = asked(edge, identity, SOUND).await.unwrap();
    // RFC 6455, section 1.3, has this pair.
    assert!(head.starts_with("http/1.1 101 ") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    tls
}

/// One WebSocket frame of a client (RFC 6455, section 5.2), masked with zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn said(message: &FromAgent) -> Vec<u8> {
    masked(BINARY, &frame::encode(message).unwrap())
}

fn hello(identity: &Identity) -> FromAgent {
    let (connection, instance) = (Uuid::new_v4(), identity.instance());
    let (software, abilities) = (Text::new("test").unwrap(), List::default());
    FromAgent::Hello(Hello { connection, instance, software, capacity: 64, abilities })
}

/// Reads until the tenant ends it; says how long that took.
async fn ends(mut tls: Tls) -> Duration {
    let began = Instant::now();
    let mut all = Vec::new();
    // A close or a cut: either is an end.
    let _ = tokio::time::timeout(DEADLINE, tls.read_to_end(&mut all)).await.expect("it is not ended");
    began.elapsed()
}

/// An agent that does as it should: says hello and sends heartbeats back, until the tenant ends it.
pub(crate) fn honest(edge: &Edge, identity: &Identity, tls: Tls) -> tokio::task::JoinHandle<()> {
    let mut request = format!("wss://{}{PATH}", edge.address).into_client_request().unwrap();
    if let Some(process) = &identity.process {
        request.headers_mut().insert(HEADER, process.prove(identity.agent, &tls).parse().unwrap());
    }
    let introduction = hello(identity);
    tokio::spawn(async move {
        let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
        let mut say = Some(introduction);
        loop {
            if let Some(message) = say.take() {
                let bytes = frame::encode(&message).unwrap().to_vec();
                socket.send(Message::Binary(bytes.into())).await.unwrap();
            }
            match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    if let FromTenant::Heartbeat(beat) = frame::decode(&bytes).unwrap() {
                        say = Some(FromAgent::Heartbeat(beat));
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    })
}

pub(crate) fn links_of(edge: &Edge, identity: &Identity) -> usize {
    let view = |view: &AgentView| (view.agent == identity.agent).then_some(view.links);
    edge.tenant.agents.connected().iter().find_map(view).unwrap_or(0)
}

#[tokio::test]
async fn only_an_approved_pta_agent_that_speaks_websocket_13_is_let_in() {
    let edge = Edge::start().await;
    let pta = agent(&edge).await;
    for unsound in [
        "",
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 12\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
        "connection: keep-alive\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n",
    ] {
        let (_, head) = asked(&edge, &pta, unsound).await.unwrap();
        assert!(head.starts_with("http/1.1 400 "), "{unsound:?}: {head}");
    }
    let get = || super::harness::request("GET", PATH, b"");
    let (status, _, body) = edge.send(None, get()).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(code::<()>(Err(frame::decode::<Problem>(&body).unwrap())), ProblemCode::CertificateRequired);
    for (identity, wanted) in [(edge.phs().await, "403"), (pta, "101")] {
        let (_, head) = asked(&edge, &identity, SOUND).await.unwrap();
        assert!(head.starts_with(&format!("http/1.1 {wanted} ")), "{head}");
        edge.ask(AdminRequest::AgentsRevoke { agent: identity.agent }).await;
        let (_, head) = asked(&edge, &identity, SOUND).await.unwrap();
        assert!(head.starts_with("http/1.1 403 "), "revoked: {head}");
    }
    assert!(edge.tenant.agents.connected().is_empty());
}

#[tokio::test]
async fn whatever_breaks_the_protocol_ends_its_own_connection_and_no_other() {
    let edge = Edge::start().await;
    let (good, bad) = (agent(&edge).await, agent(&edge).await);
    let serving = honest(&edge, &good, edge.connect(Some(&good)).await.unwrap());
    until("the honest agent is there", async || links_of(&edge, &good) == 1).await;
    let tag = Blob::new([0; 32]).unwrap();
    let answer = FromAgent::Answer(Answer { request: Uuid::nil(), verdict: DirectoryVerdict::Valid, tag });
    let other_version = {
        let mut bytes = frame::encode(&hello(&bad)).unwrap().to_vec();
        bytes[2] = bytes[2].wrapping_add(1);
        masked(BINARY, &bytes)
    };
    let mut unmasked = vec![BINARY, 3];
    unmasked.extend_from_slice(b"abc");
    let whole = vec![0; MAX_MESSAGE];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a text", masked(TEXT, b"hello")),
        ("no frame of ours", masked(BINARY, b"hello")),
        ("nothing at all", masked(BINARY, b"")),
        ("a frame of another version", other_version),
        ("an answer before the hello", said(&answer)),
        ("a second hello", [said(&hello(&bad)), said(&hello(&bad))].concat()),
        ("one byte more than a message has", masked(BINARY, &vec![0; MAX_MESSAGE + 1])),
        ("a length beyond all memory", [&[BINARY, 0xff], &[0x7f; 8][..], &[0; 4]].concat()),
        ("fragments that add up", [masked(BEGIN, &whole), masked(MORE, b"x")].concat()),
        ("a continuation of nothing", masked(MORE, b"x")),
        ("not masked", unmasked),
        ("a kind of frame that is not", masked(0x83, b"x")),
        ("a reserved bit", masked(BINARY | 0x40, b"x")),
        ("a ping in fragments", masked(PING & 0x7f, b"x")),
        ("a close with half a code", masked(0x88, b"x")),
        ("no WebSocket", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        let mut tls = opened(&edge, &bad).await;
        tls.write_all(&bytes).await.unwrap();
        let took = ends(tls).await;
        assert!(took < UNHEARD, "{what}: ended after {took:?}, by its silence");
        until("it is gone", async || links_of(&edge, &bad) == 0).await;
    }
    assert_eq!(links_of(&edge, &good), 1, "the honest agent is not touched");
    edge.ask(AdminRequest::AgentsRevoke { agent: good.agent }).await;
    tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_agent_that_sends_more_than_a_response_is_disconnected() {
    let edge = Edge::start().await;
    let bad = agent(&edge).await;
    let beat = said(&FromAgent::Heartbeat(Heartbeat { at: 0 }));
    for (what, one) in [
        ("heartbeats", beat),
        ("pings", masked(PING, b"ping")),
        ("kinds that are not known", said(&FromAgent::Unknown)),
    ] {
        let mut tls = opened(&edge, &bad).await;
        tls.write_all(&said(&hello(&bad))).await.unwrap();
        until("it is there", async || links_of(&edge, &bad) == 1).await;
        // In one go, so that no heartbeat of the tenant allows for all of it.
        tls.write_all(&one.repeat(2_000)).await.unwrap();
        let began = Instant::now();
        until("it is gone", async || links_of(&edge, &bad) == 0).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{what}: it was let go for its silence");
        drop(tls);
    }
}

#[tokio::test]
async fn an_agent_that_sends_nothing_or_half_a_message_is_disconnected() {
    let edge = Edge::start().await;
    let bad = agent(&edge).await;
    let whole = said(&hello(&bad));
    let half = &whole[..whole.len() / 2];
    let silent = async |bytes: &[u8]| {
        let mut tls = opened(&edge, &bad).await;
        tls.write_all(bytes).await.unwrap();
        ends(tls).await
    };
    // A hello, and then nothing: three seconds. No hello: five.
    let (nothing, half, hello_alone) = tokio::join!(silent(b""), silent(half), silent(&whole));
    assert!(
        nothing >= Duration::from_millis(4_900) && half >= Duration::from_millis(4_900),
        "{nothing:?} {half:?}"
    );
    assert!(hello_alone >= Duration::from_millis(2_900) && hello_alone < nothing, "{hello_alone:?}");
    assert_eq!(links_of(&edge, &bad), 0);
}

#[tokio::test]
async fn one_agent_has_sixteen_links_and_no_more() {
    let edge = Edge::start().await;
    let many = agent(&edge).await;
    let mut serving = Vec::new();
    for links in 1..=16 {
        serving.push(honest(&edge, &many, edge.connect(Some(&many)).await.unwrap()));
        until("it is there", async || links_of(&edge, &many) == links).await;
    }
    let mut tls = opened(&edge, &many).await;
    tls.write_all(&said(&hello(&many))).await.unwrap();
    let took = ends(tls).await;
    assert!(took < UNHEARD, "{took:?}");
    assert_eq!(links_of(&edge, &many), 16);
    edge.ask(AdminRequest::AgentsRevoke { agent: many.agent }).await;
    for link in serving {
        tokio::time::timeout(DEADLINE, link).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_hello_names_the_process_that_its_connection_has_proved_or_the_connection_ends() {
    let edge = Edge::start().await;
    let pta = agent(&edge).await;
    let mut tls = opened(&edge, &pta).await;
    tls.write_all(&said(&hello(&pta.copied(Some(Process::new()))))).await.unwrap();
    let took = ends(tls).await;
    assert!(took < UNHEARD, "{took:?}");
    assert_eq!(links_of(&edge, &pta), 0);
    let mut tls = opened(&edge, &pta).await;
    tls.write_all(&said(&hello(&pta))).await.unwrap();
    until("it is there", async || links_of(&edge, &pta) == 1).await;
}

#[tokio::test]
async fn an_agent_that_proved_a_process_is_refused_in_words_without_a_proof_and_cannot_introduce_itself() {
    let edge = Edge::start().await;
    let pta = agent(&edge).await;
    // 1. Of version 0.1, it is let in. It opens another connection, and does not introduce itself on it yet.
    let old = pta.copied(None);
    let mut first = opened(&edge, &old).await;
    first.write_all(&said(&hello(&old))).await.unwrap();
    until("it is there", async || links_of(&edge, &old) == 1).await;
    let mut silent = opened(&edge, &old).await;
    // 2. The upgraded agent proves its process.
    let mut upgraded = opened(&edge, &pta).await;
    upgraded.write_all(&said(&hello(&pta))).await.unwrap();
    until("both are there", async || links_of(&edge, &pta) == 2).await;
    // 3. From now on nothing is taken without a proof.
    silent.write_all(&said(&hello(&old))).await.unwrap();
    let took = ends(silent).await;
    assert!(took < UNHEARD, "{took:?}");
    let (mut tls, head) = asked(&edge, &old, SOUND).await.unwrap();
    assert!(head.starts_with("http/1.1 400 ") && head.contains("application/vnd.landbridge"), "{head}");
    tls.shutdown().await.unwrap();
    // `check` of the upgraded agent connects as a process of its own, and closes without a hello.
    let check = pta.copied(Some(Process::new()));
    drop(opened(&edge, &check).await);
    until("the agent is known by its process", async || {
        let ask = "SELECT instance FROM agents WHERE id = ?1 AND proved_at IS NOT NULL";
        let found = edge.database().query_row(ask, [pta.agent.as_bytes()], |row| row.get::<_, Vec<u8>>(0));
        found.is_ok_and(|found| found == pta.instance().as_bytes())
    })
    .await;
}
