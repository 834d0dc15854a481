//! Bad input of every kind that reaches a program from outside the protocol, and the worst of what reaches
//! the tenant within it: a clear error with the file and line or the peer, the documented status, nothing lost.

use crate::stage::{Road, files_of, shared_domain};
use landbridge_agent::identity::FOLDER;
use landbridge_tests::lab::program::{Finished, Running};
use landbridge_tests::lab::view::with_clock_off;
use landbridge_tests::lab::{
    Application, Phs, PhsSettings, RunningTenant, SmallDisk, TenantSettings, Try, person,
};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn settings() -> PhsSettings {
    PhsSettings::for_domain(&shared_domain(50), "entra")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_says(finished: &Finished, code: i32, says: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished}");
    for what in says {
        assert!(finished.stderr.contains(what), "does not say `{what}`: {finished}");
    }
    assert_eq!(finished.stdout, "", "{finished}");
}

#[test]
fn a_phs_configuration_that_is_wrong_is_named_with_its_line() {
    let phs = Phs::install(&settings()).unwrap();
    let good = fs::read_to_string(phs.config()).unwrap();
    let line_of = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let cases = [
        ("page_objects", "page_objects = 250\ncolour = \"blue\"", "colour"),
        ("page_objects", "page_objects = \"many\"", "page_objects"),
        ("page_objects", "page_objects = 0", "page_objects"),
        ("page_objects", "page_objects = 250 250", "page_objects"),
        ("profile", "profile = \"cheap\"", "profile"),
        ("level", "level = \"loud\"", "level"),
        ("address", "address = \"over there\"", "address"),
        ("include", "include = [\"Administrators\"]", "include"),
    ];
    for (at, instead, named) in cases {
        let wrong: Vec<&str> =
            good.lines().map(|line| if line.starts_with(at) { instead } else { line }).collect();
        let wrong = wrong.join("\n");
        assert_ne!(wrong.trim(), good.trim(), "{at}");
        fs::write(phs.config(), &wrong).unwrap();
        let place = format!(
            "phs.toml:{}",
            line_of(&wrong, instead.lines().find(|line| line.starts_with(named)).unwrap())
        );
        assert_says(&phs.once(&[]).unwrap(), 3, &[&place]);
    }
    fs::write(phs.config(), good.replace("account =", "# account =")).unwrap();
    assert_says(&phs.once(&[]).unwrap(), 3, &["phs.toml", "account"]);
    fs::write(phs.config(), [0xff, 0xfe, 0x00]).unwrap();
    assert_says(&phs.once(&[]).unwrap(), 3, &["phs.toml"]);
    fs::remove_file(phs.config()).unwrap();
    assert_says(&phs.once(&[]).unwrap(), 3, &["phs.toml", "No such file"]);
    assert!(!phs.state().exists(), "a state directory after nothing but errors");
}

#[test]
fn a_tenant_configuration_that_is_wrong_is_named_with_its_line() {
    let tenant = RunningTenant::start(&TenantSettings::default()).unwrap();
    tenant.stop().unwrap().expect_code(0);
    let good = fs::read_to_string(tenant.config()).unwrap();
    let before = files_of(&tenant.data_directory());
    let cases = [
        ("listen =", "colour = \"blue\""),
        ("listen =", "listen = 8443"),
        ("observe =", "observe = \"0.0.0.0:9464\""),
        ("grid_milliseconds =", "grid_milliseconds = \"often\""),
        ("threshold =", "threshold = 0"),
        ("level =", "level = \"loud\""),
        ("url =", "url = \"http://tenant.example.com\""),
    ];
    for (at, instead) in cases {
        let line = good.lines().position(|line| line.starts_with(at)).unwrap() + 1;
        let wrong: Vec<&str> = good.lines().map(|l| if l.starts_with(at) { instead } else { l }).collect();
        fs::write(tenant.config(), wrong.join("\n")).unwrap();
        let finished = tenant.run(&["serve"], None).unwrap();
        assert_says(&finished, 3, &["tenant.toml", &format!("line {line}")]);
    }
    fs::remove_file(tenant.config()).unwrap();
    assert_says(&tenant.run(&["serve"], None).unwrap(), 3, &["tenant.toml"]);
    assert!(files_of(&tenant.data_directory()) == before, "data changed after nothing but errors");
}

