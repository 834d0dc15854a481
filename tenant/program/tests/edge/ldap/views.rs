//! What applications see: views, attributes, memberships, numbers, order; and whose application a connection is.

use super::client::{Client, Printed};
use super::raw::{Raw, bind, equal, page, present, search};
use super::{reading, served};
use crate::applications::{RIGHT, sign_in, stamp, user};
use crate::assignment::create;
use crate::directory::{group, says, send};
use crate::harness::{Edge, Identity, SID};
use landbridge_tenant_core::administration::request::{
    AdminRequest, AdminResponse, AppSettings, GroupSetting, LdapChange, LdapSettings,
};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue};
use landbridge_wire::upload::{Attribute, AttributeValue, Kind, Record, Stamp};
use uuid::Uuid;

const BASE: &str = "dc=corp,dc=example,dc=com";

fn written(is: AttributeValue) -> Attribute {
    Attribute { stamp: Stamp { version: 3, ..stamp() }, is }
}

fn described(name: &str, value: DescribedValue) -> AttributeValue {
    let name = DescribedName::named(name).unwrap();
    AttributeValue::Described(Described { name, value: Some(value) })
}

fn text(value: &str) -> DescribedValue {
    DescribedValue::Text(Text::new(value).unwrap())
}

/// A record of an object that is there, with further attributes.
fn further(record: Record, attributes: Vec<AttributeValue>) -> Record {
    let attributes = attributes.into_iter().map(written).collect();
    Record { attributes: List::new(attributes).unwrap(), password: None, ..record }
}

/// alice with attributes of every kind; bob disabled, with Unix numbers of AD's; Domain Users.
async fn furnish(edge: &Edge, phs: &Identity) {
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let alice = vec![
        AttributeValue::DisplayName(Some(Text::new("Alice  Łoś, née O'Neil").unwrap())),
        AttributeValue::Surname(Some(Text::new("Łoś").unwrap())),
        AttributeValue::Mail(Some(Text::new("Alice@Example.com").unwrap())),
        AttributeValue::Title(Some(Text::new("Head of Everything").unwrap())),
        AttributeValue::TelephoneNumber(Some(Text::new("+49 30 1234-5").unwrap())),
        described("company", text("Example")),
        described("whenCreated", DescribedValue::Integer(13_000_000_000)),
    ];
    let bob = vec![
        AttributeValue::UserAccountControl(Some(0x202)),
        described("uidNumber", DescribedValue::Integer(4711)),
        described("gidNumber", DescribedValue::Integer(815)),
        described("unixHomeDirectory", text("/srv/bob")),
        described("loginShell", text("/bin/zsh")),
    ];
    let domain_users =
        Record { sid: Some(Text::new(format!("{SID}-513")).unwrap()), ..group(13, "Domain Users") };
    let records = vec![
        further(user(1, "alice", 0x200, yesterday), alice),
        further(user(2, "bob", 0x200, yesterday), bob),
        domain_users,
    ];
    send(edge, phs, records, vec![]).await;
}

