//! Each program killed in the middle of a sync, and started again: nothing is lost, nothing is done twice.

use crate::stage::{Road, own_domain, shared_domain};
use landbridge_phs::mirror::watermark;
use landbridge_tests::lab::PhsSettings;
use landbridge_tests::lab::program::{Running, wait_until};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const KILLS: usize = 30;

/// xorshift64: moments that nobody chose, and that come again with the seed.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = std::env::var("LANDBRIDGE_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or(u64::try_from(now.as_nanos() % u128::from(u64::MAX)).unwrap()) | 1;
        println!("LANDBRIDGE_SEED={seed}");
        Self(seed)
    }

    /// A part of this time.
    fn part_of(&mut self, whole: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        whole.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// Runs on until this moment after its start, if it lives so long; whether it was killed then.
fn kill_at(mut running: Running, moment: Duration) -> bool {
    let until = Instant::now() + moment;
    while Instant::now() < until && !running.has_ended() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = !running.has_ended();
    running.kill();
    killed
}

/// What the two databases say of each other while phs is dead: its cursor is one that the tenant
/// acknowledged, and no password that it holds for delivered is newer than what the tenant has.
#[track_caller]
fn assert_phs_is_not_ahead(road: &Road) -> bool {
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.db", "state.db-journal"] {
        let _ = fs::copy(road.phs.state().join(name), copy.path().join(name));
    }
    if !copy.path().join("state.db").exists() {
        return false;
    }
    let state = Connection::open(copy.path().join("state.db")).unwrap();
    let tables: i64 =
        state.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |r| r.get(0)).unwrap();
    if tables == 0 {
        return false;
    }
    let tenant =
        Connection::open_with_flags(road.tenant.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let cursor: Option<Vec<u8>> =
        state.query_row("SELECT cursor FROM watermark", [], |r| r.get(0)).optional().unwrap();
    if let Some(cursor) = &cursor {
        let name = watermark::name(cursor).as_str().to_owned();
        let ask = "SELECT acknowledged, acknowledged_before FROM domains";
        let known: [Option<String>; 2] = tenant.query_row(ask, [], |r| Ok([r.get(0)?, r.get(1)?])).unwrap();
        assert!(known.contains(&Some(name.clone())), "phs stands at {name}, the tenant at {known:?}");
    }
    let stamps = |of: &Connection, ask: &str| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut rows = of.prepare(ask).unwrap();
        rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let delivered = stamps(&state, "SELECT guid, password FROM objects WHERE password IS NOT NULL");
    let held = stamps(&tenant, "SELECT object, stamp FROM digests JOIN objects USING (number)");
    for (object, stamp) in &delivered {
        assert!(
            held.get(object).is_some_and(|held| held >= stamp),
            "{object:x?} counts as delivered and is not"
        );
    }
    cursor.is_some()
}

