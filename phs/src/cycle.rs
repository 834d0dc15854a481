//! One cycle: pull → qualify → rehash → send → watermark, page by page.
//!
//! A page is moved along and never copied, and the steps overlap: while pages wait, one portion is derived and the
//! one before it sent. Rows are committed after their receipts. The cursor is committed with the last page's rows,
//! and only if the tenant acknowledged it. A cycle that ends before that is run again from the old cursor, and
//! derives no password again that the tenant holds.
//! Neighbours: `job` runs it with sockets, the tests without.

mod counts;
mod courier;
mod entries;
pub mod guard;
pub mod job;
mod order;
pub mod rehash;
pub mod send;
mod settled;
mod sweep;
pub mod warnings;

use self::rehash::Derivers;
use self::send::UploadApi;
use crate::error::PhsError;
use crate::mirror::watermark::{self, CursorDecision, Plan, Saved, WhyFull};
use crate::mirror::{Bounds, Mirror, StateError};
use crate::progress::Witness;
use crate::qualify::{self, Batch, Rules, holders, privileged};
use crate::read::pull::{ObjectId, PullError, Reading};
use crate::read::session::Singles;
use crate::stop::Stop;
pub use counts::{Counts, Difference, Sign};
use courier::Courier;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::change::{Change, Page, Progress};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::bounded::Text;
use landbridge_wire::upload::{BY_STAMP_FROM, Hello, ITERATIONS_FROM, Mode};
pub use order::Order;
use settled::Settled;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::{info, instrument, warn};

/// Where pages come from: the pages since a cursor, or from the beginning, up to the last one.
pub type Source<'a> =
    dyn FnMut(Option<Cursor>, Reading) -> Result<Receiver<Result<Page, PullError>>, PhsError> + 'a;

/// Everything that a cycle works with.
pub struct Cycle<'a> {
    /// What the cycle is to do.
    pub order: &'a Order,
    /// The state; in a dry run a temporary copy.
    pub mirror: &'a Mirror,
    /// Single objects of the DC.
    pub singles: &'a mut dyn Singles,
    /// Pages of the DC.
    pub source: &'a mut Source<'a>,
    /// The tenant; none in a dry run and while staging.
    pub tenant: Option<&'a mut dyn UploadApi>,
    /// Receives the progress.
    pub witness: &'a dyn Witness,
    /// Ends the cycle between pages.
    pub stop: &'a Stop,
}

impl std::fmt::Debug for Cycle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cycle").field("order", &self.order).finish_non_exhaustive()
    }
}

/// Interval at which the request to stop is checked while no page arrives.
const LISTEN: Duration = Duration::from_millis(200);

/// In a full compare the rows of several pages are committed together, for up to this long: waiting for the receipts
/// after each page would leave the cores without work. If such a cycle is killed, the next one is a full compare
/// again and sends the lost rows. An incremental cycle commits page by page: an object that entered on a lost page,
/// and left before the page is read again, would otherwise stay at the tenant.
const TOGETHER: Duration = Duration::from_secs(5);

/// Facts in the mirror: the scope, and the filter, by which it was last brought up to date.
const PLACES: &str = "scope";
const FILTER: &str = "filter";
/// Fact: when the last full compare ended, seconds since 1970.
const COMPARED: &str = "compared";
/// Fact: objects still have to be compared with what was sent. `from the first`: all; a GUID: those after it that
/// enter.
const SWEEP: &str = "sweep";
const FIRST: &str = "from the first";
/// Fact: what the last complete full compare carried: the tenant's level, and the names of all attributes.
const CONTENTS: &str = "contents";
/// Fact: how many accounts had a name of an account that is not carried, at the end of the last full compare.
const AMBIGUOUS: &str = "ambiguous";
/// Fact: the iterations that all digests at the tenant have at least, as far as is known: those of the profile at the
/// end of a full compare that left none to be derived again.
const ITERATIONS: &str = "iterations";
/// Fact: how many passwords the tenant held with fewer iterations, at the end of the last full compare.
const LEFT: &str = "left";
/// Fact: how many accounts the last sweep held back.
const HELD: &str = "held";
/// Fact: why the tenant has no account of a person, at the end of the last cycle that read something.
const NOBODY: &str = "nobody";
/// Fact: set while a full compare that replaces what the tenant holds is not complete.
const REPLACES: &str = "replaces";

