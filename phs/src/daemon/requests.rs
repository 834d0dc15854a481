//! How many replication requests this process sends to domain controllers in a day. Each costs the DC a search and, where
//! it audits replication, up to two events. Pure: the clock and the counter are arguments.
//! Neighbours: `read::pull` counts, [`super::status`] shows.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Seconds of a day, over which requests are counted.
const DAY: i64 = 86_400;
/// Seconds between two stored counts: a day's number is exact to this.
const STEP: i64 = 600;
/// Seconds that must have been counted before a day is computed from them.
const ENOUGH: u64 = 600;

/// Counts of the last day.
#[derive(Debug, Default)]
pub struct Requests {
    /// When, and how many there had been by then; at most 146.
    marks: VecDeque<(i64, u64)>,
}

/// How many requests were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestCount {
    /// Since the start of the process.
    pub total: u64,
    /// Within the last `seconds`.
    pub recent: u64,
    /// Over how many seconds `recent` was counted: since the start, and from a day on about a day.
    pub seconds: u64,
}

impl Requests {
    /// Notes that there were `total` requests by `now`, in seconds since 1970. A clock that was set back begins again.
    pub fn count(&mut self, now: i64, total: u64) -> RequestCount {
        if self.marks.back().is_some_and(|(at, _)| *at > now) {
            self.marks.clear();
        }
        if self.marks.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= STEP) {
            self.marks.push_back((now, total));
        }
        while self.marks.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= DAY) {
            self.marks.pop_front();
        }
        let (at, before) = self.marks.front().copied().unwrap_or((now, total));
        let seconds = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
        RequestCount { total, recent: total.saturating_sub(before), seconds }
    }
}

impl RequestCount {
    /// The number for a day, and whether it was counted over a day; otherwise it is extrapolated. None: too little time
    /// has passed to say.
    pub fn a_day(&self) -> Option<(u64, bool)> {
        let day = u64::try_from(DAY).unwrap_or(u64::MAX);
        let number = self.recent.saturating_mul(day).checked_div(self.seconds)?;
        (self.seconds >= ENOUGH).then_some((number, self.seconds >= day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_requests_are_counted_over_a_day_and_extrapolated_before() {
        let mut requests = Requests::default();
        assert_eq!(requests.count(1_000, 40).a_day(), None);
        assert_eq!(requests.count(1_000 + 599, 60).a_day(), None, "too early");
        // Twelve in a minute.
        let count = requests.count(1_000 + 3_600, 40 + 720);
        assert_eq!((count.total, count.recent, count.seconds), (760, 720, 3_600));
        assert_eq!(count.a_day(), Some((17_280, false)));
        let mut total = 760;
        for minute in 61..3 * 1_440 {
            total += 2;
            let count = requests.count(1_000 + 60 * minute, total);
            assert!(requests.marks.len() <= 146, "{minute}");
            let counted = count.a_day().is_some_and(|(_, counted)| counted);
            assert_eq!(counted, minute >= 1_440, "{minute}");
        }
        let last = requests.count(1_000 + 60 * 3 * 1_440, total + 2);
        assert_eq!(last.a_day(), Some((2_880, true)), "of two days ago nothing is left");
    }

    #[test]
    fn a_clock_that_is_set_back_or_stands_begins_again_and_divides_by_nothing() {
        let mut requests = Requests::default();
        requests.count(10_000, 5);
        requests.count(20_000, 50);
        let count = requests.count(15_000, 60);
        assert_eq!((count.total, count.recent, count.seconds, count.a_day()), (60, 0, 0, None));
        assert_eq!(requests.count(15_600, 61).recent, 1);
        assert_eq!(RequestCount::default().a_day(), None);
    }
}
