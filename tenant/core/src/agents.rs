//! The agents: their identities, their permissions, their uploads, and the connections on which they answer sign-ins.
//! Neighbours: the agents' door holds [`Agents`]; [`crate::administration`] approves and revokes agents;
//! [`crate::sign_ins`] sends passwords to them.

pub mod admission;
pub mod authority;
pub mod certificate_names;
pub mod enrolment;
pub mod open_connections;
mod parts;
pub mod process;
pub mod quarantine;
pub mod relay_driver;

pub use landbridge_tenant_rules::model::Agent;
use landbridge_tenant_rules::model::HeardProcess;
pub use landbridge_tenant_rules::relay::{AgentView, Facts, Link};
pub(crate) use parts::Parts;

use crate::clock::unix_now;
use crate::events::{Event, Origin};
use crate::ingest;
use crate::numbers::Numbers;
use admission::{Purpose, admit};
use certificate_names::Shown;
use enrolment::EnrollError;
use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_tenant_rules::instances::NotedProcess;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents::{find, note_proof, seen};
use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse};
use landbridge_wire::nodes::NodeUrls;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::signin::{FromAgent, FromTenant};
use landbridge_wire::upload::{Hello, Offer, PhsHeartbeat, Receipt, Upload, Wanted};
use open_connections::OpenConnection;
use process::{PeerProcess, require_name, require_proof};
use relay_driver::RaisedAlarm;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

/// Seconds after which an agent repeats a request that failed in the database. A full disk is not mended sooner, and a
/// restart takes less.
const STORAGE_RETRY: u32 = 30;

/// Longest time that a link may last, in seconds: more than any certificate's life, and small enough to be added to a
/// clock.
const LINK_LIFE: u64 = 366 * 86_400;

/// Seconds after which a message of a superseded process may be sent again. A process that still runs is then known to
/// be alive.
const LATE_RETRY: u32 = 1;

/// What a door knows of an agent's request before its body is read.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The client certificate, whose chain is verified.
    pub shown: Option<&'a Shown>,
    /// The process at the other end of the connection.
    pub process: &'a PeerProcess,
    /// The header [`landbridge_wire::process_proof::HEADER`] of the request.
    pub proof: Option<&'a str>,
    /// A time at which the client was certainly alive.
    pub alive_at: Instant,
    /// The network address.
    pub from: IpAddr,
}

/// An agent whose request was admitted.
#[derive(Debug)]
pub struct Admitted {
    /// The agent.
    pub agent: Agent,
    /// The process that the connection has proved. None: none, as with an agent of version 0.1.
    pub process: Option<Uuid>,
    /// A time at which that process was certainly alive.
    pub alive_at: Instant,
}

impl Admitted {
    fn writer(&self) -> Writer {
        Writer { agent: self.agent.id, domain: self.agent.domain }
    }
}

/// What the relay needs to know of a link of this agent, which showed this certificate at `now`, in seconds since 1970.
/// A certificate without a usable envelope key is refused, because no password could be sealed to its agent.
pub fn link_facts(agent: &Agent, shown: &Shown, now: i64) -> Result<Facts, Problem> {
    let key = shown.name.envelope.and_then(|key| EnvelopePublic::from_bytes(&key).ok());
    let key = key.ok_or_else(|| {
        let detail = "the certificate names no usable envelope key: enrol again";
        Problem::new(ProblemCode::CertificateRequired, detail)
    })?;
    let left = u64::try_from(shown.not_after.saturating_sub(now)).unwrap_or(0);
    Ok(Facts {
        agent: agent.id,
        domain: agent.domain,
        domain_sid: agent.domain_sid.clone(),
        serial: shown.serial.clone(),
        key,
        until: Instant::now() + Duration::from_secs(left.min(LINK_LIFE)),
    })
}

/// The handle on the agents. Its calls block, except for those that use the relay.
#[derive(Clone)]
pub struct Agents(Arc<Parts>);

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").finish_non_exhaustive()
    }
}

impl Agents {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Enters a connection of this agent into the list of open connections.
    pub fn enter(&self, agent: Uuid) -> OpenConnection {
        self.0.open.enter(agent)
    }

    /// The counters.
    pub fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// Admits an agent by its certificate and by the proof of its process, if it may do this now.
    pub fn admit(&self, arrival: &Arrival<'_>, purpose: Purpose) -> Result<Admitted, Problem> {
        let (tenant, now) = (self.0.authority.tenant(), unix_now());
        let Arrival { shown, from, alive_at, .. } = *arrival;
        let admitted = self.0.store.read(|reading| admit(reading, tenant, shown, purpose, now));
        let admitted = admitted.map_err(|error| self.storage_failed(&error))?.and_then(|agent| {
            let process = arrival.process.prove(agent.id, arrival.proof)?;
            require_proof(&agent, process, purpose)?;
            Ok(Admitted { agent, process, alive_at })
        });
        if let Err(refusal) = &admitted {
            let origin = shown.map_or(Origin::Stranger(from), |shown| Origin::Agent(shown.name.agent, from));
            let detail = refusal.code.to_string();
            self.0.events.note(Event::AdmissionRefused, origin, purpose.as_str(), &detail, now);
        }
        admitted
    }

