//! A sign-in that agents decide, in the steps before and after one is asked; the asking itself is `decide`'s.
//! Blocking, as [`super::Signin::decide`] is, and testable without an agent.
//!
//! Before: who it is, the smart lockout, what AD's own lockout leaves to the outside, and whether this very password
//! was refused a moment ago. After: what the directory's verdict means, and what is counted.

use crate::sign_ins::judge::domain_of;
use crate::sign_ins::turns::Turn;
use crate::sign_ins::{Signin, Subject, held, refused};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::State;
use landbridge_tenant_rules::lockout::{AdBudget, RefusedAt, Tries, source};
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_rules::names::folded;
use landbridge_tenant_rules::policies::{Admission, PolicyOwner};
use landbridge_tenant_rules::relay::{AgentAnswer, NoAnswer};
use landbridge_tenant_rules::verdict::{MAX_PASSWORD, Person, Unavailable, Verdict, Why};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::policies::{password_policy, policy_for_stranger, signin_policy};
use landbridge_tenant_store::tables::{attributes, canaries, domains, lockouts, objects};
use landbridge_wire::signin as wire;
use landbridge_wire::upload::Presence;
use std::time::Duration;
use tracing::error;
use uuid::Uuid;

/// Which road a sign-in takes.
#[derive(Debug)]
pub enum Road {
    /// The digest decides; or nobody has that name.
    Digest {
        /// The row of the domain whose name it is, or would be.
        domain: Option<i64>,
    },
    /// An agent decides.
    Agent(Candidate),
    /// Nobody has that name, in a domain whose agents decide: as slow as they are, without asking them.
    Nobody(Stranger),
}

impl Road {
    /// Whose turn it must be on this road; none: nobody's.
    pub fn turn_of(&self) -> Option<Uuid> {
        match self {
            Self::Digest { .. } => None,
            Self::Agent(candidate) => Some(candidate.object),
            Self::Nobody(stranger) => Some(stranger.id),
        }
    }
}

/// A name that nobody has, in a domain whose agents decide.
#[derive(Debug)]
pub struct Stranger {
    /// Its pseudonym: it has a turn like an account.
    pub id: Uuid,
    /// The row of the domain.
    pub domain: i64,
    policy: SigninPolicy,
    room: AdBudget,
    from: String,
    why: Why,
}

/// How the last sign-in of a domain ended to which no agent had an answer, and how long that took.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    /// Why there was none.
    pub why: NoAnswer,
    /// How long.
    pub took: Duration,
}

/// A sign-in that an agent is to decide.
#[derive(Debug)]
pub struct Candidate {
    /// objectGUID.
    pub object: Uuid,
    /// The row of the domain.
    pub domain: i64,
    policy: SigninPolicy,
    room: AdBudget,
    /// The room is that of the domain, and what it leaves to others too.
    room_of_domain: bool,
    from: String,
    /// pwdLastSet before anybody was asked: what a refusal was about.
    password_set: Option<i64>,
}

/// The most accounts whose charges wait in memory for a database that can be written.
const UNWRITTEN: usize = 10_000;

/// Whether an agent is asked.
#[derive(Debug)]
pub enum Before {
    /// Ask.
    Ask,
    /// It is decided already.
    Decided(Verdict),
    /// No agent may be asked, and the digest decides.
    Digest,
}

impl Signin {
    /// Which road this sign-in takes.
    pub fn road(&self, user: &str, from: &str, limit: Option<i64>) -> Result<Road, Unavailable> {
        self.stored(|signin| {
            let Some(name) = folded(user) else { return Ok(Road::Digest { domain: None }) };
            signin.store.read(|conn| {
                let (subject, because) = signin.subject(conn, &name, limit)?;
                let from = source(from);
                if let (Subject::Account(object), None) = (subject, because) {
                    let Some(account) = objects::find(conn, object)? else {
                        return Ok(Road::Digest { domain: None });
                    };
                    let Some(domain) = domains::by_id(conn, account.domain)? else {
                        return Ok(Road::Digest { domain: None });
                    };
                    let known = attributes::of(conn, object)?;
                    let Admission { policy, group: _ } = signin_policy(conn, &domain, object, &known)?;
                    if !policy.asks_agents() {
                        return Ok(Road::Digest { domain: Some(domain.id) });
                    }
                    let resultant = password_policy(conn, &domain, object, &known)?;
                    return Ok(Road::Agent(Candidate {
                        object,
                        domain: domain.id,
                        policy,
                        room: AdBudget::of(&resultant.policy),
                        room_of_domain: resultant.owner == PolicyOwner::Domain,
                        from,
                        password_set: known.pwd_last_set,
                    }));
                }
                let Some(domain) = domain_of(conn, &name)? else { return Ok(Road::Digest { domain: None }) };
                let policy = policy_for_stranger(conn, &domain, subject.id())?;
                if !policy.asks_agents() {
                    return Ok(Road::Digest { domain: Some(domain.id) });
                }
                let why = because.unwrap_or(Why::UnknownName);
                let room = AdBudget::of(&domain.policy);
                Ok(Road::Nobody(Stranger { id: subject.id(), domain: domain.id, policy, room, from, why }))
            })
        })
    }

