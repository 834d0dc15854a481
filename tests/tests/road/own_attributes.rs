//! Attributes that AD numbers itself, as Exchange's setup adds them to a schema: on the wire they have a number of the
//! forest's own. Filters and the further sign-in name work by them, and one that the schema lacks, or has otherwise, is
//! refused by `check` and by the cycle.

use crate::stage::{Road, inside, outside, own_domain};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Finished, wait_until};
use landbridge_tests::lab::{Domain, Person, PhsSettings, TenantSettings, person};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::thread;

/// OIDs of Exchange's, and some under another prefix.
const EXCHANGE: &str = "1.2.840.113556.1.2";
const OTHER: &str = "1.3.6.1.4.1.99999.7";
/// The property set Personal Information, as bytes of a GUID.
const PERSONAL_INFORMATION: &str = "86b8b5774a94d111aebd0000f80367c1";

/// What a web server answers to anything.
const NO_LDAP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 59\r\n\r\n\
    This is no LDAP server, whatever the number of the port is.";

/// One domain with an extended schema for all of these: each works with people of its own.
static DOMAIN: LazyLock<Arc<Domain>> = LazyLock::new(|| {
    let domain = own_domain(50);
    let add = |name: &str, oid: String, more: Value, numbered| {
        let mut values = json!({"attributeID": oid});
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let number = domain.extend_schema(name, values, numbered).unwrap();
        // The number is signed; the highest bit of it is set.
        assert_eq!(number.is_some_and(|number| number < 0), numbered, "{name}: {number:?}");
    };
    add("extensionAttribute1", format!("{EXCHANGE}.423"), json!({}), true);
    add("extensionAttribute15", format!("{EXCHANGE}.603"), json!({}), true);
    add("extensionAttribute2", format!("{OTHER}.2"), json!({}), true);
    // As in a forest whose schema was extended before functional level 2003: no number.
    add("extensionAttribute3", format!("{EXCHANGE}.425"), json!({}), false);
    add("extensionAttribute4", format!("{OTHER}.16390"), json!({}), false);
    // A number, several texts, and one that people write themselves.
    let integer = json!({"attributeSyntax": "2.5.5.9", "oMSyntax": "2"});
    add("extensionAttribute5", format!("{OTHER}.5"), integer, true);
    add("extensionAttribute6", format!("{OTHER}.6"), json!({"isSingleValued": "FALSE"}), true);
    let own = json!({"attributeSecurityGUID": {"hex": PERSONAL_INFORMATION}});
    add("extensionAttribute7", format!("{OTHER}.7"), own, true);
    domain.kill_controller().unwrap();
    domain.start_controller().unwrap();
    domain
});

fn settings(scope: &str) -> PhsSettings {
    PhsSettings { further: format!("[scope]\n{scope}\n"), ..PhsSettings::for_domain(&DOMAIN, "entra") }
}

fn road(settings: &PhsSettings) -> Road {
    Road::with(DOMAIN.clone(), settings, &TenantSettings::default())
}

fn set(who: &Person, attribute: &str, value: Value) {
    DOMAIN.set_attributes(&who.sam, json!({attribute: value})).unwrap();
}

/// What `users show` has of an attribute of a person.
fn described(road: &Road, who: &Person, attribute: &str) -> Option<String> {
    let shown = road.tenant.run(&["users", "show", &who.upn, "--json"], None).unwrap().expect_code(0).json();
    shown["accounts"][0]["described"][attribute].as_str().map(str::to_owned)
}

/// The lines of `check` about the attributes: whether each is well, and what it says.
fn lines(road: &Road) -> (Finished, Vec<(bool, String)>) {
    let said = road.phs.run(&["check", "--json"], None).unwrap();
    let all = said.json();
    let of = all.as_array().unwrap().iter().filter(|line| line["what"] == "attributes");
    let of = of.map(|line| (line["ok"].as_bool().unwrap(), line["detail"].as_str().unwrap().to_owned()));
    let of = of.collect();
    (said, of)
}

