//! The machine, by its sentences: without a disk, a thread or a clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::account_state::filetime;
use crate::lockout::{Spent, Tries};
use crate::model::{Attributes, Policy};
use crate::relay::NoAnswer;

const NOW: i64 = 1_800_000_000;
const OBJECT: Uuid = Uuid::from_u128(1);
const ACCOUNT: Principal = Principal { object: OBJECT, rid: 1105 };
const BOUNDED: AdBudget = AdBudget::Bounded { threshold: 5, most: 2, memory: 3 * 1_860 };

fn rules() -> Rules {
    Rules::new(10, 60)
}

fn attributes() -> Attributes {
    Attributes {
        sam_account_name: Some("user".to_owned()),
        user_account_control: Some(0x200),
        pwd_last_set: filetime(NOW - 86_400),
        ..Attributes::default()
    }
}

fn facts(policy: SigninPolicy) -> Facts {
    let domain = DomainFacts {
        id: 7,
        dns_name: "corp.example.com".to_owned(),
        sid: "S-1-5-21-1-2-3".to_owned(),
        policy,
        budget: BOUNDED,
        budget_is_domains: true,
    };
    let account = AccountFacts {
        assigned: true,
        present: true,
        protected_user: false,
        privileged: false,
        attributes: attributes(),
        password_policy: Policy { max_pwd_age: Some(0), lockout_duration: Some(0), ..Policy::default() },
        digest: DigestFact::Readable,
        digest_is_current: true,
        rid: Some(ACCOUNT.rid),
        canary: false,
        blocked: false,
    };
    Facts {
        subject: Subject::Account(OBJECT),
        nobody: None,
        domain: Some(domain),
        account: Some(account),
        source: SourceFacts::UNKNOWN,
        spent: None,
    }
}

fn from_known(facts: Facts) -> Facts {
    let source = SourceFacts { standing: Standing::Known, seen_at: Some(NOW - 100), ..SourceFacts::UNKNOWN };
    Facts { source, ..facts }
}

/// Both parts of the budget of [`BOUNDED`], spent a moment ago as far as given.
fn having_spent(facts: Facts, known: u32, unknown: u32) -> Facts {
    Facts { spent: Some(Spent { known, unknown, last_at: NOW - 100, ..Spent::default() }), ..facts }
}

fn nobody(policy: SigninPolicy) -> Facts {
    Facts {
        subject: Subject::Stranger(Uuid::from_u128(2)),
        nobody: Some(Why::UnknownName),
        account: None,
        ..facts(policy)
    }
}

fn locked() -> Tries {
    Tries { failures: 0, first_at: NOW, last_at: NOW, locked_until: NOW + 60, locks: 1 }
}

const ALL: Holds = Holds { turn: true, place: true, waited: false };
const TURN: Holds = Holds { turn: true, place: false, waited: false };

fn next(facts: &Facts, memory: Memory, holds: Holds) -> Step {
    SignIn { rules: &rules(), bad_password: false }.next(facts, &memory, holds, NOW)
}

fn decision(step: Step) -> Decision {
    let Step::Done(decision) = step else { panic!("{step:?}") };
    *decision
}

fn why(verdict: &Verdict) -> Why {
    let Verdict::Refused { why, .. } = verdict else { panic!("{verdict:?}") };
    *why
}

fn answered(before: &Facts, outcome: Result<wire::DirectoryVerdict, NoAnswer>, tried: u32) -> Answered {
    let (rules, asked) = (rules(), AgentAnswer { outcome, agent: None, tried });
    let sign_in = SignIn { rules: &rules, bad_password: false };
    sign_in.answered(before, before, &Memory::default(), &asked, TURN, NOW)
}

#[test]
fn on_the_digest_road_a_place_comes_before_the_derivation() {
    let phs = facts(SigninPolicy::Phs);
    assert_eq!(next(&phs, Memory::default(), Holds::default()), Step::WaitForPlace);
    assert_eq!(next(&phs, Memory::default(), ALL), Step::Derive(Against::Digest));
}

