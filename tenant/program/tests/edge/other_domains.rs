//! Two domains at one tenant: whose UPN suffix it is, whose object it is, and what an administrator may move.
#![allow(clippy::print_stdout)]

use crate::administration::scrape;
use crate::applications::{RIGHT, sign_in, stamp, user};
use crate::harness::{DOMAIN, Edge, Identity, SID};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, MoveRow, SuffixRow};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_store::tables::attributes::packed::{Entry, Value as Packed, pack};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::enroll::Role;
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Mode, Presence, Receipt, Record, RefusalReason, Upload,
};
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

const LAB: &str = "lab.example.net";
const LAB_SID: &str = "S-1-5-21-4-5-6";

/// A tenant with two domains, the phs of each, and an application.
struct Two {
    edge: Edge,
    corp: Identity,
    lab: Identity,
    app: String,
}

impl Two {
    async fn start() -> Self {
        let edge = Edge::start().await;
        let corp = edge.phs().await;
        let (name, netbios, sid) = (LAB.to_owned(), "LAB".to_owned(), LAB_SID.to_owned());
        edge.ask(AdminRequest::DomainsAdd { name, netbios, sid, allow_privileged: false }).await;
        let token = AdminRequest::TokenCreate { role: Role::Phs, domain: "LAB".to_owned(), minutes: 10 };
        let AdminResponse::Token(token) = edge.ask(token).await else { panic!() };
        let token = token.lend(|text| landbridge_wire::enroll::Token::parse(text).unwrap());
        let lab = edge.enroll(token.secret, Role::Phs).await.unwrap();
        edge.ask(AdminRequest::AgentsApprove { agent: lab.agent, key: None }).await;
        let app = edge.credential("mail", 6000).await;
        let two = Self { edge, corp, lab, app };
        // The first full compare of both is complete: from then on only an administrator declares a suffix.
        two.send(DOMAIN, vec![]).await;
        two.send(LAB, vec![]).await;
        two
    }

    /// A full compare of one domain with these records, which are of accounts.
    async fn send(&self, domain: &str, records: Vec<Record>) -> Receipt {
        let (phs, sid) = if domain == LAB { (&self.lab, LAB_SID) } else { (&self.corp, SID) };
        let upload = Upload {
            instance: phs.instance(),
            domain_sid: Text::new(sid).unwrap(),
            cycle: Uuid::new_v4(),
            mode: Mode::FullCompare,
            policy: Some(DomainPolicy { max_pwd_age: Some((stamp(), i64::MIN)), ..DomainPolicy::default() }),
            records: List::new(records).unwrap(),
            links: List::default(),
            commit: Some(Text::new(Uuid::new_v4().simple().to_string()).unwrap()),
            most_swept: None,
            level: 0,
            reserved: List::default(),
        };
        self.edge.post(Some(phs), "/v1/upload", &upload).await.unwrap()
    }

    async fn status(&self, name: &str) -> StatusCode {
        sign_in(&self.edge, &self.app, name, RIGHT).await.0
    }

    async fn says(&self, ask: AdminRequest) -> String {
        match self.edge.ask(ask).await {
            AdminResponse::Done(said) => said,
            AdminResponse::Refused { what, todo } => format!("refused: {what}; {todo}"),
            AdminResponse::Confirm { what, accounts } => format!("confirm {accounts}: {what}"),
            other => panic!("{other:?}"),
        }
    }

