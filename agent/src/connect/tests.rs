//! Addresses that take no connection, fail, or are slow, in every order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

fn addresses_of(last_bytes: &[u8]) -> Vec<SocketAddr> {
    last_bytes.iter().map(|last| SocketAddr::from(([192, 0, 2, *last], 636))).collect()
}

/// What an attempt at an address does.
#[derive(Clone, Copy)]
enum Does {
    Succeed,
    Fail,
    Nothing,
}

/// Attempts at these addresses; returns the one that succeeded, and the last bytes of all that were tried, in order.
async fn attempts(host: &str, does: &[(u8, Does)]) -> (Option<u8>, Vec<u8>) {
    let tried = Arc::new(Mutex::new(Vec::new()));
    let last = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => unreachable!(),
    };
    let attempt = |address: SocketAddr| {
        let (tried, does) = (tried.clone(), does.to_vec());
        tried.lock().unwrap().push(last(address));
        let what = does.iter().find(|(one, _)| *one == last(address)).unwrap().1;
        async move {
            match what {
                Does::Succeed => Ok(()),
                Does::Fail => Err(()),
                Does::Nothing => std::future::pending().await,
            }
        }
    };
    let all = does.iter().map(|(one, _)| *one).collect::<Vec<_>>();
    let made = first(host, addresses_of(&all), attempt).await;
    let tried = tried.lock().unwrap().clone();
    (made.ok().map(|(address, ())| last(address)), tried)
}

use Does::{Fail, Nothing, Succeed};

#[tokio::test]
async fn an_address_that_takes_no_connection_does_not_hold_up_the_next_one() {
    let (made, tried) = attempts("silent.test", &[(1, Nothing), (2, Nothing), (3, Succeed)]).await;
    assert_eq!((made, tried), (Some(3), vec![1, 2, 3]));
}

#[tokio::test]
async fn an_address_that_fails_is_followed_by_the_next_one_and_one_that_works_by_none() {
    let (made, tried) = attempts("failing.test", &[(1, Fail), (2, Succeed), (3, Succeed)]).await;
    assert_eq!((made, tried), (Some(2), vec![1, 2]));
    let (made, tried) = attempts("working.test", &[(1, Succeed), (2, Succeed)]).await;
    assert_eq!((made, tried), (Some(1), vec![1]));
}

#[tokio::test]
async fn when_all_addresses_fail_each_is_in_the_error() {
    let fails =
        |address: SocketAddr| async move { Err::<(), _>(io::Error::other(address.port().to_string())) };
    let failed = first("none.test", addresses_of(&[1, 2]), fails).await.unwrap_err();
    assert_eq!(failed.iter().map(|(address, _)| *address).collect::<Vec<_>>(), addresses_of(&[1, 2]));
    assert_eq!(summary(&failed, ToString::to_string), "192.0.2.1:636, 192.0.2.2:636: 636");
    let (made, tried) = attempts("empty.test", &[]).await;
    assert_eq!((made, tried), (None, vec![]));
}

#[tokio::test]
async fn the_address_that_worked_is_tried_first_the_next_time_also_on_another_port() {
    let all = [(1, Nothing), (2, Fail), (3, Succeed)];
    assert_eq!(attempts("twice.test", &all).await.1, [1, 2, 3]);
    assert_eq!(attempts("twice.test", &all).await.1, [3]);
    // Of another host nothing is known.
    assert_eq!(attempts("other.test", &all).await.1, [1, 2, 3]);
}

#[tokio::test]
async fn after_an_address_that_took_a_connection_and_then_failed_each_other_one_has_its_turn() {
    let all = [(1, Succeed), (2, Succeed), (3, Succeed)];
    let mut made = Vec::new();
    for _ in 0..4 {
        let (address, _) = attempts("turns.test", &all).await;
        made.extend(address);
        failed("turns.test", addresses_of(&[address.unwrap()])[0].ip());
    }
    assert_eq!(made, [1, 2, 3, 1]);
}

#[tokio::test]
async fn the_attempts_that_lose_are_dropped() {
    let (alive, dropped) = oneshot::channel::<()>();
    let alive = Mutex::new(Some(alive));
    let attempt = |address: SocketAddr| {
        let held =
            if address.ip() == addresses_of(&[1])[0].ip() { alive.lock().unwrap().take() } else { None };
        async move {
            match held {
                Some(held) => {
                    std::future::pending::<()>().await;
                    drop(held);
                    Err(())
                }
                None => Ok(()),
            }
        }
    };
    first("losers.test", addresses_of(&[1, 2]), attempt).await.unwrap();
    assert!(dropped.await.is_err(), "the sender was dropped with its attempt");
}

#[tokio::test]
async fn a_full_backlog_is_passed_over_and_remembered_with_real_sockets() {
    // A socket that listens and accepts nothing, with one connection in its queue: the kernel drops further SYNs.
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(0).unwrap();
    let dead = full.local_addr().unwrap();
    let _filler = TcpStream::connect(dead).await.unwrap();
    let open = TcpListener::bind((IpAddr::from([127, 0, 0, 2]), dead.port())).await.unwrap();
    let at = open.local_addr().unwrap();
    // An attempt at the dead address alone would wait for an hour.
    let hour = Duration::from_secs(3600);
    for order in [vec![dead, at], vec![dead, at]] {
        let (address, stream) = first("backlog.test", order, |address| tcp(address, hour)).await.unwrap();
        assert_eq!((address, stream.peer_addr().unwrap()), (at, at));
    }
    assert_eq!(known("backlog.test"), Some(Known::Worked(at.ip())));
}

#[test]
fn families_take_turns_and_neither_is_left_out() {
    let six = |n: u16| SocketAddr::from((std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n), 636));
    let four = |n: u8| addresses_of(&[n])[0];
    let ordered = in_order(vec![six(1), six(2), six(3), four(1)], None);
    assert_eq!(ordered, [six(1), four(1), six(2), six(3)]);
    let ordered = in_order(vec![four(1), four(2), six(1), four(1)], None);
    assert_eq!(ordered, [four(1), six(1), four(2)]);
    let many: Vec<SocketAddr> = (0..20).map(six).chain([four(1)]).collect();
    let ordered = in_order(many.clone(), None);
    assert_eq!((ordered.len(), ordered[1]), (MOST_ADDRESSES, four(1)));
    // One beyond the limit that worked last goes to the front.
    assert_eq!(in_order(many, Some(Known::Worked(six(19).ip())))[0], six(19));
}

#[test]
fn a_blocking_connection_blocks_and_what_fails_is_said_in_words() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let second = Duration::from_secs(1);
    let mut stream = blocking("127.0.0.1", None, port, second).unwrap();
    std::io::Write::write_all(&mut listener.accept().unwrap().0, b"x").unwrap();
    std::io::Read::read_exact(&mut stream, &mut [0]).unwrap();
    drop(listener);
    let refused = blocking("refused.test", Some([127, 0, 0, 1].into()), port, second).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains(&format!("127.0.0.1:{port}: the connection is refused")), "{text}");
    assert!(!refused.is_silence() && !text.contains("os error"), "{text}");
    let unknown = blocking("no-such-host.invalid", None, 1, second).unwrap_err();
    assert!(matches!(unknown, ConnectError::Unresolved(_)), "{unknown}");
}
