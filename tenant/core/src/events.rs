//! Audit entries about what happens at the doors: refused strangers, agents that come and go, administrators that read.
//! Each kind has a limit an hour for each agent, and one for all others together, so that nobody fills the disk. What a
//! limit leaves out is counted, and the number becomes an entry.
//! Neighbours: the handles note events here; [`crate::audit`] writes.

use crate::audit::Recorder;
use crate::clock::unix_now;
use crate::lock::lock;
use crate::numbers::Numbers;
use landbridge_tenant_rules::model::AuditEntry;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Limit on entries of one kind for all strangers together, an hour. Three kinds of 20 are 1,440 entries a day: in 400
/// days about 90 MB.
const STRANGERS: u32 = 20;
/// Limit on entries of one kind for one agent, an hour. An agent that connects more often is in trouble, and ten
/// entries show it.
const AGENT: u32 = 10;
/// Limit on entries of what administrators read, an hour. A script that reads every few seconds stays below it.
const READS: u32 = 1000;
/// Seconds of a limit.
const HOUR: i64 = 3600;
/// Limit on agents that are counted one by one. More share the limit of strangers.
const COUNTED: usize = 4096;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An enrolment was refused.
    EnrolmentRefused,
    /// An agent's request or connection was refused.
    AdmissionRefused,
    /// The first request of an agent on a new connection was admitted.
    AgentConnected,
    /// A connection of an admitted agent has ended.
    AgentDisconnected,
    /// A request had a credential that no application has.
    CredentialRefused,
    /// A user other than root and the tenant's own used the administration socket.
    SocketRefused,
    /// An administrator read something and changed nothing.
    Read,
}

impl Event {
    /// The action in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnrolmentRefused => "enrolment-refused",
            Self::AdmissionRefused => "admission-refused",
            Self::AgentConnected => "agent-connected",
            Self::AgentDisconnected => "agent-disconnected",
            Self::CredentialRefused => "credential-refused",
            Self::SocketRefused => "socket-refused",
            Self::Read => "read",
        }
    }
}

/// Where an event comes from, with the network address.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A peer that has proved nothing.
    Stranger(IpAddr),
    /// An agent whose certificate is one of the tenant's CA.
    Agent(Uuid, IpAddr),
    /// A user of the machine, as [`crate::administration::operator::Operator`] shows it.
    Operator(&'a str),
}

/// The entries of one kind since the limit's hour began.
#[derive(Debug, Clone, Copy)]
struct Hour {
    /// Seconds since 1970.
    began: i64,
    written: u32,
    left_out: u64,
}

/// Receives events and passes those within the limits to the audit log. It never waits for the disk.
pub struct Events {
    recorder: Recorder,
    numbers: Arc<Numbers>,
    /// By kind and agent; all strangers are the nil agent.
    hours: Mutex<HashMap<(Event, Uuid), Hour>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(recorder: Recorder, numbers: Arc<Numbers>) -> Self {
        Self { recorder, numbers, hours: Mutex::default() }
    }

    /// Notes an event at `now`, in seconds since 1970. `subject` and `detail` must hold nothing that a stranger wrote.
    pub(crate) fn note(&self, event: Event, origin: Origin<'_>, subject: &str, detail: &str, now: i64) {
        // 1. Find the limit, and begin a new hour if the last one is over.
        let mut hours = lock(&self.hours);
        let agent = match origin {
            Origin::Agent(agent, _) => Some(agent),
            Origin::Stranger(_) | Origin::Operator(_) => None,
        };
        let counted = agent.filter(|agent| hours.len() < COUNTED || hours.contains_key(&(event, *agent)));
        let key = (event, counted.unwrap_or_default());
        let hour = hours.entry(key).or_insert(Hour { began: now, written: 0, left_out: 0 });
        if now.saturating_sub(hour.began) >= HOUR {
            self.write_left_out(key, *hour, now);
            *hour = Hour { began: now, written: 0, left_out: 0 };
        }
        // 2. Above the limit the event is counted.
        let limit = match (event, counted) {
            (Event::Read, _) => READS,
            (_, Some(_)) => AGENT,
            (_, None) => STRANGERS,
        };
        if hour.written >= limit {
            hour.left_out = hour.left_out.saturating_add(1);
            self.count_left_out(event.as_str());
            return;
        }
        hour.written += 1;
        drop(hours);
        // 3. Pass the entry on.
        let (actor, from) = match origin {
            Origin::Stranger(from) => ("a stranger".to_owned(), Some(from)),
            Origin::Agent(agent, from) => (format!("agent {agent}"), Some(from)),
            Origin::Operator(name) => (name.to_owned(), None),
        };
        let from = from.map(|from| format!("from {}", from.to_canonical()));
        let detail = from.as_deref().into_iter().chain(Some(detail)).filter(|part| !part.is_empty());
        self.write(AuditEntry {
            at: now,
            actor,
            action: event.as_str().to_owned(),
            subject: subject.to_owned(),
            detail: detail.collect::<Vec<_>>().join(", "),
        });
    }

