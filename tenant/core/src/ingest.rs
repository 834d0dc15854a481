//! Takes what a phs uploads into the store: an ordered upsert, in one transaction an upload.
//!
//! Per (objectGUID, attribute) and per link only a greater stamp is applied, and a digest likewise; so repeats and late
//! comers do no harm. In a full compare the first record that names an object replaces what is held of it, further
//! ones of the same cycle go by stamp again, and whoever was not named by the commit is gone; links likewise. Presence,
//! membership of Protected Users, SID and the wish that a digest be erased carry no stamp: of those the last word holds.
//! Whoever leaves loses its digest and what its attributes linked to at once, its row after the grace time.
//!
//! The tenant does not believe a phs in everything: a SID of another domain, an objectGUID that another domain holds
//! (also as the end that a link starts from),
//! a digest of a privileged account and a cheap digest are refused here, whatever phs should have done before.
//! What is absent: the certificate, which `accept` has checked, and the network.
//! Before it on the road: `accept`. After it: `store`; then `directory`, when somebody signs in.

mod link;
mod offer;
mod record;
mod writer;

use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::{audit, digests, links, names, objects};
use landbridge_tenant_store::{Store, StoreError, Trouble};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::{
    CursorName, Hello, LEVEL, Mode, Offer, Presence, Receipt, Refusal, Upload, Wanted,
};
use tracing::{debug, error, info, warn};

/// How long an overloaded or failing tenant asks a phs to wait, in seconds.
const RETRY_SECONDS: u32 = 10;

/// What does the tenant hold? Changes nothing. `now` is in seconds since 1970, here and below.
#[tracing::instrument(skip_all, fields(agent = %writer.agent))]
pub fn hello(
    store: &Store,
    counts: &Counts,
    writer: &Writer,
    hello: &Hello,
    now: i64,
) -> Result<Receipt, Problem> {
    let answer = store.read(|reading| {
        Ok(writer::domain_of(reading, writer, Some(hello.domain_sid.as_str()))?
            .and_then(|domain| receipt(store, &domain, &Outcome::default())))
    });
    writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))
}

/// Which of the offered passwords does the tenant lack? Changes nothing.
#[tracing::instrument(skip_all, fields(agent = %writer.agent))]
pub fn offer(
    store: &Store,
    counts: &Counts,
    writer: &Writer,
    offer: &Offer,
    now: i64,
) -> Result<Wanted, Problem> {
    let answer = store.read(|reading| {
        Ok(match writer::domain_of(reading, writer, None)? {
            Ok(domain) => Ok(offer::missing(store, reading, &domain, offer.passwords.as_slice())?),
            Err(problem) => Err(problem),
        })
    });
    writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))
}

/// Takes a page over. When this returns, what the receipt says is on the disk.
#[tracing::instrument(skip_all, fields(agent = %writer.agent, cycle = %upload.cycle))]
pub fn upload(
    store: &Store,
    counts: &Counts,
    writer: &Writer,
    upload: &Upload,
    now: i64,
) -> Result<Receipt, Problem> {
    let answer = store.write("upload", |writing| {
        let mut outcome = Outcome::default();
        let domain = match writer::domain_of(writing, writer, Some(upload.domain_sid.as_str()))? {
            Ok(domain) => domain,
            Err(problem) => return Ok(Err(problem)),
        };
        if let Err(problem) = writer::claim(writing, writer, &domain, now)? {
            return Ok(Err(problem));
        }
        if let Some(problem) = apply_page(store, writing, writer, &domain, upload, now, &mut outcome)? {
            return Ok(Err(problem));
        }
        let Some(domain) = domains::by_id(writing, domain.id)? else {
            return Err(StoreError::Defect("a domain vanished inside a transaction".to_owned()));
        };
        Ok(receipt(store, &domain, &outcome).map(|receipt| (receipt, outcome)))
    });
    let (receipt, outcome) =
        writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))?;
    outcome.count(counts);
    if outcome.shared > 0 {
        warn!(
            names = outcome.shared,
            "names arrived that other accounts hold: they sign nobody in, see the audit log"
        );
    }
    if outcome.idle > 0 {
        warn!(
            groups = outcome.idle,
            "groups are gone that have a sign-in policy of their own: it holds for nobody, see `domains policy`"
        );
    }
    if outcome.swept > 0 {
        info!(swept = outcome.swept, "a full compare ended without these objects");
    }
    if outcome.links_refused > 0 {
        warn!(links = outcome.links_refused, "links from objects of another domain: refused");
    }
    debug!(
        applied = receipt.applied,
        unchanged = receipt.unchanged,
        refused = outcome.refused.len(),
        "upload taken"
    );
    Ok(receipt)
}

/// What one upload did. Counted for `/metrics` only once it is on the disk.
#[derive(Debug, Default)]
struct Outcome {
    applied: u32,
    unchanged: u32,
    swept: u32,
    links: u32,
    links_refused: u32,
    policy: bool,
    set: u32,
    replaced: u32,
    repeated: u32,
    erased: u32,
    shared: u32,
    idle: u32,
    refused: Vec<Refusal>,
}

impl Outcome {
    fn count(&self, counts: &Counts) {
        counts.records_applied.add(self.applied.into());
        counts.records_unchanged.add(self.unchanged.into());
        counts.records_refused.add(u64::try_from(self.refused.len()).unwrap_or(u64::MAX));
        counts.links_applied.add(self.links.into());
        counts.links_refused.add(self.links_refused.into());
        counts.digests_set.add(self.set.into());
        counts.digests_replaced.add(self.replaced.into());
        counts.digests_repeated.add(self.repeated.into());
        counts.digests_erased.add(self.erased.into());
        counts.accounts_swept.add(self.swept.into());
        counts.names_shared.add(self.shared.into());
    }