#[test]
fn whatever_keeps_an_account_out_costs_a_derivation_of_its_domains_cost() {
    let cases: [fn(&mut Facts); 6] = [
        |facts| *facts = nobody(SigninPolicy::Phs),
        |facts| facts.domain.as_mut().unwrap().policy = SigninPolicy::Refuse,
        |facts| facts.account.as_mut().unwrap().digest = DigestFact::Absent,
        |facts| facts.account.as_mut().unwrap().digest = DigestFact::Unreadable,
        |facts| facts.account.as_mut().unwrap().blocked = true,
        |facts| facts.account.as_mut().unwrap().privileged = true,
    ];
    let expected = [
        Why::UnknownName,
        Why::NotAdmitted,
        Why::NoDigest,
        Why::DigestUnreadable,
        Why::Blocked,
        Why::Privileged,
    ];
    for (case, expected) in cases.iter().zip(expected) {
        let mut facts = facts(SigninPolicy::Phs);
        case(&mut facts);
        assert_eq!(next(&facts, Memory::default(), ALL), Step::Derive(Against::Decoy(Some(7))));
        let (rules, memory) = (rules(), Memory::default());
        let sign_in = SignIn { rules: &rules, bad_password: false };
        // Even if the decoy fitted.
        for fits in [false, true] {
            assert_eq!(why(&sign_in.derived(&facts, &memory, fits, NOW).verdict), expected);
        }
    }
}

#[test]
fn a_right_password_is_accepted_and_a_wrong_one_is_counted() {
    let (facts, rules, memory) = (facts(SigninPolicy::Phs), rules(), Memory::default());
    let sign_in = SignIn { rules: &rules, bad_password: false };
    let right = sign_in.derived(&facts, &memory, true, NOW);
    assert!(matches!(&right.verdict, Verdict::Accepted(person) if person.object == OBJECT));
    assert_eq!((right.settle, right.by), (Settle::LetIn(NOW), DecidedBy::Tenant));
    let wrong = sign_in.derived(&facts, &memory, false, NOW);
    assert_eq!(why(&wrong.verdict), Why::WrongPassword);
    assert_eq!(wrong.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: None }));
}

#[test]
fn a_lock_costs_no_derivation_and_looks_like_one() {
    let counters = [(Some(locked()), None), (None, Some(locked()))];
    let standings = [(Standing::Known, Why::LockedOut), (Standing::Unknown, Why::UnknownSourcesLocked)];
    for ((counter, in_memory), (standing, expected)) in
        counters.into_iter().flat_map(|counter| standings.map(|standing| (counter, standing)))
    {
        let source = SourceFacts { standing, seen_at: None, counter, in_memory };
        let locked = Facts { source, ..facts(SigninPolicy::Phs) };
        let done = decision(next(&locked, Memory::default(), Holds::default()));
        assert_eq!((why(&done.verdict), done.settle), (expected, Settle::Nothing));
        assert_eq!(done.wait.like, Like::Derivation);
    }
}

#[test]
fn an_empty_password_is_refused_on_every_road_before_anything_is_derived_or_asked() {
    for policy in [SigninPolicy::Phs, SigninPolicy::Pta, SigninPolicy::PtaThenPhs, SigninPolicy::Refuse] {
        let rules = rules();
        let sign_in = SignIn { rules: &rules, bad_password: true };
        for facts in [facts(policy), nobody(policy)] {
            let done = decision(sign_in.next(&facts, &Memory::default(), TURN, NOW));
            assert_eq!((why(&done.verdict), done.settle), (Why::BadPassword, Settle::Nothing));
        }
    }
}

#[test]
fn on_the_agents_road_a_lock_waits_for_no_turn_and_everything_else_does() {
    for facts in [facts(SigninPolicy::Pta), nobody(SigninPolicy::Pta)] {
        assert_eq!(next(&facts, Memory::default(), Holds::default()), Step::WaitForTurn);
        let source = SourceFacts { counter: Some(locked()), ..SourceFacts::UNKNOWN };
        let locked = Facts { source, ..facts };
        for holds in [Holds::default(), TURN] {
            let done = decision(next(&locked, Memory::default(), holds));
            assert_eq!((why(&done.verdict), done.wait.like), (Why::UnknownSourcesLocked, Like::Agent(7)));
        }
    }
    let asks = next(&facts(SigninPolicy::Pta), Memory::default(), TURN);
    assert_eq!(asks, Step::AskAgent(Question { domain: 7, account: ACCOUNT, binds: 2 }));
}

#[test]
fn no_agent_is_asked_about_an_account_whose_sid_is_not_known_and_its_digest_decides_where_digests_do() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let mut without = facts(policy);
        without.account.as_mut().unwrap().rid = None;
        let done = decision(next(&without, Memory::default(), ALL));
        assert_eq!((why(&done.verdict), done.wait.like), (Why::NoSid, Like::Agent(7)), "{policy:?}");
    }
    let mut without = facts(SigninPolicy::Phs);
    without.account.as_mut().unwrap().rid = None;
    assert_eq!(next(&without, Memory::default(), ALL), Step::Derive(Against::Digest));
}

#[test]
fn an_account_whose_two_names_belong_to_two_accounts_is_refused_and_no_digest_decides_instead() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let Answered { charge, step } = answered(&facts(policy), Err(NoAnswer::OtherAccount), 1);
        let done = decision(step);
        assert_eq!((why(&done.verdict), done.settle), (Why::OtherAccount, Settle::Nothing), "{policy:?}");
        assert_eq!(charge, added(1), "a bind may have been counted");
    }
}