#[test]
fn files_that_others_can_read_or_that_hold_no_secret_are_refused() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let own = tempfile::tempdir().unwrap();
    let keytab = own.path().join("svc.keytab");
    fs::copy(road.domain.keytab(), &keytab).unwrap();
    road.phs.configure(&PhsSettings { keytab: Some(keytab.clone()), ..settings() }).unwrap();
    set_mode(&keytab, 0o640);
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["svc.keytab", "0640", "chmod"]);
    set_mode(&keytab, 0o600);
    road.once();
    for content in [b"".as_slice(), b"not a keytab", &fs::read(&keytab).unwrap()[..40]] {
        fs::write(&keytab, content).unwrap();
        assert_says(&road.phs.once(&[]).unwrap(), 3, &["svc.keytab"]);
    }
    fs::remove_file(&keytab).unwrap();
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["svc.keytab", "No such file"]);
    fs::create_dir(&keytab).unwrap();
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["svc.keytab"]);

    road.phs.configure(&PhsSettings { proof: landbridge_tests::lab::Proof::Password, ..settings() }).unwrap();
    let password = road.phs.folder().join("password");
    set_mode(&password, 0o604);
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["password", "0604"]);
    set_mode(&password, 0o600);
    fs::write(&password, "").unwrap();
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["password"]);

    road.phs.configure(&settings()).unwrap();
    let identity = road.phs.state().join(FOLDER);
    let key = fs::read_dir(&identity)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|x| x == "key"))
        .unwrap();
    set_mode(&key, 0o644);
    assert_says(&road.phs.once(&[]).unwrap(), 3, &[&key.display().to_string(), "0644"]);
    set_mode(&key, 0o600);
    set_mode(road.phs.state(), 0o755);
    assert_says(&road.phs.once(&[]).unwrap(), 3, &[&road.phs.state().display().to_string(), "0755"]);
    set_mode(road.phs.state(), 0o700);
    let json = identity.join("identity.json");
    let good = fs::read(&json).unwrap();
    fs::write(&json, &good[..good.len() / 2]).unwrap();
    assert_says(&road.phs.once(&[]).unwrap(), 3, &["identity.json", "line"]);
    fs::write(&json, &good).unwrap();
    assert_eq!(road.once()["uploads"], 0, "nothing was lost");
}

#[test]
fn a_tenant_with_a_loose_or_missing_key_does_not_serve() {
    let tenant = RunningTenant::start(&TenantSettings::default()).unwrap();
    tenant.stop().unwrap().expect_code(0);
    for name in ["ca.key", "seal.key"] {
        let key = tenant.data_directory().join("secrets").join(name);
        let good = fs::read(&key).unwrap();
        set_mode(&key, 0o644);
        assert_says(&tenant.run(&["serve"], None).unwrap(), 3, &[name, "0644"]);
        set_mode(&key, 0o600);
        fs::write(&key, "this is no key").unwrap();
        let finished = tenant.run(&["serve"], None).unwrap();
        assert_says(&finished, 3, &[name]);
        assert!(!finished.stderr.contains("this is no key"), "{finished}");
        fs::remove_file(&key).unwrap();
        assert_says(&tenant.run(&["serve"], None).unwrap(), 3, &[name]);
        fs::write(&key, good).unwrap();
        set_mode(&key, 0o600);
    }
    tenant.serve().unwrap();
}

/// What a disk or a newer program may have done to a database.
fn spoiled(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut middle = good.to_vec();
    // Every page but the first, whose head says that this is a database.
    middle[4096..].fill(0xa5);
    vec![
        ("no database", b"this is no database, but long enough to be read as one. ".repeat(100)),
        ("spoiled pages", middle),
    ]
}

