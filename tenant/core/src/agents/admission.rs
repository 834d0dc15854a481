//! Whether an agent may do what it wants. The database is asked at every request.
//! Before it: the listener proved the chain, [`super::certificate_names`] read the names. After it: an upload, a renewal, or a link
//! of the relay.

use crate::agents::certificate_names::Shown;
use landbridge_tenant_rules::model::{Agent, AgentState};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents::find;
use landbridge_wire::enroll::Role;
use landbridge_wire::problem::{Problem, ProblemCode};
use uuid::Uuid;

/// What an agent wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To write a domain's accounts.
    Upload,
    /// The next certificate.
    Renewal,
    /// To be asked whether passwords are right.
    SignIn,
}

/// The agent behind a certificate, if it may do what it wants. `now` in seconds since 1970.
pub fn admit(
    reading: &Reading<'_>,
    tenant: Uuid,
    shown: Option<&Shown>,
    purpose: Purpose,
    now: i64,
) -> Result<Result<Agent, Problem>, StoreError> {
    let Some(shown) = shown.filter(|shown| shown.name.tenant == tenant) else {
        return no(ProblemCode::CertificateRequired, "show the certificate that enrolment gave you");
    };
    let Some(agent) = find(reading, shown.name.agent)? else {
        return no(
            ProblemCode::AgentRevoked,
            "this tenant does not know the agent (any more): enrol it again",
        );
    };
    let name = &shown.name;
    if agent.domain_sid != name.domain_sid || agent.domain_name != name.domain {
        return no(
            ProblemCode::WrongDomain,
            "the certificate was made for another domain: enrol the agent again",
        );
    }
    let (role_fits, only) = match purpose {
        Purpose::Renewal => (true, ""),
        Purpose::Upload => (agent.role == Role::Phs, "only an agent that was enrolled with role phs uploads"),
        Purpose::SignIn => {
            (agent.role == Role::Pta, "only an agent that was enrolled with role pta answers sign-ins")
        }
    };
    if agent.role != name.role || !role_fits {
        return no(
            ProblemCode::WrongRole,
            if only.is_empty() { "the agent was enrolled for another role" } else { only },
        );
    }
    match (agent.state, purpose) {
        (AgentState::Revoked, _) => {
            return no(
                ProblemCode::AgentRevoked,
                "the agent was revoked: an administrator makes a token, then enrol it again",
            );
        }
        (AgentState::Quarantined, _) => {
            return no(
                ProblemCode::AgentNotApproved,
                "the agent is in quarantine: an administrator looks into it, then runs `landbridge-tenant agents approve`",
            );
        }
        (AgentState::Pending, Purpose::Upload | Purpose::SignIn) => {
            return no(
                ProblemCode::AgentNotApproved,
                "an administrator of the tenant runs `landbridge-tenant agents approve` with the agent's id",
            );
        }
        (AgentState::Pending, Purpose::Renewal) | (AgentState::Approved, _) => {}
    }
    // The newest certificate, and the one that it was asked for with. Whoever has an older one is not the agent that
    // renewed since. One that ends after the newest known to us was made by us too, and this database is a backup
    // from before: the agent's next renewal makes it the newest again.
    let made_since = shown.not_after > agent.not_after;
    if agent.serial != shown.serial && agent.serial_before.as_ref() != Some(&shown.serial) && !made_since {
        return no(
            ProblemCode::AgentRevoked,
            "the certificate was replaced by newer ones: if this agent did not renew, somebody else did; enrol it again",
        );
    }
    if purpose != Purpose::Renewal && now > shown.not_after {
        return no(
            ProblemCode::CertificateExpired,
            "the certificate is over: renew it first, up to 30 days after its end",
        );
    }
    Ok(Ok(agent))
}

fn no(code: ProblemCode, detail: &str) -> Result<Result<Agent, Problem>, StoreError> {
    Ok(Err(Problem::new(code, detail)))
}