#[test]
fn ads_own_lockout_stays_out_of_reach() {
    for budget in [AdBudget::None { threshold: 1 }, AdBudget::Unknown] {
        let mut none = facts(SigninPolicy::Pta);
        none.domain.as_mut().unwrap().budget = budget;
        let done = decision(next(&none, Memory::default(), TURN));
        assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::NoRoomInDirectory));
        none.domain.as_mut().unwrap().budget_is_domains = false;
        assert_eq!(why(&decision(next(&none, Memory::default(), TURN)).verdict), Why::NoRoom);
        none.domain.as_mut().unwrap().policy = SigninPolicy::PtaThenPhs;
        assert_eq!(next(&none, Memory::default(), TURN), Step::WaitForPlace, "the digest decides");
    }
    let one_left = having_spent(facts(SigninPolicy::Pta), 0, 1);
    let asks = next(&one_left, Memory::default(), TURN);
    assert_eq!(asks, Step::AskAgent(Question { domain: 7, account: ACCOUNT, binds: 1 }));
    let full = Memory { too_many_unwritten: true, ..Memory::default() };
    let done = decision(next(&facts(SigninPolicy::Pta), full, TURN));
    assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::Storage));
}

fn compared(facts: &Facts, memory: Memory, fits: bool) -> Result<Question, Box<Decision>> {
    let rules = rules();
    let sign_in = SignIn { rules: &rules, bad_password: false };
    sign_in.compared(facts, &memory, fits, NOW)
}

#[test]
fn what_unknown_sources_have_spent_leaves_known_ones_all_of_theirs() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let spent = having_spent(facts(policy), 0, 2);
        assert_eq!(next(&spent, Memory::default(), TURN), Step::WaitForPlace);
        assert_eq!(next(&spent, Memory::default(), ALL), Step::Compare(Against::Digest));
        // Of an odd threshold one bind is kept for the digest's password.
        let asks = next(&from_known(spent.clone()), Memory::default(), TURN);
        assert_eq!(asks, Step::AskAgent(Question { domain: 7, account: ACCOUNT, binds: 1 }));
        let mut without = from_known(spent);
        without.account.as_mut().unwrap().digest = DigestFact::Absent;
        let asks = next(&without, Memory::default(), TURN);
        assert_eq!(asks, Step::AskAgent(Question { domain: 7, account: ACCOUNT, binds: 2 }));
        let other_way_round = having_spent(facts(policy), 2, 0);
        assert!(matches!(next(&other_way_round, Memory::default(), TURN), Step::AskAgent(_)));
        assert_eq!(next(&from_known(other_way_round), Memory::default(), TURN), Step::WaitForPlace);
    }
}

#[test]
fn with_the_budget_spent_ad_is_asked_about_the_digests_password_once_and_no_other() {
    let spent = having_spent(facts(SigninPolicy::Pta), 0, 2);
    let asks = Question { domain: 7, account: ACCOUNT, binds: 1 };
    assert_eq!(compared(&spent, Memory::default(), true), Ok(asks));
    let wrong = compared(&spent, Memory::default(), false).unwrap_err();
    assert_eq!(why(&wrong.verdict), Why::DigestDiffers);
    assert_eq!(wrong.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: None }), "counted");
    assert_eq!(wrong.charge, Charge::Nothing);
    // AD refuses what the digest accepts: charged, and the digest stands in no more, from any source.
    let charge = answered(&spent, Ok(wire::DirectoryVerdict::Wrong), 1).charge;
    assert_eq!(charge, added(1));
    for over in [having_spent(spent.clone(), 0, 3), from_known(having_spent(spent.clone(), 2, 3))] {
        let held = compared(&over, Memory::default(), true).unwrap_err();
        assert_eq!((why(&held.verdict), held.settle), (Why::HeldBack, Settle::Nothing));
    }
    let refused = Memory { refused_before: true, ..Memory::default() };
    let held = compared(&spent, refused, true).unwrap_err();
    assert_eq!((why(&held.verdict), held.settle), (Why::RefusedBefore, Settle::Nothing));
}

#[test]
fn while_there_is_budget_the_digest_refuses_nothing() {
    let pta = facts(SigninPolicy::Pta);
    for facts in [pta.clone(), from_known(pta.clone()), having_spent(pta, 1, 1)] {
        assert!(matches!(next(&facts, Memory::default(), ALL), Step::AskAgent(_)));
    }
}