    /// Writes how many events each limit of a past hour left out, and forgets these hours.
    pub(crate) fn close_hours(&self, now: i64) {
        lock(&self.hours).retain(|key, hour| {
            let open = now.saturating_sub(hour.began) < HOUR;
            if !open {
                self.write_left_out(*key, *hour, now);
            }
            open
        });
    }

    fn write_left_out(&self, (event, agent): (Event, Uuid), hour: Hour, now: i64) {
        if hour.left_out > 0 {
            self.write(AuditEntry {
                at: now,
                actor: "tenant".to_owned(),
                action: event.as_str().to_owned(),
                subject: if agent.is_nil() { String::new() } else { agent.to_string() },
                detail: format!("{} more were left out within an hour", hour.left_out),
            });
        }
    }

    /// Counts an entry that finds the queue full as left out.
    fn write(&self, entry: AuditEntry) {
        let kind = entry.action.clone();
        if !self.recorder.offer(entry) {
            self.count_left_out(&kind);
        }
    }

    fn count_left_out(&self, kind: &str) {
        self.numbers.metrics.audit_left_out.get_or_create(&vec![("kind", kind.to_owned())]).inc();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Every hour ends with the process.
        let now = unix_now();
        let hours = std::mem::take(&mut *lock(&self.hours));
        for (key, hour) in hours {
            self.write_left_out(key, hour, now);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use landbridge_tenant_fixture::{NOW, Tenant};
    use landbridge_tenant_store::tables::audit::newest;

    #[test]
    fn strangers_fill_no_disk_push_no_agents_entry_out_and_are_counted() {
        let tenant = Tenant::new();
        let numbers = Arc::new(Numbers::default());
        let events = Events::new(Recorder::start(tenant.store.clone()).unwrap(), numbers.clone());
        let from = "::ffff:203.0.113.7".parse().unwrap();
        let agent = Uuid::from_u128(7);
        for n in 0..100_000 {
            events.note(Event::EnrolmentRefused, Origin::Stranger(from), "", "token-unknown", NOW + n / 1000);
        }
        for _ in 0..2 * AGENT {
            events.note(Event::AdmissionRefused, Origin::Agent(agent, from), "mine", "agent-revoked", NOW);
        }
        // The next hour has room again, and begins with what the last one left out.
        events.note(Event::EnrolmentRefused, Origin::Stranger(from), "", "token-used", NOW + HOUR);
        events.close_hours(NOW + 2 * HOUR);
        drop(events);
        let entries = tenant.store.read(|reading| newest(reading, 1000)).unwrap();
        let of = |kind: Event| entries.iter().rev().filter(move |entry| entry.action == kind.as_str());
        let strangers: Vec<_> = of(Event::EnrolmentRefused).collect();
        assert_eq!(strangers.len(), 22);
        assert_eq!(
            (strangers[0].actor.as_str(), strangers[0].detail.as_str()),
            ("a stranger", "from 203.0.113.7, token-unknown")
        );
        assert_eq!(strangers[20].detail, "99980 more were left out within an hour");
        assert_eq!(strangers[21].detail, "from 203.0.113.7, token-used");
        let agents: Vec<_> = of(Event::AdmissionRefused).collect();
        assert_eq!((agents.len(), agents[0].subject.as_str()), (11, "mine"));
        assert_eq!(agents[0].actor, format!("agent {agent}"));
        assert!(agents[10].detail.starts_with("10 more"), "{:?}", agents[10]);
        let kind = vec![("kind", "enrolment-refused".to_owned())];
        assert_eq!(numbers.metrics.audit_left_out.get_or_create(&kind).get(), 99_980);
    }
}
