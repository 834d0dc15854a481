//! How long a verdict is held back, so that its time tells neither whether a name exists nor whether it is locked.
//! Neighbours: [`super::pass`] notes what took how long, and waits. [`super::AskAgents::typical_delay`] knows how
//! long agents take.

use crate::lock::lock;
use landbridge_tenant_rules::relay::NoAnswer;
use landbridge_tenant_rules::sign_in::Silence;
use landbridge_tenant_rules::verdict::Verdict;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// Durations of refusals that are kept for each domain. A locked account gets each of them in turn, so its times
/// scatter as those of wrong passwords do.
const SAMPLES: usize = 32;

/// The durations of the last refusals, and the domains whose agents had no answer.
#[derive(Default)]
pub(super) struct EqualDelay {
    /// How long the last refusals took that derived, the wait in the queue included. By the row of the domain.
    derivations: Mutex<HashMap<Option<i64>, VecDeque<Duration>>>,
    /// The last sign-in of each domain to which no agent had an answer.
    silences: Mutex<HashMap<i64, Silence>>,
}

impl EqualDelay {
    /// Notes how long a verdict took that derived, if it is a sample of a refusal.
    pub(super) fn note_derivation(&self, domain: Option<i64>, verdict: &Verdict, took: Duration) {
        let Verdict::Refused { why, .. } = verdict else { return };
        if !why.is_sampled() {
            return;
        }
        let mut all = lock(&self.derivations);
        let samples = all.entry(domain).or_default();
        samples.push_back(took);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    /// How long a verdict that took so long waits until it is as old as one of the last refusals that derived.
    pub(super) fn like_derivation(&self, domain: Option<i64>, took: Duration) -> Duration {
        let mut all = lock(&self.derivations);
        let typical = all.get_mut(&domain).and_then(|samples| {
            samples.rotate_left(1);
            samples.back().copied()
        });
        typical.unwrap_or_default().saturating_sub(took)
    }

    /// Notes how asking an agent of the domain ended, so that names which nobody has end in the same way.
    pub(super) fn note_answer<V>(&self, domain: i64, outcome: &Result<V, NoAnswer>, took: Duration) {
        let mut silences = lock(&self.silences);
        match outcome {
            // The agents did answer, and about this account alone.
            Err(NoAnswer::AtBound | NoAnswer::OtherAccount) => return,
            Ok(_) => silences.remove(&domain),
            Err(why) => silences.insert(domain, Silence { why: *why, took }),
        };
    }

    /// The last sign-in of the domain, if the agents that are connected had no answer to it.
    pub(super) fn silence(&self, domain: i64) -> Option<Silence> {
        let silence = lock(&self.silences).get(&domain).copied();
        silence.filter(|silence| match silence.why {
            // Whether that still holds is found by looking at the relay.
            NoAnswer::NoAgent | NoAnswer::Busy | NoAnswer::AtBound | NoAnswer::OtherAccount => false,
            NoAnswer::NoDirectory | NoAnswer::Lost | NoAnswer::TooLate => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_tenant_rules::verdict::Why;

    #[test]
    fn a_lock_takes_as_long_as_one_of_the_last_wrong_passwords_of_its_domain() {
        let delay = EqualDelay::default();
        let (here, elsewhere) = (Some(1), Some(2));
        let ms = Duration::from_millis;
        assert_eq!(delay.like_derivation(here, ms(1)), Duration::ZERO, "none is known");
        let refused = |why| Verdict::Refused { disclosed: None, why, object: None };
        for took in [100, 300] {
            delay.note_derivation(here, &refused(Why::WrongPassword), ms(took));
            delay.note_derivation(here, &refused(Why::LockedOut), ms(7));
        }
        let mut waits: Vec<_> = (0..4).map(|_| delay.like_derivation(here, ms(1))).collect();
        waits.sort_unstable();
        assert_eq!(waits, [ms(99), ms(99), ms(299), ms(299)]);
        assert_eq!(delay.like_derivation(here, ms(500)), Duration::ZERO, "it waited already");
        assert_eq!(delay.like_derivation(elsewhere, ms(1)), Duration::ZERO);
    }

    #[test]
    fn agents_that_had_no_answer_are_remembered_until_one_has() {
        let (delay, took) = (EqualDelay::default(), Duration::from_secs(1));
        delay.note_answer::<()>(1, &Err(NoAnswer::Busy), took);
        assert!(delay.silence(1).is_none(), "whether they are busy now is seen by looking");
        delay.note_answer::<()>(1, &Err(NoAnswer::NoDirectory), took);
        assert_eq!(delay.silence(1).map(|silence| silence.took), Some(took));
        assert!(delay.silence(2).is_none());
        for of_one_account in [NoAnswer::AtBound, NoAnswer::OtherAccount] {
            delay.note_answer::<()>(1, &Err(of_one_account), took);
            let why = delay.silence(1).map(|silence| silence.why);
            assert_eq!(why, Some(NoAnswer::NoDirectory), "it says nothing of others");
        }
        delay.note_answer(1, &Ok(()), took);
        assert!(delay.silence(1).is_none());
    }
}