impl Cycle<'_> {
    /// Runs the cycle. Returns what it did.
    #[instrument(skip_all, fields(cycle = %self.order.cycle))]
    pub fn run(mut self) -> Result<Counts, PhsError> {
        // 1. What to read: changes since the saved cursor, or everything. The tenant may not have that cursor.
        let saved = self.mirror.saved()?;
        let mut settled = Settled::alone();
        let mut tenant = self.tenant.take();
        let mut asked = self.why_full()?;
        let plan = match &mut tenant {
            Some(tenant) => {
                let domain_sid = Text::cut(&self.order.domain.to_string());
                let mut receipt = tenant.hello(&Hello { instance: self.order.instance, domain_sid })?;
                settled = Settled::of(&mut receipt);
                let other = self.mirror.fact(CONTENTS)? != Some(settled.contents());
                asked = asked.or((saved.is_some() && other).then_some(WhyFull::OtherContents));
                let higher = self.derives_again(&settled)?;
                asked = asked.or((saved.is_some() && higher).then_some(WhyFull::HigherProfile));
                watermark::plan(asked, saved.as_ref(), &receipt)
            }
            None => watermark::plan_alone(asked, saved.as_ref()),
        };
        // 2. Run it.
        match self.attempt(plan, saved.as_ref(), &settled, lent(&mut tenant)) {
            // 3. The DC's database was restored. This shows on the first page, before anything was sent.
            Err(PhsError::Pull(PullError::Directory {
                error: landbridge_drsr::Error::Restored { .. },
                ..
            })) if plan == Plan::Incremental => {
                let plan = Plan::Full(WhyFull::ControllerRestored);
                self.attempt(plan, saved.as_ref(), &settled, lent(&mut tenant))
            }
            other => other,
        }
    }

    /// Why the cycle compares everything, whatever the tenant answers.
    fn why_full(&self) -> Result<Option<WhyFull>, PhsError> {
        if self.order.full {
            return Ok(Some(WhyFull::Asked));
        }
        // The mirror does not store attributes, only whether the filter matched.
        let filter = self.mirror.fact(FILTER)?;
        let other = filter.is_some_and(|filter| filter != self.filter());
        Ok(other.then_some(WhyFull::OtherFilter))
    }

    /// Whether the profile has more iterations than the digests that the tenant may hold. A tenant of a lower level
    /// keeps the digest that it has of a password.
    fn derives_again(&self, settled: &Settled) -> Result<bool, PhsError> {
        let higher = u64::from(self.order.profile.iterations()) > self.number(ITERATIONS)?;
        Ok(higher && settled.level >= ITERATIONS_FROM && self.fact(COMPARED)?.is_some())
    }

    /// The settings whose effect cannot be computed again from the mirror.
    fn filter(&self) -> String {
        let login = self.order.alternate_login.map_or("", Attribute::name);
        format!("{} {login}{}", self.order.scope.filter_print(), self.order.requested)
    }

    /// The settings whose effect can be computed again from the mirror.
    fn places(&self) -> String {
        let Order { scope, include, also, .. } = self.order;
        format!("{} {include:?} {also:?}", scope.place_print())
    }

    fn attempt(
        &mut self,
        plan: Plan,
        saved: Option<&Saved>,
        settled: &Settled,
        mut tenant: Option<&mut dyn UploadApi>,
    ) -> Result<Counts, PhsError> {
        // 1. Where to start.
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
        // 2. How a full compare is taken. Without any state the DC may lag behind what the tenant holds, so newer values
        //    stay. A compare for another reason replaces them, also if it has to begin again.
        let mut mode = Mode::Incremental;
        let knows_no_links = full && matches!(plan, Plan::Incremental | Plan::Full(WhyFull::NoCursor));
        if full {
            let unfinished = self.fact(REPLACES)?.is_some();
            let by_stamp = knows_no_links && !unfinished && settled.level >= BY_STAMP_FROM;
            mode = if by_stamp { Mode::FullCompareByStamp } else { Mode::FullCompare };
            self.mirror.set_fact(REPLACES, if by_stamp { "" } else { "yes" })?;
            self.mirror.forget_position()?;
        }
        // 3. Who is never carried.
        let (account, other_holders) = self.transaction(|cycle| {
            let Self { mirror, order, .. } = *cycle;
            let account = holders::learn_account(mirror, cycle.singles, &order.account)?;
            let other = holders::learn(mirror, cycle.singles, &order.domain, &order.also)?;
            if other {
                // If the cycle ends early, all is compared by the next one.
                mirror.set_fact(SWEEP, FIRST)?;
            }
            Ok((account, other))
        })?;
        let holders: Vec<Sid> = self.mirror.holders()?.into_iter().map(|(sid, _)| sid).collect();
        // 4. The rules, and whether they or the entries of the scope have changed.
        let protected = privileged::protected_groups(&self.order.domain);
        let rules = Rules {
            bounds: Bounds {
                domain: &self.order.domain,
                protected: &protected,
                holders: &holders,
                account: Some(account),
                include: &self.order.include,
                scope: &self.order.scope,
            },
            alternate_login: self.order.alternate_login,
            reserving: settled.reserving.as_ref(),
            full,
            secrets: tenant.is_some(),
            cycle: self.order.cycle,
            now: self.order.now,
        };
        let other_rules = self.mirror.fact(PLACES)?.is_none_or(|places| places != self.places());
        let mut lost = false;
        for dn in self.order.scope.entries() {
            lost |= self.is_lost(dn)?;
        }
        if full || other_rules {
            for sid in &self.order.also {
                let found = holders::is_in_domain(sid, &self.order.domain)
                    && self.singles.object(ObjectId::Sid(sid.clone()), false)?.is_some();
                if !found {
                    return Err(PhsError::NoSuchGroup(sid.clone()));
                }
            }
        }
        if full || other_rules || lost {
            // An entry that stays unknown changes nothing.
            lost = self.transaction(|cycle| cycle.look_up_entries(full))?;
        }
        // Links come last in the stream. Before the first object is sent, the members of the scope's groups must be
        // known, and, without a state, who has an authentication policy.
        if full && (knows_no_links || self.order.scope.group_entries().next().is_some()) {
            self.learn_links()?;
        }
        // 5. Read, derive and send, page by page.
        let pages = (self.source)(start, Reading::of(rules.secrets))?;
        self.mirror.resolve(&rules.bounds)?;
        let mut unsettled = full || other_rules || other_holders || lost || self.order.confirmed.is_some();
        let ambiguous = self.number(AMBIGUOUS)?;
        let left = if tenant.is_some() { self.mirror.left_sending()? } else { Vec::new() };
        // People sign in by the digests that are derived again, so the work leaves half of the machine to others.
        let half = self.derives_again(settled)?;
        unsettled |= !left.is_empty();
        unsettled |= self.fact(SWEEP)?.is_some_and(|from| from == FIRST);
        let done = std::thread::scope(|scope| {
            let mut courier = Courier {
                order: self.order,
                mirror: self.mirror,
                tenant: lent(&mut tenant),
                witness: self.witness,
                derivers: Derivers::new(scope, self.order.profile, half, self.stop, self.witness),
                on_the_way: VecDeque::new(),
                mode,
                settled,
                most_swept: None,
                noted: !left.is_empty(),
                left,
                counts: Counts {
                    mode: if full { "full" } else { "incremental" },
                    ambiguous,
                    ..Counts::default()
                },
            };
            self.carry(&pages, &rules, saved, &mut courier, unsettled)?;
            Ok(courier.counts)
        });
        let mut counts = match done {
            Ok(counts) => counts,
            Err(error) => {
                self.mirror.rollback()?;
                return Err(error);
            }
        };
        // 6. What an administrator should look at.
        self.warn(&rules, full || other_rules, &mut counts)?;
        Ok(counts)
    }

    /// Adds to the counts what an administrator should look at. `again`: the rules are others, or all was compared; where
    /// nothing was read besides, the reason of an earlier cycle still holds.
    fn warn(&self, rules: &Rules<'_>, again: bool, counts: &mut Counts) -> Result<(), PhsError> {
        let scope = &self.order.scope;
        counts.without_hash = self.mirror.count_without_hash()?;
        let known = self.fact(NOBODY)?;
        let nobody = if self.mirror.carries_anybody()? {
            None
        } else if again || counts.read > 0 {
            self.mirror.resolve(&rules.bounds)?;
            warnings::why_nobody(&self.mirror.census(scope.terms().count())?, scope)
        } else {
            known
        };
        self.remember(NOBODY, nobody.as_deref().unwrap_or_default())?;
        counts.nobody = nobody.is_some();
        counts.warnings = nobody.into_iter().chain(warnings::stars(scope)).collect();
        if counts.without_hash > 0 && !self.mirror.has_any_hash()? {
            let number = counts.without_hash;
            counts.warnings.push(format!(
                "all {number} enabled accounts whose password is carried have {}",
                warnings::NO_HASH
            ));
        }
        Ok(())
    }

    /// Processes all pages, up to the last receipt.
    fn carry(
        &mut self,
        pages: &Receiver<Result<Page, PullError>>,
        rules: &Rules<'_>,
        saved: Option<&Saved>,
        courier: &mut Courier<'_, '_>,
        mut unsettled: bool,
    ) -> Result<(), PhsError> {
        let together = if rules.full { TOGETHER } else { Duration::ZERO };
        let mut first = true;
        let mut began: Option<Instant> = None;
        loop {
            let page = match pages.try_recv() {
                Ok(page) => page?,
                // No page is ready: settle what was sent. If no page comes any more, `next` returns the error.
                Err(_) => {
                    self.settle(courier, &mut began)?;
                    self.next(pages)?
                }
            };
            if let Some(objects) = page.objects_in_domain {
                self.witness.total(objects.into());
            }
            let last = matches!(page.progress, Progress::Last(_));
            // Privileged groups are read before any password is opened, since links come last in the stream. If
            // everything is in one page, the links are in it.
            if first && (rules.full || !last) {
                let (witness, stop) = (self.witness, self.stop);
                self.transaction(|cycle| {
                    let pulse = || pulse(witness, stop);
                    privileged::learn(cycle.mirror, cycle.singles, &rules.bounds, rules.full, &pulse)
                })?;
            }
            if first && unsettled {
                // Before anything is sent. What the mirror does not know yet is looked at after the last page.
                self.refuse_wide_entry(rules)?;
            }
            first = false;
            let objects = u64::try_from(page.changes.len()).unwrap_or(u64::MAX);
            courier.counts.read += objects;
            if began.is_none() {
                self.mirror.begin()?;
                began = Some(Instant::now());
            }
            self.page(page, rules, saved, courier, &mut unsettled)?;
            if last || began.is_some_and(|began| began.elapsed() >= together) {
                self.settle(courier, &mut began)?;
            }
            self.witness.read(objects);
            if last {
                return Ok(());
            }
            if self.stop.is_raised() {
                return Err(PhsError::Interrupted);
            }
        }
    }

    /// Waits for the receipts, and commits the rows that they are for.
    fn settle(&self, courier: &mut Courier<'_, '_>, began: &mut Option<Instant>) -> Result<(), PhsError> {
        courier.settle()?;
        if began.take().is_some() {
            self.mirror.commit()?;
            if courier.noted && courier.left.is_empty() {
                self.mirror.forget_sending()?;
                courier.noted = false;
            }
        }
        Ok(())
    }

    /// Waits for a page. A DC may take a minute for one; a request to stop ends the wait at once.
    fn next(&self, pages: &Receiver<Result<Page, PullError>>) -> Result<Page, PhsError> {
        loop {
            if self.stop.is_raised() {
                return Err(PhsError::Interrupted);
            }
            match pages.recv_timeout(LISTEN) {
                Ok(page) => return Ok(page?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PhsError::Defect("the pulling thread ended without an error"));
                }
            }
        }
    }

    /// Processes one page, from the DC's reply to the tenant's receipt.
    fn page(
        &mut self,
        mut page: Page,
        rules: &Rules<'_>,
        saved: Option<&Saved>,
        courier: &mut Courier<'_, '_>,
        unsettled: &mut bool,
    ) -> Result<(), PhsError> {
        // 1. Qualify the page. Every page but the last is handed over and done.
        let progress = std::mem::replace(&mut page.progress, Progress::More);
        courier.counts.changed |= brings_something(&page);
        let mut batch = qualify::page(page, self.mirror, self.singles, rules)?;
        *unsettled |= batch.unsettled;
        let Progress::Last(cursor) = progress else {
            if *unsettled {
                // If the cycle ends before its last page, this page is not read again as a change: note the work.
                self.remember(SWEEP, FIRST)?;
            }
            return courier.deliver(batch, None);
        };
        // 2. After the last page: end what ends by itself; then compare all objects with what was sent, if anything they
        //    depend on has changed. A dry run always does, to show which accounts are held back.
        *unsettled |= self.end_links(&mut batch, rules.now, courier)?;
        if *unsettled || self.fact(SWEEP)?.is_some() || !rules.secrets {
            // Wait first: then refused and unreadable objects are in the mirror.
            courier.settle()?;
            self.sweep(&mut batch, rules, courier, *unsettled)?;
        } else {
            courier.counts.held = self.number(HELD)?;
        }
        if !rules.full {
            courier.counts.digests_left += self.number(LEFT)?;
            if rules.secrets {
                self.send_lacking(&mut batch, rules, courier)?;
            }
        }
        // 3. Close the cycle at the tenant, unless nothing has changed.
        let cursor = cursor.to_bytes();
        let name = watermark::name(&cursor);
        let moved = rules.full || saved.is_none_or(|saved| saved.cursor != cursor);
        let idle = courier.is_idle() && batch.is_empty();
        if idle && !moved {
            self.settled()?;
            return Ok(());
        }
        if rules.full {
            let Order { guard, confirmed, .. } = self.order;
            courier.most_swept = Some(guard.most_forgotten(self.leaving()?.present, *confirmed));
        }
        courier.deliver(batch, Some(&name))?;
        if let Some(receipt) = courier.settle()? {
            match watermark::may_store(&name, courier.settled.generation, &receipt) {
                CursorDecision::Store => {}
                CursorDecision::OtherGeneration => return Err(PhsError::TenantReplaced),
                CursorDecision::NotAcknowledged => return Err(PhsError::NotAcknowledged),
            }
            if let Some(accounts) = receipt.ambiguous {
                courier.counts.ambiguous = accounts.into();
                self.remember(AMBIGUOUS, &accounts.to_string())?;
                if accounts > 0 {
                    warn!(
                        accounts,
                        "these accounts have a name that an account that is not carried also has: it signs nobody in; \
                         `check --objects` and the tenant's `users ambiguous` name them"
                    );
                }
            }
            if receipt.swept > 0 {
                info!(objects = receipt.swept, "the tenant removed objects that are no longer in the domain");
            }
        }
        // 4. Store what this cycle ended with.
        if rules.full && rules.secrets {
            self.note_iterations(courier)?;
        }
        if rules.full {
            self.mirror.forget_flaws_before(rules.now)?;
            self.mirror.forget_unseen(rules.cycle)?;
            self.mirror.set_fact(COMPARED, &self.order.now.to_string())?;
            self.mirror.set_fact(REPLACES, "")?;
            self.mirror.set_fact(CONTENTS, &courier.settled.contents())?;
        }
        self.settled()?;
        self.mirror.save(&Saved { cursor, generation: courier.settled.generation })?;
        Ok(())
    }

    /// Ends a full compare that derived passwords again: notes how many are left, or that none is.
    fn note_iterations(&self, courier: &mut Courier<'_, '_>) -> Result<(), PhsError> {
        let left = courier.counts.digests_left;
        self.remember(LEFT, &left.to_string())?;
        if left > 0 {
            courier.counts.unfinished = true;
            info!(
                again = courier.counts.digests_again,
                left, "passwords are derived again with more iterations"
            );
        } else if courier.settled.level >= ITERATIONS_FROM {
            self.remember(ITERATIONS, &self.order.profile.iterations().to_string())?;
        }
        Ok(())
    }

    /// Notes that the mirror is up to date with the present rules.
    fn settled(&self) -> Result<(), PhsError> {
        // With a lower profile the tenant may receive digests with fewer iterations from now on.
        let iterations = u64::from(self.order.profile.iterations());
        let known = self.number(ITERATIONS)?;
        if iterations < known {
            self.remember(ITERATIONS, &iterations.to_string())?;
        }
        if iterations <= known {
            self.remember(LEFT, "")?;
        }
        self.remember(PLACES, &self.places())?;
        self.remember(FILTER, &self.filter())
    }

    /// A fact that is set and not empty.
    fn fact(&self, name: &str) -> Result<Option<String>, PhsError> {
        Ok(self.mirror.fact(name)?.filter(|fact| !fact.is_empty()))
    }

    /// A number that is a fact; 0 if it is not set.
    fn number(&self, name: &str) -> Result<u64, PhsError> {
        Ok(self.mirror.fact(name)?.and_then(|number| number.parse().ok()).unwrap_or(0))
    }

    /// Writes a fact if it has changed: an idle cycle writes nothing.
    fn remember(&self, name: &str, fact: &str) -> Result<(), PhsError> {
        if self.mirror.fact(name)?.as_deref().unwrap_or_default() != fact {
            self.mirror.set_fact(name, fact)?;
        }
        Ok(())
    }

    /// Runs `run` in a transaction: all of its rows are stored, or none.
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

