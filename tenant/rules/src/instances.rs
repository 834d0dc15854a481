//! One identity, one process: notes which process of an agent is heard, and says when there are two.
//! Pure: the clock is an argument. Neighbours: the relay asks for its links, `routes::agents` for uploads.
//!
//! A process names itself at random when it starts. A restart gives a newer name, and the old one is never heard
//! again; so an old name that comes back, or two that are heard side by side for longer than a reconnect takes, mean
//! that somebody else has the identity.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// As long as a restarted agent's old connections may still be heard.
const OVERLAP: Duration = Duration::from_secs(5);
/// So many names of one agent are remembered.
const NAMES: usize = 4;

/// What hearing a process means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotedProcess {
    /// The one that was heard last, or the first ever.
    Known,
    /// A newer one: the agent was restarted.
    New,
    /// Two at once: the identity is in two places.
    Two,
}

/// The processes of all agents; as many as there are agents.
#[derive(Debug, Default)]
pub struct Instances(HashMap<Uuid, Vec<Instance>>);

#[derive(Debug, Clone, Copy)]
struct Instance {
    name: Uuid,
    first: Instant,
}

impl Instances {
    /// Notes that this process of this agent was heard.
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

    /// Forgets an agent: its administrator looked into it, or it is gone for good.
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
    fn the_old_process_may_be_heard_for_as_long_as_a_reconnect_takes_and_no_longer() {
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
    fn two_that_take_turns_are_two_and_other_agents_do_not_count() {
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
