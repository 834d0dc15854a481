//! What an administrator says about a domain's sign-ins: the policy, and the accounts that agents are tried with.
//! Before it: [`super::act`].

use crate::administration::Inner;
use crate::administration::group_policy;
use crate::administration::request::{AdminResponse, refusal};
use crate::text::printable;
use landbridge_tenant_rules::lockout::AdBudget;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::names::whose;
use landbridge_tenant_store::tables::{attributes, audit, canaries, objects};
use uuid::Uuid;

type Outcome = Result<AdminResponse, StoreError>;

/// Who asks, and when.
pub(super) struct Actor<'a> {
    pub(super) tenant: &'a Inner,
    /// For the audit log.
    pub(super) name: String,
    pub(super) now: i64,
}

impl Actor<'_> {
    /// Shows or sets how a domain's people sign in.
    pub(super) fn policy(
        &self,
        name: &str,
        policy: Option<SigninPolicy>,
        approve_agents: Option<bool>,
    ) -> Outcome {
        if policy.is_some() || approve_agents.is_some() {
            let refused = self.set_policy(name, policy, approve_agents)?;
            if let Some(refused) = refused {
                return Ok(refused);
            }
        }
        self.tenant.store.look(|reading| {
            let Some(domain) = domains::by_name(reading, name)? else { return Ok(no_domain()) };
            let text = policy_text(&domain, AdBudget::of(&domain.policy));
            Ok(AdminResponse::Done(text + &group_policy::lines(reading, &domain)?))
        })
    }

    /// Says why not, if it is not done.
    fn set_policy(
        &self,
        name: &str,
        policy: Option<SigninPolicy>,
        approve_agents: Option<bool>,
    ) -> Result<Option<AdminResponse>, StoreError> {
        self.tenant.store.write("domain-policy-set", |writing| {
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(Some(no_domain())) };
            let wanted = policy.unwrap_or(domain.signin);
            if wanted.asks_agents()
                && let Some((what, todo)) = agents_refused(AdBudget::of(&domain.policy))
            {
                return Ok(Some(refusal(&what, todo)));
            }
            let approve = approve_agents.unwrap_or(domain.approve_agents);
            domains::set_signin(writing, domain.id, wanted, approve)?;
            let detail = format!(
                "sign-in by {}, was {}; new agents wait for approval: {approve}",
                wanted.as_str(),
                domain.signin.as_str()
            );
            self.audit(writing, "domain-policy", &domain.dns_name, &detail)?;
            Ok(None)
        })
    }

    /// Names an account that agents are tried with, or takes it back.
    pub(super) fn canary(&self, name: &str, user: &str, add: bool) -> Outcome {
        let outcome = self.tenant.store.write("canary-set", |writing| {
            let Some(domain) = domains::by_name(writing, name)? else { return Ok((None, no_domain())) };
            let listed = canaries::of(writing, domain.id)?;
            let object = match Uuid::parse_str(user) {
                // As `canary list` shows it, for one whose name is gone.
                Ok(object) if !add && listed.contains(&object) => object,
                Ok(_) | Err(_) => match folded(user).map(|user| whose(writing, &user)).transpose()? {
                    Some(Whose::One(object)) => object,
                    Some(Whose::Nobody | Whose::Ambiguous) | None => {
                        let what = format!("no one account has the name {user}");
                        return Ok((None, refusal(&what, "see `landbridge-tenant users show`")));
                    }
                },
            };
            let of = objects::find(writing, object)?.map(|account| account.domain);
            if of != Some(domain.id) && !listed.contains(&object) {
                return Ok((None, refusal("the account is of another domain", "name one of this domain")));
            }
            let done = if !add {
                canaries::remove(writing, object)?
            } else if listed.len() >= canaries::MOST {
                return Ok((None, refusal("the domain has as many canaries as it may have", "remove one")));
            } else {
                canaries::add(writing, domain.id, object, self.now)?
            };
            let (action, word) =
                if add { ("canary-added", "is") } else { ("canary-removed", "is no longer") };
            if done {
                self.audit(writing, action, &object.to_string(), &domain.dns_name)?;
            }
            let before = if done { "" } else { " (as before)" };
            let text = format!("{object} {word} a canary of {}{before}", domain.dns_name);
            Ok((Some((domain.id, canaries::of(writing, domain.id)?)), AdminResponse::Done(text)))
        });
        let (changed, response) = outcome?;
        if let Some((domain, objects)) = changed {
            self.tenant.agents.relay.set_canaries(domain, objects);
        }
        Ok(response)
    }

    pub(super) fn audit(
        &self,
        writing: &Writing<'_>,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        audit::append(writing, self.now, &self.name, action, subject, detail)
    }
}

/// The canaries of a domain, a line each.
pub(super) fn list_canaries(tenant: &Inner, name: &str) -> Outcome {
    tenant.store.look(|reading| {
        let Some(domain) = domains::by_name(reading, name)? else { return Ok(no_domain()) };
        let objects = canaries::of(reading, domain.id)?;
        if objects.is_empty() {
            let text = "none is named: agents are tried with objectGUIDs that no account has";
            return Ok(AdminResponse::Done(text.to_owned()));
        }
        let line = |object| {
            let known = attributes::of(reading, object)?;
            let name = known.user_principal_name.or(known.sam_account_name).unwrap_or_default();
            Ok(format!("{object}  {}", printable(&name)))
        };
        let lines: Result<Vec<String>, StoreError> = objects.into_iter().map(line).collect();
        Ok(AdminResponse::Done(lines?.join("\n")))
    })
}

pub(super) fn no_domain() -> AdminResponse {
    refusal("this tenant serves no such domain", "see `domains list`, or add it with `domains add`")
}

fn policy_text(domain: &Domain, budget: AdBudget) -> String {
    let limit = match budget {
        AdBudget::Unbounded => {
            "the domain locks nobody: as many wrong passwords as the smart lockout lets through".to_owned()
        }
        AdBudget::Bounded { most, window } => format!(
            "it locks at {} bad passwords; of them at most {most} an account come from outside, until {} minutes after \
             the last",
            domain.policy.lockout_threshold.unwrap_or_default(),
            window / 60
        ),
        AdBudget::None { threshold } => {
            format!("its lockout threshold of {threshold} leaves no room for agents")
        }
        AdBudget::Unknown => "its lockout policy is not known yet: a phs tells it".to_owned(),
    };
    let agents = if domain.approve_agents { "wait for `agents approve`" } else { "work at once" };
    format!("{}: sign-in by {}; {limit}; new pta-agents {agents}", domain.dns_name, domain.signin.as_str())
}

/// Why agents may not decide for a domain.
pub(super) fn agents_refused(budget: AdBudget) -> Option<(String, &'static str)> {
    match budget {
        AdBudget::Unbounded | AdBudget::Bounded { .. } => None,
        AdBudget::None { threshold } => Some((
            format!(
                "the domain locks an account after {threshold} bad passwords: one wrong sign-in from outside and one \
                 inside would lock it"
            ),
            "raise lockoutThreshold to 3 or more (10 is usual), synchronise, and say it again; or stay with phs",
        )),
        AdBudget::Unknown => Some((
            "the domain's lockout policy is not known, and wrong sign-ins could lock people out of it"
                .to_owned(),
            "run its phs once; a phs that sends no passwords will do",
        )),
    }
}