pub(crate) async fn change(edge: &Edge, change: LdapChange) {
    let said = says(edge, AdminRequest::AppsLdap { name: "wiki".to_owned(), change: Some(change) }).await;
    assert!(said.starts_with("wiki: LDAP:"), "{said}");
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(crate) fn everything() -> LdapChange {
    LdapChange { all_groups: Some(true), all_attributes: Some(true), ..LdapChange::default() }
}

#[track_caller]
fn one(found: &Printed) -> String {
    assert_eq!((found.code, found.names().len()), (0, 1), "{found:?}");
    found.names().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_is_not_seen_has_no_value_in_answers_and_in_filters() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    furnish(&edge, &phs).await;
    let alice = client.search(BASE, &["(uid=alice)", "*", "+", "title", "telephoneNumber"]).await;
    assert_eq!(alice.values("mail"), ["Alice@Example.com"]);
    for hidden in ["title", "telephoneNumber", "company"] {
        assert!(alice.values(hidden).is_empty(), "{hidden}: {alice:?}");
    }
    for filter in
        ["(title=*)", "(title=Head of Everything)", "(telephoneNumber=+49 30 12345)", "(title=Head*)"]
    {
        assert!(client.search(BASE, &[filter]).await.names().is_empty(), "{filter}");
    }
    // Named in any case, it is there, and compared by its rule: without blanks and hyphens.
    let see = LdapChange { attributes: Some(vec!["TELEPHONEnumber".to_owned()]), ..LdapChange::default() };
    change(&edge, see).await;
    one(&client.search(BASE, &["(telephoneNumber=+4930-12345)"]).await);
    assert!(client.search(BASE, &["(title=*)"]).await.names().is_empty());
    let wrong = LdapChange { attributes: Some(vec!["unicodePwd".to_owned()]), ..LdapChange::default() };
    let refused = says(&edge, AdminRequest::AppsLdap { name: "wiki".to_owned(), change: Some(wrong) }).await;
    assert!(refused.starts_with("refused: unicodePwd is no attribute"), "{refused}");
    // No secret and no counter has a name here.
    change(&edge, everything()).await;
    let all = client
        .search(BASE, &["(objectClass=*)", "*", "+", "userPassword", "unicodePwd", "lockoutTime"])
        .await;
    for name in ["userPassword", "unicodePwd", "lockoutTime", "badPwdCount", "digest"] {
        assert!(!all.text.to_lowercase().contains(&name.to_lowercase()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_of_ad_has_its_names_its_flags_and_its_rules() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    furnish(&edge, &phs).await;
    change(&edge, LdapChange { view: some("ad"), member_of: some("effective"), ..everything() }).await;
    let alice =
        client.search(BASE, &["(&(objectCategory=person)(objectClass=user)(sAMAccountName=ALICE))"]).await;
    assert_eq!(one(&alice), "uid=alice,ou=people,dc=corp,dc=example,dc=com");
    assert_eq!(alice.values("userPrincipalName"), ["alice@corp.example.com"]);
    // Nested, and the primary group.
    let mut groups = alice.values("memberOf");
    groups.sort();
    let dn = |name: &str| format!("cn={name},ou=groups,{BASE}");
    assert_eq!(groups, [dn("Domain Users"), dn("Inner"), dn("Pilot")]);
    // GitLab's look for the disabled, and what is behind a block.
    let disabled = "(userAccountControl:1.2.840.113556.1.4.803:=2)";
    assert!(one(&client.search(BASE, &[disabled]).await).starts_with("uid=bob,"));
    says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
    assert_eq!(client.search(BASE, &[disabled]).await.names().len(), 2);
    // Identities as octets and as text.
    for filter in [
        format!("(objectSid={SID}-1101)"),
        "(objectSid=\\01\\05\\00\\00\\00\\00\\00\\05\\15\\00\\00\\00\\01\\00\\00\\00\\02\\00\\00\\00\\03\\00\\00\\00\\4d\\04\\00\\00)".to_owned(),
        "(objectGUID=\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\01)".to_owned(),
        "(entryUUID=00000000-0000-0000-0000-000000000001)".to_owned(),
        format!("(&(memberOf:1.2.840.113556.1.4.1941:={})(uid=*))", dn("Pilot")),
        format!("(&(memberOf={})(uid=*))", dn("Pilot")),
        "(cn=alice łoś, NÉE o'neil)".to_owned(),
    ] {
        assert!(one(&client.search(BASE, &[&filter]).await).starts_with("uid=alice,"), "{filter}");
    }
    let chain = format!("(member:1.2.840.113556.1.4.1941:=uid=alice,ou=people,{BASE})");
    assert_eq!(
        client.search(BASE, &[&chain]).await.names().len(),
        2,
        "Pilot and Inner, without the primary group"
    );
    let created = client.search(BASE, &["(whenCreated>=20121214000000Z)", "whenCreated"]).await;
    assert_eq!(created.values("whenCreated"), ["20121214230640Z"], "{created:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unix_numbers_are_those_of_ad_or_computed_and_lead_back_to_their_owners() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    furnish(&edge, &phs).await;
    change(&edge, everything()).await;
    let bob = client.search(BASE, &["(&(uidNumber=4711)(objectClass=posixAccount))"]).await;
    assert!(one(&bob).starts_with("uid=bob,"));
    assert_eq!(
        (bob.values("gidNumber"), bob.values("homeDirectory")),
        (vec!["815".to_owned()], vec!["/srv/bob".to_owned()])
    );
    let alice = client.search(BASE, &["(uid=alice)"]).await;
    let (uid, gid) = (alice.values("uidNumber").remove(0), alice.values("gidNumber").remove(0));
    assert!(one(&client.search(BASE, &[&format!("(uidNumber={uid})")]).await).starts_with("uid=alice,"));
    let of_group = client.search(BASE, &[&format!("(&(objectClass=posixGroup)(gidNumber={gid}))")]).await;
    assert_eq!(one(&of_group), format!("cn=Domain Users,ou=groups,{BASE}"));
    // Without a kind: the group, and whose primary one it is.
    let both = client.search(BASE, &[&format!("(gidNumber={gid})")]).await;
    assert_eq!(both.names().len(), 2, "{both:?}");
    // The group gets a number of AD's, and its people follow.
    let domain_users =
        Record { sid: Some(Text::new(format!("{SID}-513")).unwrap()), ..group(13, "Domain Users") };
    let number = described("gidNumber", DescribedValue::Integer(600));
    send(&edge, &phs, vec![further(domain_users, vec![number])], vec![]).await;
    assert_eq!(client.search(BASE, &["(uid=alice)"]).await.values("gidNumber"), ["600"]);
    assert_eq!(client.search(BASE, &["(gidNumber=600)"]).await.names().len(), 2);
    assert!(client.search(BASE, &[&format!("(gidNumber={gid})")]).await.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_list_names_or_entries_and_comparisons_say_true_false_or_nothing() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    furnish(&edge, &phs).await;
    change(&edge, LdapChange { view: some("rfc2307"), member_of: some("effective"), ..everything() }).await;
    let pilot = client.search(BASE, &["(&(objectClass=posixGroup)(memberUid=ALICE)(cn=pilot))"]).await;
    assert_eq!(pilot.values("memberUid"), ["alice"]);
    change(&edge, LdapChange { view: some("rfc2307bis"), ..LdapChange::default() }).await;
    let dn = format!("cn=Pilot,ou=groups,{BASE}");
    let alice = format!("uid=alice,ou=people,{BASE}");
    let spelled = "UID=Alice , OU=People,DC=corp,dc=EXAMPLE,dc=com";
    let bob = format!("uid=bob,ou=people,{BASE}");
    for (entry, assertion, code) in [
        (&dn, format!("member:{alice}"), 6),
        (&dn, format!("member:{spelled}"), 6),
        (&dn, format!("member:{bob}"), 5),
        (&dn, "description:x".to_owned(), 16),
        (&dn, "nosuch:x".to_owned(), 17),
        (&dn, "gidNumber:no number".to_owned(), 21),
        (&format!("cn=None,ou=groups,{BASE}"), "cn:x".to_owned(), 32),
        (&alice, "uid:ALICE".to_owned(), 6),
    ] {
        let compared = client.run("ldapcompare", &[entry, &assertion]).await;
        assert_eq!(compared.code, code, "{entry} {assertion}: {compared:?}");
    }
    // Directly, Pilot has Inner alone.
    change(&edge, LdapChange { member_of: some("direct"), ..LdapChange::default() }).await;
    let direct = client.search(BASE, &["(cn=Pilot)", "member", "memberOf"]).await;
    assert_eq!(direct.values("member"), [format!("cn=Inner,ou=groups,{BASE}")]);
    assert!(client.search(BASE, &[&format!("(&(memberOf={dn})(uid=*))")]).await.names().is_empty());
    let range = client.search(BASE, &["(cn=Pilot)", "member;range=0-*"]).await;
    assert_eq!(range.values("member;range=0-*"), [format!("cn=Inner,ou=groups,{BASE}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_come_in_the_order_that_a_client_wants_page_by_page_while_the_directory_changes() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let names = ["Émile", "dora", "carl", "Zoë", "anton"];
    let people = (100..).zip(names).map(|(n, name)| user(n, name, 0x200, yesterday)).collect();
    send(&edge, &phs, people, vec![]).await;
    let sorted = client.search(BASE, &["-E", "sss=uid", "(uid=*)", "uid"]).await;
    let found: Vec<String> = sorted.names();
    assert_eq!(found.len(), 7, "{sorted:?}");
    let place = |name: &str| {
        found.iter().position(|dn| dn.to_lowercase().starts_with(&format!("uid={name}"))).unwrap()
    };
    assert!(
        place("alice") < place("anton") && place("anton") < place("bob") && place("carl") < place("dora")
    );
    let reversed = client.search(BASE, &["-E", "sss=-uid", "(uid=*)", "uid"]).await.names();
    assert_eq!(reversed, found.iter().rev().cloned().collect::<Vec<_>>());
    // Pages of one, in order, while an entry that was returned leaves and one comes that belongs before.
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    let by_uid = super::raw::element(0x30, &super::raw::element(0x30, &super::raw::element(4, b"uid")));
    let sort = super::raw::control("1.2.840.113556.1.4.473", true, Some(&by_uid));
    let all = search(BASE.as_bytes(), &present("uid"));
    let (mut seen, mut cookie) = (Vec::new(), Vec::new());
    loop {
        let (entries, done) = raw.ask(2, &all, &[page(2, &cookie), sort.clone()]).await;
        assert_eq!(done.code, 0, "{done:?}");
        seen.extend(entries);
        if seen.len() == 2 {
            // alice, who was the first, leaves; aaron comes too late.
            let gone = Record {
                presence: landbridge_wire::upload::Presence::OutOfScope,
                password: None,
                ..user(1, "alice", 0x200, yesterday)
            };
            send(&edge, &phs, vec![gone, user(200, "aaron", 0x200, yesterday)], vec![]).await;
        }
        cookie = done.cookie();
        if cookie.is_empty() {
            break;
        }
    }
    let count = |name: &str| seen.iter().filter(|entry| entry.holds(&format!("uid={name},"))).count();
    for name in ["alice", "anton", "bob", "carl", "dora"] {
        assert_eq!(count(name), 1, "{name}");
    }
    assert_eq!((seen.len(), count("aaron")), (7, 0));
    // An attribute without an order: said, and unsorted unless the client insists.
    let unsorted = client.search(BASE, &["-E", "sss=member", "(uid=*)", "uid"]).await;
    assert_eq!((unsorted.code, unsorted.names().len()), (0, 7));
    assert_eq!(client.search(BASE, &["-E", "!sss=member", "(uid=*)", "uid"]).await.code, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_the_own_entry_and_nothing_else() {
    let (edge, phs, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    furnish(&edge, &phs).await;
    let alice = client.as_other("alice@corp.example.com", RIGHT);
    let dn = format!("uid=alice,ou=people,{BASE}");
    let own = alice.search(&dn, &["(objectClass=*)", "memberOf", "mail"]).await;
    assert_eq!(one(&own), dn);
    assert_eq!(own.values("mail"), ["Alice@Example.com"]);
    assert_eq!(one(&alice.search(BASE, &["(objectClass=*)"]).await), dn);
    for other in [format!("cn=Pilot,ou=groups,{BASE}"), format!("uid=bob,ou=people,{BASE}")] {
        let refused = alice.search(&other, &["(objectClass=*)"]).await;
        assert_eq!((refused.code, refused.text.as_str()), (32, ""), "{refused:?}");
        assert_eq!(alice.run("ldapcompare", &[&other, "objectClass:top"]).await.code, 32);
    }
    assert_eq!(alice.run("ldapcompare", &[&dn, "uid:alice"]).await.code, 6);
    assert_eq!(client.who_am_i("CORP\\alice", RIGHT).await.unwrap(), format!("dn:{dn}"));
    let application = client.run("ldapwhoami", &[]).await;
    assert_eq!(application.text.trim(), "dn:cn=wiki,ou=applications");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_belongs_to_the_application_that_proved_itself_or_to_the_nearest_network() {
    let (edge, _, client) = served(|_| ()).await;
    let mail = AppSettings { groups: None, networks: vec!["127.0.0.0/8".to_owned()], ..reading("mail") };
    let credential = create(&edge, mail).await;
    let dn = |name: &str| format!("uid={name},ou=people,{BASE}");
    let code = async |name: &str| {
        let mut raw = Raw::connect(&client).await;
        raw.code(1, &bind(dn(name).as_bytes(), RIGHT.as_bytes())).await
    };
    // 1. wiki is everywhere, and mail has a network: it is nearer. bob is assigned to mail alone.
    assert_eq!((code("alice").await, code("bob").await), (0, 0));
    // 2. wiki gets the one address.
    let add = |name: &str, network: &str| AdminRequest::AppsNetworks {
        name: name.to_owned(),
        add: vec![network.to_owned()],
        remove: Vec::new(),
    };
    says(&edge, add("wiki", "127.0.0.1")).await;
    assert_eq!((code("alice").await, code("bob").await), (0, 49));
    // 3. Both have it: nobody can say whose the connection is, until one proves itself.
    says(&edge, add("mail", "127.0.0.1")).await;
    assert_eq!((code("alice").await, code("bob").await), (53, 53));
    let mut raw = Raw::connect(&client).await;
    assert_eq!(raw.code(1, &bind(b"cn=mail,ou=applications", credential.as_bytes())).await, 0);
    assert_eq!(raw.code(2, &bind(dn("bob").as_bytes(), RIGHT.as_bytes())).await, 0);
    assert_eq!(
        raw.code(3, &bind(b"cn=mail,ou=applications,dc=corp,dc=example,dc=com", credential.as_bytes())).await,
        0
    );
    // 4. An application's credential under another name, from another network, and without access by LDAP.
    assert_eq!(raw.code(4, &bind(b"cn=wiki,ou=applications", credential.as_bytes())).await, 49);
    says(&edge, AdminRequest::AppsLdap { name: "mail".to_owned(), change: None }).await;
    assert_eq!(raw.code(5, &bind(b"cn=mail,ou=applications", credential.as_bytes())).await, 49);
    assert_eq!(code("bob").await, 49, "wiki is the only one left");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_people_connect_themselves_their_addresses_become_known_and_else_none_does() {
    let (edge, _, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    let known = || {
        let hour = unix_now() - 3_600;
        let count = |reading: &landbridge_tenant_store::Reading<'_>| {
            landbridge_tenant_store::tables::known_sources::count(reading, Uuid::from_u128(1), hour)
        };
        edge.tenant.store.read(count).unwrap()
    };
    client.who_am_i("CORP\\alice", RIGHT).await.unwrap();
    assert_eq!(known(), 0);
    change(&edge, LdapChange { people_connect: Some(true), ..LdapChange::default() }).await;
    client.who_am_i("CORP\\alice", RIGHT).await.unwrap();
    assert_eq!(known(), 1);
    let api = edge.credential("api", 600).await;
    assert_eq!(sign_in(&edge, &api, "alice@corp.example.com", RIGHT).await.0, hyper::StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_exported_and_applied() {
    let (edge, _, _) = served(|_| ()).await;
    let full = LdapSettings {
        view: "ad".to_owned(),
        member_of: "effective".to_owned(),
        people_connect: true,
        groups: vec![GroupSetting {
            object: Some(Uuid::from_u128(11)),
            name: Some("CORP\\Inner".to_owned()),
        }],
        attributes: vec!["title".to_owned(), "manager".to_owned()],
        ..LdapSettings::default()
    };
    let wanted = AppSettings { ldap: Some(full.clone()), ..reading("wiki") };
    let apply = |apps: Vec<AppSettings>| AdminRequest::AppsApply { apps, dry_run: false };
    let said = says(&edge, apply(vec![wanted.clone()])).await;
    assert!(said.contains("LDAP: view ad, tree flat, memberOf effective"), "{said}");
    let AdminResponse::AppSettings(exported) = edge.ask(AdminRequest::AppsExport).await else { panic!() };
    assert_eq!(exported[0].ldap.as_ref(), Some(&full));
    assert_eq!(says(&edge, apply(exported)).await, "nothing differs");
    let wrong =
        AppSettings { ldap: Some(LdapSettings { view: "x500".to_owned(), ..full }), ..reading("wiki") };
    let refused = says(&edge, apply(vec![wrong])).await;
    assert!(refused.contains("x500 is no view") && refused.contains("rfc2307bis, rfc2307, ad"), "{refused}");
    // An application of before, by its file, has none.
    let without = AppSettings { ldap: None, ..wanted };
    says(&edge, apply(vec![without])).await;
    let AdminResponse::App(row) = edge.ask(AdminRequest::AppsShow { name: "wiki".to_owned() }).await else {
        panic!()
    };
    assert_eq!(row.ldap, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_needs_escapes_and_one_of_another_kind_are_found_by_their_own_spelling() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let odd = ["o'neil, jr", "a+b=c", "#first", " blank ", "zoë"];
    let people = (100..).zip(odd).map(|(n, name)| user(n, name, 0x200, yesterday)).collect();
    let contact = Record {
        kind: Kind::Contact,
        sid: None,
        ..further(
            user(300, "unused", 0x200, yesterday),
            vec![AttributeValue::DisplayName(Some(Text::new("A contact").unwrap()))],
        )
    };
    send(&edge, &phs, people, vec![]).await;
    send(&edge, &phs, vec![contact], vec![]).await;
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    let (all, _) = raw.ask(2, &search(BASE.as_bytes(), &present("modifyTimestamp")), &[]).await;
    let mut tried = 0;
    for entry in all {
        // The name as it was returned: the first string of the entry.
        let dn = entry.name();
        let (found, done) =
            raw.ask(3, &super::raw::search_in(dn.as_bytes(), 0, &present("objectClass"), &[]), &[]).await;
        assert_eq!((found.len(), done.code), (1, 0), "{dn}");
        let (found, _) = raw.ask(4, &search(BASE.as_bytes(), &equal("entryDN", dn.as_bytes())), &[]).await;
        assert_eq!(found.len(), 1, "{dn}");
        tried += 1;
    }
    assert_eq!(tried, 8, "alice, bob, five odd names and a contact");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_polls_learns_the_last_change_and_every_entry_has_an_entry_uuid() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    let last_change = async |client: &Client| {
        let read = ["-LLL", "-b", "", "-s", "base", "(objectClass=*)", "highestCommittedUSN"];
        client.run("ldapsearch", &read).await.values("highestCommittedUSN")
    };
    // 1. Nobody else learns when something changes.
    assert!(last_change(&client.as_other("", "")).await.is_empty());
    let before: i64 = last_change(&client).await[0].parse().unwrap();
    furnish(&edge, &phs).await;
    let after: i64 = last_change(&client).await[0].parse().unwrap();
    let changed = client.search(BASE, &[&format!("(uSNChanged>={})", before + 1), "uSNChanged"]).await;
    let numbers: Vec<i64> = changed.values("uSNChanged").iter().map(|one| one.parse().unwrap()).collect();
    assert!(numbers.len() == 2 && numbers.iter().max() == Some(&after), "{before} {after} {changed:?}");
    // 2. What has no objectGUID has an identity as well, and is found by it.
    let all = client.search(BASE, &["(objectClass=*)", "entryUUID"]).await;
    let (names, ids) = (all.names(), all.values("entryUUID"));
    assert_eq!((names.len(), names[0].as_str()), (ids.len(), BASE));
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for (name, id) in names.iter().zip(&ids) {
        assert_eq!(client.search(BASE, &[&format!("(entryUUID={id})")]).await.names(), [name.as_str()]);
    }
}

/// A container of AD with its part of the name, in another one; none: the head of the domain.
fn container(number: u128, part: Option<&str>, parent: Option<u128>, version: u32) -> Record {
    let attributes = [
        part.map(|part| AttributeValue::Rdn(Some(Text::new(part).unwrap()))),
        parent.map(|parent| AttributeValue::Parent(Some(Uuid::from_u128(parent)))),
    ];
    let stamp = Stamp { version, ..stamp() };
    let attributes = attributes.into_iter().flatten().map(|is| Attribute { stamp, is }).collect();
    Record {
        kind: Kind::Container,
        sid: None,
        attributes: List::new(attributes).unwrap(),
        password: None,
        protected_user: None,
        ..user(number, "unused", 0, 0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_stand_in_the_units_of_ad_and_follow_them_when_they_are_renamed() {
    let (edge, phs, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    let place = |part: &str, parent: u128| {
        vec![
            AttributeValue::Rdn(Some(Text::new(part).unwrap())),
            AttributeValue::Parent(Some(Uuid::from_u128(parent))),
        ]
    };
    let containers = vec![
        container(50, None, None, 1),
        container(51, Some("OU=Sales\\, all"), Some(50), 1),
        container(52, Some("OU=West"), Some(51), 1),
        container(53, Some("CN=Users"), Some(50), 1),
        container(54, Some("OU=Secret"), Some(50), 1),
    ];
    send(&edge, &phs, containers, vec![]).await;
    let photo = described(
        "thumbnailPhoto",
        DescribedValue::Octets(landbridge_wire::bounded::Blob::new(vec![7; 500]).unwrap()),
    );
    let mut of_alice = place("CN=Alice A.", 52);
    of_alice.push(photo);
    let records = vec![
        further(user(1, "alice", 0x200, 0), of_alice),
        further(user(2, "bob", 0x200, 0), place("CN=Bob", 54)),
        further(group(10, "Pilot"), place("CN=The pilot group", 53)),
    ];
    send(&edge, &phs, records, vec![]).await;
    change(&edge, LdapChange { tree: some("ad"), view: some("ad"), ..everything() }).await;
    // 1. Names, classes, and the containers of what is seen alone.
    let alice = format!("CN=Alice A.,OU=West,OU=Sales\\, all,{BASE}");
    let all = client.search(BASE, &["(objectClass=*)"]).await;
    let mut names = all.names();
    names.sort();
    let inner = all.names().into_iter().find(|name| name.contains("Inner")).unwrap();
    assert_eq!(inner, format!("cn=Inner,{BASE}"), "its place has not arrived");
    let mut wanted = vec![
        BASE.to_owned(),
        alice.clone(),
        format!("CN=The pilot group,CN=Users,{BASE}"),
        format!("CN=Users,{BASE}"),
        format!("OU=Sales\\, all,{BASE}"),
        format!("OU=West,OU=Sales\\, all,{BASE}"),
        inner,
    ];
    wanted.sort();
    assert_eq!(names, wanted);
    let units = client.search(BASE, &["(objectClass=organizationalUnit)", "ou"]).await;
    assert_eq!(units.values("ou").len(), 2, "{units:?}");
    // 2. Bases and scopes, in other spellings.
    for (base, scope, count) in [
        (format!("ou=west, OU=Sales\\2c all,{BASE}"), "sub", 2),
        (format!("ou=west, OU=Sales\\2c all,{BASE}"), "one", 1),
        (format!("OU=Sales\\, all,{BASE}"), "one", 1),
        (format!("OU=Sales\\, all,{BASE}"), "sub", 3),
        (BASE.to_owned(), "one", 3),
        (alice.to_uppercase(), "base", 1),
    ] {
        let found = client.search(&base, &["-s", scope, "(objectClass=*)", "1.1"]).await;
        assert_eq!((found.code, found.names().len()), (0, count), "{scope} {base}: {found:?}");
    }
    assert_eq!(client.search(&format!("OU=Secret,{BASE}"), &["(objectClass=*)"]).await.code, 32);
    assert_eq!(one(&client.search(BASE, &["(cn=alice a.)"]).await), alice);
    // 3. She signs in by that name, and has a photo.
    assert_eq!(client.who_am_i(&alice, RIGHT).await.unwrap(), format!("dn:{alice}"));
    let octets = client.search(BASE, &["(sAMAccountName=alice)", "thumbnailPhoto"]).await;
    assert!(octets.text.contains("thumbnailPhoto:: BwcHBwcH"), "{octets:?}");
    // 4. One record renames the unit, another one moves it.
    send(&edge, &phs, vec![container(51, Some("OU=Trade"), Some(53), 2)], vec![]).await;
    let moved = format!("CN=Alice A.,OU=West,OU=Trade,CN=Users,{BASE}");
    assert_eq!(one(&client.search(BASE, &["(sAMAccountName=alice)"]).await), moved);
    assert_eq!(client.search(&alice, &["(objectClass=*)"]).await.code, 32);
    assert_eq!(client.who_am_i(&moved, RIGHT).await.unwrap(), format!("dn:{moved}"));
    let group = client.search(BASE, &["(cn=Inner)", "member"]).await;
    assert_eq!(group.values("member"), [moved]);
    // 5. The flat tree has none of it.
    change(&edge, LdapChange { tree: some("flat"), ..LdapChange::default() }).await;
    let flat = client.search(BASE, &["(uid=alice)", "cn"]).await;
    assert_eq!(
        (one(&flat), flat.values("cn")),
        (format!("uid=alice,ou=people,{BASE}"), vec!["Alice A.".to_owned()])
    );
}
