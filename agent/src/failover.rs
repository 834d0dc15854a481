//! When a request that failed is sent again, and whether to another node of the tenant. Pure: time and chance are
//! arguments. One value serves one request; every request of an agent may arrive twice without harm.
//! Neighbours: `backoff` has the waits, `node_choice` the nodes; phs's `send` and `renew` act by it.

use crate::backoff::Backoff;
use crate::error::AgentError;
use std::time::{Duration, Instant};

/// How long a node may answer that it is at a limit, or that its database fails, before another node is tried. Limits
/// pass within seconds, and all nodes share the database, so a change at once would gain little.
const BUSY: Duration = Duration::from_secs(5);

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextAttempt {
    /// The same node, after this time.
    Same(Duration),
    /// The next node, after this time.
    Other(Duration),
    /// None: the error is the result.
    GiveUp,
}

/// The failures of one request so far.
#[derive(Debug)]
pub struct Failover {
    backoff: Backoff,
    /// How many nodes there are.
    nodes: usize,
    /// Nodes that have failed since the last wait.
    failed: usize,
    /// Whether a failure since the last wait may pass by itself.
    passes: bool,
    /// Since when the node in use is busy.
    busy_since: Option<Instant>,
}

impl Failover {
    /// For a request to a tenant of this many nodes. `backoff` has the waits of the whole request.
    pub fn new(backoff: Backoff, nodes: usize) -> Self {
        Self { backoff, nodes: nodes.max(1), failed: 0, passes: false, busy_since: None }
    }

    /// What follows from this failure at `now`. `chance` is in 0..1.
    ///
    /// A node that cannot be reached is left at once for one that has not failed since the last wait, without a wait. A
    /// node that is busy is left after 5 s, or when no wait is left. When all nodes have failed, the request waits.
    pub fn after(&mut self, error: &AgentError, chance: f64, now: Instant) -> NextAttempt {
        let busy = error.is_busy();
        let of_node = self.nodes > 1 && (busy || error.is_of_one_node());
        self.passes |= error.passes_by_itself();
        // 1. A busy node has some time.
        if of_node && busy {
            let since = *self.busy_since.get_or_insert(now);
            if now.saturating_duration_since(since) < BUSY
                && let Some(wait) = self.backoff.wait(chance, error.retry_after())
            {
                return NextAttempt::Same(wait);
            }
        }
        // 2. Another node that has not failed since the last wait.
        if of_node {
            self.busy_since = None;
            self.failed += 1;
            if self.failed < self.nodes {
                return NextAttempt::Other(Duration::ZERO);
            }
        }
        // 3. All nodes have failed: wait, if that can help.
        let passes = std::mem::replace(&mut self.passes, false);
        self.failed = 0;
        let wait = if passes { self.backoff.wait(chance, error.retry_after()) } else { None };
        match wait {
            None => NextAttempt::GiveUp,
            Some(wait) if of_node => NextAttempt::Other(wait),
            Some(wait) => NextAttempt::Same(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_wire::problem::{Problem, ProblemCode};

    fn unreachable() -> AgentError {
        AgentError::Unreachable { host: "one.test:1".to_owned(), why: "refused".to_owned() }
    }

    fn refused(code: ProblemCode) -> AgentError {
        AgentError::Refused(Problem::new(code, ""))
    }

    /// A request with three waits: 1 s, 2 s, 4 s.
    fn failover(nodes: usize) -> Failover {
        Failover::new(Backoff::new(Duration::from_secs(1), Duration::from_secs(4), 3), nodes)
    }

    const AT_ONCE: NextAttempt = NextAttempt::Other(Duration::ZERO);

    fn same(seconds: u64) -> NextAttempt {
        NextAttempt::Same(Duration::from_secs(seconds))
    }

    fn other(seconds: u64) -> NextAttempt {
        NextAttempt::Other(Duration::from_secs(seconds))
    }

    #[test]
    fn a_single_node_is_asked_again_after_waits() {
        let (mut request, now) = (failover(1), Instant::now());
        let next: Vec<_> = (0..4).map(|_| request.after(&unreachable(), 1.0, now)).collect();
        assert_eq!(next, [same(1), same(2), same(4), NextAttempt::GiveUp]);
        assert_eq!(failover(1).after(&refused(ProblemCode::StorageFailed), 1.0, now), NextAttempt::GiveUp);
    }

    #[test]
    fn a_node_that_cannot_be_reached_is_left_at_once_and_a_wait_comes_when_all_have_failed() {
        let (mut request, now) = (failover(3), Instant::now());
        let next: Vec<_> = (0..12).map(|_| request.after(&unreachable(), 1.0, now)).collect();
        let round = |wait| [AT_ONCE, AT_ONCE, wait];
        let rounds = [round(other(1)), round(other(2)), round(other(4)), round(NextAttempt::GiveUp)];
        assert_eq!(next, rounds.concat());
    }

    #[test]
    fn a_busy_node_has_five_seconds_before_another_one_is_tried() {
        let (mut request, began) = (failover(2), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        for code in [ProblemCode::Overloaded, ProblemCode::StorageFailed] {
            request.backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1), 9);
            request.failed = 0;
            assert_eq!(request.after(&refused(code), 1.0, at(0)), same(1), "{code}");
            assert_eq!(request.after(&refused(code), 1.0, at(4)), same(1), "{code}");
            assert_eq!(request.after(&refused(code), 1.0, at(5)), AT_ONCE, "{code}");
            // The next one has its own five seconds.
            assert_eq!(request.after(&refused(code), 1.0, at(6)), same(1), "{code}");
            request.busy_since = None;
        }
    }

    #[test]
    fn a_request_that_has_few_waits_tries_each_busy_node_all_the_same() {
        let (mut request, now) = (failover(2), Instant::now());
        let busy = refused(ProblemCode::Overloaded);
        let next: Vec<_> = (0..5).map(|_| request.after(&busy, 1.0, now)).collect();
        assert_eq!(next, [same(1), same(2), same(4), AT_ONCE, NextAttempt::GiveUp]);
    }

    #[test]
    fn what_no_other_node_answers_otherwise_is_the_result_at_once() {
        for code in [ProblemCode::AgentRevoked, ProblemCode::SecondWriter, ProblemCode::WrongDomain] {
            assert_eq!(failover(3).after(&refused(code), 1.0, Instant::now()), NextAttempt::GiveUp, "{code}");
        }
    }

    #[test]
    fn nodes_that_a_person_must_mend_are_each_tried_once() {
        let stranger = || AgentError::NotATenant { host: "one.test:1".to_owned(), status: 200 };
        let (mut request, now) = (failover(2), Instant::now());
        assert_eq!(request.after(&stranger(), 1.0, now), AT_ONCE);
        assert_eq!(request.after(&stranger(), 1.0, now), NextAttempt::GiveUp);
        // One of them may come back.
        let (mut request, now) = (failover(2), Instant::now());
        assert_eq!(request.after(&unreachable(), 1.0, now), AT_ONCE);
        assert_eq!(request.after(&stranger(), 1.0, now), other(1));
    }
}
