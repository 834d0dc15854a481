//! After the last page: ends links whose time is over, compares all objects with what was sent to the tenant, and applies
//! the guard to those that leave.
//! Neighbours: `super` calls it; `mirror::sweep` finds the objects, `qualify` drafts what is sent, `guard` holds back.

use super::courier::Courier;
use super::{Cycle, HELD, SWEEP};
use crate::cycle::guard;
use crate::error::PhsError;
use crate::mirror::{Leaving, Sent};
use crate::qualify::{self, Batch, Rules, holders, translate};
use landbridge_wire::upload::MAX_LINKS;
use uuid::Uuid;

/// Objects that are read from the mirror at a time.
const PORTION: u32 = 250;
/// Limit on objects that enter in one cycle in addition to those of its pages. Each is read alone and its password
/// derived, so without a limit an account that is disabled meanwhile would stay enabled at the tenant until all are
/// done.
const ENTER: usize = 2_000;
/// Fact: when an administrator last confirmed removals, seconds since 1970.
const CONFIRMED: &str = "confirmed";

impl Cycle<'_> {
    /// Ends the links whose time is over: no DC sends a change for them. After the last page, so that a link which this
    /// cycle prolonged stays. The rows go with the receipt, as all of a page. Returns whether any ended.
    pub(super) fn end_links(
        &self,
        batch: &mut Batch,
        now: i64,
        courier: &mut Courier<'_, '_>,
    ) -> Result<bool, PhsError> {
        let mut any = false;
        loop {
            let some = self.mirror.ended_links(now, PORTION)?;
            if some.is_empty() {
                return Ok(any);
            }
            any = true;
            for (source, (what, target, stamp)) in some {
                self.mirror.set_link(what, source, target, None)?;
                if self.mirror.object(source)?.is_some_and(|object| object.sent == Some(Sent::Present)) {
                    batch.links.extend(translate::wire_link(source, (what, target, stamp.next()), false));
                }
            }
            if batch.links.len() >= MAX_LINKS {
                courier.deliver(std::mem::take(batch), None)?;
            }
        }
    }

    /// Compares all objects with what was sent to the tenant, a portion at a time. It runs after the last page, when
    /// nothing more can change the comparison. First objects that leave or stay, then objects that enter, up to
    /// [`ENTER`]. `from_first`: begins with the first object that enters; otherwise after the last one of the cycle
    /// before. Last, the containers of what is carried then.
    pub(super) fn sweep(
        &mut self,
        batch: &mut Batch,
        rules: &Rules<'_>,
        courier: &mut Courier<'_, '_>,
        from_first: bool,
    ) -> Result<(), PhsError> {
        self.sweep_objects(batch, rules, courier, from_first)?;
        if rules.full {
            // The tenant removes those that are not sent again.
            self.mirror.forget_sent_containers()?;
        }
        for guid in self.mirror.lacking_containers(rules.full.then_some(rules.cycle))? {
            if let Some(container) = self.mirror.object(guid)? {
                batch.join(qualify::container(container, self.mirror, self.singles, rules)?);
            }
            if batch.drafts.len() >= 2 * PORTION as usize {
                courier.deliver(std::mem::take(batch), None)?;
            }
        }
        Ok(())
    }

    /// Drafts the accounts whose digest the tenant has dropped: each is read alone, with its password.
    pub(super) fn send_lacking(
        &mut self,
        batch: &mut Batch,
        rules: &Rules<'_>,
        courier: &Courier<'_, '_>,
    ) -> Result<(), PhsError> {
        for guid in &courier.settled.lacking {
            let Some(mut object) = self.mirror.object(*guid)? else { continue };
            if object.sent == Some(Sent::Present) && object.carries {
                // As of an account whose password was not carried before.
                (object.carries, object.password, object.password_at) = (false, None, None);
                batch.join(qualify::mend(object, self.mirror, self.singles, rules, false)?);
            }
        }
        Ok(())
    }

    fn sweep_objects(
        &mut self,
        batch: &mut Batch,
        rules: &Rules<'_>,
        courier: &mut Courier<'_, '_>,
        from_first: bool,
    ) -> Result<(), PhsError> {
        // 1. How many leave, and whether they are held back.
        self.refuse_wide_entry(rules)?;
        let leaving = self.leaving()?;
        let hold = self.order.guard.holds(&leaving, self.order.confirmed);
        courier.counts.held = if hold { leaving.pending } else { 0 };
        self.mirror.set_fact(HELD, &courier.counts.held.to_string())?;
        if !hold && leaving.pending > 0 && self.order.confirmed.is_some() {
            self.mirror.set_fact(CONFIRMED, &self.order.now.to_string())?;
        }
        // 2. What an earlier run sent without writing it down, and what left the scope since.
        for guid in std::mem::take(&mut courier.left) {
            if let Some(object) = self.mirror.object(guid)? {
                batch.join(qualify::mend_left(object, self.mirror, self.singles, rules)?);
            }
        }
        // 3. Draft corrections, portion by portion.
        let before = self.fact(SWEEP)?.filter(|_| !from_first).and_then(|guid| Uuid::parse_str(&guid).ok());
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

    /// Ends the cycle if one entry at the domain's head holds back a large part of the scope, unless an administrator
    /// has accepted it, now or before.
    pub(super) fn refuse_wide_entry(&self, rules: &Rules<'_>) -> Result<(), PhsError> {
        self.mirror.resolve(&rules.bounds)?;
        while let Some(wide) = holders::wide_entry(self.mirror, rules.bounds.domain, &self.order.also)? {
            if self.order.confirmed.is_none_or(|confirmed| wide.held > confirmed) {
                return Err(wide.refusal());
            }
            holders::accept(self.mirror, &wide)?;
        }
        Ok(())
    }

    /// How many accounts leave the scope, now and lately.
    pub(super) fn leaving(&self) -> Result<Leaving, PhsError> {
        let confirmed = self.mirror.fact(CONFIRMED)?.and_then(|at| at.parse().ok()).unwrap_or(i64::MIN);
        let since = self.order.now.saturating_sub(guard::MEMORY).max(confirmed);
        Ok(self.mirror.leaving(since)?)
    }
}
