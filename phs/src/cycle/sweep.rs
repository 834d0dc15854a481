//! After the last page: all objects are compared with what the tenant was told of them, and the guard decides about those
//! who leave.
//! Neighbours: `super` calls it; `mirror::sweep` finds them, `qualify` says what is told, `guard` who stays.

use super::courier::Courier;
use super::{Cycle, HELD, SWEEP};
use crate::cycle::guard;
use crate::error::PhsError;
use crate::mirror::Leaving;
use crate::qualify::{self, Batch, Rules};
use uuid::Uuid;

/// Mending what the tenant was told goes in portions of so many objects.
const PORTION: u32 = 250;
/// So many objects enter in one cycle beside those that its pages tell of. Each is read alone and its password hashed: without
/// a bound whoever is disabled meanwhile would wait for all of them.
const ENTER: usize = 2_000;
/// When an administrator last confirmed removals: seconds since 1970.
const CONFIRMED: &str = "confirmed";

impl Cycle<'_> {
    /// Compares all objects with what the tenant was told, once nothing more comes that could change it; some at a
    /// time. First whoever leaves and whoever stays, then those that enter, as many as one cycle takes. `anew`: from the
    /// first of them on; else after the last one of the cycle before.
    pub(super) fn sweep(
        &mut self,
        batch: &mut Batch,
        rules: &Rules<'_>,
        courier: &mut Courier<'_, '_>,
        anew: bool,
    ) -> Result<(), PhsError> {
        self.mirror.resolve(&rules.bounds)?;
        let leaving = self.leaving()?;
        let hold = self.order.guard.holds(&leaving, self.order.confirmed);
        courier.counts.held = if hold { leaving.pending } else { 0 };
        self.mirror.set_fact(HELD, &courier.counts.held.to_string())?;
        if !hold && leaving.pending > 0 && self.order.confirmed.is_some() {
            self.mirror.set_fact(CONFIRMED, &self.order.now.to_string())?;
        }
        let before = self.fact(SWEEP)?.filter(|_| !anew).and_then(|guid| Uuid::parse_str(&guid).ok());
        let (mut enters, mut after, mut entered) = (false, None, 0);
        loop {
            let some = self.mirror.misplaced(enters, after, PORTION)?;
            let Some(last) = some.last() else {
                if enters {
                    return self.remember(SWEEP, "");
                }
                (enters, after) = (true, before);
                continue;
            };
            after = Some(last.guid);
            entered += if enters { some.len() } else { 0 };
            for object in some {
                batch.join(qualify::mend(object, self.mirror, self.singles, rules, hold)?);
            }
            if entered >= ENTER {
                courier.counts.unfinished = true;
                return self.remember(SWEEP, &after.unwrap_or_default().to_string());
            }
            if batch.drafts.len() >= 2 * PORTION as usize {
                courier.deliver(std::mem::take(batch), None)?;
            }
            if self.stop.is_raised() {
                return Err(PhsError::Interrupted);
            }
        }
    }

    /// Who leaves the scope.
    pub(super) fn leaving(&self) -> Result<Leaving, PhsError> {
        let confirmed = self.mirror.fact(CONFIRMED)?.and_then(|at| at.parse().ok()).unwrap_or(i64::MIN);
        let since = self.order.now.saturating_sub(guard::MEMORY).max(confirmed);
        Ok(self.mirror.leaving(since)?)
    }
}
