//! The same searches at a tenant and at Debian's slapd with the same entries: both find the same. What is known to differ
//! is a list in `differential.py`, which may only shrink.

use crate::clients::{python, settings, with};
use crate::stage::{Stage, run, stages};
use landbridge_tests::lab::address::Address;
use landbridge_tests::lab::program::{Running, wait_until};
use landbridge_tests::lab::{person, view};
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use tempfile::TempDir;

/// The number of this test's people.
const CAST: u32 = 9;
const SLAPD: &str = "/usr/sbin/slapd";
/// Searches for one seed.
const FILTERS: u32 = 1000;
const BASES: u32 = 200;

/// A slapd of its own. Stopped when dropped.
struct Slapd {
    url: String,
    _running: Running,
    _folder: TempDir,
    _address: Address,
}

impl Slapd {
    /// Serves the entries of an LDIF file to everybody.
    fn start(entries: &Path) -> Self {
        let (address, folder) = (Address::claim().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(folder.path().join("mdb")).unwrap();
        // AppArmor may confine the program where its package puts it.
        let program = folder.path().join("slapd");
        fs::copy(SLAPD, &program).unwrap();
        let config = folder.path().join("slapd.conf");
        let text = include_str!("slapd.conf").replace("@FOLDER@", &folder.path().display().to_string());
        fs::write(&config, text).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = view::command(&program).unwrap();
            command.args(arguments).arg("-f").arg(&config);
            command
        };
        let mut add = command(&["-T", "add", "-q"]);
        add.arg("-l").arg(entries);
        run(add).expect_code(0);
        let listen = SocketAddr::new(address.ip(), 389);
        let url = format!("ldap://{listen}/");
        let running =
            Running::start(command(&["-d", "0", "-h", &url]), None, &folder.path().join("output")).unwrap();
        wait_until("slapd to serve", 30, || TcpStream::connect(listen).is_ok(), || running.said()).unwrap();
        Self { url, _running: running, _folder: folder, _address: address }
    }
}

/// Gives the people of this test values of every kind, and groups in groups.
fn prepare(stage: &Stage) {
    let titles =
        ["Café owner", "chief  engineer", "CHIEF ENGINEER", "a*b (c) \\ d", "Straße", "engineer", "x"];
    let surnames = ["Müller", "O'Neil", "de la Cruz"].into_iter().cycle();
    let towns = ["Köln", "Zürich", "  Oslo  North"].into_iter().cycle();
    for (place, ((title, surname), town)) in (1_u32..).zip(titles.into_iter().zip(surnames).zip(towns)) {
        let values = json!({
            "title": title,
            "givenName": format!("Given {place}"),
            "sn": surname,
            "l": town,
            "description": format!("{title}, room {place}"),
            "mail": format!("Person.{place}@Corp.Example.com"),
            "employeeNumber": format!("E-{:04}", place * 7),
            "telephoneNumber": format!("+49 221 555-{place:03}"),
        });
        stage.domain.set_attributes(&person(CAST * 10 + place).sam, values).unwrap();
    }
    for (group, members) in [("Differ One", 1..4), ("Differ Two", 3..8)] {
        stage.domain.create_group(group).unwrap();
        let members: Vec<String> = members.map(|place| person(CAST * 10 + place).sam).collect();
        stage.domain.set_members(group, &members, true).unwrap();
    }
    stage.domain.set_member("Differ One", "Differ Two", true).unwrap();
    stage.sync();
}

#[test]
fn the_same_searches_find_the_same_at_slapd() {
    // How a tenant decides sign-ins changes nothing of what it finds: one of them is enough.
    let [stage, _] = stages();
    prepare(stage);
    let groups = ["--see-group", "CORP\\Differ One", "--see-group", "CORP\\Differ Two"];
    let by = stage.application_seeing("differential", &[&groups[..], &["--all-attributes"]].concat());
    let folder = tempfile::tempdir().unwrap();
    let entries = folder.path().join("entries.ldif");
    let given = with(settings(stage, &stage.ldaps(), &by), json!({"do": "dump", "ldif": entries}));
    let dumped = python("differential.py", &given).expect_code(0).json();
    assert!(dumped.as_u64() > Some(120), "{dumped}");
    let slapd = Slapd::start(&entries);
    let seed = std::env::var("LANDBRIDGE_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("LANDBRIDGE_SEED={seed}");
    let more = json!({"do": "compare", "slapd": slapd.url, "seed": seed, "filters": FILTERS, "bases": BASES});
    let compared = python("differential.py", &with(given, more)).expect_code(0).json();
    assert_eq!(compared["different"], json!([]), "LANDBRIDGE_SEED={seed}: {compared:#}");
    assert_eq!(compared["gone"], json!([]), "these do not differ any more: remove them from the list");
    assert!(compared["found"].as_u64() > Some(100), "the searches find too little: {compared:#}");
}