#[test]
fn a_digest_that_is_absent_closed_or_of_an_older_password_does_not_stand_in() {
    let cases: [fn(&mut AccountFacts); 3] = [
        |account| account.digest = DigestFact::Absent,
        |account| account.digest = DigestFact::Unreadable,
        |account| account.digest_is_current = false,
    ];
    for case in cases {
        let mut spent = having_spent(facts(SigninPolicy::Pta), 0, 2);
        case(spent.account.as_mut().unwrap());
        let derives = next(&spent, Memory::default(), ALL);
        assert_eq!(derives, Step::Compare(Against::Decoy(Some(7))), "in time it looks like the others");
        for fits in [false, true] {
            let held = compared(&spent, Memory::default(), fits).unwrap_err();
            assert_eq!((why(&held.verdict), held.settle), (Why::HeldBack, Settle::Nothing));
        }
    }
}

#[test]
fn with_the_budget_spent_refusals_of_every_kind_take_a_derivation_and_an_agents_time() {
    let spent = having_spent(facts(SigninPolicy::Pta), 0, 2);
    let mut canary = spent.clone();
    canary.account.as_mut().unwrap().canary = true;
    let nobody = having_spent(nobody(SigninPolicy::Pta), 0, 2);
    for (facts, expected) in [(&nobody, Why::UnknownName), (&canary, Why::Canary)] {
        assert_eq!(next(facts, Memory::default(), ALL), Step::Compare(Against::Decoy(Some(7))));
        let done = compared(facts, Memory::default(), true).unwrap_err();
        assert_eq!((why(&done.verdict), done.wait.like), (expected, Like::Agent(7)));
        assert_eq!(done.charge, Charge::Nothing, "an account is not charged again either");
    }
    let differs = compared(&spent, Memory::default(), false).unwrap_err();
    assert_eq!(differs.wait.like, Like::Agent(7));
    for facts in [nobody, spent] {
        let source = SourceFacts { counter: Some(locked()), ..SourceFacts::UNKNOWN };
        let done = decision(next(&Facts { source, ..facts }, Memory::default(), TURN));
        assert_eq!(done.wait.like, Like::ComparisonAndAgent(7), "without a derivation");
    }
}

#[test]
fn a_canary_an_absent_account_and_a_refused_password_ask_no_agent() {
    let mut canary = facts(SigninPolicy::Pta);
    canary.account.as_mut().unwrap().canary = true;
    assert_eq!(why(&decision(next(&canary, Memory::default(), TURN)).verdict), Why::Canary);
    let mut gone = facts(SigninPolicy::Pta);
    gone.account.as_mut().unwrap().present = false;
    assert_eq!(why(&decision(next(&gone, Memory::default(), TURN)).verdict), Why::UnknownName);
    let again = Memory { refused_before: true, ..Memory::default() };
    let done = decision(next(&facts(SigninPolicy::Pta), again, TURN));
    assert_eq!((why(&done.verdict), done.settle), (Why::RefusedBefore, Settle::Nothing));
}

#[test]
fn a_name_that_nobody_has_is_refused_counted_and_held_back_without_asking() {
    let done = decision(next(&nobody(SigninPolicy::Pta), Memory::default(), TURN));
    assert_eq!(why(&done.verdict), Why::UnknownName);
    assert_eq!(done.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: Some(0) }));
    assert_eq!(done.charge, added(1), "as an account's would be");
    assert_eq!(done.wait, Wait { like: Like::Agent(7), silence: Duration::ZERO });
    // The same password again would not be asked about, nor counted, nor charged.
    let again = Memory { refused_before: true, ..Memory::default() };
    let done = decision(next(&nobody(SigninPolicy::Pta), again, TURN));
    assert_eq!((done.settle, done.charge), (Settle::Nothing, Charge::Nothing));
}

fn added(more: u32) -> Charge {
    Charge::Add { budget: BOUNDED, standing: Standing::Unknown, more, at: NOW }
}

#[test]
fn a_name_that_nobody_has_has_no_answer_where_an_account_would_have_none() {
    let took = Duration::from_secs(3);
    let silence = Some(Silence { why: NoAnswer::NoDirectory, took });
    let silent = Memory { silence, ..Memory::default() };
    let done = decision(next(&nobody(SigninPolicy::Pta), silent, TURN));
    assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::NoAnswer(NoAnswer::NoDirectory)));
    assert_eq!(done.wait, Wait { like: Like::Nothing, silence: took });
    // No agent at all is known at once, for an account as well.
    let unable = Memory { unable: Some(NoAnswer::NoAgent), silence, ..Memory::default() };
    let done = decision(next(&nobody(SigninPolicy::Pta), unable, TURN));
    assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::NoAnswer(NoAnswer::NoAgent)));
    assert_eq!(done.wait, Wait::default());
    // Where the digest decides instead, it does so for nobody's name too, after the same silence.
    let both = nobody(SigninPolicy::PtaThenPhs);
    assert_eq!(next(&both, silent, TURN), Step::WaitForPlace);
    assert_eq!(next(&both, silent, ALL), Step::Derive(Against::Decoy(Some(7))));
    let rules = rules();
    let done = SignIn { rules: &rules, bad_password: false }.derived(&both, &silent, false, NOW);
    assert_eq!((done.by, done.wait.silence), (DecidedBy::DigestInstead, took));
}

