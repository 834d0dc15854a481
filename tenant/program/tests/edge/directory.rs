//! Groups, policies by group, and whoever left, as an administrator deals with them.

use crate::administration::scrape;
use crate::applications::{RIGHT, sign_in, stamp, user};
use crate::harness::{DOMAIN, Edge, Identity, SID};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Kind, Link, LinkKind, Mode, Presence, Receipt, Record, Upload,
};
use uuid::Uuid;

pub(crate) fn upload(phs: &Identity, records: Vec<Record>, links: Vec<Link>) -> Upload {
    Upload {
        instance: phs.instance(),
        domain_sid: Text::new(SID).unwrap(),
        cycle: Uuid::new_v4(),
        mode: Mode::Incremental,
        policy: Some(DomainPolicy { max_pwd_age: Some((stamp(), i64::MIN)), ..DomainPolicy::default() }),
        records: List::new(records).unwrap(),
        links: List::new(links).unwrap(),
        // A first cycle is complete: before it nothing of groups counts.
        commit: Some(Text::new("a".repeat(64)).unwrap()),
        most_swept: None,
        reserved: List::default(),
        level: 0,
    }
}

pub(crate) fn group(number: u128, name: &str) -> Record {
    let attributes = [
        AttributeValue::SamAccountName(Some(Text::new(name).unwrap())),
        AttributeValue::GroupType(Some(-2_147_483_646)),
    ];
    Record {
        kind: Kind::Group,
        password: None,
        attributes: List::new(attributes.map(|is| Attribute { stamp: stamp(), is }).into()).unwrap(),
        ..user(number, name, 0x200, 0)
    }
}

pub(crate) fn member(of: u128, who: u128) -> Link {
    let (from, to) = (Uuid::from_u128(of), Uuid::from_u128(who));
    Link { what: LinkKind::Member, from, to, present: true, created: 5, stamp: stamp() }
}

fn gone(record: Record, presence: Presence) -> Record {
    Record { presence, password: None, attributes: List::default(), ..record }
}

pub(crate) async fn send(edge: &Edge, phs: &Identity, records: Vec<Record>, links: Vec<Link>) {
    let receipt: Receipt = edge.post(Some(phs), "/v1/upload", &upload(phs, records, links)).await.unwrap();
    assert!(receipt.refused.as_slice().is_empty(), "{receipt:?}");
}

/// alice is in Pilot by way of Inner, bob is in none.
pub(crate) async fn staffed() -> (Edge, Identity) {
    staff(Edge::start().await).await
}

/// The same in a tenant that is there.
pub(crate) async fn staff(edge: Edge) -> (Edge, Identity) {
    let phs = edge.phs().await;
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let records = vec![
        user(1, "alice", 0x200, yesterday),
        user(2, "bob", 0x200, yesterday),
        group(10, "Pilot"),
        group(11, "Inner"),
    ];
    send(&edge, &phs, records, vec![member(10, 11), member(11, 1)]).await;
    (edge, phs)
}

pub(crate) async fn says(edge: &Edge, ask: AdminRequest) -> String {
    match edge.ask(ask).await {
        AdminResponse::Done(said) => said,
        AdminResponse::Refused { what, todo } => format!("refused: {what}; {todo}"),
        other => panic!("{other:?}"),
    }
}

fn of_group(group: &str, policy: Option<SigninPolicy>, place: Option<u32>) -> AdminRequest {
    AdminRequest::GroupPolicy { name: DOMAIN.to_owned(), group: group.to_owned(), policy, place }
}

