//! The budget of bad passwords: how many the tenant may add to AD's own count of an account, so that guesses from
//! outside never lock a person out of the company. Pure.
//!
//! AD locks an account at `lockoutThreshold` bad passwords, and resets its count when `lockOutObservationWindow` has
//! passed since the last one. The agents forget later: two agents that are used in turn could keep AD's count alive, so
//! each remembers for as many windows as the other has failed binds, and one more. Charges count as long as the agents
//! remember, whoever caused them: otherwise strangers could use up the agents' bounds in several windows, and a known
//! source would find no agent. Each window has a minute more for clocks that differ. Unknown sources may cause (threshold − 1) / 2 of them, and known sources as
//! many beside them: together less than the threshold. Limit of this rule: bad passwords that were tried inside are
//! unknown, because badPwdCount does not replicate.
//!
//! Where several nodes serve one database, a node reserves what it may send before it asks an agent, and gives back what
//! was not sent. Reserved binds count like charges. Those of a node that has died become charges at the end of the
//! question.
//!
//! Where a digest is held, AD is asked about the digest's password although both parts are spent. AD may refuse it,
//! because the password was changed a moment ago. So one bind of both parts together is kept for it: two agents send no
//! more than the two parts.

use super::Standing;
use crate::account_state::TICKS_A_SECOND;
use crate::model::Policy;

/// Seconds added to AD's window, because the clocks of DC and tenant differ.
const MARGIN: i64 = 60;
/// Window in seconds for a domain without `lockOutObservationWindow`: AD's own default.
const USUAL_WINDOW: i64 = 30 * 60;
/// The longest window in seconds: AD accepts at most 99,999 minutes. "Never" counts as this.
const LONGEST_WINDOW: i64 = 99_999 * 60;

/// The budget that a lockout policy leaves, of a domain or of a password settings object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdBudget {
    /// The policy never locks an account.
    Unbounded,
    /// A limit on bad passwords. They count until `memory` has passed since the last one.
    Bounded {
        /// lockoutThreshold of the policy.
        threshold: u32,
        /// Limit on bad passwords from known sources, and as much again on those from unknown sources.
        most: u32,
        /// Seconds since the last bad password after which none counts: as long as two agents remember.
        memory: i64,
    },
    /// No bad password is allowed: half of the threshold is less than one.
    None {
        /// lockoutThreshold of the policy.
        threshold: i64,
    },
    /// The policy has not arrived from a phs yet, or it is unclear which policy applies.
    Unknown,
}

impl AdBudget {
    /// The budget under this policy.
    pub fn of(policy: &Policy) -> Self {
        let Some(threshold) = policy.lockout_threshold else { return Self::Unknown };
        if threshold == 0 {
            return Self::Unbounded;
        }
        let bound = u32::try_from(threshold).unwrap_or(0);
        let most = bound.saturating_sub(1) / 2;
        if most == 0 {
            return Self::None { threshold };
        }
        // Intervals are negative counts of 100 ns; i64::MIN is "never".
        let window = match policy.lockout_observation_window {
            Some(interval) if interval < 0 => interval.unsigned_abs() / TICKS_A_SECOND.unsigned_abs(),
            Some(_) | None => USUAL_WINDOW.unsigned_abs(),
        };
        let window = i64::try_from(window).unwrap_or(LONGEST_WINDOW).clamp(MARGIN, LONGEST_WINDOW);
        let memory = window.saturating_add(MARGIN).saturating_mul(i64::from(most) + 1).min(MEMORY);
        Self::Bounded { threshold: bound, most, memory }
    }

    /// Number of further bad passwords that sources of this standing may cause at `now`. `spent` is what the account's
    /// sources have caused. `has_digest`: a digest stands in when nothing is left, so one bind is kept for its password.
    pub fn room(self, spent: Option<&Spent>, standing: Standing, has_digest: bool, now: i64) -> u32 {
        match self {
            Self::Unbounded => u32::MAX,
            Self::Bounded { most, memory, .. } => {
                let counted = counted(spent, memory, now);
                let together = both(most).saturating_sub(u32::from(has_digest));
                let left = together.saturating_sub(counted.all());
                most.saturating_sub(counted.part(standing)).min(left)
            }
            Self::None { .. } | Self::Unknown => 0,
        }
    }

