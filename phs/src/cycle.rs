//! One cycle: pull → qualify → rehash → send → watermark, page by page.
//!
//! A page is moved along and never copied. Its rows are committed after its receipt; the cursor is committed with
//! the last page's, and only if the tenant acknowledged it. A cycle that ends anywhere before that is begun again
//! from the old cursor, and derives nothing again that the tenant holds.
//! Neighbours: `main` runs it with sockets, the tests without.

mod courier;

use crate::directory::Singles;
use crate::error::PhsError;
use crate::mirror::Mirror;
use crate::privileged;
use crate::progress::Witness;
use crate::pull::PullError;
use crate::qualify::{self, Batch, Rules};
use crate::send::Tenant;
use crate::stop::Stop;
use crate::watermark::{self, Plan, Saved, Verdict, WhyFull};
use courier::Courier;
use landbridge_crypto::salted_digest::Profile;
use landbridge_drsr::drs::change::{Page, Progress, Sid};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::{Hello, Mode};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tracing::{info, instrument, warn};
use uuid::Uuid;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// Compare all.
    pub full: bool,
    /// SID of the domain.
    pub domain: Sid,
    /// Privileged accounts that are carried all the same.
    pub include: Vec<Sid>,
    /// What a digest costs.
    pub profile: Profile,
    /// This process.
    pub instance: Uuid,
    /// This cycle.
    pub cycle: Uuid,
    /// Seconds since 1970.
    pub now: i64,
}

/// What was done; the same names as in `once --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// `incremental` or `full`.
    pub mode: &'static str,
    /// Objects that the DC sent.
    pub read: u64,
    /// Accounts among them that are in the cloud.
    pub in_scope: u64,
    /// Uploads that carried something.
    pub uploads: u64,
    /// Records sent; in a dry run, that would be.
    pub records_sent: u64,
    /// Passwords hashed anew.
    pub digests_derived: u64,
    /// Digests sent; in a dry run, at most so many would be.
    pub digests_sent: u64,
    /// Records that changed nothing at the tenant.
    pub unchanged: u64,
    /// Accounts held back for being privileged.
    pub privileged: u64,
    /// Accounts that left the cloud.
    pub removed: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
    /// Records that the tenant refused.
    pub refused: u64,
    /// The domain's policy was sent.
    pub policy_sent: bool,
}

/// Where pages come from: given a cursor or none, whatever comes until the last one.
pub type Source<'a> = dyn FnMut(Option<Cursor>) -> Result<Receiver<Result<Page, PullError>>, PhsError> + 'a;

/// Everything that a cycle works with.
pub struct Cycle<'a> {
    /// What is to be done.
    pub order: &'a Order,
    /// What is remembered; in a dry run a scratch copy.
    pub mirror: &'a Mirror,
    /// Single objects of the DC.
    pub singles: &'a mut dyn Singles,
    /// Pages of the DC.
    pub source: &'a mut Source<'a>,
    /// The tenant; none in a dry run.
    pub tenant: Option<&'a mut dyn Tenant>,
    /// Is told how it goes.
    pub witness: &'a dyn Witness,
    /// Ends it between pages.
    pub stop: &'a Stop,
}

impl std::fmt::Debug for Cycle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cycle").field("order", &self.order).finish_non_exhaustive()
    }
}

/// Mending what the tenant was told goes in portions of so many accounts.
const PORTION: u32 = 250;
/// How long a wish to stop may go unheard while nothing comes from the DC.
const LISTEN: Duration = Duration::from_millis(200);

