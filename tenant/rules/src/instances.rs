//! The processes of each agent: one identity must be used by one process. Detects a second one.
//! Pure: the time is an argument. Neighbours: [`crate::relay`] notes the process of each heartbeat and of each upload.
//!
//! A process chooses a random name when it starts. A restarted agent has a new name, and its old name does not come
//! back. So an old name that comes back, or two names in use together for longer than a reconnect takes, mean that a
//! copy of the identity is in use.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long after a restart messages of the old process may still arrive: a reconnect, with its jitter, takes up to 5
/// s.
const OVERLAP: Duration = Duration::from_secs(5);
/// Limit on process names kept for each agent. A copy shows as soon as one kept name comes back, so few are enough.
const NAMES: usize = 4;

/// What a message from a process shows about its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotedProcess {
    /// The newest known process, or the first one of this agent.
    Known,
    /// A new process: the agent was restarted.
    New,
    /// Two processes at once: the identity is in two places.
    Two,
}

/// The processes of all agents, at most four names for each agent.
#[derive(Debug, Default)]
pub struct Instances(HashMap<Uuid, Vec<Instance>>);

#[derive(Debug, Clone, Copy)]
struct Instance {
    name: Uuid,
    first: Instant,
}

impl Instances {
    /// Notes a message from this process of this agent.
    pub fn note_process(&mut self, agent: Uuid, name: Uuid, now: Instant) -> NotedProcess {
        let names = self.0.entry(agent).or_default();
        match names.last() {
            None => {
                names.push(Instance { name, first: now });
                NotedProcess::Known
            }
            Some(newest) if newest.name == name => NotedProcess::Known,
            Some(newest) if names.iter().any(|known| known.name == name) => {
                if now.saturating_duration_since(newest.first) > OVERLAP {
                    NotedProcess::Two
                } else {
                    NotedProcess::Known
                }
            }
            Some(_) => {
                names.push(Instance { name, first: now });
                if names.len() > NAMES {
                    names.remove(0);
                }
                NotedProcess::New
            }
        }
    }

    /// Deletes what is known of an agent's processes, when an administrator has looked into the agent.
    pub fn forget(&mut self, agent: Uuid) {
        self.0.remove(&agent);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    const AGENT: Uuid = Uuid::from_u128(1);

    fn name(n: u128) -> Uuid {
        Uuid::from_u128(100 + n)
    }

    #[test]
    fn a_restart_is_a_new_process_and_no_alarm() {
        let (mut instances, now) = (Instances::default(), Instant::now());
        assert_eq!(instances.note_process(AGENT, name(1), now), NotedProcess::Known);
        for n in 2..20 {
            let later = now + Duration::from_secs(u64::try_from(n).unwrap_or_default());
            assert_eq!(instances.note_process(AGENT, name(n), later), NotedProcess::New);
            assert_eq!(instances.note_process(AGENT, name(n), later), NotedProcess::Known);
        }
        assert!(instances.0[&AGENT].len() <= NAMES);
    }

    #[test]
    fn the_old_process_may_send_for_as_long_as_a_reconnect_takes_and_no_longer() {
        let (mut instances, now) = (Instances::default(), Instant::now());
        instances.note_process(AGENT, name(1), now);
        instances.note_process(AGENT, name(2), now);
        assert_eq!(instances.note_process(AGENT, name(1), now + OVERLAP), NotedProcess::Known);
        assert_eq!(
            instances.note_process(AGENT, name(1), now + OVERLAP + Duration::from_millis(1)),
            NotedProcess::Two
        );
    }

    #[test]
    fn two_processes_that_alternate_are_two_and_other_agents_do_not_count() {
        let (mut instances, now) = (Instances::default(), Instant::now());
        let minute = Duration::from_secs(60);
        instances.note_process(AGENT, name(1), now);
        instances.note_process(Uuid::from_u128(2), name(2), now);
        assert_eq!(instances.note_process(AGENT, name(2), now + minute), NotedProcess::New);
        assert_eq!(instances.note_process(AGENT, name(1), now + minute * 2), NotedProcess::Two);
        instances.forget(AGENT);
        assert_eq!(instances.note_process(AGENT, name(1), now + minute * 3), NotedProcess::Known);
    }
}
