//! Carries out a request of an administrator and writes the audit entry with the requesting user id. Blocking.
//! Before it: [`super::Administration::act`].

use crate::administration::domain::{Actor, no_domain};
use crate::administration::operator::Operator;
use crate::administration::parts::Inner;
use crate::administration::request::{
    AdminRequest, AdminResponse, AgentRow, Confidential, DomainRow, MAX_ROWS, MAX_TOKEN_MINUTES, refusal,
};
use crate::administration::suffixes::refused_names;
use crate::events::{Event, Origin};
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_rules::model::{Agent, AgentState};
use landbridge_tenant_rules::model::{MIN_ITERATIONS, NewDomain};
use landbridge_tenant_rules::relay::AgentView;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::{agents, domains, group_policies, objects, refused_objects, tokens};
use landbridge_wire::bounded::Text;
use landbridge_wire::enroll::{Role, Token, TokenSecret};
use landbridge_wire::upload::Kind;
use std::sync::Arc;
use uuid::Uuid;

/// Limit on tokens that are neither used nor expired. A rollout needs one for each agent, and each lives at most ten
/// minutes; a script that runs wild stops here.
const MAX_OPEN_TOKENS: u32 = 1000;

/// Seconds for which `domains list` counts a refused object: 30 days, so that each full compare of a month counts it again
/// while it is still refused.
const RECENTLY: i64 = 30 * 86_400;

type Outcome = Result<AdminResponse, StoreError>;

