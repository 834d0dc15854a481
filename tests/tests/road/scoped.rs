//! The scope, on a real domain: who enters and who leaves by OU, group, filter; whose password is carried; and how many
//! may leave at once.

use crate::stage::{Road, inside, outside, own_domain};
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::{PhsSettings, TenantSettings, person, view};
use serde_json::{Value, json};

const BASE: &str = "DC=corp,DC=example,DC=com";

/// A road with this `[scope]`, and perhaps more sections.
fn scoped(users: u32, scope: &str, prepare: impl FnOnce(&landbridge_tests::lab::Domain)) -> Road {
    let domain = own_domain(users);
    prepare(&domain);
    let settings = settings(&domain, scope);
    Road::with(domain, &settings, &TenantSettings::default())
}

fn settings(domain: &landbridge_tests::lab::Domain, scope: &str) -> PhsSettings {
    PhsSettings { further: scope.to_owned(), ..PhsSettings::for_domain(domain, "entra") }
}

fn reconfigure(road: &Road, scope: &str) {
    road.phs.configure(&settings(&road.domain, scope)).unwrap();
}

fn explain(road: &Road, who: &str) -> Value {
    road.phs.run(&["explain", who, "--json"], None).unwrap().expect_code(0).json()
}

#[track_caller]
fn because(road: &Road, who: &str, says: &str) {
    let explained = explain(road, who);
    assert!(explained["because"].to_string().contains(says), "{says}: {explained:#}");
}

#[test]
fn moved_into_the_scope_the_password_comes_and_moved_out_the_sign_in_goes() {
    let scope = format!(
        "[scope]\ninclude = [\"OU=People,{BASE}\", \"OU=Back,OU=Left out,OU=People,{BASE}\"]\n\
         exclude = [\"OU=Left out,OU=People,{BASE}\"]\n"
    );
    let road = scoped(20, &scope, |domain| {
        for dn in
            ["OU=Left out,OU=People", "OU=Back,OU=Left out,OU=People", "OU=Team,OU=People", "OU=Elsewhere"]
        {
            domain.add(dn, json!({"objectClass": "organizationalUnit"})).unwrap();
        }
        domain.move_to(&person(1).sam, "OU=Left out,OU=People").unwrap();
        domain.move_to(&person(2).sam, "OU=Elsewhere").unwrap();
        domain.move_to(&person(3).sam, "OU=Team,OU=People").unwrap();
    });
    let first = road.once();
    assert_eq!((&first["in_scope"], &first["digests_derived"]), (&json!(18), &json!(18)), "{first}");
    outside(&road, &person(1));
    outside(&road, &person(2));
    inside(&road, &person(3));
    because(&road, &person(1).upn, "exclude names OU=Left out");
    because(&road, &person(2).upn, "no OU that include names");
    assert_eq!(explain(&road, &person(3).sam)["place"], json!(["Team", "People", "corp"]));

    let domain = &road.domain;
    domain.move_to(&person(1).sam, "OU=Back,OU=Left out,OU=People").unwrap();
    domain.move_to(&person(2).sam, "OU=Team,OU=People").unwrap();
    domain.move_to(&person(4).sam, "OU=Elsewhere").unwrap();
    let counts = road.once();
    assert_eq!((&counts["digests_sent"], &counts["removed"]), (&json!(2), &json!(1)), "{counts}");
    inside(&road, &person(1));
    inside(&road, &person(2));
    outside(&road, &person(4));

    // An OU moves: nothing of its people changes, and nothing of them is in the reply.
    domain.rename_container("OU=Team,OU=People", "OU=Team,OU=Elsewhere").unwrap();
    assert_eq!(road.once()["removed"], 2);
    outside(&road, &person(2));
    outside(&road, &person(3));
    domain.rename_container("OU=Team,OU=Elsewhere", "OU=Team,OU=People").unwrap();
    assert_eq!(road.once()["digests_sent"], 2);
    inside(&road, &person(3));

    // What is named is renamed: it stays what it was.
    domain.rename_container("OU=People", "OU=Staff").unwrap();
    let renamed = road.once();
    assert_eq!((&renamed["removed"], &renamed["held"]), (&json!(0), &json!(0)), "{renamed}");
    inside(&road, &person(5));
    let idle = road.once();
    assert_eq!((&idle["uploads"], &idle["records_sent"]), (&json!(0), &json!(0)), "{idle}");
    let check = road.phs.run(&["check"], None).unwrap().stdout;
    let renamed = format!("OU=People,{BASE}: renamed");
    assert!(check.lines().any(|line| line.starts_with("ok") && line.contains(&renamed)), "{check}");
}