    /// Whether AD may be asked about the digest's password although nothing is left: if both parts have one left for it,
    /// and AD has refused no digest's password so far.
    pub fn allows_digests_password(self, spent: Option<&Spent>, now: i64) -> bool {
        let Self::Bounded { most, memory, .. } = self else { return false };
        let counted = counted(spent, memory, now);
        let refused = [Standing::Known, Standing::Unknown].iter().any(|of| counted.part(*of) > most);
        !refused && counted.all() < both(most)
    }

    /// Reserves `binds` for a question to an agent that ends at `until`, asked for a source of this standing. Returns the
    /// account's new charges. Times are in seconds since 1970. None: the budget counts nothing.
    pub fn reserve(
        self,
        spent: Option<&Spent>,
        (standing, binds): (Standing, u32),
        now: i64,
        until: i64,
    ) -> Option<Spent> {
        let Self::Bounded { memory, .. } = self else { return None };
        let mut reserved = counted(spent, memory, now);
        let held = reserved.held(standing);
        *held = held.saturating_add(binds);
        // A question of another node may end later.
        reserved.asked_until = reserved.asked_until.max(until);
        Some(reserved)
    }

    /// Gives back what [`Self::reserve`] has reserved, before the question has ended. Returns the account's new charges.
    /// None: nothing is left.
    pub fn give_back(
        self,
        spent: Option<&Spent>,
        (standing, binds): (Standing, u32),
        now: i64,
    ) -> Option<Spent> {
        let Self::Bounded { memory, .. } = self else { return spent.copied() };
        let mut left = counted(spent, memory, now);
        let held = left.held(standing);
        *held = held.saturating_sub(binds);
        left.without_ended_questions().if_any()
    }

    /// The charges that still count at `now`. Those that do not count are zero.
    pub fn counted(self, spent: Option<&Spent>, now: i64) -> Spent {
        match self {
            Self::Bounded { memory, .. } => counted(spent, memory, now),
            Self::Unbounded | Self::None { .. } | Self::Unknown => Spent::default(),
        }
    }

    /// The account's charges after AD accepted its password. AD has reset its count, and so has the agent that was asked;
    /// the other one has not. What it may remember counts as of unknown sources from now on, so that they cannot use up
    /// the first one too. None: nothing is left.
    pub fn after_success(self, spent: Option<&Spent>, now: i64) -> Option<Spent> {
        let Self::Bounded { most, memory, .. } = self else { return None };
        let counted = counted(spent, memory, now);
        let unknown = counted.known.saturating_add(counted.unknown).min(most);
        Spent { known: 0, unknown, ..counted }.if_any()
    }

    /// Charges `more` bad passwords from a source of this standing and returns the account's new charges. None: they
    /// do not change.
    pub fn charge(self, spent: Option<&Spent>, standing: Standing, more: u32, now: i64) -> Option<Spent> {
        let Self::Bounded { memory, .. } = self else { return None };
        if more == 0 {
            return None;
        }
        let mut charged = counted(spent, memory, now);
        // A clock that was set back must not end a charge earlier.
        charged.last_at = charged.last_at.max(now);
        let part = match standing {
            Standing::Known => &mut charged.known,
            Standing::Unknown => &mut charged.unknown,
        };
        *part = part.saturating_add(more);
        Some(charged)
    }
}

/// The bad passwords of one account that may have reached AD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// From known sources.
    pub known: u32,
    /// From unknown sources.
    pub unknown: u32,
    /// When the last of them was tried, in seconds since 1970. Both numbers count from then on, because AD's own count
    /// does.
    pub last_at: i64,
    /// Reserved for questions of known sources that are under way.
    pub held_known: u32,
    /// Reserved for questions of unknown sources that are under way.
    pub held_unknown: u32,
    /// When the last of these questions ends, in seconds since 1970. What is still reserved then was reserved by a node
    /// that died: it counts as charged at that time. Zero: no question is under way.
    pub asked_until: i64,
}

impl Spent {
    /// Those from sources of this standing, with what is reserved.
    pub fn part(&self, standing: Standing) -> u32 {
        match standing {
            Standing::Known => self.known.saturating_add(self.held_known),
            Standing::Unknown => self.unknown.saturating_add(self.held_unknown),
        }
    }

