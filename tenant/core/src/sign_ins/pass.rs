//! One sign-in on its way through the machine of [`landbridge_tenant_rules::sign_in`]: this file reads the facts,
//! does the steps, and writes what came of them.
//!
//! What blocks is done in as few hops to a thread as there can be: one before an agent is asked, and one after. Under
//! load a hop costs more than the work.
//! Neighbours: [`super::SignIns`] drives it, and does what needs no thread: it waits for a turn, for an agent, and
//! for time.

use super::attempt::{Attempt, Caller};
use super::contradictions::Answer;
use super::counters::{Reserved, Settled};
use super::parts::Inner;
use super::queue::{Entry, QueuePlace};
use super::turns::Turn;
use crate::audit::Written;
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_tenant_rules::lockout::{RefusedAt, Standing};
use landbridge_tenant_rules::model::AuditEntry;
use landbridge_tenant_rules::names::folded;
use landbridge_tenant_rules::relay::AgentAnswer;
use landbridge_tenant_rules::sign_in::{
    About, Against, Charge, DecidedBy, Decision, DigestFact, Facts, Holds, Like, Memory, Question, Reserving,
    Settle, SignIn, Step, Wait,
};
use landbridge_tenant_rules::verdict::{CountedAs, MAX_PASSWORD, Unavailable, Verdict, Why};
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::facts::{self, Origin};
use landbridge_wire::signin::DirectoryVerdict;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::error;
use uuid::Uuid;

/// A refusal that asked no agent takes this long while no agent of the domain is known to have refused anything.
const FIRST_DELAY: Duration = Duration::from_millis(5);
/// How often other nodes may be faster at the last of AD's budget. Each time they have made progress, so more means a
/// flood.
const MOST_OUTRUN: u32 = 10;

/// A sign-in under way.
pub(super) struct Pass {
    pub(super) inner: Arc<Inner>,
    pub(super) attempt: Attempt,
    caller: Caller,
    /// The subject's turn among the sign-ins that agents decide.
    pub(super) turn: Option<Turn>,
    /// The facts with which an agent was asked.
    before: Option<Facts>,
    /// What is reserved in AD's budget.
    reserved: Option<Reserved>,
    /// It has waited long enough for questions of other nodes.
    pub(super) waited: bool,
    /// How often other nodes reserved the last of AD's budget in between.
    outrun: u32,
    /// The agent's answer, if a digest of the same password version may contradict it.
    pub(super) to_compare: Option<Answer>,
}

/// Where a sign-in stops on the thread.
pub(super) enum Halt {
    /// It waits for this subject's turn, from a source of this standing.
    Turn(Uuid, Standing),
    /// It waits a moment for a question of another node.
    Question,
    /// An agent is to be asked.
    AskAgent(Question),
    /// It takes as long as a question, and is decided.
    Pretend(Box<Pretended>),
    /// It is decided.
    End(End),
}

/// A sign-in that is decided.
pub(super) struct End {
    pub(super) verdict: Verdict,
    /// The verdict in the metrics.
    pub(super) outcome: &'static str,
    /// The verdict leaves no sooner than after this.
    pub(super) wait: Duration,
    /// The audit log's entry, on its way to the disk.
    pub(super) written: Option<Written>,
}

/// A decision that looks like an agent's, until it is written.
pub(super) struct Pretended {
    facts: Facts,
    decision: Decision,
    /// How long an agent takes.
    pub(super) wait: Duration,
}

/// The facts of one moment, with the digest opened.
struct Known {
    facts: Facts,
    digest: Option<Arc<SaltedDigest>>,
    memory: Memory,
}

impl Pass {
    pub(super) fn new(inner: Arc<Inner>, attempt: Attempt, caller: Caller) -> Self {
        Self {
            inner,
            attempt,
            caller,
            turn: None,
            before: None,
            reserved: None,
            waited: false,
            outrun: 0,
            to_compare: None,
        }
    }

    /// Goes on until something must be waited for. Blocks.
    pub(super) fn run(&mut self) -> Halt {
        let Some(name) = folded(&self.attempt.user) else {
            let verdict = Verdict::Refused { disclosed: None, why: Why::BadName, object: None };
            return Halt::End(self.end(verdict, DecidedBy::Tenant, Duration::ZERO));
        };
        self.steps(Some(&name), self.attempt.now)
    }