#[test]
fn members_of_a_scopes_group_are_carried_through_groups_from_the_first_cycle_on() {
    let scope = format!("[scope]\ngroups = [\"CN=Cloud,CN=Users,{BASE}\"]\n");
    let road = scoped(50, &scope, |domain| {
        domain.create_group("Cloud").unwrap();
        domain.create_group("Cloud team").unwrap();
        domain.set_member("Cloud", "Cloud team", true).unwrap();
        for n in 1..=20 {
            domain.set_member("Cloud team", &person(n).sam, true).unwrap();
        }
        domain.set_member("Cloud", &person(21).sam, true).unwrap();
    });
    let first = road.once();
    assert_eq!((&first["in_scope"], &first["digests_derived"]), (&json!(21), &json!(21)), "{first}");
    inside(&road, &person(1));
    outside(&road, &person(22));
    because(&road, &person(22).sam, "none of its groups");
    let domain = &road.domain;
    domain.set_member("Cloud team", &person(22).sam, true).unwrap();
    domain.set_member("Cloud", &person(21).sam, false).unwrap();
    let counts = road.once();
    let said = ["digests_sent", "removed", "links_sent"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(said, [1, 1, 2], "{counts}");
    inside(&road, &person(22));
    outside(&road, &person(21));
    // A group that is deleted has no members any more, and AD says so by its tombstone alone.
    domain.create_group("Cloud guests").unwrap();
    domain.set_member("Cloud", "Cloud guests", true).unwrap();
    domain.set_member("Cloud guests", &person(30).sam, true).unwrap();
    road.once();
    inside(&road, &person(30));
    domain.delete("Cloud guests").unwrap();
    assert_eq!(road.once()["removed"], 2, "the group and its member");
    outside(&road, &person(30));
    // A whole team leaves by one link: more than the guard lets go.
    domain.set_member("Cloud", "Cloud team", false).unwrap();
    let held = road.once();
    assert_eq!((&held["removed"], &held["held"]), (&json!(0), &json!(21)), "{held}");
    inside(&road, &person(1));
    because(&road, &person(1).sam, "held back");
    // What is no scope exit goes on meanwhile.
    domain.set_enabled(&person(1).sam, false).unwrap();
    domain.delete(&person(2).sam).unwrap();
    domain.set_password(&person(3).sam, "Neu & gut 33").unwrap();
    let goes_on = road.once();
    assert_eq!((&goes_on["removed"], &goes_on["held"]), (&json!(1), &json!(20)), "{goes_on}");
    road.assert_out(&person(1).upn, &person(1).password);
    road.assert_out(&person(2).upn, &person(2).password);
    road.assert_in(&person(3).upn, "Neu & gut 33");
    let too_few = road.phs.once(&["--confirm-removals", "19"]).unwrap().expect_code(0).json();
    assert_eq!(too_few["held"], 20, "{too_few}");
    let let_go = road.phs.once(&["--confirm-removals", "20"]).unwrap().expect_code(0).json();
    assert_eq!((&let_go["removed"], &let_go["held"]), (&json!(20), &json!(0)), "{let_go}");
    outside(&road, &person(4));
}

#[test]
fn the_filter_decides_at_every_change_and_another_filter_compares_all() {
    let scope = "[scope]\nwith = [\"department=Sales\", \"department=Support\"]\nwithout = [\"adminDescription=keep out\"]\n";
    let road = scoped(20, scope, |domain| {
        for n in 1..=10 {
            domain.set_attributes(&person(n).sam, json!({"department": "Sales"})).unwrap();
        }
        domain.set_attributes(&person(10).sam, json!({"adminDescription": "Keep Out"})).unwrap();
    });
    assert_eq!(road.once()["in_scope"], 9);
    inside(&road, &person(1));
    outside(&road, &person(10));
    outside(&road, &person(11));
    because(&road, &person(10).sam, "adminDescription=keep out");
    because(&road, &person(11).sam, "department=Sales");
    road.domain.set_attributes(&person(11).sam, json!({"department": "support"})).unwrap();
    road.domain.set_attributes(&person(1).sam, json!({"department": null})).unwrap();
    let counts = road.once();
    assert_eq!((&counts["mode"], &counts["removed"]), (&json!("incremental"), &json!(1)), "{counts}");
    outside(&road, &person(1));
    inside(&road, &person(11));
    reconfigure(&road, "[scope]\nwith = [\"department=Sales\"]\n");
    let counts = road.once();
    assert_eq!((&counts["mode"], &counts["removed"]), (&json!("full"), &json!(1)), "{counts}");
    inside(&road, &person(10));
    outside(&road, &person(11));
    assert_eq!(road.once()["mode"], "incremental");
}

#[test]
fn passwords_stay_where_they_are_not_to_be_carried_and_the_directory_goes_all_the_same() {
    let road = scoped(20, "[scope]\npasswords = false\n", |domain| {
        domain.create_group("Hashes").unwrap();
        domain.set_member("Hashes", &person(1).sam, true).unwrap();
    });
    let first = road.once();
    assert!(first["in_scope"].as_u64().unwrap() >= 20, "{first}");
    assert_eq!(first["digests_derived"], 0, "{first}");
    outside(&road, &person(1));
    because(&road, &person(1).sam, "passwords = false");
    reconfigure(&road, &format!("[scope]\npassword_groups = [\"CN=Hashes,CN=Users,{BASE}\"]\n"));
    let one = road.once();
    assert_eq!((&one["mode"], &one["digests_sent"]), (&json!("incremental"), &json!(1)), "{one}");
    inside(&road, &person(1));
    outside(&road, &person(2));
    reconfigure(&road, "");
    assert!(road.once()["digests_sent"].as_u64().unwrap() >= 19);
    inside(&road, &person(2));
    reconfigure(&road, "[scope]\npasswords = false\n");
    let erased = road.once();
    assert_eq!((&erased["mode"], &erased["removed"]), (&json!("incremental"), &json!(0)), "{erased}");
    assert!(erased["records_sent"].as_u64().unwrap() >= 20, "{erased}");
    outside(&road, &person(2));
}

#[test]
fn a_dry_run_and_a_staged_one_say_what_would_change_and_change_nothing() {
    let road = scoped(20, "", |_| {});
    road.once();
    road.domain.set_password(&person(1).sam, "Neu & gut 11").unwrap();
    road.domain.set_attributes(&person(2).sam, json!({"department": "Sales"})).unwrap();
    road.domain.delete(&person(3).sam).unwrap();
    let said = road.phs.run(&["once", "--dry-run"], None).unwrap().expect_code(0).stdout;
    for line in [
        format!("~ {:<40} pwdLastSet, password", person(1).upn),
        format!("~ {:<40} department", person(2).upn),
        format!("- {:<40} deleted", person(3).upn),
    ] {
        assert!(said.contains(&line), "{line}\n{said}");
    }
    inside(&road, &person(3));
    let staged = PhsSettings { top: "staging = true", ..PhsSettings::for_domain(&road.domain, "entra") };
    road.phs.configure(&staged).unwrap();
    let counts = road.once();
    assert_eq!((&counts["staging"], &counts["records_sent"]), (&json!(true), &json!(3)), "{counts}");
    assert_eq!(road.once()["records_sent"], 0, "it remembers what it has seen");
    inside(&road, &person(3));
    reconfigure(&road, "");
    assert_eq!(road.once()["mode"], "full", "what was staged was never sent");
    road.assert_out(&person(3).upn, &person(3).password);
    road.assert_in(&person(1).upn, "Neu & gut 11");
}

#[test]
fn what_is_written_wrong_in_the_scope_is_said_with_what_is_right() {
    let road = scoped(20, &format!("[scope]\ninclude = [\"OU=Poeple,{BASE}\"]\n"), |_| {});
    let wrong = road.phs.once(&[]).unwrap().expect_code(3);
    assert!(wrong.stderr.contains("OU=Poeple") && wrong.stderr.contains("does not hold"), "{wrong}");
    let check = road.phs.run(&["check"], None).unwrap().expect_code(3).stdout;
    assert!(check.contains("FAIL  scope") && check.contains("OU=Poeple"), "{check}");
    reconfigure(&road, "[scope]\nwith = [\"colour=blue\"]\n");
    let wrong = road.phs.once(&[]).unwrap().expect_code(3);
    assert!(wrong.stderr.contains("colour") && wrong.stderr.contains("adminDescription"), "{wrong}");
    reconfigure(&road, "");
    road.once();
    let nobody = road.phs.run(&["explain", "nobody.here"], None).unwrap().expect_code(3);
    assert!(nobody.stderr.contains("nobody.here"), "{nobody}");
}

#[test]
fn odd_names_and_addresses_are_named_object_by_object() {
    let road = scoped(20, "", |_| {});
    let look = |code| road.phs.run(&["check", "--objects", "--json"], None).unwrap().expect_code(code).json();
    assert_eq!(look(0), json!([]), "the lab's people are sound");
    let domain = &road.domain;
    domain.set_attributes(&person(1).sam, json!({"userPrincipalName": "one@corp.local"})).unwrap();
    domain
        .set_attributes(&person(2).sam, json!({"proxyAddresses": ["SMTP:two@example.com", "smtp:oops"]}))
        .unwrap();
    domain.set_attributes(&person(3).sam, json!({"proxyAddresses": ["smtp:TWO@example.com"]})).unwrap();
    let odd = look(10);
    let mut said: Vec<_> = odd
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one["attribute"].as_str().unwrap().to_owned()))
        .map(|(name, attribute)| (name.split(',').next().unwrap().to_owned(), attribute))
        .collect();
    said.sort();
    assert_eq!(said.len(), 3, "{odd:#}");
    assert_eq!(said[0].1, "userPrincipalName");
    assert!(said[1..].iter().all(|(_, attribute)| attribute == "proxyAddresses"), "{odd:#}");
    let text = road.phs.run(&["check", "--objects"], None).unwrap().expect_code(10).stdout;
    assert!(
        text.contains("one@corp.local: its suffix exists inside only") && text.contains("3 odd among"),
        "{text}"
    );
}

