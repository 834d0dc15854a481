//! Where objects are in the directory's tree: the tenant has the containers above what is carried, and from them each
//! object's distinguished name as the directory has it.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::person;
use landbridge_wire::distinguished_name::DistinguishedName;
use rusqlite::types::Value;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the tenant has of the tree: of each present object its kind, the first part of its name, and its container.
type Tree = BTreeMap<Uuid, (String, Option<String>, Option<Uuid>)>;

fn tree(road: &Road) -> Tree {
    let tenant = road.tenant.open_database().unwrap();
    let sql = "SELECT object, kind FROM objects WHERE presence = 'present'";
    let mut ask = tenant.prepare(sql).unwrap();
    let rows = ask.query_map([], |row| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?))).unwrap();
    let with_place = |(object, kind): (Uuid, String)| {
        let mut held = road.tenant.attributes(object).unwrap();
        let part = if let Some(Value::Text(part)) = held.remove("rdn") { Some(part) } else { None };
        let parent = if let Some(Value::Blob(guid)) = held.remove("parent") { Some(guid) } else { None };
        (object, (kind, part, parent.map(|guid| Uuid::from_slice(&guid).unwrap())))
    };
    rows.map(|row| with_place(row.unwrap())).collect()
}

/// The distinguished name of an object, by the tenant alone.
fn name(tree: &Tree, object: Uuid) -> String {
    let (kind, part, parent) = &tree[&object];
    match parent {
        Some(parent) => format!("{},{}", part.as_ref().unwrap(), name(tree, *parent)),
        None => {
            assert_eq!((kind.as_str(), part.as_deref()), ("container", Some("DC=corp")), "the domain's head");
            "DC=corp,DC=example,DC=com".to_owned()
        }
    }
}

/// Of each person the tenant composes the distinguished name that the directory has.
#[track_caller]
fn assert_same_names(road: &Road, sams: &[&str]) {
    let tree = tree(road);
    for sam in sams {
        let identity = road.domain.identity(sam).unwrap();
        let composed = DistinguishedName::parse(&name(&tree, identity.guid)).unwrap();
        assert_eq!(composed, DistinguishedName::parse(&identity.dn).unwrap(), "{sam}");
    }
}

fn containers(road: &Road) -> Vec<String> {
    let tree = tree(road);
    let of_kind = tree.iter().filter(|(_, (kind, ..))| kind == "container");
    let mut names: Vec<String> = of_kind.map(|(object, _)| name(&tree, *object)).collect();
    names.sort_unstable_by_key(|name| (name.len(), name.clone()));
    names
}

#[test]
fn the_tenant_composes_the_names_of_the_directory_and_a_renamed_ou_is_one_record() {
    let road = Road::new(own_domain(20), "entra");
    let (domain, ada, ben) = (&road.domain, person(1), person(2));
    domain.add("OU=Staff", json!({"objectClass": "organizationalUnit"})).unwrap();
    domain.add("OU=Sales\\, West,OU=Staff", json!({"objectClass": "organizationalUnit"})).unwrap();
    domain.add("OU=Nobody", json!({"objectClass": "organizationalUnit"})).unwrap();
    domain.move_to(&ada.sam, "OU=Sales\\, West,OU=Staff").unwrap();
    domain.create_group("Sellers").unwrap();
    // 1. The containers above what is carried, and no others.
    road.once();
    let all: Vec<String> = domain.population().people().map(|person| person.sam).collect();
    let everybody: Vec<&str> = all.iter().map(String::as_str).chain(["Sellers"]).collect();
    assert_same_names(&road, &everybody);
    let head = "DC=corp,DC=example,DC=com";
    let expected = ["", "CN=Users,", "OU=Staff,", "OU=People,", "OU=Sales\\, West,OU=Staff,"];
    assert_eq!(containers(&road), expected.map(|above| format!("{above}{head}")));
    road.assert_everybody_gets_in();
    // 2. An OU is renamed: one record, and the names of all in it follow.
    domain.rename_container("OU=People", "OU=Folk").unwrap();
    let counts = road.once();
    assert_eq!((&counts["mode"], &counts["records_sent"]), (&json!("incremental"), &json!(1)), "{counts}");
    assert_same_names(&road, &everybody);
    // 3. An account moves, into an OU that the tenant did not have: both are sent.
    domain.move_to(&ben.sam, "OU=Nobody").unwrap();
    let counts = road.once();
    assert_eq!((&counts["records_sent"], &counts["digests_sent"]), (&json!(2), &json!(0)), "{counts}");
    // An account is renamed, and an OU moves into another one.
    domain.rename_rdn(&ben.sam, "Lovelace\\, Ada").unwrap();
    domain.rename_container("OU=Nobody", "OU=Nobody,OU=Staff").unwrap();
    let counts = road.once();
    assert_eq!(counts["records_sent"], 2, "{counts}");
    assert_same_names(&road, &everybody);
    // 4. All is compared: an OU in which nobody is carried any more leaves the tenant.
    domain.move_to(&ada.sam, "OU=Folk").unwrap();
    road.once();
    assert!(
        containers(&road).contains(&format!("OU=Sales\\, West,OU=Staff,{head}")),
        "it may stay until then"
    );
    road.phs.once(&["--full"]).unwrap().expect_code(0);
    assert_same_names(&road, &everybody);
    let expected = ["", "OU=Folk,", "CN=Users,", "OU=Staff,", "OU=Nobody,OU=Staff,"];
    assert_eq!(containers(&road), expected.map(|above| format!("{above}{head}")));
    // 5. A container is no account: nobody signs in by it, and no list shows it.
    let shown = road.tenant.run(&["domains", "list", "--json"], None).unwrap().expect_code(0).json();
    let accounts = domain.population().people().count();
    assert!(shown.to_string().contains(&format!("\"accounts\":{accounts}")), "{shown:#}");
    road.assert_everybody_gets_in();
    road.assert_nothing_was_derived_twice();
}
