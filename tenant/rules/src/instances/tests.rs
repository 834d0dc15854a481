//! Tests of the rule, step by step. `simulated_days` runs it for years.
#![allow(clippy::indexing_slicing)]

mod simulated_days;

use super::*;

const AGENT: Uuid = Uuid::from_u128(1);
const SECOND: Duration = Duration::from_secs(1);

fn name(n: u128) -> Uuid {
    Uuid::from_u128(100 + n)
}

/// Notes a message of a process that is alive now.
fn note(instances: &mut Instances, process: u128, now: Instant) -> NotedProcess {
    instances.note_process(AGENT, name(process), now, now)
}

#[test]
fn a_restart_is_a_new_process_and_no_alarm() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    for n in 0..1000 {
        let later = now + SECOND * n;
        assert_eq!(note(&mut instances, n.into(), later), NotedProcess::Accepted);
        assert_eq!(note(&mut instances, n.into(), later), NotedProcess::Accepted);
    }
    assert_eq!(instances.0[&AGENT].superseded.len(), NAMES);
}

#[test]
fn a_superseded_process_is_found_after_five_seconds_whatever_other_names_were_heard() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    note(&mut instances, 1, now);
    for (n, after) in [(2, 0), (3, 4), (4, 5)] {
        assert_eq!(note(&mut instances, n, now + SECOND * after), NotedProcess::Accepted);
    }
    assert_eq!(note(&mut instances, 1, now + OVERLAP), NotedProcess::Accepted);
    assert_eq!(note(&mut instances, 2, now + OVERLAP), NotedProcess::Accepted);
    let later = now + OVERLAP + Duration::from_millis(1);
    assert_eq!(note(&mut instances, 1, later), NotedProcess::Second);
    assert_eq!(note(&mut instances, 2, later), NotedProcess::Accepted, "superseded 4 s later");
    assert_eq!(note(&mut instances, 4, later), NotedProcess::Accepted, "the present one");
}

#[test]
fn a_message_that_was_under_way_for_minutes_is_refused_and_raises_no_alarm() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    note(&mut instances, 1, now);
    note(&mut instances, 2, now + SECOND * 10);
    let much_later = now + SECOND * 200;
    assert_eq!(instances.note_process(AGENT, name(1), now + SECOND * 9, much_later), NotedProcess::Late);
    // Its sender has received an answer since: it is alive.
    assert_eq!(instances.note_process(AGENT, name(1), much_later, much_later), NotedProcess::Second);
}

#[test]
fn the_first_message_of_a_process_that_has_ended_does_not_supersede_its_successor() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    note(&mut instances, 1, now);
    note(&mut instances, 3, now + SECOND * 10);
    let late = now + SECOND * 12;
    let noted = instances.note_process(AGENT, name(2), now + SECOND * 9, late);
    assert_eq!(noted, NotedProcess::Accepted);
    assert_eq!(note(&mut instances, 3, now + SECOND * 60), NotedProcess::Accepted);
    assert_eq!(note(&mut instances, 2, now + SECOND * 60), NotedProcess::Second);
}

#[test]
fn a_first_message_that_was_long_under_way_makes_its_sender_no_younger_than_its_successor() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    note(&mut instances, 1, now);
    // The tenant's machine stood still from 6 s to 20 s. The process had sent its request before and ended at 7 s; its
    // successor connected a moment before the tenant read that request.
    instances.note_process(AGENT, name(2), now + SECOND * 5, now + SECOND * 20);
    let successor = |instances: &mut Instances, alive: u32, noted: u32| {
        instances.note_process(AGENT, name(3), now + SECOND * alive, now + SECOND * noted)
    };
    for (alive, noted) in [(19, 21), (21, 24), (24, 27), (57, 60)] {
        assert_eq!(successor(&mut instances, alive, noted), NotedProcess::Accepted, "noted after {noted} s");
    }
    assert_eq!(note(&mut instances, 2, now + SECOND * 60), NotedProcess::Second);
}

#[test]
fn other_agents_do_not_count_and_an_approval_forgets_the_names() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    note(&mut instances, 1, now);
    instances.note_process(Uuid::from_u128(2), name(2), now, now);
    assert_eq!(note(&mut instances, 2, now + SECOND * 60), NotedProcess::Accepted);
    assert_eq!(note(&mut instances, 1, now + SECOND * 120), NotedProcess::Second);
    instances.forget(AGENT);
    assert_eq!(note(&mut instances, 1, now + SECOND * 180), NotedProcess::Accepted);
}

#[test]
fn more_processes_in_a_minute_than_names_are_kept_are_an_alarm() {
    let (mut instances, now) = (Instances::default(), Instant::now());
    let each = |every: Duration, instances: &mut Instances| {
        let mut all = (0..=NAMES + 1).map(|n| {
            let at = now + every * u32::try_from(n).unwrap_or_default();
            note(instances, u128::try_from(n).unwrap_or_default(), at)
        });
        all.position(|noted| noted == NotedProcess::Second)
    };
    assert_eq!(each(Duration::from_millis(100), &mut instances), Some(NAMES + 1));
    instances.forget(AGENT);
    assert_eq!(each(Duration::from_millis(240), &mut instances), None, "256 of them take 61 s");
}