    /// Goes on after an agent was asked. `now` is in seconds since 1970. Blocks.
    pub(super) fn resume(&mut self, asked: &AgentAnswer, now: i64) -> Halt {
        let began = Instant::now();
        let outcome = self.known(None, now).and_then(|known| {
            let Some((known, before)) = known.zip(self.before.clone()) else { return Ok(None) };
            let sign_in = self.machine();
            let answered =
                sign_in.answered(&before, &known.facts, &known.memory, asked, self.holds(false), now);
            self.to_compare = self.comparable(&before, &known, asked, now);
            match answered.step {
                Step::Done(decision) => {
                    let decision = Decision { charge: answered.charge, ..*decision };
                    let end = self.finish(&known.facts, decision, false, began, now);
                    Ok(Some(Halt::End(end)))
                }
                Step::WaitForTurn
                | Step::WaitForPlace
                | Step::WaitForQuestion
                | Step::Derive(_)
                | Step::Compare(_)
                | Step::AskAgent(_) => {
                    self.settle(&known.facts, Settle::Nothing, answered.charge, now)?;
                    Ok(None)
                }
            }
        });
        match outcome {
            Ok(Some(halt)) => halt,
            // No verdict came, and the digest decides; or the account is gone.
            Ok(None) => self.steps(None, now),
            Err(failed) => Halt::End(self.failed(&failed, DecidedBy::Agent)),
        }
    }

    /// The agent's answer, if the account has a digest, and its password did not change while the agent was asked.
    fn comparable(&self, before: &Facts, known: &Known, asked: &AgentAnswer, now: i64) -> Option<Answer> {
        let accepted = match asked.outcome {
            Ok(DirectoryVerdict::Valid) => true,
            Ok(DirectoryVerdict::Wrong) => false,
            Ok(_) | Err(_) => return None,
        };
        let set = |facts: &Facts| facts.account.as_ref()?.attributes.pwd_last_set;
        Some(Answer {
            agent: asked.agent?,
            object: before.subject.account()?,
            domain: before.domain.as_ref()?.id,
            accepted,
            password: self.attempt.password.clone(),
            digest: known.digest.clone()?,
            password_set: set(before).filter(|at| Some(*at) == set(&known.facts))?,
            at: now,
        })
    }

