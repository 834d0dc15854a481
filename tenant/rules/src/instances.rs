//! The processes of each agent: one identity must be used by one process. Detects a second one.
//! Pure: times are arguments. Neighbours: [`crate::relay`] notes the process of each message and of each upload.
//!
//! A process is named by a key that it makes when it starts (`landbridge_wire::process_proof`), so no other process can
//! have its name. A new name supersedes the present one: the agent was restarted. A process that is alive although its
//! name was superseded means that a copy of the identity is in use, whatever other names were heard meanwhile.
//!
//! **No honest restart raises an alarm.** The old process has ended before the new one starts, but its last message may
//! be under way for minutes, if the network was interrupted. So each message comes with a time at which its sender was
//! certainly alive: for a request, when the request before it was answered. A message whose sender was last alive
//! before its name was superseded is late, and is refused without an alarm.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a superseded process is still accepted: messages under way at a restart need no repetition.
pub const OVERLAP: Duration = Duration::from_secs(5);
/// Limit on superseded names of one agent: 8 KiB. A copy that renames itself is found by the name that it superseded,
/// so the oldest names can be forgotten.
const NAMES: usize = 256;
/// An honest agent does not have 256 processes in this time: systemd starts it once a second at most. One that has
/// forgets names before they could be heard again, so that is an alarm too.
const CHURN: Duration = Duration::from_secs(60);

/// What a message from a process shows about its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotedProcess {
    /// The present process, a new one, or one that was superseded a moment ago.
    Accepted,
    /// A message of a superseded process, which may have ended since it sent it: to be refused.
    Late,
    /// A second process: the identity is in two places.
    Second,
}

/// The processes of all agents.
#[derive(Debug, Default)]
pub struct Instances(HashMap<Uuid, Processes>);

/// The processes of one agent.
#[derive(Debug)]
struct Processes {
    present: Uuid,
    /// When the present process was certainly alive, by its first message. The message may have been under way for
    /// longer than the first one of its successor, so the time of its arrival would say nothing.
    alive_at: Instant,
    /// Names that were superseded, and when: the oldest first.
    superseded: VecDeque<(Uuid, Instant)>,
}

impl Instances {
    /// Notes a message that arrives at `now` from this process of this agent, which was certainly alive at `alive_at`.
    pub fn note_process(&mut self, agent: Uuid, name: Uuid, alive_at: Instant, now: Instant) -> NotedProcess {
        // 1. The present process, or the first one of this agent.
        let Some(processes) = self.0.get_mut(&agent) else {
            self.0.insert(agent, Processes { present: name, alive_at, superseded: VecDeque::new() });
            return NotedProcess::Accepted;
        };
        if processes.present == name {
            return NotedProcess::Accepted;
        }
        // 2. A new process. The first message of one that has ended since may arrive after its successor's.
        let known = processes.superseded.iter().find(|(known, _)| *known == name);
        let Some(&(_, superseded_at)) = known else {
            let (older, at) = if alive_at < processes.alive_at {
                (name, processes.alive_at)
            } else {
                processes.alive_at = alive_at;
                (std::mem::replace(&mut processes.present, name), now)
            };
            return processes.supersede(older, at, now);
        };
        // 3. A superseded process.
        if now.saturating_duration_since(superseded_at) <= OVERLAP {
            NotedProcess::Accepted
        } else if alive_at < superseded_at {
            NotedProcess::Late
        } else {
            NotedProcess::Second
        }
    }

    /// Deletes what is known of an agent's processes, when an administrator has looked into the agent.
    pub fn forget(&mut self, agent: Uuid) {
        self.0.remove(&agent);
    }
}

impl Processes {
    /// Stores a superseded name. Above the limit the oldest is forgotten.
    fn supersede(&mut self, name: Uuid, at: Instant, now: Instant) -> NotedProcess {
        self.superseded.push_back((name, at));
        if self.superseded.len() <= NAMES {
            return NotedProcess::Accepted;
        }
        match self.superseded.pop_front() {
            Some((_, at)) if now.saturating_duration_since(at) < CHURN => NotedProcess::Second,
            Some(_) | None => NotedProcess::Accepted,
        }
    }
}

#[cfg(test)]
mod tests;
