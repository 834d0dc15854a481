//! An address behind balancers: who connects without one is refused, and the client is whom the balancer's header names.

use crate::applications::{RIGHT, ask, upload_people};
use crate::harness::{DEADLINE, DOMAIN, Edge, Tls, exchange, until};
use hyper::StatusCode;
use landbridge_door_listen::limits::Limits;
use landbridge_tenant::config::Config;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, AppSettings};
use landbridge_tenant_rules::model::Network;
use serde_json::json;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The header for a client of TCP over IPv4.
pub(crate) fn header(client: Ipv4Addr) -> Vec<u8> {
    let addresses = [&client.octets()[..], &[192, 0, 2, 1], &[0xc8, 0x22, 0x20, 0xfb]].concat();
    [SIGNATURE, &[0x21, 0x11, 0, 12], &addresses].concat()
}

fn behind(balancers: &'static str) -> impl FnOnce(&mut Config) {
    move |config| config.balancers = Some(vec![Network::parse(balancers).unwrap()])
}

/// A tenant whose clients come through balancers on this machine. Agents too, so people are uploaded before it is so.
async fn balanced(limits: Limits) -> (Edge, String) {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    upload_people(&edge, &phs).await;
    let networks = vec!["203.0.113.0/24".to_owned()];
    let settings = AppSettings { networks, ..AppSettings::named("mail") };
    let AdminResponse::Credential(app) =
        edge.ask(AdminRequest::AppsCreate { settings: Box::new(settings) }).await
    else {
        panic!()
    };
    let app = app.lend(str::to_owned);
    (edge.restart_with(limits, behind("127.0.0.0/8")).await, app)
}

async fn begun_with(edge: &Edge, header: &[u8]) -> std::io::Result<Tls> {
    let mut stream = TcpStream::connect(edge.address).await?;
    stream.write_all(header).await?;
    tokio::time::timeout(DEADLINE, edge.tls_over(stream, None, rustls::DEFAULT_VERSIONS)).await.unwrap()
}

async fn sign_in(edge: &Edge, app: &str, header: &[u8]) -> StatusCode {
    let body = json!({ "user": format!("alice@{DOMAIN}"), "password": RIGHT });
    exchange(begun_with(edge, header).await.unwrap(), ask(app, &body)).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_whom_the_balancer_names_for_networks_and_for_the_audit_log() {
    let (edge, app) = balanced(Limits::default()).await;
    assert_eq!(sign_in(&edge, &app, &header([203, 0, 113, 9].into())).await, StatusCode::OK);
    assert_eq!(sign_in(&edge, &app, &header([198, 51, 100, 9].into())).await, StatusCode::UNAUTHORIZED);
    let by_way_of = |entry: &landbridge_tenant_rules::model::AuditEntry| {
        entry.action == "signin-accepted" && entry.detail.ends_with("by way of 203.0.113.9")
    };
    until("the address is in the audit log", async || edge.audit().await.iter().any(by_way_of)).await;
    // The same over IPv6.
    let source: Ipv6Addr = "::ffff:203.0.113.10".parse().unwrap();
    let addresses = [&source.octets()[..], &[0; 16], &[0xc8, 0x22, 0x20, 0xfb]].concat();
    let of_6 = [SIGNATURE, &[0x21, 0x21, 0, 36], &addresses].concat();
    assert_eq!(sign_in(&edge, &app, &of_6).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_header_or_with_another_one_a_balancers_connection_ends_before_tls() {
    let (edge, _) = balanced(Limits::default()).await;
    let cut = header([203, 0, 113, 9].into());
    for bytes in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 8443\r\n",
        &cut[..cut.len() - 1],
        &[SIGNATURE, &[0x21, 0x00, 0, 0]].concat(),
        &[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(),
    ] {
        // What follows is a TLS greeting, which is taken for the rest of a header, if for anything.
        assert!(begun_with(&edge, bytes).await.is_err(), "{bytes:?}");
    }
    // A half header, and then nothing.
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(SIGNATURE).await.unwrap();
    let read = tokio::time::timeout(DEADLINE, stream.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(read, Ok(1..)), "it is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_balancer_connects_and_where_none_is_configured_a_header_is_no_tls() {
    let elsewhere = Edge::configured(Limits::default(), behind("192.0.2.0/24")).await;
    for bytes in [&b""[..], &header([203, 0, 113, 9].into())] {
        assert!(begun_with(&elsewhere, bytes).await.is_err(), "{bytes:?}");
    }
    let off = Edge::start().await;
    assert!(begun_with(&off, &header([203, 0, 113, 9].into())).await.is_err());
    assert!(begun_with(&off, b"").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balancers_health_check_is_served_as_its_own_connection() {
    let (edge, app) = balanced(Limits::default()).await;
    // The application may not send from the balancer's address.
    let local = [SIGNATURE, &[0x20, 0x00, 0, 0]].concat();
    assert_eq!(sign_in(&edge, &app, &local).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_counted_by_the_clients_and_not_by_the_balancer() {
    let (edge, _) = balanced(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for n in 1..=5 {
        held.push(begun_with(&edge, &header([203, 0, 113, n].into())).await.unwrap());
    }
    let first = header([203, 0, 113, 1].into());
    held.push(begun_with(&edge, &first).await.unwrap());
    assert!(begun_with(&edge, &first).await.is_err(), "this client has its share");
    drop(held);
}