type Change = fn(&mut AccountFacts);

/// Every way to shut an account out, with the reason for the audit log.
const SHUT_OUT: [(Change, Why); 6] = [
    (|account| account.blocked = true, Why::Blocked),
    (|account| account.privileged = true, Why::Privileged),
    (|account| account.attributes.user_account_control = Some(0x202), Why::Vetoed(State::Disabled)),
    (
        |account| account.attributes.user_account_control = Some(0x4_0200),
        Why::Vetoed(State::SmartcardRequired),
    ),
    (|account| account.protected_user = true, Why::Vetoed(State::ProtectedUser)),
    (|account| account.attributes.account_expires = filetime(NOW), Why::Vetoed(State::AccountExpired)),
];

#[test]
fn an_account_that_is_shut_out_ends_as_a_name_that_nobody_has_on_every_road() {
    let memories = [
        Memory::default(),
        Memory { unable: Some(NoAnswer::NoAgent), ..Memory::default() },
        Memory {
            silence: Some(Silence { why: NoAnswer::NoDirectory, took: Duration::from_secs(3) }),
            ..Memory::default()
        },
    ];
    let budgets = [BOUNDED, AdBudget::None { threshold: 2 }, AdBudget::Unknown, AdBudget::Unbounded];
    let rules = rules();
    let sign_in = SignIn { rules: &rules, bad_password: false };
    for ((shut, reason), policy) in
        SHUT_OUT.iter().flat_map(|way| SigninPolicy::ALL.map(|policy| (way, policy)))
    {
        // Where the digest decides, the state is judged after the password.
        if matches!(reason, Why::Vetoed(_)) && !policy.asks_agents() {
            continue;
        }
        for (memory, budget) in memories.iter().flat_map(|memory| budgets.map(|budget| (*memory, budget))) {
            let (mut account, mut none) = (facts(policy), nobody(policy));
            shut(account.account.as_mut().unwrap());
            for facts in [&mut account, &mut none] {
                facts.domain.as_mut().unwrap().budget = budget;
            }
            // The reason and the account are for the audit log alone.
            let like_nobody = |decision: Decision| {
                let Verdict::Refused { disclosed, why, object: Some(OBJECT) } = decision.verdict else {
                    return decision;
                };
                assert_eq!(why, *reason);
                let verdict = Verdict::Refused { disclosed, why: Why::UnknownName, object: None };
                Decision { verdict, ..decision }
            };
            for holds in [TURN, ALL] {
                let mut step = next(&account, memory, holds);
                if let Step::Done(decision) = step {
                    step = Step::Done(Box::new(like_nobody(*decision)));
                }
                assert_eq!(step, next(&none, memory, holds), "{reason:?} {policy:?} {memory:?} {budget:?}");
            }
            for fits in [false, true] {
                let derived = |facts| sign_in.derived(facts, &memory, fits, NOW);
                assert_eq!(like_nobody(derived(&account)), derived(&none));
            }
        }
    }
}

#[test]
fn an_account_that_is_shut_out_while_an_agent_is_asked_is_refused_whatever_the_agent_says() {
    for (shut, reason) in SHUT_OUT {
        let (before, mut now) = (facts(SigninPolicy::Pta), facts(SigninPolicy::Pta));
        shut(now.account.as_mut().unwrap());
        let asked = AgentAnswer { outcome: Ok(wire::DirectoryVerdict::Valid), agent: None, tried: 1 };
        let rules = rules();
        let sign_in = SignIn { rules: &rules, bad_password: false };
        let answered = sign_in.answered(&before, &now, &Memory::default(), &asked, TURN, NOW);
        assert_eq!(decision(answered.step).verdict, refused(reason, Some(OBJECT)));
    }
}

fn unassigned(policy: SigninPolicy) -> Facts {
    let mut facts = facts(policy);
    facts.account.as_mut().unwrap().assigned = false;
    facts
}

