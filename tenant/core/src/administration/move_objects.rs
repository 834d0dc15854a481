//! Moves objects from one domain to another. An objectGUID belongs to its domain for ever, so an account that AD moved to
//! another domain of the forest stays refused there until an administrator moves it here as well.
//! Before it: [`super::act`]. Neighbours: the ingest notes the refused objects that are listed here.

use crate::administration::domain::{Actor, no_domain};
use crate::administration::request::{AdminResponse, MAX_MOVED, MoveRow, refusal};
use landbridge_tenant_rules::model::{Domain, Object, is_removed, presence_text};
use landbridge_tenant_store::tables::{attributes, domains, homes, objects, refused_objects};
use landbridge_tenant_store::{Reading, StoreError};
use uuid::Uuid;

type Outcome = Result<AdminResponse, StoreError>;

/// The objects of the domain `from` that the domain `to` uploaded and that were refused there.
pub(super) fn list(reading: &Reading<'_>, from: &str, to: &str) -> Outcome {
    let (from, to) = match pair(reading, from, to)? {
        Ok(pair) => pair,
        Err(refused) => return Ok(refused),
    };
    let rows = refused_objects::of(reading, to.id, from.id)?.into_iter().map(|refused| {
        let held = objects::find(reading, refused.object)?;
        let known = attributes::of(reading, refused.object)?;
        Ok(MoveRow {
            object: refused.object,
            name: known.user_principal_name.or(known.sam_account_name).or(known.name),
            presence: held.as_ref().map_or("erased", |held| presence_text(held.presence)).to_owned(),
            movable: is_movable(held.as_ref()),
            first_at: refused.first_at,
            last_at: refused.last_at,
        })
    });
    Ok(AdminResponse::Moves(rows.collect::<Result<_, StoreError>>()?))
}

impl Actor<'_> {
    /// Moves objects of the domain `from` to the domain `to`: all of them, or none and a refusal. What `from` uploaded of
    /// them is erased; a block and the audit log stay.
    pub(super) fn move_objects(&self, from: &str, to: &str, moved: &[Uuid]) -> Outcome {
        if moved.len() > MAX_MOVED {
            return Ok(refusal(
                &format!("one request moves at most {MAX_MOVED} objects"),
                "move fewer at once",
            ));
        }
        let response = self.tenant.store.write("objects-move", |writing| {
            let (from, to) = match pair(writing, from, to)? {
                Ok(pair) => pair,
                Err(refused) => return Ok(refused),
            };
            // 1. Refuse all of them if one does not belong to `from`, was not uploaded by `to`, or is still in `from`.
            let listed = refused_objects::of(writing, to.id, from.id)?;
            for object in moved {
                if !listed.iter().any(|one| one.object == *object) {
                    let what = format!("{object} is no object of {} that {} uploaded", from.dns_name, to.dns_name);
                    return Ok(refusal(
                        &what,
                        "run `landbridge-tenant domains move-objects` without it to see the list",
                    ));
                }
                if !is_movable(objects::find(writing, *object)?.as_ref()) {
                    let what = format!("{object} is still in {}, so it did not move", from.dns_name);
                    let todo = "run `landbridge-phs once` for that domain; if AD has the object there, the upload of \
                                the other domain is wrong";
                    return Ok(refusal(&what, todo));
                }
            }
            // 2. Move them.
            for object in moved {
                objects::forget_own(writing, *object)?;
                if !homes::change(writing, *object, from.id, to.id)? {
                    return Err(StoreError::Conflict);
                }
                refused_objects::forget(writing, to.id, *object)?;
                let detail = format!("from {} to {}", from.dns_name, to.dns_name);
                self.audit(writing, "object-moved", &object.to_string(), &detail)?;
            }
            Ok(AdminResponse::Done(format!(
                "{} objects belong to {} now; run `landbridge-phs once --full` there: it uploads them again",
                moved.len(),
                to.dns_name
            )))
        })?;
        // 3. A canary of the first domain may have moved.
        self.tenant.set_canaries()?;
        Ok(response)
    }
}

/// Whether the domain of an object has lost it: the object was deleted, left the scope, or was erased. A full compare
/// also finds that an object is out of scope when AD has forgotten its tombstone.
fn is_movable(held: Option<&Object>) -> bool {
    held.is_none_or(|held| is_removed(held.presence))
}

/// The two domains, or a refusal.
fn pair(
    reading: &Reading<'_>,
    from: &str,
    to: &str,
) -> Result<Result<(Domain, Domain), AdminResponse>, StoreError> {
    let (from, to) = (domains::by_name(reading, from)?, domains::by_name(reading, to)?);
    Ok(match (from, to) {
        (Some(from), Some(to)) if from.id == to.id => Err(refusal(
            "objects move from one domain to another one",
            "name two domains of `landbridge-tenant domains list`",
        )),
        (Some(from), Some(to)) => Ok((from, to)),
        (Some(_) | None, _) => Err(no_domain()),
    })
}
