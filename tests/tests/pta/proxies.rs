//! Proxies that are silent or speak oddly, between the programs and a tenant: the error names the proxy, and the one-time
//! token is in no output. No tenant is needed: none is reached.

use landbridge_tests::lab::program::Finished;
use landbridge_tests::lab::{PtaAgent, PtaSettings};
use landbridge_wire::bounded::Text;
use landbridge_wire::enroll::{Token, TokenSecret};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

const SECRET: &str = "aHVudGVyMg";

/// A fake proxy that reads the head of a request, sends `answer`, and then stays or closes. Ends with the test's process.
fn fake_proxy(answer: &'static [u8], stays: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(answer);
            if stays {
                held.push(stream);
            }
        }
    });
    address
}

/// `enroll` through this proxy with a token of no tenant.
fn enroll_through(proxy: &str) -> Finished {
    let settings = PtaSettings {
        domain: "corp.example.com",
        ca: None,
        pins: vec!["00".repeat(32)],
        controllers: vec![],
        kept: 1,
        connections: 1,
        level: "debug",
        directory: String::new(),
        tenant: format!("proxy = \"{proxy}\""),
        defence: String::new(),
    };
    let agent = PtaAgent::install(&settings).unwrap();
    let token = Token {
        url: Text::new("https://tenant.example.com:8443").unwrap(),
        ca_sha256: Text::new("00".repeat(32)).unwrap(),
        secret: TokenSecret::new(SECRET.to_owned()),
    };
    agent.enroll(&token.to_text()).unwrap()
}

#[test]
fn a_proxy_is_named_whatever_it_does_instead_of_its_work() {
    let not_tls = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<html>please sign in</html>";
    let cases: [(&'static [u8], bool, &str); 8] = [
        (b"", true, "no whole answer within 8 s"),
        (b"", false, "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", true, "and then: the tenant at tenant.example.com:8443 did not answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", false, "and then: "),
        (not_tls, true, "does not speak TLS"),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate\r\n\r\n", false, "offers Negotiate and not Basic"),
        (b"HTTP/1.1 503 X\r\n\r\n", false, "does not reach tenant.example.com:8443 now (503)"),
        (b"\x15\x03\x01\x00\x02\x02\x46", false, "speaks TLS"),
    ];
    std::thread::scope(|scope| {
        for (answer, stays, words) in cases {
            scope.spawn(move || {
                let proxy = fake_proxy(answer, stays);
                let said = enroll_through(&format!("http://{proxy}")).expect_code(7);
                let text = said.to_string();
                assert!(said.stderr.contains(&format!("the proxy {proxy}: ")), "{words}: {text}");
                assert!(said.stderr.contains(words), "{words}: {text}");
                assert!(!text.contains(SECRET) && !text.contains("please sign in"), "{text}");
            });
        }
    });
}

#[test]
fn a_proxy_of_a_kind_that_is_not_supported_is_refused_before_anything_is_sent() {
    for (proxy, words) in [
        ("https://127.0.0.1:1", "not supported"),
        ("socks5://127.0.0.1:1", "SOCKS is not supported"),
        ("127.0.0.1:1", "http://host:port"),
    ] {
        let said = enroll_through(proxy);
        assert_ne!(said.code, Some(0), "{said}");
        assert!(said.stderr.contains(words), "{proxy}: {said}");
    }
}
