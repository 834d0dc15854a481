//! One sign-in as a machine: facts in, next step out.
//!
//! The caller reads all facts of a sign-in in one snapshot, calls [`SignIn::next`], does the step, and comes back with what came
//! of it. No disk, no clock and no thread is here, so every sentence about sign-ins is tested in memory.
//!
//! A sign-in takes one of two roads. On the digest road the tenant verifies the password itself. On the agents' road a domain
//! controller does, asked by an agent; where the domain's policy allows it, the digest decides while no agent can answer. A
//! name that nobody has takes the road that an account's name would take, and ends in the same way and time.
//! Neighbours: the crate `store` reads [`Facts`]; the crate `core` has the threads, the agents and the memory.

use crate::account_state::{Account, State, state};
use crate::lockout::{AdBudget, RefusedAt, Rules, Tries};
use crate::model::{Attributes, Policy, SigninPolicy};
use crate::relay::{AgentAnswer, NoAnswer};
use crate::verdict::{Effect, Person, Unavailable, Verdict, Why};
use landbridge_wire::signin as wire;
use std::time::Duration;
use uuid::Uuid;

/// What a sign-in is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account, by its objectGUID.
    Account(Uuid),
    /// A name that signs nobody in, under a pseudonym.
    Stranger(Uuid),
}

impl Subject {
    /// The objectGUID or the pseudonym.
    pub fn id(self) -> Uuid {
        match self {
            Self::Account(id) | Self::Stranger(id) => id,
        }
    }

    /// The objectGUID of the account, if it is one.
    pub fn account(self) -> Option<Uuid> {
        match self {
            Self::Account(id) => Some(id),
            Self::Stranger(_) => None,
        }
    }
}

/// All that is known about a sign-in at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the sign-in is counted for.
    pub subject: Subject,
    /// Why the name signs nobody in; none: it is the account's.
    pub nobody: Option<Why>,
    /// The domain that the name is of, or would be of; none: there is no domain at all.
    pub domain: Option<DomainFacts>,
    /// The account; none: the name signs nobody in.
    pub account: Option<AccountFacts>,
    /// The counters of the smart lockout that hold for this subject and source.
    pub counters: Counters,
}

/// The counters of the smart lockout.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Of the account and this source, as stored.
    pub own: Option<Tries>,
    /// Of the account over all sources, as stored.
    pub all: Option<Tries>,
    /// Those that the process counts in memory: of names that nobody has, and of accounts while the database cannot be written.
    pub in_memory: Vec<Tries>,
}

/// What is known of the domain of a name.
#[derive(Debug, Clone)]
pub struct DomainFacts {
    /// Its row.
    pub id: i64,
    /// Its DNS name.
    pub dns_name: String,
    /// How this name signs in: as its account does, or as one of the domain's accounts does.
    pub policy: SigninPolicy,
    /// The bad passwords that AD's own lockout leaves to the outside for this name.
    pub budget: AdBudget,
    /// Whether that budget is the domain's, and so everybody's.
    pub budget_is_domains: bool,
}

/// What is known of an account.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// Whether it is present: not deleted, out of scope or privileged.
    pub present: bool,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// Its attributes.
    pub attributes: Attributes,
    /// The password and lockout policy that holds for it.
    pub password_policy: Policy,
    /// Its digest.
    pub digest: DigestFact,
    /// Whether agents are tried with it.
    pub canary: bool,
    /// The bad passwords that may have reached AD.
    pub spent: Option<Tries>,
}

/// What is known of an account's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestFact {
    /// None has arrived.
    Absent,
    /// It cannot be opened: a seal key is missing, or somebody wrote to the database.
    Unreadable,
    /// It can be verified against.
    Readable,
}

/// What the process remembers about a sign-in, beside the database.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// The directory refused this very password lately, and the account's password has not changed since.
    pub refused_before: bool,
    /// More charges wait for a database that can be written than memory allows.
    pub too_many_unwritten: bool,
    /// Why no agent of the domain could be asked now; none: one could.
    pub unable: Option<NoAnswer>,
    /// How the last sign-in of the domain ended to which no connected agent had an answer.
    pub silence: Option<Silence>,
}

/// The last sign-in of a domain to which no agent had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Why there was none.
    pub why: NoAnswer,
    /// How long that took.
    pub took: Duration,
}

/// What the caller holds while it asks for the next step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holds {
    /// The subject's turn among the sign-ins that agents decide.
    pub turn: bool,
    /// A place in the queue for derivations, which is also the subject's turn there.
    pub place: bool,
}

/// The next step of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait for the subject's turn, read the facts again, and call [`SignIn::next`] again.
    WaitForTurn,
    /// Wait for a place in the queue for derivations, read the facts again, and call [`SignIn::next`] again.
    WaitForPlace,
    /// Verify the password, and call [`SignIn::derived`].
    Derive(Against),
    /// Ask an agent, read the facts again, and call [`SignIn::answered`].
    AskAgent {
        /// The row of the domain.
        domain: i64,
        /// The account.
        object: Uuid,
    },
    /// It is decided.
    Done(Box<Decision>),
}