/// Carries out one request. `now` is in seconds since 1970.
#[tracing::instrument(skip_all, fields(uid = operator.user.uid))]
pub(super) fn act(
    tenant: &Arc<Inner>,
    operator: &Operator,
    request: AdminRequest,
    now: i64,
) -> AdminResponse {
    // 1. Pass the request to the function that carries it out.
    let actor = Actor { tenant, name: operator.to_string(), now };
    let store = &tenant.store;
    let read = read_by(&request);
    let outcome = match request {
        AdminRequest::DomainsAdd { name, netbios, sid, allow_privileged } => {
            let min_iterations = MIN_ITERATIONS;
            let new = NewDomain {
                dns_name: &name,
                netbios_name: &netbios,
                sid: &sid,
                allow_privileged,
                min_iterations,
            };
            store.write("domain-add", |writing| actor.add_domain(writing, &new))
        }
        AdminRequest::DomainsList => store.look(|reading| list_domains(reading, now)),
        AdminRequest::DomainsPolicy { name, policy, approve_agents, change_passwords } => {
            actor.policy(&name, policy, approve_agents, change_passwords)
        }
        AdminRequest::MinIterations { name, iterations, accounts } => {
            actor.min_iterations(&name, iterations, accounts)
        }
        AdminRequest::DomainsRemove { name, accounts } => {
            crate::administration::remove_domain::remove(&actor, &name, accounts)
        }
        AdminRequest::GroupPolicy { name, group, policy, place } => {
            actor.group_policy(&name, &group, policy, place)
        }
        AdminRequest::CanaryAdd { name, user } => actor.canary(&name, &user, true),
        AdminRequest::CanaryRemove { name, user } => actor.canary(&name, &user, false),
        AdminRequest::CanaryList { name } => crate::administration::domain::list_canaries(tenant, &name),
        AdminRequest::SuffixAdd { name, suffix, shared } => actor.add_suffix(&name, &suffix, shared),
        AdminRequest::SuffixRemove { name, suffix, accounts } => {
            actor.remove_suffix(&name, &suffix, accounts)
        }
        AdminRequest::SuffixList { name } => {
            store.look(|reading| crate::administration::suffixes::list(reading, name.as_deref()))
        }
        AdminRequest::MovesList { from, to } => {
            store.look(|reading| crate::administration::move_objects::list(reading, &from, &to))
        }
        AdminRequest::MoveObjects { from, to, objects } => actor.move_objects(&from, &to, &objects),
        AdminRequest::TokenCreate { role, domain, minutes } => {
            store.write("token-create", |writing| actor.create_token(writing, role, &domain, minutes))
        }
        AdminRequest::AgentsList => store.look(|reading| list_agents(reading, &tenant.agents.relay.agents())),
        AdminRequest::AgentsApprove { agent, key } => {
            let outcome =
                store.write("agent-approve", |writing| actor.approve(writing, agent, key.as_deref()));
            if matches!(outcome, Ok(AdminResponse::Done(_))) {
                tenant.agents.relay.trust_again(agent);
            }
            outcome
        }
        AdminRequest::AgentsRevoke { agent } => {
            let outcome = store.write("agent-revoke", |writing| actor.revoke_agent(writing, agent));
            // The connections are cut after the commit, so an agent that reconnects at once finds its revocation.
            tenant.agents.relay.cut(agent);
            tenant.agents.open.cut(agent);
            outcome
        }
        AdminRequest::AppsCreate { settings } => {
            store.write("application-create", |writing| actor.create_app(writing, &settings))
        }
        AdminRequest::AppsList => store.look(crate::administration::apps::list),
        AdminRequest::AppsShow { name } => {
            store.look(|reading| crate::administration::apps::show(reading, &name))
        }
        AdminRequest::AppsAssign { name, everybody, add, remove } => store
            .write("application-assign", |writing| {
                actor.assign_app(writing, &name, everybody, (&add, &remove))
            }),
        AdminRequest::AppsNetworks { name, add, remove } => {
            store.write("application-networks", |writing| actor.app_networks(writing, &name, &add, &remove))
        }
        AdminRequest::AppsLdap { name, change } => {
            store.write("application-ldap", |writing| actor.app_ldap(writing, &name, change.as_ref()))
        }
        AdminRequest::AppsOidc { name, change } => {
            store.write("application-oidc", |writing| actor.app_oidc(writing, &name, change.as_ref()))
        }
        AdminRequest::AppsExplain { name, user } => {
            store.look(|reading| crate::administration::app_explained::explain(reading, &name, &user))
        }
        AdminRequest::AppsExport => store.look(crate::administration::app_settings::export),
        AdminRequest::AppsApply { apps, dry_run } => {
            store.write("applications-apply", |writing| actor.apply_apps(writing, &apps, dry_run))
        }
        AdminRequest::AppsSecretAdd { name, days } => {
            store.write("application-secret-add", |writing| actor.add_secret(writing, &name, days))
        }
        AdminRequest::AppsSecretRemove { name, number } => {
            store.write("application-secret-remove", |writing| actor.remove_secret(writing, &name, number))
        }
        AdminRequest::AppsRotate { name } => {
            store.write("application-rotate", |writing| actor.rotate_app(writing, &name))
        }
        AdminRequest::AppsRevoke { name } => {
            store.write("application-revoke", |writing| actor.revoke_app(writing, &name))
        }
        AdminRequest::UsersShow { name } => tenant.directory.describe(&name, now).map(AdminResponse::Users),
        AdminRequest::UsersAmbiguous => store.look(crate::administration::people::ambiguous),
        AdminRequest::UsersBlock { name } => crate::administration::people::block(&actor, &name, true),
        AdminRequest::UsersUnblock { name } => crate::administration::people::block(&actor, &name, false),
        AdminRequest::UsersBlocked => store.look(crate::administration::people::blocked),
        AdminRequest::GroupsList => tenant.directory.groups(MAX_ROWS).map(AdminResponse::Groups),
        AdminRequest::GroupsShow { name } => tenant.directory.group(&name).map(AdminResponse::Group),
        AdminRequest::UsersPurge { name } => crate::administration::people::purge(&actor, &name),
        AdminRequest::SessionsList { user } => {
            crate::administration::web_sessions::list(tenant, user.as_deref(), now)
        }
        AdminRequest::SessionsEnd { session } => {
            crate::administration::web_sessions::end_one(&actor, session)
        }
        AdminRequest::SessionsEndOf { user } => crate::administration::web_sessions::end_of(&actor, &user),
        AdminRequest::SessionsEndAll { sessions } => {
            crate::administration::web_sessions::end_all(&actor, sessions)
        }
        AdminRequest::KeysList => store.look(crate::administration::signing_keys::list),
        AdminRequest::KeysRotate => crate::administration::signing_keys::rotate(&actor),
        AdminRequest::KeysRevoke { kid, grants } => {
            crate::administration::signing_keys::revoke(&actor, &kid, grants)
        }
        AdminRequest::SignIn { user, password, source } => {
            Ok(crate::administration::trial::sign_in(tenant, &actor.name, &user, &password, &source, now))
        }
    };
    // 2. What was read is written down. The answer does not wait for it: on a full disk the administrator reads all
    //    the same, to find the reason.
    if let (Some(read), Ok(response)) = (read, &outcome) {
        let origin = Origin::Operator(&actor.name);
        tenant.agents.events.note(Event::Read, origin, read, &objects_in(response), now);
    }
    // 3. Report a failure of the database.
    outcome.unwrap_or_else(|error| {
        tracing::error!(%error, "the database refused an administrator's request");
        tenant.numbers.metrics.storage_errors.inc();
        match error {
            StoreError::Defect(what) => AdminResponse::Defect(what),
            error @ (StoreError::File { .. }
            | StoreError::Server { .. }
            | StoreError::Foreign { .. }
            | StoreError::Differs { .. }
            | StoreError::Seal(_)
            | StoreError::Conflict) => AdminResponse::StorageFailed(error.to_string()),
        }
    })
}