#[test]
fn a_filter_by_any_of_them_keeps_people_out_from_the_first_cycle_on_and_lets_them_in_again() {
    // Numbered by AD under two prefixes; by OID under a prefix of every request, and under another one.
    for (n, attribute) in
        ["extensionAttribute1", "extensionAttribute2", "extensionAttribute3", "extensionAttribute4"]
            .into_iter()
            .enumerate()
    {
        let [out, later] = [1, 2].map(|person_of| person(u32::try_from(n).unwrap() * 2 + person_of));
        set(&out, attribute, json!("NoSync"));
        let road = road(&settings(&format!("without = [\"{attribute}=nosync\"]")));
        road.once();
        outside(&road, &out);
        inside(&road, &later);
        let explained = road.phs.run(&["explain", &out.sam, "--json"], None).unwrap().expect_code(0).json();
        assert!(explained["because"].to_string().contains(attribute), "{attribute}: {explained:#}");
        // A value comes and another one goes, with the changes alone.
        set(&later, attribute, json!("NOSYNC"));
        set(&out, attribute, json!(null));
        assert_eq!(road.once()["mode"], "incremental", "{attribute}");
        outside(&road, &later);
        inside(&road, &out);
        let (said, lines) = lines(&road);
        assert!(lines.iter().all(|(ok, _)| *ok) && lines[0].1.contains(attribute), "{attribute}: {said}");
        // The other way round.
        road.phs.configure(&settings(&format!("with = [\"{attribute}=NoSync\"]"))).unwrap();
        let counts = road.phs.once(&["--confirm-removals", "100"]).unwrap().expect_code(0).json();
        assert_eq!((&counts["mode"], &counts["held"]), (&json!("full"), &json!(0)), "{attribute}: {counts}");
        inside(&road, &later);
        outside(&road, &out);
        set(&later, attribute, json!(null));
    }
}

#[test]
fn a_further_sign_in_name_by_one_of_them_follows_its_value() {
    let who = person(20);
    set(&who, "extensionAttribute15", json!("twenty@corp.example.com"));
    let login = PhsSettings { alternate_login: Some("extensionAttribute15"), ..settings("") };
    let road = road(&login);
    road.once();
    road.assert_in("twenty@corp.example.com", &who.password);
    inside(&road, &who);
    set(&who, "extensionAttribute15", json!("the.twentieth@corp.example.com"));
    road.once();
    road.assert_in("the.twentieth@corp.example.com", &who.password);
    road.assert_out("twenty@corp.example.com", &who.password);
    set(&who, "extensionAttribute15", json!(null));
    road.once();
    road.assert_out("the.twentieth@corp.example.com", &who.password);
    inside(&road, &who);
}

#[test]
fn an_account_that_enters_alone_is_read_with_them() {
    // Moved into the OU, she is read as a single object, with the attribute that keeps her out.
    let [kept_out, enters] = [21, 22].map(person);
    for who in [&kept_out, &enters] {
        DOMAIN.move_to(&who.sam, "CN=Users").unwrap();
    }
    set(&kept_out, "extensionAttribute1", json!("NoSync"));
    let road = road(&settings(
        "include = [\"OU=People,DC=corp,DC=example,DC=com\"]\nwithout = [\"extensionAttribute1=NoSync\"]",
    ));
    road.once();
    outside(&road, &enters);
    for who in [&kept_out, &enters] {
        DOMAIN.move_to(&who.sam, "OU=People").unwrap();
    }
    road.once();
    inside(&road, &enters);
    outside(&road, &kept_out);
}