#[test]
fn an_account_that_is_not_assigned_takes_the_same_steps_as_one_that_is() {
    let memories = [
        Memory::default(),
        Memory { unable: Some(NoAnswer::NoAgent), ..Memory::default() },
        Memory { refused_before: true, ..Memory::default() },
    ];
    for (policy, memory) in
        SigninPolicy::ALL.iter().flat_map(|policy| memories.map(|memory| (*policy, memory)))
    {
        for spent in [0, 10] {
            let (assigned, other) = (facts(policy), unassigned(policy));
            let (assigned, other) = (having_spent(assigned, spent, spent), having_spent(other, spent, spent));
            for holds in [Holds::default(), TURN, ALL] {
                assert_eq!(
                    next(&other, memory, holds),
                    next(&assigned, memory, holds),
                    "{policy:?} {memory:?}"
                );
            }
        }
    }
}

#[test]
fn the_right_password_of_an_account_that_is_not_assigned_is_refused_and_settles_nothing() {
    let rules = rules();
    let sign_in = SignIn { rules: &rules, bad_password: false };
    let not_assigned = refused(Why::NotAssigned, Some(OBJECT));
    // By digest.
    let by_digest = unassigned(SigninPolicy::Phs);
    let decided = sign_in.derived(&by_digest, &Memory::default(), true, NOW);
    assert_eq!((decided.verdict, decided.settle), (not_assigned.clone(), Settle::Nothing));
    let wrong = sign_in.derived(&by_digest, &Memory::default(), false, NOW);
    assert_eq!(wrong, sign_in.derived(&facts(SigninPolicy::Phs), &Memory::default(), false, NOW));
    // By an agent. The assignment counts as it is when the agent has answered.
    let (before, now) = (facts(SigninPolicy::Pta), unassigned(SigninPolicy::Pta));
    let answered = |facts: &Facts, said| {
        let asked = AgentAnswer { outcome: Ok(said), agent: None, tried: 1 };
        let answered = sign_in.answered(&before, facts, &Memory::default(), &asked, TURN, NOW);
        (answered.charge, decision(answered.step))
    };
    let (_, decided) = answered(&now, wire::DirectoryVerdict::Valid);
    assert_eq!((decided.verdict, decided.settle), (not_assigned, Settle::Nothing));
    let wrong = wire::DirectoryVerdict::Wrong;
    assert_eq!(answered(&now, wrong), answered(&before, wrong), "a wrong password counts as anybody's");
}

#[test]
fn no_state_of_an_account_that_is_not_assigned_is_disclosed() {
    let rules = rules();
    let sign_in = SignIn { rules: &rules, bad_password: false };
    let (mut by_digest, before) = (unassigned(SigninPolicy::Phs), facts(SigninPolicy::Pta));
    by_digest.account.as_mut().unwrap().attributes.pwd_last_set = Some(0);
    let decided = sign_in.derived(&by_digest, &Memory::default(), true, NOW);
    assert_eq!(decided.verdict, refused(Why::State(State::MustChange), Some(OBJECT)));
    assert_eq!(decided.settle, Settle::Nothing);
    for said in [
        wire::DirectoryVerdict::PasswordExpired,
        wire::DirectoryVerdict::MustChange,
        wire::DirectoryVerdict::AccountExpired,
    ] {
        let asked = AgentAnswer { outcome: Ok(said), agent: None, tried: 1 };
        let now = unassigned(SigninPolicy::Pta);
        let answered = sign_in.answered(&before, &now, &Memory::default(), &asked, TURN, NOW);
        let decided = decision(answered.step);
        let Verdict::Refused { disclosed: None, .. } = decided.verdict else {
            panic!("{:?}", decided.verdict)
        };
        assert_eq!(decided.settle, Settle::Nothing, "{said:?}");
    }
}

#[test]
fn a_state_that_a_person_or_time_ends_is_left_to_the_domain_controller() {
    let states: [Change; 5] = [
        |account| account.attributes.pwd_last_set = Some(0),
        |account| account.attributes.lockout_time = filetime(NOW - 60),
        |account| account.attributes.logon_hours = Some(vec![0; 21]),
        |account| account.attributes.user_account_control = None,
        |account| account.attributes.account_expires = filetime(NOW + 1),
    ];
    for change in states {
        let mut facts = facts(SigninPolicy::Pta);
        change(facts.account.as_mut().unwrap());
        assert!(matches!(next(&facts, Memory::default(), TURN), Step::AskAgent(_)));
    }
}

