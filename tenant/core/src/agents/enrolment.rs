//! Gives an agent its identity in exchange for a one-time token, and issues its next certificate. Blocking. A refused
//! enrolment changes nothing. The answers lack the tenant's nodes, which [`super::Agents`] adds.
//! Before it: the agents' door. After it: [`super::authority`] signs the certificate, the store keeps the agent's row.

use crate::agents::authority::{Authority, AuthorityError, Issued, RequestedKey};
use crate::agents::certificate_names::AgentName;
use landbridge_crypto::bearer::BearerSecret;
use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_tenant_rules::model::{Agent, AgentState, NewAgent};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::agents::Renewal;
use landbridge_tenant_store::tables::{agents, audit, domains, tokens};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, RenewRequest, RenewResponse, Role};
use landbridge_wire::nodes::NodeUrls;
use landbridge_wire::problem::{Problem, ProblemCode};
use std::net::IpAddr;
use uuid::Uuid;

/// Why an agent receives no certificate.
#[derive(Debug)]
pub enum EnrollError {
    /// The request is refused. The agent receives the problem.
    Refused(Problem),
    /// The database fails. The operator finds the error in the log; the agent receives `StorageFailed`.
    Store(StoreError),
}

impl From<StoreError> for EnrollError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AuthorityError> for EnrollError {
    fn from(error: AuthorityError) -> Self {
        let code = match error {
            AuthorityError::BadRequest | AuthorityError::KeyKind => ProblemCode::BadRequestForCertificate,
            AuthorityError::NotAKey
            | AuthorityError::NotACertificate
            | AuthorityError::NotAPair
            | AuthorityError::OtherHost { .. }
            | AuthorityError::NotCreated => ProblemCode::Internal,
        };
        Self::Refused(Problem::new(code, &error.to_string()))
    }
}