#[test]
fn what_the_schema_lacks_or_has_in_another_form_is_refused_by_the_cycle_and_by_check() {
    let road = road(&settings(""));
    road.once();
    let who = person(23);
    inside(&road, &who);
    for (attribute, says) in [
        ("extensionAttribute9", "the schema of this forest lacks"),
        ("extensionAttribute5", "syntax 2.5.5.9"),
        ("extensionAttribute6", "several values"),
    ] {
        let login = PhsSettings { alternate_login: Some(attribute), ..settings("") };
        for configured in [
            settings(&format!("without = [\"{attribute}=NoSync\"]")),
            settings(&format!("with = [\"extensionAttribute1=x\", \"{attribute}=x\"]")),
            login,
        ] {
            road.phs.configure(&configured).unwrap();
            let refused = road.phs.once(&[]).unwrap().expect_code(3);
            assert!(refused.stderr.contains(says) && refused.stderr.contains(attribute), "{says}: {refused}");
            let (said, lines) = lines(&road);
            assert_eq!(said.code, Some(3), "{said}");
            assert!(lines.iter().any(|(ok, line)| !ok && line.contains(says)), "{says}: {said}");
            // The rest is looked at all the same.
            assert!(said.stdout.contains("may read changes and secrets"), "{said}");
        }
    }
    // Nothing was sent meanwhile: the tenant holds what it held.
    inside(&road, &who);
}

#[test]
fn one_that_people_write_themselves_is_no_sign_in_name_and_a_filter_by_it_is_warned_of() {
    let login = PhsSettings { alternate_login: Some("extensionAttribute7"), ..settings("") };
    let road = road(&login);
    let refused = road.phs.once(&[]).unwrap().expect_code(3);
    assert!(refused.stderr.contains("people write in their own account"), "{refused}");
    road.phs.configure(&settings("without = [\"extensionAttribute7=NoSync\"]")).unwrap();
    let cycle = road.phs.once(&[]).unwrap().expect_code(0);
    assert!(cycle.stderr.contains("people write this attribute in their own account"), "{cycle}");
    let (said, lines) = lines(&road);
    assert!(lines[0].0 && lines[0].1.contains("people write it in their own account"), "{said}");
}

#[test]
fn a_schema_that_is_changed_while_the_daemon_runs_is_read_again() {
    let [who, later] = [26, 27].map(person);
    set(&who, "extensionAttribute1", json!("NoSync"));
    let road = road(&settings("without = [\"extensionAttribute1=NoSync\"]"));
    let mut running = road.phs.run_daemon().unwrap();
    outside(&road, &who);
    let number = DOMAIN.extend_schema("landbridgeNote", json!({"attributeID": format!("{OTHER}.8")}), true);
    assert!(number.unwrap().is_some());
    // Changes of people bring pages, and a page the schema's version.
    let mut turn = 0;
    let noticed = || {
        turn += 1;
        set(&later, "department", json!(format!("Department {turn}")));
        running.said().contains("the ids of attributes are read again")
    };
    wait_until("the daemon to notice the other schema", 180, noticed, || running.said()).unwrap();
    set(&who, "extensionAttribute1", json!(null));
    let object = DOMAIN.identity(&who.sam).unwrap().guid;
    let arrived = || road.tenant.holds_digest(object).unwrap();
    wait_until("the person's digest at the tenant", 60, arrived, || running.said()).unwrap();
    inside(&road, &who);
    running.signal(rustix::process::Signal::TERM);
    running.finish(30).unwrap().expect_code(0);
}

