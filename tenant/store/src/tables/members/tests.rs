#![allow(clippy::unwrap_used)]
use super::*;
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
    assert_steps(members_sql!(), &[by_link, "INDEX attributes_primary_group (primary_group_id=?"]);
}
