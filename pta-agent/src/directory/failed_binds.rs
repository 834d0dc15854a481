//! How many failed binds this agent adds to AD's own count: for each account within AD's window, and for all accounts
//! in a minute. The tenant has bounds of its own; these hold whatever the tenant requests. Pure: time is an argument.
//!
//! AD locks an account at `lockoutThreshold` bad passwords, and resets its count when `lockOutObservationWindow` has
//! passed since the last one, through whichever agent it came. A tenant that uses its agents in turn can keep AD's
//! count alive for a window with each failed bind that the others still have. So an agent forgets its own only when the
//! others cannot have bridged the time: after one window for each of theirs, and one more.
//!
//! A bind is reserved before it is sent, so that binds at the same time share one bound.
//! Before it on the road: `session`. [`super::bind`] reserves and settles; `account` reads the policy.

use super::config::DefenceConfig;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Failed binds for an account before the policy is known.
const BEFORE_POLICY: u32 = 1;
/// Failed binds for an account where AD never locks: few enough that nobody's password is guessed, more than the
/// tenant's own lockout lets through.
const NEVER_LOCKED: u32 = 100;
/// Least number of agents that share a threshold. One agent alone leaves the other half to mistakes inside the company.
const LEAST_AGENTS: u32 = 2;
/// AD's own default of `lockOutObservationWindow`, for a domain without one.
const USUAL_WINDOW: Duration = Duration::from_secs(30 * 60);
/// Longest window, also while the policy is not known. AD accepts 69 days; with 30 days [`ACCOUNTS`] is enough for the
/// random objects of the tenant's canaries, one each 17 s.
const LONGEST_WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// Added to AD's window, because the clocks of DC and agent differ.
const MARGIN: Duration = Duration::from_secs(60);
/// Limit on accounts with a failed bind: about 64 bytes each, so 16 MiB. At the limit no further account is bound as;
/// forgetting one would let a tenant start its count again.
const ACCOUNTS: usize = 262_144;
/// Limit on accounts with a policy of their own that are remembered.
const OWN_POLICIES: usize = 65_536;
/// The time in which failed binds of all accounts are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// AD's lockout policy, of the domain or of a password settings object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutPolicy {
    /// Bad passwords at which AD locks; 0: never.
    pub threshold: u32,
    /// Seconds after the last bad password after which AD resets its count.
    pub window_seconds: u64,
}

impl LockoutPolicy {
    /// A policy from the attributes' values. An interval is a negative count of 100 ns; without one AD's default holds.
    pub fn of(threshold: u32, interval: Option<i64>) -> Self {
        let window = match interval {
            Some(interval) if interval < 0 => Duration::from_secs(interval.unsigned_abs() / 10_000_000),
            Some(_) | None => USUAL_WINDOW,
        };
        Self { threshold, window_seconds: window.min(LONGEST_WINDOW).as_secs() }
    }

    /// The failed binds for an account that each of this many agents may cause.
    pub fn share(self, agents: u32) -> u32 {
        match self.threshold {
            0 => NEVER_LOCKED,
            threshold => (threshold - 1) / agents.max(LEAST_AGENTS),
        }
    }

    fn window(self) -> Duration {
        Duration::from_secs(self.window_seconds) + MARGIN
    }
}

/// The policy that holds for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyOf {
    /// The domain's.
    Domain,
    /// That of a password settings object.
    Settings(LockoutPolicy),
    /// That of a password settings object which the account may not read.
    Hidden,
}

/// How a bind ended, for the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// AD may have counted a bad password.
    Failed,
    /// AD accepted the password, and has reset its own count.
    Accepted,
    /// No bind was sent, or AD counted nothing.
    Nothing,
}

/// What the tenant receives for a domain controller's answer, and how it counts. For a protected account a right
/// password ends as a wrong one does, in the count too: the bound must not be reached later than with wrong ones. A
/// restriction (52f) is AD's answer to the right password of a member of Protected Users, and is withheld as well.
pub fn outcome(said: DirectoryVerdict, protected: bool) -> (DirectoryVerdict, Counts) {
    if said == DirectoryVerdict::Restricted || (said == DirectoryVerdict::Valid && protected) {
        return (DirectoryVerdict::Wrong, Counts::Failed);
    }
    if said == DirectoryVerdict::Valid {
        return (said, Counts::Accepted);
    }
    (said, if said.follows_right_password() { Counts::Nothing } else { Counts::Failed })
}

