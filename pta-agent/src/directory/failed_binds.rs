//! How many failed binds this agent adds to AD's own count: for each account within AD's window, and for all accounts
//! in a minute. The tenant has bounds of its own; these hold whatever the tenant requests. Pure: time is an argument.
//!
//! AD locks an account at `lockoutThreshold` bad passwords, and resets its count when `lockOutObservationWindow` has
//! passed since the last one, from any agent. A tenant that uses its agents in turn can prolong AD's count by a window
//! with each failed bind that another agent still allows. So an agent forgets its own failed binds only when the other
//! agents cannot have prolonged the count for so long: after one window for each of their failed binds, and one more.
//!
//! AD counts for the account that the name of a bind leads to. So the agent counts by that name: the SID, whatever
//! objectGUID the tenant sends with it. A tenant of version 0.1 sends the objectGUID alone, and names the same accounts
//! by it. Only an account's own entry shows that a SID and an objectGUID belong together. Until the agent has read it,
//! the account shares its bound with the largest count under the other kind of name.
//!
//! A bind is reserved before it is sent, so that binds at the same time share one bound.
//! Before it on the road: `session`. [`super::bind`] reserves and settles; `account` reads the policy.

use super::config::DefenceConfig;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Failed binds for an account before the policy is known.
const BEFORE_POLICY: u32 = 1;
/// Failed binds for an account if AD never locks: too few to guess a password, and more than the tenant's own lockout
/// allows.
const NEVER_LOCKED: u32 = 100;
/// Least number of agents by which a threshold is divided. A single agent leaves half of it for bad passwords from
/// inside the company.
const LEAST_AGENTS: u32 = 2;
/// AD's own default of `lockOutObservationWindow`, for a domain without one.
const USUAL_WINDOW: Duration = Duration::from_secs(30 * 60);
/// Limit on the window, and the window until the policy is known. AD accepts 69 days; with 30 days [`ACCOUNTS`] is
/// enough for the random objects of the tenant's canaries, one each 17 s.
const LONGEST_WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// Added to AD's window, because the clocks of DC and agent differ.
const MARGIN: Duration = Duration::from_secs(60);
/// Limit on accounts with a failed bind: about 64 bytes each, so 16 MiB. At the limit the agent sends no bind for a
/// further account. If it forgot one instead, a tenant could start that account's count again.
const ACCOUNTS: usize = 262_144;
/// Limit on accounts with a policy of their own that are remembered.
const OWN_POLICIES: usize = 65_536;
/// Limit on accounts of which both names are remembered: about 40 bytes each, so 3 MiB.
const NAMES: usize = 65_536;
/// The first relative id that no account has: AD assigns them up to 2^30, or up to 2^31 if an administrator allows it.
pub(super) const NOBODYS_RIDS: u32 = 1 << 31;
/// The time in which failed binds of all accounts are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// AD's lockout policy, of the domain or of a password settings object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutPolicy {
    /// Bad passwords at which AD locks. 0: it never does.
    pub threshold: u32,
    /// Seconds after the last bad password after which AD resets its count.
    pub window_seconds: u64,
}

impl LockoutPolicy {
    /// A policy from the attributes' values. An interval is a negative count of 100 ns. Without one AD's default
    /// applies.
    pub fn of(threshold: u32, interval: Option<i64>) -> Self {
        let window = match interval {
            Some(interval) if interval < 0 => Duration::from_secs(interval.unsigned_abs() / 10_000_000),
            Some(_) | None => USUAL_WINDOW,
        };
        Self { threshold, window_seconds: window.min(LONGEST_WINDOW).as_secs() }
    }

    /// Limit on the failed binds for an account that each agent may cause, if the domain has this number of agents.
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

/// The name of a bind, for which its failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindKey {
    /// The relative id in the account's SID.
    Rid(u32),
    /// The account's objectGUID, from a tenant that sends no SID.
    Object(Uuid),
}

