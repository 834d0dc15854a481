//! The numbers that the tenant keeps about itself, and a snapshot of them for monitoring. Numbers and ids only, no
//! names.
//! Neighbours: every part of the core counts here; the operator's door prints it.

use crate::agents::open_connections::OpenConnections;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::{Agent, AgentState, KINDS, kind_text};
use landbridge_tenant_rules::relay::NoAnswer;
use landbridge_tenant_store::tables::{agents, domains, group_policies, links, names, objects};
use landbridge_tenant_store::{Reading, Store, StoreError, TransactionCounts};
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::problem::Problem;
use landbridge_wire::signin::DirectoryVerdict;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::sync::Arc;
use uuid::Uuid;

/// All counters.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Counters of uploads and sign-ins, without labels.
    pub counts: Arc<Counts>,
    /// Counters with labels.
    pub metrics: Metrics,
}

/// The labels of a counter. Names and values come from small fixed sets, so the number of series is bounded.
pub type Labels = Vec<(&'static str, String)>;
/// Counters by labels.
pub type CountFamily = Family<Labels, Counter>;

/// Counters with labels, and the duration of sign-ins. [`Numbers::counts`] has the others.
#[derive(Debug)]
pub struct Metrics {
    /// Sign-ins by true outcome, which the application may not see.
    pub signins: CountFamily,
    /// Sign-in requests that were refused before the password was verified, by reason.
    pub signins_not_asked: CountFamily,
    /// Requests by LDAP, by operation and result.
    pub ldap_requests: CountFamily,
    /// Seconds from a request's head to its answer, with the wait for the time grid.
    pub signin_seconds: Histogram,
    /// Requests of the upload paths by outcome.
    pub uploads: CountFamily,
    /// Enrolments by outcome.
    pub enrollments: CountFamily,
    /// Renewals by outcome.
    pub renewals: CountFamily,
    /// Times that the database failed.
    pub storage_errors: Counter,
    /// Tokens that were signed.
    pub tokens_signed: Counter,
    /// Sign-ins that were sent to agents, by verdict or by the reason why there is none.
    pub agent_verdicts: CountFamily,
    /// Changes of password that were sent to agents, by outcome or by the reason why there is none.
    pub password_changes: CountFamily,
    /// Notices of ended sessions that were sent to applications, by outcome.
    pub logout_notices: CountFamily,
    /// Events of the relay between the tenant and the agents.
    pub agents: CountFamily,
    /// Agents that were put into quarantine.
    pub quarantined: CountFamily,
    /// Events that have no audit entry of their own, by kind: there were too many.
    pub audit_left_out: CountFamily,
    /// Answers of agents that were compared with a digest, by whether they were the same.
    pub agent_answers_compared: CountFamily,
    /// Answers of agents that a digest of the same password version contradicts, by what the agent said.
    pub agents_contradicting: CountFamily,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            signins: Family::default(),
            signins_not_asked: Family::default(),
            ldap_requests: Family::default(),
            signin_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            uploads: Family::default(),
            enrollments: Family::default(),
            renewals: Family::default(),
            storage_errors: Counter::default(),
            tokens_signed: Counter::default(),
            agent_verdicts: Family::default(),
            password_changes: Family::default(),
            logout_notices: Family::default(),
            agents: Family::default(),
            quarantined: Family::default(),
            audit_left_out: Family::default(),
            agent_answers_compared: Family::default(),
            agents_contradicting: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts the outcome of a sign-in that was sent to an agent.
    pub fn count_agent_answer(&self, outcome: &Result<DirectoryVerdict, NoAnswer>) {
        let outcome = match outcome {
            // The number is in the audit log alone: as a label it would create a series for every number.
            Ok(DirectoryVerdict::Unknown(_)) => "Unknown".to_owned(),
            Ok(verdict) => format!("{verdict:?}"),
            Err(why) => format!("{why:?}"),
        };
        self.agent_verdicts.get_or_create(&vec![("outcome", outcome)]).inc();
    }

    /// Counts the outcome of a change of password that was sent to an agent.
    pub fn count_change(&self, outcome: &Result<ChangeOutcome, NoAnswer>) {
        let outcome = match outcome {
            Ok(ChangeOutcome::Changed { .. }) => "changed".to_owned(),
            Ok(ChangeOutcome::OldRefused(_)) => "old-refused".to_owned(),
            Ok(ChangeOutcome::NewRefused(_)) => "new-refused".to_owned(),
            Ok(ChangeOutcome::NotKnown) => "not-known".to_owned(),
            Err(why) => why.as_str().to_owned(),
        };
        self.password_changes.get_or_create(&vec![("outcome", outcome)]).inc();
    }

    /// Counts one answer to an agent, by the code of the refusal or as `ok`.
    pub fn count(&self, counts: &CountFamily, refusal: Option<&Problem>) {
        let outcome = refusal.map_or_else(|| "ok".to_owned(), |refusal| refusal.code.to_string());
        counts.get_or_create(&vec![("outcome", outcome)]).inc();
    }
}

/// The handle for monitoring.
#[derive(Debug, Clone)]
pub struct Snapshot {
    store: Arc<Store>,
    numbers: Arc<Numbers>,
    open: Arc<OpenConnections>,
    root_ends: i64,
}

/// The figures of one moment, read from the database and from memory.
#[derive(Debug, Default)]
pub struct Figures {
    /// State and number of agents in it.
    pub agents: Vec<(&'static str, i64)>,
    /// Agent, role, and the end of its newest certificate in seconds since 1970, of each approved agent.
    pub agent_certificates: Vec<(Uuid, String, i64)>,
    /// Domain, kind and count, of the objects that are present.
    pub objects: Vec<(String, &'static str, i64)>,
    /// Domain and count, of the objects that have left and are not erased yet.
    pub removed: Vec<(String, i64)>,
    /// Domain, kind and count.
    pub links: Vec<(String, &'static str, i64)>,
    /// Domain and count, of groups that have left and have a sign-in policy.
    pub idle_policies: Vec<(String, i64)>,
    /// Sign-in names that more than one account holds.
    pub ambiguous_names: i64,
}

impl Snapshot {
    pub(crate) fn new(
        store: Arc<Store>,
        numbers: Arc<Numbers>,
        open: Arc<OpenConnections>,
        root_ends: i64,
    ) -> Self {
        Self { store, numbers, open, root_ends }
    }

    /// The counters in memory.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Number of agents that have an open connection.
    pub fn connected_agents(&self) -> usize {
        self.open.agents()
    }

    /// The last second of the root certificate, since 1970.
    pub fn root_certificate_ends(&self) -> i64 {
        self.root_ends
    }

    /// The transactions that ran since the start: name, outcome (`committed`, `failed`, `repeated`) and count.
    pub fn transactions(&self) -> Vec<(&'static str, &'static str, u64)> {
        let by_outcome = |(name, counts): (&'static str, TransactionCounts)| {
            [("committed", counts.committed), ("failed", counts.failed), ("repeated", counts.repeated)]
                .map(|(outcome, count)| (name, outcome, count))
        };
        self.store.transactions().into_iter().flat_map(by_outcome).collect()
    }

    /// Reads the database once. Blocks. The error is the reason, in words for the operator.
    pub fn check(&self) -> Result<(), String> {
        self.store.read(domains::all).map(drop).map_err(|error| error.to_string())
    }

    /// The figures of this moment. Blocks. If the database fails, all figures are zero and the failure is counted.
    pub fn figures(&self) -> Figures {
        self.store.look(Figures::of).unwrap_or_else(|error| {
            tracing::error!(%error, "the database failed");
            self.numbers.metrics.storage_errors.inc();
            Figures::default()
        })
    }
}

impl Figures {
    fn of(reading: &Reading<'_>) -> Result<Self, StoreError> {
        let mut figures = Self { ambiguous_names: names::count_ambiguous(reading)?, ..Self::default() };
        figures.count_agents(&agents::list(reading, 10_000)?);
        for domain in domains::all(reading)? {
            let name = || domain.dns_name.clone();
            for kind in KINDS {
                figures.objects.push((
                    name(),
                    kind_text(kind),
                    objects::present_in(reading, domain.id, kind)?,
                ));
            }
            let counted = links::counts(reading, domain.id)?;
            for what in links::KINDS {
                let count = counted.iter().find(|(one, _)| one == links::kind_text(what));
                figures.links.push((name(), links::kind_text(what), count.map_or(0, |(_, count)| *count)));
            }
            figures.removed.push((name(), objects::removed(reading, domain.id)?));
            figures.idle_policies.push((name(), group_policies::idle(reading, domain.id)?));
        }
        Ok(figures)
    }

    fn count_agents(&mut self, agents: &[Agent]) {
        for agent in agents {
            let state = agent.state.as_str();
            match self.agents.iter_mut().find(|(one, _)| *one == state) {
                Some((_, count)) => *count += 1,
                None => self.agents.push((state, 1)),
            }
            if agent.state == AgentState::Approved {
                self.agent_certificates.push((agent.id, agent.role.to_string(), agent.not_after));
            }
        }
    }
}
