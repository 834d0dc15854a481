//! One phs writes for a domain: the first approved one that uploads. Every other phs is refused, and the first
//! refusal in an hour raises an alarm. An administrator frees the domain for another phs by revoking the writer.
//! Neighbours: [`super::upload`] calls it before it applies anything.

use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::AgentState;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::agents;
use landbridge_tenant_store::tables::audit;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::enroll::Role;
use landbridge_wire::problem::{Problem, ProblemCode};
use tracing::{error, warn};

/// Seconds between two audit entries about one refused phs, so that a phs that repeats its upload does not fill the
/// log.
const ALARM_SECONDS: i64 = 3600;

/// Returns the domain that this agent may write for: it is the one that the agent enrolled for, and no other agent
/// writes for it.
pub(super) fn domain_of(
    reading: &Reading<'_>,
    writer: &Writer,
    domain_sid: Option<&str>,
) -> Result<Result<Domain, Problem>, StoreError> {
    // A revocation may have been committed since the certificate was checked. Without this check a revoked phs could
    // become the writer again.
    if let Err(problem) = check_approved(reading, writer)? {
        return Ok(Err(problem));
    }
    let Some(domain) = domains::by_id(reading, writer.domain)? else {
        let gone = "this tenant does not serve the domain that this agent was enrolled for: enrol it again";
        return Ok(Err(Problem::new(ProblemCode::WrongDomain, gone)));
    };
    if domain_sid.is_some_and(|sid| sid != domain.sid) {
        let detail = format!(
            "this agent was enrolled for the domain {} ({}), and reads one with another SID: check `domain` in its configuration",
            domain.dns_name, domain.sid
        );
        return Ok(Err(Problem::new(ProblemCode::WrongDomain, &detail)));
    }
    if domain.writer.is_some_and(|holder| holder != writer.agent) {
        return Ok(Err(second_writer(&domain)));
    }
    Ok(Ok(domain))
}

/// Makes this agent the writer of the domain, if the domain has none.
pub(super) fn claim(
    writing: &Writing<'_>,
    writer: &Writer,
    domain: &Domain,
    now: i64,
) -> Result<Result<(), Problem>, StoreError> {
    if domain.writer == Some(writer.agent) {
        return Ok(Ok(()));
    }
    if !domains::claim_writer(writing, domain.id, writer.agent)? {
        return Ok(Err(second_writer(domain)));
    }
    audit::append(
        writing,
        now,
        &writer.actor(),
        "writer-claimed",
        &domain.dns_name,
        "writes for this domain from now on",
    )?;
    Ok(Ok(()))
}

fn check_approved(reading: &Reading<'_>, writer: &Writer) -> Result<Result<(), Problem>, StoreError> {
    let no = |code, detail| Ok(Err(Problem::new(code, detail)));
    match agents::find(reading, writer.agent)? {
        None => no(ProblemCode::AgentRevoked, "this agent is not enrolled here: enrol it again"),
        Some(agent) if agent.domain != writer.domain => {
            no(ProblemCode::WrongDomain, "this agent was enrolled for another domain: enrol it again")
        }
        Some(agent) => match (agent.role, agent.state) {
            (Role::Phs, AgentState::Approved) => Ok(Ok(())),
            (Role::Pta, _) => no(ProblemCode::WrongRole, "only a phs uploads"),
            (Role::Phs, AgentState::Revoked) => no(
                ProblemCode::AgentRevoked,
                "this agent is revoked: an administrator creates a token, then enrol it again",
            ),
            (Role::Phs, AgentState::Pending | AgentState::Quarantined) => {
                no(ProblemCode::AgentNotApproved, "this agent waits for `landbridge-tenant agents approve`")
            }
        },
    }
}

fn second_writer(domain: &Domain) -> Problem {
    let detail = format!(
        "another phs writes for {}: to let this one write, find the other with `agents list` and run `landbridge-tenant agents revoke` for it",
        domain.dns_name
    );
    Problem::new(ProblemCode::SecondWriter, &detail)
}

/// Returns the answer unchanged. If it refuses a second writer, the refusal is counted, logged and written to the
/// audit log.
pub(super) fn alarm_second_writer<T>(
    store: &Store,
    counts: &Counts,
    writer: &Writer,
    now: i64,
    answer: Result<T, Problem>,
) -> Result<T, Problem> {
    if let Err(problem) = &answer
        && problem.code == ProblemCode::SecondWriter
    {
        counts.second_writers.one();
        warn!(agent = %writer.agent, "a second phs wants to write for a domain: refused");
        let recorded = store.write("second-writer-alarm", |writing| {
            let actor = writer.actor();
            let lately =
                audit::has_lately(writing, "alarm-second-writer", &actor, now.saturating_sub(ALARM_SECONDS))?;
            if lately {
                return Ok(());
            }
            let domain = domains::by_id(writing, writer.domain)?.map(|d| d.dns_name).unwrap_or_default();
            audit::append(
                writing,
                now,
                &actor,
                "alarm-second-writer",
                &domain,
                "another phs writes for this domain: refused",
            )
        });
        if let Err(failed) = recorded {
            error!(error = %failed, "an alarm could not be written to the audit log");
        }
    }
    answer
}