/// What a password is verified against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The account's digest.
    Digest,
    /// A digest that no password fits, of the usual cost of this domain; none: of the highest cost.
    Decoy(Option<i64>),
}

/// A sign-in that is decided, and what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// What decided.
    pub by: DecidedBy,
    /// What becomes of the lockout's counters.
    pub settle: Settle,
    /// How long the verdict is held back, so that its time tells nothing.
    pub wait: Wait,
}

/// What decided, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The tenant, by digest or before an agent was asked.
    Tenant,
    /// A domain controller, asked by an agent.
    Agent,
    /// The tenant by digest, because no agent could answer.
    DigestInstead,
}

impl DecidedBy {
    /// As it is added to the outcome in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "",
            Self::Agent => ", by agent",
            Self::DigestInstead => ", by digest for want of an agent",
        }
    }
}

/// What becomes of the lockout's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Nothing.
    Nothing,
    /// A wrong password is counted, unless it is one of the last wrong ones again.
    Wrong(RefusedAt),
    /// The password was right: what its source had tried is forgiven.
    Right,
}

/// What becomes of the count of bad passwords that may have reached AD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Nothing.
    Nothing,
    /// AD has reset its own count, and so does the tenant.
    Clear,
    /// This count holds from now on.
    Put(Tries),
}

/// How long a verdict is held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wait {
    /// What it must look like.
    pub like: Like,
    /// And this much longer: as long as the last sign-in of the domain without an answer took.
    pub silence: Duration,
}

/// What a verdict must look like by its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Like {
    /// It may leave at once.
    #[default]
    Nothing,
    /// One of the domain's last refusals that derived.
    Derivation,
    /// One of the last refusals by an agent of the domain in this row.
    Agent(i64),
}

/// What an agent's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What becomes of AD's budget. It is written with the decision, or before the digest decides instead.
    pub charge: Charge,
    /// The next step.
    pub step: Step,
}

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
        // 1. The subject's turn comes first, so that many sign-ins at once get no more tries than the lockout allows, and an
        //    account cannot be told from a name that nobody has.
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
        // 3. A name that nobody has is refused without asking an agent. Where an account's sign-in would have no answer, this
        //    one has none either: a refusal would tell that nobody has the name.
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

    /// An agent was asked, with the facts `before`. `facts` are those of now: the account may have been deleted or refused since.
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
        {
            let Counters { own, all, in_memory } = &facts.counters;
            let mut counters = own.iter().chain(all).chain(in_memory);
            counters.any(|tries| self.rules.locked(Some(tries), now))
        }
    }
}

/// Why the digest decides, and what is waited for beside the derivation. Where agents decide, a name that nobody has takes as
/// long as an account whose agents had no answer.
fn way_of_digest(facts: &Facts, memory: &Memory) -> (DecidedBy, Wait) {
    match &facts.domain {
        Some(domain) if domain.policy.asks_agents() => {
            let silence = if facts.account.is_none() { silence_of(memory) } else { Duration::ZERO };
            (DecidedBy::DigestInstead, Wait { silence, ..Wait::default() })
        }
        Some(_) | None => (DecidedBy::Tenant, Wait::default()),
    }
}

/// How long a sign-in of the domain takes to have no answer. That no agent is connected is known at once, for an account as well.
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

/// The count of bad passwords that may have reached AD, after an agent was asked. A right password resets AD's own count.
fn charge_of(before: &Facts, facts: &Facts, asked: &AgentAnswer, now: i64) -> Charge {
    let spent = facts.account.as_ref().and_then(|account| account.spent.as_ref());
    let tried = match asked.outcome {
        // A delivery that was lost may still reach AD with a bad password: the count is kept if there was one.
        Ok(wire::DirectoryVerdict::Valid) if spent.is_some() && asked.tried <= 1 => return Charge::Clear,
        Ok(wire::DirectoryVerdict::Valid) => return Charge::Nothing,
        Ok(said) if after_the_right_password(said) => 0,
        Ok(_) => asked.tried.max(1),
        Err(_) => asked.tried,
    };
    let budget = before.domain.as_ref().map(|domain| domain.budget);
    budget.and_then(|budget| budget.charge(spent, tried, now)).map_or(Charge::Nothing, Charge::Put)
}

/// Whether AD gives this answer only to a caller who has the password, and so counts nothing. A person who tries an expired
/// password twice must get in with the new one at once. Measured on Samba 4.17; see docs/design/protocol-facts.md.
fn after_the_right_password(said: wire::DirectoryVerdict) -> bool {
    match said {
        wire::DirectoryVerdict::Valid
        | wire::DirectoryVerdict::PasswordExpired
        | wire::DirectoryVerdict::MustChange
        | wire::DirectoryVerdict::AccountExpired
        | wire::DirectoryVerdict::Disabled
        | wire::DirectoryVerdict::LogonHours
        | wire::DirectoryVerdict::Workstation => true,
        wire::DirectoryVerdict::Wrong
        | wire::DirectoryVerdict::Locked
        | wire::DirectoryVerdict::Restricted
        | wire::DirectoryVerdict::Unknown(_) => false,
    }
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
