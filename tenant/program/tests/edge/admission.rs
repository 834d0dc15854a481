//! A certificate opens what its agent may do now, and nothing else.

use crate::harness::{
    DEADLINE, Edge, Identity, code, enroll_request, envelope_of, exchange, hello, key_and_request, request,
    until,
};
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse};
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_tenant_core::clock::unix_now;
use landbridge_wire::bounded::Blob;
use landbridge_wire::enroll::{EnrollResponse, RenewRequest, RenewResponse, Role};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::Receipt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const DAY: i64 = 86_400;

pub(crate) async fn ask_hello(edge: &Edge, identity: Option<&Identity>) -> Result<Receipt, Problem> {
    edge.post(identity, "/v1/upload/hello", &hello(identity)).await
}

pub(crate) async fn renew(edge: &Edge, identity: Option<&Identity>) -> Result<Identity, Problem> {
    let (key, csr) = key_and_request();
    let role = identity.and_then(|i| Shown::read(&i.certificate)).map_or(Role::Phs, |shown| shown.name.role);
    let request = RenewRequest { csr: Blob::new(csr).unwrap(), envelope: envelope_of(role) };
    let made: RenewResponse = edge.post(identity, "/v1/renew", &request).await?;
    assert_eq!((made.roots.as_slice().len(), made.nodes.as_slice().len()), (1, 1));
    let certificate = made.certificate.as_bytes().to_vec();
    let agent = Shown::read(&certificate).unwrap().name.agent;
    let process = identity.and_then(|identity| identity.process.clone());
    Ok(Identity { agent, certificate, key, approved: true, process })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_needs_a_certificate_and_an_administrators_yes() {
    let edge = Edge::start().await;
    assert_eq!(code(ask_hello(&edge, None).await), ProblemCode::CertificateRequired);
    let phs = edge.enroll(edge.token(Role::Phs).await.secret, Role::Phs).await.unwrap();
    assert_eq!(code(ask_hello(&edge, Some(&phs)).await), ProblemCode::AgentNotApproved);
    edge.ask(AdminRequest::AgentsApprove { agent: phs.agent, key: None }).await;
    let receipt = ask_hello(&edge, Some(&phs)).await.unwrap();
    assert_eq!(receipt.nodes.as_slice().len(), 1, "a phs learns the nodes with each cycle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_received_even_when_a_large_body_was_on_its_way() {
    let edge = Edge::start().await;
    let phs = edge.enroll(edge.token(Role::Phs).await.secret, Role::Phs).await.unwrap();
    for _ in 0..10 {
        let sent = edge.post_bytes::<Receipt>(Some(&phs), "/v1/upload", &vec![b'x'; 4_000_000]).await;
        assert_eq!(code(sent), ProblemCode::AgentNotApproved);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_the_other_role_uploads_nothing() {
    let edge = Edge::start().await;
    let pta = edge.pta().await;
    assert_eq!(code(ask_hello(&edge, Some(&pta)).await), ProblemCode::WrongRole);
    renew(&edge, Some(&pta)).await.unwrap();
    let dressed_up = edge.certificate_for(&pta, Role::Phs, unix_now());
    assert_eq!(code(ask_hello(&edge, Some(&dressed_up)).await), ProblemCode::WrongRole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_works_and_so_does_the_one_before_until_its_end() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let next = renew(&edge, Some(&phs)).await.unwrap();
    assert_eq!(next.agent, phs.agent);
    ask_hello(&edge, Some(&next)).await.unwrap();
    ask_hello(&edge, Some(&phs)).await.unwrap();
    assert_eq!(code(renew(&edge, None).await), ProblemCode::CertificateRequired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_replaced_twice_opens_nothing_and_renews_nothing() {
    let edge = Edge::start().await;
    let first = edge.phs().await;
    // The answer to this one is lost on its way; the agent asks again with what it has.
    let lost = renew(&edge, Some(&first)).await.unwrap();
    let second = renew(&edge, Some(&first)).await.unwrap();
    ask_hello(&edge, Some(&first)).await.unwrap();
    ask_hello(&edge, Some(&second)).await.unwrap();
    assert_eq!(code(ask_hello(&edge, Some(&lost)).await), ProblemCode::AgentRevoked);
    let third = renew(&edge, Some(&second)).await.unwrap();
    assert_eq!(code(ask_hello(&edge, Some(&first)).await), ProblemCode::AgentRevoked);
    assert_eq!(code(renew(&edge, Some(&first)).await), ProblemCode::AgentRevoked);
    ask_hello(&edge, Some(&second)).await.unwrap();
    ask_hello(&edge, Some(&third)).await.unwrap();
}

/// The database is a backup: it knows none of the certificates that were made since.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_an_agent_goes_on_with_its_newer_certificate_and_its_renewal_ends_the_exception() {
    let edge = Edge::start().await;
    let (phs, now) = (edge.phs().await, unix_now());
    let hours = |ago: i64| edge.certificate_of(&phs, now - ago * 3600);
    let (older, backed_up, since, newest) = (hours(9), hours(8), hours(4), hours(2));
    let shown = Shown::read(&backed_up.certificate).unwrap();
    let as_then = "UPDATE agents SET serial = ?2, not_after = ?3 WHERE id = ?1";
    let row = (phs.agent.as_bytes(), shown.serial.as_slice(), shown.not_after);
    edge.database().execute(as_then, row).unwrap();
    for good in [&backed_up, &since, &newest] {
        ask_hello(&edge, Some(good)).await.unwrap();
    }
    assert_eq!(code(ask_hello(&edge, Some(&older)).await), ProblemCode::AgentRevoked);
    let next = renew(&edge, Some(&newest)).await.unwrap();
    for good in [&newest, &next] {
        ask_hello(&edge, Some(good)).await.unwrap();
    }
    for old in [&backed_up, &since] {
        assert_eq!(code(ask_hello(&edge, Some(old)).await), ProblemCode::AgentRevoked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pta_agent_names_its_envelope_key_and_a_phs_has_none() {
    let edge = Edge::start().await;
    for (role, envelope) in [(Role::Pta, None), (Role::Phs, envelope_of(Role::Pta))] {
        let (_, csr) = key_and_request();
        let mut request = enroll_request(edge.token(role).await.secret, role, csr);
        request.envelope = envelope;
        let made = edge.post::<_, EnrollResponse>(None, "/v1/enroll", &request).await;
        assert_eq!(code(made), ProblemCode::BadRequestForCertificate);
    }
    let pta = edge.pta().await;
    let before = Shown::read(&pta.certificate).unwrap().name.envelope.unwrap();
    let next = renew(&edge, Some(&pta)).await.unwrap();
    assert_ne!(Shown::read(&next.certificate).unwrap().name.envelope, Some(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_renews_and_does_nothing_else() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    for days in [2, 30] {
        let over = edge.certificate_of(&phs, unix_now() - days * DAY);
        assert_eq!(code(ask_hello(&edge, Some(&over)).await), ProblemCode::CertificateExpired, "{days}");
        let next = renew(&edge, Some(&over)).await.unwrap();
        ask_hello(&edge, Some(&next)).await.unwrap();
    }
    let long_over = edge.certificate_of(&phs, unix_now() - 32 * DAY);
    let sent = edge.send(Some(&long_over), request("POST", "/v1/renew", b"")).await;
    assert!(sent.is_err(), "TLS itself refuses it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_ca_ends_the_handshake() {
    let (edge, other) = (Edge::start().await, Edge::start().await);
    let foreign = other.phs().await;
    let sent = edge.send(Some(&foreign), request("POST", "/v1/upload/hello", b"")).await;
    assert!(sent.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_refused_everywhere_and_stays_revoked() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    ask_hello(&edge, Some(&phs)).await.unwrap();
    edge.ask(AdminRequest::AgentsRevoke { agent: phs.agent }).await;
    assert_eq!(code(ask_hello(&edge, Some(&phs)).await), ProblemCode::AgentRevoked);
    assert_eq!(code(renew(&edge, Some(&phs)).await), ProblemCode::AgentRevoked);
    edge.ask(AdminRequest::AgentsApprove { agent: phs.agent, key: None }).await;
    assert_eq!(code(ask_hello(&edge, Some(&phs)).await), ProblemCode::AgentRevoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_cuts_the_open_connections_of_that_agent_alone() {
    let edge = Edge::start().await;
    let (phs, other) = (edge.phs().await, edge.pta().await);
    let (mut first, mut second) =
        (edge.connect(Some(&phs)).await.unwrap(), edge.connect(Some(&phs)).await.unwrap());
    let mut others = edge.connect(Some(&other)).await.unwrap();
    until("both agents are connected", async || edge.tenant.snapshot.connected_agents() == 2).await;
    edge.ask(AdminRequest::AgentsRevoke { agent: phs.agent }).await;
    for connection in [&mut first, &mut second] {
        let read = tokio::time::timeout(DEADLINE, connection.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(read, Ok(1..)));
    }
    until("its connections are forgotten", async || edge.tenant.snapshot.connected_agents() == 1).await;
    let waited = tokio::time::timeout(std::time::Duration::from_millis(100), others.read(&mut [0; 1])).await;
    assert!(waited.is_err(), "the other agent stays connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_half_sent_when_its_agent_is_revoked_is_cut_and_claims_no_domain() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let mut tls = edge.connect(Some(&phs)).await.unwrap();
    let head = "POST /v1/upload HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    tls.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 25];
    tokio::time::timeout(DEADLINE, tls.read_exact(&mut begun)).await.unwrap().unwrap();
    tls.write_all(b"LB\x01\x00").await.unwrap();
    edge.ask(AdminRequest::AgentsRevoke { agent: phs.agent }).await;
    let read = tokio::time::timeout(DEADLINE, tls.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(read, Ok(1..)));
    let AdminResponse::Domains(domains) = edge.ask(AdminRequest::DomainsList).await else { panic!() };
    assert_eq!(domains[0].writer, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_tls_1_2_signs_people_in_and_is_refused_by_every_path_for_agents() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    for identity in [None, Some(&phs)] {
        for path in
            ["/v1/enroll", "/v1/renew", "/v1/upload/hello", "/v1/upload", "/v1/upload/heartbeat", "/v1/agent"]
        {
            let tls = edge.connect_with(identity, &[&rustls::version::TLS12]).await.unwrap();
            assert_eq!(tls.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
            let method = if path == "/v1/agent" { "GET" } else { "POST" };
            let body = frame::encode(&hello(identity)).unwrap();
            let (status, _, body) = exchange(tls, request(method, path, &body)).await.unwrap();
            let problem: Problem = frame::decode(&body).unwrap();
            assert_eq!((status.as_u16(), problem.code), (400, ProblemCode::UnsupportedVersion), "{path}");
        }
        let tls = edge.connect_with(identity, &[&rustls::version::TLS12]).await.unwrap();
        let (status, _, _) = exchange(tls, request("POST", "/v1/signin", b"{}")).await.unwrap();
        assert_eq!(status.as_u16(), 401, "the applications' door answers: there is no credential");
    }
    let other = Edge::start().await;
    assert!(other.connect_with(Some(&phs), &[&rustls::version::TLS12]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_never_resumed() {
    let edge = Edge::start().await;
    let tls = edge.connect(None).await.unwrap();
    assert_eq!(tls.get_ref().1.tls13_tickets_received(), 0);
}
