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
mod reserve;
mod step;

pub use facts::{AccountFacts, DigestFact, DomainFacts, Facts, Holds, Memory, Silence, SourceFacts, Subject};
pub use reserve::{About, QUESTION_SECONDS, Reservation, Reserving, reserving};
pub use step::{Against, Answered, Charge, DecidedBy, Decision, Like, Question, Settle, Step, Wait};

use crate::account_state::{State, state};
use crate::lockout::{AdBudget, RefusedAt, Rules, Standing};
use crate::model::{Principal, SigninPolicy};
use crate::relay::{AgentAnswer, NoAnswer};
use crate::verdict::{Effect, Person, Unavailable, Verdict, Why};
use landbridge_wire::change::ChangeOutcome;
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
        let (by, wait) = way_of_digest(facts, memory, now);
        // 1. What costs nothing.
        if self.bad_password {
            return done(refused(Why::BadPassword, None), by, wait);
        }
        // 2. The lockout. A lock is found without a derivation, and held back until it looks like one.
        if let Some(why) = self.lock(facts, now) {
            let wait = Wait { like: Like::Derivation, ..wait };
            return done(refused(why, facts.subject.account()), by, wait);
        }
        // 3. One at a time for an account. Those before it in the queue may use up what the lockout leaves.
        if !holds.place {
            return Step::WaitForPlace;
        }
        // 4. A derivation in any case.
        Step::Derive(match reason_without_derivation(facts, now) {
            None => Against::Digest,
            Some(_) => Against::Decoy(facts.domain.as_ref().map(|domain| domain.id)),
        })
    }

    /// The password was verified on the digest road.
    pub fn derived(&self, facts: &Facts, memory: &Memory, fits: bool, now: i64) -> Decision {
        let (by, wait) = way_of_digest(facts, memory, now);
        let object = facts.subject.account();
        let verdict = match (reason_without_derivation(facts, now), &facts.account, &facts.domain) {
            (Some(why), ..) => refused(why, object),
            (None, Some(account), Some(domain)) if fits => judged(account, domain, object, now),
            (None, Some(_), Some(_)) => refused(Why::WrongPassword, object),
            (None, ..) => refused(Why::UnknownName, object),
        };
        counted(if_assigned(verdict, facts), by, wait, now)
    }

    fn on_the_agents_road(
        &self,
        facts: &Facts,
        domain: &DomainFacts,
        memory: &Memory,
        holds: Holds,
        now: i64,
    ) -> Step {
        // What a refusal looks like that needs neither a derivation nor an agent. While AD's budget is spent, others
        // derive before an agent refuses, or would.
        let is_spent = is_spent(facts, domain, now);
        let like = if is_spent { Like::ComparisonAndAgent(domain.id) } else { Like::Agent(domain.id) };
        let wait = Wait { like, ..Wait::default() };
        let object = facts.subject.account();
        // 1. What costs nothing, and the lockout. A lock waits for no turn, so a flood of guesses does not fill the
        //    queue of the account.
        if self.bad_password {
            return done(refused(Why::BadPassword, object), DecidedBy::Tenant, wait);
        }
        if let Some(why) = self.lock(facts, now) {
            return done(refused(why, object), DecidedBy::Tenant, wait);
        }
        // 2. The subject's turn, so that many sign-ins at once get no more tries than the lockout allows, and an
        //    account cannot be told from a name that nobody has.
        if !holds.turn {
            return Step::WaitForTurn;
        }
        // 3. AD's own lockout must stay out of reach. A domain without any budget asks no agent.
        match domain.budget {
            AdBudget::Unbounded | AdBudget::Bounded { .. } => {}
            AdBudget::None { .. } | AdBudget::Unknown => {
                return self.without_budget(facts, domain, memory, holds, now);
            }
        }
        // 4. With the budget spent, the digest stands in for it. A name without a digest derives all the same. What another
        //    node has reserved may be given back in a moment.
        if is_spent {
            if !holds.waited && facts.spent.is_some_and(|spent| spent.is_asked_about(now)) {
                return Step::WaitForQuestion;
            }
            return match (holds.place, has_stand_in(facts, now)) {
                (false, _) => Step::WaitForPlace,
                (true, true) => Step::Compare(Against::Digest),
                (true, false) => Step::Compare(Against::Decoy(Some(domain.id))),
            };
        }
        // 5. Where an account's sign-in would have no answer, that of a name that nobody has and of an account that is
        //    shut out has none either: a refusal would tell it apart.
        let no_answer = memory.unable.or(memory.silence.map(|silence| silence.why));
        if let (Some(_), Some(why)) = (facts.shut_out(now), no_answer) {
            if domain.policy == SigninPolicy::PtaThenPhs {
                return self.on_the_digest_road(facts, memory, holds, now);
            }
            let wait = Wait { silence: silence_of(memory), ..Wait::default() };
            return done(Verdict::Unavailable(Unavailable::NoAnswer(why)), DecidedBy::Tenant, wait);
        }
        // 6. The agent, or a refusal that looks like an agent's.
        match ask_or_refuse(facts, domain, memory, room(facts, domain, now), wait, now) {
            Ok(question) => Step::AskAgent(question),
            Err(decision) => Step::Done(decision),
        }
    }

    /// The password was compared with the account's digest, or with a decoy, because AD's budget is spent. A domain
    /// controller is asked only about the digest's password; otherwise the decision is returned. What is refused here
    /// waits as long as an agent takes beside the derivation, so the digest's password of an account that AD refuses
    /// looks like any other.
    pub fn compared(
        &self,
        facts: &Facts,
        memory: &Memory,
        fits: bool,
        now: i64,
    ) -> Result<Question, Box<Decision>> {
        // Only a sign-in that an agent of a domain decides comes here.
        let Some(domain) = &facts.domain else {
            let verdict = refused(Why::UnknownName, facts.subject.account());
            return Err(Box::new(uncounted(verdict, DecidedBy::Tenant, Wait::default())));
        };
        let wait = Wait { like: Like::Agent(domain.id), ..Wait::default() };
        let why = match (may_be_asked_about(facts, now), has_stand_in(facts, now)) {
            // A name that nobody has, an account that is shut out, or a canary: refused as without this step.
            (false, _) => None,
            (true, false) => Some(Why::HeldBack),
            (true, true) if !fits => Some(Why::DigestDiffers),
            (true, true) if domain.budget.allows_digests_password(facts.spent.as_ref(), now) => None,
            (true, true) => Some(Why::HeldBack),
        };
        let Some(why) = why else { return ask_or_refuse(facts, domain, memory, 1, wait, now) };
        let verdict = refused(why, facts.subject.account());
        Err(Box::new(counted(verdict, DecidedBy::Tenant, wait, now)))
    }

    /// A sign-in on the agents' road whose lockout policy leaves AD no budget, or is not known.
    fn without_budget(
        &self,
        facts: &Facts,
        domain: &DomainFacts,
        memory: &Memory,
        holds: Holds,
        now: i64,
    ) -> Step {
        let wait = Wait { like: Like::Agent(domain.id), ..Wait::default() };
        let object = facts.subject.account();
        let reason = match &facts.account {
            Some(account) if !account.present => Some(Why::UnknownName),
            Some(account) if account.canary => Some(Why::Canary),
            Some(_) | None => None,
        };
        let verdict = match (reason, domain.policy) {
            (Some(why), _) => refused(why, object),
            (None, SigninPolicy::PtaThenPhs) => return self.on_the_digest_road(facts, memory, holds, now),
            // An account's own policy stops that account; the domain's stops everybody.
            (None, SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse)
                if object.is_some() && !domain.budget_is_domains =>
            {
                refused(Why::NoRoom, object)
            }
            (None, SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse) => {
                Verdict::Unavailable(Unavailable::NoRoomInDirectory)
            }
        };
        done(verdict, DecidedBy::Tenant, wait)
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
            // The agent sent no verdict because of this account alone. A refusal, for the same reason.
            Err(NoAnswer::OtherAccount) => {
                let verdict = refused(Why::OtherAccount, object);
                return Answered { charge, step: done(verdict, DecidedBy::Agent, Wait::default()) };
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
            wire::DirectoryVerdict::Valid => accepted(facts, object, now),
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
        let verdict = if_assigned(verdict, facts);
        // A refusal is about the password that the account had when the agent was asked.
        let known = before.account.as_ref().filter(|_| said == wire::DirectoryVerdict::Wrong);
        let password_set = known.and_then(|account| account.attributes.pwd_last_set);
        let settle = settle_of(&verdict, RefusedAt { at: now, password_set });
        let (by, wait) = (DecidedBy::Agent, Wait::default());
        let decision = Decision { verdict, by, settle, charge: Charge::Nothing, wait };
        Answered { charge, step: Step::Done(Box::new(decision)) }
    }

    /// The lock that holds for the source; none: there is none.
    fn lock(&self, facts: &Facts, now: i64) -> Option<Why> {
        let SourceFacts { standing, counter, in_memory, .. } = &facts.source;
        let is_locked = |tries: &Option<_>| self.rules.locked(tries.as_ref(), now);
        if !is_locked(counter) && !is_locked(in_memory) {
            return None;
        }
        Some(match standing {
            Standing::Known => Why::LockedOut,
            Standing::Unknown => Why::UnknownSourcesLocked,
        })
    }
}

