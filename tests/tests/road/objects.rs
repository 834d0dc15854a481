//! Groups, contacts, fine-grained policies and every attribute of `docs/phs.md`'s table, from the directory to the
//! tenant.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::{Domain, PhsSettings, TenantSettings, person};
use landbridge_wire::described::{Of, Row, Schema, Syntax, TABLE};
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the tenant holds of an object, by the tenant's own names.
fn held(road: &Road, object: Uuid) -> BTreeMap<String, String> {
    let text = |value| match value {
        Stored::Null => "none".to_owned(),
        Stored::Integer(number) => number.to_string(),
        Stored::Real(number) => number.to_string(),
        Stored::Text(text) => text,
        Stored::Blob(bytes) if bytes.len() > 100 => format!("{} bytes", bytes.len()),
        Stored::Blob(bytes) => format!("{bytes:02x?}"),
    };
    let held = road.tenant.attributes(object).unwrap();
    held.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// Links that are there, from this object.
fn links(road: &Road, what: &str, from: Uuid) -> Vec<Uuid> {
    let tenant = road.tenant.open_database().unwrap();
    let sql = "SELECT target FROM links WHERE what = ?1 AND source = ?2 AND present ORDER BY target";
    let mut ask = tenant.prepare(sql).unwrap();
    let rows = ask.query_map((what, from.as_bytes()), |row| Ok(Uuid::from_bytes(row.get(0)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn object_named(road: &Road, attribute: &str, value: &str) -> Option<(Uuid, String)> {
    let tenant = road.tenant.open_database().unwrap();
    let has = |object: &Uuid| {
        road.tenant.attributes(*object).unwrap().get(attribute) == Some(&Stored::Text(value.to_owned()))
    };
    let object = road.tenant.objects().unwrap().into_iter().find(has)?;
    let sql = "SELECT presence FROM objects WHERE object = ?1";
    Some((object, tenant.query_row(sql, [object.as_bytes()], |row| row.get(0)).unwrap()))
}

#[test]
fn every_attribute_of_an_account_is_carried_changed_and_removed() {
    let domain = own_domain(20);
    let settings = PhsSettings { alternate_login: Some("mail"), ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &TenantSettings::default());
    let (domain, who, boss) = (&road.domain, person(1), person(2));
    // In the directory, its value there, at the tenant, its value there.
    let table: [(&str, Value, &str, &str); 14] = [
        ("displayName", json!("Ada Lovelace"), "display_name", "Ada Lovelace"),
        ("mail", json!("ada.l@example.com"), "mail", "ada.l@example.com"),
        (
            "proxyAddresses",
            json!(["SMTP:ada.l@example.com", "smtp:al@example.com"]),
            "proxy_addresses",
            "SMTP:ada.l@example.com\nsmtp:al@example.com",
        ),
        ("givenName", json!("Ada"), "given_name", "Ada"),
        ("sn", json!("Lovelace"), "surname", "Lovelace"),
        ("department", json!("Engines"), "department", "Engines"),
        ("title", json!("Countess"), "title", "Countess"),
        ("telephoneNumber", json!("+44 20 7946 0001"), "telephone_number", "+44 20 7946 0001"),
        ("mobile", json!("+44 20 7946 0002"), "mobile", "+44 20 7946 0002"),
        ("accountExpires", json!("133000000000000000"), "account_expires", "133000000000000000"),
        (
            "logonHours",
            json!({"hex": "ff".repeat(21)}),
            "logon_hours",
            "[ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff]",
        ),
        (
            "userPrincipalName",
            json!("countess@corp.example.com"),
            "user_principal_name",
            "countess@corp.example.com",
        ),
        ("userAccountControl", json!("66048"), "user_account_control", "66048"),
        ("description", json!("not for everybody"), "description", ""),
    ];
    road.once();
    // Nobody had a mail address in the first full compare, so its suffix was not declared then.
    road.tenant
        .run(&["domains", "suffix", "add", domain.name(), "example.com"], None)
        .unwrap()
        .expect_code(0);
    let object = domain.identity(&who.sam).unwrap().guid;
    let before = held(&road, object);
    for name in [
        "sam_account_name",
        "user_principal_name",
        "user_account_control",
        "pwd_last_set",
        "primary_group_id",
    ] {
        assert!(before.contains_key(name), "{name}: {before:?}");
    }
    let values: serde_json::Map<String, Value> =
        table.iter().map(|(name, value, _, _)| ((*name).to_owned(), value.clone())).collect();
    domain.set_attributes(&who.sam, Value::Object(values)).unwrap();
    let manager = domain.identity(&boss.sam).unwrap();
    domain.set_attributes(&who.sam, json!({"manager": manager.dn})).unwrap();
    let counts = road.once();
    assert_eq!((&counts["records_sent"], &counts["links_sent"]), (&json!(1), &json!(1)), "{counts}");
    let after = held(&road, object);
    for (name, _, theirs, value) in &table {
        let carried = after.get(*theirs).map_or("", String::as_str);
        // The order of several values is the DC's.
        let (mut carried, mut value): (Vec<_>, Vec<_>) = (carried.lines().collect(), value.lines().collect());
        carried.sort_unstable();
        value.sort_unstable();
        assert_eq!(carried, value, "{name}");
    }
    assert_eq!(after["alternate_login"], "ada.l@example.com");
    assert_eq!(links(&road, "manager", object), [manager.guid]);
    domain.set_attributes(&who.sam, json!({"accountExpires": "0"})).unwrap();
    let optional = [
        "mail",
        "proxyAddresses",
        "givenName",
        "sn",
        "department",
        "title",
        "telephoneNumber",
        "mobile",
        "manager",
    ];
    let none: serde_json::Map<String, Value> =
        optional.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    road.once();
    road.assert_in("ada.l@example.com", &who.password);
    road.assert_in("countess@corp.example.com", &who.password);
    domain.set_attributes(&who.sam, Value::Object(none)).unwrap();
    road.once();
    let removed = held(&road, object);
    for name in [
        "mail",
        "alternate_login",
        "given_name",
        "surname",
        "department",
        "title",
        "telephone_number",
        "mobile",
    ] {
        assert!(removed.get(name).is_none_or(|value| value == "none"), "{name}: {removed:?}");
    }
    assert!(links(&road, "manager", object).is_empty());
    road.assert_out("ada.l@example.com", &who.password);
}

/// A value that AD's schema allows for the attribute; none: only the domain controller writes it.
fn value_of(row: &Row) -> Option<Value> {
    Some(match (row.name, row.syntax) {
        ("c", _) => json!("GB"),
        ("initials", _) => json!("AL"),
        (_, Syntax::Text) => json!(format!("Ünter {}", row.name)),
        (_, Syntax::Ascii) => json!(format!("/of/{}", row.name)),
        (_, Syntax::Integer) => json!("10007"),
        (_, Syntax::Octets) => json!({"hex": "ff".repeat(PHOTO)}),
        (_, Syntax::Time) => return None,
    })
}

/// The longest photo that AD accepts.
const PHOTO: usize = 102_400;

/// Adds the attributes of Exchange's setup to a forest's schema: some with numbers of the forest's own, some under other
/// OIDs than Exchange's.
fn extend_schema_as_exchange(domain: &Domain) {
    for (n, row) in TABLE.iter().filter(|row| row.schema == Schema::Exchange).enumerate() {
        let other = format!("1.3.6.1.4.1.99999.7.{n}");
        let oid = if n % 3 == 0 { other.as_str() } else { row.oid };
        domain.extend_schema(row.name, json!({"attributeID": oid}), n % 2 == 0).unwrap();
    }
    // The domain controller knows them once it has started again.
    domain.kill_controller().unwrap();
    domain.start_controller().unwrap();
}

#[test]
fn each_attribute_of_the_wires_table_is_carried_by_its_kinds_of_objects_changed_and_removed() {
    let domain = own_domain(20);
    extend_schema_as_exchange(&domain);
    let settings = PhsSettings { photos: true, ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &TenantSettings::default());
    let (domain, who) = (&road.domain, person(1));
    domain.create_group("Sales").unwrap();
    let contact = json!({"objectClass": "contact", "mail": "charles@example.org"});
    domain.add("CN=Charles,OU=People", contact).unwrap();
    road.once();
    let contact = object_named(&road, "mail", "charles@example.org").unwrap().0;
    let (account, group) = (domain.identity(&who.sam).unwrap().guid, domain.identity("Sales").unwrap().guid);
    let of_kind = |of: Of| match of {
        Of::Accounts => vec!["account"],
        Of::AccountsAndGroups => vec!["account", "group"],
        Of::AccountsAndContacts => vec!["account", "contact"],
        Of::All => vec!["account", "group", "contact"],
    };
    let objects = [("account", account), ("group", group), ("contact", contact)];
    let set = |kind: &str, value: &dyn Fn(&Row) -> Option<Value>| {
        let rows = TABLE.iter().filter(|row| of_kind(row.of).contains(&kind));
        let values: serde_json::Map<String, Value> =
            rows.filter_map(|row| Some((row.name.to_owned(), value(row)?))).collect();
        match kind {
            "account" => domain.set_attributes(&who.sam, Value::Object(values)),
            "group" => domain.set_attributes("Sales", Value::Object(values)),
            _ => domain.set_at("CN=Charles,OU=People", Value::Object(values)),
        }
        .unwrap();
    };
    // 1. Set.
    for (kind, _) in objects {
        set(kind, &value_of);
    }
    let counts = road.once();
    assert_eq!((&counts["records_sent"], &counts["left_out"]), (&json!(3), &json!(0)), "{counts}");
    for (kind, object) in objects {
        let held = held(&road, object);
        for row in &TABLE {
            let held = held.get(row.name).map(String::as_str);
            match value_of(row).filter(|_| of_kind(row.of).contains(&kind)) {
                Some(_) if row.syntax == Syntax::Octets => {
                    assert_eq!(held, Some("102400 bytes"), "{} of the {kind}", row.name);
                }
                Some(value) => assert_eq!(held, value.as_str(), "{} of the {kind}", row.name),
                None if row.syntax == Syntax::Time => {
                    let seconds: i64 = held.unwrap().parse().unwrap();
                    assert!((13_000_000_000..20_000_000_000).contains(&seconds), "since 1601: {seconds}");
                }
                None => assert_eq!(held, None, "{} of the {kind}", row.name),
            }
        }
    }
    let shown = road.tenant.run(&["users", "show", &who.upn], None).unwrap().expect_code(0).stdout;
    for line in [
        "company: Ünter company",
        "uidNumber: 10007",
        "extensionAttribute15: Ünter extensionAttribute15",
        "thumbnailPhoto: 102400 bytes",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // 2. Without photos in the configuration: they leave the tenant, and all else stays.
    road.phs.configure(&PhsSettings { photos: false, ..settings.clone() }).unwrap();
    let counts = road.once();
    assert_eq!((&counts["mode"], &counts["digests_derived"]), (&json!("full"), &json!(0)), "{counts}");
    let without = held(&road, account);
    assert_eq!(without.get("thumbnailPhoto"), None);
    assert_eq!(without["extensionAttribute1"], "Ünter extensionAttribute1");
    road.phs.configure(&settings).unwrap();
    road.once();
    assert_eq!(held(&road, account)["thumbnailPhoto"], "102400 bytes");
    // 3. Removed.
    let writable = |row: &Row| value_of(row).map(|_| Value::Null);
    for (kind, _) in objects {
        set(kind, &writable);
    }
    road.once();
    for (kind, object) in objects {
        let held = held(&road, object);
        for row in TABLE.iter().filter(|row| writable(row).is_some()) {
            let none = held.get(row.name).is_none_or(|value| value == "none");
            assert!(none, "{} of the {kind}", row.name);
        }
    }
    road.assert_everybody_gets_in();
}

#[test]
fn groups_with_their_members_and_contacts_come_change_and_go() {
    let road = Road::new(own_domain(50), "entra");
    let domain = &road.domain;
    domain
        .add(
            "CN=Sales,OU=People",
            json!({"objectClass": "group", "sAMAccountName": "Sales", "description": "who sells", "mail": "sales@example.com"}),
        )
        .unwrap();
    domain.create_group("Inner").unwrap();
    domain.set_member("Sales", "Inner", true).unwrap();
    for n in 1..=10 {
        domain.set_member("Inner", &person(n).sam, true).unwrap();
    }
    domain
        .add(
            "CN=Charles,OU=People",
            json!({"objectClass": "contact", "displayName": "Charles Babbage", "mail": "charles@example.org"}),
        )
        .unwrap();
    road.once();
    let (sales, inner) = (domain.identity("Sales").unwrap().guid, domain.identity("Inner").unwrap().guid);
    let group = held(&road, sales);
    assert_eq!((group["description"].as_str(), group["mail"].as_str()), ("who sells", "sales@example.com"));
    assert_eq!(links(&road, "member", sales), [inner]);
    let mut members: Vec<Uuid> = (1..=10).map(|n| domain.identity(&person(n).sam).unwrap().guid).collect();
    members.sort_unstable();
    assert_eq!(links(&road, "member", inner), members);
    let (contact, presence) = object_named(&road, "mail", "charles@example.org").unwrap();
    assert_eq!(presence, "present");
    assert_eq!(held(&road, contact)["display_name"], "Charles Babbage");
    // One member more is one link, and no record.
    domain.set_member("Inner", &person(11).sam, true).unwrap();
    let counts = road.once();
    assert_eq!((&counts["records_sent"], &counts["links_sent"]), (&json!(0), &json!(1)), "{counts}");
    domain.set_member("Inner", &person(11).sam, false).unwrap();
    domain.set_member("Inner", &person(1).sam, false).unwrap();
    road.once();
    assert_eq!(links(&road, "member", inner).len(), 9);
    // A protected group is nobody's business.
    let admins = domain.identity("Domain Admins").unwrap().guid;
    assert!(held(&road, admins).is_empty() && links(&road, "member", admins).is_empty());
    domain.set_at("CN=Charles,OU=People", json!({"mail": "c.babbage@example.org"})).unwrap();
    domain.delete("Sales").unwrap();
    road.once();
    assert!(links(&road, "member", sales).is_empty());
    assert_eq!(held(&road, contact)["mail"], "c.babbage@example.org");
    // All of it comes again in a full compare, and nothing changes by that.
    let full = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!(full["digests_derived"], 0);
    assert_eq!(links(&road, "member", inner).len(), 9);
}

#[test]
fn a_fine_grained_policy_goes_to_the_tenant_with_those_to_whom_it_applies_even_outside_the_scope() {
    let domain = own_domain(20);
    let further = "[scope]\ninclude = [\"OU=People,DC=corp,DC=example,DC=com\"]\n".to_owned();
    let with = PhsSettings { further, ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &with, &TenantSettings::default());
    let domain = &road.domain;
    domain.create_group("Strict").unwrap();
    domain.set_member("Strict", &person(1).sam, true).unwrap();
    let strict = domain.identity("Strict").unwrap();
    road.domain.create_password_settings("Strict policy", 10, &["Strict"]).unwrap();
    road.once();
    let (policy, _) = object_named(&road, "name", "Strict policy").unwrap();
    let said = held(&road, policy);
    for (name, value) in [
        ("precedence", "10"),
        ("maximum_password_age", "-864000000000"),
        ("lockout_threshold", "3"),
        ("lockout_observation_window", "-18000000000"),
        ("lockout_duration", "-18000000000"),
        ("name", "Strict policy"),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    assert_eq!(links(&road, "applies-to", policy), [strict.guid]);
    assert_eq!(links(&road, "member", strict.guid), [domain.identity(&person(1).sam).unwrap().guid]);
}

#[test]
fn the_tenant_applies_the_fine_grained_policy_that_the_dc_itself_computes() {
    let road = Road::new(own_domain(20), "entra");
    let domain = &road.domain;
    for group in ["Outer", "Inner", "Other"] {
        domain.create_group(group).unwrap();
    }
    domain.set_member("Outer", "Inner", true).unwrap();
    for (group, n) in [("Inner", 1), ("Other", 1), ("Outer", 2), ("Other", 3), ("Inner", 4)] {
        domain.set_member(group, &person(n).sam, true).unwrap();
    }
    road.domain.create_password_settings("By nesting", 30, &["Outer"]).unwrap();
    road.domain.create_password_settings("Stronger", 20, &["Other"]).unwrap();
    road.domain.create_password_settings("Direct", 40, &[&person(4).sam]).unwrap();
    let compare = |what: &str| {
        road.once();
        let mut said = Vec::new();
        for n in 1..=5 {
            let shown = road.tenant.run(&["users", "show", &person(n).upn, "--json"], None).unwrap();
            let shown = shown.expect_code(0).json()["accounts"][0]["password_policy"]["of"].to_string();
            let computed = domain.resultant_policy(&person(n).sam).unwrap();
            match &computed {
                None => assert_eq!(shown, "\"the domain\"", "{what}: {n}"),
                Some(dn) => {
                    let name = dn.split(',').next().unwrap().trim_start_matches("CN=");
                    assert!(
                        shown.contains(&format!("password settings object {name} ")),
                        "{what}: {n}: {shown}, {dn}"
                    );
                }
            }
            said.push(computed.map(|dn| dn.split(',').next().unwrap().to_owned()));
        }
        said
    };
    let name = |text: &str| Some(format!("CN={text}"));
    let first = [name("Stronger"), name("By nesting"), name("Stronger"), name("Direct"), None];
    assert_eq!(compare("at first"), first);
    domain.set_member("Other", &person(1).sam, false).unwrap();
    domain.set_member("Inner", &person(5).sam, true).unwrap();
    let second =
        [name("By nesting"), name("By nesting"), name("Stronger"), name("Direct"), name("By nesting")];
    assert_eq!(compare("after two changes of membership"), second);
    // Passwords of the lab are fresh, so a limit of a day lets everybody in; the threshold of three is what shows.
    road.assert_in(&person(1).upn, &person(1).password);
}

#[test]
fn one_member_more_of_a_large_group_is_one_link() {
    let road = Road::new(own_domain(2000), "entra");
    let domain = &road.domain;
    domain.create_group("Everybody").unwrap();
    let all: Vec<String> = (1..2000).map(|n| person(n).sam).collect();
    domain.set_members("Everybody", &all, true).unwrap();
    let first = road.once();
    assert!(first["links_sent"].as_u64().unwrap() >= 1999, "{first}");
    let group = domain.identity("Everybody").unwrap().guid;
    assert_eq!(links(&road, "member", group).len(), 1999);
    domain.set_member("Everybody", &person(0).sam, true).unwrap();
    let counts = road.once();
    assert_eq!(
        (&counts["records_sent"], &counts["links_sent"], &counts["read"]),
        (&json!(0), &json!(1), &json!(0)),
        "{counts}"
    );
    assert_eq!(links(&road, "member", group).len(), 2000);
}

/// Samba brings nobody back out of it: `reanimate` wants a tombstone. What comes back by AD's own means is as in
/// `life`.
#[test]
fn whoever_lies_in_the_recycle_bin_with_password_and_groups_is_out_all_the_same() {
    let road = Road::new(own_domain(50), "entra");
    let domain = &road.domain;
    let who = person(1);
    domain.enable_recycle_bin().unwrap();
    domain.create_group("Team").unwrap();
    domain.set_members("Team", &[who.sam.clone(), person(2).sam], true).unwrap();
    road.once();
    let guid = domain.identity(&who.sam).unwrap().guid;
    domain.delete(&who.sam).unwrap();
    road.once();
    road.assert_out(&who.upn, &who.password);
    assert!(!road.tenant.holds_digest(guid).unwrap());
    let group = road.tenant.run(&["groups", "show", "Team", "--json"], None).unwrap().expect_code(0).json();
    assert_eq!(group[0]["accounts"], 1, "{group}");
    road.assert_in(&person(2).upn, &person(2).password);
    assert_eq!(road.once()["uploads"], 0);
}

#[test]
fn whoever_comes_back_after_being_erased_is_in_the_groups_again() {
    let road = Road::new(own_domain(50), "entra");
    let domain = &road.domain;
    let who = person(1);
    domain.create_unit("Elsewhere").unwrap();
    domain.create_group("Blocked").unwrap();
    domain.set_member("Blocked", &who.sam, true).unwrap();
    let scope = "[scope]\nexclude = [\"OU=Elsewhere,DC=corp,DC=example,DC=com\"]\n";
    let settings = PhsSettings::for_domain(domain, "entra");
    road.phs.configure(&PhsSettings { further: scope.to_owned(), ..settings }).unwrap();
    road.once();
    let blocked = domain.identity("Blocked").unwrap().guid.to_string();
    let policy = ["domains", "policy", "corp.example.com", "refuse", "--group", &blocked];
    road.tenant.run(&policy, None).unwrap().expect_code(0);
    road.assert_out(&who.upn, &who.password);
    domain.move_to(&who.sam, "OU=Elsewhere").unwrap();
    road.once();
    let guid = domain.identity(&who.sam).unwrap().guid.to_string();
    road.tenant.run(&["users", "purge", &guid], None).unwrap().expect_code(0);
    domain.move_to(&who.sam, "OU=People").unwrap();
    road.once();
    let shown = road.tenant.run(&["users", "show", &who.upn], None).unwrap().expect_code(0);
    assert!(shown.stdout.contains("Blocked"), "{shown}");
    road.assert_out(&who.upn, &who.password);
    road.assert_in(&person(2).upn, &person(2).password);
}

#[test]
fn a_group_of_the_directory_decides_who_signs_in_during_a_rollout() {
    let road = Road::new(own_domain(50), "entra");
    let domain = &road.domain;
    domain.create_group("Pilot").unwrap();
    domain.create_group("Pilot team").unwrap();
    domain.set_member("Pilot", "Pilot team", true).unwrap();
    domain.set_member("Pilot team", &person(1).sam, true).unwrap();
    road.once();
    let policy = |arguments: &[&str]| {
        let all = [&["domains", "policy", "corp.example.com"], arguments].concat();
        road.tenant.run(&all, None).unwrap().expect_code(0)
    };
    policy(&["refuse"]);
    let pilot = domain.identity("Pilot").unwrap().guid.to_string();
    policy(&["phs", "--group", &pilot]);
    road.assert_in(&person(1).upn, &person(1).password);
    road.assert_out(&person(2).upn, &person(2).password);
    domain.set_member("Pilot team", &person(2).sam, true).unwrap();
    domain.set_member("Pilot team", &person(1).sam, false).unwrap();
    road.once();
    road.assert_in(&person(2).upn, &person(2).password);
    road.assert_out(&person(1).upn, &person(1).password);
    policy(&["phs"]);
    road.assert_in(&person(1).upn, &person(1).password);
}
