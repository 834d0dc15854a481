//! A copy of everything on an agent's disk, used beside the agent: found by its process, whatever it calls itself.

use crate::stage::Stage;
use landbridge_tests::lab::person;
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::thief::{Conduct, Thief};
use std::time::Instant;

/// The audit log's entries about this agent: action and detail, the oldest first.
fn entries(stage: &Stage, agent: &str) -> Vec<(String, String)> {
    let database = stage.tenant.open_database().unwrap();
    let mut rows =
        database.prepare("SELECT action, detail FROM audit WHERE subject = ?1 ORDER BY rowid").unwrap();
    let entry = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    rows.query_map([agent], entry).unwrap().map(Result::unwrap).collect()
}

fn quarantines(stage: &Stage, agent: &str) -> usize {
    entries(stage, agent).iter().filter(|(action, _)| action == "agent-quarantined").count()
}

#[test]
fn a_copy_that_renames_itself_or_takes_turns_with_the_agent_is_found_after_a_few_names() {
    let stage = Stage::new(50, 2);
    let id = stage.agents[0].id().unwrap();
    let thief = Thief::copy(&stage.agents[0].state()).unwrap();
    for (round, conduct) in [Conduct::RenamesEvery4Seconds, Conduct::TakesTurns].into_iter().enumerate() {
        let before = entries(&stage, &id).len();
        let since = Instant::now();
        let loot = thief.attend(conduct).unwrap();
        println!("{conduct:?}: found after {:?}, {loot}", since.elapsed());
        // Four seconds each: the alarm comes 5 s after the first name, with the agent's next heartbeat.
        assert!((1..=3).contains(&loot.names), "{loot:?}");
        wait_until(
            "the quarantine",
            10,
            || stage.tenant.state_of_agent(&id).unwrap() == "quarantined",
            String::new,
        )
        .unwrap();
        // Another name is of no use to the thief now.
        let again = thief.attend(conduct).unwrap();
        assert_eq!((again.names, again.messages), (0, 0), "{again:?}");
        // In the audit log: the thief's connections, then one quarantine. Connections that were made at that moment may
        // stand after it.
        let since = entries(&stage, &id).split_off(before);
        let at = since.iter().position(|(action, _)| action == "agent-quarantined").unwrap();
        assert!(since[at].1.starts_with("is heard from two processes at once"), "{since:?}");
        assert!(since[..at].iter().any(|(action, _)| action == "agent-connected"), "{since:?}");
        assert_eq!(quarantines(&stage, &id), round + 1);
        let counted = stage.tenant.metric("landbridge_agents_quarantined_total").unwrap();
        assert_eq!(counted, Some(f64::from(u32::try_from(round + 1).unwrap())));
        // The real agent is cut off as well, and the other agent answers.
        stage.tenant.wait_for_connections(2, 10).unwrap();
        let who = person(1);
        assert!(stage.sign_in(&who, &who.password).accepted());
        // An administrator has found the thief, and brings the agent back.
        stage.tenant.approve(&id).unwrap();
        stage.tenant.wait_for_connections(4, 30).unwrap();
    }
}

#[test]
fn check_runs_beside_the_agent_and_is_not_taken_for_a_second_process() {
    let stage = Stage::new(50, 1);
    let (agent, id) = (&stage.agents[0], stage.agents[0].id().unwrap());
    let process = || {
        let ask = "SELECT instance FROM agents WHERE id = ?1";
        let id = uuid::Uuid::parse_str(&id).unwrap();
        let instance: Option<Vec<u8>> =
            stage.tenant.open_database().unwrap().query_row(ask, [id.as_bytes()], |row| row.get(0)).unwrap();
        instance.unwrap_or_default()
    };
    let status = agent.status().unwrap();
    wait_until("the process is noted", 10, || process() == status.instance.as_bytes(), String::new).unwrap();
    // For longer than a superseded process is accepted: if `check` were one, the agent would raise the alarm.
    let since = Instant::now();
    let mut checks = 0;
    while checks < 3 || since.elapsed().as_secs() < 7 {
        agent.run_to_end(&["check"], None).unwrap().expect_code(0);
        checks += 1;
    }
    assert_eq!(process(), status.instance.as_bytes());
    assert_eq!(
        (stage.tenant.state_of_agent(&id).unwrap().as_str(), quarantines(&stage, &id)),
        ("approved", 0)
    );
}

#[test]
fn an_agent_that_is_killed_and_started_again_many_times_raises_no_alarm() {
    let stage = Stage::new(50, 1);
    let (agent, id) = (&stage.agents[0], stage.agents[0].id().unwrap());
    for _ in 0..20 {
        agent.kill();
        agent.run().unwrap();
        stage.tenant.wait_for_connections(2, 30).unwrap();
    }
    assert_eq!(
        (stage.tenant.state_of_agent(&id).unwrap().as_str(), quarantines(&stage, &id)),
        ("approved", 0)
    );
}
