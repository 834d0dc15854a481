//! Tenants of other levels, and what leads to a full compare: see [`LEVEL`].

use super::*;

/// A group with a member who has an address, and an account without a password.
fn a_directory() -> Vec<Page> {
    let mail = Some(Value::Text("ada@example.com".to_owned()));
    let changes = vec![
        Telling::group(1201).tell(),
        Telling::user(1100).with(Attribute::Mail, mail).tell(),
        Telling::user(1101).no_password(1).tell(),
    ];
    vec![page(changes, vec![link(1201, 1100, true)], Progress::Last(cursor(4)))]
}

#[test]
fn a_tenant_of_a_lower_level_receives_what_that_level_accepts_and_the_rest_when_it_is_upgraded() {
    let mut bench = Bench::new();
    for (level, records, links) in [(0, 2, 0), (1, 3, 1), (LEVEL, 3, 1)] {
        bench.cloud.level = level;
        bench.cloud.uploads.clear();
        let counts = bench.cycle(a_directory()).unwrap();
        let told = (counts.mode, counts.records_sent, counts.links_sent, counts.digests_derived);
        assert_eq!(told, ("full", records, links, 0), "level {level}");
        assert!(!bench.cloud.offers.is_empty(), "passwords are offered, and the tenant has them");
        assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental", "one compare, not two");
    }
}

#[test]
fn a_name_that_is_too_long_for_an_older_tenant_is_left_out_there_and_comes_when_it_is_upgraded() {
    let mut bench = Bench::new();
    let name = "я".repeat(141);
    for (level, carried) in [(0, 0), (1, 1), (LEVEL, 2)] {
        bench.cloud.level = level;
        bench.cloud.bytes.clear();
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let group = Telling::group(1201).with(Attribute::SamAccountName, text(&name));
        let group = group.with(Attribute::DisplayName, text(&name));
        let changes = vec![group.tell(), Telling::user(1100).tell()];
        let counts = bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(4)))]).unwrap();
        assert_eq!((counts.mode, counts.quarantined, counts.refused), ("full", 0, 0), "level {level}");
        let cut = &"я".repeat(128);
        assert_eq!(bench.cloud.bytes.matches(cut.as_str()).count(), carried, "level {level}");
        assert_eq!(bench.cloud.bytes.contains(&name), level >= 2, "level {level}");
    }
}

#[test]
fn a_password_that_is_erased_takes_the_account_from_a_tenant_of_level_0_until_it_has_one() {
    let mut bench = Bench::new();
    bench.cloud.level = 0;
    bench.cycle(two_pages()).unwrap();
    let changes = vec![Telling::of(1100).no_password(2).tell()];
    bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(5)))]).unwrap();
    assert_eq!(bench.cloud.uploads.last().unwrap().1, [(1100, Presence::OutOfScope)]);
    bench.dc = std::mem::take(&mut bench.dc).holds(1100, || Telling::user(1100).password(3));
    let changes = vec![Telling::of(1100).password(3).tell()];
    bench.cycle(vec![page(changes, vec![], Progress::Last(cursor(6)))]).unwrap();
    assert_eq!(bench.cloud.uploads.last().unwrap().1, [(1100, Presence::Present)]);
    assert_eq!(bench.dc.asked_with_secrets(), [1100], "whole again");
}