#[test]
fn a_damaged_or_newer_state_database_stops_phs_and_loses_nothing() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let path = road.phs.database();
    let good = fs::read(&path).unwrap();
    for (what, bytes) in spoiled(&good) {
        fs::write(&path, bytes).unwrap();
        let finished = road.phs.once(&[]).unwrap();
        assert!(finished.code == Some(8), "{what}: {finished}");
        assert_says(&finished, 8, &["state.db", "damaged", "must act"]);
    }
    fs::write(&path, &good).unwrap();
    let rows = Connection::open(&path).unwrap();
    rows.pragma_update(None, "user_version", 99).unwrap();
    drop(rows);
    let newer = fs::read(&path).unwrap();
    assert_says(&road.phs.once(&[]).unwrap(), 8, &["state.db", "99", "newer"]);
    assert!(fs::read(&path).unwrap() == newer, "a newer database is not touched");

    // As the error says: moved away, the next run compares in full, and derives nothing again.
    fs::remove_file(&path).unwrap();
    let summary = road.once();
    assert_eq!(summary["mode"], "full", "{summary}");
    assert_eq!(summary["digests_derived"], 0, "{summary}");
    road.assert_everybody_gets_in();
}

#[test]
fn a_damaged_or_newer_tenant_database_is_not_served() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    road.tenant.stop().unwrap().expect_code(0);
    let path = road.tenant.database();
    let good = fs::read(&path).unwrap();
    for (what, bytes) in spoiled(&good) {
        fs::write(&path, bytes).unwrap();
        let finished = road.tenant.run(&["serve"], None).unwrap();
        assert!(finished.code == Some(8), "{what}: {finished}");
        assert_says(&finished, 8, &["tenant.db"]);
    }
    fs::write(&path, &good).unwrap();
    let rows = Connection::open(&path).unwrap();
    rows.pragma_update(None, "user_version", 99).unwrap();
    drop(rows);
    assert_says(&road.tenant.run(&["serve"], None).unwrap(), 8, &["tenant.db", "newer"]);
    fs::write(&path, &good).unwrap();
    road.tenant.serve().unwrap();
    road.assert_everybody_gets_in();
}

#[test]
fn a_full_disk_under_phs_stops_it_and_loses_nothing() {
    let domain = shared_domain(500);
    let disk = SmallDisk::of(4096).unwrap();
    let phs =
        PhsSettings { state: Some(disk.folder().unwrap()), ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &phs, &TenantSettings::default());
    disk.fill().unwrap();
    for _ in 0..2 {
        let finished = road.phs.once(&[]).unwrap();
        assert_says(&finished, 8, &[&disk.path().display().to_string(), "full", "must act"]);
    }
    disk.make_room().unwrap();
    road.once();
    road.assert_nothing_was_derived_twice();
    disk.fill().unwrap();
    let who = person(3);
    assert!(road.app.sign_in(&Try::from(3, &who.upn, &who.password)).unwrap().accepted());
    road.phs.once(&["--full"]).unwrap().expect_code(8);
    disk.make_room().unwrap();
    assert_eq!(road.once()["digests_derived"], 0);
    road.assert_everybody_gets_in();
}

#[test]
fn a_full_disk_under_the_tenant_acknowledges_nothing_that_is_not_stored() {
    let domain = shared_domain(500);
    let disk = SmallDisk::of(16 * 1024).unwrap();
    let tenant = TenantSettings { data_directory: Some(disk.folder().unwrap()), ..TenantSettings::default() };
    let road = Road::with(domain.clone(), &PhsSettings::for_domain(&domain, "entra"), &tenant);
    disk.fill().unwrap();
    let finished = road.phs.once(&[]).unwrap();
    assert_says(&finished, 6, &["tenant", "must act"]);
    disk.make_room().unwrap();
    road.once();
    road.assert_everybody_gets_in();
    road.assert_nothing_was_derived_twice();
}