    /// Writes into the audit log that an admitted agent has opened a connection from this address.
    pub fn note_connected(&self, agent: Uuid, from: IpAddr) {
        self.0.events.note(
            Event::AgentConnected,
            Origin::Agent(agent, from),
            &agent.to_string(),
            "",
            unix_now(),
        );
    }

    /// Writes into the audit log that this connection has ended.
    pub fn note_disconnected(&self, agent: Uuid, from: IpAddr) {
        self.0.events.note(
            Event::AgentDisconnected,
            Origin::Agent(agent, from),
            &agent.to_string(),
            "",
            unix_now(),
        );
    }

    /// Gives an identity in exchange for a one-time token, to a client at this address.
    pub fn enroll(&self, request: &EnrollRequest, from: IpAddr) -> Result<EnrollResponse, Problem> {
        self.require_right_clock()?;
        let now = unix_now();
        let made = enrolment::enroll(&self.0.store, &self.0.authority, request, from, now);
        let made = made.map(|made| EnrollResponse { nodes: self.nodes(), ..made });
        made.map_err(|error| {
            let problem = self.to_problem(error);
            let detail = problem.code.to_string();
            self.0.events.note(Event::EnrolmentRefused, Origin::Stranger(from), "", &detail, now);
            problem
        })
    }

    /// Issues the next certificate of an agent that was admitted with the certificate of this serial number.
    pub fn renew(
        &self,
        admitted: &Admitted,
        serial: &[u8],
        request: &RenewRequest,
    ) -> Result<RenewResponse, Problem> {
        self.require_right_clock()?;
        // A renewal is admitted with a proven process alone.
        self.require_one_process(admitted, admitted.process.unwrap_or_default())?;
        let Admitted { agent, .. } = admitted;
        let made = enrolment::renew(&self.0.store, &self.0.authority, agent, serial, request, unix_now());
        let made = made.map(|made| RenewResponse { nodes: self.nodes(), ..made });
        made.map_err(|error| self.to_problem(error))
    }

    /// Returns the state of the writer's domain, cursors and generation, and the tenant's nodes.
    pub fn hello(&self, admitted: &Admitted, hello: &Hello) -> Result<Receipt, Problem> {
        let (now, writer) = (unix_now(), admitted.writer());
        // `check` sends a hello without a process name: it writes nothing, and may run beside a cycle.
        if !hello.instance.is_nil() {
            self.require_one_process(admitted, hello.instance)?;
        }
        let receipt = ingest::hello(&self.0.store, &self.0.numbers.counts, &writer, hello, now)?;
        let heard = (!hello.instance.is_nil()).then(|| HeardProcess {
            name: hello.instance,
            alive_at: self.0.clock.in_database_time(admitted.alive_at),
        });
        // Other nodes and the list of agents read it. The next hello writes it too, so a failure does not stop the cycle.
        if let Err(error) =
            self.0.store.write("agents-seen", |writing| seen(writing, writer.agent, heard.as_ref(), now))
        {
            tracing::warn!(%error, "the time of an agent's last connection could not be stored");
        }
        Ok(Receipt { nodes: self.nodes(), ..receipt })
    }

    /// Returns the offered passwords whose digests the tenant lacks.
    pub fn offer(&self, admitted: &Admitted, offer: &Offer) -> Result<Wanted, Problem> {
        self.require_one_process(admitted, offer.instance)?;
        ingest::offer(&self.0.store, &self.0.numbers.counts, &admitted.writer(), offer, unix_now())
    }

    /// Applies an upload. When this returns, the changes that the receipt names are on the disk.
    pub fn upload(&self, admitted: &Admitted, upload: &Upload) -> Result<Receipt, Problem> {
        self.require_one_process(admitted, upload.instance)?;
        ingest::upload(&self.0.store, &self.0.numbers.counts, &admitted.writer(), upload, unix_now())
    }

    /// Notes that the process of a phs runs, and returns its heartbeat.
    pub fn heartbeat(&self, admitted: &Admitted, beat: &PhsHeartbeat) -> Result<PhsHeartbeat, Problem> {
        self.require_one_process(admitted, beat.instance)?;
        Ok(*beat)
    }

