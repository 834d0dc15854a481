//! One sign-in as a machine: facts in, next step out.
//!
//! The caller reads all facts of a sign-in in one snapshot, calls [`SignIn::next`], does the step, and comes back
//! with what came of it. No disk, no clock and no thread is here, so every sentence about sign-ins is tested in
//! memory.
//!
//! A sign-in takes one of two roads. On the digest road the tenant verifies the password itself. On the agents' road
//! a domain controller does, asked by an agent; where the domain's policy allows it, the digest decides while no
//! agent can answer. A name that nobody has takes the road that an account's name would take, and ends in the same
//! way and time.
//! Neighbours: the crate `store` reads [`Facts`]; the crate `core` has the threads, the agents and the memory.

mod facts;
mod step;

pub use facts::{AccountFacts, Counters, DigestFact, DomainFacts, Facts, Holds, Memory, Silence, Subject};
pub use step::{Against, Answered, Charge, DecidedBy, Decision, Like, Settle, Step, Wait};

use crate::account_state::{Account, State, state};
use crate::lockout::{AdBudget, RefusedAt, Rules};
use crate::model::SigninPolicy;
use crate::relay::{AgentAnswer, NoAnswer};
use crate::verdict::{Effect, Person, Unavailable, Verdict, Why};
use landbridge_wire::signin as wire;
use std::time::Duration;
use uuid::Uuid;

/// One sign-in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    /// The rules of the smart lockout.
    pub rules: &'a Rules,
    /// The password is empty, or longer than any that is looked at.
    pub bad_password: bool,
}