#[test]
fn a_level_that_falls_and_rises_again_compares_all_each_time() {
    let mut bench = Bench::new();
    for level in [LEVEL, 1, LEVEL, 1] {
        bench.cloud.level = level;
        assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full", "level {level}");
        assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental", "level {level}");
    }
    // What this program does not know changes nothing.
    bench.cloud.level = LEVEL;
    bench.cycle(two_pages()).unwrap();
    bench.cloud.level = LEVEL + 1;
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn a_full_compare_that_breaks_after_the_level_rose_is_begun_again() {
    let mut bench = Bench::new();
    bench.cloud.level = 1;
    bench.cycle(two_pages()).unwrap();
    bench.cloud.level = LEVEL;
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(two_pages()).unwrap_err();
    bench.cloud.breaks_after = None;
    assert_eq!(bench.cycle(two_pages()).unwrap().mode, "full");
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn an_attribute_that_was_not_carried_at_the_last_full_compare_leads_to_another_that_derives_nothing() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    let mirror = bench.mirror();
    let contents = mirror.fact(CONTENTS).unwrap().unwrap();
    assert!(contents.contains("telephoneNumber"), "{contents}");
    mirror.set_fact(CONTENTS, &contents.replace(", telephoneNumber", "")).unwrap();
    drop(mirror);
    bench.cloud.offers.clear();
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.digests_derived, bench.cloud.offers.len()), ("full", 0, 3));
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn a_state_of_version_0_1_is_compared_once() {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    let state = rusqlite::Connection::open(bench.directory.path().join(crate::mirror::FILE)).unwrap();
    state
        .execute_batch(
            "ALTER TABLE objects DROP COLUMN rdn_type; ALTER TABLE objects DROP COLUMN named; \
             ALTER TABLE objects DROP COLUMN host; ALTER TABLE objects DROP COLUMN kdc_number; \
             ALTER TABLE objects DROP COLUMN critical; ALTER TABLE objects DROP COLUMN workstations; DROP TABLE holders; \
             DROP INDEX links_by_end; ALTER TABLE links DROP COLUMN until; DROP INDEX objects_without_hash; DROP TABLE flaws; \
             CREATE TABLE quarantine (guid BLOB PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
             PRAGMA user_version = 2; DELETE FROM facts WHERE name = 'contents'",
        )
        .unwrap();
    drop(state);
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.digests_derived), ("full", 0));
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn staging_and_a_dry_run_ask_no_tenant_for_its_level() {
    let mut bench = Bench::new();
    bench.cloud.level = 1;
    bench.cycle(two_pages()).unwrap();
    let pages = || last(0..0, 4).into_iter().map(Ok).collect();
    assert_eq!(bench.go(pages(), true).unwrap().mode, "incremental");
    bench.staging = true;
    assert_eq!(bench.go(pages(), false).unwrap().mode, "incremental");
}

#[test]
fn without_a_state_a_full_compare_goes_by_stamps_and_one_for_another_reason_replaces_also_when_it_begins_again()
 {
    let mut bench = Bench::new();
    let mode = |bench: &mut Bench, pages| {
        bench.cloud.uploads.clear();
        let ended = bench.cycle(pages);
        (ended.is_ok(), bench.cloud.uploads.first().map(|(mode, _, _)| *mode))
    };
    // 1. No state: by stamps, also when it breaks and begins again.
    bench.cloud.breaks_after = Some(1);
    bench.one_by_one = true;
    assert_eq!(mode(&mut bench, two_pages()), (false, Some(Mode::FullCompareByStamp)));
    bench.cloud.breaks_after = None;
    assert_eq!(mode(&mut bench, two_pages()), (true, Some(Mode::FullCompareByStamp)));
    // 2. For another reason, and once more because that one broke.
    bench.full = true;
    bench.cloud.breaks_after = Some(1);
    assert_eq!(mode(&mut bench, two_pages()), (false, Some(Mode::FullCompare)));
    (bench.full, bench.cloud.breaks_after) = (false, None);
    assert_eq!(mode(&mut bench, two_pages()), (true, Some(Mode::FullCompare)));
    // 3. The state is lost. A tenant of level 1 knows no compare by stamps.
    std::fs::remove_file(bench.directory.path().join("state.db")).unwrap();
    assert_eq!(mode(&mut bench, two_pages()), (true, Some(Mode::FullCompareByStamp)));
    std::fs::remove_file(bench.directory.path().join("state.db")).unwrap();
    bench.cloud.level = 1;
    assert_eq!(mode(&mut bench, two_pages()), (true, Some(Mode::FullCompare)));
}