    /// The steps of the machine, as far as they need no waiting without a thread. With a name, it is looked up;
    /// without one, the account that an agent was asked about is meant.
    fn steps(&mut self, name: Option<&str>, now: i64) -> Halt {
        let inner = self.inner.clone();
        let began = Instant::now();
        let mut place: Option<QueuePlace<'_>> = None;
        let (mut read, mut kept) = (began, None);
        loop {
            // 1. Everything that is known, in one snapshot.
            let known = match kept.take() {
                Some(known) => known,
                None => {
                    read = Instant::now();
                    match self.known(name, now) {
                        Ok(Some(known)) => known,
                        Ok(None) => return Halt::End(self.gone()),
                        Err(failed) => return Halt::End(self.failed(&failed, DecidedBy::Tenant)),
                    }
                }
            };
            let Known { facts, digest, memory } = &known;
            let (subject, standing) = (facts.subject.id(), facts.source.standing);
            // 2. The next step. After an agent had no answer it is one of the digest road.
            let (sign_in, holds) = (self.machine(), self.holds(place.is_some()));
            let step = match name {
                Some(_) => sign_in.next(facts, memory, holds, now),
                None => sign_in.on_the_digest_road(facts, memory, holds, now),
            };
            match step {
                // 3. The turn, at once or later; then everything is read again, unless nothing can have changed it.
                Step::WaitForTurn => match inner.turns.try_acquire(subject, standing, read) {
                    Some((turn, is_fresh)) => {
                        self.turn = Some(turn);
                        kept = is_fresh.then_some(known);
                    }
                    None => return Halt::Turn(subject, standing),
                },
                Step::WaitForQuestion => return Halt::Question,
                Step::WaitForPlace => match inner.queue.enter((subject, standing), read) {
                    Entry::Go(free, is_fresh) => {
                        place = Some(free);
                        kept = is_fresh.then_some(known);
                    }
                    Entry::Full => return Halt::End(self.overloaded()),
                },
                // 4. A derivation that decides.
                Step::Derive(against) => {
                    let fits = match self.verify(against, digest.as_ref()) {
                        Ok(fits) => fits,
                        Err(failed) => return Halt::End(self.failed(&failed, DecidedBy::Tenant)),
                    };
                    let decision = sign_in.derived(facts, memory, fits, now);
                    return Halt::End(self.finish(facts, decision, true, began, now));
                }
                // 5. A derivation in the place of AD's budget. It may lead to an agent.
                Step::Compare(against) => {
                    let fits = match self.verify(against, digest.as_ref()) {
                        Ok(fits) => fits,
                        Err(failed) => return Halt::End(self.failed(&failed, DecidedBy::Tenant)),
                    };
                    match sign_in.compared(facts, memory, fits, now) {
                        Ok(question) => match self.reserve(facts, About::LikelyPassword, now) {
                            Ok(true) => return self.ask_agent(known.facts, question),
                            Ok(false) => {}
                            Err(end) => return Halt::End(*end),
                        },
                        Err(decision) => {
                            return Halt::End(self.finish(facts, *decision, true, began, now));
                        }
                    }
                }
                // 6. An agent.
                Step::AskAgent(question) => match self.reserve(facts, About::AnyPassword, now) {
                    Ok(true) => return self.ask_agent(known.facts, question),
                    Ok(false) => {}
                    Err(end) => return Halt::End(*end),
                },
                // 7. A decision. One that looks like an agent's reserves as one.
                Step::Done(decision) if decision.pretends_question() && inner.store.is_shared() => {
                    match self.reserve(facts, About::AnyPassword, now) {
                        Ok(true) => {
                            let wait = self.hold_back(facts, decision.wait, began);
                            let (facts, decision) = (known.facts, *decision);
                            return Halt::Pretend(Box::new(Pretended { facts, decision, wait }));
                        }
                        Ok(false) => {}
                        Err(end) => return Halt::End(*end),
                    }
                }
                Step::Done(decision) => {
                    return Halt::End(self.finish(facts, *decision, false, began, now));
                }
            }
        }
    }

    fn ask_agent(&mut self, facts: Facts, question: Question) -> Halt {
        self.before = Some(facts);
        let reserved = self.reserved.map(|reserved| reserved.reservation);
        Halt::AskAgent(question.within(reserved.as_ref()))
    }

    /// Reserves binds in AD's budget, where that is needed. False: another node was faster, and the facts must be read
    /// again.
    fn reserve(&mut self, facts: &Facts, about: About, now: i64) -> Result<bool, Box<End>> {
        match self.inner.counters.reserve(facts, about, now) {
            Ok((Reserving::NotNeeded | Reserving::Possible(_), reserved)) => {
                self.reserved = reserved;
                Ok(true)
            }
            Ok((Reserving::NoRoom { .. }, _)) if self.outrun < MOST_OUTRUN => {
                self.outrun += 1;
                Ok(false)
            }
            Ok((Reserving::NoRoom { .. }, _)) => Err(Box::new(self.overloaded())),
            Err(failed) => Err(Box::new(self.failed(&failed, DecidedBy::Tenant))),
        }
    }

    /// Goes on after a decision has taken as long as a question. Blocks.
    pub(super) fn end_pretended(&mut self, pretended: Pretended, now: i64) -> Halt {
        let Pretended { facts, decision, .. } = pretended;
        let decision = Decision { wait: Wait::default(), ..decision };
        Halt::End(self.finish(&facts, decision, false, Instant::now(), now))
    }