/// The policy that applies to one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyOf {
    /// That of the domain.
    Domain,
    /// That of a password settings object.
    Settings(LockoutPolicy),
    /// That of a password settings object which the account may not read.
    Hidden,
}

/// The outcome of a bind, for the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// AD may have counted a bad password.
    Failed,
    /// AD accepted the password, and has reset its own count.
    Accepted,
    /// No bind was sent, or AD counted nothing.
    Nothing,
}

/// The verdict that the tenant receives for a domain controller's answer, and how the bind counts. The right password
/// of a protected account has the verdict and the count of a wrong one, so that the bound is reached as early. A
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
    /// Policies of accounts that have a password settings object. None: the account may not read it.
    own: HashMap<BindKey, Option<LockoutPolicy>>,
    accounts: HashMap<BindKey, Account>,
    /// Relative ids by objectGUID, of accounts whose own entry has shown both. Their failed binds are counted by the
    /// relative id.
    names: HashMap<Uuid, u32>,
    /// The relative ids in `names`.
    named: HashSet<u32>,
    /// Whether binds by a relative id, and by an objectGUID alone, were ever reserved.
    by_rid: bool,
    by_object: bool,
    /// The times at which binds failed, within the last minute.
    recent: VecDeque<Instant>,
    /// Binds that were reserved and are not settled.
    reserved: usize,
}

impl FailedBinds {
    /// No failed bind yet, and no known policy.
    pub fn new(settings: DefenceConfig) -> Self {
        Self {
            settings,
            domain: None,
            own: HashMap::new(),
            accounts: HashMap::new(),
            names: HashMap::new(),
            named: HashSet::new(),
            by_rid: false,
            by_object: false,
            recent: VecDeque::new(),
            reserved: 0,
        }
    }