    fn worth_an_entry(&self) -> bool {
        let links = self.links > 0 || self.links_refused > 0;
        links || self.applied > 0 || self.swept > 0 || self.policy || !self.refused.is_empty()
    }
}

fn apply_page(
    store: &Store,
    writing: &Writing<'_>,
    writer: &Writer,
    domain: &Domain,
    upload: &Upload,
    now: i64,
    outcome: &mut Outcome,
) -> Result<Option<Problem>, StoreError> {
    let replace = upload.mode == Mode::FullCompare;
    if let Some(policy) = &upload.policy {
        outcome.policy = domains::apply_policy(writing, domain.id, policy, replace)?;
    }
    let page = record::Page {
        store,
        writing,
        domain,
        actor: &writer.actor(),
        full_compare: replace.then_some(upload.cycle),
        now,
    };
    for record in upload.records.as_slice() {
        page.apply_record(record, outcome)?;
    }
    let mut from = None;
    for link in upload.links.as_slice() {
        page.apply_link(link, &mut from, outcome)?;
    }
    let mut held = None;
    if let Some(cursor) = &upload.commit {
        if replace {
            held = removals_held(writing, domain, upload)?;
        }
        if held.is_none() && replace {
            sweep(&page, upload, outcome)?;
        }
        if held.is_none() {
            domains::acknowledge(writing, domain.id, cursor.as_str())?;
        }
    }
    if outcome.worth_an_entry() {
        let detail = format!(
            "applied {}, unchanged {}, refused {}, swept {}, links {}, digests set {}, replaced {}, erased {}{}{}",
            outcome.applied,
            outcome.unchanged,
            outcome.refused.len(),
            outcome.swept,
            outcome.links,
            outcome.set,
            outcome.replaced,
            outcome.erased,
            if outcome.policy { ", policy changed" } else { "" },
            if replace { ", full compare" } else { "" },
        );
        audit::append(writing, now, &writer.actor(), "upload", &domain.dns_name, &detail)?;
    }
    Ok(held)
}

/// Why a full compare does not end: what it carried is taken, and nobody goes.
fn removals_held(
    writing: &Writing<'_>,
    domain: &Domain,
    upload: &Upload,
) -> Result<Option<Problem>, StoreError> {
    let Some(most) = upload.most_swept else { return Ok(None) };
    let unnamed = objects::accounts_unnamed_in(writing, domain.id, upload.cycle)?;
    let held = || {
        let detail = format!(
            "{unnamed} accounts that the tenant has were not found by the full compare, and at most {most} may go: is \
             the scope right? If it is, `landbridge-phs once --confirm-removals {unnamed}` lets them go"
        );
        Problem::new(ProblemCode::RemovalsHeld, &detail)
    };
    Ok((unnamed > most).then(held))
}

/// A full compare is complete: whoever it did not name has left the scope, and what it did not link is not linked.
fn sweep(page: &record::Page<'_>, upload: &Upload, outcome: &mut Outcome) -> Result<(), StoreError> {
    let record::Page { writing, domain, now, .. } = *page;
    for object in objects::unnamed_in(writing, domain.id, upload.cycle)? {
        objects::set_presence(writing, object, Presence::OutOfScope, now)?;
        names::set(writing, object, &names::of(writing, object)?, &[])?;
        page.note_idle_policy(object, outcome)?;
        links::drop_from(writing, domain.id, object)?;
        outcome.erased += u32::from(digests::erase(writing, object)?);
        outcome.swept += 1;
    }
    let dropped = links::drop_unnamed(writing, domain.id, upload.cycle)?;
    outcome.links = outcome.links.saturating_add(u32::try_from(dropped).unwrap_or(u32::MAX));
    Ok(())
}

fn receipt(store: &Store, domain: &Domain, outcome: &Outcome) -> Result<Receipt, Problem> {
    let cursor = |name: &Option<String>| name.clone().map(Text::new).transpose();
    let built = || -> Result<Receipt, landbridge_wire::bounded::TooLong> {
        let (acknowledged, acknowledged_before): (Option<CursorName>, Option<CursorName>) =
            (cursor(&domain.acknowledged)?, cursor(&domain.acknowledged_before)?);
        Ok(Receipt {
            level: LEVEL,
            generation: store.tenant().generation,
            acknowledged,
            acknowledged_before,
            applied: outcome.applied,
            unchanged: outcome.unchanged,
            swept: outcome.swept,
            refused: List::new(outcome.refused.clone())?,
        })
    };
    built().map_err(|_| Problem::new(ProblemCode::Internal, "the tenant cannot word its receipt"))
}

/// What a failing database is to a phs.
fn to_problem<T>(store: &Store, answer: Result<Result<T, Problem>, StoreError>) -> Result<T, Problem> {
    answer.unwrap_or_else(|failed| {
        error!(database = %store.path().display(), error = %failed, "the database fails");
        let code = match &failed {
            StoreError::Defect(_) => ProblemCode::Internal,
            StoreError::File { .. }
            | StoreError::Foreign { .. }
            | StoreError::Seal(_)
            | StoreError::Conflict => ProblemCode::StorageFailed,
        };
        let detail = match failed.trouble() {
            Some(Trouble::Full) => "the tenant's disk is full; nothing of this upload was taken",
            Some(_) => {
                "the tenant's database fails; nothing of this upload was taken, the tenant's log says why"
            }
            None => "the tenant cannot take this upload; nothing of it was taken, the tenant's log says why",
        };
        Err(Problem { retry_after_seconds: Some(RETRY_SECONDS), ..Problem::new(code, detail) })
    })
}

#[cfg(test)]
mod tests;
