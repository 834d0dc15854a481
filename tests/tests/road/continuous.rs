//! The daemon: what changes in AD is in force at the tenant in a moment, and what fails is told, tried again and over.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{PhsSettings, TenantSettings, person};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// Nothing that is waited for here takes longer.
const DEADLINE: Duration = Duration::from_secs(60);

/// What `status --json` says once it is so.
#[track_caller]
fn until(road: &Road, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + DEADLINE;
    loop {
        let said = road.phs.run(&["status", "--json"], None).unwrap();
        if said.code == Some(0) || said.code == Some(10) {
            let status = said.json();
            if is(&status) {
                return status;
            }
        }
        assert!(Instant::now() < end, "never: {what}: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the tenant holds another digest of this account than `before`; what it holds then.
#[track_caller]
fn next_digest(tenant: &rusqlite::Connection, object: uuid::Uuid, before: Option<&[u8]>) -> Vec<u8> {
    let end = Instant::now() + DEADLINE;
    loop {
        let ask = "SELECT stamp FROM digests JOIN objects USING (number) WHERE object = ?1";
        let now: Option<Vec<u8>> = tenant.query_row(ask, [object.as_bytes()], |row| row.get(0)).ok();
        if let Some(now) = now.filter(|now| Some(now.as_slice()) != before) {
            return now;
        }
        assert!(Instant::now() < end, "no new digest of {object}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Signs in until it is accepted: one wrong password that is repeated counts once.
#[track_caller]
fn until_in(road: &Road, name: &str, password: &str) {
    let end = Instant::now() + DEADLINE;
    while !road.sign_in(name, password).accepted() {
        assert!(Instant::now() < end, "{name} never gets in");
    }
}

#[test]
fn a_password_changed_in_ad_is_in_force_in_a_moment_and_the_old_one_is_not() {
    let (users, changes) = (50, size(20, 200));
    let road = Road::new(own_domain(users), "entra");
    let mut running = road.phs.run_daemon().unwrap();
    let tenant = road.tenant.open_database().unwrap();
    let mut passwords: Vec<String> = (0..users).map(|n| person(n).password).collect();
    let mut took = Vec::new();
    let seed = seed();
    let mut draw = Draw::new(seed);
    for n in 0..changes {
        // At any moment between two looks.
        std::thread::sleep(Duration::from_millis(u64::try_from(draw.below(500)).unwrap()));
        let who = person(n % users);
        let object = road.domain.identity(&who.sam).unwrap().guid;
        let before = next_digest(&tenant, object, None);
        let new = format!("Changed-in-AD-{n:04}");
        road.domain.set_password(&who.sam, &new).unwrap();
        let since = Instant::now();
        next_digest(&tenant, object, Some(&before));
        took.push(since.elapsed());
        road.assert_in(&who.upn, &new);
        let old = std::mem::replace(&mut passwords[usize::try_from(n % users).unwrap()], new);
        road.assert_out(&who.upn, &old);
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!(
        "seed {seed}: from a password change in AD to the digest at the tenant, N = {changes}: p50 {:?}, p99 {:?}",
        at(50),
        at(99)
    );
    // Woken by the DC, and not by the timer of two minutes.
    assert!(at(100) < Duration::from_secs(30), "{took:?}");
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
    let said = road.phs.run(&["status"], None).unwrap();
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stderr.contains("no landbridge-phs runs"), "{said}");
}

#[test]
fn without_ldap_the_timer_brings_what_changed() {
    let domain = own_domain(50);
    let schedule = "watch = false\npoll_seconds = 5";
    let settings = PhsSettings { schedule, ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &TenantSettings::default());
    let mut running = road.phs.run_daemon().unwrap();
    let who = person(3);
    road.domain.set_password(&who.sam, "Brought by the timer 1").unwrap();
    let cycles = until(&road, "a cycle", |_| true)["cycles"].as_u64();
    let status = until(&road, "the next two", |status| status["cycles"].as_u64() >= cycles.map(|c| c + 2));
    assert!(status["blind"].as_str().unwrap().contains("watch = false"), "{status}");
    road.assert_in(&who.upn, "Brought by the timer 1");
    // Killed and started again, it goes on where it was.
    running.kill();
    road.domain.set_password(&who.sam, "Changed while it was dead 2").unwrap();
    let mut running = road.phs.run_daemon().unwrap();
    until_in(&road, &who.upn, "Changed while it was dead 2");
    road.assert_nothing_was_derived_twice();
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
}

#[test]
fn a_tenant_a_dc_or_a_right_that_is_gone_is_told_and_everything_goes_on_when_it_is_back() {
    let road = Road::new(own_domain(50), "entra");
    let mut running = road.phs.run_daemon().unwrap();
    let who = person(5);
    let trouble = |status: &Value, word: &str| {
        status["trouble"]["what"].as_str().is_some_and(|what| what.contains(word))
    };
    let well = |status: &Value| status["trouble"].is_null() && status["watching"].is_string();

    road.tenant.kill();
    road.domain.set_password(&who.sam, "While the tenant is gone 1").unwrap();
    until(&road, "that the tenant is gone", |status| trouble(status, "cannot reach the tenant"));
    road.tenant.serve().unwrap();
    until(&road, "that it is back", well);
    until_in(&road, &who.upn, "While the tenant is gone 1");

    road.domain.kill_controller().unwrap();
    let status = until(&road, "that the DC is gone", |status| status["blind"].is_string());
    assert!(status["watching"].is_null(), "{status}");
    road.domain.start_controller().unwrap();
    until(&road, "that it is back", well);
    road.domain.set_password(&who.sam, "After the DC came back 2").unwrap();
    until_in(&road, &who.upn, "After the DC came back 2");

    // A right that is taken away is named, and not asked about again whatever the DC does.
    road.domain.set_replication_rights("svc-landbridge", false).unwrap();
    road.domain.set_password(&who.sam, "Without the right 3").unwrap();
    let status = until(&road, "that the right is missing", |status| trouble(status, "Replicating"));
    let failed = status["failed_in_a_row"].as_u64();
    for n in 0..4 {
        road.domain.set_password(&person(6 + n).sam, &format!("Something moves {n}")).unwrap();
        std::thread::sleep(Duration::from_millis(700));
    }
    let status = until(&road, "the status", |_| true);
    assert_eq!(status["failed_in_a_row"].as_u64(), failed, "asked again: {status}");
    road.domain.set_replication_rights("svc-landbridge", true).unwrap();
    running.signal(Signal::HUP);
    until(&road, "that it is there again", well);
    until_in(&road, &who.upn, "Without the right 3");

    // A configuration that is wrong changes nothing.
    let good = std::fs::read_to_string(road.phs.config()).unwrap();
    std::fs::write(road.phs.config(), format!("{good}\nsauce = 1\n")).unwrap();
    running.signal(Signal::HUP);
    let end = Instant::now() + DEADLINE;
    while !running.said().contains("the old one stays") {
        assert!(Instant::now() < end, "{}", running.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::write(road.phs.config(), good).unwrap();
    until(&road, "that it is well", well);
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
}

/// What this address answers to these bytes until it hangs up.
fn said_by(address: SocketAddr, question: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(question);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, path: &str) -> String {
    said_by(address, format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes())
}

/// A metric's value.
#[track_caller]
fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("landbridge_phs_{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
}

#[test]
fn what_status_knows_is_scraped_and_nothing_else_is_served_there() {
    let domain = own_domain(50);
    let address = SocketAddr::new(domain.address(), 9465);
    let settings = PhsSettings {
        schedule: "poll_seconds = 5",
        further: format!("[metrics]\nlisten = \"{address}\"\n"),
        ..PhsSettings::for_domain(&domain, "entra")
    };
    let road = Road::with(domain, &settings, &TenantSettings::default());

    let taken = TcpListener::bind(address).unwrap();
    let said = road.phs.run(&["run"], None).unwrap().expect_code(3);
    assert!(said.stderr.contains("[metrics] listen") && said.stderr.contains("must act"), "{said}");
    drop(taken);

    let mut running = road.phs.run_daemon().unwrap();
    let status = until(&road, "that it is watching", |status| status["watching"].is_string());
    assert_eq!((metric(address, "healthy"), metric(address, "watching")), (1.0, 1.0));
    assert!(metric(address, "cycles_total") >= 1.0);
    assert!(metric(address, "digests_sent_total") >= 50.0);
    assert!(metric(address, "records_sent_total") >= metric(address, "digests_sent_total"));
    assert_eq!(metric(address, "start_time_seconds"), status["started_at"].as_f64().unwrap());
    assert!((1.0..=86_400.0).contains(&metric(address, "certificate_seconds_left")));
    for name in [
        "failed_cycles_in_a_row",
        "quarantined_objects",
        "held_accounts",
        "distrusted_controllers",
        "staging",
    ] {
        assert_eq!(metric(address, name), 0.0, "{name}");
    }
    assert!(metric(address, "seconds_since_last_complete_cycle") <= 10.0);
    assert!(metric(address, "last_cycle_seconds") > 0.0);
    assert!(get(address, "/metrics").contains("domain=\"corp.example.com\""));

    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(address, "/status").starts_with("HTTP/1.1 404"));
    assert!(
        said_by(address, b"POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nruin")
            .starts_with("HTTP/1.1 405")
    );
    assert!(said_by(address, b"\x16\x03\x01 nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let said = said_by(address, long.as_bytes());
    assert!(!said.contains("landbridge_phs"), "{said}");

    // Whoever holds all places has them for five seconds.
    let silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    let since = Instant::now();
    while get(address, "/healthz").is_empty() {
        assert!(since.elapsed() < Duration::from_secs(15), "the places are never free again");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(since.elapsed() > Duration::from_secs(3), "more than eight at once: {:?}", since.elapsed());
    drop(silent);

    // Three polls without a cycle.
    road.tenant.kill();
    let since = Instant::now();
    while !get(address, "/healthz").starts_with("HTTP/1.1 503") {
        assert!(since.elapsed() < DEADLINE, "it is well without a tenant");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(metric(address, "healthy"), 0.0);
    assert!(metric(address, "failed_cycles_in_a_row") > 0.0);
    assert!(metric(address, "seconds_since_last_complete_cycle") > 15.0);
    assert!(!get(address, "/healthz").contains("tenant"), "why is said to nobody there");
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
}

#[test]
fn a_standstill_is_unhealthy_after_three_missed_polls_and_over_with_the_next_cycle() {
    let domain = own_domain(50);
    let settings = PhsSettings { schedule: "poll_seconds = 5", ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &TenantSettings::default());
    let mut running = road.phs.run_daemon().unwrap();
    let age = |status: &Value| status["seconds_since_last_complete_cycle"].as_i64().unwrap();
    // Nothing changes, and it is looked for all the same.
    let status = until(&road, "a cycle of the timer", |status| status["cycles"].as_u64() > Some(2));
    assert!(age(&status) <= 15 && status["healthy"] == true, "{status}");
    road.domain.kill_controller().unwrap();
    let status = until(&road, "that it stands still", |status| status["healthy"] == false);
    assert!((16..=20).contains(&age(&status)), "three polls of 5 s: {status}");
    assert!(status["why"].as_str().unwrap().contains("dc1.corp.example.com"), "{status}");
    // And stays so, however often it is tried again meanwhile.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        assert_eq!(road.phs.run(&["status"], None).unwrap().code, Some(10));
    }
    road.domain.start_controller().unwrap();
    running.signal(Signal::HUP);
    let status = until(&road, "that it is well", |status| status["healthy"] == true);
    assert!(age(&status) < 5 && status["trouble"].is_null(), "{status}");
    running.signal(Signal::TERM);
    running.finish(20).unwrap().expect_code(0);
}

#[test]
fn systemd_hears_that_the_daemon_is_ready_and_alive_and_nothing_of_one_that_stands_still() {
    let road = Road::new(own_domain(50), "entra");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut command = road.phs.command(&["run"]).unwrap();
    command.env("NOTIFY_SOCKET", &path);
    let mut daemon = Running::start(command, None, &road.phs.output()).unwrap();
    let hear = || {
        let mut said = [0; 256];
        let length = socket.recv(&mut said)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&said[..length]).into_owned())
    };
    assert_eq!(hear().unwrap().trim(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear().unwrap().trim(), "WATCHDOG=1");
    }
    daemon.signal(Signal::STOP);
    // What was said before it stood still; then nothing for longer than five of its beats.
    while hear().is_ok() {}
    daemon.signal(Signal::CONT);
    assert_eq!(hear().unwrap().trim(), "WATCHDOG=1");
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);
}