#[test]
fn a_scope_that_is_wrong_after_the_state_was_lost_empties_nothing() {
    let road = scoped(50, "", |domain| {
        domain.create_unit("Pilot").unwrap();
        domain.move_to(&person(1).sam, "OU=Pilot").unwrap();
    });
    road.once();
    std::fs::remove_file(road.phs.database()).unwrap();
    reconfigure(&road, &format!("[scope]\ninclude = [\"OU=Pilot,{BASE}\"]\n"));
    let refused = road.phs.once(&[]).unwrap().expect_code(6);
    assert!(refused.stderr.contains("removals-held"), "{refused}");
    road.assert_everybody_gets_in();
    let wanted = refused.stderr.split("--confirm-removals ").nth(1).unwrap();
    let number = wanted.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    road.phs.once(&["--confirm-removals", number]).unwrap().expect_code(0);
    inside(&road, &person(1));
    outside(&road, &person(2));
}

#[test]
fn the_daemon_says_who_is_held_back_and_takes_the_confirmation_while_it_runs() {
    let road = scoped(30, &format!("[scope]\ninclude = [\"OU=People,{BASE}\"]\n"), |domain| {
        domain.create_unit("Elsewhere").unwrap();
        domain.add("OU=Team,OU=People", json!({"objectClass": "organizationalUnit"})).unwrap();
        for n in 1..=12 {
            domain.move_to(&person(n).sam, "OU=Team,OU=People").unwrap();
        }
    });
    let mut running = road.phs.run_daemon().unwrap();
    inside(&road, &person(1));
    road.domain.rename_container("OU=Team,OU=People", "OU=Team,OU=Elsewhere").unwrap();
    let status = |is: &dyn Fn(&Value) -> bool| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let said = road.phs.run(&["status", "--json"], None).unwrap();
            if is(&said.json()) {
                return said;
            }
            assert!(std::time::Instant::now() < end, "never: {said}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let held = status(&|status| status["held"] == 12);
    assert_eq!(held.code, Some(10), "{held}");
    assert!(held.json()["why"].as_str().unwrap().contains("--confirm-removals 12"), "{held}");
    inside(&road, &person(1));
    let looked = road.phs.run(&["once", "--dry-run"], None).unwrap().expect_code(0).stdout;
    let named = format!("! {:<40} outside the scope", person(12).upn);
    assert!(looked.contains(&named) && looked.matches("\n! ").count() >= 11, "{looked}");
    let confirmed = road.phs.run(&["once", "--confirm-removals", "12"], None).unwrap().expect_code(0);
    assert!(confirmed.stdout.contains("the running daemon takes it"), "{confirmed}");
    let over = status(&|status| status["held"] == 0);
    assert_eq!(over.code, Some(0), "{over}");
    outside(&road, &person(1));
    inside(&road, &person(13));
    running.signal(rustix::process::Signal::TERM);
    running.finish(30).unwrap().expect_code(0);
}

#[test]
fn what_people_write_in_their_own_account_is_no_sign_in_name_and_a_filter_by_it_is_warned_of() {
    let who = person(1);
    let road = scoped(30, "", |_| {});
    let password = road.domain.folder().join("password-of-one");
    std::fs::write(&password, &who.password).unwrap();
    let writes = |attribute: &str| {
        let change = format!(
            "dn: {}\nchangetype: modify\nreplace: {attribute}\n{attribute}: written by itself\n",
            road.domain.identity(&who.sam).unwrap().dn
        );
        let mut command = view::command("/usr/bin/ldapmodify").unwrap();
        command.args([
            "-x",
            "-H",
            &format!("ldaps://{}", road.domain.address()),
            "-D",
            &who.upn,
            "-y",
            password.to_str().unwrap(),
        ]);
        command.env("LDAPTLS_CACERT", road.domain.ca());
        let done =
            Running::start(command, Some(change.as_bytes()), &road.domain.folder().join("output")).unwrap();
        done.finish(30).unwrap().code
    };
    let login = |attribute| PhsSettings { alternate_login: Some(attribute), ..settings(&road.domain, "") };
    for attribute in ["info", "l", "mobile", "physicalDeliveryOfficeName", "telephoneNumber"] {
        assert_eq!(writes(attribute), Some(0), "{attribute}");
        road.phs.configure(&login(attribute)).unwrap();
        let refused = road.phs.once(&[]).unwrap().expect_code(3);
        assert!(refused.stderr.contains("people write"), "{refused}");
    }
    for attribute in [
        "adminDescription",
        "company",
        "department",
        "displayName",
        "division",
        "employeeID",
        "employeeNumber",
        "employeeType",
        "givenName",
        "mail",
        "sAMAccountName",
        "sn",
        "title",
        "userPrincipalName",
    ] {
        // Insufficient access rights (RFC 4511 4.1.9).
        assert_eq!(writes(attribute), Some(50), "{attribute}");
    }
    road.phs.configure(&login("mail")).unwrap();
    road.once();
    reconfigure(&road, "[scope]\nwithout = [\"l=Graz\"]\n");
    let cycle = road.phs.once(&[]).unwrap().expect_code(0);
    assert!(cycle.stderr.contains("people write l in their own account"), "{cycle}");
    let check = road.phs.run(&["check"], None).unwrap();
    assert!(check.stdout.contains("people write l in their own account"), "{check}");
}