#[test]
fn an_agents_verdict_is_final_and_its_absence_is_not() {
    let pta = facts(SigninPolicy::Pta);
    let done = decision(answered(&pta, Err(NoAnswer::Lost), 2).step);
    assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::NoAnswer(NoAnswer::Lost)));
    let both = facts(SigninPolicy::PtaThenPhs);
    assert_eq!(answered(&both, Err(NoAnswer::Lost), 2).step, Step::WaitForPlace);
    for said in
        [wire::DirectoryVerdict::Wrong, wire::DirectoryVerdict::Locked, wire::DirectoryVerdict::Unknown(7)]
    {
        let done = decision(answered(&both, Ok(said), 1).step);
        assert!(matches!(done.verdict, Verdict::Refused { .. }), "{said:?}");
        assert_eq!(done.by, DecidedBy::Agent);
    }
    assert!(matches!(
        decision(answered(&pta, Ok(wire::DirectoryVerdict::Valid), 1).step).verdict,
        Verdict::Accepted(_)
    ));
}

#[test]
fn what_may_have_reached_ad_is_charged_and_a_right_password_clears_it() {
    let pta = facts(SigninPolicy::Pta);
    let charged = |outcome, tried| match answered(&pta, outcome, tried).charge {
        Charge::Add { more, .. } => more,
        Charge::Nothing => 0,
        Charge::Accepted { .. } => panic!("nothing was there to clear"),
    };
    assert_eq!(charged(Err(NoAnswer::Lost), 2), 2, "both deliveries may have been counted");
    assert_eq!(charged(Err(NoAnswer::NoAgent), 0), 0);
    assert_eq!(charged(Ok(wire::DirectoryVerdict::Wrong), 0), 1);
    assert_eq!(charged(Ok(wire::DirectoryVerdict::Locked), 1), 1);
    for right in [
        wire::DirectoryVerdict::PasswordExpired,
        wire::DirectoryVerdict::MustChange,
        wire::DirectoryVerdict::Disabled,
    ] {
        assert_eq!(charged(Ok(right), 1), 0, "AD counts nothing: {right:?}");
    }
    let spent = having_spent(pta.clone(), 0, 1);
    assert_eq!(
        answered(&spent, Ok(wire::DirectoryVerdict::Valid), 1).charge,
        Charge::Accepted { budget: BOUNDED, at: NOW }
    );
    assert_eq!(
        answered(&spent, Ok(wire::DirectoryVerdict::Valid), 2).charge,
        Charge::Nothing,
        "one may be on its way"
    );
}

#[test]
fn a_change_of_password_is_charged_for_what_may_have_reached_ad() {
    use landbridge_wire::change::NewRefused;
    let pta = facts(SigninPolicy::Pta);
    let effects = |outcome, tried| {
        let answer = AgentAnswer { outcome, agent: None, tried };
        let (settle, charge) = effects_of_change(&pta, &answer, NOW);
        let charged = match charge {
            Charge::Add { more, .. } => more,
            Charge::Nothing => 0,
            Charge::Accepted { .. } => panic!("nothing was there to clear"),
        };
        (settle == Settle::Nothing, charged)
    };
    assert_eq!(effects(Ok(ChangeOutcome::Changed { password_set: None }), 1), (true, 0));
    assert_eq!(effects(Ok(ChangeOutcome::NewRefused(NewRefused::NotComplex)), 1), (true, 0));
    assert_eq!(effects(Ok(ChangeOutcome::NotKnown), 0), (true, 1), "the new password was tried as well");
    assert_eq!(effects(Ok(ChangeOutcome::NotKnown), 2), (true, 2));
    assert_eq!(effects(Ok(ChangeOutcome::OldRefused(wire::DirectoryVerdict::Wrong)), 1), (false, 1));
    assert_eq!(effects(Err(NoAnswer::NoDirectory), 0), (true, 0));
}

#[test]
fn a_refusal_is_about_the_password_that_the_account_had_when_the_agent_was_asked() {
    let before = facts(SigninPolicy::Pta);
    let mut now = before.clone();
    now.account.as_mut().unwrap().attributes.pwd_last_set = filetime(NOW);
    let (rules, asked) =
        (rules(), AgentAnswer { outcome: Ok(wire::DirectoryVerdict::Wrong), agent: None, tried: 1 });
    let sign_in = SignIn { rules: &rules, bad_password: false };
    let done = decision(sign_in.answered(&before, &now, &Memory::default(), &asked, TURN, NOW).step);
    let set = before.account.unwrap().attributes.pwd_last_set;
    assert_eq!(done.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: set }));
}

#[test]
fn an_agents_yes_does_not_outlive_the_account_or_its_admission() {
    let before = facts(SigninPolicy::Pta);
    let (rules, asked) =
        (rules(), AgentAnswer { outcome: Ok(wire::DirectoryVerdict::Valid), agent: None, tried: 1 });
    let sign_in = SignIn { rules: &rules, bad_password: false };
    let verdict = |now: &Facts| {
        decision(sign_in.answered(&before, now, &Memory::default(), &asked, TURN, NOW).step).verdict
    };
    let mut gone = before.clone();
    gone.account.as_mut().unwrap().present = false;
    assert_eq!(why(&verdict(&gone)), Why::UnknownName);
    let mut refused = before.clone();
    refused.domain.as_mut().unwrap().policy = SigninPolicy::Refuse;
    assert_eq!(why(&verdict(&refused)), Why::NotAdmitted);
}

