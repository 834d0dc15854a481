//! Stops serving a domain: erases everything that is stored of it, cuts its agents off and revokes its applications.
//! Before it: [`super::act`]. Neighbours: the store erases rows to the last byte.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::request::{AdminResponse, MAX_ROWS};
use landbridge_tenant_rules::model::{Agent, Application, Domain};
use landbridge_tenant_store::tables::{
    agents, apps, blocks, canaries, digests, domains, group_policies, objects, suffixes,
};
use landbridge_tenant_store::{Reading, StoreError};
use landbridge_wire::printable::one_line;
use landbridge_wire::upload::Kind;

/// What goes with a domain.
struct Contents {
    domain: Domain,
    accounts: u64,
    digests: u64,
    groups: u64,
    suffixes: usize,
    group_policies: usize,
    canaries: usize,
    blocks: usize,
    agents: Vec<Agent>,
    apps: Vec<Application>,
}

/// Removes a domain. `confirmed` is the number of present accounts that the administrator agreed to; none: nothing is
/// done, and what would go is returned.
pub(super) fn remove(
    actor: &Actor<'_>,
    name: &str,
    confirmed: Option<u64>,
) -> Result<AdminResponse, StoreError> {
    let tenant = actor.tenant;
    let outcome = tenant.store.erase_rows("domain-remove", |writing| {
        // 1. Find the domain, and ask if more accounts would go than the administrator agreed to.
        let Some(domain) = domains::by_name(writing, name)? else { return Ok((Err(no_domain()), 0)) };
        let contents = Contents::of(writing, domain)?;
        let accounts = contents.accounts;
        if confirmed.is_none_or(|confirmed| confirmed < accounts) {
            return Ok((Err(AdminResponse::Confirm { what: contents.to_text(), accounts }), 0));
        }
        // 2. Erase it, and write it down.
        let rows = domains::remove(writing, contents.domain.id, actor.now)?;
        let ids: Vec<String> = contents.agents.iter().map(|agent| agent.id.to_string()).collect();
        let detail = format!(
            "{}; accounts {accounts}, digests {}, agents {}, applications {}",
            contents.domain.sid,
            contents.digests,
            if ids.is_empty() { "none".to_owned() } else { ids.join(" ") },
            contents.apps.len()
        );
        actor.audit(writing, "domain-removed", &contents.domain.dns_name, &detail)?;
        Ok((Ok(contents), rows))
    })?;
    let contents = match outcome {
        Ok(contents) => contents,
        Err(response) => return Ok(response),
    };
    // 3. After the commit: an agent that reconnects at once finds that the tenant does not know it.
    for agent in &contents.agents {
        tenant.agents.relay.cut(agent.id);
        tenant.agents.open.cut(agent.id);
    }
    tenant.agents.relay.set_canaries(contents.domain.id, Vec::new());
    for app in &contents.apps {
        tenant.rates.forget(app.id);
    }
    let later = if tenant.store.needs_checkpoint() {
        "; a backup is running, so the last bytes leave the write-ahead log within an hour after the backup"
    } else {
        ""
    };
    Ok(AdminResponse::Done(format!(
        "domain {} removed: {} accounts are erased, {} agents cut off, {} applications revoked; the audit log and older \
         backups still name them{later}",
        contents.domain.dns_name,
        contents.accounts,
        contents.agents.len(),
        contents.apps.len()
    )))
}

impl Contents {
    fn of(reading: &Reading<'_>, domain: Domain) -> Result<Self, StoreError> {
        let count = |kind| objects::present_in(reading, domain.id, kind);
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        let of_domain = |agent: &Agent| agent.domain == domain.id;
        let is_limited = |app: &Application| {
            app.revoked_at.is_none() && app.domain_rows().is_some_and(|rows| rows == [domain.id])
        };
        Ok(Self {
            accounts: number(count(Kind::Account)?),
            digests: number(digests::count(reading, domain.id)?),
            groups: number(count(Kind::Group)?),
            suffixes: suffixes::of(reading, domain.id)?.len(),
            group_policies: group_policies::of(reading, domain.id)?.len(),
            canaries: canaries::of(reading, domain.id)?.len(),
            blocks: blocks::all(reading)?.iter().filter(|block| block.domain == domain.id).count(),
            agents: agents::list(reading, MAX_ROWS)?.into_iter().filter(of_domain).collect(),
            apps: apps::list(reading, MAX_ROWS)?.into_iter().filter(is_limited).collect(),
            domain,
        })
    }

    /// What goes, for the administrator who has to agree.
    fn to_text(&self) -> String {
        let Self { domain, accounts, digests, groups, suffixes, group_policies, canaries, blocks, .. } = self;
        let mut lines = vec![
            format!("{} ({}) is removed, with everything that is stored of it:", domain.dns_name, domain.sid),
            format!("  {accounts} accounts with {digests} digests and all their names, and {groups} groups"),
            format!(
                "  {suffixes} UPN suffixes, {group_policies} sign-in policies of groups, {canaries} canaries, {blocks} blocks"
            ),
        ];
        for agent in &self.agents {
            let (role, host, state) = (agent.role, one_line(&agent.host), agent.state.as_str());
            lines.push(format!("  agent {} ({role}, {state}) on {host}, which is cut off", agent.id));
        }
        for app in &self.apps {
            lines.push(format!(
                "  application {}, which may sign in its people alone: it is revoked",
                app.name
            ));
        }
        lines.push(
            "Its people do not sign in any more. To serve the domain again, add it and enrol its agents again.".to_owned(),
        );
        lines.join("\n")
    }
}
