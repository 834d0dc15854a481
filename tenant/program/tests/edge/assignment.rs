//! Applications: who is assigned to them, where they may send from, and their two secrets.

use crate::applications::{RIGHT, sign_in};
use crate::command_line::{Place, code, errors, said};
use crate::directory::{member, says, send, staffed};
use crate::harness::{DOMAIN, Edge, until};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{
    AdminRequest, AdminResponse, AppRow, AppSettings, GroupSetting,
};
use serde_json::json;
use std::fs;
use uuid::Uuid;

pub(crate) async fn create(edge: &Edge, settings: AppSettings) -> String {
    match edge.ask(AdminRequest::AppsCreate { settings: Box::new(settings) }).await {
        AdminResponse::Credential(credential) => credential.lend(str::to_owned),
        other => panic!("{other:?}"),
    }
}

fn for_group(name: &str, group: &str) -> AppSettings {
    let group = GroupSetting { object: None, name: Some(group.to_owned()) };
    AppSettings { groups: Some(vec![group]), ..AppSettings::named(name) }
}

fn assign(name: &str, add: &[&str], remove: &[&str]) -> AdminRequest {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    AdminRequest::AppsAssign {
        name: name.to_owned(),
        everybody: false,
        add: owned(add),
        remove: owned(remove),
    }
}

async fn shown(edge: &Edge, name: &str) -> AppRow {
    match edge.ask(AdminRequest::AppsShow { name: name.to_owned() }).await {
        AdminResponse::App(row) => *row,
        other => panic!("{other:?}"),
    }
}