/// Number of bad passwords that the source of this sign-in may still add to AD's count.
fn room(facts: &Facts, domain: &DomainFacts, now: i64) -> u32 {
    domain.budget.room(facts.spent.as_ref(), facts.source.standing, has_stand_in(facts, now), now)
}

/// Whether the budget is spent for the source of this sign-in. Of a domain that has none, nothing is spent.
fn is_spent(facts: &Facts, domain: &DomainFacts, now: i64) -> bool {
    matches!(domain.budget, AdBudget::Bounded { .. }) && room(facts, domain, now) == 0
}

/// Whether the account has a digest that stands in for AD's budget: one that opens, and of its newest password.
fn has_stand_in(facts: &Facts, now: i64) -> bool {
    let stands_in =
        |account: &AccountFacts| account.digest == DigestFact::Readable && account.digest_is_current;
    may_be_asked_about(facts, now) && facts.account.as_ref().is_some_and(stands_in)
}

/// Whether there is an account that an agent may be asked about.
fn may_be_asked_about(facts: &Facts, now: i64) -> bool {
    let is_open = facts.account.as_ref().is_some_and(|account| account.present && !account.canary);
    is_open && facts.shut_out(now).is_none()
}

/// Asks an agent, with at most this many binds. What asks none looks like an agent's refusal after `wait`, and is
/// charged as one, so that its next sign-in looks like an account's as well.
fn ask_or_refuse(
    facts: &Facts,
    domain: &DomainFacts,
    memory: &Memory,
    binds: u32,
    wait: Wait,
    now: i64,
) -> Result<Question, Box<Decision>> {
    let tenant = |verdict| Err(Box::new(uncounted(verdict, DecidedBy::Tenant, wait)));
    let account = facts.account.as_ref();
    let principal = account.and_then(|account| account.rid).zip(facts.subject.account());
    let why = match (account, principal) {
        (Some(_), Some((rid, object))) if may_be_asked_about(facts, now) => {
            if memory.too_many_unwritten {
                return tenant(Verdict::Unavailable(Unavailable::Storage));
            }
            // A password that the directory refused a moment ago is not tried there again.
            if memory.refused_before {
                return tenant(refused(Why::RefusedBefore, Some(object)));
            }
            return Ok(Question { domain: domain.id, account: Principal { object, rid }, binds });
        }
        (Some(account), _) if !account.present => Why::UnknownName,
        (Some(_) | None, _) => facts.shut_out(now).unwrap_or(Why::Canary),
    };
    let verdict = refused(why, facts.subject.account());
    if memory.refused_before {
        return tenant(verdict);
    }
    let settle = settle_of(&verdict, RefusedAt { at: now, password_set: Some(0) });
    let more = u32::from(!is_spent(facts, domain, now));
    let charge = charge_from(domain.budget, facts.source.standing, more, now);
    Err(Box::new(Decision { verdict, by: DecidedBy::Tenant, settle, charge, wait }))
}