    fn machine(&self) -> SignIn<'_> {
        let password = &self.attempt.password;
        let bad_password = password.is_empty() || password.lend(str::len) > MAX_PASSWORD;
        SignIn { rules: self.inner.counters.rules(), bad_password }
    }

    fn holds(&self, place: bool) -> Holds {
        Holds { turn: self.turn.is_some(), place, waited: self.waited }
    }

    /// What is known now; none: the account is gone.
    fn known(&self, name: Option<&str>, now: i64) -> Result<Option<Known>, StoreError> {
        let inner = &self.inner;
        let origin = self.origin(now);
        let stored = match (name, self.before.as_ref().and_then(account_and_domain)) {
            (Some(name), _) => Some(inner.store.read(|reading| facts::of_name(reading, name, &origin))?),
            (None, Some(account)) => {
                inner.store.read(|reading| facts::of_account(reading, account, &origin))?
            }
            (None, None) => None,
        };
        let Some(facts::Stored { mut facts, digest }) = stored else { return Ok(None) };
        inner.counters.complete(&mut facts, &origin);
        let mut memory = Memory::default();
        if let Some(domain) = facts.domain.as_ref().filter(|domain| domain.policy.asks_agents()) {
            memory.unable = inner.agents.unable(domain.id);
            memory.silence = inner.equal_delay.silence(domain.id);
            memory.too_many_unwritten = inner.counters.too_many_unwritten();
        }
        let mut opened = None;
        if let (Some(account), Some(object), Some(digest)) =
            (&mut facts.account, facts.subject.account(), digest)
        {
            match digest.open(inner.store.seal_keys(), object) {
                Ok(digest) => opened = Some(Arc::new(digest)),
                Err(_) => account.digest = DigestFact::Unreadable,
            }
        }
        // A name that nobody has is as if its password had never changed.
        let password_set = facts.account.as_ref().map_or(Some(0), |account| account.attributes.pwd_last_set);
        let seen = RefusedAt { at: now, password_set };
        memory.refused_before =
            inner.counters.refused_before(facts.subject.id(), &self.attempt.password, seen);
        Ok(Some(Known { facts, digest: opened, memory }))
    }

    /// Verifies the password. One derivation, counted.
    fn verify(&self, against: Against, digest: Option<&Arc<SaltedDigest>>) -> Result<bool, StoreError> {
        let inner = &self.inner;
        let (digest, decoy) = match (against, digest) {
            (Against::Digest, Some(digest)) => (digest.clone(), false),
            (Against::Digest, None) => (inner.decoys.of(&inner.store, None)?, true),
            (Against::Decoy(domain), _) => (inner.decoys.of(&inner.store, domain)?, true),
        };
        inner.counts.derivations.one();
        let fits = inner.verifiers.fits(digest, &self.attempt.password);
        Ok(fits && !decoy)
    }

    /// Writes what a decision settles, counts it and records it.
    fn finish(&mut self, facts: &Facts, decision: Decision, derived: bool, began: Instant, now: i64) -> End {
        let Decision { verdict, by, settle, charge, wait } = decision;
        let settled = self.settle(facts, settle, charge, now);
        if derived && settled.is_ok() {
            let domain = facts.domain.as_ref().map(|domain| domain.id);
            self.inner.equal_delay.note_derivation(domain, &verdict, began.elapsed());
        }
        let wait = self.hold_back(facts, wait, began);
        match settled {
            Ok(()) => self.end(verdict, by, wait),
            // A failure waits as the verdict would have: its time must not tell which it was.
            Err(failed) => End { wait, ..self.failed(&failed, by) },
        }
    }

    fn settle(&mut self, facts: &Facts, settle: Settle, charge: Charge, now: i64) -> Result<(), StoreError> {
        let reserved = self.reserved.take();
        let settled = Settled {
            subject: facts.subject,
            source: &facts.source,
            spent: facts.spent,
            origin: self.origin(now),
            password: &self.attempt.password,
            reserved,
            now,
        };
        self.inner.counters.settle(&settled, settle, charge)
    }

    fn origin(&self, now: i64) -> Origin<'_> {
        self.caller.origin(now, self.inner.store.seal_keys())
    }

    fn hold_back(&self, facts: &Facts, wait: Wait, began: Instant) -> Duration {
        let derivation = || {
            let domain = facts.domain.as_ref().map(|domain| domain.id);
            self.inner.equal_delay.like_derivation(domain, began.elapsed())
        };
        let agent = |domain| self.inner.agents.typical_delay(domain).unwrap_or(FIRST_DELAY);
        let like = match wait.like {
            Like::Nothing => Duration::ZERO,
            Like::Derivation => derivation(),
            Like::Agent(domain) => agent(domain),
            Like::ComparisonAndAgent(domain) => derivation() + agent(domain),
        };
        like + wait.silence
    }

    /// The account was erased while an agent was asked.
    fn gone(&self) -> End {
        let object = self.before.as_ref().and_then(|before| before.subject.account());
        let verdict = Verdict::Refused { disclosed: None, why: Why::UnknownName, object };
        self.end(verdict, DecidedBy::Agent, Duration::ZERO)
    }

    pub(super) fn overloaded(&self) -> End {
        self.end(Verdict::Unavailable(Unavailable::Overloaded), DecidedBy::Tenant, Duration::ZERO)
    }

    fn failed(&self, failed: &StoreError, by: DecidedBy) -> End {
        error!(
            database = %self.inner.store.location(),
            door = self.caller.door,
            error = %failed,
            "the database fails: nobody signs in"
        );
        self.end(Verdict::Unavailable(Unavailable::Storage), by, Duration::ZERO)
    }

    /// Counts the reason, and gives the audit log its entry with the true reason, for the operator. What is
    /// unavailable has no entry, so this does not block for it.
    fn end(&self, verdict: Verdict, by: DecidedBy, wait: Duration) -> End {
        self.count(&verdict);
        let (outcome, action, subject) = match &verdict {
            Verdict::Accepted(person) => ("accepted", Some("signin-accepted"), person.object.to_string()),
            Verdict::Refused { why, object, .. } => {
                // A name that no account has may be a password in the wrong field: it is never written down.
                let subject =
                    object.map_or_else(|| "a name of nobody".to_owned(), |object| object.to_string());
                (why.as_str(), Some("signin-refused"), subject)
            }
            Verdict::Unavailable(Unavailable::Overloaded) => ("overloaded", None, String::new()),
            Verdict::Unavailable(Unavailable::Storage) => ("storage-failed", None, String::new()),
            Verdict::Unavailable(Unavailable::NoAnswer(why)) => (why.as_str(), None, String::new()),
            Verdict::Unavailable(Unavailable::NoRoomInDirectory) => {
                ("no-room-in-directory", None, String::new())
            }
        };
        // Not in the metric: there are four billion codes.
        let code = match verdict {
            Verdict::Refused { why: Why::UnknownCode(code), .. } => format!(" {code:#x}"),
            Verdict::Refused { .. } | Verdict::Accepted(_) | Verdict::Unavailable(_) => String::new(),
        };
        let by_way_of = self.caller.address.map(|address| format!(", by way of {}", address.to_canonical()));
        let by_way_of = by_way_of.unwrap_or_default();
        let written = action.map(|action| {
            self.inner.recorder.record(AuditEntry {
                at: self.attempt.now,
                actor: self.caller.actor.clone(),
                action: action.to_owned(),
                subject,
                detail: format!("{outcome}{code}{}, from {}{by_way_of}", by.as_str(), self.caller.source),
            })
        });
        End { verdict, outcome, wait, written }
    }

    fn count(&self, verdict: &Verdict) {
        let counts = &self.inner.counts;
        let Verdict::Refused { why, object, .. } = verdict else {
            if *verdict == Verdict::Unavailable(Unavailable::Overloaded) {
                counts.signins_overloaded.one();
            }
            return;
        };
        match why.counted_as() {
            CountedAs::Nothing => {}
            CountedAs::AmbiguousName => counts.names_ambiguous.one(),
            CountedAs::LockedOut => counts.signins_locked_out.one(),
            CountedAs::UnknownSourcesLocked => {
                counts.signins_locked_out.one();
                // A name that nobody has keeps nobody out.
                if object.is_some() {
                    counts.signins_unknown_sources_locked.one();
                }
            }
            CountedAs::UnknownState => counts.states_unknown.one(),
            CountedAs::UnreadableDigest => {
                counts.digests_unreadable.one();
                error!(object = ?object, "a stored digest cannot be opened: a seal key is missing, or somebody wrote to the database");
            }
        }
        if let Why::UnknownCode(code) = why {
            error!(
                code = format!("{code:#x}"),
                "a domain controller refused with a code that is not known here"
            );
        }
        if *why == Why::OtherAccount {
            error!(
                object = ?object,
                "the account's SID and objectGUID belong to two accounts at the domain controller: compare \
                 `users show` with the directory, and let phs do a full compare"
            );
        }
        if *why == Why::Canary {
            error!(object = ?object, "somebody signs in with a canary account, which nobody uses");
        }
    }
}

/// The account of facts, and the row of its domain.
fn account_and_domain(facts: &Facts) -> Option<(Uuid, Option<i64>)> {
    let domain = facts.domain.as_ref().map(|domain| domain.id);
    facts.subject.account().map(|account| (account, domain))
}