#[derive(Debug, Clone, Copy)]
struct Account {
    failed: u32,
    reserved: u32,
    last: Instant,
}

/// The counts of this process.
#[derive(Debug)]
pub struct FailedBinds {
    settings: DefenceConfig,
    domain: Option<LockoutPolicy>,
    /// Policies of accounts that have a password settings object; none: it is hidden.
    own: HashMap<Uuid, Option<LockoutPolicy>>,
    accounts: HashMap<Uuid, Account>,
    /// When binds failed, within the last minute.
    recent: VecDeque<Instant>,
    /// Binds that were reserved and are not settled.
    reserved: usize,
}

impl FailedBinds {
    /// No failed bind yet, and no known policy.
    pub fn new(settings: DefenceConfig) -> Self {
        let (own, accounts) = (HashMap::new(), HashMap::new());
        Self { settings, domain: None, own, accounts, recent: VecDeque::new(), reserved: 0 }
    }

    /// Reserves one bind as this account. The reason to decline, if a bound is reached. [`Self::settle`] must follow.
    pub fn reserve(&mut self, object: Uuid, now: Instant) -> Result<(), Decline> {
        // 1. All accounts together.
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.recent.pop_front();
        }
        if self.recent.len() + self.reserved >= self.settings.failed_binds_per_minute as usize {
            return Err(Decline::Overloaded);
        }
        // 2. This account.
        let (bound, memory) = (self.bound(object), self.memory(object));
        if let Some(account) = self.accounts.get_mut(&object) {
            if now.saturating_duration_since(account.last) >= memory {
                account.failed = 0;
            }
            if account.failed + account.reserved >= bound {
                return Err(Decline::AtBound);
            }
            account.reserved += 1;
        } else if bound == 0 {
            return Err(Decline::AtBound);
        } else {
            if self.accounts.len() >= ACCOUNTS {
                self.forget(now);
            }
            if self.accounts.len() >= ACCOUNTS {
                return Err(Decline::Overloaded);
            }
            self.accounts.insert(object, Account { failed: 0, reserved: 1, last: now });
        }
        self.reserved += 1;
        Ok(())
    }

    /// Ends a reservation.
    pub fn settle(&mut self, object: Uuid, counts: Counts, now: Instant) {
        self.reserved = self.reserved.saturating_sub(1);
        let Some(account) = self.accounts.get_mut(&object) else { return };
        account.reserved = account.reserved.saturating_sub(1);
        match counts {
            Counts::Failed => {
                account.failed = account.failed.saturating_add(1);
                account.last = account.last.max(now);
                self.recent.push_back(now);
            }
            Counts::Accepted => account.failed = 0,
            Counts::Nothing => {}
        }
        if account.failed == 0 && account.reserved == 0 {
            self.accounts.remove(&object);
        }
    }

    /// Sets the domain's policy.
    pub fn learn(&mut self, policy: LockoutPolicy) {
        self.domain = Some(policy);
    }

    /// Sets the policy that holds for one account.
    pub(super) fn learn_own(&mut self, object: Uuid, policy: PolicyOf) {
        let own = match policy {
            PolicyOf::Domain => {
                self.own.remove(&object);
                return;
            }
            PolicyOf::Settings(policy) => Some(policy),
            PolicyOf::Hidden => None,
        };
        if self.own.len() < OWN_POLICIES || self.own.contains_key(&object) {
            self.own.insert(object, own);
        }
    }

    /// The domain's policy, if it is known.
    pub(super) fn domain(&self) -> Option<LockoutPolicy> {
        self.domain
    }

    /// Limit on failed binds for an account. A hidden policy allows as many as one that is not known yet.
    fn bound(&self, object: Uuid) -> u32 {
        let policy = self.own.get(&object).copied().unwrap_or(self.domain);
        let by_policy = || policy.map_or(BEFORE_POLICY, |policy| policy.share(self.settings.agents));
        self.settings.failed_binds.unwrap_or_else(by_policy)
    }

    /// How long failed binds of an account count after the last one: until AD has reset its own count, even if the
    /// other agents have used up their bounds in turn, one failed bind in each window.
    fn memory(&self, object: Uuid) -> Duration {
        let Some(policy) = self.own.get(&object).copied().flatten().or(self.domain) else {
            return LONGEST_WINDOW;
        };
        let bridged = match policy.threshold {
            0 => 0,
            _ => self.bound(object).saturating_mul(self.settings.agents.saturating_sub(1)),
        };
        policy.window().saturating_mul(bridged.saturating_add(1)).min(LONGEST_WINDOW)
    }

    /// Removes the accounts whose failed binds no longer count.
    fn forget(&mut self, now: Instant) {
        let mut accounts = std::mem::take(&mut self.accounts);
        accounts.retain(|object, account| {
            account.reserved > 0 || now.saturating_duration_since(account.last) < self.memory(*object)
        });
        self.accounts = accounts;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WHO: Uuid = Uuid::from_u128(1);

    fn policy(threshold: u32, minutes: i64) -> LockoutPolicy {
        LockoutPolicy::of(threshold, Some(-minutes * 600_000_000))
    }

    fn binds(policy: Option<LockoutPolicy>) -> FailedBinds {
        let mut binds = FailedBinds::new(DefenceConfig::default());
        binds.domain = policy;
        binds
    }

    /// Tries one wrong password after the other; how many reach AD.
    fn guesses(binds: &mut FailedBinds, object: Uuid, tries: u32, now: Instant) -> u32 {
        let one = |binds: &mut FailedBinds| {
            let allowed = binds.reserve(object, now).is_ok();
            if allowed {
                binds.settle(object, Counts::Failed, now);
            }
            u32::from(allowed)
        };
        (0..tries).map(|_| one(binds)).sum()
    }

    #[test]
    fn an_account_has_one_failed_bind_before_the_policy_is_known_and_then_half_of_what_the_threshold_leaves()
    {
        let now = Instant::now();
        assert_eq!(guesses(&mut binds(None), WHO, 9, now), 1);
        for (threshold, most) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (10, 4), (50, 24)] {
            assert_eq!(guesses(&mut binds(Some(policy(threshold, 30))), WHO, 99, now), most, "{threshold}");
            assert!(2 * most < threshold, "two agents together do not lock");
        }
        assert_eq!(guesses(&mut binds(Some(policy(0, 30))), WHO, 300, now), NEVER_LOCKED);
    }

    #[test]
    fn with_more_agents_each_has_a_smaller_share_and_all_together_never_lock() {
        for threshold in 1..100 {
            for agents in 1..20 {
                assert!(policy(threshold, 30).share(agents) * agents < threshold, "{threshold} {agents}");
            }
        }
        assert_eq!(policy(10, 30).share(3), 3);
        assert_eq!(policy(10, 30).share(1), 4, "one agent leaves half to mistakes inside");
    }

    #[test]
    fn failed_binds_count_until_ad_has_reset_its_own_count_whatever_the_other_agents_did() {
        let window = Duration::from_secs(660);
        // With two of its own the other agent keeps AD's count alive for two windows.
        for (agents, windows) in [(1, 1), (2, 3), (3, 3)] {
            let now = Instant::now();
            let settings = DefenceConfig { agents, ..DefenceConfig::default() };
            let mut binds = FailedBinds { domain: Some(policy(5, 10)), ..FailedBinds::new(settings) };
            let share = policy(5, 10).share(agents);
            assert_eq!(guesses(&mut binds, WHO, 1, now), 1);
            let later = now + Duration::from_secs(500);
            assert_eq!(guesses(&mut binds, WHO, 5, later), share - 1);
            let last = if share > 1 { later } else { now };
            assert_eq!(guesses(&mut binds, WHO, 5, last + windows * window - Duration::from_secs(1)), 0);
            assert_eq!(guesses(&mut binds, WHO, 5, last + windows * window), share, "{agents} agents");
        }
    }

    #[test]
    fn before_the_policy_is_known_nothing_is_forgotten() {
        let now = Instant::now();
        let mut binds = binds(None);
        assert_eq!(guesses(&mut binds, WHO, 1, now), 1);
        assert_eq!(guesses(&mut binds, WHO, 1, now + Duration::from_secs(86_400)), 0);
    }

    #[test]
    fn binds_at_the_same_time_share_one_bound() {
        let now = Instant::now();
        let mut binds = binds(Some(policy(5, 10)));
        assert_eq!(binds.reserve(WHO, now), Ok(()));
        assert_eq!(binds.reserve(WHO, now), Ok(()));
        assert_eq!(binds.reserve(WHO, now), Err(Decline::AtBound), "two are on their way");
        binds.settle(WHO, Counts::Nothing, now);
        assert_eq!(binds.reserve(WHO, now), Ok(()), "one was never sent");
    }

    #[test]
    fn an_accepted_password_resets_the_count_as_in_ad_and_not_what_is_on_its_way() {
        let now = Instant::now();
        let mut binds = binds(Some(policy(5, 10)));
        assert_eq!(guesses(&mut binds, WHO, 1, now), 1);
        binds.reserve(WHO, now).unwrap();
        binds.settle(WHO, Counts::Accepted, now);
        binds.reserve(WHO, now).unwrap();
        assert_eq!(guesses(&mut binds, WHO, 5, now), 1, "the other one is on its way");
    }

    #[test]
    fn an_account_under_a_policy_of_its_own_has_a_bound_of_its_own() {
        let now = Instant::now();
        let mut binds = binds(Some(policy(10, 10)));
        binds.learn_own(WHO, PolicyOf::Settings(policy(3, 10)));
        assert_eq!(guesses(&mut binds, WHO, 9, now), 1);
        assert_eq!(guesses(&mut binds, Uuid::from_u128(2), 9, now), 4);
        binds.learn_own(WHO, PolicyOf::Domain);
        assert_eq!(guesses(&mut binds, WHO, 9, now), 3);
        let hidden = Uuid::from_u128(3);
        binds.learn_own(hidden, PolicyOf::Hidden);
        assert_eq!(guesses(&mut binds, hidden, 9, now), BEFORE_POLICY);
    }

    #[test]
    fn what_is_configured_holds_whatever_the_policy_is() {
        let settings = DefenceConfig { failed_binds: Some(3), ..DefenceConfig::default() };
        for known in [None, Some(policy(50, 30)), Some(policy(0, 30))] {
            let mut binds = FailedBinds { domain: known, ..FailedBinds::new(settings) };
            assert_eq!(guesses(&mut binds, WHO, 9, Instant::now()), 3);
        }
    }

    #[test]
    fn all_accounts_together_have_a_bound_for_each_minute() {
        let now = Instant::now();
        let settings = DefenceConfig { failed_binds_per_minute: 5, ..DefenceConfig::default() };
        let mut binds = FailedBinds { domain: Some(policy(0, 30)), ..FailedBinds::new(settings) };
        let sprayed = (0..20).map(|n| guesses(&mut binds, Uuid::from_u128(n), 1, now)).sum::<u32>();
        assert_eq!(sprayed, 5);
        assert_eq!(binds.reserve(WHO, now), Err(Decline::Overloaded));
        assert_eq!(guesses(&mut binds, Uuid::from_u128(99), 9, now + MINUTE), 5);
    }

    #[test]
    fn a_right_password_of_a_protected_account_and_a_restriction_end_as_a_wrong_password() {
        let wrong = outcome(DirectoryVerdict::Wrong, false);
        assert_eq!(wrong, (DirectoryVerdict::Wrong, Counts::Failed));
        assert_eq!(outcome(DirectoryVerdict::Valid, true), wrong);
        assert_eq!(outcome(DirectoryVerdict::Restricted, false), wrong);
        assert_eq!(outcome(DirectoryVerdict::Valid, false), (DirectoryVerdict::Valid, Counts::Accepted));
        let expired = DirectoryVerdict::PasswordExpired;
        assert_eq!(outcome(expired, false), (expired, Counts::Nothing), "AD counts nothing");
        assert_eq!(outcome(DirectoryVerdict::Locked, false), (DirectoryVerdict::Locked, Counts::Failed));
    }

    #[test]
    fn at_the_limit_of_accounts_none_that_counts_is_forgotten() {
        let now = Instant::now();
        let settings = DefenceConfig { failed_binds_per_minute: u32::MAX, ..DefenceConfig::default() };
        let mut binds = FailedBinds { domain: Some(policy(5, 10)), ..FailedBinds::new(settings) };
        let many = u128::try_from(ACCOUNTS).unwrap();
        for n in 0..many {
            guesses(&mut binds, Uuid::from_u128(n), 1, now);
        }
        assert_eq!(binds.reserve(Uuid::from_u128(many), now), Err(Decline::Overloaded));
        assert_eq!(guesses(&mut binds, Uuid::from_u128(7), 9, now), 1, "one that is known goes on");
        assert_eq!(guesses(&mut binds, Uuid::from_u128(many), 1, now + Duration::from_secs(3 * 660)), 1);
        assert_eq!(binds.accounts.len(), 1, "the old ones are gone");
    }
}