impl SignIn<'_> {
    /// The next step with these facts. `now` is in seconds since 1970.
    pub fn next(&self, facts: &Facts, memory: &Memory, holds: Holds, now: i64) -> Step {
        match &facts.domain {
            Some(domain) if domain.policy.asks_agents() => {
                self.on_the_agents_road(facts, domain, memory, holds, now)
            }
            Some(_) | None => self.on_the_digest_road(facts, memory, holds, now),
        }
    }

    /// The next step on the digest road. A caller whose agents gave no verdict goes on here.
    pub fn on_the_digest_road(&self, facts: &Facts, memory: &Memory, holds: Holds, now: i64) -> Step {
        let (by, wait) = way_of_digest(facts, memory);
        // 1. What costs nothing.
        if self.bad_password {
            return done(refused(Why::BadPassword, None), by, wait);
        }
        // 2. The lockout. A lock is found without a derivation, and held back until it looks like one.
        if self.is_locked(facts, now) {
            let wait = Wait { like: Like::Derivation, ..wait };
            return done(refused(Why::LockedOut, facts.subject.account()), by, wait);
        }
        // 3. One at a time for an account. Those before it in the queue may use up what the lockout leaves.
        if !holds.place {
            return Step::WaitForPlace;
        }
        // 4. A derivation in any case.
        Step::Derive(match reason_without_derivation(facts) {
            None => Against::Digest,
            Some(_) => Against::Decoy(facts.domain.as_ref().map(|domain| domain.id)),
        })
    }

    /// The password was verified on the digest road.
    pub fn derived(&self, facts: &Facts, memory: &Memory, fits: bool, now: i64) -> Decision {
        let (by, wait) = way_of_digest(facts, memory);
        let object = facts.subject.account();
        let verdict = match (reason_without_derivation(facts), &facts.account, &facts.domain) {
            (Some(why), ..) => refused(why, object),
            (None, Some(account), Some(domain)) if fits => judged(account, domain, object, now),
            (None, Some(_), Some(_)) => refused(Why::WrongPassword, object),
            (None, ..) => refused(Why::UnknownName, object),
        };
        let settle = settle_of(&verdict, RefusedAt { at: now, password_set: None });
        Decision { verdict, by, settle, wait }
    }

    fn on_the_agents_road(
        &self,
        facts: &Facts,
        domain: &DomainFacts,
        memory: &Memory,
        holds: Holds,
        now: i64,
    ) -> Step {
        // 1. The subject's turn comes first, so that many sign-ins at once get no more tries than the lockout allows,
        //    and an account cannot be told from a name that nobody has.
        if !holds.turn {
            return Step::WaitForTurn;
        }
        let object = facts.subject.account();
        let like_an_agent = Wait { like: Like::Agent(domain.id), ..Wait::default() };
        let refuse = |why| done(refused(why, object), DecidedBy::Tenant, like_an_agent);
        let digest_instead = || self.on_the_digest_road(facts, memory, holds, now);
        // 2. What costs nothing, and the lockout.
        if self.bad_password {
            return refuse(Why::BadPassword);
        }
        if self.is_locked(facts, now) {
            return refuse(Why::LockedOut);
        }
        // 3. A name that nobody has is refused without asking an agent. Where an account's sign-in would have no
        //    answer, this one has none either: a refusal would tell that nobody has the name.
        let Some((account, object)) = facts.account.as_ref().zip(object) else {
            let unable = match domain.budget {
                AdBudget::None { .. } | AdBudget::Unknown => Some(Unavailable::NoRoomInDirectory),
                AdBudget::Unbounded | AdBudget::Bounded { .. } => {
                    memory.unable.or(memory.silence.map(|silence| silence.why)).map(Unavailable::NoAnswer)
                }
            };
            return match unable {
                Some(_) if domain.policy == SigninPolicy::PtaThenPhs => digest_instead(),
                Some(why @ Unavailable::NoAnswer(_)) => {
                    let wait = Wait { silence: silence_of(memory), ..Wait::default() };
                    done(Verdict::Unavailable(why), DecidedBy::Tenant, wait)
                }
                Some(why) => done(Verdict::Unavailable(why), DecidedBy::Tenant, like_an_agent),
                None => {
                    let verdict = refused(facts.nobody.unwrap_or(Why::UnknownName), None);
                    let settle = settle_of(&verdict, RefusedAt { at: now, password_set: None });
                    Step::Done(Box::new(Decision {
                        verdict,
                        by: DecidedBy::Tenant,
                        settle,
                        wait: like_an_agent,
                    }))
                }
            };
        };
        // 4. The account itself.
        if !account.present {
            return refuse(Why::UnknownName);
        }
        if account.canary {
            return refuse(Why::Canary);
        }
        // 5. AD's own lockout must stay out of reach.
        match domain.budget {
            AdBudget::None { .. } | AdBudget::Unknown => {
                return match domain.policy {
                    SigninPolicy::PtaThenPhs => digest_instead(),
                    // An account's own policy stops that account; the domain's stops everybody.
                    SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse
                        if !domain.budget_is_domains =>
                    {
                        refuse(Why::NoRoom)
                    }
                    SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse => done(
                        Verdict::Unavailable(Unavailable::NoRoomInDirectory),
                        DecidedBy::Tenant,
                        like_an_agent,
                    ),
                };
            }
            AdBudget::Unbounded | AdBudget::Bounded { .. } => {}
        }
        if !domain.budget.allows(account.spent.as_ref(), now) {
            return refuse(Why::HeldBack);
        }
        if memory.too_many_unwritten {
            return done(Verdict::Unavailable(Unavailable::Storage), DecidedBy::Tenant, like_an_agent);
        }
        // 6. A password that the directory refused a moment ago is not tried there again.
        if memory.refused_before {
            return refuse(Why::RefusedBefore);
        }
        Step::AskAgent { domain: domain.id, object }
    }

    /// An agent was asked, with the facts `before`. `facts` are those of now: the account may have been deleted or
    /// refused since.
    pub fn answered(
        &self,
        before: &Facts,
        facts: &Facts,
        memory: &Memory,
        asked: &AgentAnswer,
        holds: Holds,
        now: i64,
    ) -> Answered {
        let charge = charge_of(before, facts, asked, now);
        let object = before.subject.account();
        let said = match asked.outcome {
            Ok(said) => said,
            // Each agent holds back: one more bad password could lock the account. This ends as when the tenant holds
            // back, since a name that nobody has could not have this outcome.
            Err(NoAnswer::AtBound) => {
                let like = before.domain.as_ref().map_or(Like::Nothing, |domain| Like::Agent(domain.id));
                let wait = Wait { like, ..Wait::default() };
                return Answered {
                    charge,
                    step: done(refused(Why::HeldBack, object), DecidedBy::Agent, wait),
                };
            }
            // The digest decides while there is no verdict, and never after one.
            Err(why) => {
                let instead = before.domain.as_ref().is_some_and(|d| d.policy == SigninPolicy::PtaThenPhs);
                let step = if instead {
                    self.on_the_digest_road(facts, memory, holds, now)
                } else {
                    let verdict = Verdict::Unavailable(Unavailable::NoAnswer(why));
                    done(verdict, DecidedBy::Agent, Wait::default())
                };
                return Answered { charge, step };
            }
        };
        let in_state = |state: State| Verdict::Refused {
            disclosed: state.disclosable(),
            why: Why::State(state),
            object,
        };
        let verdict = match said {
            wire::DirectoryVerdict::Valid => accepted(facts, object),
            wire::DirectoryVerdict::Wrong => refused(Why::WrongPassword, object),
            wire::DirectoryVerdict::PasswordExpired => in_state(State::PasswordExpired),
            wire::DirectoryVerdict::AccountExpired => in_state(State::AccountExpired),
            wire::DirectoryVerdict::MustChange => in_state(State::MustChange),
            wire::DirectoryVerdict::Disabled => in_state(State::Disabled),
            wire::DirectoryVerdict::Locked => in_state(State::Locked),
            wire::DirectoryVerdict::LogonHours => in_state(State::OutsideLogonHours),
            wire::DirectoryVerdict::Workstation => refused(Why::Workstation, object),
            wire::DirectoryVerdict::Restricted => refused(Why::Restricted, object),
            wire::DirectoryVerdict::Unknown(code) => refused(Why::UnknownCode(code), object),
        };
        // A refusal is about the password that the account had when the agent was asked.
        let known = before.account.as_ref().filter(|_| said == wire::DirectoryVerdict::Wrong);
        let password_set = known.and_then(|account| account.attributes.pwd_last_set);
        let settle = settle_of(&verdict, RefusedAt { at: now, password_set });
        let decision = Decision { verdict, by: DecidedBy::Agent, settle, wait: Wait::default() };
        Answered { charge, step: Step::Done(Box::new(decision)) }
    }

    fn is_locked(&self, facts: &Facts, now: i64) -> bool {
        let Counters { own, all, in_memory } = &facts.counters;
        let mut counters = own.iter().chain(all).chain(in_memory);
        counters.any(|tries| self.rules.locked(Some(tries), now))
    }
}