    /// Reserves one bind by this name. [`Self::settle`] must follow. The error: a bound is reached, and the reason to
    /// decline.
    pub fn reserve(&mut self, key: BindKey, now: Instant) -> Result<(), Decline> {
        // 1. All accounts together.
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.recent.pop_front();
        }
        if self.recent.len() + self.reserved >= self.settings.failed_binds_per_minute as usize {
            return Err(Decline::Overloaded);
        }
        // 2. Counts under names of the other kind that may be this account's.
        let key = self.canonical(key);
        match key {
            BindKey::Rid(_) => self.by_rid = true,
            BindKey::Object(_) => self.by_object = true,
        }
        let (bound, memory) = (self.bound(key), self.memory(key));
        let own_last = self.accounts.get(&key).map(|account| account.last);
        let mut other = self.under_other_names(key);
        let last = own_last.into_iter().chain(other.map(|other| other.last)).max();
        let is_over = last.is_some_and(|last| now.saturating_duration_since(last) >= memory);
        if let Some(other) = other.as_mut().filter(|_| is_over) {
            other.failed = 0;
        }
        let elsewhere = other.map_or(0, |other| other.failed + other.reserved);
        // 3. This account.
        if let Some(account) = self.accounts.get_mut(&key) {
            if is_over {
                account.failed = 0;
            }
            if account.failed + account.reserved + elsewhere >= bound {
                return Err(Decline::AtBound);
            }
            account.reserved += 1;
        } else if elsewhere >= bound {
            return Err(Decline::AtBound);
        } else {
            if self.accounts.len() >= ACCOUNTS {
                self.forget(now);
            }
            if self.accounts.len() >= ACCOUNTS {
                return Err(Decline::Overloaded);
            }
            self.accounts.insert(key, Account { failed: 0, reserved: 1, last: now });
        }
        self.reserved += 1;
        Ok(())
    }

    /// Ends a reservation.
    pub fn settle(&mut self, key: BindKey, counts: Counts, now: Instant) {
        self.reserved = self.reserved.saturating_sub(1);
        let key = self.canonical(key);
        let Some(account) = self.accounts.get_mut(&key) else { return };
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
            self.accounts.remove(&key);
        }
    }

    /// Notes both names of an ordinary account, which its own entry has shown after its good bind. The account then has
    /// the counts of both names.
    pub fn note_names(&mut self, object: Uuid, rid: u32) {
        if self.names.contains_key(&object) || self.names.len() >= NAMES {
            return;
        }
        self.names.insert(object, rid);
        self.named.insert(rid);
        if let Some(moved) = self.accounts.remove(&BindKey::Object(object)) {
            let none = Account { failed: 0, reserved: 0, last: moved.last };
            let account = self.accounts.entry(BindKey::Rid(rid)).or_insert(none);
            account.failed = account.failed.saturating_add(moved.failed);
            account.reserved = account.reserved.saturating_add(moved.reserved);
            account.last = account.last.max(moved.last);
        }
    }

    /// Sets the domain's policy.
    pub fn learn(&mut self, policy: LockoutPolicy) {
        self.domain = Some(policy);
    }

    /// Sets the policy that applies to one account.
    pub(super) fn learn_own(&mut self, key: BindKey, policy: PolicyOf) {
        let key = self.canonical(key);
        let own = match policy {
            PolicyOf::Domain => {
                self.own.remove(&key);
                return;
            }
            PolicyOf::Settings(policy) => Some(policy),
            PolicyOf::Hidden => None,
        };
        if self.own.len() < OWN_POLICIES || self.own.contains_key(&key) {
            self.own.insert(key, own);
        }
    }

    /// The domain's policy, if it is known.
    pub(super) fn domain(&self) -> Option<LockoutPolicy> {
        self.domain
    }

    /// The name under which an account is counted: its relative id, once both names are known.
    fn canonical(&self, key: BindKey) -> BindKey {
        match key {
            BindKey::Object(object) => self.names.get(&object).map_or(key, |rid| BindKey::Rid(*rid)),
            BindKey::Rid(_) => key,
        }
    }

    /// The counts under names of the other kind that may be this account's, each the largest. None: there are none.
    /// Visits all accounts, if binds by both kinds of name were ever reserved.
    fn under_other_names(&self, key: BindKey) -> Option<Account> {
        // A relative id that no account has, such as that of a canary, belongs to no objectGUID.
        let is_known = |rid: u32| rid >= NOBODYS_RIDS || self.named.contains(&rid);
        let is_named = |key: &BindKey| matches!(key, BindKey::Rid(rid) if is_known(*rid));
        if !(self.by_rid && self.by_object) || is_named(&key) {
            return None;
        }
        let may_be = |other: &BindKey| match (key, other) {
            (BindKey::Rid(_), BindKey::Object(_)) => true,
            (BindKey::Object(_), BindKey::Rid(_)) => !is_named(other),
            (BindKey::Rid(_), BindKey::Rid(_)) | (BindKey::Object(_), BindKey::Object(_)) => false,
        };
        let others = self.accounts.iter().filter(|(other, _)| may_be(other)).map(|(_, account)| *account);
        others.reduce(|a, b| Account {
            failed: a.failed.max(b.failed),
            reserved: a.reserved.max(b.reserved),
            last: a.last.max(b.last),
        })
    }

    /// Limit on failed binds for an account. A hidden policy has the limit of a policy that is not known yet.
    fn bound(&self, key: BindKey) -> u32 {
        let policy = self.own.get(&key).copied().unwrap_or(self.domain);
        let by_policy = || policy.map_or(BEFORE_POLICY, |policy| policy.share(self.settings.agents));
        self.settings.failed_binds.unwrap_or_else(by_policy)
    }

    /// How long failed binds of an account count after the last one: until AD has reset its own count, even if the
    /// other agents have used up their bounds in turn, one failed bind in each window.
    fn memory(&self, key: BindKey) -> Duration {
        let Some(policy) = self.own.get(&key).copied().flatten().or(self.domain) else {
            return LONGEST_WINDOW;
        };
        let bridged = match policy.threshold {
            0 => 0,
            _ => self.bound(key).saturating_mul(self.settings.agents.saturating_sub(1)),
        };
        policy.window().saturating_mul(bridged.saturating_add(1)).min(LONGEST_WINDOW)
    }

    /// Removes the accounts whose failed binds no longer count. With both kinds of name a failed bind counts as long as
    /// the last of any account.
    fn forget(&mut self, now: Instant) {
        let mut accounts = std::mem::take(&mut self.accounts);
        let latest = accounts.values().map(|account| account.last).max();
        let latest = latest.filter(|_| self.by_rid && self.by_object);
        accounts.retain(|key, account| {
            let last = latest.unwrap_or(account.last);
            account.reserved > 0 || now.saturating_duration_since(last) < self.memory(*key)
        });
        self.accounts = accounts;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WHO: BindKey = BindKey::Rid(1);

    fn policy(threshold: u32, minutes: i64) -> LockoutPolicy {
        LockoutPolicy::of(threshold, Some(-minutes * 600_000_000))
    }

    fn binds(policy: Option<LockoutPolicy>) -> FailedBinds {
        let mut binds = FailedBinds::new(DefenceConfig::default());
        binds.domain = policy;
        binds
    }

    /// Tries one wrong password after the other; how many reach AD.
    fn guesses(binds: &mut FailedBinds, key: BindKey, tries: u32, now: Instant) -> u32 {
        let one = |binds: &mut FailedBinds| {
            let allowed = binds.reserve(key, now).is_ok();
            if allowed {
                binds.settle(key, Counts::Failed, now);
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
        assert_eq!(guesses(&mut binds, BindKey::Rid(2), 9, now), 4);
        binds.learn_own(WHO, PolicyOf::Domain);
        assert_eq!(guesses(&mut binds, WHO, 9, now), 3);
        let hidden = BindKey::Rid(3);
        binds.learn_own(hidden, PolicyOf::Hidden);
        assert_eq!(guesses(&mut binds, hidden, 9, now), BEFORE_POLICY);
    }

    /// One account as a tenant of this version names it, and as one of version 0.1 does.
    const OBJECT: Uuid = Uuid::from_u128(0xa);
    const BOTH: [BindKey; 2] = [WHO, BindKey::Object(OBJECT)];
    const ORDERS: [[BindKey; 2]; 2] = [BOTH, [BOTH[1], BOTH[0]]];

    #[test]
    fn an_account_that_is_named_in_two_ways_has_one_bound_whichever_comes_first() {
        let now = Instant::now();
        for [one, other] in ORDERS {
            for first in 0..=4 {
                let mut binds = binds(Some(policy(10, 10)));
                let tried = guesses(&mut binds, one, first, now);
                let all = tried + guesses(&mut binds, other, 9, now);
                assert_eq!((tried, all), (first, 4), "{one:?}");
                assert_eq!(guesses(&mut binds, one, 9, now), 0, "{one:?} after {first}");
            }
        }
        // Binds on their way count as well.
        let mut binds = binds(Some(policy(5, 10)));
        assert_eq!((binds.reserve(BOTH[0], now), binds.reserve(BOTH[1], now)), (Ok(()), Ok(())));
        assert_eq!(BOTH.map(|key| binds.reserve(key, now)), [Err(Decline::AtBound); 2]);
    }

    #[test]
    fn a_count_under_one_name_lasts_as_long_as_binds_under_the_other_keep_ads_count_alive() {
        let (now, window) = (Instant::now(), Duration::from_secs(660));
        for [one, other] in ORDERS {
            // With a bound of two the other agent bridges two windows: three have to pass.
            let mut binds = binds(Some(policy(5, 10)));
            assert_eq!(guesses(&mut binds, one, 1, now), 1);
            let later = now + 3 * window - Duration::from_secs(1);
            assert_eq!(guesses(&mut binds, other, 9, later), 1);
            assert_eq!(guesses(&mut binds, one, 9, later + 2 * window), 0, "{one:?}");
            assert_ne!(guesses(&mut binds, one, 9, later + 3 * window), 0, "{one:?}");
        }
    }

    #[test]
    fn once_an_entry_has_shown_both_names_they_are_one_account_and_no_other_is_held_back_by_it() {
        let now = Instant::now();
        let mut binds = binds(Some(policy(10, 10)));
        let stranger = BindKey::Rid(2);
        assert_eq!(guesses(&mut binds, BOTH[1], 3, now), 3);
        assert_eq!(guesses(&mut binds, stranger, 9, now), 1, "it may be the same account");
        // A bind by the objectGUID is on its way when a good one by it shows the names.
        let mut binds = FailedBinds { domain: binds.domain, ..FailedBinds::new(DefenceConfig::default()) };
        assert_eq!(guesses(&mut binds, BOTH[1], 2, now), 2);
        binds.reserve(BOTH[1], now).unwrap();
        binds.reserve(BOTH[1], now).unwrap();
        binds.note_names(OBJECT, 1);
        binds.settle(BOTH[1], Counts::Accepted, now);
        assert_eq!(guesses(&mut binds, WHO, 9, now), 3, "one is on its way");
        binds.settle(BOTH[1], Counts::Failed, now);
        assert_eq!(BOTH.map(|key| guesses(&mut binds, key, 9, now)), [0, 0]);
        assert_eq!(guesses(&mut binds, BindKey::Rid(NOBODYS_RIDS), 9, now), 4, "a canary");
        assert_eq!(guesses(&mut binds, BindKey::Object(Uuid::from_u128(0xc)), 1, now), 1);
        binds.accounts.remove(&BindKey::Object(Uuid::from_u128(0xc)));
        assert_eq!(guesses(&mut binds, stranger, 9, now), 4, "another account");
        assert_eq!(guesses(&mut binds, BindKey::Object(Uuid::from_u128(0xb)), 9, now), 0, "or the stranger");
    }

    #[test]
    fn with_both_kinds_of_name_none_that_counts_is_forgotten_at_the_limit_of_accounts() {
        let now = Instant::now();
        let settings = DefenceConfig { failed_binds_per_minute: u32::MAX, ..DefenceConfig::default() };
        let mut binds = FailedBinds { domain: Some(policy(5, 10)), ..FailedBinds::new(settings) };
        assert_eq!(guesses(&mut binds, BOTH[1], 1, now), 1);
        let later = now + Duration::from_secs(3 * 660 - 1);
        binds.by_rid = true;
        binds.accounts.insert(WHO, Account { failed: 1, reserved: 0, last: later });
        binds.forget(later + Duration::from_secs(2));
        assert_eq!(binds.accounts.len(), 2, "the old one counts as long as the new one");
        binds.forget(later + Duration::from_secs(3 * 660));
        assert!(binds.accounts.is_empty());
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
        let sprayed = (0..20).map(|n| guesses(&mut binds, BindKey::Rid(n), 1, now)).sum::<u32>();
        assert_eq!(sprayed, 5);
        assert_eq!(binds.reserve(WHO, now), Err(Decline::Overloaded));
        assert_eq!(guesses(&mut binds, BindKey::Rid(99), 9, now + MINUTE), 5);
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
        let many = u32::try_from(ACCOUNTS).unwrap();
        for n in 0..many {
            guesses(&mut binds, BindKey::Rid(n), 1, now);
        }
        assert_eq!(binds.reserve(BindKey::Rid(many), now), Err(Decline::Overloaded));
        assert_eq!(guesses(&mut binds, BindKey::Rid(7), 9, now), 1, "one that is known goes on");
        assert_eq!(guesses(&mut binds, BindKey::Rid(many), 1, now + Duration::from_secs(3 * 660)), 1);
        assert_eq!(binds.accounts.len(), 1, "the old ones are gone");
    }
}