#[test]
fn a_full_disk_under_the_tenant_accepts_nobody_and_refuses_nobody() {
    let domain = shared_domain(50);
    let disk = SmallDisk::of(16 * 1024).unwrap();
    let tenant = TenantSettings { data_directory: Some(disk.folder().unwrap()), ..TenantSettings::default() };
    let road = Road::with(domain.clone(), &PhsSettings::for_domain(&domain, "entra"), &tenant);
    road.once();
    let sign_in = |n: u32, password: &str| road.app.sign_in(&Try::from(n, &person(n).upn, password)).unwrap();
    assert!(sign_in(3, &person(3).password).accepted());
    disk.fill().unwrap();
    // A right password is not told from a wrong one while nothing can be written down. Of the first, nothing but the
    // audit entry is to be written: its source is known already.
    let (right, wrong) = (sign_in(3, &person(3).password), sign_in(5, "not the password"));
    assert_eq!((right.status, wrong.status), (503, 503));
    assert_eq!(right.body, wrong.body);
    let outcome = "landbridge_signins_total{outcome=\"audit-not-written\"}";
    let counted = road.tenant.metrics_of(&["landbridge_signins_total".to_owned()]).unwrap();
    assert!(counted.iter().any(|line| line.starts_with(outcome)), "{counted:?}");
    disk.make_room().unwrap();
    road.assert_everybody_gets_in();
}

/// The code of a refusal that came as a frame.
#[track_caller]
fn problem(raw: &[u8]) -> ProblemCode {
    frame::decode::<Problem>(raw).unwrap().code
}

#[test]
fn frames_that_are_cut_swollen_or_malformed_change_nothing() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let applied = || road.tenant.metric("landbridge_records_applied_total").unwrap();
    let before = applied();
    let agent = Application::with_identity_of(&road.tenant, road.phs.state()).unwrap();
    let post = |path: &str, body: &[u8]| agent.post(path, "", body).unwrap();
    let digest = "v1;PPH1_MD4,181a3024085fcee2f70e,1000,b39525c3bc72a1136fcf7c8a338e0c14313d0450d1a4c98ef0a6ddada3bc5b0a;";
    let upload = |digest: &str| {
        let stamp = json!({"version": 1_000_000, "time": 13_400_000_000_u64, "invocation_id": uuid::Uuid::from_u128(9)});
        let object = road.domain.identity(&person(0).sam).unwrap();
        frame::encode(&json!({
            "instance": uuid::Uuid::from_u128(7), "domain_sid": road.domain.sid(), "cycle": uuid::Uuid::from_u128(8),
            "mode": "incremental",
            "records": [{"object": object.guid, "sid": object.sid, "presence": "present",
                         "password": {"stamp": stamp, "digest": digest}}],
        }))
        .unwrap()
        .to_vec()
    };
    let good = upload(digest);
    for cut in [0, 1, 7, 8, good.len() / 2, good.len() - 1] {
        let answer = post("/v1/upload", &good[..cut]);
        assert_eq!((answer.status, problem(&answer.raw)), (400, ProblemCode::Malformed), "cut at {cut}");
    }
    let answer = post("/v1/upload", &[&good[..], b"x"].concat());
    assert_eq!((answer.status, problem(&answer.raw)), (400, ProblemCode::Malformed));
    let mut newer = good.clone();
    newer[2] = 9;
    assert_eq!(problem(&post("/v1/upload", &newer).raw), ProblemCode::UnsupportedVersion);
    let answer = post("/v1/upload", &vec![b'L'; frame::MAX_FRAME + 1]);
    assert_eq!(answer.status, 413);
    for wrong in [
        digest.to_uppercase(),
        digest.replace("1000", "0"),
        digest.replace("1000", "99999999999"),
        digest.replace("1000", "2000001"),
        digest.replace("181a3024085fcee2f70e", "18"),
        digest.trim_end_matches(';').to_owned(),
        format!("{digest};"),
        "Pa$$w0rd in the clear".to_owned(),
    ] {
        let answer = post("/v1/upload", &upload(&wrong));
        assert_eq!((answer.status, problem(&answer.raw)), (400, ProblemCode::Malformed), "{wrong}");
        let said = String::from_utf8_lossy(&answer.raw).into_owned();
        assert!(!said.contains("PPH1") && !said.contains("Pa$$"), "the digest is repeated: {said}");
    }
    assert_eq!(applied(), before);
    road.assert_everybody_gets_in();
}