/// Why the digest decides, and what is waited for beside the derivation. Where agents decide, a name that nobody has
/// takes as long as an account whose agents had no answer.
fn way_of_digest(facts: &Facts, memory: &Memory) -> (DecidedBy, Wait) {
    match &facts.domain {
        Some(domain) if domain.policy.asks_agents() => {
            let silence = if facts.account.is_none() { silence_of(memory) } else { Duration::ZERO };
            (DecidedBy::DigestInstead, Wait { silence, ..Wait::default() })
        }
        Some(_) | None => (DecidedBy::Tenant, Wait::default()),
    }
}

/// How long a sign-in of the domain takes to have no answer. That no agent is connected is known at once, for an
/// account as well.
fn silence_of(memory: &Memory) -> Duration {
    match memory.silence {
        Some(silence) if memory.unable.is_none() => silence.took,
        Some(_) | None => Duration::ZERO,
    }
}

/// Why a name or an account is refused whatever its password is; none: its digest decides.
fn reason_without_derivation(facts: &Facts) -> Option<Why> {
    let Some(account) = &facts.account else { return Some(facts.nobody.unwrap_or(Why::UnknownName)) };
    if facts.domain.as_ref().is_none_or(|domain| domain.policy == SigninPolicy::Refuse) {
        return Some(Why::NotAdmitted);
    }
    // Only an account that is present has names; this is the second lock on that door.
    match account.digest {
        DigestFact::Absent => Some(Why::NoDigest),
        DigestFact::Unreadable | DigestFact::Readable if !account.present => Some(Why::NoDigest),
        DigestFact::Unreadable => Some(Why::DigestUnreadable),
        DigestFact::Readable => None,
    }
}

