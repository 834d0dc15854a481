//! How SQLite runs the statements that a planner may get wrong: by which index, and what is read first.

#![allow(clippy::unwrap_used)]

use super::links::ANY_APPLIES_TO;
use super::members::{ALL_GROUPS, GLOBAL_SECURITY_GROUPS, MEMBERS};
use super::reserved_names::{ALL_RESERVED, by_holder, by_reserved};
use crate::schema::SCHEMA;
use rusqlite::Connection;

/// How SQLite runs a statement, a line for each step.
fn plan(sql: &str) -> String {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; explained.parameter_count()];
    let steps =
        explained.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3)).unwrap();
    steps.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_steps(sql: &str, steps: &[&str]) {
    let plan = plan(sql);
    for step in steps {
        assert!(plan.contains(step), "{step} is not in\n{plan}");
    }
    let scanned = [
        "SCAN f",
        "SCAN n",
        "SCAN r",
        "SCAN objects",
        "SCAN o",
        "SCAN g",
        "SCAN l",
        "SCAN links",
        "SCAN a",
        "USING INDEX objects_by_domain",
    ];
    assert!(!scanned.iter().any(|step| plan.lines().any(|line| line.starts_with(step))), "{plan}");
}

#[test]
fn the_groups_of_an_account_are_found_by_indexes_and_one_after_the_other() {
    for sql in [ALL_GROUPS, GLOBAL_SECURITY_GROUPS] {
        assert_steps(
            sql,
            &[
                "CO-ROUTINE held",
                "SEARCH g USING INDEX objects_by_sid (sid=?)",
                "SEARCH l USING COVERING INDEX links_by_target (target=? AND what=? AND domain=? AND present=?)",
            ],
        );
    }
}

#[test]
fn the_members_of_a_group_are_found_by_indexes() {
    let by_link = "SEARCH links USING PRIMARY KEY (source=? AND what=?)";
    assert_steps(MEMBERS, &[by_link, "INDEX attributes_primary_group (primary_group_id=?"]);
}

#[test]
fn whether_any_settings_object_applies_is_found_in_the_small_index() {
    assert_steps(ANY_APPLIES_TO, &["INDEX links_applies_to (domain=?)"]);
}

#[test]
fn conflicts_of_names_are_found_from_the_few_reserved_names_or_from_one_account() {
    let by_hash = "SEARCH h USING INDEX signin_names_by_hash (hash=?)";
    assert_steps(&by_reserved(ALL_RESERVED), &["SEARCH f USING PRIMARY KEY (domain=?)", by_hash]);
    assert_steps(&by_reserved("f.domain = ?1 AND f.object = ?2"), &["(domain=? AND object=?)", by_hash]);
    assert_steps(&by_holder("n.name = ?2"), &["SEARCH o USING INDEX sqlite_autoindex_objects_1 (object=?)"]);
}
