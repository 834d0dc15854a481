//! What happens at the doors stands in the audit log: refused strangers, agents that come and go, what administrators
//! read, with addresses and people.

use crate::applications::{RIGHT, sign_in};
use crate::harness::{DOMAIN, Edge, code, hello, until};
use landbridge_door_operator::call::send_request;
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_tenant_rules::model::AuditEntry;
use landbridge_wire::enroll::{Role, TokenSecret};
use landbridge_wire::problem::ProblemCode;
use landbridge_wire::upload::Receipt;

/// Waits until this many entries of the action are there; the oldest first.
async fn entries(edge: &Edge, action: &str, count: usize) -> Vec<AuditEntry> {
    let found = async || {
        let audit = edge.audit().await;
        let of_action = audit.into_iter().filter(|entry| entry.action == action);
        let mut of_action: Vec<_> = of_action.collect();
        of_action.reverse();
        of_action
    };
    until(action, async || found().await.len() == count).await;
    found().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_enrolment_and_a_wrong_credential_are_in_the_audit_log_with_their_address() {
    let edge = Edge::start().await;
    let nobodys = edge.enroll(TokenSecret::new("A".repeat(43)), Role::Phs).await;
    assert_eq!(code(nobodys), ProblemCode::TokenUnknown);
    let refused = &entries(&edge, "enrolment-refused", 1).await[0];
    assert_eq!(
        (refused.actor.as_str(), refused.detail.as_str()),
        ("a stranger", "from 127.0.0.1, token-unknown")
    );

    let right = edge.credential("mail", 600).await;
    let mut wrong = right.clone();
    let last = if wrong.ends_with('A') { "Q" } else { "A" };
    wrong.replace_range(wrong.len() - 1.., last);
    let user = format!("alice@{DOMAIN}");
    assert_eq!(sign_in(&edge, &wrong, &user, RIGHT).await.0, 401);
    let made_up = format!("lba1.{}.{}", uuid::Uuid::new_v4(), right.rsplit('.').next().unwrap());
    assert_eq!(sign_in(&edge, &made_up, &user, RIGHT).await.0, 401);
    let refused = entries(&edge, "credential-refused", 2).await;
    for (entry, subject) in refused.iter().zip(["app mail", "no application"]) {
        assert_eq!((entry.subject.as_str(), entry.detail.as_str()), (subject, "from 127.0.0.1"));
    }
    // The right one is refused for the name, and the entry has both addresses.
    assert_eq!(sign_in(&edge, &right, &user, RIGHT).await.0, 403);
    let decided = &entries(&edge, "signin-refused", 1).await[0];
    assert_eq!(decided.detail, "unknown-name, from 203.0.113.7, by way of 127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_comes_goes_and_is_refused_in_the_audit_log() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let _: Receipt = edge.post(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await.unwrap();
    let actor = format!("agent {}", phs.agent);
    for action in ["agent-connected", "agent-disconnected"] {
        let entry = &entries(&edge, action, 1).await[0];
        assert_eq!(
            (entry.actor.as_str(), entry.detail.as_str()),
            (actor.as_str(), "from 127.0.0.1"),
            "{action}"
        );
    }
    edge.ask(AdminRequest::AgentsRevoke { agent: phs.agent }).await;
    for _ in 0..15 {
        let refused = edge.post::<_, Receipt>(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await;
        assert_eq!(code(refused), ProblemCode::AgentRevoked);
    }
    // Ten an hour for one agent; the rest is counted.
    let refused = entries(&edge, "admission-refused", 10).await;
    assert_eq!(
        (refused[0].actor.as_str(), refused[0].detail.as_str()),
        (actor.as_str(), "from 127.0.0.1, agent-revoked")
    );
    let left_out = "landbridge_audit_left_out_total{kind=\"admission-refused\"} 5";
    let metrics = crate::administration::scrape(&edge, "/metrics").await;
    assert!(metrics.contains(left_out), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_reads_is_written_down_with_the_name_of_the_person_and_not_what_was_typed() {
    let edge = Edge::start().await;
    let socket = edge.config.admin_socket();
    let typed = "Hunter2! in the wrong field";
    let request = AdminRequest::UsersShow { name: typed.to_owned() };
    tokio::task::spawn_blocking(move || send_request(&socket, &request)).await.unwrap().unwrap();
    let read = &entries(&edge, "read", 1).await[0];
    assert_eq!(read.subject, "users show");
    assert!(read.actor.starts_with("uid 0 (root)"), "{read:?}");
    assert!(edge.audit().await.iter().all(|entry| !format!("{entry:?}").contains("Hunter2!")));
}