/// The verdict on an account whose password is right.
fn judged(account: &AccountFacts, domain: &DomainFacts, object: Option<Uuid>, now: i64) -> Verdict {
    let known = Account::known(&account.attributes, &account.password_policy, account.protected_user);
    let state = state(&known, now);
    match object {
        Some(object) if state == State::Usable => Verdict::Accepted(person(account, domain, object)),
        Some(_) | None => Verdict::Refused { disclosed: state.disclosable(), why: Why::State(state), object },
    }
}

/// The verdict on an account that a domain controller accepted.
fn accepted(facts: &Facts, object: Option<Uuid>) -> Verdict {
    match (&facts.account, &facts.domain, object) {
        (Some(account), Some(domain), Some(object))
            if account.present && facts.subject.account() == Some(object) =>
        {
            match domain.policy {
                SigninPolicy::Refuse => refused(Why::NotAdmitted, Some(object)),
                SigninPolicy::Phs | SigninPolicy::Pta | SigninPolicy::PtaThenPhs => {
                    Verdict::Accepted(person(account, domain, object))
                }
            }
        }
        _ => refused(Why::UnknownName, object),
    }
}

fn person(account: &AccountFacts, domain: &DomainFacts, object: Uuid) -> Person {
    let known = account.attributes.clone();
    Person {
        object,
        user: known.user_principal_name,
        sam: known.sam_account_name,
        display_name: known.display_name,
        domain: domain.dns_name.clone(),
    }
}

/// The count of bad passwords that may have reached AD, after an agent was asked. A right password resets AD's own
/// count.
fn charge_of(before: &Facts, facts: &Facts, asked: &AgentAnswer, now: i64) -> Charge {
    let spent = facts.account.as_ref().and_then(|account| account.spent.as_ref());
    let tried = match asked.outcome {
        // A delivery that was lost may still reach AD with a bad password: the count is kept if there was one.
        Ok(wire::DirectoryVerdict::Valid) if spent.is_some() && asked.tried <= 1 => return Charge::Clear,
        Ok(wire::DirectoryVerdict::Valid) => return Charge::Nothing,
        // A person who tries an expired password twice must get in with the new one at once.
        Ok(said) if said.follows_right_password() => 0,
        Ok(_) => asked.tried.max(1),
        Err(_) => asked.tried,
    };
    let budget = before.domain.as_ref().map(|domain| domain.budget);
    budget.and_then(|budget| budget.charge(spent, tried, now)).map_or(Charge::Nothing, Charge::Put)
}

/// What a verdict does to the lockout's counters.
fn settle_of(verdict: &Verdict, seen: RefusedAt) -> Settle {
    match verdict {
        Verdict::Accepted(_) | Verdict::Refused { disclosed: Some(_), .. } => Settle::Right,
        Verdict::Refused { why, .. } => match why.effect() {
            Effect::Wrong => Settle::Wrong(seen),
            Effect::Nothing => Settle::Nothing,
        },
        Verdict::Unavailable(_) => Settle::Nothing,
    }
}

fn refused(why: Why, object: Option<Uuid>) -> Verdict {
    Verdict::Refused { disclosed: None, why, object }
}

/// A decision that counts nothing and was reached without verifying the password.
fn done(verdict: Verdict, by: DecidedBy, wait: Wait) -> Step {
    Step::Done(Box::new(Decision { verdict, by, settle: Settle::Nothing, wait }))
}

#[cfg(test)]
mod tests;
