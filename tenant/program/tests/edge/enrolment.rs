//! A token becomes one agent, once, and every other try has its own answer.

use crate::harness::{DOMAIN, Edge, SID, code, enroll_request, key_and_request};
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse};
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::{audit, tokens};
use landbridge_wire::enroll::{EnrollResponse, Role, TokenSecret, key_fingerprint};
use landbridge_wire::frame;
use landbridge_wire::nodes::node_urls;
use landbridge_wire::problem::ProblemCode;

async fn agents(edge: &Edge) -> usize {
    match edge.ask(AdminRequest::AgentsList).await {
        AdminResponse::Agents(agents) => agents.len(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_an_identity_that_names_role_domain_and_agent() {
    let edge = Edge::start().await;
    let token = edge.token(Role::Phs).await;
    assert_eq!(token.url.as_str(), "https://tenant.example.com:8443");
    assert_eq!(token.ca_sha256.as_str(), edge.tenant.authority.fingerprint());
    let (_, csr) = key_and_request();
    let request = enroll_request(token.secret, Role::Phs, csr);
    let made: EnrollResponse = edge.post(None, "/v1/enroll", &request).await.unwrap();
    let shown = Shown::read(made.certificate.as_bytes()).unwrap();
    assert_eq!((shown.name.agent, shown.name.role), (made.agent, Role::Phs));
    assert_eq!((shown.name.domain.as_str(), shown.name.domain_sid.as_str()), (DOMAIN, SID));
    assert_eq!(made.tenant, edge.tenant.authority.tenant());
    assert_eq!(made.root.as_bytes(), edge.tenant.authority.root().as_ref());
    assert!(!made.approved, "a phs waits for a person");
    assert_eq!(made.nodes, node_urls(vec![token.url.as_str().to_owned()]));
    assert!(shown.not_after <= unix_now() + 24 * 3600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pta_agent_waits_until_the_key_that_its_machine_shows_is_approved() {
    let edge = Edge::start().await;
    let pta = edge.enroll(edge.token(Role::Pta).await.secret, Role::Pta).await.unwrap();
    assert!(!pta.approved, "a new domain's agents wait");
    let row = async |agent| match edge.ask(AdminRequest::AgentsList).await {
        AdminResponse::Agents(rows) => rows.into_iter().find(|row| row.id == agent).unwrap(),
        other => panic!("{other:?}"),
    };
    // The same fingerprint is in the agent's certificate.
    let shown = |certificate: &[u8]| {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
        key_fingerprint(certificate.tbs_certificate.subject_pki.raw)
    };
    let listed = row(pta.agent).await;
    assert_eq!(listed.key.as_deref(), Some(shown(&pta.certificate).as_str()));
    assert_eq!((listed.state.as_str(), listed.enrolled_from.as_deref()), ("pending", Some("127.0.0.1")));
    let approve = |agent, key: &str| AdminRequest::AgentsApprove { agent, key: Some(key.to_owned()) };
    let other = approve(pta.agent, "0000 0000 0000 0000 0000 0000 0000 0000");
    assert!(matches!(edge.ask(other).await, AdminResponse::Refused { .. }), "another key");
    assert_eq!(row(pta.agent).await.state, "pending");
    let right = approve(pta.agent, listed.key.as_deref().unwrap());
    assert!(matches!(edge.ask(right).await, AdminResponse::Done(_)));
    assert_eq!(row(pta.agent).await.state, "approved");
    // Where an administrator says so, a new agent works at once.
    let at_once = AdminRequest::DomainsPolicy {
        name: DOMAIN.to_owned(),
        policy: None,
        approve_agents: Some(false),
        change_passwords: None,
    };
    edge.ask(at_once).await;
    let next = edge.enroll(edge.token(Role::Pta).await.secret, Role::Pta).await.unwrap();
    assert!(next.approved);
    let audit = edge.audit().await;
    let enrolled = audit.iter().find(|entry| entry.action == "agent-enrolled").unwrap();
    assert!(enrolled.detail.contains("approved, from 127.0.0.1, key "), "{enrolled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_token_has_its_own_answer_and_leaves_no_agent() {
    let edge = Edge::start().await;
    let nobodys = TokenSecret::new("A".repeat(43));
    assert_eq!(code(edge.enroll(nobodys, Role::Phs).await), ProblemCode::TokenUnknown);
    let garbage = TokenSecret::new("not base64 at all!".to_owned());
    assert_eq!(code(edge.enroll(garbage, Role::Phs).await), ProblemCode::TokenUnknown);
    assert_eq!(
        code(edge.enroll(edge.token(Role::Pta).await.secret, Role::Phs).await),
        ProblemCode::TokenWrongRole
    );

    let expired = edge.token(Role::Phs).await;
    let age = "UPDATE tokens SET expires_at = ?1 WHERE role = 'phs'";
    edge.database().execute(age, [unix_now() - 1]).unwrap();
    assert_eq!(code(edge.enroll(expired.secret, Role::Phs).await), ProblemCode::TokenExpired);
    assert_eq!(agents(&edge).await, 0);

    let token = edge.token(Role::Phs).await;
    let again = token.secret.lend(|secret| TokenSecret::new(secret.to_owned()));
    edge.enroll(token.secret, Role::Phs).await.unwrap();
    assert_eq!(code(edge.enroll(again, Role::Phs).await), ProblemCode::TokenUsed);
    assert_eq!(agents(&edge).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_certificate_request_does_not_spend_the_token() {
    let edge = Edge::start().await;
    let token = edge.token(Role::Phs).await;
    let secret = |text: &str| TokenSecret::new(text.to_owned());
    let (_, mut csr) = key_and_request();
    let last = csr.len() - 1;
    csr[last] ^= 1;
    for csr in [csr, Vec::new(), b"garbage".to_vec()] {
        let request = enroll_request(token.secret.lend(secret), Role::Phs, csr);
        let outcome = edge.post::<_, EnrollResponse>(None, "/v1/enroll", &request).await;
        assert_eq!(code(outcome), ProblemCode::BadRequestForCertificate);
    }
    edge.enroll(token.secret, Role::Phs).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_enrolments_with_one_token_exactly_one_wins() {
    let edge = Edge::start().await;
    for round in 1..=5 {
        let token = edge.token(Role::Phs).await;
        let tries = (0..8).map(|_| {
            let secret = token.secret.lend(|secret| TokenSecret::new(secret.to_owned()));
            let (_, csr) = key_and_request();
            frame::encode(&enroll_request(secret, Role::Phs, csr)).unwrap()
        });
        let tries: Vec<_> = tries.collect();
        let one = async |body: &[u8]| edge.post_bytes::<EnrollResponse>(None, "/v1/enroll", body).await;
        let [a, b, c, d, e, f, g, h] = tries.as_slice() else { panic!() };
        let outcomes = tokio::join!(one(a), one(b), one(c), one(d), one(e), one(f), one(g), one(h));
        let outcomes = <[_; 8]>::from(outcomes);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for refusal in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refusal.code, ProblemCode::TokenUsed);
        }
        assert_eq!(agents(&edge).await, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_the_enrolment_and_leaves_the_token_unspent() {
    let edge = Edge::start().await;
    let token = edge.token(Role::Phs).await;
    let secret = || token.secret.lend(|secret| TokenSecret::new(secret.to_owned()));
    let pages = |most: i64| {
        let limit = |writing: &Writing<'_>| {
            Ok(writing
                .raw()
                .pragma_update_and_check(None, "max_page_count", most, |row| row.get::<_, i64>(0))?)
        };
        edge.tenant.store.write("test", limit).unwrap();
    };
    // Not a page more than there are now, and no room left in the last page of the audit log. The entries are of
    // today: those of long ago are forgotten by and by, which would make room.
    pages(1);
    let now = unix_now();
    let fill = |detail: &str| {
        edge.tenant.store.write("test", |writing| audit::append(writing, now, "", "", "", detail)).is_ok()
    };
    for detail in ["x".repeat(400), String::new()] {
        while fill(&detail) {}
    }
    assert_eq!(code(edge.enroll(secret(), Role::Phs).await), ProblemCode::StorageFailed);
    assert_eq!(agents(&edge).await, 0);
    pages(1_000_000);
    edge.enroll(secret(), Role::Phs).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_the_hash_of_a_token_and_the_log_of_the_deed() {
    let edge = Edge::start().await;
    let token = edge.token(Role::Phs).await;
    let text = token.secret.lend(str::to_owned);
    let secret = landbridge_crypto::bearer::BearerSecret::parse(&text).unwrap();
    let held = edge.tenant.store.read(|conn| tokens::find(conn, &secret.hash())).unwrap().unwrap();
    assert!(held.spent_at.is_none());
    edge.enroll(token.secret, Role::Phs).await.unwrap();
    let actions: Vec<_> = edge.audit().await.into_iter().map(|entry| (entry.actor, entry.action)).collect();
    assert!(actions.iter().any(|(actor, action)| actor == "uid 0" && action == "token-created"));
    assert!(actions.iter().any(|(actor, action)| actor.starts_with("agent ") && action == "agent-enrolled"));
    let (folder, _) = edge.stop().await;
    for file in ["tenant.db", "tenant.db-wal"] {
        let bytes = std::fs::read(folder.path().join("data").join(file)).unwrap_or_default();
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{file}");
    }
}
