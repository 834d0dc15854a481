//! A tenant with a second domain: whose names the accounts of a real directory get, and how an object that moved is
//! brought to its new domain.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::person;
use landbridge_tests::lab::program::Finished;
use serde_json::json;

/// A road whose tenant serves a second domain, LAB.
fn with_lab() -> Road {
    let road = Road::new(own_domain(20), "entra");
    let lab = ["domains", "add", "--name", "lab.example.net", "--netbios", "LAB", "--sid", "S-1-5-21-4-5-6"];
    run(&road, 0, &lab);
    road
}

#[track_caller]
fn run(road: &Road, code: i32, arguments: &[&str]) -> Finished {
    road.tenant.run(arguments, None).unwrap().expect_code(code)
}

#[test]
fn a_name_of_another_domain_is_refused_and_a_suffix_gives_names_without_another_cycle() {
    let road = with_lab();
    let suffix = |code, arguments: &[&str]| run(&road, code, &[&["domains", "suffix"], arguments].concat());
    suffix(0, &["add", "lab", "mail.example"]);
    let names = ["one@mail.example", "two@own.example", "three@late.example"];
    let rename = |n: u32, name: &str| {
        road.domain.set_attributes(&person(n).sam, json!({"userPrincipalName": name})).unwrap();
    };
    rename(1, names[0]);
    rename(2, names[1]);
    road.once();
    // 1. The first full compare declared what nobody has, and took nothing of LAB's.
    let [one, two, three] = [1, 2, 3].map(person);
    road.assert_out(names[0], &one.password);
    road.assert_in(&format!("CORP\\{}", one.sam), &one.password);
    road.assert_in(names[1], &two.password);
    assert_eq!(road.tenant.metric("landbridge_names_of_other_domains_total").unwrap(), Some(1.0));
    let shown = run(&road, 0, &["users", "show", names[0]]);
    assert!(shown.stdout.contains("one@mail.example (its suffix is of lab.example.net)"), "{shown}");
    // 2. Later an administrator declares, and the names are there at once.
    rename(3, names[2]);
    road.once();
    road.assert_out(names[2], &three.password);
    suffix(0, &["add", "corp", "late.example"]);
    road.assert_in(names[2], &three.password);
    let refused = suffix(4, &["add", "corp", "mail.example"]);
    assert!(refused.stderr.contains("mail.example is a UPN suffix of lab.example.net"), "{refused}");
    suffix(0, &["add", "corp", "mail.example", "--shared"]);
    road.assert_in(names[0], &one.password);
    assert_eq!(road.once()["records_sent"], 0);
    // 3. And what is removed is gone at once.
    suffix(0, &["remove", "corp", "late.example", "--yes"]);
    road.assert_out(names[2], &three.password);
    road.assert_in(&format!("CORP\\{}", three.sam), &three.password);
}

#[test]
fn an_account_whose_object_is_another_domains_signs_in_once_it_is_moved_and_uploaded_in_full() {
    let road = with_lab();
    let (moved, other) = (person(1), person(2));
    // As if LAB had had the account, and had lost it so long ago that it is erased there.
    let object = road.domain.identity(&moved.sam).unwrap().guid;
    let database = rusqlite::Connection::open(road.tenant.database()).unwrap();
    let home = "INSERT INTO homes SELECT ?1, id FROM domains WHERE netbios_name = 'LAB'";
    assert_eq!(database.execute(home, [object.as_bytes()]).unwrap(), 1);
    drop(database);
    let counts = road.once();
    assert_eq!(counts["refused"], 1, "{counts}");
    road.assert_out(&moved.upn, &moved.password);
    road.assert_in(&other.upn, &other.password);
    assert_eq!(road.tenant.metric("landbridge_objects_of_other_domains_total").unwrap(), Some(1.0));
    // The administrator looks at the list, and agrees.
    let listed = run(&road, 2, &["domains", "move-objects", "lab", "corp"]);
    assert!(listed.stdout.contains(&object.to_string()) && listed.stdout.contains("erased"), "{listed}");
    road.once();
    road.assert_out(&moved.upn, &moved.password);
    let done = run(&road, 0, &["domains", "move-objects", "lab", "corp", "--yes"]);
    assert!(done.stdout.contains("landbridge-phs once --full"), "{done}");
    let full = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!((&full["refused"], &full["digests_derived"]), (&json!(0), &json!(1)), "{full}");
    road.assert_in(&moved.upn, &moved.password);
    run(&road, 4, &["domains", "move-objects", "lab", "corp", "--yes"]);
}