/// How many digests the tenant holds.
fn held(road: &Road) -> i64 {
    let tenant =
        Connection::open_with_flags(road.tenant.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    tenant.query_row("SELECT count(*) FROM digests", [], |r| r.get(0)).unwrap()
}

/// Runs to the end: derives what the tenant lacks, and nothing that it holds.
#[track_caller]
fn finish(road: &Road) {
    let before = held(road);
    let summary = road.once();
    // Less than what came: the tenant may have been at work still on the last page of a phs that was killed.
    let (derived, came) = (summary["digests_derived"].as_i64().unwrap(), held(road) - before);
    assert!(derived <= came, "{before} were there, {came} came: {summary}");
    assert!(assert_phs_is_not_ahead(road), "a complete cycle has a cursor");
    road.assert_nothing_was_derived_twice();
    road.assert_everybody_gets_in();
}

/// Small pages: more moments that differ.
fn road_for_kills(domain: std::sync::Arc<landbridge_tests::lab::Domain>) -> Road {
    let settings = PhsSettings { page_objects: 100, ..PhsSettings::for_domain(&domain, "entra") };
    Road::with(domain, &settings, &Default::default())
}

#[test]
fn phs_killed_at_thirty_moments_loses_nothing_and_derives_nothing_twice() {
    let mut chance = Chance::new();
    let (mut kills, mut rounds) = (0, 0);
    let mut whole = Duration::from_secs(2);
    let mut moments = Vec::new();
    while kills < KILLS {
        rounds += 1;
        let road = road_for_kills(shared_domain(2000));
        let mut here = 0;
        // The first of three moments falls within a run that has everything to do.
        while here < 3 && kills < KILLS {
            let moment = chance.part_of(whole);
            let began = Instant::now();
            let killed = kill_at(road.phs.start(&["once", "--json"], None).unwrap(), moment);
            assert_phs_is_not_ahead(&road);
            if !killed {
                whole = began.elapsed();
                break;
            }
            here += 1;
            kills += 1;
            moments.push(held(&road));
            // A busy machine takes longer until something is sent.
            if moments.last() == Some(&0) {
                whole = (whole * 5 / 4).min(Duration::from_secs(30));
            }
        }
        finish(&road);
        let again = road.once();
        assert_eq!(again["uploads"], 0, "{again}");
    }
    println!(
        "N = {kills} kills of phs in {rounds} syncs of 2000 users; digests at the tenant at each: {moments:?}"
    );
    assert!(moments.iter().any(|held| (1..2000).contains(held)), "no kill in the middle of a sync");
}

#[test]
fn a_tenant_killed_during_upload_keeps_what_it_acknowledged() {
    let mut chance = Chance::new();
    let mut kills = 0;
    for _ in 0..3 {
        let road = road_for_kills(shared_domain(2000));
        let mut once = road.phs.start(&["once", "--json"], None).unwrap();
        let applied =
            || road.tenant.metric("landbridge_records_applied_total").unwrap().unwrap_or_default() > 0.0;
        wait_until("an upload", 60, || applied() || once.has_ended(), String::new).unwrap();
        kill_at_this(&road, chance.part_of(Duration::from_millis(600)));
        let ended = once.finish(120).unwrap();
        if ended.code != Some(0) {
            kills += 1;
            assert_eq!(ended.code, Some(7), "{ended}");
            assert!(ended.stderr.contains("tenant"), "{ended}");
        }
        assert_phs_is_not_ahead(&road);
        road.tenant.serve().unwrap();
        finish(&road);
    }
    println!("N = {kills} kills of the tenant during upload");
    assert!(kills > 0, "phs was done before the tenant was killed, each time");
}

fn kill_at_this(road: &Road, moment: Duration) {
    std::thread::sleep(moment);
    road.tenant.kill();
}

#[test]
fn a_dc_killed_during_a_cycle_and_started_again_loses_nothing() {
    let mut chance = Chance::new();
    let domain = own_domain(500);
    let mut kills = 0;
    for _ in 0..3 {
        let settings = PhsSettings { page_objects: 25, ..PhsSettings::for_domain(&domain, "entra") };
        let road = Road::with(domain.clone(), &settings, &Default::default());
        let mut once = road.phs.start(&["once", "--json"], None).unwrap();
        let applied =
            || road.tenant.metric("landbridge_records_applied_total").unwrap().unwrap_or_default() > 0.0;
        wait_until("an upload", 60, || applied() || once.has_ended(), String::new).unwrap();
        std::thread::sleep(chance.part_of(Duration::from_millis(200)));
        domain.kill_controller().unwrap();
        let ended = once.finish(120).unwrap();
        if ended.code != Some(0) {
            kills += 1;
            assert_eq!(ended.code, Some(5), "{ended}");
            assert!(ended.stderr.contains("dc1.corp.example.com"), "{ended}");
        }
        assert_phs_is_not_ahead(&road);
        domain.start_controller().unwrap();
        finish(&road);
    }
    println!("N = {kills} kills of the DC during a cycle");
    assert!(kills > 0, "phs was done before the DC was killed, each time");
}
