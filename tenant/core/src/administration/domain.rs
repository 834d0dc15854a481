//! The settings of a domain's sign-ins: its policy, the least iterations of its digests, and its canaries. A canary is
//! an account that no person uses; the relay sends wrong passwords for it to agents and raises an alarm when one
//! accepts. Before it: [`super::act`]. Neighbours: [`super::group_policy`] has the policies of groups.

use crate::administration::group_policy_lines::lines;
use crate::administration::parts::Inner;
use crate::administration::request::{AdminResponse, refusal};
use landbridge_crypto::salted_digest::Profile;
use landbridge_tenant_rules::lockout::AdBudget;
use landbridge_tenant_rules::model::{ChangePolicy, Domain, SigninPolicy};
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::tables::names::whose;
use landbridge_tenant_store::tables::{attributes, audit, canaries, digests, domains, objects};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use landbridge_wire::printable::one_line;
use uuid::Uuid;

type Outcome = Result<AdminResponse, StoreError>;

/// The requesting user, and the time of the request.
pub(super) struct Actor<'a> {
    pub(super) tenant: &'a Inner,
    /// The name in the audit log, as [`super::operator::Operator`] shows it.
    pub(super) name: String,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl Actor<'_> {
    /// Sets the parts of a domain's sign-in policy that are given, and returns the whole policy as text.
    pub(super) fn policy(
        &self,
        name: &str,
        policy: Option<SigninPolicy>,
        approve_agents: Option<bool>,
        change_passwords: Option<ChangePolicy>,
    ) -> Outcome {
        if policy.is_some() || approve_agents.is_some() || change_passwords.is_some() {
            let refused = self.set_policy(name, policy, approve_agents, change_passwords)?;
            if let Some(refused) = refused {
                return Ok(refused);
            }
        }
        self.tenant.store.look(|reading| {
            let Some(domain) = domains::by_name(reading, name)? else { return Ok(no_domain()) };
            let text = policy_text(&domain, AdBudget::of(&domain.policy));
            let fewer = self.with_fewer_iterations(reading, &domain, domain.min_iterations)?;
            let fewer = match fewer {
                0 => String::new(),
                n => format!("\n{n} accounts have a digest with fewer: they sign in by it until their phs sends another"),
            };
            Ok(AdminResponse::Done(text + &fewer + &lines(reading, &domain)?))
        })
    }

    fn with_fewer_iterations(
        &self,
        reading: &Reading<'_>,
        domain: &Domain,
        iterations: u32,
    ) -> Result<u64, StoreError> {
        let keys = self.tenant.store.seal_keys();
        digests::with_fewer_iterations(reading, keys, domain.id, iterations)
    }

    /// Sets the least iterations of a digest that the domain accepts. Stored digests with fewer stay. `confirmed` is
    /// the number of accounts with such a digest that the administrator agreed to; none: if there is one, nothing is
    /// done, and the number is returned.
    pub(super) fn min_iterations(&self, name: &str, iterations: u32, confirmed: Option<u64>) -> Outcome {
        let most = Profile::Strong.iterations();
        if !(1..=most).contains(&iterations) {
            let what =
                format!("the least number of iterations must be 1 to {most}: no profile of phs has more");
            return Ok(refusal(&what, "`--min-iterations 600000` accepts the profile `strong` alone"));
        }
        self.tenant.store.write("domain-min-iterations", |writing| {
            // 1. Ask, if accounts have a digest that would not be accepted any more.
            let Some(domain) = domains::by_name(writing, name)? else { return Ok(no_domain()) };
            let fewer = self.with_fewer_iterations(writing, &domain, iterations)?;
            let raises = iterations > domain.min_iterations;
            if raises && fewer > 0 && confirmed.is_none_or(|confirmed| confirmed < fewer) {
                let what = format!(
                    "{fewer} accounts of {} have a digest with fewer than {iterations} iterations. They sign in by it until \
                     their phs sends one with more; whose password changes before `[passwords] profile` of phs is raised \
                     does not sign in by digest until then",
                    domain.dns_name
                );
                return Ok(AdminResponse::Confirm { what, accounts: fewer });
            }
            // 2. Set it, and write it down.
            domains::set_min_iterations(writing, domain.id, iterations)?;
            let detail =
                format!("at least {iterations}, was {}; {fewer} accounts have fewer", domain.min_iterations);
            self.audit(writing, "domain-min-iterations", &domain.dns_name, &detail)?;
            Ok(AdminResponse::Done(format!(
                "{} accepts digests with at least {iterations} iterations; {fewer} accounts have one with fewer",
                domain.dns_name
            )))
        })
    }

    /// Returns a refusal if the policy cannot be set.
    fn set_policy(
        &self,
        name: &str,
        policy: Option<SigninPolicy>,
        approve_agents: Option<bool>,
        change_passwords: Option<ChangePolicy>,
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
            let change = change_passwords.unwrap_or(domain.change_passwords);
            domains::set_signin(writing, domain.id, wanted, approve)?;
            domains::set_change_policy(writing, domain.id, change)?;
            let detail = format!(
                "sign-in by {}, was {}; new agents wait for approval: {approve}; change of passwords: {}",
                wanted.as_str(),
                domain.signin.as_str(),
                change.as_str()
            );
            self.audit(writing, "domain-policy", &domain.dns_name, &detail)?;
            Ok(None)
        })
    }

    /// Adds or removes a canary of a domain. `user` is a sign-in name; for a removal also an objectGUID of the list.
    pub(super) fn canary(&self, name: &str, user: &str, add: bool) -> Outcome {
        let outcome = self.tenant.store.write("canary-set", |writing| {
            // 1. Find the domain and the account.
            let Some(domain) = domains::by_name(writing, name)? else { return Ok((None, no_domain())) };
            let listed = canaries::of(writing, domain.id)?;
            let object = match Uuid::parse_str(user) {
                // `canary list` shows the objectGUID. An account that was deleted in AD has no name any more.
                Ok(object) if !add && listed.contains(&object) => object,
                Ok(_) | Err(_) => match folded(user).map(|user| whose(writing, &user)).transpose()? {
                    Some(Whose::One(object)) => object,
                    Some(Whose::Nobody | Whose::Ambiguous) | None => {
                        let what = format!("no single account has the name {user}");
                        return Ok((
                            None,
                            refusal(&what, "`landbridge-tenant users show` shows whose a name is, and an account's names"),
                        ));
                    }
                },
            };
            // 2. Refuse an account of another domain. An account of the list may be erased by now: it can be removed.
            let of = objects::find(writing, object)?.map(|account| account.domain);
            if of != Some(domain.id) && !listed.contains(&object) {
                return Ok((
                    None,
                    refusal("the account belongs to another domain", "name an account of this domain"),
                ));
            }
            // 3. Change the list, and write the audit entry if it changed.
            let done = if !add {
                canaries::remove(writing, object)?
            } else if listed.len() >= canaries::MOST {
                return Ok((
                    None,
                    refusal(
                        "the domain has the largest allowed number of canaries",
                        "take one away with `landbridge-tenant domains canary remove`",
                    ),
                ));
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
            Ok((Some((domain.id, canaries::principals(writing, &domain)?)), AdminResponse::Done(text)))
        });
        // 4. Send the new list to the relay, after the commit.
        let (changed, response) = outcome?;
        if let Some((domain, accounts)) = changed {
            self.tenant.agents.relay.set_canaries(domain, accounts);
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

/// Lists the canaries of a domain, one line for each.
pub(super) fn list_canaries(tenant: &Inner, name: &str) -> Outcome {
    tenant.store.look(|reading| {
        let Some(domain) = domains::by_name(reading, name)? else { return Ok(no_domain()) };
        let objects = canaries::of(reading, domain.id)?;
        if objects.is_empty() {
            let text = "the domain has no canaries: agents are tested with names that no account has";
            return Ok(AdminResponse::Done(text.to_owned()));
        }
        let line = |object| {
            let known = attributes::of(reading, object)?;
            let name = known.user_principal_name.or(known.sam_account_name).unwrap_or_default();
            Ok(format!("{object}  {}", one_line(&name)))
        };
        let lines: Result<Vec<String>, StoreError> = objects.into_iter().map(line).collect();
        Ok(AdminResponse::Done(lines?.join("\n")))
    })
}

pub(super) fn no_domain() -> AdminResponse {
    refusal(
        "this tenant serves no such domain",
        "see `landbridge-tenant domains list`, or add it with `landbridge-tenant domains add`",
    )
}

fn policy_text(domain: &Domain, budget: AdBudget) -> String {
    let limit = match budget {
        AdBudget::Unbounded => {
            "the domain never locks an account, so only the smart lockout limits wrong passwords".to_owned()
        }
        AdBudget::Bounded { threshold, most, memory } => format!(
            "AD locks an account at {threshold} bad passwords; for one account unknown sources cause at most {most} of \
             them, and known sources as many, until {} minutes after the last",
            memory / 60
        ),
        AdBudget::None { threshold } => {
            format!("its lockout threshold of {threshold} is too low for sign-ins by agents")
        }
        AdBudget::Unknown => "its lockout policy is not known yet: a phs uploads it".to_owned(),
    };
    let agents = if domain.approve_agents { "wait for `agents approve`" } else { "can work at once" };
    let changes = match domain.change_passwords {
        ChangePolicy::Off => "people do not change their passwords here",
        ChangePolicy::On => "people may change their passwords here",
        ChangePolicy::WhenRequired => "people change a password here when it has expired or must be changed",
    };
    format!(
        "{}: sign-in by {}; {limit}; new pta-agents {agents}; digests have at least {} iterations; {changes}",
        domain.dns_name,
        domain.signin.as_str(),
        domain.min_iterations
    )
}

/// Why agents must not verify passwords of a domain, and what to do; none: they may.
pub(super) fn agents_refused(budget: AdBudget) -> Option<(String, &'static str)> {
    match budget {
        AdBudget::Unbounded | AdBudget::Bounded { .. } => None,
        AdBudget::None { threshold } => Some((
            format!(
                "the domain locks an account after {threshold} bad passwords: one wrong sign-in through the tenant and one in \
                 the domain would lock it"
            ),
            "raise lockoutThreshold to 3 or more (10 is common), let phs run once, and try again; or keep the policy phs",
        )),
        AdBudget::Unknown => Some((
            "the domain's lockout policy is not known, so wrong sign-ins could lock accounts in AD"
                .to_owned(),
            "run `landbridge-phs once` for the domain; a phs that sends no passwords is enough",
        )),
    }
}