    /// Whether a question about the account is under way at `now`, whose answer may give something back.
    pub fn is_asked_about(&self, now: i64) -> bool {
        (self.held_known > 0 || self.held_unknown > 0) && now < self.asked_until
    }

    /// All of them.
    fn all(&self) -> u32 {
        self.part(Standing::Known).saturating_add(self.part(Standing::Unknown))
    }

    fn held(&mut self, standing: Standing) -> &mut u32 {
        match standing {
            Standing::Known => &mut self.held_known,
            Standing::Unknown => &mut self.held_unknown,
        }
    }

    /// The same; without anything reserved no question is under way.
    fn without_ended_questions(self) -> Self {
        let is_asked = self.held_known > 0 || self.held_unknown > 0;
        Self { asked_until: if is_asked { self.asked_until } else { 0 }, ..self }
    }

    /// None: nothing is charged or reserved.
    fn if_any(self) -> Option<Self> {
        (self.all() > 0).then_some(self)
    }
}

/// The bad passwords of both parts together. It is less than the threshold, and as much as two agents send.
fn both(most: u32) -> u32 {
    most.saturating_mul(2)
}

/// The charges that still count at `now`, and what is reserved. What is still reserved after the end of its question is
/// charged.
fn counted(spent: Option<&Spent>, memory: i64, now: i64) -> Spent {
    let Some(spent) = spent else { return Spent::default() };
    let without_charges = Spent { known: 0, unknown: 0, last_at: 0, ..*spent };
    let at = |spent: &Spent, time: i64| {
        if time.saturating_sub(spent.last_at) < memory { *spent } else { without_charges }
    };
    if spent.is_asked_about(now) {
        return at(spent, now);
    }
    // What is still reserved is charged when the question ended, beside the charges that counted then.
    let mut charged = *spent;
    if spent.held_known > 0 || spent.held_unknown > 0 {
        let before = at(spent, spent.asked_until);
        (charged.known, charged.unknown) = (before.part(Standing::Known), before.part(Standing::Unknown));
        charged.last_at = before.last_at.max(spent.asked_until);
    }
    (charged.held_known, charged.held_unknown, charged.asked_until) = (0, 0, 0);
    if now.saturating_sub(charged.last_at) < memory { charged } else { Spent::default() }
}