async fn status(edge: &Edge, app: &str, name: &str, password: &str) -> StatusCode {
    sign_in(edge, app, &format!("{name}@{DOMAIN}"), password).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_signs_in_those_who_are_assigned_and_says_nothing_of_the_others() {
    // alice is in Pilot through Inner, bob is in none.
    let (edge, phs) = staffed().await;
    let (app, every) =
        (create(&edge, for_group("mail", "CORP\\Pilot")).await, edge.credential("every", 600).await);
    assert_eq!(status(&edge, &app, "alice", RIGHT).await, StatusCode::OK);
    let (refused, _, body) = sign_in(&edge, &app, &format!("bob@{DOMAIN}"), RIGHT).await;
    assert_eq!((refused, body), (StatusCode::FORBIDDEN, json!({ "outcome": "refused" })));
    assert_eq!(
        status(&edge, &every, "bob", RIGHT).await,
        StatusCode::OK,
        "another application serves everybody"
    );
    // The audit log has the reason.
    let entries = edge.audit().await;
    let bob = Uuid::from_u128(2).to_string();
    let of_bob = entries.iter().find(|entry| entry.actor == "app mail" && entry.subject == bob).unwrap();
    assert!(of_bob.detail.starts_with("not-assigned, from 203.0.113.7"), "{of_bob:?}");
    // He becomes a member.
    send(&edge, &phs, vec![], vec![member(10, 2)]).await;
    assert_eq!(status(&edge, &app, "bob", RIGHT).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_somebody_who_is_not_assigned_counts_and_a_right_one_resets_nothing() {
    let (edge, _) = staffed().await;
    let (app, every) = (create(&edge, for_group("mail", "Pilot")).await, edge.credential("every", 600).await);
    for n in 0..10 {
        let wrong = format!("wrong {n}");
        assert_eq!(status(&edge, &app, "bob", &wrong).await, StatusCode::FORBIDDEN);
        // Were it a success, the ten below would not add up to a lock.
        assert_eq!(status(&edge, &app, "bob", RIGHT).await, StatusCode::FORBIDDEN);
    }
    // The counter is that of all strangers, so the other application is stopped as well.
    assert_eq!(status(&edge, &every, "bob", RIGHT).await, StatusCode::FORBIDDEN);
    let entries = edge.audit().await;
    assert!(entries.iter().any(|entry| entry.detail.starts_with("unknown-sources-locked")), "{entries:?}");
    let known = edge.tenant.store.read(|reading| {
        let hour = landbridge_tenant_core::clock::unix_now() - 3_600;
        landbridge_tenant_store::tables::known_sources::count(reading, Uuid::from_u128(2), hour)
    });
    assert_eq!(known.unwrap(), 0, "no source became known");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_assigned_and_taken_away_and_nothing_is_written_of_a_request_with_a_mistake() {
    let (edge, _) = staffed().await;
    let app = edge.credential("mail", 600).await;
    let done = says(&edge, assign("mail", &["Pilot"], &[])).await;
    assert_eq!(done, "assigned to mail: members of CORP\\Pilot");
    assert_eq!(
        status(&edge, &app, "bob", RIGHT).await,
        StatusCode::FORBIDDEN,
        "from now on the group decides"
    );
    // One group goes, and another is not there: neither happens.
    let refused = says(&edge, assign("mail", &["No such group"], &["Pilot"])).await;
    assert!(refused.starts_with("refused: there is no group No such group"), "{refused}");
    assert_eq!(status(&edge, &app, "alice", RIGHT).await, StatusCode::OK);
    let refused = says(&edge, assign("mail", &[], &["Inner"])).await;
    assert!(refused.starts_with("refused: the group Inner is not assigned"), "{refused}");
    let done = says(&edge, assign("mail", &[], &["Pilot"])).await;
    assert_eq!(done, "assigned to mail: nobody");
    assert_eq!(status(&edge, &app, "alice", RIGHT).await, StatusCode::FORBIDDEN);
    let everybody = AdminRequest::AppsAssign {
        name: "mail".to_owned(),
        everybody: true,
        add: Vec::new(),
        remove: Vec::new(),
    };
    says(&edge, everybody).await;
    assert_eq!(status(&edge, &app, "bob", RIGHT).await, StatusCode::OK);
    let none = says(&edge, assign("no such app", &["Pilot"], &[])).await;
    assert!(none.starts_with("refused: there is no such application"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_yes_or_no_and_through_which_group() {
    let (edge, _) = staffed().await;
    create(&edge, for_group("mail", "Pilot")).await;
    let explain =
        |name: &str, user: &str| AdminRequest::AppsExplain { name: name.to_owned(), user: user.to_owned() };
    let alice = says(&edge, explain("mail", "alice")).await;
    assert!(alice.contains("yes, as a member of CORP\\Pilot"), "{alice}");
    let bob = says(&edge, explain("mail", &format!("bob@{DOMAIN}"))).await;
    assert!(bob.contains("no: a member of none of CORP\\Pilot") && bob.contains("from everywhere"), "{bob}");
    says(&edge, AdminRequest::UsersBlock { name: "alice".to_owned() }).await;
    let blocked = says(&edge, explain("mail", "alice")).await;
    assert!(blocked.contains("has blocked the account"), "{blocked}");
    let nobody = says(&edge, explain("mail", "nobody")).await;
    assert!(nobody.starts_with("refused: there is no such account"), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_work_side_by_side_end_by_themselves_and_are_ended_one_by_one() {
    let (edge, _) = staffed().await;
    let first = edge.credential("mail", 600).await;
    let add = |days| AdminRequest::AppsSecretAdd { name: "mail".to_owned(), days };
    let AdminResponse::Credential(second) = edge.ask(add(Some(30))).await else { panic!() };
    let second = second.lend(str::to_owned);
    assert!(matches!(edge.ask(add(None)).await, AdminResponse::Refused { .. }), "two are enough");
    assert_eq!(status(&edge, &second, "alice", RIGHT).await, StatusCode::OK);
    let row = shown(&edge, "mail").await;
    let used: Vec<bool> = row.secrets.iter().map(|secret| secret.used_at.is_some()).collect();
    assert_eq!(used, [false, true]);
    let days = (row.secrets[1].ends_at.unwrap() - row.secrets[1].created_at) / 86_400;
    assert_eq!((row.secrets[0].ends_at, days), (None, 30));
    // It ends by itself.
    let over = |writing: &landbridge_tenant_store::Writing<'_>| {
        Ok(writing.raw().execute("UPDATE app_secrets SET ends_at = created_at WHERE number = 2", [])?)
    };
    edge.tenant.store.write("test", over).unwrap();
    assert_eq!(status(&edge, &second, "alice", RIGHT).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&edge, &first, "alice", RIGHT).await, StatusCode::OK);
    // Or by an administrator.
    let remove = |number| AdminRequest::AppsSecretRemove { name: "mail".to_owned(), number };
    let done = says(&edge, remove(1)).await;
    assert!(done.contains("1 left"), "{done}");
    assert_eq!(status(&edge, &first, "alice", RIGHT).await, StatusCode::UNAUTHORIZED);
    assert!(says(&edge, remove(1)).await.starts_with("refused: the application has no secret 1"));
    let done = says(&edge, remove(2)).await;
    assert!(done.contains("signs nobody in until"), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_networks_an_application_is_not_recognised_and_that_is_written_down() {
    let (edge, _) = staffed().await;
    let app = create(
        &edge,
        AppSettings { networks: vec!["192.0.2.0/24".to_owned()], ..AppSettings::named("mail") },
    )
    .await;
    let (refused, _, body) = sign_in(&edge, &app, &format!("alice@{DOMAIN}"), RIGHT).await;
    assert_eq!((refused, &body["error"]), (StatusCode::UNAUTHORIZED, &json!("credential")));
    let about = |entry: &landbridge_tenant_rules::model::AuditEntry| {
        entry.subject == "app mail" && entry.detail.contains("from outside its networks")
    };
    until("it is written down", async || edge.audit().await.iter().any(about)).await;
    let change = |add: &[&str], remove: &[&str]| AdminRequest::AppsNetworks {
        name: "mail".to_owned(),
        add: add.iter().map(|one| (*one).to_owned()).collect(),
        remove: remove.iter().map(|one| (*one).to_owned()).collect(),
    };
    let done = says(&edge, change(&["127.0.0.0/8"], &[])).await;
    assert_eq!(done, "mail may send from 192.0.2.0/24, 127.0.0.0/8");
    assert_eq!(status(&edge, &app, "alice", RIGHT).await, StatusCode::OK);
    for wrong in ["127.0.0.1/8", "example.com", "::/200"] {
        assert!(
            says(&edge, change(&[wrong], &[])).await.starts_with(&format!("refused: {wrong}: ")),
            "{wrong}"
        );
    }
    let done = says(&edge, change(&[], &["192.0.2.0/24", "127.0.0.0/8"])).await;
    assert_eq!(done, "mail may send from everywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_applications_is_applied_as_a_whole_or_not_at_all() {
    let (edge, _) = staffed().await;
    edge.credential("old", 600).await;
    let apply = |apps: Vec<AppSettings>, dry_run| AdminRequest::AppsApply { apps, dry_run };
    let wanted = || vec![for_group("mail", "Pilot"), AppSettings { rate: 5, ..AppSettings::named("wiki") }];
    // 1. What it would do.
    let dry = says(&edge, apply(wanted(), true)).await;
    for part in
        ["mail: created, without a secret", "members of CORP\\Pilot", "wiki: created", "old: left alone"]
    {
        assert!(dry.contains(part), "{part}: {dry}");
    }
    let export = async || match edge.ask(AdminRequest::AppsExport).await {
        AdminResponse::AppSettings(all) => all,
        other => panic!("{other:?}"),
    };
    assert_eq!(export().await.len(), 1, "nothing was done");
    // 2. A mistake in the last one: nothing is done.
    let mistaken = [wanted(), vec![for_group("chat", "No such group")]].concat();
    let refused = says(&edge, apply(mistaken, false)).await;
    assert!(refused.starts_with("refused: chat: there is no group No such group"), "{refused}");
    let twice = says(&edge, apply([wanted(), wanted()].concat(), false)).await;
    assert!(twice.starts_with("refused: mail is in the file twice"), "{twice}");
    assert_eq!(export().await.len(), 1);
    // 3. It is done, and what is exported is the same again.
    assert_eq!(says(&edge, apply(wanted(), false)).await, dry);
    let all = export().await;
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["mail", "old", "wiki"]);
    assert_eq!(says(&edge, apply(all.clone(), false)).await, "nothing differs");
    // 4. A change.
    let changed = vec![AppSettings { rate: 7, ..all[2].clone() }];
    let done = says(&edge, apply(changed, false)).await;
    assert!(done.contains("wiki: changed to every domain, 7 a minute"), "{done}");
    assert_eq!(shown(&edge, "wiki").await.rate, 7);
}

#[test]
fn the_commands_of_applications_print_what_an_administrator_needs() {
    let mut place = Place::new();
    place.serve("info");
    let add = ["domains", "add", "--name", DOMAIN, "--netbios", "CORP", "--sid", "S-1-5-21-1-2-3"];
    assert_eq!(code(&place.run(&add, "")), 0);
    let create = ["apps", "create", "--name", "mail", "--domain", "CORP", "--network", "192.0.2.0/24"];
    assert!(said(&place.run(&create, "")).starts_with("lba1."));
    let shown = said(&place.run(&["apps", "show", "mail"], ""));
    for part in
        ["Domains", DOMAIN, "everybody of its domains", "192.0.2.0/24", "1: made", "no end, never used"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let second = said(&place.run(&["apps", "secret", "add", "mail", "--days", "30"], ""));
    assert!(second.starts_with("lba1.") && second.lines().count() == 1);
    assert!(said(&place.run(&["apps", "secret", "remove", "mail", "1"], "")).contains("1 left"));
    // What is exported is applied again, and a file with a mistake is named with its line.
    let exported = said(&place.run(&["apps", "export"], ""));
    assert!(!exported.contains("lba1.") && exported.contains("name = \"mail\""), "{exported}");
    let file = place.folder.path().join("apps.toml");
    fs::write(&file, &exported).unwrap();
    let path = file.display().to_string();
    assert_eq!(said(&place.run(&["apps", "apply", &path], "")), "nothing differs\n");
    fs::write(&file, format!("{exported}colour = \"red\"\n")).unwrap();
    let wrong = place.run(&["apps", "apply", &path, "--dry-run"], "");
    assert_eq!(code(&wrong), 3);
    assert!(errors(&wrong).contains("colour") && errors(&wrong).contains("line "), "{}", errors(&wrong));
    let missing = place.run(&["apps", "apply", "/nowhere/apps.toml"], "");
    assert!(errors(&missing).contains("apps export"), "{}", errors(&missing));
    // What an application got is taken away by one flag, which goes with no other.
    for (way, given, off) in [
        ("ldap", ["--view", "ad"], "does not read the directory by LDAP"),
        ("oidc", ["--redirect-uri", "https://mail.example.com/callback"], "OpenID Connect is off"),
    ] {
        let run = |flags: &[&str]| place.run(&[&["apps", way, "mail"], flags].concat(), "");
        assert_eq!(code(&run(&given)), 0, "{way}");
        assert_eq!(code(&run(&[&given[..], &["--off"]].concat())), 2, "{way}");
        assert!(said(&run(&["--off"])).contains(off), "{way}");
    }
    // An assignment names what it wants.
    let vague = place.run(&["apps", "assign", "mail"], "");
    assert_eq!(code(&vague), 2);
    let unknown = place.run(&["apps", "assign", "mail", "--group", "CORP\\Mail users"], "");
    assert_eq!(code(&unknown), 4);
    assert!(errors(&unknown).contains("groups list"), "{}", errors(&unknown));
}