/// The command of a request that reads and changes nothing; none: the request writes an entry of its own.
fn read_by(request: &AdminRequest) -> Option<&'static str> {
    match request {
        AdminRequest::DomainsList => Some("domains list"),
        AdminRequest::DomainsPolicy {
            policy: None, approve_agents: None, change_passwords: None, ..
        } => Some("domains policy"),
        AdminRequest::CanaryList { .. } => Some("domains canary list"),
        AdminRequest::SuffixList { .. } => Some("domains suffix list"),
        AdminRequest::MovesList { .. } => Some("domains move-objects"),
        AdminRequest::AgentsList => Some("agents list"),
        AdminRequest::AppsList => Some("apps list"),
        AdminRequest::AppsShow { .. } => Some("apps show"),
        AdminRequest::AppsExplain { .. } => Some("apps explain"),
        AdminRequest::AppsExport => Some("apps export"),
        AdminRequest::AppsApply { dry_run: true, .. } => Some("apps apply --dry-run"),
        AdminRequest::UsersShow { .. } => Some("users show"),
        AdminRequest::UsersAmbiguous => Some("users ambiguous"),
        AdminRequest::UsersBlocked => Some("users blocked"),
        AdminRequest::GroupsList => Some("groups list"),
        AdminRequest::GroupsShow { .. } => Some("groups show"),
        AdminRequest::SessionsList { .. } => Some("sessions list"),
        AdminRequest::KeysList => Some("keys list"),
        AdminRequest::DomainsAdd { .. }
        | AdminRequest::DomainsPolicy { .. }
        | AdminRequest::MinIterations { .. }
        | AdminRequest::DomainsRemove { .. }
        | AdminRequest::GroupPolicy { .. }
        | AdminRequest::CanaryAdd { .. }
        | AdminRequest::CanaryRemove { .. }
        | AdminRequest::SuffixAdd { .. }
        | AdminRequest::SuffixRemove { .. }
        | AdminRequest::MoveObjects { .. }
        | AdminRequest::TokenCreate { .. }
        | AdminRequest::AgentsApprove { .. }
        | AdminRequest::AgentsRevoke { .. }
        | AdminRequest::AppsCreate { .. }
        | AdminRequest::AppsAssign { .. }
        | AdminRequest::AppsNetworks { .. }
        | AdminRequest::AppsLdap { .. }
        | AdminRequest::AppsOidc { .. }
        | AdminRequest::AppsApply { dry_run: false, .. }
        | AdminRequest::AppsSecretAdd { .. }
        | AdminRequest::AppsSecretRemove { .. }
        | AdminRequest::AppsRotate { .. }
        | AdminRequest::AppsRevoke { .. }
        | AdminRequest::UsersBlock { .. }
        | AdminRequest::UsersUnblock { .. }
        | AdminRequest::UsersPurge { .. }
        | AdminRequest::SessionsEnd { .. }
        | AdminRequest::SessionsEndOf { .. }
        | AdminRequest::SessionsEndAll { .. }
        | AdminRequest::KeysRotate
        | AdminRequest::KeysRevoke { .. }
        | AdminRequest::SignIn { .. } => None,
    }
}