#[test]
fn sign_in_requests_that_are_wrong_are_told_so_without_a_look_at_any_password() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let derivations = || road.tenant.metric("landbridge_derivations_total").unwrap();
    let before = derivations();
    let bearer = format!("Authorization: Bearer {}\r\n", road.app.credential());
    let status = |headers: &str, body: &[u8]| road.app.post("/v1/signin", headers, body).unwrap().status;
    let who = person(0);
    let good = json!({"user": who.upn, "password": who.password}).to_string();
    assert_eq!(status("", good.as_bytes()), 401);
    assert_eq!(status("Authorization: Bearer nonsense\r\n", good.as_bytes()), 401);
    let other = road.app.credential().replace("lba1.", "lba1.0");
    assert_eq!(status(&format!("Authorization: Bearer {other}\r\n"), good.as_bytes()), 401);
    assert_eq!(status(&bearer, &good.as_bytes()[..good.len() - 1]), 400);
    assert_eq!(status(&bearer, b"[]"), 400);
    assert_eq!(status(&bearer, json!({"user": who.upn}).to_string().as_bytes()), 400);
    let swollen = json!({"user": who.upn, "password": "x".repeat(100_000)}).to_string();
    assert_eq!(status(&bearer, swollen.as_bytes()), 413);
    assert_eq!(derivations(), before);

    let slow = road.tenant.run(&["apps", "create", "--name", "slow", "--rate", "1"], None).unwrap();
    let slow = road.app.with_credential(&slow.expect_code(0).word("lba1."));
    let right = landbridge_tests::lab::Try::from(0, &who.upn, &who.password);
    assert!(slow.sign_in(&right).unwrap().accepted());
    assert_eq!(slow.sign_in(&right).unwrap().status, 429);
    assert_eq!(status(&bearer, good.as_bytes()), 200);
}

/// A command of phs on a machine whose clock is off.
fn at(phs: &Phs, offset: &str, arguments: &[&str], input: Option<&[u8]>) -> Finished {
    let real = phs.command(arguments).unwrap();
    let fake = with_clock_off(offset, &real);
    Running::start(fake, input, &phs.output()).unwrap().finish(120).unwrap()
}

#[test]
fn a_clock_that_is_wrong_is_said_to_be_and_nothing_is_lost() {
    assert!(Path::new("/usr/bin/faketime").exists(), "faketime is not installed: run tests/install");
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    let before = files_of(road.phs.state());
    // Beyond Kerberos' five minutes, within and before the lives of the certificates.
    for (offset, seconds) in [("+2h", 7200), ("-3d", 259_200)] {
        let finished = at(&road.phs, offset, &["once", "--json"], None);
        assert_says(&finished, 4, &["clock", "dc1.corp.example.com", "must act"]);
        let named = (-2..=2).any(|off| finished.stderr.contains(&format!("{} s", seconds + off)));
        assert!(named, "the size is not named: {finished}");
    }
    assert!(files_of(road.phs.state()) == before, "the state changed");
    assert_eq!(road.once()["uploads"], 0);

    // Before the tenant's certificate begins.
    let fresh = Phs::install(&settings()).unwrap();
    let token = road.tenant.token().unwrap();
    let finished = at(&fresh, "-3d", &["enroll"], Some(token.as_bytes()));
    assert_says(&finished, 7, &["clock", &road.tenant.listen().to_string(), "must act"]);
    fresh.enroll(&token).unwrap().expect_code(0);
}