    async fn suffixes(&self, name: Option<&str>) -> Vec<SuffixRow> {
        match self.edge.ask(AdminRequest::SuffixList { name: name.map(str::to_owned) }).await {
            AdminResponse::Suffixes(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    async fn moves(&self) -> Vec<MoveRow> {
        match self.edge.ask(AdminRequest::MovesList { from: "CORP".to_owned(), to: LAB.to_owned() }).await {
            AdminResponse::Moves(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    /// Actor, subject and detail of the audit entries of this action, the oldest first.
    async fn entries(&self, action: &str) -> Vec<(String, String, String)> {
        let all = self.edge.audit().await.into_iter().rev().filter(|entry| entry.action == action);
        all.map(|entry| (entry.actor, entry.subject, entry.detail)).collect()
    }
}

/// An account of a domain whose UPN is `upn`, whole.
fn person(number: u128, domain: &str, sam: &str, upn: &str) -> Record {
    let record = user(number, sam, 0x200, filetime(unix_now() - 86_400).unwrap());
    let mut attributes = record.attributes.into_vec();
    attributes.retain(|one| !matches!(one.is, AttributeValue::UserPrincipalName(_)));
    let upn = AttributeValue::UserPrincipalName(Some(Text::new(upn).unwrap()));
    attributes.push(Attribute { stamp: stamp(), is: upn });
    let sid = if domain == LAB { LAB_SID } else { SID };
    Record {
        sid: Some(Text::new(format!("{sid}-{}", 1100 + number)).unwrap()),
        attributes: List::new(attributes).unwrap(),
        ..record
    }
}

fn add(name: &str, suffix: &str, shared: bool) -> AdminRequest {
    AdminRequest::SuffixAdd { name: name.to_owned(), suffix: suffix.to_owned(), shared }
}

fn remove(name: &str, suffix: &str, accounts: Option<u64>) -> AdminRequest {
    AdminRequest::SuffixRemove { name: name.to_owned(), suffix: suffix.to_owned(), accounts }
}

fn moving(objects: &[u128]) -> AdminRequest {
    let objects = objects.iter().map(|n| Uuid::from_u128(*n)).collect();
    AdminRequest::MoveObjects { from: "CORP".to_owned(), to: LAB.to_owned(), objects }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suffix_gives_names_when_it_is_added_and_takes_them_when_it_is_removed_without_an_upload() {
    let two = Two::start().await;
    let (accepted, refused) = (StatusCode::OK, StatusCode::FORBIDDEN);
    let records = vec![
        person(1, DOMAIN, "alice", "Alice@Example.com"),
        person(2, DOMAIN, "bob", "bob@example.com"),
        person(3, DOMAIN, "carol", "carol@corp.example.com"),
    ];
    two.send(DOMAIN, records).await;
    assert_eq!((two.status("alice@example.com").await, two.status("CORP\\alice").await), (refused, accepted));

    let said = two.says(add("corp", "@EXAMPLE.com", false)).await;
    assert_eq!(said, "corp.example.com has the suffix example.com: 2 accounts have a name with it");
    assert_eq!(
        (two.status("alice@example.com").await, two.status("bob@example.com").await),
        (accepted, accepted)
    );
    assert!(two.says(add("corp", "example.com", false)).await.ends_with("(as before)"));

    // A removal asks first, and asks again if more accounts lose a name by then.
    let asked = "confirm 2: 2 accounts of corp.example.com lose their name that ends in @example.com";
    assert_eq!(two.says(remove(DOMAIN, "Example.com", None)).await, asked);
    assert_eq!(two.says(remove(DOMAIN, "Example.com", Some(1))).await, asked);
    assert_eq!(two.status("alice@example.com").await, accepted, "nothing was done");
    let said = two.says(remove(DOMAIN, "Example.com", Some(2))).await;
    assert_eq!(
        said,
        "corp.example.com does not have the suffix example.com any more: 2 accounts lost a name"
    );
    assert_eq!((two.status("alice@example.com").await, two.status("CORP\\alice").await), (refused, accepted));
    assert_eq!(two.status("carol@corp.example.com").await, accepted);

    // What cannot be added or removed says why.
    for (ask, why) in [
        (remove(DOMAIN, DOMAIN, None), "refused: a domain's own name is always its suffix"),
        (remove(DOMAIN, "corp", None), "refused: a domain's own name is always its suffix"),
        (remove(DOMAIN, "example.com", None), "refused: corp.example.com does not declare the suffix"),
        (add(DOMAIN, "a@b.example", false), "refused: a UPN suffix is what follows the @"),
        (add(DOMAIN, "a\\b", false), "refused: a UPN suffix is what follows the @"),
        (add(DOMAIN, "", false), "refused: a UPN suffix is what follows the @"),
        (add("nowhere", "example.com", false), "refused: this tenant serves no such domain"),
    ] {
        let said = two.says(ask).await;
        assert!(said.starts_with(why), "{said}");
    }
    let who = "uid 0".to_owned();
    let detail = "example.com; 2 accounts have a name with it".to_owned();
    assert_eq!(two.entries("suffix-added").await, [(who.clone(), DOMAIN.to_owned(), detail)]);
    let detail = "example.com; 2 accounts lost a name".to_owned();
    assert_eq!(two.entries("suffix-removed").await, [(who, DOMAIN.to_owned(), detail)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suffix_is_of_one_domain_unless_an_administrator_shares_it() {
    let two = Two::start().await;
    let (accepted, refused) = (StatusCode::OK, StatusCode::FORBIDDEN);
    two.says(add("corp", "example.com", false)).await;
    let corp = vec![person(1, DOMAIN, "alice", "alice@example.com")];
    two.send(DOMAIN, corp).await;
    let lab = vec![
        person(11, LAB, "thief", "alice@example.com"),
        person(12, LAB, "boss", "alice@corp.example.com"),
        person(13, LAB, "dora", "dora@example.com"),
        person(14, LAB, "emil", "emil@nobody.example"),
    ];
    two.send(LAB, lab).await;
    assert_eq!(two.status("alice@example.com").await, accepted, "another domain's account changes nothing");
    assert_eq!((two.status("dora@example.com").await, two.status("LAB\\dora").await), (refused, accepted));

    // The alarm is seen in the list of domains, the list of suffixes, the account, the metrics and the audit log.
    let AdminResponse::Domains(domains) = two.edge.ask(AdminRequest::DomainsList).await else { panic!() };
    let counts: Vec<_> =
        domains.iter().map(|row| (row.name.as_str(), row.refused_names, row.refused_objects)).collect();
    assert_eq!(counts, [(DOMAIN, 0, 0), (LAB, 4, 0)]);
    let rows = two.suffixes(Some("lab")).await;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.suffix.as_str(), row.declared, row.others.join(" "), row.accounts))
        .collect();
    let expected = [
        (LAB, true, String::new(), 0),
        ("example.com", false, DOMAIN.to_owned(), 2),
        (DOMAIN, false, DOMAIN.to_owned(), 1),
        ("nobody.example", false, String::new(), 1),
    ];
    assert_eq!(rows, expected);
    let metrics = scrape(&two.edge, "/metrics").await;
    for line in ["landbridge_names_of_other_domains_total 3", "landbridge_names_undeclared_total 1"] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let said = "the account does not get the name dora@example.com: corp.example.com declares its suffix";
    assert!(two.entries("name-refused").await.iter().any(|(_, _, detail)| detail == said));
    let shown = two.edge.ask(AdminRequest::UsersShow { name: "dora@example.com".to_owned() }).await;
    let AdminResponse::Users(shown) = shown else { panic!() };
    assert_eq!(shown.accounts[0].refused_names, ["dora@example.com (its suffix is of corp.example.com)"]);

    // Shared: both have it, and a name of both signs neither in.
    let said = two.says(add("LAB", "example.com", false)).await;
    assert!(
        said.starts_with("refused: example.com is a UPN suffix of corp.example.com; with --shared"),
        "{said}"
    );
    let said = two.says(add("LAB", "example.com", true)).await;
    let expected = "lab.example.net has the suffix example.com, shared with corp.example.com: 2 accounts have a name \
                    with it; 1 of these names are held by more than one account: see `users ambiguous`";
    assert_eq!(said, expected);
    assert_eq!(
        (two.status("dora@example.com").await, two.status("alice@example.com").await),
        (accepted, refused)
    );
    assert_eq!(two.status("CORP\\alice").await, accepted);
    // The name of a domain is shared like any other; its accounts keep it.
    assert!(
        two.says(add("LAB", DOMAIN, false)).await.starts_with("refused: corp.example.com is a UPN suffix of")
    );
    two.says(add("LAB", DOMAIN, true)).await;
    assert_eq!(
        two.status("alice@corp.example.com").await,
        refused,
        "sam@dns.domain of one, the UPN of the other"
    );
    two.says(remove("LAB", DOMAIN, Some(1))).await;
    assert_eq!(two.status("alice@corp.example.com").await, accepted);
    two.says(remove("LAB", "example.com", Some(2))).await;
    assert_eq!(
        (two.status("dora@example.com").await, two.status("alice@example.com").await),
        (refused, accepted)
    );
    // A domain whose name another one has as a suffix is not added.
    two.says(add("LAB", "new.example.org", false)).await;
    let (name, netbios, sid) = ("new.example.org".to_owned(), "NEW".to_owned(), "S-1-5-21-7-8-9".to_owned());
    let said = two.says(AdminRequest::DomainsAdd { name, netbios, sid, allow_privileged: false }).await;
    assert!(said.starts_with("refused: another domain declares that name as a UPN suffix"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_moved_signs_in_at_the_new_domain_when_an_administrator_has_moved_the_object() {
    let two = Two::start().await;
    let (accepted, refused) = (StatusCode::OK, StatusCode::FORBIDDEN);
    let here = || person(1, DOMAIN, "alice", "alice@corp.example.com");
    let there = || person(1, LAB, "alice", "alice@lab.example.net");
    let reasons = |receipt: &Receipt| -> Vec<RefusalReason> {
        receipt.refused.as_slice().iter().map(|one| one.why).collect()
    };
    let gone =
        || Record { presence: Presence::Deleted, password: None, attributes: List::default(), ..here() };
    two.send(DOMAIN, vec![here(), person(2, DOMAIN, "bob", "bob@corp.example.com")]).await;
    assert!(two.moves().await.is_empty());

    // 1. Only the new domain says so: refused, and an administrator cannot move it either.
    assert_eq!(reasons(&two.send(LAB, vec![there()]).await), [RefusalReason::ForeignSid]);
    let rows = two.moves().await;
    let known: Vec<_> = rows
        .iter()
        .map(|row| (row.object, row.name.as_deref(), row.presence.as_str(), row.movable))
        .collect();
    assert_eq!(known, [(Uuid::from_u128(1), Some("alice@corp.example.com"), "present", false)]);
    let said = two.says(moving(&[1])).await;
    assert!(said.contains("is still in corp.example.com, so it did not move"), "{said}");
    assert_eq!((two.status("CORP\\alice").await, two.status("LAB\\alice").await), (accepted, refused));
    let metrics = scrape(&two.edge, "/metrics").await;
    assert!(metrics.contains("landbridge_objects_of_other_domains_total 1"), "{metrics}");
    let alarms = two.entries("object-of-another-domain").await;
    let detail = "lab.example.net uploaded it, and it belongs to corp.example.com: if it moved in AD, \
                  `domains move-objects corp.example.com lab.example.net`";
    let subject = Uuid::from_u128(1).to_string();
    assert_eq!(alarms, [(format!("agent {}", two.lab.agent), subject.clone(), detail.to_owned())]);

    // 2. Its domain has lost it: it stays refused until an administrator moves it.
    two.says(AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
    two.send(DOMAIN, vec![gone(), person(2, DOMAIN, "bob", "bob@corp.example.com")]).await;
    assert_eq!(reasons(&two.send(LAB, vec![there()]).await), [RefusalReason::ForeignSid]);
    assert_eq!((two.status("CORP\\alice").await, two.status("LAB\\alice").await), (refused, refused));
    assert_eq!((two.moves().await[0].presence.as_str(), two.moves().await[0].movable), ("deleted", true));
    let said = two.says(moving(&[1, 2])).await;
    assert!(
        said.starts_with("refused: ") && said.contains("is no object of corp.example.com that"),
        "{said}"
    );
    assert_eq!(two.moves().await.len(), 1, "all of them, or none");
    let said = two.says(moving(&[1])).await;
    assert!(
        said.starts_with("1 objects belong to lab.example.net now; run `landbridge-phs once --full`"),
        "{said}"
    );
    let entry = ("uid 0".to_owned(), subject, "from corp.example.com to lab.example.net".to_owned());
    assert_eq!(two.entries("object-moved").await, [entry]);

    // 3. The next upload of the new domain brings it. A block has moved with it.
    assert_eq!(reasons(&two.send(LAB, vec![there()]).await), []);
    assert_eq!(two.status("LAB\\alice").await, refused);
    two.says(AdminRequest::UsersUnblock { name: "LAB\\alice".to_owned() }).await;
    let (status, _, body) = sign_in(&two.edge, &two.app, "alice@lab.example.net", RIGHT).await;
    assert_eq!(status, accepted, "{body}");
    let key = [json!(Uuid::from_u128(1).to_string()), json!(LAB_SID), json!(LAB)];
    let answered = ["object", "domain_sid", "domain"].map(|field| body[field].clone());
    assert_eq!(answered, key);
    assert_ne!(body["domain_sid"], Value::Null);
    assert!(two.moves().await.is_empty());

    // 4. Its old domain says again and again that it is gone, which is no alarm; it does not get it back.
    let before = two.entries("object-of-another-domain").await.len();
    assert_eq!(reasons(&two.send(DOMAIN, vec![gone(), person(2, DOMAIN, "bob", "b@corp")]).await), []);
    assert_eq!(two.entries("object-of-another-domain").await.len(), before);
    assert_eq!(reasons(&two.send(DOMAIN, vec![here()]).await), [RefusalReason::ForeignSid]);
    assert_eq!((two.status("LAB\\alice").await, two.status("CORP\\alice").await), (accepted, refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_erased_or_left_the_scope_moves_and_a_wrong_pair_of_domains_does_not() {
    let two = Two::start().await;
    two.send(DOMAIN, vec![person(1, DOMAIN, "a", "a@corp"), person(2, DOMAIN, "b", "b@corp")]).await;
    // A full compare that does not find them: AD has forgotten their tombstones.
    two.send(DOMAIN, vec![]).await;
    two.says(AdminRequest::UsersPurge { name: Uuid::from_u128(2).to_string() }).await;
    let there = || vec![person(1, LAB, "a", "a@lab"), person(2, LAB, "b", "b@lab")];
    assert_eq!(two.send(LAB, there()).await.refused.as_slice().len(), 2);
    let mut rows = two.moves().await;
    rows.sort_by_key(|row| row.object);
    let known: Vec<_> = rows.iter().map(|row| (row.presence.as_str(), row.name.as_deref())).collect();
    assert_eq!(known, [("out-of-scope", Some("a@corp")), ("erased", None)]);
    let pair = |from: &str, to: &str| AdminRequest::MoveObjects {
        from: from.to_owned(),
        to: to.to_owned(),
        objects: vec![Uuid::from_u128(1)],
    };
    let backwards = two.says(pair(LAB, DOMAIN)).await;
    assert!(
        backwards.contains("is no object of lab.example.net that corp.example.com uploaded"),
        "{backwards}"
    );
    let same = two.says(pair(DOMAIN, "corp")).await;
    assert!(same.starts_with("refused: objects move from one domain to another one"), "{same}");
    assert!(
        two.says(pair(DOMAIN, "nowhere")).await.starts_with("refused: this tenant serves no such domain")
    );
    // What groups say of it stays, what it says itself does not.
    let database = two.edge.database();
    let link = "INSERT INTO links VALUES (?1, ?2, ?3, ?4, zeroblob(36), 1, NULL)";
    let [group, object] = [70, 1].map(Uuid::from_u128);
    for (source, what, target, domain) in
        [(group, "member", object, 1), (group, "member", object, 2), (object, "manager", group, 1)]
    {
        database.execute(link, (source.as_bytes(), what, target.as_bytes(), domain)).unwrap();
    }
    two.says(moving(&[1, 2])).await;
    let count = |column: &str| -> i64 {
        let count = format!("SELECT count(*) FROM links WHERE {column} = ?1");
        database.query_row(&count, [object.as_bytes()], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("target"), count("source")), (2, 0));
    assert!(two.send(LAB, there()).await.refused.as_slice().is_empty());
    for name in ["LAB\\a", "LAB\\b"] {
        assert_eq!(two.status(name).await, StatusCode::OK, "{name}");
    }
}

/// No time is asserted: it prints what a suffix of a large domain costs.
#[tokio::test(flavor = "multi_thread")]
async fn a_suffix_of_many_accounts_gives_and_takes_all_of_their_names() {
    const ACCOUNTS: u128 = 20_000;
    let two = Two::start().await;
    let mut database = two.edge.database();
    let rows = database.transaction().unwrap();
    for n in 1..=ACCOUNTS {
        let object = Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let insert =
            "INSERT INTO objects (object, domain, presence, changed_at) VALUES (?1, 1, 'present', 0)";
        rows.execute(insert, [object.as_bytes()]).unwrap();
        let names = [("user_principal_name", "User"), ("alternate_login", "other"), ("mail", "mail")];
        let entries = names.map(|(name, user)| {
            let value = Some(Packed::Text(format!("{user}{n}@Example.com").into()));
            Entry { name, stamp: stamp(), value }
        });
        let insert = "INSERT INTO attributes (number, packed) VALUES (?1, ?2)";
        rows.execute(insert, (rows.last_insert_rowid(), pack(&entries))).unwrap();
    }
    rows.commit().unwrap();
    let names = || -> i64 {
        let count = "SELECT count(*) FROM signin_names WHERE name LIKE '%@example.com'";
        two.edge.database().query_row(count, [], |row| row.get(0)).unwrap()
    };
    let began = Instant::now();
    let said = two.says(add(DOMAIN, "example.com", false)).await;
    let added = began.elapsed();
    assert!(said.ends_with(": 20000 accounts have a name with it"), "{said}");
    assert_eq!(names(), 40_000, "each has two, and a mail address is none");
    let began = Instant::now();
    two.says(remove(DOMAIN, "example.com", Some(20_000))).await;
    let removed = began.elapsed();
    assert_eq!(names(), 0);
    println!(
        "N = {ACCOUNTS} accounts with two names each: {added:?} to add a suffix, {removed:?} to remove it"
    );
}
