//! What an HTTP proxy may answer to CONNECT: a connection is made by a success in HTTP/1 alone, nothing behind the answer is
//! read, and an error names the proxy and repeats nothing that it sent.

use futures_util::FutureExt as _;
use landbridge_agent::proxy::{Answered, Proxy, ProxyConfig};
use std::sync::LazyLock;

const PROXY: &str = "proxy.example.com:3128";
const TENANT: &str = "tenant.example.com:8443";
/// Limit on a proxy's answers: six of 32 KiB.
const MAX_READ: usize = 6 * 32 * 1024;
/// Longer than every error.
const MAX_ERROR: usize = 400;

static CONFIGURED: LazyLock<Option<Proxy>> = LazyLock::new(|| {
    let config = ProxyConfig { proxy: Some(format!("http://{PROXY}")), ..ProxyConfig::default() };
    config.open().ok().flatten()
});

/// Takes what the proxy sends before it closes.
pub fn proxy_answer(data: &[u8]) {
    let Some(proxy) = CONFIGURED.as_ref() else { panic!("no proxy") };
    let mut rest = data;
    let mut stream = tokio::io::join(&mut rest, tokio::io::sink());
    let Some(outcome) = proxy.exchange(&mut stream, TENANT).now_or_never() else { panic!("it waits") };
    let (read, rest) = data.split_at(data.len() - rest.len());
    assert!(read.len() <= MAX_READ, "{} bytes were read", read.len());
    match outcome {
        Ok(()) => {
            let statuses = statuses(read);
            let (last, interim) =
                statuses.split_last().map_or((0, &[][..]), |(last, before)| (*last, before));
            assert!((200..300).contains(&last), "no success: {statuses:?}");
            assert!(interim.iter().all(|status| (100..200).contains(status)), "{statuses:?}");
        }
        Err(Answered::Nothing(_)) => assert!(rest.is_empty(), "it answered"),
        Err(Answered::Final(error)) => {
            let text = error.to_string();
            assert!(text.len() < MAX_ERROR && text.starts_with(&format!("the proxy {PROXY}: ")), "{text}");
            assert!(text.chars().all(|character| matches!(character, ' '..='~')), "{text:?}");
        }
    }
}

/// The statuses of answers that stand one behind the other, each ended by an empty line; 0 for what is none.
fn statuses(mut read: &[u8]) -> Vec<u16> {
    let mut found = Vec::new();
    while !read.is_empty() {
        let ends = |end: &usize| {
            let read = read.get(..*end).unwrap_or_default();
            read.ends_with(b"\r\n\r\n") || read.ends_with(b"\n\n")
        };
        let end = (1..=read.len()).find(ends);
        let (answer, after) = read.split_at(end.unwrap_or(read.len()));
        let text = String::from_utf8_lossy(answer);
        let mut words = text.split_ascii_whitespace();
        let spoken = words
            .next()
            .is_some_and(|word| matches!(word.strip_prefix("HTTP/1."), Some(one) if one.len() == 1));
        let status = words.next().filter(|word| spoken && word.len() == 3 && end.is_some());
        found.push(status.and_then(|word| word.parse().ok()).unwrap_or(0));
        read = after;
    }
    found
}
