//! Applies the uploads of a phs to the store, each in one transaction.
//!
//! Order: an attribute or a link changes only when its stamp is greater than the stored one, and a digest likewise, so
//! repeated and late uploads change nothing. A digest also gives way to one of the same password with more iterations.
//! Presence, SID, membership of Protected Users and a request to erase a digest carry no stamp: the last upload
//! applies. Full compare: the first record of an object in the cycle replaces everything stored about it, later ones go
//! by stamp again; in a full compare by stamp all of them do. At the commit, objects and links that no record of the
//! cycle named leave the scope. Leaving: an object that leaves loses its digest and its links at once, and its row
//! after the grace time.
//!
//! The tenant does not trust a phs. It refuses a SID of another domain, an objectGUID that belongs to another domain
//! (also as the start of a link), a name with a suffix that the domain does not declare, a digest of a privileged
//! account, and a digest that is cheap to attack.
//! Before it: [`crate::agents`], which has admitted the agent. After it: the store; [`crate::directory`] and
//! [`crate::sign_ins`] read what it writes.

mod homes;
mod link;
mod offer;
mod outcome;
mod record;
mod reserved;
mod suffixes;
mod writer;

use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::model::Writer;
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::tables::domains;
use landbridge_tenant_store::tables::password_changes::BELIEVED;
use landbridge_tenant_store::tables::{audit, digests, links, names, objects, password_changes};
use landbridge_tenant_store::{Store, StoreError, Trouble};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::{
    CursorName, Hello, LEVEL, MAX_LACKING, Mode, Offer, Presence, Receipt, Upload, Wanted,
};
use outcome::Outcome;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

/// Seconds after which a phs repeats an upload that failed in the database. A phs has a whole cycle in hand, so it
/// should not wait for long.
const RETRY_SECONDS: u32 = 10;

/// Returns the cursors of the writer's domain and the generation of the database. Changes nothing. `now` is in
/// seconds since 1970, here and below.
#[tracing::instrument(skip_all, fields(agent = %writer.agent))]
pub fn hello(
    store: &Store,
    counts: &Counts,
    writer: &Writer,
    hello: &Hello,
    now: i64,
) -> Result<Receipt, Problem> {
    let answer = store.read(|reading| {
        Ok(match writer::domain_of(reading, writer, Some(hello.domain_sid.as_str()))? {
            Ok(domain) => {
                let lacking = password_changes::wanted(reading, domain.id, MAX_LACKING)?;
                hello_receipt(store, &domain, lacking)
            }
            Err(problem) => Err(problem),
        })
    });
    writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))
}

/// Returns the offered passwords whose digests the tenant lacks. Changes nothing.
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
            Ok(domain) => Ok(offer::missing(store, reading, &domain, offer)?),
            Err(problem) => Err(problem),
        })
    });
    writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))
}