/// Seconds after which a counter of the budget can be deleted: none counts longer.
pub const MEMORY: i64 = LONGEST_WINDOW + MARGIN;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn policy(threshold: i64, minutes: i64) -> Policy {
        Policy {
            lockout_threshold: Some(threshold),
            lockout_observation_window: Some(-minutes * 600_000_000),
            ..Policy::default()
        }
    }

    #[test]
    fn less_than_half_of_the_threshold_is_used() {
        for (threshold, most) in [(3, 1), (4, 1), (5, 2), (10, 4), (50, 24), (999, 499)] {
            assert_eq!(
                AdBudget::of(&policy(threshold, 30)),
                AdBudget::Bounded {
                    threshold: u32::try_from(threshold).unwrap(),
                    most,
                    memory: 31 * 60 * (i64::from(most) + 1)
                },
                "{threshold}"
            );
        }
        assert_eq!(AdBudget::of(&policy(0, 30)), AdBudget::Unbounded);
        for threshold in [1, 2] {
            assert_eq!(AdBudget::of(&policy(threshold, 30)), AdBudget::None { threshold });
        }
        assert_eq!(AdBudget::of(&Policy::default()), AdBudget::Unknown);
        assert_eq!(AdBudget::Unknown.room(None, Standing::Known, false, 0), 0);
    }

    #[test]
    fn a_charge_counts_until_the_agents_have_forgotten_the_last_one() {
        let budget = AdBudget::of(&policy(5, 10));
        let charge = |spent: Option<&Spent>, now| budget.charge(spent, Standing::Unknown, 1, now);
        let room = |spent: Option<&Spent>, now| budget.room(spent, Standing::Unknown, false, now);
        let first = charge(None, 1_000);
        assert_eq!(room(first.as_ref(), 1_001), 1);
        let second = charge(first.as_ref(), 1_500);
        // Three windows of eleven minutes: each agent may have two failed binds.
        assert_eq!(room(second.as_ref(), 1_500 + 1_979), 0);
        assert_eq!(room(second.as_ref(), 1_500 + 1_980), 2);
        // A clock that is set back opens nothing.
        assert_eq!(room(second.as_ref(), 0), 0);
        let late = charge(second.as_ref(), 1_500 + 1_980);
        assert_eq!(late.map(|spent| spent.unknown), Some(1));
    }

    #[test]
    fn known_and_unknown_sources_have_as_much_each_and_one_does_not_spend_the_others() {
        for (threshold, most) in [(3, 1), (4, 1), (5, 2), (10, 4)] {
            let budget = AdBudget::of(&policy(threshold, 30));
            let spent = budget.charge(None, Standing::Unknown, most, 0);
            assert_eq!(budget.room(spent.as_ref(), Standing::Unknown, false, 0), 0);
            assert_eq!(budget.room(spent.as_ref(), Standing::Known, false, 0), most);
            let spent = budget.charge(spent.as_ref(), Standing::Known, most, 0).unwrap();
            assert_eq!(budget.room(Some(&spent), Standing::Known, false, 0), 0);
            assert!(i64::from(spent.known + spent.unknown) < threshold);
            assert!(!budget.allows_digests_password(Some(&spent), 0), "{threshold}: nothing was kept for it");
        }
    }

    #[test]
    fn where_a_digest_is_held_one_bind_is_kept_for_its_password_and_used_once() {
        for (threshold, most) in [(3, 1), (4, 1), (5, 2), (10, 4)] {
            let budget = AdBudget::of(&policy(threshold, 30));
            let spent = budget.charge(None, Standing::Unknown, most, 0);
            let left = budget.room(spent.as_ref(), Standing::Known, true, 0);
            assert_eq!(left, most - 1, "{threshold}");
            let spent = budget.charge(spent.as_ref(), Standing::Known, left, 0).or(spent);
            assert!(budget.allows_digests_password(spent.as_ref(), 0));
            for standing in [Standing::Known, Standing::Unknown] {
                assert_eq!(budget.room(spent.as_ref(), standing, true, 0), 0);
                let refused = budget.charge(spent.as_ref(), standing, 1, 0).unwrap();
                assert!(i64::from(refused.known + refused.unknown) < threshold);
                assert!(!budget.allows_digests_password(Some(&refused), 0), "{threshold}");
                assert!(budget.allows_digests_password(Some(&refused), 31 * 60 * (i64::from(most) + 1)));
            }
        }
    }

    /// AD's count, as AD keeps it, under any order of bad passwords that the budget allows.
    #[test]
    fn ads_count_never_reaches_the_threshold_however_they_take_turns() {
        for (threshold, has_digest) in [3, 4, 5, 10].into_iter().flat_map(|t| [(t, false), (t, true)]) {
            let (budget, window) = (AdBudget::of(&policy(threshold, 30)), 30 * 60);
            let mut draw = 0x2545_f491_4f6c_dd1d_u64;
            let (mut spent, mut count, mut last, mut now, mut most) = (None, 0, 0, 1_000_000, 0);
            for _ in 0..100_000 {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now += i64::try_from((draw >> 33) % 2_400).unwrap();
                let standing = if draw >> 63 == 0 { Standing::Known } else { Standing::Unknown };
                let is_digests = has_digest && (draw >> 60).is_multiple_of(4);
                let room = budget.room(spent.as_ref(), standing, has_digest, now);
                if room == 0 && !(is_digests && budget.allows_digests_password(spent.as_ref(), now)) {
                    continue;
                }
                count = if now - last >= window { 1 } else { count + 1 };
                last = now;
                most = most.max(count);
                spent = budget.charge(spent.as_ref(), standing, 1, now);
            }
            assert!((threshold - 2..threshold).contains(&most), "{threshold}: {most}");
        }
    }

    /// Two agents as `landbridge-pta-agent` defends AD: a bound for each account, and a memory of several windows.
    #[test]
    fn strangers_of_many_windows_leave_an_agent_for_a_known_source() {
        for threshold in [3, 4, 5, 10] {
            let (budget, window) = (AdBudget::of(&policy(threshold, 30)), 31 * 60);
            let bound = u32::try_from((threshold - 1) / 2).unwrap();
            let memory = window * (i64::from(bound) + 1);
            let mut agents = [(0_u32, 0_i64); 2];
            let mut draw = 0x2545_f491_4f6c_dd1d_u64;
            let (mut spent, mut now, mut asked) = (None, 1_000_000, [0, 0]);
            for _ in 0..100_000 {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now += i64::try_from((draw >> 33) % 4_000).unwrap();
                let known = (draw >> 61).is_multiple_of(2);
                let accepted = known && (draw >> 50).is_multiple_of(8);
                let standing = if known { Standing::Known } else { Standing::Unknown };
                if budget.room(spent.as_ref(), standing, false, now) == 0 {
                    continue;
                }
                let first = usize::from(draw >> 60 & 1 == 1);
                let free = [first, 1 - first].into_iter().find(|at| {
                    let (failed, last) = agents[*at];
                    failed < bound || now - last >= memory
                });
                let at = free.unwrap_or_else(|| panic!("{threshold}: both agents are at their bounds"));
                asked[usize::from(known)] += 1;
                if accepted {
                    agents[at].0 = 0;
                    spent = budget.after_success(spent.as_ref(), now);
                    continue;
                }
                let (failed, last) = agents[at];
                agents[at] = (if now - last >= memory { 1 } else { failed + 1 }, now);
                spent = budget.charge(spent.as_ref(), standing, 1, now);
            }
            assert!(asked[0] > 1_000 && asked[1] > 1_000, "{threshold}: {asked:?}");
        }
    }

    #[test]
    fn what_is_reserved_counts_until_it_is_given_back_or_its_question_has_ended() {
        let budget = AdBudget::of(&policy(10, 30));
        let room = |spent: Option<&Spent>, now| budget.room(spent, Standing::Unknown, false, now);
        let charged = budget.charge(None, Standing::Unknown, 1, 1_000);
        let first = budget.reserve(charged.as_ref(), (Standing::Unknown, 2), 2_000, 2_015);
        assert_eq!(room(first.as_ref(), 2_000), 1);
        let both = budget.reserve(first.as_ref(), (Standing::Unknown, 1), 2_005, 2_020);
        assert_eq!(room(both.as_ref(), 2_005), 0);
        assert!(both.unwrap().is_asked_about(2_019) && !both.unwrap().is_asked_about(2_020));
        // 1. Given back, they leave the charges of before, with their time.
        let second = budget.give_back(both.as_ref(), (Standing::Unknown, 2), 2_010);
        let none = budget.give_back(second.as_ref(), (Standing::Unknown, 1), 2_011);
        assert_eq!(none, charged);
        assert_eq!(budget.give_back(None, (Standing::Known, 2), 2_000), None);
        // 2. Those of a node that died are charged at the end of the question, and count as long as any.
        let memory = 31 * 60 * 5;
        assert_eq!((room(both.as_ref(), 2_020), room(both.as_ref(), 2_019 + memory)), (0, 0));
        assert_eq!(room(both.as_ref(), 2_020 + memory), 4);
        let later = budget.charge(both.as_ref(), Standing::Known, 1, 2_030).unwrap();
        let expected = Spent { known: 1, unknown: 4, last_at: 2_030, ..Spent::default() };
        assert_eq!(later, expected);
        // 3. A right password of another node leaves what is reserved.
        let after = budget.after_success(both.as_ref(), 2_010).unwrap();
        assert_eq!((after.unknown, after.held_unknown, after.last_at), (1, 3, 1_000));
        // 4. Without a limit nothing is reserved.
        assert_eq!(AdBudget::Unbounded.reserve(None, (Standing::Known, 2), 0, 15), None);
    }

    #[test]
    fn odd_windows_count_as_long_ones() {
        for interval in [i64::MIN, i64::MIN + 1] {
            let odd = Policy { lockout_observation_window: Some(interval), ..policy(10, 1) };
            assert_eq!(AdBudget::of(&odd), AdBudget::Bounded { threshold: 10, most: 4, memory: MEMORY });
        }
        let none = Policy { lockout_observation_window: None, ..policy(10, 1) };
        assert_eq!(
            AdBudget::of(&none),
            AdBudget::Bounded { threshold: 10, most: 4, memory: 5 * (USUAL_WINDOW + MARGIN) }
        );
    }
}
