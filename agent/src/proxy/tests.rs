//! Proxies that refuse, hang, or do not speak HTTP: each is named, with what it does and what to do.

#![allow(clippy::unwrap_used)]

use super::*;
use tokio::net::TcpListener;

const TENANT: &str = "tenant.example.com:8443";

/// A fake proxy that reads the request, sends these bytes and, unless it `stays`, closes.
async fn fake_proxy(answer: &'static [u8], stays: bool) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    request.push(byte);
                }
                let _ = stream.write_all(answer).await;
                if stays {
                    std::future::pending::<()>().await;
                }
                // The client may close first.
                let _ = stream.shutdown().await;
            });
        }
    });
    Proxy { host: address.ip().to_string(), port: address.port(), authorization: None }
}

async fn refusal(answer: &'static [u8], authorization: Option<&str>) -> (String, bool) {
    let proxy = fake_proxy(answer, true).await;
    let authorization = authorization.map(|text| Zeroizing::new(text.to_owned()));
    let named = proxy.authority();
    let error = Proxy { authorization, ..proxy }.connect(TENANT).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("the proxy {named}: ")), "{error}");
    (error.to_string(), error.passes_by_itself())
}

#[tokio::test]
async fn an_answer_in_any_legal_form_makes_the_connection() {
    for answer in [
        &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 200 \r\nVia: proxy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 299 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let proxy = fake_proxy(answer, true).await;
        proxy.connect(TENANT).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_is_named_with_what_to_do() {
    for (answer, words, passes) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], "allow CONNECT", false),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", "sign-in page", false),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "does not support CONNECT", false),
        (b"HTTP/1.1 400\r\n\r\n", "port of an HTTP proxy", false),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "does not reach tenant.example.com:8443 now (502)", true),
        (b"HTTP/1.1 503 hunter2\r\n\r\n", "(503)", true),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "(504)", true),
        (b"HTTP/1.1 999 What\r\n\r\n", "(999)", false),
        (b"HTTP/1.1 abc\r\n\r\n", "does not speak HTTP/1", false),
        (b"<html>hunter2</html>", "does not speak HTTP/1", false),
        (b"SSH-2.0-hunter2\r\n", "does not speak HTTP/1", false),
        (b"\x15\x03\x01\x00\x02\x02\x28", "speaks TLS", false),
        (b"\x05\xff", "speaks SOCKS", false),
        (b"\x00\x5b\0\0\0\0\0\0", "speaks SOCKS", false),
        (b"HTTP/2 200\r\n\r\n", "does not speak HTTP/1", false),
        (b"HTTP/1.1 +200 OK\r\n\r\n", "does not speak HTTP/1", false),
        (b"HTTP/1.1 0200 OK\r\n\r\n", "does not speak HTTP/1", false),
        (b"HTTP/1.hunter2 200 OK\r\n\r\n", "does not speak HTTP/1", false),
    ] {
        let (text, by_itself) = refusal(answer, None).await;
        assert!(text.contains(words) && by_itself == passes, "{words}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_to_know_who_signs_in_says_what_it_offers() {
    let basic =
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: Basic realm=\"x\"\r\n\r\n";
    let (text, _) = refusal(basic, None).await;
    assert!(text.contains("set `proxy_user`") && text.contains("407"), "{text}");
    let (text, passes) = refusal(basic, Some("c2VjcmV0")).await;
    assert!(
        text.contains("refuses this name and password") && !text.contains("c2VjcmV0") && !passes,
        "{text}"
    );
    let (text, _) = refusal(b"HTTP/1.1 407 X\r\n\r\n", None).await;
    assert!(text.contains("set `proxy_user`"), "{text}");
    for (answer, offered) in [
        (
            &b"HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n"[..],
            "Negotiate, NTLM",
        ),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Digest realm=\"basically\", nonce=\"1\"\r\n\r\n", "Digest"),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate TlRMTVNTUAAC\r\n\r\n", "Negotiate"),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Hunter2\r\n\r\n", "another way of signing in"),
    ] {
        let (text, _) = refusal(answer, Some("c2VjcmV0")).await;
        assert!(text.contains(&format!("it offers {offered} and not Basic")), "{offered}: {text}");
        assert!(!text.contains("Hunter2") && !text.contains("TlRM"), "{text}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let long: &'static [u8] = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 100_000]].concat().leak();
    let (text, _) = refusal(long, None).await;
    assert!(text.contains("longer than 32768 bytes"), "{text}");
    let interim: &'static [u8] = b"HTTP/1.1 102 Processing\r\n\r\n".repeat(100).leak();
    let (text, _) = refusal(interim, None).await;
    assert!(text.contains("interim answers"), "{text}");
}

#[tokio::test]
async fn a_proxy_that_closes_without_an_answer_is_named_and_may_be_back() {
    for answer in [&b""[..], b"HTTP/1.1 20"] {
        let proxy = fake_proxy(answer, false).await;
        let error = proxy.connect(TENANT).await.unwrap_err();
        assert!(matches!(error, AgentError::Proxy { .. }), "{error}");
        assert!(error.to_string().contains("closed the connection") && error.passes_by_itself(), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_silent_and_one_that_trickles_are_named_within_the_proxys_own_time() {
    let trickling = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = trickling.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = trickling.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while stream.write_all(b"x").await.is_ok() {
            ticks.tick().await;
        }
    });
    let trickling = Proxy { host: address.ip().to_string(), port: address.port(), authorization: None };
    let silent = fake_proxy(b"", true).await;
    let (one, other) = tokio::join!(silent.connect(TENANT), trickling.connect(TENANT));
    for (error, proxy) in [(one.unwrap_err(), silent), (other.unwrap_err(), trickling)] {
        assert!(matches!(error, AgentError::Proxy { passes: true, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&proxy.authority()) && text.contains("no whole answer within 8 s"), "{text}");
        assert!(text.contains(TENANT), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    // Bound and not listening: the port is no other program's, and refuses connections.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let proxy = Proxy { host: "127.0.0.1".to_owned(), port, authorization: None };
    let error = proxy.connect(TENANT).await.unwrap_err();
    assert!(matches!(&error, AgentError::Proxy { passes: true, .. }), "{error}");
    assert!(error.to_string().contains("no connection to the proxy"), "{error}");
}

#[test]
fn what_cannot_be_a_proxy_is_refused_in_words_that_hold_no_password() {
    let open = |proxy: &str| {
        let config = ProxyConfig { proxy: Some(proxy.to_owned()), ..ProxyConfig::default() };
        config.open().map(drop).map_err(|error| error.to_string())
    };
    open("http://proxy.example.com:3128").unwrap();
    open("http://192.0.2.1:3128/").unwrap();
    for (proxy, words) in [
        ("https://proxy.example.com:3128", "https://) is not supported"),
        ("socks5://proxy.example.com:1080", "SOCKS is not supported"),
        ("socks://proxy.example.com:1080", "SOCKS is not supported"),
        ("proxy.example.com:3128", "http://host:port"),
        ("proxy.example.com", "http://host:port"),
        ("http://user:hunter2@proxy.example.com:3128", "no name or password"),
        ("http://proxy.example.com:3128/path", "http://host:port"),
        ("http://proxy.example.com/?x=hunter2", "http://host:port"),
    ] {
        let text = open(proxy).unwrap_err();
        assert!(text.contains(words) && !text.contains("hunter2"), "{proxy}: {text}");
    }
}