/// Applies one page. When this returns, the changes that the receipt counts are on the disk.
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
        // 1. Check the agent again, and make it the writer if the domain has none.
        let domain = match writer::domain_of(writing, writer, Some(upload.domain_sid.as_str()))? {
            Ok(domain) => domain,
            Err(problem) => return Ok(Err(problem)),
        };
        if let Err(problem) = writer::claim(writing, writer, &domain, now)? {
            return Ok(Err(problem));
        }
        // 2. Apply the page, or return the reason why it is held.
        if let Some(problem) = apply_page(store, writing, writer, &domain, upload, now, &mut outcome)? {
            return Ok(Err(problem));
        }
        // 3. Read the cursors for the receipt.
        let Some(domain) = domains::by_id(writing, domain.id)? else {
            return Err(StoreError::Defect("a domain vanished inside a transaction".to_owned()));
        };
        Ok(receipt(store, &domain, &outcome).map(|receipt| (receipt, outcome)))
    });
    let (receipt, outcome) =
        writer::alarm_second_writer(store, counts, writer, now, to_problem(store, answer))?;
    // 4. After the commit: count, and log what an administrator should know.
    outcome.count(counts);
    if outcome.shared > 0 {
        warn!(
            names = outcome.shared,
            "names arrived that other accounts hold: no account signs in with them, see the audit log"
        );
    }
    if let (true, Some(accounts @ 1..)) = (outcome.begins_to_hold, outcome.ambiguous) {
        warn!(
            accounts,
            "these accounts have a name that an account that is not carried also has: from now on it signs nobody \
             in, see `users ambiguous`"
        );
    }
    if outcome.idle > 0 {
        warn!(groups = outcome.idle, "groups with a sign-in policy have left: see `domains policy`");
    }
    if outcome.kept > 0 {
        error!(
            groups = outcome.kept,
            "groups with the policy `refuse` have left: their last members stay refused until `domains policy --remove`"
        );
    }
    if outcome.swept > 0 {
        info!(swept = outcome.swept, "a full compare did not find these objects: they have left the scope");
    }
    let names = outcome.names_of_others();
    if names > 0 {
        error!(
            names,
            "names arrived with a UPN suffix of another domain: no account gets them, see `domains suffix list`"
        );
    }
    let names = outcome.names_undeclared();
    if names > 0 {
        warn!(
            names,
            "names arrived with a UPN suffix that no domain declares: no account gets them; `domains suffix list` shows \
             them, `domains suffix add` declares one"
        );
    }
    if !outcome.foreign.is_empty() {
        error!(
            objects = outcome.foreign.len(),
            links = outcome.links_refused,
            "objects that belong to another domain arrived: refused; if they moved in AD, `domains move-objects` moves them"
        );
    }
    debug!(
        applied = receipt.applied,
        unchanged = receipt.unchanged,
        refused = outcome.refused.len(),
        "upload applied"
    );
    Ok(receipt)
}

/// Applies a page. Returns the reason if its commit is held; the records before it are applied in any case.
fn apply_page(
    store: &Store,
    writing: &Writing<'_>,
    writer: &Writer,
    domain: &Domain,
    upload: &Upload,
    now: i64,
    outcome: &mut Outcome,
) -> Result<Option<Problem>, StoreError> {
    // 1. The domain's policy, all records, then all links: a link may start from an object of the same page.
    let (full, replace) = (upload.mode.is_full(), upload.mode == Mode::FullCompare);
    if let Some(policy) = &upload.policy {
        outcome.policy = domains::apply_policy(writing, domain.id, policy, replace)?;
    }
    let page = record::Page {
        store,
        writing,
        domain,
        actor: &writer.actor(),
        full_compare: full.then_some(upload.cycle),
        replace,
        now,
    };
    let leaving = upload.records.as_slice().iter().filter(|one| one.presence != Presence::Present);
    page.keep_refused(&leaving.map(|one| one.object).collect::<Vec<_>>())?;
    page.apply_records(upload.records.as_slice(), outcome)?;
    for name in upload.reserved.as_slice() {
        page.apply_reserved(name, outcome)?;
    }
    page.apply_links(upload.links.as_slice(), outcome)?;
    page.note_refused_objects(outcome)?;
    page.audit_refused_names(outcome)?;
    // 2. The commit: after a full compare, sweep what it did not name, unless that is too much.
    let mut held = None;
    if let Some(cursor) = &upload.commit {
        if full {
            held = removals_held(writing, domain, upload)?;
        }
        if held.is_none() && full {
            page.complete_reserved(upload, outcome)?;
            sweep(&page, upload, outcome)?;
        }
        if held.is_none() {
            domains::acknowledge(writing, domain.id, cursor.as_str())?;
        }
    }
    // 3. One audit entry for the page.
    if outcome.changes_something() {
        let detail = format!(
            "applied {}, unchanged {}, refused {}, swept {}, links {}, reserved {}, digests set {}, replaced {}, erased {}{}{}",
            outcome.applied,
            outcome.unchanged,
            outcome.refused.len(),
            outcome.swept,
            outcome.links,
            outcome.reserved,
            outcome.set,
            outcome.replaced,
            outcome.erased,
            if outcome.policy { ", policy changed" } else { "" },
            match upload.mode {
                Mode::Incremental => "",
                Mode::FullCompare => ", full compare",
                Mode::FullCompareByStamp => ", full compare by stamp",
            },
        );
        audit::append(writing, now, &writer.actor(), "upload", &domain.dns_name, &detail)?;
    }
    Ok(held)
}