    /// The turn of an account, or of a pseudonym; none: too many sign-ins of it.
    pub async fn turn(&self, of: Uuid) -> Option<Turn> {
        self.turns.take(of).await
    }

    /// The same without waiting; none: somebody else has it.
    pub fn turn_at_once(&self, of: Uuid) -> Option<Turn> {
        self.turns.take_at_once(of)
    }

    /// Notes how asking an agent of the domain ended, so that names which nobody has end in the same way.
    pub fn heard(&self, domain: i64, outcome: &Result<wire::Verdict, NoAnswer>, took: Duration) {
        let mut silent = held(&self.silent);
        match outcome {
            Ok(_) => silent.remove(&domain),
            Err(why) => silent.insert(domain, Silence { why: *why, took }),
        };
    }

    /// Whether the agents that are connected had no answer to the last sign-in of the domain.
    pub fn silence(&self, domain: i64) -> Option<Silence> {
        let silence = held(&self.silent).get(&domain).copied();
        silence.filter(|silence| match silence.why {
            // Whether that still holds is seen by looking.
            NoAnswer::NoAgent | NoAnswer::Busy => false,
            NoAnswer::NoDirectory | NoAnswer::Lost | NoAnswer::TooLate => true,
        })
    }

    /// What is decided without an agent. The caller has the account's turn.
    pub fn before(&self, candidate: &Candidate, password: &Password, now: i64) -> Before {
        let decided = self.stored(|signin| signin.looked(candidate, password, now));
        decided.unwrap_or_else(|why| Before::Decided(Verdict::Unavailable(why)))
    }

    fn looked(&self, candidate: &Candidate, password: &Password, now: i64) -> Result<Before, StoreError> {
        let object = candidate.object;
        let no = |why| Before::Decided(refused(why, Some(object)));
        if password.is_empty() || password.lend(str::len) > MAX_PASSWORD {
            return Ok(no(Why::BadPassword));
        }
        let (locked, spent, set, present, canary) = self.store.read(|conn| {
            let locked = self.is_locked(conn, Subject::Account(object), &candidate.from, now)?;
            let account = objects::find(conn, object)?;
            let set = attributes::of(conn, object)?.pwd_last_set;
            let present = account.is_some_and(|account| account.presence == Presence::Present);
            Ok((locked, self.spent(conn, object)?, set, present, canaries::is_one(conn, object)?))
        })?;
        if locked {
            return Ok(no(Why::LockedOut));
        }
        if !present {
            return Ok(no(Why::UnknownName));
        }
        if canary {
            error!(%object, "somebody signs in with a canary account, which nobody uses");
            return Ok(no(Why::Canary));
        }
        match candidate.room {
            AdBudget::None { .. } | AdBudget::Unknown => {
                return Ok(match candidate.policy {
                    SigninPolicy::PtaThenPhs => Before::Digest,
                    // Somebody's own policy stops nobody else: the domain runs on.
                    SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse
                        if !candidate.room_of_domain =>
                    {
                        no(Why::NoRoom)
                    }
                    SigninPolicy::Pta | SigninPolicy::Phs | SigninPolicy::Refuse => {
                        Before::Decided(Verdict::Unavailable(Unavailable::NoRoomInDirectory))
                    }
                });
            }
            AdBudget::Unbounded | AdBudget::Bounded { .. } => {}
        }
        if !candidate.room.allows(spent.as_ref(), now) {
            return Ok(no(Why::HeldBack));
        }
        if held(&self.unwritten).len() >= UNWRITTEN {
            return Ok(Before::Decided(Verdict::Unavailable(Unavailable::Storage)));
        }
        let again = {
            let remembered = held(&self.remembered);
            let mark = remembered.mark(object, password);
            remembered.refused_before(object, &mark, RefusedAt { at: now, password_set: set })
        };
        Ok(if again { no(Why::RefusedBefore) } else { Before::Ask })
    }