/// Why the digest decides, and what is waited for beside the derivation. Where agents decide, a name that nobody has
/// and an account that is shut out take as long as an account whose agents had no answer.
fn way_of_digest(facts: &Facts, memory: &Memory, now: i64) -> (DecidedBy, Wait) {
    match &facts.domain {
        Some(domain) if domain.policy.asks_agents() => {
            let silence = if facts.shut_out(now).is_some() { silence_of(memory) } else { Duration::ZERO };
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
fn reason_without_derivation(facts: &Facts, now: i64) -> Option<Why> {
    if let Some(why) = facts.shut_out(now) {
        return Some(why);
    }
    let Some(account) = &facts.account else { return Some(Why::UnknownName) };
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
    let state = state(&account.as_known(), now);
    match object {
        Some(object) if state == State::Usable => Verdict::Accepted(person(account, domain, object)),
        Some(_) | None => Verdict::Refused { disclosed: state.disclosable(), why: Why::State(state), object },
    }
}

/// The verdict on an account that a domain controller accepted. It may have been shut out while the agent was asked.
fn accepted(facts: &Facts, object: Option<Uuid>, now: i64) -> Verdict {
    if let Some(why) = facts.shut_out(now) {
        return refused(why, object);
    }
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

/// The verdict that the calling application receives. Of an account that is not assigned to it, it learns nothing: no
/// password signs in, and no state is disclosed.
fn if_assigned(verdict: Verdict, facts: &Facts) -> Verdict {
    if facts.account.as_ref().is_some_and(|account| account.assigned) {
        return verdict;
    }
    match verdict {
        Verdict::Accepted(person) => refused(Why::NotAssigned, Some(person.object)),
        Verdict::Refused { why, object, disclosed: _ } => refused(why, object),
        Verdict::Unavailable(why) => Verdict::Unavailable(why),
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
        domain_sid: domain.sid.clone(),
    }
}

/// What a change of password does to the lockout's counters and to AD's budget, by what the agent answered: what a
/// sign-in with the old password would do. `facts` are those with which the agent was asked.
pub fn effects_of_change(facts: &Facts, asked: &AgentAnswer<ChangeOutcome>, now: i64) -> (Settle, Charge) {
    let outcome = match &asked.outcome {
        Ok(ChangeOutcome::Changed { .. }) => Ok(wire::DirectoryVerdict::Valid),
        Ok(ChangeOutcome::OldRefused(verdict)) => Ok(*verdict),
        // The old password was right, and AD has counted nothing.
        Ok(ChangeOutcome::NewRefused(_)) => Ok(wire::DirectoryVerdict::PasswordExpired),
        // The agent has tried the new password as well, and AD has counted it if the change was not made.
        Ok(ChangeOutcome::NotKnown) => Err(NoAnswer::TooLate),
        Err(why) => Err(*why),
    };
    let least = u32::from(asked.outcome == Ok(ChangeOutcome::NotKnown));
    let as_sign_in = AgentAnswer { outcome, agent: asked.agent, tried: asked.tried.max(least) };
    let password_set = facts.account.as_ref().and_then(|account| account.attributes.pwd_last_set);
    let settle = match outcome {
        Ok(verdict) if !verdict.follows_right_password() => {
            Settle::Wrong(RefusedAt { at: now, password_set })
        }
        Ok(_) | Err(_) => Settle::Nothing,
    };
    (settle, charge_of(facts, facts, &as_sign_in, now))
}

/// What becomes of AD's budget after an agent was asked. A right password resets AD's own count.
fn charge_of(before: &Facts, facts: &Facts, asked: &AgentAnswer, now: i64) -> Charge {
    let tried = match asked.outcome {
        // A delivery that was lost may still reach AD with a bad password: the count is kept if there was one.
        Ok(wire::DirectoryVerdict::Valid) if facts.spent.is_some() && asked.tried <= 1 => {
            let accepted = |domain: &DomainFacts| Charge::Accepted { budget: domain.budget, at: now };
            return before.domain.as_ref().map_or(Charge::Nothing, accepted);
        }
        Ok(wire::DirectoryVerdict::Valid) => return Charge::Nothing,
        // A person who tries an expired password twice must get in with the new one at once.
        Ok(said) if said.follows_right_password() => 0,
        Ok(_) => asked.tried.max(1),
        Err(_) => asked.tried,
    };
    match &before.domain {
        Some(domain) => charge_from(domain.budget, before.source.standing, tried, now),
        None => Charge::Nothing,
    }
}

/// The charge of so many bad passwords, if the budget counts any.
fn charge_from(budget: AdBudget, standing: Standing, more: u32, at: i64) -> Charge {
    match budget {
        AdBudget::Bounded { .. } if more > 0 => Charge::Add { budget, standing, more, at },
        AdBudget::Bounded { .. } | AdBudget::Unbounded | AdBudget::None { .. } | AdBudget::Unknown => {
            Charge::Nothing
        }
    }
}

/// What a verdict does to the lockout's counters.
fn settle_of(verdict: &Verdict, seen: RefusedAt) -> Settle {
    match verdict {
        Verdict::Accepted(_) => Settle::LetIn(seen.at),
        Verdict::Refused { disclosed: Some(_), .. } => Settle::Right,
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

/// A decision of the tenant that counts for the lockout, and asked AD nothing.
fn counted(verdict: Verdict, by: DecidedBy, wait: Wait, now: i64) -> Decision {
    let settle = settle_of(&verdict, RefusedAt { at: now, password_set: None });
    Decision { verdict, by, settle, charge: Charge::Nothing, wait }
}

/// A decision that counts nothing and was reached without verifying the password.
fn uncounted(verdict: Verdict, by: DecidedBy, wait: Wait) -> Decision {
    Decision { verdict, by, settle: Settle::Nothing, charge: Charge::Nothing, wait }
}

fn done(verdict: Verdict, by: DecidedBy, wait: Wait) -> Step {
    Step::Done(Box::new(uncounted(verdict, by, wait)))
}

#[cfg(test)]
mod tests;