fn of_domain(policy: Option<SigninPolicy>) -> AdminRequest {
    AdminRequest::DomainsPolicy {
        name: DOMAIN.to_owned(),
        policy,
        approve_agents: None,
        change_passwords: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_in_stages_accepts_the_members_of_the_pilot_group() {
    let (edge, phs) = staffed().await;
    let app = edge.credential("mail", 6000).await;
    let status = async |name: &str| sign_in(&edge, &app, &format!("{name}@{DOMAIN}"), RIGHT).await.0;
    let refused = StatusCode::FORBIDDEN;
    says(&edge, of_domain(Some(SigninPolicy::Refuse))).await;
    assert_eq!((status("alice").await, status("bob").await), (refused, refused));
    let said = says(&edge, of_group("corp\\pilot", Some(SigninPolicy::Phs), None)).await;
    assert!(said.contains("1. phs for CORP\\Pilot") && said.contains("1 accounts"), "{said}");
    assert_eq!((status("alice").await, status("bob").await), (StatusCode::OK, refused));

    // An exception goes before.
    says(&edge, of_group("Inner", Some(SigninPolicy::Refuse), Some(1))).await;
    assert_eq!(status("alice").await, refused);
    let listed = says(&edge, of_domain(None)).await;
    let lines: Vec<&str> = listed.lines().skip(1).collect();
    assert!(lines[0].starts_with("1. refuse for CORP\\Inner"), "{listed}");
    assert!(lines[1].starts_with("2. phs for CORP\\Pilot"), "{listed}");
    says(&edge, of_group("Pilot", Some(SigninPolicy::Phs), Some(1))).await;
    assert_eq!(status("alice").await, StatusCode::OK);
    match edge.ask(AdminRequest::DomainsList).await {
        AdminResponse::Domains(rows) => {
            assert_eq!((rows[0].signin, rows[0].group_policies), (SigninPolicy::Refuse, 2))
        }
        other => panic!("{other:?}"),
    }

    // A group that is gone holds for nobody, is shown as gone, and can be taken off the list.
    let guid = Uuid::from_u128(10).to_string();
    send(&edge, &phs, vec![gone(group(10, "Pilot"), Presence::Deleted)], vec![]).await;
    assert_eq!(status("alice").await, refused);
    let listed = says(&edge, of_domain(None)).await;
    assert!(listed.contains("so the policy applies to no account"), "{listed}");
    says(&edge, of_group(&guid, None, None)).await;
    says(&edge, of_group("Inner", None, None)).await;
    assert_eq!(says(&edge, of_domain(None)).await.lines().count(), 1);
    let again = says(&edge, of_group("Inner", None, None)).await;
    assert!(again.starts_with("refused: the group has no policy"), "{again}");
    let none = says(&edge, of_group("Nobody", Some(SigninPolicy::Phs), None)).await;
    assert!(none.contains("groups list"), "{none}");
    let agents = says(&edge, of_group("Inner", Some(SigninPolicy::Pta), None)).await;
    assert!(agents.contains("lockout policy is not known"), "{agents}");
    let audit = edge.audit().await;
    let count = |action: &str| audit.iter().filter(|entry| entry.action == action).count();
    assert_eq!((count("group-policy"), count("group-policy-removed")), (3, 2));
    assert!(audit.iter().any(|entry| entry.detail.starts_with("not-admitted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_refuses_keeps_its_last_members_when_it_vanishes_with_the_groups_in_it() {
    for full_compare in [false, true] {
        let (edge, phs) = staffed().await;
        let app = edge.credential("mail", 6000).await;
        let status = async |name: &str| sign_in(&edge, &app, &format!("{name}@{DOMAIN}"), RIGHT).await.0;
        let (accepted, refused) = (StatusCode::OK, StatusCode::FORBIDDEN);
        says(&edge, of_group("Pilot", Some(SigninPolicy::Refuse), None)).await;
        assert_eq!((status("alice").await, status("bob").await), (refused, accepted));
        // Both groups leave at once, the inner one first.
        let yesterday = filetime(unix_now() - 86_400).unwrap();
        let people = vec![user(1, "alice", 0x200, yesterday), user(2, "bob", 0x200, yesterday)];
        let left = match full_compare {
            true => Upload { mode: Mode::FullCompare, ..upload(&phs, people, vec![]) },
            false => {
                let groups = [group(11, "Inner"), group(10, "Pilot")];
                upload(&phs, groups.map(|one| gone(one, Presence::Deleted)).into(), vec![])
            }
        };
        let _: Receipt = edge.post(Some(&phs), "/v1/upload", &left).await.unwrap();
        assert_eq!((status("alice").await, status("bob").await), (refused, accepted), "{full_compare}");
        let listed = says(&edge, of_domain(None)).await;
        assert!(listed.contains("its last 1 accounts stay refused"), "{listed}");
        let entry = edge.audit().await.into_iter().find(|entry| entry.action == "group-policy-idle").unwrap();
        assert_eq!(entry.detail, "the group has left: its sign-in policy applies to its last 1 accounts");
        let metrics = scrape(&edge, "/metrics").await;
        assert!(metrics.contains("landbridge_group_policies_idle{domain=\"corp.example.com\"} 1"));
        // The administrator ends it; nothing of it is left behind.
        says(&edge, of_group(&Uuid::from_u128(10).to_string(), None, None)).await;
        assert_eq!(status("alice").await, accepted);
        let kept = "SELECT count(*) FROM refused_members";
        assert_eq!(edge.database().query_row(kept, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_left_is_purged_to_the_last_byte_and_a_present_one_is_not() {
    let (edge, phs) = staffed().await;
    let purge = |name: &str| AdminRequest::UsersPurge { name: name.to_owned() };
    for presence in [Presence::Present, Presence::Privileged] {
        send(&edge, &phs, vec![gone(user(1, "alice", 0x200, 0), presence)], vec![]).await;
        let refused = says(&edge, purge("CORP\\alice")).await;
        assert!(
            refused.contains("is still synchronized") && refused.contains("delete it in AD"),
            "{refused}"
        );
    }
    let alice = gone(user(1, "alice", 0x200, 0), Presence::OutOfScope);
    send(&edge, &phs, vec![alice], vec![]).await;
    let found = || {
        let data = edge.folder.path().join("data");
        let bytes = |file: &str| std::fs::read(data.join(file)).unwrap();
        let all = [bytes("tenant.db"), bytes("tenant.db-wal")].concat();
        let guid = Uuid::from_u128(1);
        let count = |wanted: &[u8]| all.windows(wanted.len()).filter(|window| *window == wanted).count();
        (count(guid.as_bytes()), count(b"alice"))
    };
    let (guids, names) = found();
    assert!(guids > 0 && names > 0, "the search finds what is there");
    let done = says(&edge, purge("CORP\\alice")).await;
    assert!(done.contains("is erased"), "{done}");
    assert_eq!(found(), (1, 0), "its objectGUID stays, so that no other domain gets it");
    let home = "SELECT count(*) FROM homes WHERE object = ?1";
    let home = edge.database().query_row(home, [Uuid::from_u128(1).as_bytes()], |row| row.get::<_, i64>(0));
    assert_eq!(home.unwrap(), 1);
    let again = says(&edge, purge("CORP\\alice")).await;
    assert!(again.starts_with("refused: there is no such account"), "{again}");
    let audit = edge.audit().await;
    let purged = audit.iter().find(|entry| entry.action == "user-purged").unwrap();
    assert_eq!(
        (purged.actor.as_str(), purged.subject.as_str()),
        ("uid 0", Uuid::from_u128(1).to_string().as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_account_signs_in_by_no_road_until_it_is_unblocked_whatever_phs_sends() {
    let (edge, phs) = staffed().await;
    let app = edge.credential("mail", 6000).await;
    let user_name = format!("alice@{DOMAIN}");
    let answer = async |password: &str| {
        let (status, _, body) = sign_in(&edge, &app, &user_name, password).await;
        (status, body)
    };
    let name = || user_name.clone();
    let guid = Uuid::from_u128(1).to_string();
    let (wrong, accepted) = (answer("wrong").await, StatusCode::OK);
    assert_eq!(answer(RIGHT).await.0, accepted);
    let done = says(&edge, AdminRequest::UsersBlock { name: name() }).await;
    assert!(done.starts_with(&format!("{guid} is blocked")), "{done}");
    // To the application it is a wrong password.
    assert_eq!(answer(RIGHT).await, wrong);
    assert!(edge.audit().await.iter().any(|entry| entry.detail.starts_with("blocked, from")));

    // A full compare, an erasure and an account with the same objectGUID change nothing.
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let people = || vec![user(1, "alice", 0x200, yesterday), user(2, "bob", 0x200, yesterday)];
    let full = Upload { mode: Mode::FullCompare, ..upload(&phs, people(), vec![]) };
    let _: Receipt = edge.post(Some(&phs), "/v1/upload", &full).await.unwrap();
    assert_eq!(answer(RIGHT).await, wrong);
    send(&edge, &phs, vec![gone(user(1, "alice", 0x200, 0), Presence::Deleted)], vec![]).await;
    says(&edge, AdminRequest::UsersPurge { name: guid.clone() }).await;
    let listed = async || match edge.ask(AdminRequest::UsersBlocked).await {
        AdminResponse::Blocked(rows) => {
            rows.into_iter().map(|row| (row.object.to_string(), row.name)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(listed().await, [(guid.clone(), None)], "erased, and still blocked");
    send(&edge, &phs, people(), vec![]).await;
    assert_eq!(listed().await, [(guid.clone(), Some(name()))]);
    assert_eq!(answer(RIGHT).await, wrong);
    match edge.ask(AdminRequest::UsersShow { name: name() }).await {
        AdminResponse::Users(known) => {
            assert_eq!(known.accounts[0].state, "blocked by an administrator");
            assert!(known.accounts[0].blocked_at.is_some());
        }
        other => panic!("{other:?}"),
    }

    // The other account was never touched, and the end of the block is the end of it.
    assert_eq!(sign_in(&edge, &app, &format!("bob@{DOMAIN}"), RIGHT).await.0, accepted);
    says(&edge, AdminRequest::UsersUnblock { name: guid.clone() }).await;
    assert_eq!(answer(RIGHT).await.0, accepted);
    let again = says(&edge, AdminRequest::UsersUnblock { name: guid.clone() }).await;
    assert!(again.contains("(as before)"), "{again}");
    let none = says(&edge, AdminRequest::UsersBlock { name: "nobody".to_owned() }).await;
    assert!(none.starts_with("refused: there is no such account"), "{none}");
    let audit = edge.audit().await;
    for action in ["user-blocked", "user-unblocked"] {
        let entries: Vec<_> = audit.iter().filter(|entry| entry.action == action).collect();
        assert_eq!((entries.len(), entries[0].subject.as_str()), (1, guid.as_str()), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_ambiguous_names_and_counts_are_shown() {
    let (edge, phs) = staffed().await;
    let name = |text: &str| AttributeValue::AlternateLogin(Some(Text::new(text).unwrap()));
    let attributes =
        List::new(vec![Attribute { stamp: stamp(), is: name(&format!("alice@{DOMAIN}")) }]).unwrap();
    let bob = Record { attributes, password: None, ..user(2, "bob", 0x200, 0) };
    send(&edge, &phs, vec![bob], vec![]).await;
    match edge.ask(AdminRequest::UsersAmbiguous).await {
        AdminResponse::Ambiguous(rows) => {
            let holders: Vec<&str> = rows[0].holders.iter().map(|one| one.name.as_str()).collect();
            assert_eq!((rows.len(), rows[0].name.as_str(), rows[0].count), (1, "alice@corp.example.com", 2));
            assert_eq!(holders, ["CORP\\alice", "CORP\\bob"]);
        }
        other => panic!("{other:?}"),
    }
    match edge.ask(AdminRequest::GroupsList).await {
        AdminResponse::Groups(rows) => assert_eq!((rows.len(), rows[1].name.as_str()), (2, "CORP\\Pilot")),
        other => panic!("{other:?}"),
    }
    match edge.ask(AdminRequest::GroupsShow { name: "Pilot".to_owned() }).await {
        AdminResponse::Group(known) => {
            assert_eq!((known[0].accounts, known[0].direct[0].name.as_str()), (1, "CORP\\Inner"))
        }
        other => panic!("{other:?}"),
    }
    let metrics = scrape(&edge, "/metrics").await;
    for line in [
        "landbridge_objects{domain=\"corp.example.com\",kind=\"account\"} 2",
        "landbridge_objects{domain=\"corp.example.com\",kind=\"group\"} 2",
        "landbridge_links{domain=\"corp.example.com\",kind=\"member\"} 2",
        "landbridge_ambiguous_names 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}