#[test]
fn without_ldap_nobody_is_carried_by_such_a_filter_and_another_dc_is_read() {
    let who = person(24);
    set(&who, "extensionAttribute1", json!("NoSync"));
    let scope = "without = [\"extensionAttribute1=NoSync\"]";
    let shut = dc_without_ldap(None);
    let road = road(&PhsSettings { address: Some(shut.ip()), ..settings(scope) });
    let refused = road.phs.once(&[]).unwrap().expect_code(5);
    for says in ["extensionAttribute1", "port 389", "Open port 389"] {
        assert!(refused.stderr.contains(says), "{says}: {refused}");
    }
    let (said, lines) = lines(&road);
    assert_eq!(said.code, Some(5), "{said}");
    let shut_ones = |lines: &[(bool, String)]| {
        lines.iter().filter(|(ok, line)| !ok && line.contains("Open port 389")).count()
    };
    assert_eq!(shut_ones(&lines), 1, "{said}");
    for person in [&who, &person(25)] {
        road.assert_out(&person.upn, &person.password);
    }
    // Something answers there that is no DC: nothing that it says is believed.
    let odd = dc_without_ldap(Some(NO_LDAP));
    road.phs.configure(&PhsSettings { address: Some(odd.ip()), ..settings(scope) }).unwrap();
    let refused = road.phs.once(&[]).unwrap().expect_code(4);
    assert!(refused.stderr.contains("extensionAttribute1"), "{refused}");
    road.assert_out(&person(25).upn, &person(25).password);
    // The base schema's attributes need no LDAP. Those of Exchange's are left out as long as no schema was read.
    let without_ldap = PhsSettings { address: Some(shut.ip()), ..settings("without = [\"company=x\"]") };
    road.phs.configure(&without_ldap).unwrap();
    set(&person(25), "extensionAttribute1", json!("before"));
    road.once();
    inside(&road, &person(25));
    assert_eq!(described(&road, &person(25), "extensionAttribute1"), None);
    let (said, lines) = self::lines(&road);
    assert!(lines.iter().any(|(ok, line)| *ok && line.contains("cannot be read by LDAP")), "{said}");
    // A second DC that answers by LDAP is read in the first one's place.
    let first = PhsSettings { address: Some(shut.ip()), ..settings(scope) };
    road.phs.configure(&first.then("dc1.corp.example.com", DOMAIN.address())).unwrap();
    road.once();
    outside(&road, &who);
    inside(&road, &person(25));
    assert_eq!(described(&road, &person(25), "extensionAttribute1").as_deref(), Some("before"));
    // What its schema has counts from now on, also where LDAP is shut again.
    road.phs.configure(&without_ldap).unwrap();
    road.once();
    set(&person(25), "extensionAttribute1", json!("after"));
    let counts = road.once();
    assert_eq!(counts["mode"], "incremental", "{counts}");
    assert_eq!(described(&road, &person(25), "extensionAttribute1").as_deref(), Some("after"));
    // Both are checked, whichever of them a cycle would read.
    let second = settings(scope).then("dc1.corp.example.com", shut.ip());
    road.phs.configure(&second).unwrap();
    let (said, lines) = self::lines(&road);
    assert_eq!((said.code, shut_ones(&lines)), (Some(5), 1), "{said}");
    assert!(lines.iter().any(|(ok, line)| *ok && line.contains("extensionAttribute1")), "{said}");
}

/// The DC at another address, where LDAP is not what it should be: nothing listens there, or something that answers with
/// these bytes.
fn dc_without_ldap(answer: Option<&'static [u8]>) -> Address {
    let address = Address::claim().unwrap();
    let to = DOMAIN.address();
    // Kerberos, the endpoint mapper, and the ports that Samba gives to its RPC services.
    for port in [88, 135].into_iter().chain(49_152..49_162) {
        let listener = TcpListener::bind((address.ip(), port)).unwrap();
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(onward) = TcpStream::connect((to, port)) else { continue };
                join(from.try_clone().unwrap(), onward.try_clone().unwrap());
                join(onward, from);
            }
        });
    }
    if let Some(answer) = answer {
        let listener = TcpListener::bind((address.ip(), 389)).unwrap();
        thread::spawn(move || {
            for mut from in listener.incoming().flatten() {
                let _ = from.read(&mut [0; 8192]);
                let _ = from.write_all(answer);
            }
        });
    }
    address
}

/// Copies what comes on one connection to the other, until it ends.
fn join(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}
