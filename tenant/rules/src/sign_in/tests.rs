//! The machine, by its sentences: without a disk, a thread or a clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::account_state::filetime;
use crate::lockout::Tries;
use crate::model::{Attributes, Policy};
use crate::relay::NoAnswer;

const NOW: i64 = 1_800_000_000;
const OBJECT: Uuid = Uuid::from_u128(1);
const BOUNDED: AdBudget = AdBudget::Bounded { most: 2, window: 1_860 };

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
        policy,
        budget: BOUNDED,
        budget_is_domains: true,
    };
    let account = AccountFacts {
        present: true,
        protected_user: false,
        attributes: attributes(),
        password_policy: Policy { max_pwd_age: Some(0), lockout_duration: Some(0), ..Policy::default() },
        digest: DigestFact::Readable,
        canary: false,
        blocked: false,
        spent: None,
    };
    Facts {
        subject: Subject::Account(OBJECT),
        nobody: None,
        domain: Some(domain),
        account: Some(account),
        counters: Counters::default(),
    }
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

const ALL: Holds = Holds { turn: true, place: true };
const TURN: Holds = Holds { turn: true, place: false };

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
    let cases: [fn(&mut Facts); 5] = [
        |facts| *facts = nobody(SigninPolicy::Phs),
        |facts| facts.domain.as_mut().unwrap().policy = SigninPolicy::Refuse,
        |facts| facts.account.as_mut().unwrap().digest = DigestFact::Absent,
        |facts| facts.account.as_mut().unwrap().digest = DigestFact::Unreadable,
        |facts| facts.account.as_mut().unwrap().blocked = true,
    ];
    let expected = [Why::UnknownName, Why::NotAdmitted, Why::NoDigest, Why::DigestUnreadable, Why::Blocked];
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
    assert_eq!((right.settle, right.by), (Settle::Right, DecidedBy::Tenant));
    let wrong = sign_in.derived(&facts, &memory, false, NOW);
    assert_eq!(why(&wrong.verdict), Why::WrongPassword);
    assert_eq!(wrong.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: None }));
}

#[test]
fn a_lock_costs_no_derivation_and_looks_like_one() {
    for counters in [
        Counters { own: Some(locked()), ..Counters::default() },
        Counters { all: Some(locked()), ..Counters::default() },
        Counters { in_memory: vec![locked()], ..Counters::default() },
    ] {
        let locked = Facts { counters, ..facts(SigninPolicy::Phs) };
        let done = decision(next(&locked, Memory::default(), Holds::default()));
        assert_eq!((why(&done.verdict), done.settle), (Why::LockedOut, Settle::Nothing));
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
fn on_the_agents_road_nothing_is_decided_before_the_turn() {
    for facts in [facts(SigninPolicy::Pta), nobody(SigninPolicy::Pta)] {
        let locked = Facts { counters: Counters { own: Some(locked()), ..Counters::default() }, ..facts };
        assert_eq!(next(&locked, Memory::default(), Holds::default()), Step::WaitForTurn);
        let done = decision(next(&locked, Memory::default(), TURN));
        assert_eq!((why(&done.verdict), done.wait.like), (Why::LockedOut, Like::Agent(7)));
    }
    let asks = next(&facts(SigninPolicy::Pta), Memory::default(), TURN);
    assert_eq!(asks, Step::AskAgent { domain: 7, object: OBJECT });
}

#[test]
fn ads_own_lockout_stays_out_of_reach() {
    let mut spent = facts(SigninPolicy::Pta);
    spent.account.as_mut().unwrap().spent =
        Some(Tries { failures: 2, first_at: NOW, last_at: NOW - 100, ..Tries::default() });
    assert_eq!(why(&decision(next(&spent, Memory::default(), TURN)).verdict), Why::HeldBack);
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
    let full = Memory { too_many_unwritten: true, ..Memory::default() };
    let done = decision(next(&facts(SigninPolicy::Pta), full, TURN));
    assert_eq!(done.verdict, Verdict::Unavailable(Unavailable::Storage));
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
    assert_eq!(done.settle, Settle::Wrong(RefusedAt { at: NOW, password_set: None }));
    assert_eq!(done.wait, Wait { like: Like::Agent(7), silence: Duration::ZERO });
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

#[test]
fn a_blocked_account_ends_as_a_name_that_nobody_has_on_every_road() {
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
    for policy in SigninPolicy::ALL {
        for memory in memories {
            for budget in budgets {
                let (mut blocked, mut none) = (facts(policy), nobody(policy));
                blocked.account.as_mut().unwrap().blocked = true;
                for facts in [&mut blocked, &mut none] {
                    facts.domain.as_mut().unwrap().budget = budget;
                }
                // The reason and the account are for the audit log alone.
                let like_nobody = |decision: Decision| {
                    let Verdict::Refused { disclosed, why: Why::Blocked, object: Some(OBJECT) } =
                        decision.verdict
                    else {
                        return decision;
                    };
                    let verdict = Verdict::Refused { disclosed, why: Why::UnknownName, object: None };
                    Decision { verdict, ..decision }
                };
                for holds in [TURN, ALL] {
                    let mut step = next(&blocked, memory, holds);
                    if let Step::Done(decision) = step {
                        step = Step::Done(Box::new(like_nobody(*decision)));
                    }
                    assert_eq!(step, next(&none, memory, holds), "{policy:?} {memory:?} {budget:?}");
                }
                let derived = |facts| sign_in.derived(facts, &memory, false, NOW);
                assert_eq!(like_nobody(derived(&blocked)), derived(&none));
            }
        }
    }
    // Blocked while an agent was asked.
    let (before, mut now) = (facts(SigninPolicy::Pta), facts(SigninPolicy::Pta));
    now.account.as_mut().unwrap().blocked = true;
    let asked = AgentAnswer { outcome: Ok(wire::DirectoryVerdict::Valid), agent: None, tried: 1 };
    let answered = sign_in.answered(&before, &now, &Memory::default(), &asked, TURN, NOW);
    assert_eq!(why(&decision(answered.step).verdict), Why::Blocked);
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
        Charge::Put(tries) => tries.failures,
        Charge::Nothing => 0,
        Charge::Clear => panic!("nothing was there to clear"),
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
    let mut spent = pta.clone();
    spent.account.as_mut().unwrap().spent =
        Some(Tries { failures: 1, first_at: NOW, last_at: NOW, ..Tries::default() });
    assert_eq!(answered(&spent, Ok(wire::DirectoryVerdict::Valid), 1).charge, Charge::Clear);
    assert_eq!(
        answered(&spent, Ok(wire::DirectoryVerdict::Valid), 2).charge,
        Charge::Nothing,
        "one may be on its way"
    );
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
        Why::NoDigest,
        Why::NotAdmitted,
        Why::NoRoom,
        Why::DigestUnreadable,
        Why::WrongPassword,
        Why::HeldBack,
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
        "unknown-code",
    ];
    assert_eq!(counts, expected);
}