/// Redeems the token and creates the agent in one transaction. `from` is the network address of the request, `now` is
/// in seconds since 1970.
pub fn enroll(
    store: &Store,
    authority: &Authority,
    request: &EnrollRequest,
    from: IpAddr,
    now: i64,
) -> Result<EnrollResponse, EnrollError> {
    let hash = request.secret.lend(BearerSecret::parse).map(|secret| secret.hash());
    let hash = hash.ok_or_else(|| refused(ProblemCode::TokenUnknown, UNKNOWN))?;
    // 1. Check the token in a snapshot. A client without a valid token then costs neither the writer nor a signature.
    store.read(|reading| check(reading, &hash, request.role, now))??;
    // 2. Verify the certificate request.
    let key = RequestedKey::of(request.csr.as_bytes())?;
    let envelope = envelope_key(request.role, request.envelope.as_ref())?;
    // 3. Check the token again, redeem it, and create the agent.
    store.write("agent-enroll", |writing| {
        let domain = match check(writing, &hash, request.role, now)? {
            Ok(domain) => domain,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !tokens::redeem(writing, &hash, now)? {
            return Ok(Err(refused(ProblemCode::TokenUsed, USED)));
        }
        create_agent(writing, authority, request, (&key, envelope), domain, (from, now))
    })?
}

/// Issues the next certificate for an agent that was admitted with the certificate of this serial number. Afterwards
/// both are accepted, and no older one. `now` is in seconds since 1970.
pub fn renew(
    store: &Store,
    authority: &Authority,
    agent: &Agent,
    serial: &[u8],
    request: &RenewRequest,
    now: i64,
) -> Result<RenewResponse, EnrollError> {
    let key = RequestedKey::of(request.csr.as_bytes())?;
    let envelope = envelope_key(agent.role, request.envelope.as_ref())?;
    let name = name_of(authority, agent.role, &agent.domain_name, &agent.domain_sid, agent.id, envelope);
    let issued = authority.agent_certificate(&key, &name, now)?;
    store.write("agent-renew", |writing| {
        // A revocation may have been committed since the agent was admitted.
        let renewal = Renewal {
            state: agent.state,
            before: serial,
            serial: &issued.serial,
            not_after: issued.not_after,
            key_fingerprint: key.fingerprint(),
        };
        if !agents::renew(writing, agent.id, &renewal, now)? {
            return Ok(Err(refused(ProblemCode::AgentRevoked, "the agent was revoked during the renewal")));
        }
        let detail = format!("serial {}", landbridge_crypto::hex::lower(&issued.serial));
        audit::append(
            writing,
            now,
            &format!("agent {}", agent.id),
            "agent-renewed",
            &agent.id.to_string(),
            &detail,
        )?;
        Ok(Ok(()))
    })??;
    Ok(RenewResponse {
        certificate: blob(&issued.certificate)?,
        roots: List::new(vec![blob(authority.root())?]).map_err(|_| too_long())?,
        nodes: NodeUrls::default(),
    })
}

const UNKNOWN: &str =
    "this tenant did not create the token: copy the whole output of `landbridge-tenant token create`";
const USED: &str =
    "the token is used already: an administrator creates a new one with `landbridge-tenant token create`";
const EXPIRED: &str =
    "the token has expired: an administrator creates a new one with `landbridge-tenant token create`";
const WRONG_ROLE: &str = "the token was created for an agent of the other role";

/// The row id of the domain that a token is for, if the token can be redeemed.
fn check(
    reading: &Reading<'_>,
    hash: &[u8; 32],
    role: Role,
    now: i64,
) -> Result<Result<i64, EnrollError>, StoreError> {
    Ok(match tokens::find(reading, hash)? {
        None => Err(refused(ProblemCode::TokenUnknown, UNKNOWN)),
        Some(token) if token.spent_at.is_some() => Err(refused(ProblemCode::TokenUsed, USED)),
        Some(token) if now > token.expires_at => Err(refused(ProblemCode::TokenExpired, EXPIRED)),
        Some(token) if token.role != role.to_string() => {
            Err(refused(ProblemCode::TokenWrongRole, WRONG_ROLE))
        }
        Some(token) => Ok(token.domain),
    })
}

fn create_agent(
    writing: &Writing<'_>,
    authority: &Authority,
    request: &EnrollRequest,
    (key, envelope): (&RequestedKey, Option<[u8; 32]>),
    domain: i64,
    (from, now): (IpAddr, i64),
) -> Result<Result<EnrollResponse, EnrollError>, StoreError> {
    let Some(domain) = domains::by_id(writing, domain)? else {
        return Err(StoreError::Foreign { what: "token of no domain" });
    };
    let id = Uuid::new_v4();
    let name = name_of(authority, request.role, &domain.dns_name, &domain.sid, id, envelope);
    let made = authority.agent_certificate(key, &name, now).map_err(EnrollError::from);
    let issued = made.map_err(|_| StoreError::Defect("an agent's certificate cannot be made".to_owned()))?;
    // A phs can write any digest and a pta-agent can answer yes, so an administrator approves each first, unless the
    // domain lets pta-agents work at once.
    let state = match request.role {
        Role::Phs => AgentState::Pending,
        Role::Pta if domain.approve_agents => AgentState::Pending,
        Role::Pta => AgentState::Approved,
    };
    let agent = NewAgent {
        id,
        domain: domain.id,
        role: request.role,
        state,
        software: request.software.as_str(),
        host: request.host.as_str(),
        serial: &issued.serial,
        not_after: issued.not_after,
        enrolled_from: &from.to_canonical().to_string(),
        key_fingerprint: key.fingerprint(),
    };
    agents::insert(writing, &agent, now)?;
    let detail = format!(
        "role {}, domain {}, {}, from {}, key {}",
        request.role,
        domain.dns_name,
        state.as_str(),
        agent.enrolled_from,
        agent.key_fingerprint
    );
    audit::append(writing, now, &format!("agent {id}"), "agent-enrolled", &id.to_string(), &detail)?;
    Ok(response(authority, &name, &issued, state))
}

fn response(
    authority: &Authority,
    name: &AgentName,
    issued: &Issued,
    state: AgentState,
) -> Result<EnrollResponse, EnrollError> {
    Ok(EnrollResponse {
        agent: name.agent,
        tenant: name.tenant,
        domain: Text::new(name.domain.as_str()).map_err(|_| too_long())?,
        domain_sid: Text::new(name.domain_sid.as_str()).map_err(|_| too_long())?,
        certificate: blob(&issued.certificate)?,
        root: blob(authority.root())?,
        approved: state == AgentState::Approved,
        nodes: NodeUrls::default(),
    })
}

fn name_of(
    authority: &Authority,
    role: Role,
    domain: &str,
    domain_sid: &str,
    agent: Uuid,
    envelope: Option<[u8; 32]>,
) -> AgentName {
    let (domain, domain_sid) = (domain.to_owned(), domain_sid.to_owned());
    AgentName { tenant: authority.tenant(), role, domain, domain_sid, agent, envelope }
}

/// Checks the envelope key, to which passwords are sealed: a pta-agent must send one, a phs must not.
fn envelope_key(role: Role, named: Option<&Blob<32>>) -> Result<Option<[u8; 32]>, EnrollError> {
    let wrong = |what| refused(ProblemCode::BadRequestForCertificate, what);
    match (role, named) {
        (Role::Phs, None) => Ok(None),
        (Role::Phs, Some(_)) => Err(wrong("a phs has no envelope key")),
        (Role::Pta, None) => Err(wrong("a pta-agent sends an envelope key")),
        (Role::Pta, Some(key)) => EnvelopePublic::from_bytes(key.as_bytes())
            .map(|key| Some(key.to_bytes()))
            .map_err(|_| wrong("the envelope key is not one of X25519")),
    }
}

fn refused(code: ProblemCode, detail: &str) -> EnrollError {
    EnrollError::Refused(Problem::new(code, detail))
}

fn blob<const MAX: usize>(bytes: &[u8]) -> Result<Blob<MAX>, EnrollError> {
    Blob::new(bytes).map_err(|_| too_long())
}

fn too_long() -> EnrollError {
    refused(ProblemCode::Internal, "a certificate or a name is too long for the message")
}