    /// Checks the process that a hello names, on a connection that has proved `proven`. Reads the agent's row again: it
    /// may have proved a process on another connection meanwhile.
    pub fn introduce(&self, agent: Uuid, proven: Option<Uuid>, instance: Uuid) -> Result<(), Problem> {
        let found = self.0.store.read(|reading| find(reading, agent));
        let found = found.map_err(|error| self.storage_failed(&error))?;
        let gone = || Problem::new(ProblemCode::AgentRevoked, "this tenant does not know the agent");
        self.claim_process(&found.ok_or_else(gone)?, proven, instance)
    }

    /// Adds a connection of an agent that answers sign-ins. Returns its link, the messages to send over it, and a
    /// signal to end it at once.
    pub fn join(&self, facts: Facts) -> (Link, mpsc::Receiver<FromTenant>, Arc<Notify>) {
        self.0.relay.enter(facts)
    }

    /// The URLs of the tenant's nodes, as agents learn them.
    pub fn nodes(&self) -> NodeUrls {
        self.0.relay.nodes()
    }

    /// The agents that are connected to answer sign-ins.
    pub fn connected(&self) -> Vec<AgentView> {
        self.0.relay.agents()
    }

    /// Passes a message that arrived over a link to the relay.
    pub fn receive(&self, link: Link, message: FromAgent) {
        self.0.relay.receive(link, message);
    }

    /// Removes a link that ended.
    pub fn leave(&self, link: Link) {
        self.0.relay.leave(link);
    }

    /// Runs the relay's clock and quarantines agents that raise an alarm, until `stop` is set.
    pub async fn run(self, alarms: mpsc::Receiver<RaisedAlarm>, stop: watch::Receiver<bool>) {
        // The relay runs on after `stop` until the agents have answered the sign-ins that they hold.
        tokio::spawn(self.0.relay.clone().run(stop.clone()));
        quarantine::run(self.0, alarms, stop).await;
    }

    /// Refuses to issue a certificate while the clock of this node is wrong.
    fn require_right_clock(&self) -> Result<(), Problem> {
        if self.0.clock.is_right() {
            return Ok(());
        }
        let detail = "the clock of this node of the tenant is wrong: its operator mends it; another node issues meanwhile";
        Err(Problem {
            retry_after_seconds: Some(STORAGE_RETRY),
            ..Problem::new(ProblemCode::StorageFailed, detail)
        })
    }

    /// Refuses a request of a second process that uses the same identity. The relay applies the same rule to agents
    /// that answer sign-ins.
    fn require_one_process(&self, admitted: &Admitted, instance: Uuid) -> Result<(), Problem> {
        let Admitted { agent, process, alive_at } = admitted;
        self.claim_process(agent, *process, instance)?;
        // Another node may have heard another process since. Its hello is as if it had come here.
        if let Some(heard) = agent.heard.filter(|heard| self.0.store.is_shared() && heard.name != instance)
            && let Some(alive_at) = self.0.clock.moment(heard.alive_at)
        {
            self.0.relay.note_process(agent.id, heard.name, alive_at);
        }
        match self.0.relay.note_process(agent.id, instance, *alive_at) {
            NotedProcess::Accepted => Ok(()),
            NotedProcess::Late => {
                let what = "another process of the agent has sent a message since: if this one still runs, it sends this \
                            again";
                let problem = Problem::new(ProblemCode::Overloaded, what);
                Err(Problem { retry_after_seconds: Some(LATE_RETRY), ..problem })
            }
            NotedProcess::Second => {
                let what = "two processes use the agent's identity at once: it is in quarantine until an administrator \
                            has found the reason and runs `landbridge-tenant agents approve`";
                Err(Problem::new(ProblemCode::AgentNotApproved, what))
            }
        }
    }

    /// Refuses a process name that the connection has not proved, and stores that the agent has proved one. From then
    /// on the agent is admitted with a proof alone.
    fn claim_process(&self, agent: &Agent, proven: Option<Uuid>, instance: Uuid) -> Result<(), Problem> {
        require_name(agent, proven, instance)?;
        if proven.is_some() && agent.proved_at.is_none() {
            let noted =
                self.0.store.write("agent-proved", |writing| note_proof(writing, agent.id, unix_now()));
            noted.map_err(|error| self.storage_failed(&error))?;
        }
        Ok(())
    }

    fn to_problem(&self, error: EnrollError) -> Problem {
        match error {
            EnrollError::Refused(problem) => problem,
            EnrollError::Store(error) => self.storage_failed(&error),
        }
    }

    /// Logs the error, and returns a problem that does not contain it: paths and states of the database are not for
    /// agents.
    fn storage_failed(&self, error: &StoreError) -> Problem {
        tracing::error!(%error, "the database failed");
        self.0.numbers.metrics.storage_errors.inc();
        let detail = "the tenant's database or disk fails; the reason is in the tenant's log";
        Problem {
            retry_after_seconds: Some(STORAGE_RETRY),
            ..Problem::new(ProblemCode::StorageFailed, detail)
        }
    }
}
