//! How long a refusal by digest takes, so that one which derived nothing takes as long.
//! Beside it: [`landbridge_tenant_rules::relay::Relay::usual`], which does the like for agents.

use crate::sign_ins::{Signin, held};
use landbridge_tenant_rules::verdict::{Verdict, Why};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// So many durations are kept for each domain.
const SAMPLES: usize = 32;

/// How long the last refusals took that derived, the wait for a core included. By the row of the domain.
pub(super) type Pauses = HashMap<Option<i64>, VecDeque<Duration>>;

impl Signin {
    /// How long this verdict, which took so long, waits until it is as old as one of the last wrong passwords.
    /// A lock that shows in the time would tell a guesser when to go on elsewhere.
    pub fn as_slow_as_a_derivation(
        &self,
        domain: Option<i64>,
        verdict: &Verdict,
        took: Duration,
    ) -> Duration {
        let Verdict::Refused { why, .. } = verdict else { return Duration::ZERO };
        let mut pauses = held(&self.pauses);
        match why {
            Why::WrongPassword | Why::UnknownName | Why::AmbiguousName | Why::NoDigest | Why::NotAdmitted => {
                let samples = pauses.entry(domain).or_default();
                samples.push_back(took);
                if samples.len() > SAMPLES {
                    samples.pop_front();
                }
                Duration::ZERO
            }
            Why::LockedOut => {
                // Each of them in turn.
                let samples = pauses.get_mut(&domain);
                let usual = samples.and_then(|samples| {
                    samples.rotate_left(1);
                    samples.back().copied()
                });
                usual.unwrap_or_default().saturating_sub(took)
            }
            Why::BadName
            | Why::BadPassword
            | Why::OtherDomain
            | Why::DigestUnreadable
            | Why::State(_)
            | Why::HeldBack
            | Why::NoRoom
            | Why::RefusedBefore
            | Why::Canary
            | Why::Workstation
            | Why::Restricted
            | Why::UnknownCode(_) => Duration::ZERO,
        }
    }
}
