//! DCs that do not listen, do not answer, trickle or hang up: each its own error, and in time.

#![allow(clippy::unwrap_used)]

use super::*;
use std::net::TcpListener;

const SHORT: Limits = Limits {
    connect: Duration::from_millis(500),
    silence: Duration::from_millis(50),
    whole: Duration::from_millis(200),
};

fn sockets(limits: Limits) -> Sockets {
    let controller =
        Controller { name: "dc.test".to_owned(), address: Some("127.0.0.1".parse().unwrap()), port: None };
    Sockets::new(controller, limits)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_port_where_nobody_listens_is_unreachable() {
    let (gone, port) = listener();
    drop(gone);
    let error = sockets(SHORT).connect(port).unwrap_err();
    assert!(matches!(&error, PullError::Unreachable { port: p, .. } if *p == port), "{error:?}");
    assert!(error.is_unreachable() && error.who() == Responsible::Nobody);
}

#[test]
fn a_name_without_an_address_is_told_as_such() {
    let controller = Controller { name: "no-such-dc.invalid".to_owned(), address: None, port: None };
    let error = Sockets::new(controller, SHORT).connect(135).unwrap_err();
    assert_eq!(error, PullError::UnknownController { controller: "no-such-dc.invalid".to_owned() });
    assert!(error.is_unreachable() && error.who() == Responsible::Operator);
}

#[test]
fn a_silent_dc_is_given_up() {
    let (_listener, port) = listener();
    let mut sockets = sockets(SHORT);
    sockets.connect(port).unwrap();
    assert!(matches!(sockets.receive(16), Err(PullError::Silent { .. })));
}

#[test]
fn a_dc_that_hangs_up_is_told_from_a_silent_one() {
    let (listener, port) = listener();
    let mut sockets = sockets(SHORT);
    sockets.connect(port).unwrap();
    drop(listener.accept().unwrap());
    assert!(matches!(sockets.receive(16), Err(PullError::Closed { .. })));
}

#[test]
fn a_dc_that_trickles_is_given_up_all_the_same() {
    let (listener, port) = listener();
    let mut sockets = sockets(SHORT);
    sockets.connect(port).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let trickle = std::thread::spawn(move || {
        // Each byte comes in time; all together they would take for ever.
        while server.write_all(&[0]).is_ok() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    sockets.begin();
    let began = Instant::now();
    assert!(matches!(sockets.receive(1 << 20), Err(PullError::Silent { .. })));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(sockets);
    trickle.join().unwrap();
}

#[test]
fn a_skewed_clock_is_told_with_its_size_and_side() {
    let (ours, theirs) = (Duration::from_secs(1_000_000), Duration::from_secs(1_000_600));
    let skew = |ours, theirs| {
        let error = sockets(SHORT).refused(landbridge_kerberos::Error::ClockSkew { ours, theirs }.into());
        let PullError::ClockSkew { seconds, .. } = error else { unreachable!() };
        seconds
    };
    assert_eq!((skew(ours, theirs), skew(theirs, ours)), (600, -600));
    let told = |seconds| PullError::ClockSkew { controller: "dc".to_owned(), seconds }.to_string();
    assert_eq!(told(600), "the clock of dc is 600 s ahead of this machine's: synchronise both");
    assert_eq!(told(-600), "the clock of dc is 600 s behind this machine's: synchronise both");
}

#[test]
fn a_connection_that_answered_before_and_says_nothing_now_is_lost_and_not_silent() {
    let (_listener, port) = listener();
    let mut sockets = sockets(SHORT);
    sockets.connect(port).unwrap();
    sockets.first_byte = true;
    assert_eq!(sockets.receive(16), Err(PullError::Lost { controller: "dc.test".to_owned(), port }));
    let lost = sockets.receive(16).unwrap_err();
    assert!(lost.is_unreachable() && lost.who() == Responsible::Nobody);
}

#[test]
fn only_the_first_byte_of_an_answer_has_the_short_limit() {
    let (listener, port) = listener();
    let mut sockets = sockets(Limits { silence: FIRST_BYTE * 2, whole: FIRST_BYTE * 4, ..SHORT });
    sockets.connect(port).unwrap();
    sockets.first_byte = true;
    assert!(sockets.limit(port).unwrap() <= FIRST_BYTE);
    listener.accept().unwrap().0.write_all(&[1]).unwrap();
    assert_eq!(sockets.receive(1).unwrap(), [1]);
    assert!(sockets.limit(port).unwrap() > FIRST_BYTE);
}

#[test]
fn every_connection_to_a_dc_is_probed_while_it_is_idle() {
    let (_listener, port) = listener();
    let stream = sockets(SHORT).dial(port).unwrap();
    assert!(sockopt::socket_keepalive(&stream).unwrap());
    assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), KEEPALIVE);
    assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), KEEPALIVE_PROBES);
}

#[test]
fn a_dc_that_shuts_down_has_closed_the_connection() {
    let (_listener, port) = listener();
    let mut sockets = sockets(SHORT);
    sockets.connect(port).unwrap();
    let closed = PullError::Closed { controller: "dc.test".to_owned(), port };
    assert_eq!(sockets.refused(Error::ShutDown), closed);
}