/// Why the commit of a full compare is held: more accounts would leave than phs allowed. None: it is not held.
fn removals_held(
    writing: &Writing<'_>,
    domain: &Domain,
    upload: &Upload,
) -> Result<Option<Problem>, StoreError> {
    let Some(most) = upload.most_swept else { return Ok(None) };
    let unnamed = objects::accounts_unnamed_in(writing, domain.id, upload.cycle)?;
    let held = || {
        let detail = format!(
            "{unnamed} accounts that the tenant stores were not found by the full compare, and at most {most} may leave at \
             once: is the scope right? If it is, `landbridge-phs once --confirm-removals {unnamed}` removes them"
        );
        Problem::new(ProblemCode::RemovalsHeld, &detail)
    };
    Ok((unnamed > most).then(held))
}

/// Ends a full compare: objects that it did not name leave the scope, and links that it did not name are deleted.
fn sweep(page: &record::Page<'_>, upload: &Upload, outcome: &mut Outcome) -> Result<(), StoreError> {
    let record::Page { writing, domain, now, .. } = *page;
    let unnamed = objects::unnamed_in(writing, domain.id, upload.cycle)?;
    page.keep_refused(&unnamed)?;
    for object in unnamed {
        objects::set_presence(writing, object, Presence::OutOfScope, now)?;
        names::set(writing, page.store.name_key(), object, &names::of(writing, object)?, &[])?;
        page.note_idle_policy(object, outcome)?;
        page.end_sessions(object)?;
        links::drop_from(writing, domain.id, object)?;
        outcome.erased += u32::from(digests::erase(writing, object)?);
        outcome.swept += 1;
    }
    // A wish that came after its record was read waits for the next one.
    password_changes::forget_wanted(writing, domain.id, now.saturating_sub(BELIEVED))?;
    let dropped = links::drop_unnamed(writing, domain.id, upload.cycle, now)?;
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
            reserving: None,
            lacking: List::default(),
            ambiguous: outcome.ambiguous,
            nodes: List::default(),
            applied: outcome.applied,
            unchanged: outcome.unchanged,
            swept: outcome.swept,
            refused: List::new(outcome.refused.clone())?,
        })
    };
    built().map_err(|_| Problem::new(ProblemCode::Internal, "the receipt does not fit into a message"))
}

/// The answer to a hello: only this one has the key of names, and the accounts whose digest was dropped.
fn hello_receipt(store: &Store, domain: &Domain, lacking: Vec<Uuid>) -> Result<Receipt, Problem> {
    let reserving = reserved::reserving(store.name_key(), &domain.dns_name, &domain.netbios_name)
        .map_err(|_| Problem::new(ProblemCode::Internal, "the domain's names do not fit into a message"))?;
    let lacking = List::new(lacking).unwrap_or_default();
    Ok(Receipt { reserving: Some(reserving), lacking, ..receipt(store, domain, &Outcome::default())? })
}

/// Turns an error of the database into a problem for phs, without its text, and logs the error.
fn to_problem<T>(store: &Store, answer: Result<Result<T, Problem>, StoreError>) -> Result<T, Problem> {
    answer.unwrap_or_else(|failed| {
        error!(database = %store.location(), error = %failed, "the database fails");
        let code = match &failed {
            StoreError::Defect(_) => ProblemCode::Internal,
            StoreError::File { .. }
            | StoreError::Server { .. }
            | StoreError::Foreign { .. }
            | StoreError::Differs { .. }
            | StoreError::Seal(_)
            | StoreError::Conflict => ProblemCode::StorageFailed,
        };
        let detail = match failed.trouble() {
            Some(Trouble::Full) => "the tenant's disk is full; nothing of this upload was stored",
            Some(_) => {
                "the tenant's database fails; nothing of this upload was stored, the reason is in the tenant's log"
            }
            None => "the tenant cannot store this upload; nothing of it was stored, the reason is in the tenant's log",
        };
        Err(Problem { retry_after_seconds: Some(RETRY_SECONDS), ..Problem::new(code, detail) })
    })
}

#[cfg(test)]
mod tests;
