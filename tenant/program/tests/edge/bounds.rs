//! Whatever a client sends, and however slowly, ends in a clear answer or a closed connection.

use crate::harness::{DEADLINE, Edge, code, hello, request, until};
use hyper::StatusCode;
use landbridge_door_listen::limits::Limits;
use landbridge_wire::enroll::EnrollResponse;
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::Receipt;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn short() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_bound_is_refused_by_its_length_and_by_its_bytes() {
    let edge = Edge::start().await;
    let big = vec![b'x'; 64 * 1024];
    let outcome = edge.post_bytes::<EnrollResponse>(None, "/v1/enroll", &big).await;
    assert_eq!(code(outcome), ProblemCode::TooLarge);

    // The length alone is enough: not one byte of the body is sent.
    let phs = edge.phs().await;
    let mut tls = edge.connect(Some(&phs)).await.unwrap();
    let head = "POST /v1/upload HTTP/1.1\r\nhost: t\r\ncontent-length: 4000000000\r\n\r\n";
    tls.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(DEADLINE, tls.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");

    // And without a length, the bytes are counted.
    let mut tls = edge.connect(None).await.unwrap();
    tls.write_all(b"POST /v1/enroll HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    for _ in 0..4 {
        if tls.write_all(&chunk).await.is_err() {
            break;
        }
    }
    tokio::time::timeout(DEADLINE, tls.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_cut_foreign_or_of_another_version_is_named_as_such() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let good = frame::encode(&hello(Some(&phs))).unwrap().to_vec();
    let send = async |bytes: &[u8]| edge.post_bytes::<Receipt>(Some(&phs), "/v1/upload/hello", bytes).await;
    send(&good).await.unwrap();
    for cut in [0, 4, 8, good.len() - 1] {
        assert_eq!(code(send(&good[..cut]).await), ProblemCode::Malformed, "{cut}");
    }
    assert_eq!(code(send(&[good.clone(), vec![0]].concat()).await), ProblemCode::Malformed);
    assert_eq!(code(send(b"GET / HTTP/1.1").await), ProblemCode::Malformed);
    let mut newer = good.clone();
    newer[2] = 9;
    assert_eq!(code(send(&newer).await), ProblemCode::UnsupportedVersion);
    let mut longer = good;
    longer[4] = 0xff;
    assert_eq!(code(send(&longer).await), ProblemCode::TooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_or_method_of_an_agent_is_answered_with_a_frame() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    // On an agent's path every client receives a frame; on any other path but that of sign-ins, a client with an
    // agent's certificate: a newer agent may request what this tenant does not have.
    for (client, method, path, status) in [
        (None, "POST", "/v1/upload/", StatusCode::NOT_FOUND),
        (None, "POST", "/v1/upload/new", StatusCode::NOT_FOUND),
        (None, "POST", "/v1/agent", StatusCode::NOT_FOUND),
        (None, "GET", "/v1/enroll", StatusCode::METHOD_NOT_ALLOWED),
        (None, "DELETE", "/v1/upload", StatusCode::METHOD_NOT_ALLOWED),
        (Some(&phs), "POST", "/", StatusCode::NOT_FOUND),
        (Some(&phs), "POST", "/v1/upload/new", StatusCode::NOT_FOUND),
        (Some(&phs), "POST", "/v2/upload", StatusCode::NOT_FOUND),
        (Some(&phs), "GET", "/v1/renew", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (found, headers, body) = edge.send(client, request(method, path, b"")).await.unwrap();
        let problem: Problem = frame::decode(&body).unwrap();
        assert_eq!((found, problem.code), (status, ProblemCode::NotFound), "{method} {path}");
        assert_eq!(headers["content-type"], "application/vnd.landbridge");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_in_is_cut_off() {
    let edge = Edge::with(short()).await;
    let mut tls = edge.connect(None).await.unwrap();
    tls.write_all(b"POST /v1/enroll HTTP/1.1\r\n").await.unwrap();
    let trickle = async {
        // A byte now and then, as slowloris does; until the other side has had enough.
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if tls.write_all(b"x").await.is_err() || tls.flush().await.is_err() {
                return true;
            }
            if let Ok(read) = tokio::time::timeout(Duration::from_millis(1), tls.read(&mut [0; 64])).await {
                return !matches!(read, Ok(1..));
            }
        }
        false
    };
    assert!(tokio::time::timeout(DEADLINE, trickle).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered_and_not_waited_for() {
    let edge = Edge::with(short()).await;
    let mut tls = edge.connect(None).await.unwrap();
    tls.write_all(b"POST /v1/enroll HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\nLB").await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(DEADLINE, tls.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_handshake_and_an_idle_one_are_disconnected() {
    let edge = Edge::with(short()).await;
    let mut silent = TcpStream::connect(edge.address).await.unwrap();
    let read = tokio::time::timeout(DEADLINE, silent.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(read, Ok(1..)));
    let mut idle = edge.connect(None).await.unwrap();
    let read = tokio::time::timeout(DEADLINE, idle.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(read, Ok(1..)));
}

/// Whether the tenant has closed this connection.
async fn is_closed(tls: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let read = tokio::time::timeout(DEADLINE, tls.read(&mut [0; 1])).await;
    read.is_ok_and(|read| !matches!(read, Ok(1..)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_door_lets_in_one_from_elsewhere_and_a_stranger_of_the_fullest_network_goes() {
    let edge = Edge::with(Limits { connections: 3, kept: 1, ..Limits::default() }).await;
    let phs = edge.phs().await;
    // The connections of the enrolment may still be ending.
    let mut strangers = Vec::new();
    until("two strangers are in", async || {
        strangers.extend(edge.connect(None).await.ok());
        strangers.len() == 2
    })
    .await;
    assert!(edge.connect(None).await.is_err(), "one of the fullest network makes no room for itself");
    let _from_elsewhere = edge.connect_from([127, 0, 0, 9], Some(&phs)).await.unwrap();
    assert!(is_closed(&mut strangers[0]).await, "the oldest one made room");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stranger_is_let_go_and_one_with_a_certificate_stays() {
    let edge = Edge::with(Limits { stranger_idle: Duration::from_millis(300), ..Limits::default() }).await;
    let phs = edge.phs().await;
    let ask = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut stranger = edge.connect(None).await.unwrap();
    let mut agent = edge.connect(Some(&phs)).await.unwrap();
    let mut answer = vec![0; 4096];
    for tls in [&mut stranger, &mut agent] {
        tls.write_all(ask).await.unwrap();
        let read = tokio::time::timeout(DEADLINE, tls.read(&mut answer)).await.unwrap().unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 404"));
    }
    assert!(is_closed(&mut stranger).await);
    // It was idle as long as the stranger.
    agent.write_all(ask).await.unwrap();
    let read = tokio::time::timeout(DEADLINE, agent.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_its_share_of_connections_is_let_go_at_once() {
    let edge = Edge::with(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let (first, _second) = (edge.connect(None).await.unwrap(), edge.connect(None).await.unwrap());
    let third = tokio::time::timeout(DEADLINE, edge.connect(None)).await.unwrap();
    assert!(third.is_err());
    drop(first);
    until("the place is free again", async || edge.connect(None).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_in_place_of_tls_or_http_do_no_harm() {
    let edge = Edge::with(short()).await;
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0x16, 3, 1, 0xff, 0xff], &[0; 4096]] {
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok());
    }
    let headers: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    for head in [
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\n{headers}\r\n"),
        "A".repeat(40_000),
    ] {
        let mut tls = edge.connect(None).await.unwrap();
        let _ = tls.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(DEADLINE, tls.read_to_end(&mut answer)).await;
        assert!(ended.is_ok());
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    let (status, ..) = edge.send(None, request("GET", "/", b"")).await.unwrap();
    assert_eq!(status, StatusCode::NOT_FOUND, "it still serves");
}