/// Whether a page has an attribute, a password or a link. An object may come with none of them.
fn brings_something(page: &Page) -> bool {
    let has_some = |change: &Change| !change.attributes.is_empty() || change.nt_hash.is_some();
    !page.links.is_empty() || !page.quarantined.is_empty() || page.changes.iter().any(has_some)
}

/// Reports progress in work of many small steps, and checks the request to stop.
fn pulse(witness: &dyn Witness, stop: &Stop) -> Result<(), PhsError> {
    witness.read(0);
    if stop.is_raised() { Err(PhsError::Interrupted) } else { Ok(()) }
}

/// When the last full compare ended, in seconds since 1970.
pub fn compared_at(mirror: &Mirror) -> Result<Option<i64>, StateError> {
    Ok(mirror.fact(COMPARED)?.and_then(|at| at.parse().ok()))
}

fn lent<'b>(tenant: &'b mut Option<&mut dyn UploadApi>) -> Option<&'b mut dyn UploadApi> {
    match tenant {
        Some(tenant) => Some(&mut **tenant),
        None => None,
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.drafts.is_empty()
            && self.reserved.is_empty()
            && self.links.is_empty()
            && self.entered.is_empty()
            && self.policy.is_none()
            && self.held.is_empty()
    }

    fn join(&mut self, from: Self) {
        self.drafts.extend(from.drafts);
        self.reserved.extend(from.reserved);
        self.links.extend(from.links);
        self.entered.extend(from.entered);
        self.held.extend(from.held);
        self.policy = from.policy.or(self.policy.take());
        self.in_scope += from.in_scope;
        self.privileged += from.privileged;
        self.never += from.never;
        self.removed += from.removed;
        self.quarantined += from.quarantined;
        self.left_out += from.left_out;
    }
}

#[cfg(test)]
mod tests;