    /// What came of asking.
    pub fn after(&self, candidate: &Candidate, password: &Password, asked: AgentAnswer, now: i64) -> Before {
        let decided = self.stored(|signin| signin.concluded(candidate, password, asked, now));
        decided.unwrap_or_else(|why| Before::Decided(Verdict::Unavailable(why)))
    }

    fn concluded(
        &self,
        candidate: &Candidate,
        password: &Password,
        asked: AgentAnswer,
        now: i64,
    ) -> Result<Before, StoreError> {
        let object = candidate.object;
        self.charge(candidate, &asked, now)?;
        let said = match asked.outcome {
            Ok(said) => said,
            // Never after a verdict: only while there is none.
            Err(_) if candidate.policy == SigninPolicy::PtaThenPhs => return Ok(Before::Digest),
            Err(why) => return Ok(Before::Decided(Verdict::Unavailable(Unavailable::NoAnswer(why)))),
        };
        let state = |state: State| Verdict::Refused {
            told: state.disclosable(),
            why: Why::State(state),
            object: Some(object),
        };
        let verdict = match said {
            wire::Verdict::Valid => self.accepted(object)?,
            wire::Verdict::Wrong => refused(Why::WrongPassword, Some(object)),
            wire::Verdict::PasswordExpired => state(State::PasswordExpired),
            wire::Verdict::AccountExpired => state(State::AccountExpired),
            wire::Verdict::MustChange => state(State::MustChange),
            wire::Verdict::Disabled => state(State::Disabled),
            wire::Verdict::Locked => state(State::Locked),
            wire::Verdict::LogonHours => state(State::OutsideLogonHours),
            wire::Verdict::Workstation => refused(Why::Workstation, Some(object)),
            wire::Verdict::Restricted => refused(Why::Restricted, Some(object)),
            wire::Verdict::Unknown(code) => {
                error!(
                    code = format!("{code:#x}"),
                    "a domain controller refused with a code that is not known here"
                );
                refused(Why::UnknownCode(code), Some(object))
            }
        };
        if said == wire::Verdict::Wrong {
            let seen = RefusedAt { at: now, password_set: candidate.password_set };
            self.settle_seen(object, &candidate.from, password, seen)?;
        } else {
            self.settle(Subject::Account(object), &candidate.from, password, &verdict, now)?;
        }
        Ok(Before::Decided(verdict))
    }

    /// What AD may have counted, is counted here; after a right password AD forgets, and so do we.
    fn charge(&self, candidate: &Candidate, asked: &AgentAnswer, now: i64) -> Result<(), StoreError> {
        let object = candidate.object;
        let spent = self.store.read(|conn| self.spent(conn, object))?;
        let tried = match asked.outcome {
            Ok(wire::Verdict::Valid) => {
                // A delivery that was lost may still be on its way to a bad password's count: kept, if there was one.
                if spent.is_some() && asked.tried <= 1 {
                    self.store.write("ad-budget", |tx| {
                        match lockouts::find(tx, object, lockouts::DIRECTORY)? {
                            Some(held) => lockouts::remove(tx, object, lockouts::DIRECTORY, &held),
                            None => Ok(()),
                        }
                    })?;
                    held(&self.unwritten).remove(&object);
                }
                return Ok(());
            }
            Ok(said) if after_the_right_password(said) => 0,
            Ok(_) => asked.tried.max(1),
            Err(_) => asked.tried,
        };
        let Some(spent) = candidate.room.charge(spent.as_ref(), tried, now) else { return Ok(()) };
        // A full disk must not let more guesses through to AD.
        let written = self.store.write("ad-budget", |tx| {
            let held = lockouts::find(tx, object, lockouts::DIRECTORY)?;
            lockouts::replace(tx, object, lockouts::DIRECTORY, held.as_ref(), &spent)
        });
        let mut unwritten = held(&self.unwritten);
        match written {
            Ok(()) => unwritten.remove(&object),
            Err(_) => unwritten.insert(object, spent),
        };
        written
    }

