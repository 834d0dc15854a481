//! A connection belongs to the process that proves its key on it. Two processes of one identity are an alarm.

use crate::admission::{ask_hello, renew};
use crate::harness::{DEADLINE, Edge, Identity, Process, SID, code, exchange, hello, request, until};
use landbridge_door_listen::limits::Limits;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::HEADER;
use landbridge_wire::upload::{Hello, Offer, PhsHeartbeat, Receipt, Wanted};
use uuid::Uuid;

async fn beat(edge: &Edge, identity: &Identity) -> Result<PhsHeartbeat, Problem> {
    let beat = PhsHeartbeat { instance: identity.instance() };
    edge.post(Some(identity), "/v1/upload/heartbeat", &beat).await
}

async fn offer(edge: &Edge, identity: &Identity) -> Result<Wanted, Problem> {
    let offer = Offer { instance: identity.instance(), passwords: List::default(), iterations: None };
    edge.post(Some(identity), "/v1/upload/offer", &offer).await
}

/// A hello with this header on a connection of the identity.
async fn hello_with(edge: &Edge, identity: &Identity, header: &str) -> ProblemCode {
    let tls = edge.connect(Some(identity)).await.unwrap();
    let body = frame::encode(&hello(Some(identity))).unwrap();
    let mut request = request("POST", "/v1/upload/hello", &body);
    request.headers_mut().insert(HEADER, header.parse().unwrap());
    let (_, _, body) = exchange(tls, request).await.unwrap();
    frame::decode::<Problem>(&body).unwrap().code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_of_the_process_that_the_connection_has_proved_comes_back() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    assert_eq!(beat(&edge, &phs).await.unwrap().instance, phs.instance());
    let other = PhsHeartbeat { instance: Uuid::from_u128(5) };
    let refused = edge.post::<_, PhsHeartbeat>(Some(&phs), "/v1/upload/heartbeat", &other).await;
    assert_eq!(code(refused), ProblemCode::ProcessNotProven);
    let pta = edge.pta().await;
    assert_eq!(code(beat(&edge, &pta).await), ProblemCode::WrongRole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_copied_from_another_connection_is_refused() {
    let edge = Edge::start().await;
    let (phs, process) = (edge.phs().await, Process::new());
    let elsewhere = edge.connect(Some(&phs)).await.unwrap();
    let copied = process.prove(phs.agent, &elsewhere);
    assert_eq!(hello_with(&edge, &phs, &copied).await, ProblemCode::ProcessNotProven);
    for broken in ["", "v1", &copied[..100], &copied.replace("v1", "v2")] {
        assert_eq!(hello_with(&edge, &phs, broken).await, ProblemCode::ProcessNotProven, "{broken}");
    }
    // A refused proof proves nothing: an agent of version 0.1 goes on.
    ask_hello(&edge, Some(&phs.copied(None))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_version_0_1_works_without_a_proof_until_its_renewal() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let old = phs.copied(None);
    ask_hello(&edge, Some(&old)).await.unwrap();
    offer(&edge, &old).await.unwrap();
    let Err(refused) = renew(&edge, Some(&old)).await else { panic!("renewed") };
    assert_eq!(refused.code, ProblemCode::UnsupportedVersion, "a code that version 0.1 knows");
    assert!(refused.detail.as_str().contains("upgrade the agent"), "{refused}");
    offer(&edge, &old).await.unwrap();
    // The upgraded agent renews, and from then on proves its process.
    let next = renew(&edge, Some(&phs)).await.unwrap();
    ask_hello(&edge, Some(&next)).await.unwrap();
    assert_eq!(code(offer(&edge, &next.copied(None)).await), ProblemCode::UnsupportedVersion);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_proved_a_process_once_is_never_taken_without_one() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    beat(&edge, &phs).await.unwrap();
    let edge = edge.restart().await;
    let without = phs.copied(None);
    assert_eq!(code(ask_hello(&edge, Some(&without)).await), ProblemCode::UnsupportedVersion);
    assert_eq!(code(offer(&edge, &without).await), ProblemCode::UnsupportedVersion);
    assert_eq!(code(beat(&edge, &without).await), ProblemCode::UnsupportedVersion);
    assert_eq!(code(renew(&edge, Some(&without)).await), ProblemCode::UnsupportedVersion);
    // `check` names no process, and needs no proof.
    let check = Hello { instance: Uuid::nil(), domain_sid: Text::new(SID).unwrap() };
    let _: Receipt = edge.post(Some(&without), "/v1/upload/hello", &check).await.unwrap();
    beat(&edge, &phs).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_quarantines_the_identity_and_an_approval_forgets_both() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let copy = phs.copied(Some(Process::new()));
    beat(&edge, &phs).await.unwrap();
    beat(&edge, &copy).await.unwrap();
    // The first one goes on. It is accepted for a moment, as after a restart, and then it is the alarm, which cuts its
    // connection.
    let mut beats = 0;
    let status = async |of: &Identity| {
        let message = frame::encode(&PhsHeartbeat { instance: of.instance() }).unwrap();
        let sent = edge.send(Some(of), request("POST", "/v1/upload/heartbeat", &message)).await;
        sent.ok().map(|(status, _, _)| status.as_u16())
    };
    while status(&phs).await == Some(200) {
        beats += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(beats > 1, "{beats}");
    let quarantines = async || {
        let of = edge.audit().await.into_iter().filter(|entry| entry.action == "agent-quarantined");
        of.filter(|entry| entry.subject == phs.agent.to_string()).count()
    };
    until("the quarantine is written down", async || quarantines().await == 1).await;
    for one in [&phs, &copy] {
        until("it is refused in words", async || status(one).await == Some(403)).await;
        assert_eq!(code(renew(&edge, Some(one)).await), ProblemCode::AgentNotApproved);
    }
    let approved = edge.ask(AdminRequest::AgentsApprove { agent: phs.agent, key: None }).await;
    assert!(matches!(approved, AdminResponse::Done(_)), "{approved:?}");
    beat(&edge, &phs).await.unwrap();
    beat(&edge, &phs).await.unwrap();
    assert_eq!(quarantines().await, 1);
}

/// A process that is killed leaves requests behind, which arrive when the next one has long been there.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_under_way_since_before_a_restart_is_refused_and_is_no_alarm() {
    let edge = Edge::with(Limits { head: DEADLINE * 3, ..Limits::default() }).await;
    let phs = edge.phs().await;
    // 1. The process is heard, and many requests of it are under way, each on a connection of its own.
    beat(&edge, &phs).await.unwrap();
    let mut under_way = Vec::new();
    for _ in 0..80 {
        let tls = edge.connect(Some(&phs)).await.unwrap();
        let body = frame::encode(&PhsHeartbeat { instance: phs.instance() }).unwrap();
        let mut request = request("POST", "/v1/upload/heartbeat", &body);
        let proof = phs.process.as_ref().unwrap().prove(phs.agent, &tls);
        request.headers_mut().insert(HEADER, proof.parse().unwrap());
        under_way.push((tls, request));
    }
    // 2. The next process is heard. Requests of the old one are accepted for a moment, and then refused.
    let next = phs.copied(Some(Process::new()));
    beat(&edge, &next).await.unwrap();
    let mut codes = Vec::new();
    for (tls, request) in under_way {
        let answer = tokio::time::timeout(DEADLINE, exchange(tls, request)).await.unwrap();
        let (status, _, body) = answer.unwrap();
        codes.push(if status == 200 { None } else { Some(frame::decode::<Problem>(&body).unwrap()) });
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let accepted = codes.iter().take_while(|code| code.is_none()).count();
    assert!((1..80).contains(&accepted), "{accepted}");
    for late in codes.iter().skip(accepted) {
        let late = late.as_ref().unwrap();
        assert_eq!((late.code, late.retry_after_seconds), (ProblemCode::Overloaded, Some(1)));
    }
    // 3. No alarm was raised.
    beat(&edge, &next).await.unwrap();
}