/// The objectGUIDs of the accounts or groups that were shown. The name that was typed may be a password, and is left
/// out.
fn objects_in(response: &AdminResponse) -> String {
    let mut objects: Vec<String> = Vec::new();
    if let AdminResponse::Users(known) = response {
        objects.extend(known.accounts.iter().map(|one| one.object.to_string()));
    }
    if let AdminResponse::Group(known) = response {
        objects.extend(known.iter().map(|one| one.group.object.to_string()));
    }
    objects.join(", ")
}

impl Actor<'_> {
    fn add_domain(&self, writing: &Writing<'_>, new: &NewDomain<'_>) -> Outcome {
        match domains::add(writing, new, self.now)? {
            Ok(_) => {
                let detail = format!("{}, privileged accounts allowed: {}", new.sid, new.allow_privileged);
                self.audit(writing, "domain-added", &new.dns_name.to_ascii_lowercase(), &detail)?;
                Ok(AdminResponse::Done(format!("domain {} added", new.dns_name.to_ascii_lowercase())))
            }
            Err(why) => Ok(refusal(&why.to_string(), why.todo())),
        }
    }

    fn create_token(&self, writing: &Writing<'_>, role: Role, domain: &str, minutes: u32) -> Outcome {
        if !(1..=MAX_TOKEN_MINUTES).contains(&minutes) {
            let what = format!("a token can be used for 1 to {MAX_TOKEN_MINUTES} minutes");
            return Ok(refusal(&what, "use a smaller --minutes"));
        }
        let Some(domain) = domains::by_name(writing, domain)? else { return Ok(no_domain()) };
        if tokens::open(writing, self.now)? >= MAX_OPEN_TOKENS {
            return Ok(refusal("there are too many unused tokens", "wait ten minutes"));
        }
        let secret = BearerSecret::generate();
        let expires_at = self.now.saturating_add(i64::from(minutes) * 60);
        tokens::insert(writing, &secret.hash(), role, domain.id, self.now, expires_at)?;
        self.audit(writing, "token-created", &domain.dns_name, &format!("role {role}, {minutes} minutes"))?;
        let too_long = |_| StoreError::Defect("the tenant's URL does not fit into a token".to_owned());
        let token = Token {
            url: Text::new(self.tenant.url.as_str()).map_err(too_long)?,
            ca_sha256: Text::new(self.tenant.agents.authority.fingerprint()).map_err(too_long)?,
            secret: TokenSecret::new(secret.to_text().as_str().to_owned()),
        };
        Ok(AdminResponse::Token(Confidential::new(token.to_text().as_str().to_owned())))
    }

    fn approve(&self, writing: &Writing<'_>, id: Uuid, key: Option<&str>) -> Outcome {
        let Some(agent) = agents::find(writing, id)? else { return Ok(no_agent()) };
        if key.is_some() && key != agent.key_fingerprint.as_deref() {
            return Ok(refusal(
                "the agent has another key by now",
                "run `landbridge-tenant agents approve` again, and compare the key that it shows",
            ));
        }
        match agent.state {
            AgentState::Approved => {
                return Ok(AdminResponse::Done(format!("agent {id} is approved already")));
            }
            AgentState::Revoked => {
                return Ok(refusal(
                    "the agent is revoked, and a revocation is permanent",
                    "create a token with `landbridge-tenant token create`, and run `enroll --replace` on the agent's machine",
                ));
            }
            AgentState::Pending | AgentState::Quarantined => {}
        }
        if !agents::change_state(writing, id, agent.state, AgentState::Approved)? {
            return Err(StoreError::Conflict);
        }
        let detail = format!(
            "role {}, domain {}, was {}, key {}",
            agent.role,
            agent.domain_name,
            agent.state.as_str(),
            agent.key_fingerprint.as_deref().unwrap_or("not known")
        );
        self.audit(writing, "agent-approved", &id.to_string(), &detail)?;
        Ok(AdminResponse::Done(format!(
            "agent {id} approved: role {}, domain {}",
            agent.role, agent.domain_name
        )))
    }

    fn revoke_agent(&self, writing: &Writing<'_>, id: Uuid) -> Outcome {
        let Some(agent) = agents::find(writing, id)? else { return Ok(no_agent()) };
        if agent.state == AgentState::Revoked {
            domains::release_writer(writing, id)?;
            return Ok(AdminResponse::Done(format!("agent {id} is revoked already")));
        }
        if !agents::change_state(writing, id, agent.state, AgentState::Revoked)? {
            return Err(StoreError::Conflict);
        }
        let was_writer = domains::release_writer(writing, id)?;
        let detail =
            format!("role {}, domain {}, was its writer: {was_writer}", agent.role, agent.domain_name);
        self.audit(writing, "agent-revoked", &id.to_string(), &detail)?;
        Ok(AdminResponse::Done(format!("agent {id} revoked; its connections are cut")))
    }
}