    /// What AD may have counted of this account.
    fn spent(&self, conn: &Reading<'_>, object: Uuid) -> Result<Option<Tries>, StoreError> {
        // It was made from what is stored, and is newer.
        let unwritten = held(&self.unwritten).get(&object).copied();
        match unwritten {
            Some(spent) => Ok(Some(spent)),
            None => lockouts::find(conn, object, lockouts::DIRECTORY),
        }
    }

    fn accepted(&self, object: Uuid) -> Result<Verdict, StoreError> {
        let read = self.store.read(|conn| {
            let Some(account) = objects::find(conn, object)? else { return Ok(None) };
            let Some(domain) = domains::by_id(conn, account.domain)? else { return Ok(None) };
            let known = attributes::of(conn, object)?;
            let admission = signin_policy(conn, &domain, object, &known)?;
            Ok(Some((account, domain, known, admission.policy)))
        })?;
        // It may have been deleted while the agent was asked, or refused from now on.
        let read = read.filter(|(account, ..)| account.presence == Presence::Present);
        Ok(match read {
            None => refused(Why::UnknownName, Some(object)),
            Some((_, _, _, SigninPolicy::Refuse)) => refused(Why::NotAdmitted, Some(object)),
            Some((_, domain, known, _)) => Verdict::Accepted(Person {
                object,
                user: known.user_principal_name,
                sam: known.sam_account_name,
                display_name: known.display_name,
                domain: domain.dns_name,
            }),
        })
    }

    /// A name that nobody has, where agents decide: refused and counted as an account's would be, without asking. Where
    /// an account's sign-in would have no answer (`unable`), this one has none either: a refusal would tell that
    /// nobody has the name.
    pub fn nobody(
        &self,
        stranger: &Stranger,
        unable: Option<NoAnswer>,
        password: &Password,
        now: i64,
    ) -> Before {
        let decided = self.stored(|signin| {
            let no = |why| Ok(Before::Decided(refused(why, None)));
            if password.is_empty() || password.lend(str::len) > MAX_PASSWORD {
                return no(Why::BadPassword);
            }
            let subject = Subject::Stranger(stranger.id);
            if signin.store.read(|conn| signin.is_locked(conn, subject, &stranger.from, now))? {
                return no(Why::LockedOut);
            }
            let unable = match stranger.room {
                AdBudget::None { .. } | AdBudget::Unknown => Some(Unavailable::NoRoomInDirectory),
                AdBudget::Unbounded | AdBudget::Bounded { .. } => unable.map(Unavailable::NoAnswer),
            };
            match unable {
                Some(_) if stranger.policy == SigninPolicy::PtaThenPhs => return Ok(Before::Digest),
                Some(why) => return Ok(Before::Decided(Verdict::Unavailable(why))),
                None => {}
            }
            let verdict = refused(stranger.why, None);
            signin.settle(subject, &stranger.from, password, &verdict, now)?;
            Ok(Before::Decided(verdict))
        });
        decided.unwrap_or_else(|why| Before::Decided(Verdict::Unavailable(why)))
    }

    /// Counts a verdict that was reached here, for the metrics.
    pub fn counted(&self, verdict: Verdict) -> Verdict {
        self.count(&verdict);
        verdict
    }

    fn stored<R>(&self, work: impl FnOnce(&Self) -> Result<R, StoreError>) -> Result<R, Unavailable> {
        work(self).map_err(|failed| {
            error!(database = %self.store.path().display(), error = %failed, "the database fails: nobody signs in");
            Unavailable::Storage
        })
    }
}

/// Whether AD says this only to whoever has the password (FACTS: LDAP), and so counted nothing: whoever tries an
/// expired password twice must get in with the new one at once.
fn after_the_right_password(said: wire::Verdict) -> bool {
    match said {
        wire::Verdict::Valid
        | wire::Verdict::PasswordExpired
        | wire::Verdict::MustChange
        | wire::Verdict::AccountExpired
        | wire::Verdict::Disabled
        | wire::Verdict::LogonHours
        | wire::Verdict::Workstation => true,
        wire::Verdict::Wrong
        | wire::Verdict::Locked
        | wire::Verdict::Restricted
        | wire::Verdict::Unknown(_) => false,
    }
}

#[cfg(test)]
mod tests;