#[test]
fn what_a_person_can_mend_is_disclosed_after_the_right_password_and_forgives() {
    let pta = facts(SigninPolicy::Pta);
    let done = decision(answered(&pta, Ok(wire::DirectoryVerdict::MustChange), 1).step);
    assert!(matches!(done.verdict, Verdict::Refused { disclosed: Some(_), .. }));
    assert_eq!(done.settle, Settle::Right);
    let done = decision(answered(&pta, Ok(wire::DirectoryVerdict::Disabled), 1).step);
    assert!(matches!(done.verdict, Verdict::Refused { disclosed: None, .. }));
    assert_eq!(done.settle, Settle::Nothing, "neither a failure nor a success");
}

/// Names in the audit log are what operators search for: they stay as they are.
#[test]
fn every_reason_has_a_name_of_its_own() {
    let all = [
        Why::BadName,
        Why::BadPassword,
        Why::UnknownName,
        Why::AmbiguousName,
        Why::OtherDomain,
        Why::LockedOut,
        Why::Blocked,
        Why::UnknownSourcesLocked,
        Why::NoDigest,
        Why::NotAdmitted,
        Why::NoRoom,
        Why::DigestUnreadable,
        Why::WrongPassword,
        Why::Privileged,
        Why::HeldBack,
        Why::DigestDiffers,
        Why::RefusedBefore,
        Why::Canary,
        Why::Workstation,
        Why::Restricted,
        Why::UnknownCode(1),
    ];
    let names: std::collections::BTreeSet<&str> = all.iter().map(|why| why.as_str()).collect();
    assert_eq!(names.len(), all.len());
    let counts: Vec<&str> =
        all.iter().filter(|why| why.effect() == Effect::Wrong).map(|why| why.as_str()).collect();
    let expected = [
        "unknown-name",
        "ambiguous-name",
        "other-domain",
        "blocked",
        "no-digest",
        "not-admitted",
        "wrong-password",
        "privileged",
        "digest-differs",
        "unknown-code",
    ];
    assert_eq!(counts, expected);
}

#[test]
fn while_another_node_holds_the_last_of_the_budget_a_sign_in_waits_and_then_goes_on_as_if_it_were_spent() {
    let held = Spent { held_unknown: 2, asked_until: NOW + 15, ..Spent::default() };
    let asked = |spent| Facts { spent: Some(spent), ..facts(SigninPolicy::Pta) };
    for (spent, holds, step) in [
        (held, TURN, Step::WaitForQuestion),
        (held, Holds { waited: true, ..TURN }, Step::WaitForPlace),
        (Spent { asked_until: NOW, ..held }, TURN, Step::WaitForPlace),
    ] {
        assert_eq!(next(&asked(spent), Memory::default(), holds), step);
        let nobody = Facts { spent: Some(spent), ..nobody(SigninPolicy::Pta) };
        assert_eq!(next(&nobody, Memory::default(), holds), step, "an unknown name does the same");
    }
    let given_back = Spent { held_unknown: 1, ..held };
    assert!(matches!(next(&asked(given_back), Memory::default(), TURN), Step::AskAgent(_)));
}

#[test]
fn a_question_reserves_two_binds_at_most_and_never_more_than_there_are() {
    let pta = Facts { account: None, ..facts(SigninPolicy::Pta) };
    let reserves = |unknown, about| {
        let spent = Spent { unknown, last_at: NOW, ..Spent::default() };
        match reserving(&pta, Some(&spent), about, NOW) {
            Reserving::Possible(reserved) => Some((reserved.binds, reserved.until)),
            Reserving::NotNeeded | Reserving::NoRoom { .. } => None,
        }
    };
    assert_eq!(reserves(0, About::AnyPassword), Some((2, NOW + QUESTION_SECONDS)));
    assert_eq!(reserves(1, About::AnyPassword), Some((1, NOW + QUESTION_SECONDS)));
    assert_eq!(reserves(2, About::AnyPassword), None);
    assert_eq!(reserves(2, About::LikelyPassword), Some((1, NOW + QUESTION_SECONDS)));
    assert_eq!(reserves(3, About::LikelyPassword), None, "AD has refused one");
    let mut unbounded = pta.clone();
    unbounded.domain.as_mut().unwrap().budget = AdBudget::Unbounded;
    assert_eq!(reserving(&unbounded, None, About::AnyPassword, NOW), Reserving::NotNeeded);
}
