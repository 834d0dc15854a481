//! Decides whether an agent may do what it requests. Reads the database for every request, so a revocation takes
//! effect at once. Before it: the listener proves the certificate's chain, and [`super::certificate_names`] reads its
//! names. After it: an upload, a renewal, or a link of the relay.

use crate::agents::certificate_names::Shown;
use landbridge_tenant_rules::model::{Agent, AgentState};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::agents::find;
use landbridge_wire::enroll::Role;
use landbridge_wire::problem::{Problem, ProblemCode};
use uuid::Uuid;

/// The kind of an agent's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Ask what the tenant has of a domain. `check` does that beside the process that uploads.
    Hello,
    /// Write a domain's accounts.
    Upload,
    /// Receive the next certificate.
    Renewal,
    /// Verify passwords of sign-ins.
    SignIn,
}

impl Purpose {
    /// In the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Upload => "upload",
            Self::Renewal => "renewal",
            Self::SignIn => "sign-in",
        }
    }
}

/// Returns the agent of a certificate, if it may do this. `now` is in seconds since 1970.
pub fn admit(
    reading: &Reading<'_>,
    tenant: Uuid,
    shown: Option<&Shown>,
    purpose: Purpose,
    now: i64,
) -> Result<Result<Agent, Problem>, StoreError> {
    // 1. The certificate is one of this tenant, and its names are those of the agent's row.
    let Some(shown) = shown.filter(|shown| shown.name.tenant == tenant) else {
        return refuse(ProblemCode::CertificateRequired, "send the certificate that enrolment issued");
    };
    let Some(agent) = find(reading, shown.name.agent)? else {
        return refuse(ProblemCode::AgentRevoked, "this tenant does not know the agent: enrol it again");
    };
    let name = &shown.name;
    if agent.domain_sid != name.domain_sid || agent.domain_name != name.domain {
        return refuse(
            ProblemCode::WrongDomain,
            "the certificate was issued for another domain: enrol the agent again",
        );
    }
    // 2. The agent's role permits the request.
    let (role_fits, only) = match purpose {
        Purpose::Renewal => (true, ""),
        Purpose::Hello | Purpose::Upload => {
            (agent.role == Role::Phs, "only an agent that was enrolled with role phs uploads")
        }
        Purpose::SignIn => {
            (agent.role == Role::Pta, "only an agent that was enrolled with role pta answers sign-ins")
        }
    };
    if agent.role != name.role || !role_fits {
        return refuse(
            ProblemCode::WrongRole,
            if only.is_empty() { "the agent was enrolled for another role" } else { only },
        );
    }
    // 3. The agent's state permits the request.
    match (agent.state, purpose) {
        (AgentState::Revoked, _) => {
            return refuse(
                ProblemCode::AgentRevoked,
                "the agent is revoked: an administrator creates a token, then enrol it again",
            );
        }
        (AgentState::Quarantined, _) => {
            return refuse(
                ProblemCode::AgentNotApproved,
                "the agent is in quarantine: an administrator finds the reason, then runs `landbridge-tenant agents approve`",
            );
        }
        (AgentState::Pending, Purpose::Hello | Purpose::Upload | Purpose::SignIn) => {
            return refuse(
                ProblemCode::AgentNotApproved,
                "the agent is not approved: an administrator of the tenant runs `landbridge-tenant agents approve` with its id",
            );
        }
        (AgentState::Pending, Purpose::Renewal) | (AgentState::Approved, _) => {}
    }
    // 4. The certificate is the newest one or the one before it. The holder of an older one is not the process that
    //    renewed
    // since. A certificate that ends after the newest in this row was issued after the backup that this database
    // comes from: it is accepted, and the next renewal stores its successor.
    let made_since = shown.not_after > agent.not_after;
    if agent.serial != shown.serial && agent.serial_before.as_ref() != Some(&shown.serial) && !made_since {
        return refuse(
            ProblemCode::AgentRevoked,
            "newer certificates replaced this one: if this agent did not renew, another process with its key did; enrol it again",
        );
    }
    // 5. The certificate has not ended. The listener accepts one for 30 days longer, so that it can be renewed.
    if purpose != Purpose::Renewal && now > shown.not_after {
        return refuse(
            ProblemCode::CertificateExpired,
            "the certificate has ended: renew it first, up to 30 days after its end",
        );
    }
    Ok(Ok(agent))
}

fn refuse(code: ProblemCode, detail: &str) -> Result<Result<Agent, Problem>, StoreError> {
    Ok(Err(Problem::new(code, detail)))
}
