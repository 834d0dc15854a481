//! A domain that the tenant stops serving: nothing of it is left, and nobody of it gets in.

use crate::applications::{RIGHT, sign_in, upload_people};
use crate::harness::{DEADLINE, DOMAIN, Edge, SID, code, hello};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, AppSettings};
use landbridge_wire::problem::ProblemCode;
use landbridge_wire::upload::Receipt;
use tokio::io::AsyncReadExt as _;

fn remove(accounts: Option<u64>) -> AdminRequest {
    AdminRequest::DomainsRemove { name: "corp".to_owned(), accounts }
}

fn add(name: &str, netbios: &str, sid: &str) -> AdminRequest {
    let (name, netbios, sid) = (name.to_owned(), netbios.to_owned(), sid.to_owned());
    AdminRequest::DomainsAdd { name, netbios, sid, allow_privileged: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_domain_is_erased_its_agents_are_cut_off_and_it_can_be_added_again() {
    let edge = Edge::start().await;
    let (phs, pta) = (edge.phs().await, edge.pta().await);
    upload_people(&edge, &phs).await;
    edge.ask(add("lab.example.net", "LAB", "S-1-5-21-4-5-6")).await;
    let every = edge.credential("every", 600).await;
    let limited = AdminRequest::AppsCreate {
        settings: Box::new(AppSettings {
            domains: Some(vec![DOMAIN.to_owned()]),
            rate: 600,
            ..AppSettings::named("limited")
        }),
    };
    let AdminResponse::Credential(limited) = edge.ask(limited).await else { panic!() };
    let limited = limited.lend(str::to_owned);
    let alice = format!("alice@{DOMAIN}");
    assert_eq!(sign_in(&edge, &limited, &alice, RIGHT).await.0, StatusCode::OK);
    let mut open = edge.connect(Some(&phs)).await.unwrap();

    // 1. Nothing is done before an administrator agrees to as many accounts as there are.
    for agreed in [None, Some(2)] {
        let AdminResponse::Confirm { what, accounts } = edge.ask(remove(agreed)).await else { panic!() };
        assert_eq!(accounts, 3);
        let agents = [phs.agent, pta.agent].map(|agent| agent.to_string());
        let parts =
            ["3 accounts with 3 digests", "application limited", agents[0].as_str(), agents[1].as_str()];
        assert!(parts.iter().all(|part| what.contains(part)), "{what}");
    }
    assert_eq!(sign_in(&edge, &every, &alice, RIGHT).await.0, StatusCode::OK);

    // 2. All of it goes.
    let done = edge.ask(remove(Some(3))).await;
    assert!(matches!(&done, AdminResponse::Done(text) if text.contains("3 accounts are erased")), "{done:?}");
    assert_eq!(sign_in(&edge, &every, &alice, RIGHT).await.0, StatusCode::FORBIDDEN);
    assert_eq!(sign_in(&edge, &limited, &alice, RIGHT).await.0, StatusCode::UNAUTHORIZED);
    let read = tokio::time::timeout(DEADLINE, open.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(read, Ok(1..)), "its connection is cut");
    let refused = edge.post::<_, Receipt>(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await;
    assert_eq!(code(refused), ProblemCode::AgentRevoked);
    let AdminResponse::Domains(left) = edge.ask(AdminRequest::DomainsList).await else { panic!() };
    assert_eq!(left.iter().map(|row| row.netbios.as_str()).collect::<Vec<_>>(), ["LAB"]);
    let AdminResponse::Agents(agents) = edge.ask(AdminRequest::AgentsList).await else { panic!() };
    assert!(agents.is_empty());
    let database = edge.database();
    let broken: i64 =
        database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0, "no row leads nowhere");
    // The sign-in above is of a name that nobody has by now, and counts as such.
    let counters = "lockouts WHERE unknown_name = 0";
    for table in ["objects", "attributes", "signin_names", "digests", "homes", "tokens", counters] {
        let rows: i64 =
            database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    drop(database);
    for file in ["tenant.db", "tenant.db-wal"] {
        let bytes = std::fs::read(edge.config.data_directory.join(file)).unwrap();
        let trace = b"mustchange@corp";
        assert!(!bytes.windows(trace.len()).any(|window| window == trace), "{file}");
    }
    let entry = edge.audit().await.into_iter().find(|entry| entry.action == "domain-removed").unwrap();
    assert!(entry.subject == DOMAIN && entry.detail.contains("accounts 3, digests 3"), "{entry:?}");
    let again = edge.ask(AdminRequest::AppsRotate { name: "limited".to_owned() }).await;
    assert!(matches!(again, AdminResponse::Refused { .. }), "revoked for good, and not for every domain");
    assert!(matches!(edge.ask(remove(Some(3))).await, AdminResponse::Refused { .. }));

    // 3. Added again it is a new domain, whose objects are its own.
    assert!(matches!(edge.ask(add(DOMAIN, "CORP", SID)).await, AdminResponse::Done(_)));
    let phs = edge.phs().await;
    upload_people(&edge, &phs).await;
    assert_eq!(sign_in(&edge, &every, &alice, RIGHT).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn less_is_refused_once_an_administrator_agrees_and_nobody_is_locked_out() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    upload_people(&edge, &phs).await;
    let app = edge.credential("mail", 600).await;
    let least =
        |iterations, accounts| AdminRequest::MinIterations { name: DOMAIN.to_owned(), iterations, accounts };
    let AdminResponse::Confirm { what, accounts } = edge.ask(least(600_000, None)).await else { panic!() };
    assert!(accounts == 3 && what.contains("fewer than 600000 iterations"), "{what}");
    assert!(matches!(edge.ask(least(600_000, Some(2))).await, AdminResponse::Confirm { .. }));
    assert!(matches!(edge.ask(least(600_000, Some(3))).await, AdminResponse::Done(_)));
    assert_eq!(sign_in(&edge, &app, &format!("alice@{DOMAIN}"), RIGHT).await.0, StatusCode::OK);
    let policy = AdminRequest::DomainsPolicy {
        name: DOMAIN.to_owned(),
        policy: None,
        approve_agents: None,
        change_passwords: None,
    };
    let AdminResponse::Done(text) = edge.ask(policy).await else { panic!() };
    assert!(
        text.contains("at least 600000") && text.contains("3 accounts have a digest with fewer"),
        "{text}"
    );
    // To accept more again needs no consent.
    assert!(matches!(edge.ask(least(1000, None)).await, AdminResponse::Done(_)));
}