fn list_domains(reading: &Reading<'_>, now: i64) -> Outcome {
    let rows = domains::all(reading)?.into_iter().map(|domain| {
        Ok(DomainRow {
            accounts: objects::present_in(reading, domain.id, Kind::Account)?,
            refused_names: refused_names(reading, &domain)?,
            refused_objects: refused_objects::count(reading, domain.id, now.saturating_sub(RECENTLY))?,
            name: domain.dns_name,
            netbios: domain.netbios_name,
            sid: domain.sid,
            allow_privileged: domain.allow_privileged,
            signin: domain.signin,
            group_policies: group_policies::of(reading, domain.id)?.len(),
            writer: domain.writer,
            synchronized: domain.acknowledged.is_some(),
            added_at: domain.added_at,
        })
    });
    Ok(AdminResponse::Domains(rows.collect::<Result<_, StoreError>>()?))
}

fn list_agents(reading: &Reading<'_>, connected: &[AgentView]) -> Outcome {
    let row = |agent: Agent| AgentRow {
        id: agent.id,
        role: agent.role.to_string(),
        domain: agent.domain_name,
        state: agent.state.as_str().to_owned(),
        host: agent.host,
        software: agent.software,
        connections: connected.iter().find(|view| view.agent == agent.id).map_or(0, |view| view.links),
        not_after: agent.not_after,
        seen_at: agent.seen_at,
        enrolled_at: agent.enrolled_at,
        enrolled_from: agent.enrolled_from,
        key: agent.key_fingerprint,
        proved_at: agent.proved_at,
    };
    Ok(AdminResponse::Agents(agents::list(reading, MAX_ROWS)?.into_iter().map(row).collect()))
}

fn no_agent() -> AdminResponse {
    refusal("there is no such agent", "see `landbridge-tenant agents list`")
}