impl Cycle<'_> {
    /// Runs the cycle.
    #[instrument(skip_all, fields(cycle = %self.order.cycle))]
    pub fn run(mut self) -> Result<Tally, PhsError> {
        let saved = self.mirror.saved()?;
        let mut generation = Uuid::nil();
        let mut tenant = self.tenant.take();
        let plan = match &mut tenant {
            Some(tenant) => {
                let domain_sid = Text::cut(&self.order.domain.to_string());
                let receipt = tenant.hello(&Hello { instance: self.order.instance, domain_sid })?;
                generation = receipt.generation;
                watermark::plan(self.order.full, saved.as_ref(), &receipt)
            }
            None => watermark::plan_alone(self.order.full, saved.as_ref()),
        };
        match self.attempt(plan, saved.as_ref(), generation, lent(&mut tenant)) {
            // The DC says so on the first page, before anything was sent.
            Err(PhsError::Pull(PullError::Directory {
                error: landbridge_drsr::Error::Restored { .. },
                ..
            })) if plan == Plan::Incremental => {
                let plan = Plan::Full(WhyFull::ControllerRestored);
                self.attempt(plan, saved.as_ref(), generation, lent(&mut tenant))
            }
            other => other,
        }
    }

    fn attempt(
        &mut self,
        plan: Plan,
        saved: Option<&Saved>,
        generation: Uuid,
        mut tenant: Option<&mut dyn Tenant>,
    ) -> Result<Tally, PhsError> {
        let start = match (plan, saved) {
            (Plan::Incremental, Some(saved)) => Cursor::from_bytes(&saved.cursor).ok(),
            (Plan::Incremental | Plan::Full(_), _) => None,
        };
        let full = start.is_none();
        match plan {
            Plan::Full(why) => info!(%why, "comparing all"),
            Plan::Incremental if full => warn!("the stored cursor cannot be read: comparing all"),
            Plan::Incremental => {}
        }
        if full {
            self.mirror.forget_position()?;
        }
        let rules = Rules {
            domain: &self.order.domain,
            include: &self.order.include,
            full,
            secrets: tenant.is_some(),
            cycle: self.order.cycle,
            now: self.order.now,
        };
        let mode = if full { Mode::FullCompare } else { Mode::Incremental };
        let mut courier = Courier {
            order: self.order,
            mirror: self.mirror,
            tenant: lent(&mut tenant),
            witness: self.witness,
            stop: self.stop,
            mode,
            generation,
            tally: Tally { mode: if full { "full" } else { "incremental" }, ..Tally::default() },
        };
        let pages = (self.source)(start)?;
        let mut learnt = false;
        self.resolve()?;
        loop {
            let page = self.next(&pages)?;
            if let Some(objects) = page.objects_in_domain {
                self.witness.total(objects.into());
            }
            // Before any password is opened; an idle cycle has none and saves the reading.
            if !learnt && (full || !page.changes.is_empty() || !page.links.is_empty()) {
                self.transaction(|cycle| {
                    privileged::learn(cycle.mirror, cycle.singles, &cycle.order.domain)
                })?;
                self.resolve()?;
                learnt = true;
            }
            let objects = u64::try_from(page.changes.len()).unwrap_or(u64::MAX);
            courier.tally.read += objects;
            let last = matches!(page.progress, Progress::Last(_));
            self.transaction(|cycle| cycle.page(page, &rules, saved, &mut courier))?;
            self.witness.read(objects);
            if last {
                return Ok(courier.tally);
            }
        }
    }

    /// Waits for a page. The DC may think for a minute; a wish to stop is heard at once.
    fn next(&self, pages: &Receiver<Result<Page, PullError>>) -> Result<Page, PhsError> {
        loop {
            if self.stop.is_raised() {
                return Err(PhsError::Interrupted);
            }
            match pages.recv_timeout(LISTEN) {
                Ok(page) => return Ok(page?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PhsError::Defect("the pulling thread ended without a word"));
                }
            }
        }
    }

    /// One page, from the DC's reply to the tenant's receipt.
    fn page(
        &mut self,
        mut page: Page,
        rules: &Rules<'_>,
        saved: Option<&Saved>,
        courier: &mut Courier<'_>,
    ) -> Result<(), PhsError> {
        let progress = std::mem::replace(&mut page.progress, Progress::More);
        let mut batch = qualify::page(page, self.mirror, self.singles, rules)?;
        let Progress::Last(cursor) = progress else {
            return courier.deliver(batch, None).map(|_| ());
        };
        self.resolve()?;
        loop {
            let portion = qualify::doubts(self.mirror, self.singles, rules, PORTION)?;
            let done = portion.drafts.is_empty();
            join(&mut batch, portion);
            if done {
                break;
            }
            if batch.drafts.len() >= 2 * PORTION as usize {
                courier.deliver(std::mem::take(&mut batch), None)?;
            }
        }
        let cursor = cursor.to_bytes();
        let name = watermark::name(&cursor);
        let moved = rules.full || saved.is_none_or(|saved| saved.cursor != cursor);
        let idle = courier.is_idle() && batch.drafts.is_empty() && batch.policy.is_none();
        if idle && !moved {
            return courier.deliver(batch, None).map(|_| ());
        }
        let Some(receipt) = courier.deliver(batch, Some(&name))? else { return Ok(()) };
        match watermark::may_store(&name, courier.generation, &receipt) {
            Verdict::Store => {}
            Verdict::OtherGeneration => return Err(PhsError::TenantReplaced),
            Verdict::NotAcknowledged => return Err(PhsError::NotAcknowledged),
        }
        if receipt.swept > 0 {
            info!(accounts = receipt.swept, "the tenant let go of accounts that are in the domain no more");
        }
        if rules.full {
            self.mirror.forget_unseen(rules.cycle)?;
        }
        self.mirror.save(&Saved { cursor, generation: courier.generation })?;
        Ok(())
    }

    fn resolve(&self) -> Result<(), PhsError> {
        let protected = privileged::protected_groups(&self.order.domain);
        Ok(self.mirror.resolve_groups(&self.order.domain, &protected, &self.order.include)?)
    }

    /// All of it is remembered, or nothing.
    fn transaction<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R, PhsError>) -> Result<R, PhsError> {
        self.mirror.begin()?;
        match run(self) {
            Ok(done) => {
                self.mirror.commit()?;
                Ok(done)
            }
            Err(error) => {
                self.mirror.rollback()?;
                Err(error)
            }
        }
    }
}

fn lent<'b>(tenant: &'b mut Option<&mut dyn Tenant>) -> Option<&'b mut dyn Tenant> {
    match tenant {
        Some(tenant) => Some(&mut **tenant),
        None => None,
    }
}

fn join(to: &mut Batch, from: Batch) {
    to.drafts.extend(from.drafts);
    to.policy = from.policy.or(to.policy.take());
    to.in_scope += from.in_scope;
    to.privileged += from.privileged;
    to.removed += from.removed;
    to.quarantined += from.quarantined;
}

#[cfg(test)]
mod tests;
